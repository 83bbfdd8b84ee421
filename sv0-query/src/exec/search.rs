//! Finding the paths of one pattern: enumeration by depth-first search over (node, state), shortest paths and
//! reachability by breadth-first search over the same product.

use std::collections::HashSet;
use std::ops::ControlFlow;

use rustc_hash::FxHashSet;
use sv0_graph::{Direction, EdgeId, GraphView};

use super::{Exec, Flow, GO, Row};
use crate::ast::{CmpOp, PathMode, Selector};
use crate::diag::QueryError;
use crate::plan::{CExpr, Chain, Elem, Move, Nfa, Pattern};
use crate::val::{PathVal, Val};

mod backward;
mod between;
mod blocks;
mod fold;
mod marks;
mod ordered;
pub(super) mod reach;
mod shortest;
mod sweep;

pub(super) use backward::{May, Reaching};
pub(super) use sweep::Sum;

/// Of fewer nodes than this each is looked at.
const FEW: usize = 1000;

type Used = FxHashSet<EdgeId>;
type Sink<'s> = &'s mut dyn FnMut(&mut Row, &mut Used) -> Flow;

/// A pattern from its other end, its chain, and where it begins.
type FromEnds<'p> = (&'p Pattern, &'p Chain, std::rc::Rc<Vec<u32>>);

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

impl Frame {
    fn bytes(&self) -> u64 {
        (self.steps.capacity() * size_of::<Step>() + size_of::<Self>()) as u64
    }
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
        if let Some(e) = p.lone {
            let e = &p.nfa.elems[e];
            for n in forward.iter() {
                if !self.node_fits(e, graph, *n, row)? {
                    continue;
                }
                let flow = match e.slot.filter(|s| matches!(row[*s], Val::Unset)) {
                    Some(s) => {
                        row[s] = Val::Node(graph, *n);
                        let flow = sink(row, used);
                        row[s] = Val::Unset;
                        flow
                    }
                    None => sink(row, used),
                };
                if flow?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            return GO;
        }
        if let Some(chain) = p.chain.as_ref().filter(|_| used.is_empty()) {
            let flow = match self.fewer_ends(p, graph, forward.len(), row)? {
                Some((turned, chain, ends)) => self.reach(turned, chain, graph, &ends, row, used, sink)?,
                None => self.reach(p, chain, graph, &forward, row, used, sink)?,
            };
            if let Some(flow) = flow {
                return Ok(flow);
            }
        }
        if let Some(selector) = p.selector.or(p.ends_only.then_some(Selector::Shortest(1))) {
            for start in forward.iter() {
                if !self.may_end(p, graph, *start, row)? {
                    continue;
                }
                let before = self.work.get();
                let flow = self.select(p, selector, graph, *start, row, used, sink)?;
                self.searched(p, graph, self.work.get() - before);
                if flow.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            return GO;
        }
        let backward = if forward.len() > 1 && p.reversible { Some(self.starts(&p.last, graph, row)?) } else { None };
        let reversed = backward.as_ref().is_some_and(|b| b.len() < forward.len());
        let starts = if reversed { backward.unwrap_or(forward) } else { forward };
        let nfa = if reversed { &p.reversed } else { &p.nfa };
        let dfs = Dfs { p, nfa, graph, reversed, only: None, mode: p.mode };
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        let mut charged = 0;
        let mut outcome = GO;
        for start in starts.iter() {
            outcome = self.dfs(&dfs, *start, row, used, &mut |_, r, u| {
                if p.alternatives {
                    let key = self.match_key(p, r);
                    let bytes = 2 * key.len() as u64 + 64;
                    if !seen.insert(key) {
                        return GO;
                    }
                    charged += bytes;
                    self.charge(bytes)?;
                }
                sink(r, u)
            });
            if !matches!(outcome, Ok(ControlFlow::Continue(()))) {
                break;
            }
        }
        self.release(charged);
        outcome
    }

    /// A chain's other end, where it has far fewer nodes than there are starts.
    fn fewer_ends<'p>(
        &self,
        p: &'p Pattern,
        graph: u8,
        starts: usize,
        row: &mut Row,
    ) -> Result<Option<FromEnds<'p>>, QueryError> {
        // So few starts are searched at once.
        const MANY: usize = 16;
        let Some(turned) = p.turned.as_deref().filter(|_| starts >= MANY) else { return Ok(None) };
        let ends = self.starts(&turned.first, graph, row)?;
        let fewer = ends.len().saturating_mul(4) <= starts;
        Ok(turned.chain.as_ref().filter(|_| fewer).map(|c| (turned, c, ends)))
    }

    /// Nodes at which a pattern may start, ascending.
    pub(super) fn starts(&self, e: &Elem, graph: u8, row: &mut Row) -> Result<std::rc::Rc<Vec<u32>>, QueryError> {
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
        let ty = e.label.as_ref().and_then(crate::plan::one_type);
        let all = self.candidates(graph, ty)?;
        if all.len() < FEW {
            return Ok(all);
        }
        // A value that few nodes have.
        Ok(self.by_index(e, graph, u64::MAX, row)?.map_or(all, Into::into))
    }

    /// The nodes that have the value that an element's condition asks for, if there is an index for it and they are at most
    /// about so many. Of the element's type, if its labels say one.
    pub(super) fn by_index(
        &self,
        e: &Elem,
        graph: u8,
        most: u64,
        row: &mut Row,
    ) -> Result<Option<Vec<u32>>, QueryError> {
        let Some(slot) = e.slot.filter(|_| !self.is_open(graph)) else { return Ok(None) };
        let ty = e.label.as_ref().and_then(crate::plan::one_type);
        for f in &e.filters {
            use sv0_graph::PropType as T;
            // `x IN n.tags` asks the index of the list's members.
            let (sides, declared) = match f {
                CExpr::Cmp(CmpOp::Eq, a, b) => (vec![(a, b), (b, a)], T::Str),
                CExpr::In(a, b) => (vec![(b, a)], T::StrList),
                _ => continue,
            };
            for (prop, value) in sides {
                if let CExpr::Prop { base, node: Some(p), .. } = &**prop
                    && matches!(&**base, CExpr::Slot(s) if *s == slot)
                    && self
                        .graph(graph)
                        .schema()
                        .node_properties()
                        .get(usize::from(p.0))
                        .is_some_and(|d| d.ty == declared)
                    && matches!(&**value, CExpr::Const(_) | CExpr::Param(_))
                    && let Val::Str(text) = self.eval(value, row)?
                {
                    let g = self.graph(graph);
                    if most < u64::MAX && g.indexed_rows(ty, *p, &text)?.is_none_or(|n| n > most) {
                        continue;
                    }
                    if let Some(found) = g.indexed(ty, *p, &text)? {
                        self.step(found.len() as u64)?;
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(None)
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
        self.step(1)?;
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

    /// Tests a node against an element; the row stays as it is.
    pub(super) fn node_fits(&self, e: &Elem, graph: u8, node: u32, row: &mut Row) -> Result<bool, QueryError> {
        if let Some(s) = e.slot
            && matches!(row[s], Val::Unset)
        {
            self.step(1)?;
            if let Some(l) = &e.label
                && !self.node_has(l, graph, node)?
            {
                return Ok(false);
            }
            row[s] = Val::Node(graph, node);
            let ok = self.filters(e, row);
            row[s] = Val::Unset;
            return ok;
        }
        let mut undo = Vec::new();
        let ok = self.test_node(e, graph, node, row, &mut undo);
        Self::undo(row, &mut undo, 0);
        ok
    }

    fn filters(&self, e: &Elem, row: &mut Row) -> Result<bool, QueryError> {
        for f in &e.filters {
            let ok = match self.quick_test(f, e.slot, row)? {
                Some(ok) => ok,
                None => self.eval(f, row)?.truth() == Some(true),
            };
            if !ok {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a node's property compares so with a constant or a parameter, where that can be told without making values:
    /// most conditions are of that kind. `None` for any other.
    fn quick_test(&self, f: &CExpr, slot: Option<usize>, row: &Row) -> Result<Option<bool>, QueryError> {
        use sv0_graph::PropType as T;
        let CExpr::Cmp(op, prop, value) = f else { return Ok(None) };
        let CExpr::Prop { base, node: Some(p), .. } = &**prop else { return Ok(None) };
        let value = match &**value {
            CExpr::Const(v) => v,
            CExpr::Param(i) => self.params.get(*i).unwrap_or(&Val::Null),
            _ => return Ok(None),
        };
        let (CExpr::Slot(s), Some(Val::Node(g, n))) = (&**base, slot.and_then(|s| row.get(s))) else { return Ok(None) };
        if Some(*s) != slot || self.is_open(*g) {
            return Ok(None);
        }
        let graph = self.graph(*g);
        let declared = graph.schema().node_properties().get(usize::from(p.0)).map(|d| d.ty);
        Ok(match (declared, value) {
            (Some(T::Str), Val::Str(text)) if *op == CmpOp::Eq => Some(graph.text_is(*n, *p, text)?),
            (Some(T::Int), Val::Int(v)) | (Some(T::Timestamp), Val::Timestamp(v)) => {
                let Some(own) = graph.number_of(*n, *p)? else { return Ok(Some(false)) };
                Some(match op {
                    CmpOp::Eq => own == *v,
                    CmpOp::Ne => own != *v,
                    CmpOp::Lt => own < *v,
                    CmpOp::Le => own <= *v,
                    CmpOp::Gt => own > *v,
                    CmpOp::Ge => own >= *v,
                })
            }
            _ => None,
        })
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
        // What the frames hold: a hub that is passed again and again has all its edges in each.
        let (mut bytes, mut charged) = (0u64, 0u64);
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
                bytes = bytes.saturating_sub(top.bytes());
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
                    Ok(f) => {
                        bytes += f.bytes();
                        stack.push(f);
                        if bytes > charged + 65_536 {
                            if let Err(e) = self.charge(bytes - charged) {
                                result = Err(e);
                                break;
                            }
                            charged = bytes;
                        }
                    }
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
        self.release(charged);
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
}
