//! Not yet.

use super::{Context, Report};

/// The lane.
#[must_use]
pub fn run(_: &Context) -> Report {
    Report::new("power")
}
