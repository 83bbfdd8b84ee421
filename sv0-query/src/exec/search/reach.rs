//! Reachability for a set of nodes at a time: along a chain of hops, over the graph's own arrays.

use std::ops::ControlFlow;
use std::sync::Arc;

use sv0_graph::{Adjacency, Direction, EdgeTypeId, GraphView, Topology};

use super::super::{Exec, Flow, GO, Row};
use super::marks::{Bits, Marks};
use super::sweep::Step;
use super::{Sink, Used};
use crate::ast::Selector;
use crate::diag::QueryError;
use crate::plan::{Chain, Pattern};
use crate::val::Val;

/// From more nodes than this it is searched in blocks.
const MANY: usize = 256;

/// So many visits are told the graph at a time.
const VISITS: u64 = 1 << 16;

/// So many nodes are gathered at most before they are looked at, and so many adjacency entries.
const PATIENCE: usize = 256;
const LOOK: u64 = 1 << 12;

/// After so many questions an index is asked for all nodes; it gives so many nodes in the time of one question.
const OFTEN: u32 = 1000;
const PER_ASK: u64 = 8;

/// A chain that any thread may read.
pub(super) type Plain = (Vec<Step>, Vec<Option<Arc<Bits>>>, usize);

/// What searches along one chain share.
pub(in super::super) struct Reach<'g> {
    hops: Vec<Hop<'g>>,
    /// Which nodes were tested at a station that asks the same of a node each time, and which passed.
    known: Vec<Known>,
    /// How many searches have begun.
    searches: u32,
    /// The same as plain data, once very many starts were searched from: hops, stations, ids.
    pub(super) plain: Option<Plain>,
}

/// What a station that asks the same each time is known to say.
#[derive(Debug, Default)]
struct Known {
    tested: Marks,
    passed: Marks,
    /// No other node passes.
    candidates: Option<Bits>,
    /// Those that don't pass are known, too.
    all: bool,
    /// How often it was asked what wasn't known.
    asked: u32,
}

impl Known {
    fn of(&self, node: u32) -> Option<bool> {
        if self.candidates.as_ref().is_some_and(|c| !c.has(node)) {
            return Some(false);
        }
        (self.all || self.tested.has(node)).then(|| self.passed.has(node))
    }
}

struct Hop<'g> {
    steps: Vec<(EdgeTypeId, Direction)>,
    graph: u8,
    ids: usize,
    edges: Edges<'g>,
    /// Nodes visited, and not told the graph yet.
    visits: u64,
    seen: Marks,
    /// What stands in `seen`.
    reached: Vec<u32>,
}

/// The edges along a hop.
enum Edges<'g> {
    /// As they stand in the file.
    Chunks(Topology<'g>),
    /// In the one array that the graph keeps.
    Array(Arc<Adjacency>),
}

impl Hop<'_> {
    fn forget(&mut self) {
        self.seen.forget(&self.reached);
        self.reached.clear();
    }
}

impl Reach<'_> {
    /// What the last search reached.
    pub(super) fn forget(&mut self) {
        self.hops.iter_mut().for_each(Hop::forget);
    }
}

/// What searches are kept by.
fn place(p: &Pattern, graph: u8) -> (usize, u8) {
    (std::ptr::from_ref(p).addr(), graph)
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
        let Some(mut reach) = self.take_out(p, chain, graph)? else { return Ok(None) };
        // Few at first: whoever wants a few rows takes no more.
        let (few, many) = starts.split_at(starts.len().min(MANY));
        let sweeps = !many.is_empty() && chain.stable.iter().all(|s| *s);
        let singly = if sweeps { few } else { starts };
        let mut flow = self.one_by_one(&mut reach, p, chain, graph, singly, row, used, sink);
        if sweeps && matches!(flow, Ok(ControlFlow::Continue(()))) {
            flow = self.sweep(&mut reach, p, chain, graph, many, row, used, sink);
        }
        self.put_back(p, graph, reach);
        flow.map(Some)
    }

    /// Takes a search out while it is at work, or opens it. `None` where the graph has no arrays.
    pub(super) fn take_out(&self, p: &Pattern, chain: &Chain, graph: u8) -> Result<Option<Reach<'a>>, QueryError> {
        let held = self.reaches.borrow_mut().remove(&place(p, graph));
        held.map_or_else(|| self.open_reach(p, chain, graph), |r| Ok(Some(r)))
    }

    /// Keeps a search for the next row, and tells the graph what was visited.
    pub(super) fn put_back(&self, p: &Pattern, graph: u8, mut reach: Reach<'a>) {
        for h in reach.hops.iter_mut().filter(|h| h.visits > 0) {
            self.graph(graph).visited(&h.steps, std::mem::take(&mut h.visits));
        }
        self.reaches.borrow_mut().insert(place(p, graph), reach);
    }

    /// A search from each start.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    pub(super) fn one_by_one(
        &self,
        reach: &mut Reach<'a>,
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
            reach.forget();
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                return flow;
            }
        }
        GO
    }

    /// A hop's edges in one array, the graph's own.
    pub(super) fn array(&self, reach: &mut Reach<'a>, hop: usize) -> Result<Option<Arc<Adjacency>>, QueryError> {
        let hop = &mut reach.hops[hop];
        if let Edges::Array(a) = &hop.edges {
            return Ok(Some(a.clone()));
        }
        let found = self.graph(hop.graph).adjacency(&hop.steps, true)?;
        if let Some(a) = &found {
            hop.edges = Edges::Array(a.clone());
        }
        Ok(found)
    }

    fn open_reach(&self, p: &Pattern, chain: &Chain, graph: u8) -> Result<Option<Reach<'a>>, QueryError> {
        let (mut hops, mut ids) = (Vec::new(), 0);
        for h in &chain.hops {
            let (g, steps) = (self.graph(graph), &p.nfa.elems[h.elem].steps);
            let edges = match g.adjacency(steps, false)? {
                Some(a) => Edges::Array(a),
                None => match g.topology(steps)? {
                    Some(t) => Edges::Chunks(t),
                    None => return Ok(None),
                },
            };
            ids = match &edges {
                Edges::Array(a) => a.ids(),
                Edges::Chunks(t) => t.ids(),
            };
            self.charge(ids as u64 / 8)?;
            let (steps, seen) = (steps.clone(), Marks::new(ids));
            hops.push(Hop { steps, graph, ids, edges, visits: 0, seen, reached: Vec::new() });
        }
        let set = || Marks::new(ids);
        let one = || Known { tested: set(), passed: set(), ..Known::default() };
        let known = chain.stations.iter().map(|_| one()).collect::<Vec<_>>();
        self.charge((known.len() * ids / 4) as u64)?;
        Ok(Some(Reach { hops, known, searches: 0, plain: None }))
    }

    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    fn reach_from(
        &self,
        reach: &mut Reach<'a>,
        p: &Pattern,
        chain: &Chain,
        graph: u8,
        start: u32,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        reach.searches = reach.searches.saturating_add(1);
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
    pub(super) fn hops(
        &self,
        reach: &mut Reach<'a>,
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
            // The nodes at the next station from a place on: on with them, or they are ends.
            let mut arrive = |reach: &mut Reach<'a>, told: &mut usize, row: &mut Row| -> Flow {
                while let Some(node) = reach.hops[i].reached.get(*told).copied() {
                    *told += 1;
                    if !self.passes(reach, p, chain, i + 1, graph, node, row)? {
                        continue;
                    }
                    if !last {
                        passed.push(node);
                    } else if end(node, row)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                GO
            };
            let mut told = 0;
            if spec.min == 0 {
                let Hop { seen, reached, .. } = &mut reach.hops[i];
                reached.extend(from.iter().copied().filter(|n| seen.put(*n)));
                if arrive(reach, &mut told, row)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            // At once at first, then some together: who only asks whether there is one goes hardly further.
            let (mut patience, mut work) = (1, 0);
            let (mut begin, mut depth) = (0, 0);
            while spec.max.is_none_or(|m| depth < m) {
                depth += 1;
                let hop = &mut reach.hops[i];
                let before = hop.reached.len();
                let level = if depth == 1 { from.len() } else { before - begin };
                if level == 0 {
                    break;
                }
                self.note_visits(hop, level as u64)?;
                for at in 0..level {
                    let Hop { edges, seen, reached, .. } = &mut reach.hops[i];
                    let n = if depth == 1 { from[at] } else { reached[begin + at] };
                    work += 1 + match edges {
                        Edges::Array(a) => {
                            let all = a.of(n);
                            all.iter().for_each(|o| {
                                if seen.put(*o) {
                                    reached.push(*o);
                                }
                            });
                            all.len() as u64
                        }
                        Edges::Chunks(t) => t.each(n, &mut |o| {
                            if seen.put(o) {
                                reached.push(o);
                            }
                        }),
                    };
                    if reached.len() - told >= patience || work >= LOOK {
                        self.work(std::mem::take(&mut work))?;
                        patience = PATIENCE.min(2 * patience);
                        if arrive(reach, &mut told, row)?.is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                }
                self.work(std::mem::take(&mut work))?;
                if arrive(reach, &mut told, row)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                begin = before;
                self.note_frontier(reach.hops[i].reached.len() - before);
            }
            from = passed;
            if from.is_empty() {
                return GO;
            }
        }
        GO
    }

    /// Counts what is visited; much visited edges go into one array.
    fn note_visits(&self, hop: &mut Hop<'a>, nodes: u64) -> Result<(), QueryError> {
        if let Edges::Array(_) = hop.edges {
            return Ok(());
        }
        hop.visits += nodes;
        if hop.visits >= VISITS {
            let g = self.graph(hop.graph);
            g.visited(&hop.steps, std::mem::take(&mut hop.visits));
            if let Some(a) = g.adjacency(&hop.steps, false)? {
                hop.edges = Edges::Array(a);
            }
        }
        Ok(())
    }

    /// Tests a node at a station.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    pub(super) fn passes(
        &self,
        reach: &mut Reach<'a>,
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
        // Of one search each node is asked about once.
        let stable = chain.stable[station] && reach.searches > 1;
        if chain.stable[station] {
            let known = &mut reach.known[station];
            if let Some(passes) = known.of(node) {
                return Ok(passes);
            }
            known.asked += 1;
            // Asked so often that the index answers for all at once, if it hasn't much more to say.
            if known.candidates.is_none()
                && known.asked.is_multiple_of(OFTEN)
                && let most = u64::from(known.asked) * PER_ASK
                && let Some(found) = self.by_index(e, graph, most, row)?
            {
                // Where nothing else is asked but a type, all is known now; else only which don't pass.
                let typed = matches!(e.label, None | Some(crate::plan::CLabel::Type(_)));
                let known = &mut reach.known[station];
                if typed && e.filters.len() == 1 {
                    found.iter().for_each(|n| _ = known.passed.put(*n));
                    known.all = true;
                } else {
                    let mut candidates = Bits::new(reach.hops.first().map_or(0, |h| h.ids));
                    found.iter().for_each(|n| _ = candidates.put(*n));
                    known.candidates = Some(candidates);
                }
                if let Some(passes) = known.of(node) {
                    return Ok(passes);
                }
            }
        }
        let ok = self.node_fits(e, graph, node, row)?;
        if stable {
            let known = &mut reach.known[station];
            known.tested.put(node);
            if ok {
                known.passed.put(node);
            }
        }
        Ok(ok)
    }

    /// An end that was reached.
    #[expect(clippy::too_many_arguments, reason = "as `reach`")]
    pub(super) fn end_of(
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
