//! Shortest paths and reachability: breadth-first search over (node, state).

use super::super::{Exec, Flow, GO, Row};
use super::{Sink, Used};
use crate::ast::{PathMode, Selector};
use crate::plan::{Move, Pattern};
use crate::val::Val;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::HashSet;
use std::ops::ControlFlow;
use sv0_graph::{EdgeId, GraphView};

impl<G: GraphView> Exec<'_, G> {
    #[expect(clippy::too_many_arguments, reason = "a pattern, where it starts, and what the match so far is")]
    pub(super) fn select(
        &self,
        p: &Pattern,
        selector: Selector,
        graph: u8,
        start: u32,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        let (k, all) = match selector {
            Selector::Shortest(k) | Selector::Any(k) => (k, false),
            Selector::AllShortest => (1, true),
            Selector::ShortestGroups(k) => (k, true),
            Selector::All => (u32::MAX, true),
        };
        if k > 1 {
            return self.ordered(p, selector, graph, start, None, row, used, sink);
        }
        // Moves of several alternatives at one place keep their order only together.
        if p.alternatives {
            return self.shortest_ordered(p, selector, graph, start, row, used, sink);
        }
        if let Some(hop) = &p.hop
            && used.is_empty()
            && let Some(flow) = self.between(p, hop, all, graph, start, row, used, sink)?
        {
            return Ok(flow);
        }
        self.bfs(p, selector, all, graph, start, row, used, sink)
    }

    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    pub(super) fn bfs(
        &self,
        p: &Pattern,
        selector: Selector,
        all: bool,
        graph: u8,
        start: u32,
        row: &mut Row,
        used: &mut Used,
        sink: Sink<'_>,
    ) -> Flow {
        // Whatever way the search ends, what it held is given back.
        let mut charged = 0u64;
        let flow = self.breadth_first(p, selector, all, graph, start, row, used, &mut charged, sink);
        self.release(charged);
        flow
    }

    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    fn breadth_first(
        &self,
        p: &Pattern,
        selector: Selector,
        all: bool,
        graph: u8,
        start: u32,
        row: &mut Row,
        used: &mut Used,
        charged: &mut u64,
        sink: Sink<'_>,
    ) -> Flow {
        let nfa = &p.nfa;
        // The start's variable is bound for the whole search: a closed pattern must come back to it.
        let start_slot = p.first.slot.filter(|s| matches!(row[*s], Val::Unset));
        if let Some(s) = start_slot {
            row[s] = Val::Node(graph, start);
        }
        let restore = |row: &mut Row| {
            if let Some(s) = start_slot {
                row[s] = Val::Unset;
            }
        };
        let one_end = p.last.slot.is_some_and(|s| !matches!(row[s], Val::Unset));
        let mut search = Search { states: Vec::new(), index: FxHashMap::default() };
        let mut level: Vec<u32> = vec![search.add(start, nfa.start, 0, None)];
        let mut distance = 0u32;
        let outcome = 'search: loop {
            // Moves that read nothing, depth first, so that the order of paths is kept.
            let mut ready: Vec<u32> = Vec::new();
            let mut ends: Vec<u32> = Vec::new();
            for seed in level {
                let mut stack = vec![seed];
                while let Some(i) = stack.pop() {
                    ready.push(i);
                    let (node, state) = search.at(i);
                    if state == nfa.accept {
                        ends.push(i);
                    }
                    let mut next = Vec::new();
                    for m in &nfa.moves[state] {
                        let to = match m {
                            Move::Eps { to, .. } => *to,
                            Move::Node { elem, to } => {
                                let mut undo = Vec::new();
                                let ok = self.test_node(&nfa.elems[*elem], graph, node, row, &mut undo);
                                Self::undo(row, &mut undo, 0);
                                match ok {
                                    Ok(true) => *to,
                                    Ok(false) => continue,
                                    Err(e) => break 'search Err(e),
                                }
                            }
                            Move::Edge { .. } => continue,
                        };
                        next.extend(search.reach(node, to, distance, (i, None), all));
                    }
                    stack.extend(next.into_iter().rev());
                }
            }
            for end in ends {
                let (node, _) = search.at(end);
                if p.legacy && node == start {
                    continue;
                }
                let mut found = 0;
                let mut stop = false;
                let want = if all { u32::MAX } else { 1 };
                let mut paths = search.paths(end);
                while let Some(edges) = paths.next() {
                    // Each is kept, so that none comes twice.
                    let bytes = if all { 8 * edges.len() as u64 + 64 } else { 0 };
                    *charged += bytes;
                    if let Err(e) = self.work(edges.len() as u64).and_then(|()| self.charge(bytes)) {
                        restore(row);
                        return Err(e);
                    }
                    restore(row);
                    let flow = self.witness(p, graph, start, node, &edges, row, used, want, &mut found, sink);
                    if let Some(s) = start_slot {
                        row[s] = Val::Node(graph, start);
                    }
                    match flow {
                        Ok(ControlFlow::Continue(())) => {}
                        Ok(ControlFlow::Break(())) => {
                            restore(row);
                            return Ok(ControlFlow::Break(()));
                        }
                        Err(e) => {
                            restore(row);
                            return Err(e);
                        }
                    }
                    if found > 0 && !all {
                        stop = true;
                        break;
                    }
                }
                drop(paths);
                if found == 0 {
                    restore(row);
                    let flow = self.ordered(p, selector, graph, start, Some(node), row, used, sink);
                    if let Some(s) = start_slot {
                        row[s] = Val::Node(graph, start);
                    }
                    if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                        restore(row);
                        return flow;
                    }
                }
                if one_end && (stop || found > 0) {
                    break 'search Ok(());
                }
            }
            distance += 1;
            let mut next: Vec<u32> = Vec::new();
            for i in ready {
                let (node, state) = search.at(i);
                for m in &nfa.moves[state] {
                    let Move::Edge { elem, to } = m else { continue };
                    let e = &nfa.elems[*elem];
                    let mut found: Vec<(EdgeId, u32)> = Vec::new();
                    if let Err(e) = self.expand(e, graph, node, &mut |edge, other| found.push((edge, other))) {
                        break 'search Err(e);
                    }
                    for (edge, other) in found {
                        if p.shared_edges && used.contains(&edge) {
                            continue;
                        }
                        if !search.wants(other, *to, distance, all) {
                            continue;
                        }
                        // An edge that an earlier clause found must be this one.
                        let before = e.slot.map(|s| row[s].clone()).filter(|v| !matches!(v, Val::Unset));
                        if before.as_ref().is_some_and(|v| *v != Val::Edge(graph, edge)) {
                            continue;
                        }
                        if !e.filters.is_empty() {
                            if let Some(s) = e.slot {
                                row[s] = Val::Edge(graph, edge);
                            }
                            let ok = self.filters(e, row);
                            if let Some(s) = e.slot {
                                row[s] = before.unwrap_or(Val::Unset);
                            }
                            match ok {
                                Ok(true) => {}
                                Ok(false) => continue,
                                Err(e) => break 'search Err(e),
                            }
                        }
                        next.extend(search.reach(other, *to, distance, (i, Some(edge)), all));
                    }
                }
            }
            self.note_frontier(search.states.len());
            let bytes = (search.states.len() * 64) as u64;
            let more = bytes.saturating_sub(*charged);
            *charged += more;
            if let Err(e) = self.charge(more) {
                break Err(e);
            }
            if next.is_empty() {
                break Ok(());
            }
            level = next;
        };
        restore(row);
        outcome.map(|()| ControlFlow::Continue(()))
    }

    /// Checks a candidate path against everything (uniqueness, conditions over several elements) and hands it on, in each way
    /// in which it matches, so many at most. `found` counts them.
    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    pub(super) fn witness(
        &self,
        p: &Pattern,
        graph: u8,
        start: u32,
        end: u32,
        edges: &[EdgeId],
        row: &mut Row,
        used: &mut Used,
        want: u32,
        found: &mut u32,
        sink: Sink<'_>,
    ) -> Flow {
        if p.ends_only && !p.looks_back {
            // Only the ends are seen: it is enough that the walk is a trail, where it has to be one.
            let mut seen = FxHashSet::default();
            let free = p.mode == PathMode::Walk;
            let fits = |e: &EdgeId| !(p.shared_edges && used.contains(e));
            if !edges.iter().all(|e| fits(e) && (seen.insert(*e) || free)) {
                return GO;
            }
            *found += 1;
            let mut undo = Vec::new();
            for (e, n) in [(&p.first, start), (&p.last, end)] {
                if let Some(s) = e.slot
                    && matches!(row[s], Val::Unset)
                {
                    undo.push((s, Val::Unset));
                    row[s] = Val::Node(graph, n);
                }
            }
            for s in &p.binds {
                if matches!(row[*s], Val::Unset) {
                    undo.push((*s, Val::Unset));
                    row[*s] = Val::Null;
                }
            }
            let flow = sink(row, used);
            Self::undo(row, &mut undo, 0);
            return flow;
        }
        let d = Self::along_edges(p, graph, edges);
        let mut stopped = false;
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        let flow = self.dfs(&d, start, row, used, &mut |_, r, u| {
            // Two alternatives that bind the same are one way.
            if p.alternatives && !seen.insert(self.match_key(p, r)) {
                return GO;
            }
            *found += 1;
            stopped = sink(r, u)?.is_break();
            Ok(if stopped || *found >= want { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let _ = flow;
        Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

pub(super) struct ProductState {
    node: u32,
    state: u32,
    distance: u32,
    /// First parent, then others of the same distance.
    parents: Vec<(u32, Option<EdgeId>)>,
}

pub(super) struct Search {
    states: Vec<ProductState>,
    index: FxHashMap<(u32, u32), u32>,
}

impl Search {
    fn add(&mut self, node: u32, state: usize, distance: u32, parent: Option<(u32, Option<EdgeId>)>) -> u32 {
        let i = u32::try_from(self.states.len()).unwrap_or(u32::MAX);
        let state = u32::try_from(state).unwrap_or(u32::MAX);
        self.states.push(ProductState { node, state, distance, parents: parent.into_iter().collect() });
        self.index.insert((node, state), i);
        i
    }

    fn at(&self, i: u32) -> (u32, usize) {
        let s = &self.states[i as usize];
        (s.node, s.state as usize)
    }

    fn wants(&self, node: u32, state: usize, distance: u32, all: bool) -> bool {
        match self.index.get(&(node, u32::try_from(state).unwrap_or(u32::MAX))) {
            None => true,
            Some(i) => all && self.states[*i as usize].distance == distance,
        }
    }

    /// Notes that a state is reached; answers with it if it is new.
    fn reach(
        &mut self,
        node: u32,
        state: usize,
        distance: u32,
        parent: (u32, Option<EdgeId>),
        all: bool,
    ) -> Option<u32> {
        match self.index.get(&(node, u32::try_from(state).unwrap_or(u32::MAX))) {
            None => Some(self.add(node, state, distance, Some(parent))),
            Some(i) => {
                let s = &mut self.states[*i as usize];
                if all && s.distance == distance && !s.parents.contains(&parent) {
                    s.parents.push(parent);
                }
                None
            }
        }
    }

    /// The shortest paths that end in a state, lazily, each as its edges.
    fn paths(&self, end: u32) -> Paths<'_> {
        Paths { search: self, stack: vec![(end, 0)], seen: HashSet::new(), fresh: true }
    }
}

pub(super) struct Paths<'s> {
    search: &'s Search,
    /// (state, which parent is taken).
    stack: Vec<(u32, usize)>,
    seen: HashSet<Vec<EdgeId>>,
    fresh: bool,
}

impl Paths<'_> {
    fn next(&mut self) -> Option<Vec<EdgeId>> {
        loop {
            if self.fresh {
                self.fresh = false;
            } else {
                // Advance the deepest choice that has another parent.
                loop {
                    let (i, taken) = self.stack.pop()?;
                    if taken + 1 < self.search.states[i as usize].parents.len() {
                        self.stack.push((i, taken + 1));
                        break;
                    }
                }
            }
            // Go down to the start along first parents.
            while let Some((i, taken)) = self.stack.last().copied() {
                let Some((parent, _)) = self.search.states[i as usize].parents.get(taken) else { break };
                self.stack.push((*parent, 0));
            }
            let mut edges: Vec<EdgeId> = self
                .stack
                .iter()
                .filter_map(|(i, taken)| self.search.states[*i as usize].parents.get(*taken).and_then(|p| p.1))
                .collect();
            edges.reverse();
            if self.seen.insert(edges.clone()) {
                return Some(edges);
            }
        }
    }
}
