//! Rules as path queries; findings with their paths and evidence.
//!
//! `RulePack + Snapshot -> findings`. What is in here: the rule format and its loader ([`RulePack`]), evaluation
//! ([`check`]), the assessment document ([`Assessment`]) and the built-in pack. What is not: no connector, no clock
//! (`as_of` is an input), and no rule has code of its own.

mod assess;
mod eval;
pub mod fixture;
mod inventory;
mod model;
mod rule;

pub use assess::{Assessment, AuthorityPath, OwnershipGap, SharedReducer, SourceLine, Timing, Versions, assess};
pub use eval::{CheckInput, CheckOptions, Checked, Coverage, Progress, RuleTiming, StopFor, check};
pub use inventory::{Inventory, inventory};
pub use model::{Finding, Reducer};
pub use rule::{
    Category, Escalation, LintError, PackError, Parameter, ReducerText, Requirement, Rule, RulePack, RuleTest, Severity,
};
pub use sv0_query;
pub use sv0_query::json::{EdgeJson, EdgeRefJson, KeyJson, NodeJson, PathJson, PremiseJson, RecordJson};

/// The version of the rule set.
pub const RULES_VERSION: &str = env!("CARGO_PKG_VERSION");
