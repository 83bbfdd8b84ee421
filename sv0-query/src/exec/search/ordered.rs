//! Paths in their defined order: by length, then by (edge type, node, edge) hop by hop. For the selectors of several paths,
//! and for patterns of which breadth-first search over single states doesn't keep the order.
//!
//! A prefix is a sequence of edges with the set of all states that it can be in, so that each sequence is met once. Prefixes
//! of one length stand in order; what they grow into does, too. Whether a sequence really matches (conditions over several
//! elements, what it binds) the depth-first search along its edges says.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rustc_hash::{FxHashMap, FxHashSet};
use sv0_graph::{EdgeId, GraphView};

use super::super::{Exec, Flow, GO, Row};
use super::{Dfs, Sink, Used};
use crate::ast::{PathMode, Selector};
use crate::diag::QueryError;
use crate::plan::{Move, Pattern};
use crate::val::Val;

/// A sequence of edges from the start.
struct Prefix {
    /// The sequence without its last edge, and that edge; none at the start.
    last: Option<(u32, EdgeId)>,
    node: u32,
    /// Which set of states, by its number.
    set: u32,
}

/// What is kept of prefixes that end in the same node and set of states.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// All of them.
    All,
    /// So many: no longer or later one is ever among so many shortest.
    Count(u32),
    /// Those of so many lengths.
    Lengths(u32),
}

/// What has been found for one end.
#[derive(Clone, Copy, Default)]
struct Found {
    paths: u32,
    lengths: u32,
    length: usize,
}

impl Found {
    /// Whether one more of this length is wanted.
    fn wants(self, selector: Selector, length: usize) -> bool {
        let lengths = self.lengths + u32::from(self.lengths == 0 || self.length != length);
        match selector {
            Selector::Any(k) | Selector::Shortest(k) => self.paths < k,
            Selector::AllShortest => lengths <= 1,
            Selector::ShortestGroups(k) => lengths <= k,
            Selector::All => true,
        }
    }

    /// How many more of this length are wanted.
    fn more(self, selector: Selector, length: usize) -> u32 {
        match selector {
            Selector::Any(k) | Selector::Shortest(k) => k.saturating_sub(self.paths),
            _ if self.wants(selector, length) => u32::MAX,
            _ => 0,
        }
    }

    /// Whether none longer than this is wanted.
    fn done(self, selector: Selector) -> bool {
        !self.wants(selector, usize::MAX)
    }

    fn add(&mut self, length: usize, paths: u32) {
        if self.lengths == 0 || self.length != length {
            (self.lengths, self.length) = (self.lengths + 1, length);
        }
        self.paths += paths;
    }
}

/// The sets of states that were met, by number.
#[derive(Default)]
struct Sets {
    all: Vec<Vec<u32>>,
    numbers: FxHashMap<Vec<u32>, u32>,
}

impl Sets {
    fn number(&mut self, set: Vec<u32>) -> u32 {
        if let Some(n) = self.numbers.get(&set) {
            return *n;
        }
        let n = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(set.clone());
        self.numbers.insert(set, n);
        n
    }
}

impl<G: GraphView> Exec<'_, G> {
    /// The paths that a selector takes, from one start (to one end).
    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    pub(super) fn ordered(
        &self,
        p: &Pattern,
        selector: Selector,
        graph: u8,
        start: u32,
        end: Option<u32>,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        // A longer way to the same place is of no use where nothing looks at the whole path.
        let free = !p.shared_edges && p.mode == PathMode::Walk && p.post.is_empty() && !p.looks_back;
        let keep = match selector {
            _ if !free => Keep::All,
            Selector::Any(k) | Selector::Shortest(k) => Keep::Count(k),
            Selector::AllShortest => Keep::Lengths(1),
            Selector::ShortestGroups(k) => Keep::Lengths(k),
            Selector::All => Keep::All,
        };
        self.by_length(p, selector, keep, false, graph, start, end, row, used, sink).map(|(flow, _)| flow)
    }

    /// One path, or all of the shortest length, for each end: each place is reached once. Ends at which the shortest walk
    /// doesn't match are searched again, whole.
    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    pub(super) fn shortest_ordered(
        &self,
        p: &Pattern,
        selector: Selector,
        graph: u8,
        start: u32,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        let keep = if selector == Selector::AllShortest { Keep::Lengths(1) } else { Keep::Count(1) };
        let (flow, failed) = self.by_length(p, selector, keep, true, graph, start, None, row, used, sink)?;
        if flow.is_break() {
            return Ok(flow);
        }
        for end in failed {
            if self.ordered(p, selector, graph, start, Some(end), row, used, sink)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        GO
    }

    /// With `once`, prefixes are those of walks whatever the mode, and an end whose first length doesn't match is left; the
    /// other answer is these ends.
    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    fn by_length(
        &self,
        p: &Pattern,
        selector: Selector,
        keep: Keep,
        once: bool,
        graph: u8,
        start: u32,
        end: Option<u32>,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Result<(ControlFlow<()>, Vec<u32>), QueryError> {
        let ends = self.possible_ends(p, graph, start, end, row, used)?;
        let mut open: FxHashSet<u32> = ends.iter().copied().collect();
        let mut found: BTreeMap<u32, Found> = BTreeMap::new();
        let mut missed: Vec<u32> = Vec::new();
        let mut sets = Sets::default();
        let mut all: Vec<Prefix> = Vec::new();
        let mut arrivals: FxHashMap<(u32, u32), Found> = FxHashMap::default();
        let mut charged = 0u64;
        let first = self.settle(p, graph, start, start, vec![p.nfa.start], row)?;
        let mut level: Vec<u32> = Vec::new();
        if !first.is_empty() {
            all.push(Prefix { last: None, node: start, set: sets.number(first) });
            level.push(0);
        }
        let mut length = 0usize;
        let accept = u32::try_from(p.nfa.accept).unwrap_or(u32::MAX);
        let result = 'search: loop {
            for i in &level {
                let prefix = &all[*i as usize];
                let node = prefix.node;
                let accepted = sets.all[prefix.set as usize].binary_search(&accept).is_ok();
                if !accepted || !open.contains(&node) || p.legacy && node == start {
                    continue;
                }
                let so_far = found.entry(node).or_default();
                let want = so_far.more(selector, length);
                // Of several that are alike in length the first may not be left for a later one.
                if want == 0 || once && selector != Selector::AllShortest && missed.contains(&node) {
                    continue;
                }
                let edges = edges_of(&all, *i);
                let mut matched = 0;
                match self.witness(p, graph, start, node, &edges, row, used, want, &mut matched, sink) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(b) => break 'search Ok(b),
                    Err(e) => break 'search Err(e),
                }
                if matched > 0 {
                    so_far.add(length, matched);
                } else if !missed.contains(&node) {
                    missed.push(node);
                }
            }
            open.retain(|n| found.get(n).is_none_or(|f| !f.done(selector)) && !(once && missed.contains(n)));
            if open.is_empty() || level.is_empty() {
                break Ok(ControlFlow::Continue(()));
            }
            length += 1;
            let mut next: Vec<u32> = Vec::new();
            for i in level {
                let grown = match self.grow(p, graph, start, &all, i, &sets, once, row, used) {
                    Ok(g) => g,
                    Err(e) => break 'search Err(e),
                };
                for (edge, node, set) in grown {
                    let set = sets.number(set);
                    if keep != Keep::All {
                        let a = arrivals.entry((node, set)).or_default();
                        let wanted = match keep {
                            Keep::All => true,
                            Keep::Count(k) => a.paths < k,
                            Keep::Lengths(k) => a.wants(Selector::ShortestGroups(k), length),
                        };
                        if !wanted {
                            continue;
                        }
                        a.add(length, 1);
                    }
                    next.push(u32::try_from(all.len()).unwrap_or(u32::MAX));
                    all.push(Prefix { last: Some((i, edge)), node, set });
                }
                // A list that grows is there twice for a moment.
                let bytes = (2 * all.capacity() * size_of::<Prefix>() + 2 * arrivals.capacity() * 32) as u64;
                if bytes > charged + 65_536 {
                    if let Err(e) = self.charge(bytes - charged) {
                        break 'search Err(e);
                    }
                    charged = bytes;
                }
            }
            self.note_frontier(next.len());
            level = next;
        };
        self.release(charged);
        missed.retain(|n| found.get(n).is_none_or(|f| f.paths == 0));
        result.map(|flow| (flow, missed))
    }

    /// The nodes at which a walk may end, whatever else must hold of it.
    fn possible_ends(
        &self,
        p: &Pattern,
        graph: u8,
        start: u32,
        end: Option<u32>,
        row: &mut Row,
        used: &Used,
    ) -> Result<Vec<u32>, QueryError> {
        if let Some(e) = end {
            return Ok(vec![e]);
        }
        let mut seen: FxHashSet<(u32, u32)> = FxHashSet::default();
        let mut ends: FxHashSet<u32> = FxHashSet::default();
        let mut queue: Vec<(u32, u32)> = Vec::new();
        let mut arrive = |node: u32, states: Vec<u32>, queue: &mut Vec<(u32, u32)>| {
            for s in states {
                if seen.insert((node, s)) {
                    if s as usize == p.nfa.accept {
                        ends.insert(node);
                    }
                    queue.push((node, s));
                }
            }
            seen.len()
        };
        arrive(start, self.settle(p, graph, start, start, vec![p.nfa.start], row)?, &mut queue);
        let mut charged = 0u64;
        while let Some((node, state)) = queue.pop() {
            for m in &p.nfa.moves[state as usize] {
                let Move::Edge { elem, to } = m else { continue };
                for (_, other) in self.steps_of(p, graph, *elem, node, row, used)? {
                    let states = self.settle(p, graph, start, other, vec![*to], row)?;
                    let bytes = (arrive(other, states, &mut queue) * 16) as u64;
                    if bytes > charged + 65_536 {
                        self.charge(bytes - charged)?;
                        charged = bytes;
                    }
                }
            }
        }
        self.release(charged);
        Ok(ends.into_iter().collect())
    }

    /// The edges that an element takes from a node, in order, those left out that can't be.
    fn steps_of(
        &self,
        p: &Pattern,
        graph: u8,
        elem: usize,
        node: u32,
        row: &mut Row,
        used: &Used,
    ) -> Result<Vec<(EdgeId, u32)>, QueryError> {
        let e = &p.nfa.elems[elem];
        let mut found: Vec<(EdgeId, u32)> = Vec::new();
        self.expand(e, graph, node, &mut |edge, other| found.push((edge, other)))?;
        let before = e.slot.map(|s| row[s].clone()).filter(|v| !matches!(v, Val::Unset));
        let mut out = Vec::with_capacity(found.len());
        for (edge, other) in found {
            if p.shared_edges && used.contains(&edge) || before.as_ref().is_some_and(|v| *v != Val::Edge(graph, edge)) {
                continue;
            }
            if !e.filters.is_empty() {
                if let Some(s) = e.slot {
                    row[s] = Val::Edge(graph, edge);
                }
                let ok = self.filters(e, row);
                if let Some(s) = e.slot {
                    row[s] = before.clone().unwrap_or(Val::Unset);
                }
                if !ok? {
                    continue;
                }
            }
            out.push((edge, other));
        }
        Ok(out)
    }

    /// All states that are reached at a node without reading an edge, ascending. The start's variable stands for the start.
    fn settle(
        &self,
        p: &Pattern,
        graph: u8,
        start: u32,
        node: u32,
        from: Vec<usize>,
        row: &mut Row,
    ) -> Result<Vec<u32>, QueryError> {
        let bound = p.first.slot.filter(|s| matches!(row[*s], Val::Unset));
        if let Some(s) = bound {
            row[s] = Val::Node(graph, start);
        }
        let mut seen: Vec<usize> = from.clone();
        let mut queue = from;
        let mut outcome = Ok(());
        'search: while let Some(state) = queue.pop() {
            for m in &p.nfa.moves[state] {
                let to = match m {
                    Move::Eps { to, .. } => *to,
                    Move::Edge { .. } => continue,
                    Move::Node { elem, to } => {
                        let mut undo = Vec::new();
                        let ok = self.test_node(&p.nfa.elems[*elem], graph, node, row, &mut undo);
                        Self::undo(row, &mut undo, 0);
                        match ok {
                            Ok(true) => *to,
                            Ok(false) => continue,
                            Err(e) => {
                                outcome = Err(e);
                                break 'search;
                            }
                        }
                    }
                };
                if !seen.contains(&to) {
                    seen.push(to);
                    queue.push(to);
                }
            }
        }
        if let Some(s) = bound {
            row[s] = Val::Unset;
        }
        outcome?;
        let mut out: Vec<u32> = seen.into_iter().filter_map(|s| u32::try_from(s).ok()).collect();
        out.sort_unstable();
        Ok(out)
    }

    /// What a prefix grows into by one edge, in order: the edge, the node and the states there.
    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    fn grow(
        &self,
        p: &Pattern,
        graph: u8,
        start: u32,
        all: &[Prefix],
        i: u32,
        sets: &Sets,
        once: bool,
        row: &mut Row,
        used: &Used,
    ) -> Result<Vec<(EdgeId, u32, Vec<u32>)>, QueryError> {
        let prefix = &all[i as usize];
        let mut by_edge: BTreeMap<(u16, u32, EdgeId), Vec<usize>> = BTreeMap::new();
        for state in &sets.all[prefix.set as usize] {
            for m in &p.nfa.moves[*state as usize] {
                let Move::Edge { elem, to } = m else { continue };
                for (edge, other) in self.steps_of(p, graph, *elem, prefix.node, row, used)? {
                    let ty = self.graph(graph).edge(edge)?.ty.0;
                    let states = by_edge.entry((ty, other, edge)).or_default();
                    if !states.contains(to) {
                        states.push(*to);
                    }
                }
            }
        }
        let mut out = Vec::with_capacity(by_edge.len());
        for ((_, node, edge), states) in by_edge {
            if !once && !fits(p, all, i, start, edge, node) {
                continue;
            }
            let set = self.settle(p, graph, start, node, states, row)?;
            if !set.is_empty() {
                out.push((edge, node, set));
            }
        }
        self.step(out.len() as u64 + 1)?;
        Ok(out)
    }

    /// The depth-first search along given edges.
    pub(super) fn along_edges<'p>(p: &'p Pattern, graph: u8, edges: &'p [EdgeId]) -> Dfs<'p> {
        Dfs { p, nfa: &p.nfa, graph, reversed: false, only: Some(edges), mode: p.mode }
    }
}

/// Whether a path may go on by an edge to a node.
fn fits(p: &Pattern, all: &[Prefix], i: u32, start: u32, edge: EdgeId, node: u32) -> bool {
    let chain = || {
        let mut at = Some(i);
        std::iter::from_fn(move || {
            let here = &all[at? as usize];
            at = here.last.map(|(before, _)| before);
            Some(here)
        })
    };
    let trail = || chain().all(|x| x.last.is_none_or(|(_, e)| e != edge));
    let by_mode = match p.mode {
        PathMode::Walk => true,
        PathMode::Trail => trail(),
        PathMode::Acyclic => chain().all(|x| x.node != node),
        PathMode::Simple => {
            let here = &all[i as usize];
            // A path that came back to its start is closed; nothing goes on from there.
            let closed = here.last.is_some() && here.node == start;
            !closed && chain().all(|x| x.node != node || x.last.is_none())
        }
    };
    by_mode && (!p.shared_edges || p.mode == PathMode::Trail || trail())
}

fn edges_of(all: &[Prefix], i: u32) -> Vec<EdgeId> {
    let mut out = Vec::new();
    let mut at = i;
    while let Some((before, edge)) = all.get(at as usize).and_then(|x| x.last) {
        out.push(edge);
        at = before;
    }
    out.reverse();
    out
}
