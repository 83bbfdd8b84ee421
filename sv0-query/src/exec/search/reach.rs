//! Reachability for a set of nodes at a time: along a chain of hops, over the graph's own arrays.

use std::ops::ControlFlow;
use std::sync::Arc;

use fixedbitset::FixedBitSet;
use sv0_graph::{Adjacency, GraphView, Topology};

use super::super::{Exec, Flow, GO, Row};
use super::sweep::{BLOCK, BLOCKS, Block, Step, Sweep};
use super::{Sink, Used};
use crate::ast::Selector;
use crate::diag::{Code, QueryError};
use crate::plan::{Chain, Pattern};
use crate::val::Val;

/// From more nodes than this it is searched in blocks.
const MANY: usize = 256;

/// After so many questions an index is asked for all nodes.
const OFTEN: u32 = 2000;

/// What searches along one chain share.
pub(in super::super) struct Reach<'g> {
    hops: Vec<Hop<'g>>,
    /// Which nodes were tested at a station that asks the same of a node each time, and which passed.
    known: Vec<(FixedBitSet, FixedBitSet)>,
    /// How often each station was asked what it didn't know.
    asked: Vec<u32>,
}

struct Hop<'g> {
    topology: Topology<'g>,
    /// In one array, once much of it was visited.
    merged: Option<Arc<Adjacency>>,
    visits: u64,
    seen: FixedBitSet,
    /// What stands in `seen`.
    reached: Vec<u32>,
}

impl Hop<'_> {
    fn forget(&mut self) {
        if self.reached.len() > self.seen.len() / 64 {
            self.seen.clear();
        } else {
            self.reached.iter().for_each(|n| self.seen.remove(*n as usize));
        }
        self.reached.clear();
    }
}

impl<'a, G: GraphView> Exec<'a, G> {
    /// All nodes at the far end of a chain. `None` where the graph has no arrays.
    #[expect(clippy::too_many_arguments, reason = "a pattern, where it starts, and what the match so far is")]
    pub(super) fn reach(
        &self,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        starts: &[u32],
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Result<Option<ControlFlow<()>>, QueryError> {
        let place = (std::ptr::from_ref(p).addr(), graph);
        // Taken out while it is at work.
        let held = self.reaches.borrow_mut().remove(&place);
        let mut reach = match held {
            Some(r) => r,
            None => match self.open_reach(p, chain, graph)? {
                Some(r) => r,
                None => return Ok(None),
            },
        };
        // Few at first: whoever wants a few rows takes no more.
        let (few, many) = starts.split_at(starts.len().min(MANY));
        let sweeps = !many.is_empty() && chain.stable.iter().all(|s| *s);
        let singly = if sweeps { few } else { starts };
        let mut flow = self.one_by_one(&mut reach, p, chain, graph, singly, row, used, sink);
        if sweeps && matches!(flow, Ok(ControlFlow::Continue(()))) {
            flow = self.sweep(&mut reach, p, chain, graph, many, row, used, sink);
        }
        self.reaches.borrow_mut().insert(place, reach);
        flow.map(Some)
    }

    /// A search from each start.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    fn one_by_one(
        &self,
        reach: &mut Reach<'_>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        starts: &[u32],
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        for start in starts {
            let flow = self.reach_from(reach, p, chain, graph, *start, row, used, sink);
            reach.hops.iter_mut().for_each(Hop::forget);
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                return flow;
            }
        }
        GO
    }

    /// Many starts, block by block: the next blocks are computed while the rows of the present ones are handed on.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    fn sweep(
        &self,
        reach: &mut Reach<'_>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        starts: &[u32],
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        let Some(sweep) = self.plain(reach, p, chain, graph, row)? else {
            return self.one_by_one(reach, p, chain, graph, starts, row, used, sink);
        };
        let windows: Vec<&[u32]> = starts.chunks(BLOCK * BLOCKS).collect();
        let mut ready = windows.first().map_or_else(Vec::new, |w| sweep.blocks(w));
        for (i, window) in windows.iter().enumerate() {
            let mut next = Vec::new();
            let flow = rayon::in_place_scope(|s| {
                if let Some(w) = windows.get(i + 1) {
                    let (sweep, next) = (&sweep, &mut next);
                    s.spawn(move |_| *next = sweep.blocks(w));
                }
                self.hand_on(reach, p, chain, graph, window, &ready, row, used, sink)
            });
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                return flow;
            }
            ready = next;
        }
        GO
    }

    /// The rows of some blocks, in order; what a block left is done here.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    fn hand_on(
        &self,
        reach: &mut Reach<'_>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        starts: &[u32],
        blocks: &[Block],
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        let held = blocks.iter().map(|b| 4 * b.ends.len() as u64).sum();
        self.charge(held)?;
        let start_slot = p.first.slot.filter(|s| matches!(row[*s], Val::Unset));
        let mut flow = GO;
        'all: for (starts, block) in starts.chunks(BLOCK).zip(blocks) {
            self.work(block.touched)?;
            let mut ends = block.ends.iter();
            for (start, n) in starts.iter().zip(&block.counts) {
                if let Some(s) = start_slot {
                    row[s] = Val::Node(graph, *start);
                }
                let rows = if p.tally { u32::from(*n > 0) } else { *n };
                for end in ends.by_ref().take(rows as usize) {
                    let weight = self.weight.replace(if p.tally { u64::from(*n) } else { 1 });
                    flow = self.end_of(p, chain, graph, *start, *end, row, used, sink);
                    self.weight.set(weight);
                    if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                        break 'all;
                    }
                }
            }
            if let Some(s) = start_slot {
                row[s] = Val::Unset;
            }
            let rest = starts.get(block.counts.len()..).unwrap_or(&[]);
            flow = self.one_by_one(reach, p, chain, graph, rest, row, used, sink);
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                break 'all;
            }
        }
        if let Some(s) = start_slot {
            row[s] = Val::Unset;
        }
        self.release(held);
        flow
    }

    /// A chain as plain data that any thread may read: all hops in one array each, all stations as bits.
    fn plain(
        &self,
        reach: &mut Reach<'_>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        row: &mut Row,
    ) -> Result<Option<Sweep>, QueryError> {
        let mut pass = Vec::new();
        for (station, elem) in chain.stations.iter().enumerate() {
            let e = elem.map(|e| &p.nfa.elems[e]).filter(|e| e.label.is_some() || !e.filters.is_empty());
            let Some(e) = e else {
                pass.push(None);
                continue;
            };
            let ty = e.label.as_ref().and_then(crate::plan::one_type);
            for n in self.candidates(graph, ty)?.iter() {
                match self.passes(reach, p, chain, station, graph, *n, row) {
                    Ok(_) => {}
                    // Perhaps of a node that nobody comes to.
                    Err(e) if e.code() == Code::Value => return Ok(None),
                    Err(e) => return Err(e),
                }
            }
            pass.push(Some(Arc::new(reach.known[station].1.clone())));
        }
        let mut steps = Vec::new();
        for (hop, spec) in reach.hops.iter_mut().zip(&chain.hops) {
            if !self.merge(hop)? {
                return Ok(None);
            }
            let Some(adjacency) = hop.merged.clone() else { return Ok(None) };
            steps.push(Step { adjacency, min: spec.min, max: spec.max });
        }
        let ids = reach.hops.first().map_or(0, |h| h.seen.len());
        Ok(Some(Sweep { steps, pass, ids, tally: p.tally }))
    }

    /// Puts a hop's edges into one array; answers whether they are.
    fn merge(&self, hop: &mut Hop<'_>) -> Result<bool, QueryError> {
        if hop.merged.is_none() {
            hop.merged = hop.topology.merged().map(Arc::new);
            self.charge(hop.merged.as_ref().map_or(0, |a| a.bytes()) as u64)?;
        }
        Ok(hop.merged.is_some())
    }

    fn open_reach(&self, p: &Pattern, chain: &Chain, graph: u8) -> Result<Option<Reach<'a>>, QueryError> {
        let (mut hops, mut ids) = (Vec::new(), 0);
        for h in &chain.hops {
            let Some(topology) = self.graph(graph).topology(&p.nfa.elems[h.elem].steps)? else { return Ok(None) };
            ids = topology.ids();
            self.charge(ids as u64 / 8)?;
            hops.push(Hop {
                topology,
                merged: None,
                visits: 0,
                seen: FixedBitSet::with_capacity(ids),
                reached: Vec::new(),
            });
        }
        let set = || FixedBitSet::with_capacity(ids);
        let known = chain.stations.iter().map(|_| (set(), set())).collect::<Vec<_>>();
        self.charge((known.len() * ids / 4) as u64)?;
        let asked = vec![0; known.len()];
        Ok(Some(Reach { hops, known, asked }))
    }

    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    fn reach_from(
        &self,
        reach: &mut Reach<'_>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        start: u32,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        if !self.passes(reach, p, chain, 0, graph, start, row)? {
            return GO;
        }
        let start_slot = p.first.slot.filter(|s| matches!(row[*s], Val::Unset));
        if let Some(s) = start_slot {
            row[s] = Val::Node(graph, start);
        }
        let flow = if p.tally {
            // Only counted: one row stands for all.
            let (mut n, mut first) = (0u64, None);
            let counted = self.hops(reach, p, chain, graph, row, start, &mut |end, _| {
                n += 1;
                first.get_or_insert(end);
                GO
            });
            match (counted, first) {
                (Ok(_), Some(end)) => {
                    let weight = self.weight.replace(n);
                    let flow = self.at_end(p, graph, end, row, used, sink);
                    self.weight.set(weight);
                    flow
                }
                (flow, _) => flow,
            }
        } else {
            self.hops(reach, p, chain, graph, row, start, &mut |end, row| {
                self.end_of(p, chain, graph, start, end, row, used, sink)
            })
        };
        if let Some(s) = start_slot {
            row[s] = Val::Unset;
        }
        flow
    }

    /// Hop by hop; `end` gets each node at the far end.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    fn hops(
        &self,
        reach: &mut Reach<'_>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        row: &mut Row,
        start: u32,
        end: &mut dyn FnMut(u32, &mut Row) -> Flow,
    ) -> Flow {
        let mut from = vec![start];
        for (i, spec) in chain.hops.iter().enumerate() {
            let last = i + 1 == chain.hops.len();
            let mut passed: Vec<u32> = Vec::new();
            // A node at the next station: on with it, or it's an end.
            let mut arrive = |reach: &mut Reach<'_>, node: u32, row: &mut Row| -> Flow {
                if !self.passes(reach, p, chain, i + 1, graph, node, row)? {
                    return GO;
                }
                if last {
                    return end(node, row);
                }
                passed.push(node);
                GO
            };
            let mut level = from;
            if spec.min == 0 {
                for n in &level {
                    let hop = &mut reach.hops[i];
                    if !hop.seen.put(*n as usize) {
                        hop.reached.push(*n);
                        if arrive(reach, *n, row)?.is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
            }
            let mut depth = 0;
            let mut next: Vec<u32> = Vec::new();
            while !level.is_empty() && spec.max.is_none_or(|m| depth < m) {
                depth += 1;
                let hop = &mut reach.hops[i];
                hop.visits += level.len() as u64;
                if hop.merged.is_none() && hop.visits > hop.seen.len() as u64 {
                    self.merge(hop)?;
                    hop.visits = 0;
                }
                next.clear();
                for n in &level {
                    let Hop { topology, merged, seen, reached, .. } = &mut reach.hops[i];
                    let first = next.len();
                    let mut visit = |o: u32| {
                        if !seen.put(o as usize) {
                            reached.push(o);
                            next.push(o);
                        }
                    };
                    let touched = match merged {
                        Some(a) => {
                            let all = a.of(*n);
                            all.iter().for_each(|o| visit(*o));
                            all.len() as u64
                        }
                        None => topology.each(*n, &mut visit),
                    };
                    self.work(touched + 1)?;
                    // At once: who only asks whether there is one goes no further.
                    for o in next.get(first..).unwrap_or(&[]) {
                        if arrive(reach, *o, row)?.is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
                self.note_frontier(next.len());
                std::mem::swap(&mut level, &mut next);
            }
            from = passed;
            if from.is_empty() {
                return GO;
            }
        }
        GO
    }

    /// Tests a node at a station.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    fn passes(
        &self,
        reach: &mut Reach<'_>,
        p: &Pattern,
        chain: &Chain,
        station: usize,
        graph: u8,
        node: u32,
        row: &mut Row,
    ) -> Result<bool, QueryError> {
        let Some(elem) = chain.stations[station] else { return Ok(true) };
        let e = &p.nfa.elems[elem];
        if e.label.is_none() && e.filters.is_empty() && e.slot.is_none_or(|s| p.binds.contains(&s)) {
            return Ok(true);
        }
        let stable = chain.stable[station];
        let at = node as usize;
        if stable && reach.known[station].0.contains(at) {
            return Ok(reach.known[station].1.contains(at));
        }
        if stable {
            let asked = &mut reach.asked[station];
            *asked += 1;
            // Asked so often that the index answers for all at once.
            if *asked == OFTEN
                && let Some(found) = self.by_index(e, graph, row)?
            {
                let (known, passed) = &mut reach.known[station];
                let mut rest = known.clone();
                rest.toggle_range(..);
                found.iter().for_each(|n| rest.remove(*n as usize));
                known.union_with(&rest);
                passed.difference_with(&rest);
                if known.contains(at) {
                    return Ok(passed.contains(at));
                }
            }
        }
        let mut undo = Vec::new();
        let ok = self.test_node(e, graph, node, row, &mut undo);
        Self::undo(row, &mut undo, 0);
        let ok = ok?;
        if stable {
            reach.known[station].0.insert(at);
            reach.known[station].1.set(at, ok);
        }
        Ok(ok)
    }

    /// An end that was reached.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    fn end_of(
        &self,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        start: u32,
        end: u32,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        if !(chain.back && end == start && chain.hops.iter().all(|h| h.min == 1)) {
            return self.at_end(p, graph, end, row, used, sink);
        }
        // The start is bound for the search only.
        let bound =
            p.first.slot.filter(|s| p.binds.contains(s)).map(|s| (s, std::mem::replace(&mut row[s], Val::Unset)));
        let flow = self.ordered(p, Selector::Shortest(1), graph, start, Some(end), row, used, sink);
        if let Some((s, v)) = bound {
            row[s] = v;
        }
        flow
    }

    /// Binds the far end and hands the row on.
    fn at_end(&self, p: &Pattern, graph: u8, end: u32, row: &mut Row, used: &mut Used, sink: Sink<'_>) -> Flow {
        let end_slot = p.last.slot.filter(|s| matches!(row[*s], Val::Unset));
        if let Some(s) = end_slot {
            row[s] = Val::Node(graph, end);
        }
        let mut nulls = 0u64;
        for (i, s) in p.binds.iter().enumerate() {
            if matches!(row[*s], Val::Unset) {
                row[*s] = Val::Null;
                nulls |= 1 << (i % 64);
            }
        }
        let flow = sink(row, used);
        for (i, s) in p.binds.iter().enumerate() {
            if nulls >> (i % 64) & 1 == 1 {
                row[*s] = Val::Unset;
            }
        }
        if let Some(s) = end_slot {
            row[s] = Val::Unset;
        }
        flow
    }
}
