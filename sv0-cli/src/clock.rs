//! The clock, for limits alone: nothing that is printed depends on it (but `--timing`).
#![allow(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]

use std::time::{Duration, Instant};

use sv0_query::{Stats, Stop};

/// A stop signal that fires after `limit`.
pub(crate) fn deadline(limit: Duration) -> Box<dyn Fn() -> Option<Stop>> {
    let start = Instant::now();
    Box::new(move || (start.elapsed() > limit).then_some(Stop::Timeout))
}

/// Says on standard error how far a query is that runs for more than a second; its line goes with it.
pub(crate) fn progress() -> Box<dyn Fn(Stats)> {
    let start = Instant::now();
    let bar: std::cell::OnceCell<indicatif::ProgressBar> = std::cell::OnceCell::new();
    Box::new(move |s: Stats| {
        if start.elapsed() < Duration::from_secs(1) {
            return;
        }
        let bar = bar.get_or_init(indicatif::ProgressBar::new_spinner);
        bar.set_message(format!("{} adjacency entries, {} bytes at most", s.adjacency_entries, s.peak_bytes));
        bar.tick();
    })
}

/// Microseconds since it was made.
pub(crate) fn stopwatch() -> impl Fn() -> u64 {
    let start = Instant::now();
    move || u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
