//! Rows through operators. A projection that needs all rows (aggregates, ORDER BY) gathers them; any other passes each row on
//! to what stands behind it.

use std::cell::RefCell;
use std::ops::ControlFlow;

use std::collections::HashSet;
use sv0_graph::GraphView;

use super::{Exec, Flow, GO, Row, finished};
use crate::ast::SetOp;
use crate::diag::QueryError;
use crate::plan::{Linear, Op, Project};
use crate::val::Val;

/// What a projection that passes rows on remembers of them.
#[derive(Default)]
pub(super) struct Passed {
    seen: HashSet<Vec<u8>>,
    bytes: u64,
    skip: usize,
    left: Option<usize>,
}

/// By operator; nothing for those that aren't projections.
type States = [Option<RefCell<Passed>>];

impl<G: GraphView> Exec<'_, G> {
    /// Runs the whole plan.
    pub(crate) fn run(&self) -> Result<Vec<Vec<Val>>, QueryError> {
        self.parts(&self.plan.parts, &vec![Val::Unset; self.plan.slots], true)
    }

    /// Runs the whole plan and hands each row on as soon as it is known.
    pub(crate) fn run_each(&self, f: &mut dyn FnMut(Vec<Val>) -> ControlFlow<()>) -> Result<(), QueryError> {
        let [(None, l)] = self.plan.parts.as_slice() else {
            let _ = self.run()?.into_iter().try_for_each(f);
            return Ok(());
        };
        let mut row = vec![Val::Unset; self.plan.slots];
        let mut rows = 0u64;
        let flow = self.ops(&l.ops, &mut row, &mut |r| {
            rows += 1;
            self.row(rows)?;
            Ok(f(l.output.iter().map(|s| finished(&r[*s])).collect()))
        });
        match flow {
            Err(e) if self.cut(&e) => Ok(()),
            flow => flow.map(|_| ()),
        }
    }

    /// Runs pipelines, each on one row, and what stands between them.
    pub(super) fn parts(
        &self,
        parts: &[(Option<SetOp>, Linear)],
        row: &Row,
        top: bool,
    ) -> Result<Vec<Vec<Val>>, QueryError> {
        let mut result: Vec<Vec<Val>> = Vec::new();
        let mut held = 0;
        for (op, linear) in parts {
            if self.over() {
                break;
            }
            let part = self.linear(linear, row, top, &mut held)?;
            result = match op {
                None => part,
                Some(op) => self.combine(*op, result, part)?,
            };
        }
        self.release(held);
        Ok(result)
    }

    fn linear(&self, l: &Linear, row: &Row, top: bool, held: &mut u64) -> Result<Vec<Vec<Val>>, QueryError> {
        let mut rows = Vec::new();
        let mut row: Row = row.clone();
        let counted = self.rows.get();
        let flow = self.ops(&l.ops, &mut row, &mut |r| {
            *held += self.hold_row(r, &l.output)?;
            rows.push(l.output.iter().map(|s| finished(&r[*s])).collect());
            GO
        });
        if !top {
            self.rows.set(counted);
        }
        match flow {
            // Aggregates over a part of the rows would be wrong: they give none.
            Err(e) if top && self.cut(&e) => Ok(rows),
            flow => flow.map(|_| rows),
        }
    }

    /// Runs operators on one row; `sink` gets each result row.
    pub(crate) fn ops(&self, ops: &[Op], row: &mut Row, sink: &mut dyn FnMut(&mut Row) -> Flow) -> Flow {
        let (mut ops, mut rows, mut held) = (ops, None, 0u64);
        let counted = self.rows.get();
        while let Some(at) = ops.iter().position(|o| matches!(o, Op::Project(p) if p.gathers())) {
            let Some(Op::Project(p)) = ops.get(at) else { break };
            let mut now = 0;
            let gathered = self.project(p, &ops[..at], rows.unwrap_or_else(|| vec![row.clone()]), &mut now)?;
            if let (Some(profile), Some(op)) = (&self.profile, ops.get(at)) {
                let mut all = profile.borrow_mut();
                let m = all.entry(std::ptr::from_ref(op).addr()).or_default();
                m.rows += gathered.len() as u64;
                m.peak_bytes = m.peak_bytes.max(self.held.get());
            }
            // Rows that are held count until what stands behind has seen them.
            self.release(std::mem::replace(&mut held, now));
            self.rows.set(counted + gathered.len() as u64);
            let mut kept = Vec::with_capacity(gathered.len());
            for mut r in gathered {
                let keep = match &p.filter {
                    Some(f) => self.eval(f, &mut r)?.truth() == Some(true),
                    None => true,
                };
                if keep {
                    kept.push(r);
                }
            }
            rows = Some(kept);
            ops = &ops[at + 1..];
        }
        let Some(rows) = rows else { return self.stream_row(ops, row, sink) };
        self.rows.set(counted);
        // What was passed on isn't held any more.
        let share = held / (rows.len() as u64).max(1);
        let flow = self.stream_all(ops, rows, &mut |r| {
            let flow = sink(r);
            let part = share.min(held);
            held -= part;
            self.release(part);
            flow
        });
        self.release(held);
        flow
    }

    /// Streams several rows.
    pub(crate) fn stream_all(&self, ops: &[Op], rows: Vec<Row>, sink: &mut dyn FnMut(&mut Row) -> Flow) -> Flow {
        let passing = ops.iter().any(|o| matches!(o, Op::Project(_)));
        let states = if passing { self.states(ops)? } else { Vec::new() };
        // Nothing is asked for.
        if states.iter().flatten().any(|s| s.borrow().left == Some(0)) {
            return GO;
        }
        let mut flow = GO;
        for mut r in rows {
            flow = self.stream(ops, &states, &mut r, sink);
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                break;
            }
        }
        self.release(states.iter().flatten().map(|s| s.borrow().bytes).sum());
        flow
    }

    /// Streams one row, which stays.
    fn stream_row(&self, ops: &[Op], row: &mut Row, sink: &mut dyn FnMut(&mut Row) -> Flow) -> Flow {
        let passing = ops.iter().any(|o| matches!(o, Op::Project(_)));
        let states = if passing { self.states(ops)? } else { Vec::new() };
        // Nothing is asked for.
        if states.iter().flatten().any(|s| s.borrow().left == Some(0)) {
            return GO;
        }
        let flow = self.stream(ops, &states, row, sink);
        self.release(states.iter().flatten().map(|s| s.borrow().bytes).sum());
        flow
    }

    fn states(&self, ops: &[Op]) -> Result<Vec<Option<RefCell<Passed>>>, QueryError> {
        let mut out = Vec::with_capacity(ops.len());
        for op in ops {
            out.push(match op {
                Op::Project(p) => {
                    let (skip, left) = self.bounds(p)?;
                    Some(RefCell::new(Passed { skip, left, ..Passed::default() }))
                }
                _ => None,
            });
        }
        Ok(out)
    }

    /// Streams one row.
    pub(super) fn stream(
        &self,
        ops: &[Op],
        states: &States,
        row: &mut Row,
        sink: &mut dyn FnMut(&mut Row) -> Flow,
    ) -> Flow {
        let Some((op, rest)) = ops.split_first() else { return sink(row) };
        let (state, states) = match states.split_first() {
            Some((s, rest)) => (s.as_ref(), rest),
            None => (None, states),
        };
        let mut next = |r: &mut Row| self.stream(rest, states, r, sink);
        if self.profile.is_some() {
            return self.measure(op, state, row, &mut next);
        }
        self.one(op, state, row, &mut next)
    }

    fn one(
        &self,
        op: &Op,
        state: Option<&RefCell<Passed>>,
        row: &mut Row,
        next: &mut dyn FnMut(&mut Row) -> Flow,
    ) -> Flow {
        match (op, state) {
            (Op::Project(p), Some(state)) => self.pass(p, state, row, next),
            _ => self.operator(op, row, next),
        }
    }

    /// An operator, and what it does itself: what stands behind it isn't counted.
    fn measure(
        &self,
        op: &Op,
        state: Option<&RefCell<Passed>>,
        row: &mut Row,
        next: &mut dyn FnMut(&mut Row) -> Flow,
    ) -> Flow {
        let clock = || self.budget.clock.map_or(0, |c| c());
        let now = || (self.work.get(), clock());
        let (start, outer) = (now(), self.frontier.replace(0));
        let (mut behind, mut rows) = ((0, 0), 0);
        let flow = self.one(op, state, row, &mut |r| {
            rows += 1;
            let (before, frontier) = (now(), self.frontier.get());
            let flow = next(r);
            let after = now();
            behind = (behind.0 + after.0 - before.0, behind.1 + after.1.saturating_sub(before.1));
            self.frontier.set(frontier);
            flow
        });
        let end = now();
        let frontier = self.frontier.replace(outer);
        if let Some(p) = &self.profile {
            let mut all = p.borrow_mut();
            let m = all.entry(std::ptr::from_ref(op).addr()).or_default();
            m.rows += rows;
            m.adjacency_entries += end.0 - start.0 - behind.0;
            m.elapsed_us += end.1.saturating_sub(start.1).saturating_sub(behind.1);
            m.frontier_peak = m.frontier_peak.max(frontier);
            m.peak_bytes = m.peak_bytes.max(self.held.get());
        }
        flow
    }

    /// A projection that needs no other row.
    fn pass(
        &self,
        p: &Project,
        state: &RefCell<Passed>,
        row: &mut Row,
        next: &mut dyn FnMut(&mut Row) -> Flow,
    ) -> Flow {
        self.items(p, row, None)?;
        if p.distinct {
            p.items.iter().try_for_each(|(s, _)| self.reads(&row[*s]))?;
            let key = super::project::items_key(p, row);
            let bytes = 2 * key.len() as u64 + 64;
            let mut s = state.borrow_mut();
            if !s.seen.insert(key) {
                return GO;
            }
            s.bytes += bytes;
            self.charge(bytes)?;
        }
        let last = {
            let mut s = state.borrow_mut();
            if s.skip > 0 {
                s.skip -= 1;
                return GO;
            }
            s.left = s.left.map(|n| n.saturating_sub(1));
            s.left == Some(0)
        };
        let keep = match &p.filter {
            Some(f) => self.eval(f, row)?.truth() == Some(true),
            None => true,
        };
        let flow = if keep { next(row)? } else { ControlFlow::Continue(()) };
        Ok(if last { ControlFlow::Break(()) } else { flow })
    }
}
