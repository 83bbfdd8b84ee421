//! The lanes at tiny sizes: nothing is found in the store, and what is sabotaged is found.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sv0_testkit::reliability::{Context, Report, bytes, crash, faults, kill, memory, readers};
use sv0_testkit::vfs::Sabotage;

#[allow(clippy::disallowed_methods, reason = "a lane that runs for a time needs one")]
fn elapsed() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn context(count: u64, sabotage: Option<Sabotage>) -> Context {
    Context {
        seed: 1,
        count: Some(count),
        long: false,
        seconds: 2,
        threads: 1,
        exe: PathBuf::from(env!("CARGO_BIN_EXE_reliability")),
        dir: std::env::temp_dir(),
        elapsed,
        note: |_| {},
        sabotage,
    }
}

fn sound(report: &Report, counter: &str) {
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert!(report.get(counter) > 0, "{report:#?}");
}

fn bites(report: &Report) {
    assert!(!report.violations.is_empty(), "the lane noticed nothing: {report:#?}");
}

#[test]
fn crash() {
    sound(&crash::run(&context(100, None)), "images at depth 2");
}

#[test]
fn crash_bites() {
    for lie in [Sabotage::NoSync, Sabotage::NoDataSync, Sabotage::NoNames, Sabotage::LateWrites, Sabotage::BitFlip] {
        bites(&crash::run(&context(100, Some(lie))));
    }
}

#[test]
fn a_seed_gives_the_same_images() {
    let (a, b) = (crash::run(&context(1, None)), crash::run(&context(1, None)));
    assert_eq!((a.counts, a.violations), (b.counts, b.violations));
}

#[test]
fn memory() {
    let report = memory::run(&context(6, None));
    sound(&report, "typed errors");
    assert!(report.get("read under the limit") > 0, "{report:#?}");
}

#[test]
fn faults() {
    sound(&faults::workload(&context(1, None), 1, 40), "typed errors");
}

#[test]
fn faults_bite() {
    bites(&faults::workload(&context(1, Some(Sabotage::NoErrors)), 1, 40));
    bites(&faults::workload(&context(1, Some(Sabotage::NoSync)), 1, 40));
}

#[test]
fn bytes() {
    let report = bytes::run(&context(1, None));
    sound(&report, "detected");
    assert!(report.get("harmless") > 0 && report.get("panics") == 0);
    bites(&bytes::run(&context(1, Some(Sabotage::BitFlip))));
}

#[test]
fn kill() {
    sound(&kill::run(&context(12, None)), "acknowledged commits");
    bites(&kill::run(&context(12, Some(Sabotage::EarlyAck))));
}

#[test]
fn readers() {
    sound(&readers::run(&context(1, None)), "openings");
    bites(&readers::run(&context(1, Some(Sabotage::BitFlip))));
}
