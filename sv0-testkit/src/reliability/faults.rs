//! An error at every call: typed, the handle refused afterwards, what was acknowledged intact, later work possible.

use std::path::Path;
use std::sync::Arc;

use sv0_graph::StoreError;
use sv0_graph::vfs::Vfs;

use super::state::{MayHold, judge, words};
use super::workload::{self, Session, Stage, Step, Trouble};
use super::{Context, Report, no_panic, over_seeds};
use crate::generate::Rng;
use crate::vfs::{Breadth, Call, Fault, FaultVfs, Image, SabotageVfs, SimVfs};

const PATH: &str = "/store/g.sv0";

/// Linux's numbers.
const ERRORS: [(i32, &str); 8] = [
    (5, "EIO"),
    (28, "ENOSPC"),
    (30, "EROFS"),
    (122, "EDQUOT"),
    (27, "EFBIG"),
    (4, "EINTR"),
    (24, "EMFILE"),
    (13, "EACCES"),
];

/// The lane; `--count` is the number of workloads, each with all its faults.
#[must_use]
pub fn run(ctx: &Context) -> Report {
    over_seeds(ctx, "faults", ("workloads", ctx.amount(2, 100), Some(1)), |seed| workload(ctx, seed, 1))
}

/// How a case went, if well.
enum Outcome {
    Typed,
    Absorbed,
}

/// One workload with all its faults, or one in so many of them.
#[must_use]
pub fn workload(ctx: &Context, seed: u64, one_in: usize) -> Report {
    let mut r = Rng::new(seed);
    let mut report = Report::new("faults");
    report.add("workloads", 1);
    let mut steps = workload::steps(seed, 2);
    steps.insert(2, Step::Read);
    steps.push(Step::Open);
    let (states, calls) = match clean(&steps) {
        Ok(found) => found,
        Err(e) => {
            report.violation(format!("seed {seed}: without a fault: {e}"));
            return report;
        }
    };
    for (call, n) in calls {
        for nth in 1..=n {
            for (errno, name) in errors(call) {
                for (stays, short, lost) in ways(call, errno) {
                    if !r.one_in(one_in) {
                        continue;
                    }
                    let fault = Fault { call, nth, errno, stays, short };
                    report.add("faults", 1);
                    report.add(&format!("faults: {name}"), 1);
                    report.add(&format!("faults: {call:?}"), 1);
                    let case = Case { ctx, seed, fault, lost, steps: &steps, states: &states };
                    match case.run(&mut report) {
                        Ok(Outcome::Typed) => report.add("typed errors", 1),
                        Ok(Outcome::Absorbed) => report.add("absorbed, result right", 1),
                        Err(e) => {
                            if e.contains("panic: ") {
                                report.add("panics", 1);
                            }
                            let how = format!("stays {stays}, short {short}, pending lost {lost}");
                            report.violation(format!(
                                "seed {seed}: {call:?} number {nth} fails with {name} ({how}): {e}\n    {}",
                                ctx.repeat("faults", seed, 1)
                            ));
                        }
                    }
                }
            }
        }
    }
    report
}

/// All errors where something changes; where something is read, the ones that reading meets.
fn errors(call: Call) -> impl Iterator<Item = (i32, &'static str)> {
    let reads = matches!(call, Call::Read | Call::Len | Call::IsCurrent);
    ERRORS.into_iter().filter(move |(n, _)| !reads || matches!(n, 5 | 4))
}

/// (all later calls fail too, half of it gets through, what was pending is lost).
fn ways(call: Call, errno: i32) -> Vec<(bool, bool, bool)> {
    let mut all = vec![(false, false, false)];
    if matches!(errno, 5 | 28) {
        all.push((true, false, false));
    }
    match call {
        Call::Write => all.push((false, true, false)),
        Call::Sync => all.push((false, false, true)),
        _ => {}
    }
    all
}

type Clean = (Vec<MayHold>, std::collections::BTreeMap<Call, u64>);

/// The states after each step, and how many calls of each kind there are, where nothing fails.
fn clean(steps: &[Step]) -> Result<Clean, String> {
    let counting = Arc::new(FaultVfs::new(Arc::new(SimVfs::new(&Image::default())), None));
    let mut session = Session::new(counting.clone(), Path::new(PATH));
    for step in steps {
        session.step(step).map_err(|t| t.text)?;
    }
    let calls = counting.calls();
    // The states' own reads aren't counted.
    let mut session = Session::new(Arc::new(SimVfs::new(&Image::default())), Path::new(PATH));
    let mut states = vec![None];
    for step in steps {
        session.step(step).map_err(|t| t.text)?;
        states.push(session.state().map_err(|e| e.to_string())?);
    }
    Ok((states, calls))
}

struct Case<'a> {
    ctx: &'a Context,
    seed: u64,
    fault: Fault,
    lost: bool,
    steps: &'a [Step],
    states: &'a [MayHold],
}

impl Case<'_> {
    fn run(&self, report: &mut Report) -> Result<Outcome, String> {
        let sim = Arc::new(SimVfs::new(&Image::default()));
        let faulty = Arc::new(FaultVfs::new(sim.clone(), Some(self.fault)));
        if self.lost {
            let sim = sim.clone();
            faulty.on_failed_sync(move || sim.lose_pending());
        }
        let vfs = SabotageVfs::over(faulty.clone(), self.ctx.sabotage);
        let mut session = Session::new(vfs.clone(), Path::new(PATH));
        let mut done = 0;
        let mut failed = None;
        for step in self.steps {
            match no_panic(|| session.step(step))? {
                Ok(()) => done += 1,
                Err(t) => {
                    self.typed(&t)?;
                    self.refused(&mut session, &t)?;
                    failed = Some(t);
                    break;
                }
            }
        }
        if faulty.fired() == 0 {
            return Err("the call didn't come".to_owned());
        }
        drop(session);
        faulty.heal();
        let mut may = vec![&self.states[done]];
        may.extend(self.states.get(done + 1).filter(|_| failed.is_some()));
        // As processes see it, and as a power cut leaves it now.
        let live = judge(&vfs, Path::new(PATH), &may).map_err(|e| format!("after the error: {e}"))?;
        self.power_cut(&sim, &may, "after the error", report)?;
        let durable: Arc<dyn Vfs> = Arc::new(first_image(&sim).to_memory());
        if judge(&durable, Path::new(PATH), &may)? != live {
            report.add("seen after an unacknowledged commit, not durable", 1);
        }
        // A later writer commits, and that stays.
        let mut session = Session::new(vfs, Path::new(PATH));
        let later = Step::Commit(workload::batches(&mut Rng::new(self.seed ^ 1), 50), "later".into());
        for step in [Step::Open, later] {
            no_panic(|| session.step(&step))?.map_err(|t| format!("a later writer fails: {}", t.text))?;
        }
        let after = session.state().map_err(|e| e.to_string())?;
        let before = live.map_or(0, |s| s.snapshots.len());
        if after.as_ref().map_or(0, |s| s.snapshots.len()) != before + 1 {
            return Err(format!("a later commit on {before} snapshots leads to {}", words(&after)));
        }
        drop(session);
        self.power_cut(&sim, &[&after], "after a later commit", report)?;
        match (failed, self.fault.call) {
            (Some(_), _) => Ok(Outcome::Typed),
            (None, Call::Write | Call::SetLen | Call::Sync | Call::SyncParent | Call::Rename) => {
                Err("the error was swallowed".to_owned())
            }
            (None, _) => Ok(Outcome::Absorbed),
        }
    }

    /// Whether the error is the one that the fault calls for.
    fn typed(&self, t: &Trouble) -> Result<(), String> {
        let Some(e) = &t.error else { return Ok(()) };
        let forbidden = self.fault.errno == 13 && self.fault.call == Call::Open;
        let fits = match (self.fault.errno, e) {
            (28 | 122 | 27, StoreError::NoSpace { .. }) | (30, StoreError::ReadOnly) => true,
            (13, StoreError::ReadOnly) => forbidden && matches!(t.at, Stage::Open | Stage::Compact),
            (13, StoreError::Io { .. }) => !forbidden || t.at == Stage::Read,
            (5 | 4 | 24, StoreError::Io { source, .. }) => source.raw_os_error() == Some(self.fault.errno),
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("the error isn't the one for it: {e:?}")) }
    }

    /// A handle whose commit failed in writing takes no more. One whose compaction failed before the new file was put in
    /// place goes on with the old one.
    fn refused(&self, session: &mut Session, t: &Trouble) -> Result<(), String> {
        if !matches!(t.at, Stage::Commit | Stage::Compact) || session.store.is_none() {
            return Ok(());
        }
        match no_panic(|| session.writer().begin().map(|_| ()))? {
            Err(StoreError::Poisoned) => Ok(()),
            // Nothing was written yet: what a commit reads first couldn't be read.
            Ok(()) if t.at == Stage::Compact || self.fault.call == Call::Read => Ok(()),
            Err(e) => Err(format!("the handle isn't poisoned but says: {e}")),
            Ok(()) => Err("the handle isn't poisoned".to_owned()),
        }
    }

    fn power_cut(&self, sim: &SimVfs, may: &[&MayHold], when: &str, report: &mut Report) -> Result<(), String> {
        let mut images = Vec::new();
        let breadth = Breadth { cuts: 2, sectors: 1, subsets: 2 };
        sim.disk().images(&mut Rng::new(self.seed), breadth, &mut |f, i| images.push((f, i)));
        for (family, image) in images {
            report.add("power cuts", 1);
            let vfs: Arc<dyn Vfs> = Arc::new(image.to_memory());
            judge(&vfs, Path::new(PATH), may).map_err(|e| format!("power cut {when}, {}: {e}", family.name()))?;
        }
        Ok(())
    }
}

/// What is durable for sure.
fn first_image(sim: &SimVfs) -> Image {
    let mut first = None;
    let breadth = Breadth { cuts: 0, sectors: 0, subsets: 0 };
    sim.disk().images(&mut Rng::new(0), breadth, &mut |_, i| {
        first.get_or_insert(i);
    });
    first.unwrap_or_default()
}
