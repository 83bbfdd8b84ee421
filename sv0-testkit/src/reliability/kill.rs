//! A writer that commits in a loop is killed at a random moment: what it acknowledged is there, the lock is free.

use std::path::Path;
use std::time::Duration;

use sv0_graph::{Schema, Store, StoreError};

use super::dump::dump_hash;
use super::process::{Running, Said, command};
use super::{Context, Report, over_seeds};
use crate::generate::Rng;
use crate::vfs::Sabotage;

/// The file is begun anew where it grew beyond this.
const LARGE: u64 = 2 << 20;
/// Kills of one round, on one file after the other.
const ROUND: u64 = 25;

/// The lane; `--count` is the number of kills.
#[must_use]
pub fn run(ctx: &Context) -> Report {
    let kills = ctx.amount(500, 20_000);
    let each = kills.clamp(1, ROUND);
    over_seeds(ctx, "kill", ("kills", kills, Some(each)), |seed| round(ctx, seed, each))
}

fn round(ctx: &Context, seed: u64, kills: u64) -> Report {
    let mut report = Report::new("kill");
    let dir = tempfile::Builder::new().prefix("sv0-kill").tempdir_in(&ctx.dir).unwrap();
    let path = dir.path().join("g.sv0");
    let mut r = Rng::new(seed);
    let mut acked: Vec<Said> = Vec::new();
    for i in 0..kills {
        report.add("kills", 1);
        if std::fs::metadata(&path).is_ok_and(|m| m.len() > LARGE) {
            std::fs::remove_file(&path).unwrap();
            acked.clear();
            report.add("files", 1);
        }
        let child_seed = r.below(1 << 30).to_string();
        let mut args = vec!["--seed", &child_seed];
        match ctx.sabotage {
            Some(Sabotage::EarlyAck) => args.extend(["--lie", "early-ack"]),
            Some(Sabotage::BitFlip) => args.extend(["--lie", "bit-flip"]),
            _ => {}
        }
        let mut child = Running::start(command(ctx, "write", &path, &args));
        // From before it opens to some commits later.
        std::thread::sleep(Duration::from_micros(r.below(200_000) as u64));
        child.kill();
        let (said, _) = child.rest();
        let ready = !acked.is_empty() || said.iter().any(|l| l.starts_with("READY"));
        let new: Vec<Said> = said.iter().filter_map(|l| Said::parse(l)).filter(|s| s.number > 0).collect();
        report.add("acknowledged commits", new.iter().filter(|s| s.word == "ACK").count() as u64);
        if let Some(e) = said.iter().find(|l| l.starts_with("ERR")) {
            report.violation(format!("seed {seed}: kill {i}: the writer failed: {e}"));
        }
        for s in new {
            if acked.last().is_none_or(|l| l.number < s.number) {
                acked.push(s);
            }
        }
        match check(&path, ready, &acked, &mut report) {
            Ok(()) => {}
            Err(e) => {
                report.violation(format!("seed {seed}: kill {i}: {e}\n    {}", ctx.repeat("kill", seed, ROUND)));
                break;
            }
        }
    }
    report
}

/// Whether a snapshot may be gone: a compaction keeps the three newest, and whatever comes after.
pub(super) fn compacted(store: &Store, number: u32) -> bool {
    let all = store.snapshots();
    all.first().is_some_and(|s| s.0 > number) && all.iter().filter(|s| s.0 > number).count() >= 3
}

fn check(path: &Path, ready: bool, acked: &[Said], report: &mut Report) -> Result<(), String> {
    match Store::open(path) {
        Ok(store) => {
            let verified = store.verify().map_err(|e| format!("verify: {e}"))?;
            if let Some(p) = verified.problems.first() {
                return Err(format!("verify: {p}"));
            }
            let newest = store.latest().number();
            let last = acked.last().map_or(0, |a| a.number);
            if newest != last && newest != last + 1 {
                return Err(format!("snapshot {last} was acknowledged last, {newest} is the newest"));
            }
            report.add("in flight and there", u64::from(newest > last));
            for a in acked.iter().filter(|a| !compacted(&store, a.number)) {
                let s = store.snapshot(a.number).map_err(|e| format!("snapshot {}: {e}", a.number))?;
                if s.content_hash() != a.hash {
                    return Err(format!("snapshot {} isn't what was acknowledged", a.number));
                }
            }
            if let Some(a) = acked.last() {
                let s = store.snapshot(a.number).map_err(|e| e.to_string())?;
                if dump_hash(&s).map_err(|e| e.to_string())? != a.dump {
                    return Err(format!("snapshot {} reads otherwise than when it was acknowledged", a.number));
                }
            }
        }
        Err(StoreError::NotAStore) if !ready => report.add("not a store yet", 1),
        Err(StoreError::Io { source, .. }) if !ready && source.kind() == std::io::ErrorKind::NotFound => {
            report.add("not a store yet", 1);
        }
        Err(e) => return Err(format!("open: {e}")),
    }
    // The lock is free at once, and a writer has nothing to repair.
    if ready {
        Store::open_or_create(path, Schema::canonical()).map_err(|e| format!("the next writer: {e}"))?;
    }
    Ok(())
}
