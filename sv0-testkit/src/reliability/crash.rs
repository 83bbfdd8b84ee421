//! Power cuts on a simulated disk: at every call of a workload, in every family of images, and again in what the next
//! writer does on what was left, by a power cut or by a kill.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use sv0_graph::vfs::Vfs;

use super::state::{MayHold, judge, words};
use super::workload::{self, COMPACT, Session, Step};
use super::{Context, Report, over_seeds};
use crate::generate::Rng;
use crate::vfs::{Breadth, Disk, Op, RecordingVfs, SabotageVfs, SimVfs};

const PATH: &str = "/store/g.sv0";
/// Crashes within crashes.
const DEPTH: usize = 3;
/// One in so many images of each depth goes on to the next.
const SHARE: [usize; DEPTH] = [50, 400, usize::MAX];
/// At one in so many calls of each depth the process is killed instead.
const KILLED: [usize; DEPTH] = [8, 60, usize::MAX];

/// The lane.
#[must_use]
pub fn run(ctx: &Context) -> Report {
    over_seeds(ctx, "crash", ("images", ctx.amount(100_000, 2_000_000), None), |seed| one(ctx, seed))
}

fn one(ctx: &Context, seed: u64) -> Report {
    let mut x = Explorer { ctx, seed, r: Rng::new(seed ^ 0xc4a5), report: Report::new("crash") };
    x.report.add("workloads", 1);
    x.work(Start::default(), &workload::steps(seed, 6), 0, "");
    x.report
}

/// Where a writer begins.
#[derive(Debug, Clone, Default)]
struct Start {
    disk: Disk,
    /// What it holds.
    holds: MayHold,
    /// What else there may be after a power cut, where killed processes left something that isn't durable: until the
    /// next commit is acknowledged.
    older: Vec<MayHold>,
}

struct Explorer<'a> {
    ctx: &'a Context,
    seed: u64,
    r: Rng,
    report: Report,
}

impl Explorer<'_> {
    fn violation(&mut self, what: &str) {
        let again = self.ctx.repeat("crash", self.seed, 1);
        self.report.violation(format!("seed {}: {what}\n    {again}", self.seed));
    }

    /// Runs steps on what a disk holds, then crashes them at each call.
    fn work(&mut self, start: Start, steps: &[Step], depth: usize, story: &str) {
        let recording = Arc::new(RecordingVfs::new(Arc::new(SimVfs::on(start.disk.clone()))));
        let vfs = SabotageVfs::over(recording.clone(), self.ctx.sabotage);
        let mut session = Session::new(vfs, Path::new(PATH));
        let mut states = vec![start.holds.clone()];
        for (i, step) in steps.iter().enumerate() {
            let done = session.step(step).map_err(|t| t.text);
            recording.mark(i + 1);
            match done.and_then(|()| session.state().map_err(|e| e.to_string())) {
                Ok(state) => states.push(state),
                Err(e) => {
                    self.violation(&format!("{story}step {i} failed on a sound disk: {e}"));
                    return;
                }
            }
        }
        drop(session);
        self.explore(start, &recording.log(), &states, depth, story);
    }

    /// All images at all calls.
    fn explore(&mut self, start: Start, log: &[Op], states: &[MayHold], depth: usize, story: &str) {
        let mut disk = start.disk;
        disk.forget_handles();
        let mut acked = 0;
        let mut seen = HashSet::new();
        for (i, op) in log.iter().enumerate() {
            let mut may = Vec::new();
            match op {
                Op::Mark(step) => {
                    acked = *step;
                    seen.clear();
                }
                _ if op.changes_disk() => may.extend(states.get(acked + 1)),
                _ => continue,
            }
            may.push(&states[acked]);
            // The first step opens, the second one commits.
            may.extend(start.older.iter().filter(|_| acked < 2));
            disk.replay(op);
            self.report.add("crash points", 1);
            let story = format!("{story}at call {i}, ");
            self.cut(&disk, &may, &mut seen, depth, &story);
            if depth + 1 < DEPTH && self.r.one_in(KILLED[depth]) {
                self.kill(&disk, &may, depth, &story);
            }
            if self.report.failures() > 20 {
                return;
            }
        }
    }

    /// The power goes.
    fn cut(&mut self, disk: &Disk, may: &[&MayHold], seen: &mut HashSet<[u8; 32]>, depth: usize, story: &str) {
        let mut images = Vec::new();
        let breadth = if depth == 0 { Breadth::WIDE } else { Breadth::NARROW };
        disk.images(&mut self.r, breadth, &mut |family, image| images.push((family, image)));
        self.report.add("images made", images.len() as u64);
        for (family, image) in images {
            if !seen.insert(image.hash()) {
                continue;
            }
            self.report.add("images", 1);
            self.report.add(&format!("images at depth {}", depth + 1), 1);
            self.report.add(&format!("images: {}", family.name()), 1);
            let vfs: Arc<dyn Vfs> = Arc::new(image.to_memory());
            match judge(&vfs, Path::new(PATH), may) {
                Err(e) => self.violation(&format!("{story}power cut, {}: {e}", family.name())),
                Ok(holds) if self.r.one_in(SHARE[depth]) => {
                    let story = format!("{story}power cut, {}: {}; then ", family.name(), words(&holds));
                    self.report.add("writers after a power cut", 1);
                    self.next(Start { disk: Disk::new(&image), holds, older: Vec::new() }, depth, &story);
                }
                Ok(_) => {}
            }
        }
    }

    /// The process is killed and the power stays: what is pending is seen by the next one, and still pending.
    fn kill(&mut self, disk: &Disk, may: &[&MayHold], depth: usize, story: &str) {
        self.report.add("writers after a kill", 1);
        let vfs: Arc<dyn Vfs> = Arc::new(disk.seen().to_memory());
        match judge(&vfs, Path::new(PATH), may) {
            Err(e) => self.violation(&format!("{story}kill: {e}")),
            Ok(holds) => {
                let story = format!("{story}kill: {}; then ", words(&holds));
                let older = may.iter().map(|m| (*m).clone()).collect();
                self.next(Start { disk: disk.clone(), holds, older }, depth, &story);
            }
        }
    }

    /// The next writer goes on with what was left, and is crashed too.
    fn next(&mut self, start: Start, depth: usize, story: &str) {
        let mut steps = vec![Step::Open, Step::Commit(workload::batches(&mut self.r, 99), "after".into())];
        if let Some(f) = COMPACT.filter(|_| self.r.one_in(2)) {
            steps.push(Step::Compact(f));
        }
        self.work(start, &steps, depth + 1, story);
    }
}
