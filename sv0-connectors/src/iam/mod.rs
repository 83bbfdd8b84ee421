//! Effective permission in AWS, in three values: allowed, denied, or conditional on what isn't known.
//!
//! | room | holds |
//! |---|---|
//! | `tri` | three-valued truth with the residual condition |
//! | `pattern` | wildcards of actions and ARNs, containment, policy variables |
//! | `policy` | documents and statements, read tolerantly |
//! | `condition` | condition operators |
//! | `evaluate` | the order of evaluation |

mod condition;
mod evaluate;
mod pattern;
mod policy;
mod tri;

pub use condition::{Condition, Context};
pub use evaluate::{Decision, Input, PolicySet, Request, evaluate, statement_applies};
pub use pattern::{arn_account, contains, glob};
pub use policy::{Document, Effect, PolicyError, Statement};
pub use tri::{Residual, Tri};
