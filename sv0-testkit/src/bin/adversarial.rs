//! `cargo run --release -p sv0-testkit --bin adversarial`: queries that mean harm, each within its time and memory.
#![allow(clippy::print_stdout, reason = "a measuring program prints")]

use std::process::ExitCode;
use std::time::Duration;

use sv0_testkit::adversarial::{MEMORY, run};

/// The command's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What may be held beside what the budget counts.
const SPARE: u64 = 16 << 20;
/// How long past its time one query in a hundred may run.
const LATE: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let mut all = run();
    all.sort_by_key(|o| o.overshoot);
    let at = |share: usize| all.get((all.len() * share / 100).min(all.len().saturating_sub(1)));
    let (p50, p99) = (at(50).map(|o| o.overshoot), at(99).map(|o| o.overshoot));
    let heavy: Vec<_> = all.iter().filter(|o| o.memory > MEMORY + SPARE).collect();
    let late: Vec<_> = all.iter().filter(|o| o.overshoot > LATE).collect();
    for o in heavy.iter().chain(&late) {
        println!("{:?} late, {} MiB, {}: {}", o.overshoot, o.memory >> 20, o.end, o.name);
    }
    let most = all.iter().map(|o| o.memory).max().unwrap_or(0);
    let max = all.last().map(|o| o.overshoot);
    println!("{} queries: overshoot p50 {p50:?}, p99 {p99:?}, max {max:?}; most memory {} MiB", all.len(), most >> 20);
    let good = heavy.is_empty() && p99.is_some_and(|p| p < LATE);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
