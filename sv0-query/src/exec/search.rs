//! Finding the paths of one pattern: enumeration by depth-first search over (node, state), shortest paths and
//! reachability by breadth-first search over the same product.

use std::collections::HashSet;
use std::ops::ControlFlow;

use rustc_hash::{FxHashMap, FxHashSet};
use sv0_graph::{Direction, EdgeId, GraphView, NodeType};

use super::{Exec, Flow, GO, Row};
use crate::ast::{PathMode, Selector};
use crate::diag::QueryError;
use crate::plan::{CLabel, Elem, Move, Nfa, Pattern};
use crate::val::{PathVal, Val};

type Used = FxHashSet<EdgeId>;
type Sink<'s> = &'s mut dyn FnMut(&mut Row, &mut Used) -> Flow;

/// What a search keeps of the path so far.
#[derive(Default)]
struct Trace {
    nodes: Vec<u32>,
    edges: Vec<EdgeId>,
    /// Elements in the order in which they were bound, for group variables.
    bound: Vec<(usize, Val)>,
    /// Slots to be restored on the way back.
    undo: Vec<(usize, Val)>,
}

#[derive(Clone, Copy)]
struct Marks {
    nodes: usize,
    edges: usize,
    bound: usize,
    undo: usize,
}

impl Trace {
    fn marks(&self) -> Marks {
        Marks { nodes: self.nodes.len(), edges: self.edges.len(), bound: self.bound.len(), undo: self.undo.len() }
    }
}

enum Step {
    Zero(usize),
    Edge { elem: usize, to: usize, edge: EdgeId, other: u32 },
}

struct Frame {
    state: usize,
    node: u32,
    steps: Vec<Step>,
    next: usize,
    marks: Marks,
    emitted: bool,
}

/// What a depth-first search is for.
struct Dfs<'p> {
    p: &'p Pattern,
    nfa: &'p Nfa,
    graph: u8,
    reversed: bool,
    /// Only along these edges.
    only: Option<&'p [EdgeId]>,
    /// Walks are cut to trails where nothing else ends them.
    mode: PathMode,
}

impl<G: GraphView> Exec<'_, G> {
    pub(super) fn find_paths(&self, p: &Pattern, graph: u8, row: &mut Row, used: &mut Used, sink: Sink<'_>) -> Flow {
        let forward = self.starts(&p.first, graph, row)?;
        if let Some(selector) = p.selector.or(p.ends_only.then_some(Selector::Shortest(1))) {
            for start in forward.iter() {
                if self.select(p, selector, graph, *start, row, used, sink)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            return GO;
        }
        let backward = if forward.len() > 1 { Some(self.starts(&p.last, graph, row)?) } else { None };
        let reversed = backward.as_ref().is_some_and(|b| b.len() < forward.len());
        let starts = if reversed { backward.unwrap_or(forward) } else { forward };
        let nfa = if reversed { &p.reversed } else { &p.nfa };
        let dfs = Dfs { p, nfa, graph, reversed, only: None, mode: p.mode };
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        for start in starts.iter() {
            let flow = self.dfs(&dfs, *start, row, used, &mut |_, r, u| {
                if p.alternatives && !seen.insert(self.match_key(p, r)) {
                    return GO;
                }
                sink(r, u)
            })?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        GO
    }

    /// Nodes at which a pattern may start, ascending.
    fn starts(&self, e: &Elem, graph: u8, row: &mut Row) -> Result<std::rc::Rc<Vec<u32>>, QueryError> {
        if let Some(s) = e.slot {
            match &row[s] {
                Val::Unset => {}
                Val::Node(g, n) => {
                    return self.same_node(*g, *n, graph).map(|n| n.into_iter().collect::<Vec<_>>().into());
                }
                _ => return Ok(Vec::new().into()),
            }
        }
        if let Some(k) = &e.key {
            let Val::Str(id) = self.eval(k, row)? else { return Ok(Vec::new().into()) };
            let g = self.graph(graph);
            let mut out = Vec::new();
            for source in g.sources() {
                let key = sv0_graph::NodeKey { source, id: id.clone() };
                out.extend(g.find(&key)?);
            }
            out.sort_unstable();
            return Ok(out.into());
        }
        let ty = e.label.as_ref().and_then(one_type);
        self.candidates(graph, ty)
    }

    /// A node of another graph stands for the node with its key here.
    pub(super) fn same_node(&self, g: u8, n: u32, graph: u8) -> Result<Option<u32>, QueryError> {
        if g == graph {
            return Ok(Some(n));
        }
        Ok(self.graph(graph).find(&self.graph(g).key(n)?)?)
    }

    /// Tests a node against an element; binds its slot (noted in `undo`).
    fn test_node(
        &self,
        e: &Elem,
        graph: u8,
        node: u32,
        row: &mut Row,
        undo: &mut Vec<(usize, Val)>,
    ) -> Result<bool, QueryError> {
        if let Some(l) = &e.label
            && !self.node_has(l, graph, node)?
        {
            return Ok(false);
        }
        if let Some(s) = e.slot {
            match row[s].clone() {
                Val::Unset => {
                    undo.push((s, Val::Unset));
                    row[s] = Val::Node(graph, node);
                }
                Val::Node(g, n) => {
                    if self.same_node(g, n, graph)? != Some(node) {
                        return Ok(false);
                    }
                }
                _ => return Ok(false),
            }
        }
        self.filters(e, row)
    }

    fn filters(&self, e: &Elem, row: &mut Row) -> Result<bool, QueryError> {
        for f in &e.filters {
            if self.eval(f, row)?.truth() != Some(true) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The edges that an element may take from a node.
    fn expand(&self, e: &Elem, graph: u8, node: u32, f: &mut dyn FnMut(EdgeId, u32)) -> Result<(), QueryError> {
        let g = self.graph(graph);
        let mixed = e.steps.windows(2).any(|w| matches!(w, [a, b] if a.0 == b.0));
        if mixed {
            // Both directions of a type: in the order of (type, neighbour, edge) all the same.
            let mut found = Vec::new();
            for (ty, dir) in &e.steps {
                let both = *dir == Direction::In && e.steps.contains(&(*ty, Direction::Out));
                g.expand(node, *ty, *dir, &mut |other, edge| {
                    // A loop is met from both sides of an undirected pattern; once is enough.
                    if !(both && other == node) {
                        found.push((*ty, other, edge));
                    }
                })?;
            }
            self.work(found.len() as u64 + 1)?;
            found.sort_unstable();
            found.into_iter().for_each(|(_, other, edge)| f(edge, other));
            return Ok(());
        }
        for (ty, dir) in &e.steps {
            let mut n = 0;
            g.expand(node, *ty, *dir, &mut |other, edge| {
                n += 1;
                f(edge, other);
            })?;
            self.work(n + 1)?;
        }
        Ok(())
    }

    fn undo(row: &mut Row, undo: &mut Vec<(usize, Val)>, mark: usize) {
        while undo.len() > mark {
            if let Some((s, v)) = undo.pop() {
                row[s] = v;
            }
        }
    }

    // ---- enumeration

    fn dfs(
        &self,
        d: &Dfs<'_>,
        start: u32,
        row: &mut Row,
        used: &mut Used,
        emit: &mut dyn FnMut(&Trace, &mut Row, &mut Used) -> Flow,
    ) -> Flow {
        let mut t = Trace { nodes: vec![start], ..Trace::default() };
        let mut stack = vec![self.frame(d, d.nfa.start, start, t.marks(), 0)?];
        let mut result = GO;
        while let Some(top) = stack.last_mut() {
            if top.state == d.nfa.accept && !top.emitted {
                top.emitted = true;
                if d.only.is_none_or(|o| o.len() == t.edges.len()) {
                    match self.emit(d, &mut t, row, used, emit) {
                        Ok(ControlFlow::Continue(())) => {}
                        other => {
                            result = other;
                            break;
                        }
                    }
                }
            }
            let Some(step) = top.steps.get(top.next) else {
                let marks = top.marks;
                stack.pop();
                self.back(d, &mut t, marks, row, used);
                continue;
            };
            top.next += 1;
            let marks = t.marks();
            let (state, node) = (top.state, top.node);
            let taken = match step {
                Step::Zero(i) => self.zero(d, state, *i, node, &mut t, row).map(|to| to.map(|to| (to, node))),
                Step::Edge { elem, to, edge, other } => {
                    let (elem, to, edge, other) = (*elem, *to, *edge, *other);
                    self.along(d, elem, edge, other, &mut t, row, used).map(|ok| ok.then_some((to, other)))
                }
            };
            match taken {
                Ok(Some((to, node))) => match self.frame(d, to, node, marks, t.edges.len()) {
                    Ok(f) => stack.push(f),
                    Err(e) => {
                        result = Err(e);
                        break;
                    }
                },
                Ok(None) => self.back(d, &mut t, marks, row, used),
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
        }
        let zero = Marks { nodes: 1, edges: 0, bound: 0, undo: 0 };
        self.back(d, &mut t, zero, row, used);
        result
    }

    fn back(&self, d: &Dfs<'_>, t: &mut Trace, m: Marks, row: &mut Row, used: &mut Used) {
        Self::undo(row, &mut t.undo, m.undo);
        if d.p.shared_edges {
            for e in t.edges.get(m.edges..).unwrap_or(&[]) {
                used.remove(e);
            }
        }
        t.edges.truncate(m.edges);
        t.nodes.truncate(m.nodes);
        t.bound.truncate(m.bound);
    }

    fn frame(&self, d: &Dfs<'_>, state: usize, node: u32, marks: Marks, depth: usize) -> Result<Frame, QueryError> {
        let mut steps = Vec::new();
        for (i, m) in d.nfa.moves[state].iter().enumerate() {
            match m {
                Move::Eps { .. } | Move::Node { .. } => steps.push(Step::Zero(i)),
                Move::Edge { elem, to } => {
                    let wanted = match d.only {
                        None => None,
                        Some(o) => match o.get(depth) {
                            Some(e) => Some(*e),
                            None => continue,
                        },
                    };
                    self.expand(&d.nfa.elems[*elem], d.graph, node, &mut |edge, other| {
                        if wanted.is_none_or(|w| w == edge) {
                            steps.push(Step::Edge { elem: *elem, to: *to, edge, other });
                        }
                    })?;
                }
            }
        }
        Ok(Frame { state, node, steps, next: 0, marks, emitted: false })
    }

    /// A move that reads no edge; answers with the next state.
    fn zero(
        &self,
        d: &Dfs<'_>,
        state: usize,
        i: usize,
        node: u32,
        t: &mut Trace,
        row: &mut Row,
    ) -> Result<Option<usize>, QueryError> {
        match &d.nfa.moves[state][i] {
            Move::Eps { to, reset, check } => {
                if let Some(c) = check
                    && self.eval(c, row)?.truth() != Some(true)
                {
                    return Ok(None);
                }
                for s in reset {
                    t.undo.push((*s, std::mem::replace(&mut row[*s], Val::Unset)));
                }
                Ok(Some(*to))
            }
            Move::Node { elem, to } => {
                let e = &d.nfa.elems[*elem];
                if !self.test_node(e, d.graph, node, row, &mut t.undo)? {
                    return Ok(None);
                }
                t.bound.push((*elem, Val::Node(d.graph, node)));
                Ok(Some(*to))
            }
            Move::Edge { .. } => Ok(None),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of the search: what is walked and what it changes")]
    fn along(
        &self,
        d: &Dfs<'_>,
        elem: usize,
        edge: EdgeId,
        other: u32,
        t: &mut Trace,
        row: &mut Row,
        used: &mut Used,
    ) -> Result<bool, QueryError> {
        let fits = match d.mode {
            PathMode::Walk => true,
            PathMode::Trail => d.p.shared_edges || !t.edges.contains(&edge),
            PathMode::Acyclic => !t.nodes.contains(&other),
            PathMode::Simple => {
                let closed = !t.edges.is_empty() && t.nodes.first() == t.nodes.last();
                !closed && !t.nodes.get(1..).unwrap_or(&[]).contains(&other)
            }
        };
        if !fits || (d.p.shared_edges && used.contains(&edge)) {
            return Ok(false);
        }
        let e = &d.nfa.elems[elem];
        if let Some(s) = e.slot {
            match &row[s] {
                Val::Unset => {
                    t.undo.push((s, Val::Unset));
                    row[s] = Val::Edge(d.graph, edge);
                }
                v if *v == Val::Edge(d.graph, edge) => {}
                _ => return Ok(false),
            }
        }
        if !self.filters(e, row)? {
            return Ok(false);
        }
        if d.p.shared_edges {
            used.insert(edge);
        }
        t.edges.push(edge);
        t.nodes.push(other);
        t.bound.push((elem, Val::Edge(d.graph, edge)));
        Ok(true)
    }

    /// Binds the path and the group variables, tests what sees the whole path, and hands the row on.
    fn emit(
        &self,
        d: &Dfs<'_>,
        t: &mut Trace,
        row: &mut Row,
        used: &mut Used,
        emit: &mut dyn FnMut(&Trace, &mut Row, &mut Used) -> Flow,
    ) -> Flow {
        let mark = t.undo.len();
        let p = d.p;
        if let Some(s) = p.path_slot {
            let (mut nodes, mut edges) = (t.nodes.clone(), t.edges.clone());
            if d.reversed {
                nodes.reverse();
                edges.reverse();
            }
            let v = Val::Path(PathVal { graph: d.graph, nodes, edges }.into());
            t.undo.push((s, std::mem::replace(&mut row[s], v)));
        }
        for (s, elems) in &p.groups {
            let mut items: Vec<Val> =
                t.bound.iter().filter(|(e, _)| elems.contains(e)).map(|(_, v)| v.clone()).collect();
            if d.reversed {
                items.reverse();
            }
            t.undo.push((*s, std::mem::replace(&mut row[*s], Val::List(items.into()))));
        }
        for s in &p.binds {
            if matches!(row[*s], Val::Unset) {
                t.undo.push((*s, std::mem::replace(&mut row[*s], Val::Null)));
            }
        }
        let mut ok = true;
        for f in &p.post {
            ok &= self.eval(f, row)?.truth() == Some(true);
            if !ok {
                break;
            }
        }
        let flow = if ok { emit(t, row, used) } else { GO };
        Self::undo(row, &mut t.undo, mark);
        flow
    }

    fn match_key(&self, p: &Pattern, row: &Row) -> Vec<u8> {
        let mut k = Vec::new();
        for s in &p.binds {
            row[*s].group_key(&mut k);
        }
        for e in [&p.first, &p.last] {
            if let Some(s) = e.slot {
                row[s].group_key(&mut k);
            }
        }
        k
    }

    // ---- selection

    #[expect(clippy::too_many_arguments, reason = "a pattern, where it starts, and what the match so far is")]
    fn select(
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
            return self.exhaustive(p, selector, graph, start, None, row, used, sink);
        }
        self.bfs(p, selector, all, graph, start, row, used, sink)
    }

    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    fn bfs(
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
        let mut charged = 0u64;
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
                let mut found = false;
                let mut stop = false;
                let mut paths = search.paths(end);
                while let Some(edges) = paths.next() {
                    if let Err(e) = self.work(edges.len() as u64) {
                        restore(row);
                        return Err(e);
                    }
                    restore(row);
                    let flow = self.witness(p, graph, start, node, &edges, row, used, &mut found, sink);
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
                    if found && !all {
                        stop = true;
                        break;
                    }
                }
                drop(paths);
                if !found {
                    restore(row);
                    let flow = self.exhaustive(p, selector, graph, start, Some(node), row, used, sink);
                    if let Some(s) = start_slot {
                        row[s] = Val::Node(graph, start);
                    }
                    if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                        restore(row);
                        return flow;
                    }
                }
                if one_end && (stop || found) {
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
                        if !e.filters.is_empty() {
                            if let Some(s) = e.slot {
                                row[s] = Val::Edge(graph, edge);
                            }
                            let ok = self.filters(e, row);
                            if let Some(s) = e.slot {
                                row[s] = Val::Unset;
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
            let bytes = (search.states.len() * 64) as u64;
            if let Err(e) = self.charge(bytes.saturating_sub(charged)) {
                break Err(e);
            }
            charged = charged.max(bytes);
            if next.is_empty() {
                break Ok(());
            }
            level = next;
        };
        self.release(charged);
        restore(row);
        outcome.map(|()| ControlFlow::Continue(()))
    }

    /// Checks a candidate path against everything (uniqueness, conditions over several elements) and hands it on.
    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    fn witness(
        &self,
        p: &Pattern,
        graph: u8,
        start: u32,
        end: u32,
        edges: &[EdgeId],
        row: &mut Row,
        used: &mut Used,
        found: &mut bool,
        sink: Sink<'_>,
    ) -> Flow {
        if p.ends_only && !p.nfa.has_checks() {
            // Only the ends are seen: it is enough that the walk is a trail.
            let mut seen = FxHashSet::default();
            if !edges.iter().all(|e| !used.contains(e) && seen.insert(*e)) {
                return GO;
            }
            *found = true;
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
        let d = Dfs { p, nfa: &p.nfa, graph, reversed: false, only: Some(edges), mode: p.mode };
        let mut stopped = false;
        let flow = self.dfs(&d, start, row, used, &mut |_, r, u| {
            *found = true;
            stopped = sink(r, u)?.is_break();
            // One assignment a path is enough.
            Ok(ControlFlow::Break(()))
        })?;
        let _ = flow;
        Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// All paths from `start` (to `end`), then the selector: for what breadth-first search can't decide.
    #[expect(clippy::too_many_arguments, reason = "as `select`")]
    fn exhaustive(
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
        // A walk that repeats an edge is never among the shortest that a trail doesn't beat, unless a lower bound
        // forces it; bounded walks are enumerated as they are.
        let mode = if p.mode == PathMode::Walk && p.nfa.has_loop() { PathMode::Trail } else { p.mode };
        let d = Dfs { p, nfa: &p.nfa, graph, reversed: false, only: None, mode };
        let mut all: Vec<(u32, Vec<EdgeId>)> = Vec::new();
        let mut bytes = 0u64;
        self.dfs(&d, start, row, used, &mut |t, _, _| {
            let last = t.nodes.last().copied().unwrap_or(start);
            if end.is_none_or(|e| e == last) {
                let b = (t.edges.len() * 8 + 48) as u64;
                bytes += b;
                self.charge(b)?;
                all.push((last, t.edges.clone()));
            }
            GO
        })
        .map(|_| ())?;
        let order = |edges: &[EdgeId]| -> Result<Vec<(u16, u32, EdgeId)>, QueryError> {
            let mut at = start;
            edges
                .iter()
                .map(|e| {
                    let r = self.graph(graph).edge(*e)?;
                    at = if r.from == at { r.to } else { r.from };
                    Ok((r.ty.0, at, *e))
                })
                .collect()
        };
        let mut keyed = Vec::with_capacity(all.len());
        for (last, edges) in all {
            keyed.push((last, edges.len(), order(&edges)?, edges));
        }
        keyed.sort();
        keyed.dedup_by(|a, b| a.3 == b.3 && a.0 == b.0);
        let (mut at, mut count, mut groups, mut length) = (None, 0u32, 0u32, usize::MAX);
        for (last, len, _, edges) in keyed {
            if at != Some(last) {
                (at, count, groups, length) = (Some(last), 0, 0, usize::MAX);
            }
            if len != length {
                groups += 1;
                length = len;
            }
            let take = match selector {
                Selector::Any(k) | Selector::Shortest(k) => count < k,
                Selector::AllShortest => groups <= 1,
                Selector::ShortestGroups(k) => groups <= k,
                Selector::All => true,
            };
            if !take {
                continue;
            }
            count += 1;
            let mut found = false;
            let d = Dfs { p, nfa: &p.nfa, graph, reversed: false, only: Some(&edges), mode };
            let mut stopped = false;
            self.dfs(&d, start, row, used, &mut |_, r, u| {
                found = true;
                stopped = sink(r, u)?.is_break();
                Ok(ControlFlow::Break(()))
            })
            .map(|_| ())?;
            if stopped {
                self.release(bytes);
                return Ok(ControlFlow::Break(()));
            }
        }
        self.release(bytes);
        GO
    }
}

impl Nfa {
    fn has_checks(&self) -> bool {
        self.moves.iter().flatten().any(|m| matches!(m, Move::Eps { check: Some(_), .. }))
    }

    fn has_loop(&self) -> bool {
        // Kahn's algorithm: an automaton without a loop can be emptied.
        let to = |m: &Move| match m {
            Move::Eps { to, .. } | Move::Node { to, .. } | Move::Edge { to, .. } => *to,
        };
        let mut incoming = vec![0usize; self.moves.len()];
        self.moves.iter().flatten().for_each(|m| incoming[to(m)] += 1);
        let mut free: Vec<usize> = (0..self.moves.len()).filter(|s| incoming[*s] == 0).collect();
        let mut emptied = 0;
        while let Some(s) = free.pop() {
            emptied += 1;
            for m in &self.moves[s] {
                incoming[to(m)] -= 1;
                if incoming[to(m)] == 0 {
                    free.push(to(m));
                }
            }
        }
        emptied < self.moves.len()
    }
}

struct ProductState {
    node: u32,
    state: u32,
    distance: u32,
    /// First parent, then others of the same distance.
    parents: Vec<(u32, Option<EdgeId>)>,
}

struct Search {
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

struct Paths<'s> {
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

/// The one type that all nodes with these labels have, if the labels say so. Kinds are an open vocabulary: they don't.
fn one_type(l: &CLabel) -> Option<NodeType> {
    match l {
        CLabel::Type(t) => Some(*t),
        CLabel::And(a, b) => one_type(a).or_else(|| one_type(b)),
        CLabel::Or(a, b) => one_type(a).filter(|t| one_type(b) == Some(*t)),
        _ => None,
    }
}
