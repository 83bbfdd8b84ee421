//! The reliability lanes: what must hold under crashes, faults, damage and company, tried in numbers.
//!
//! | room | holds |
//! |---|---|
//! | `crash` | power cuts at every step of a simulated disk, and power cuts after power cuts |
//! | `faults` | an error at every call |
//! | `bytes` | every byte set to every other value, every truncation, extensions |
//! | `kill` | a writer killed in the middle of its work |
//! | `readers` | one writer and eight readers |
//! | `system` | a full, read-only, forbidden, truncated file on the real system |
//! | `memory` | a reader that gets less and less memory |
//! | `power` | a file system shut down under a writer |
//! | `workload`, `state`, `dump` | what is written, what must be there, all of a snapshot in text |
//! | `child`, `process` | what the other processes of a lane do, and starting them |
//! | `report` | what a lane found |
//!
//! A lane knows no clock and no environment: the binary hands both in with [`Context`].

pub mod bytes;
pub mod child;
pub mod crash;
pub mod dump;
pub mod faults;
pub mod kill;
pub mod memory;
pub mod power;
mod process;
pub mod readers;
pub mod report;
pub mod state;
pub mod system;
pub mod workload;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use report::Report;

use crate::vfs::Sabotage;

/// What a lane is given.
#[derive(Debug, Clone)]
pub struct Context {
    /// The first seed.
    pub seed: u64,
    /// How much to do, where the caller says so; what it counts is the lane's.
    pub count: Option<u64>,
    /// The release figures instead of the gate's.
    pub long: bool,
    /// How long the lanes run that run for a time.
    pub seconds: u64,
    /// Threads.
    pub threads: u64,
    /// The binary, which is its own child.
    pub exe: PathBuf,
    /// Where files may be made; the lane makes a folder of its own in it.
    pub dir: PathBuf,
    /// The time since the start.
    pub elapsed: fn() -> Duration,
    /// Says something to whoever watches.
    pub note: fn(&str),
    /// A lie under the store, to show that the lane notices.
    pub sabotage: Option<Sabotage>,
}

impl Context {
    /// The lane's amount: the caller's, or one of the two figures.
    #[must_use]
    pub fn amount(&self, gate: u64, long: u64) -> u64 {
        self.count.unwrap_or(if self.long { long } else { gate })
    }

    /// The command that does this again.
    #[must_use]
    pub fn repeat(&self, lane: &str, seed: u64, count: u64) -> String {
        format!("cargo run --release -p sv0-testkit --bin reliability -- {lane} --seed {seed} --count {count}")
    }
}

/// A lane.
pub type Lane = fn(&Context) -> Report;

/// All lanes, in the order in which `all` runs them.
pub const LANES: &[(&str, Lane)] = &[
    ("crash", crash::run),
    ("faults", faults::run),
    ("bytes", bytes::run),
    ("kill", kill::run),
    ("readers", readers::run),
    ("system", system::run),
    ("memory", memory::run),
    ("power", power::run),
];

/// Works through seeds on all threads until `counter` reaches `target` or there are violations enough. `each` is what
/// a seed adds to it, if that is known.
fn over_seeds(
    ctx: &Context,
    lane: &str,
    (counter, target, each): (&str, u64, Option<u64>),
    work: impl Fn(u64) -> Report + Sync,
) -> Report {
    let end = each.map(|n| ctx.seed + target.div_ceil(n));
    let next = AtomicU64::new(ctx.seed);
    let all = Mutex::new(Report::new(lane));
    std::thread::scope(|s| {
        for _ in 0..ctx.threads {
            s.spawn(|| {
                loop {
                    {
                        let all = all.lock().unwrap();
                        if all.get(counter) >= target || all.failures() > 50 {
                            break;
                        }
                    }
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if end.is_some_and(|e| seed >= e) {
                        break;
                    }
                    let mut one = work(seed);
                    one.seeds = Some((seed, seed));
                    all.lock().unwrap().merge(one);
                }
            });
        }
    });
    all.into_inner().unwrap()
}

/// Runs `f`; a panic becomes its message.
fn no_panic<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).map_err(|p| {
        let text = p.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| p.downcast_ref::<String>().cloned());
        format!("panic: {}", text.unwrap_or_default())
    })
}
