//! AWS: `iam get-account-authorization-details` in the form of the AWS CLI's output, to the graph.
//!
//! | room | holds |
//! |---|---|
//! | `details` | the transform: users, groups, roles, policies, trust |

mod details;

pub use details::{looks_like, transform};
