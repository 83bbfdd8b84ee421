//! The clock, for limits alone: nothing that is printed depends on it (but `--timing`).
#![allow(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]

use std::time::{Duration, Instant};

use sv0_query::Stop;

/// A stop signal that fires after `limit`.
pub(crate) fn deadline(limit: Duration) -> Box<dyn Fn() -> Option<Stop>> {
    let start = Instant::now();
    Box::new(move || (start.elapsed() > limit).then_some(Stop::Timeout))
}

/// Microseconds since it was made.
pub(crate) fn stopwatch() -> impl Fn() -> u64 {
    let start = Instant::now();
    move || u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
