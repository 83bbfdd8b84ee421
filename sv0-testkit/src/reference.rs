//! The reference evaluator: the specification of the query language, naive and obvious. It shares nothing with the
//! engine but the syntax tree: no plan, no automaton, no index; nested loops over all nodes and edges, everything held.
//!
//! What it doesn't know it refuses with a panic, so that a comparison never passes by silence.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use sv0_graph::{Direction, EdgeClass, EdgeId, EdgeTypeId, Flow, GraphView, NodeType, Snapshot, Value};
use sv0_query::Val;
use sv0_query::ast::{
    ArithOp, Block, Call, Clause, CmpOp, Dir, EdgePattern, Element, Expr, ExprKind, Filler, Group, Label, Linear,
    Literal, Match, PathMode, PathPattern, Quant, Query, Selector, SetOp, Term, TextOp,
};

mod project;

/// Names to values.
type Row = BTreeMap<String, Val>;

/// An edge, as plain data.
#[derive(Debug, Clone)]
struct Edge {
    id: EdgeId,
    ty: EdgeTypeId,
    from: u32,
    to: u32,
}

/// A path that is being matched, with what its variables stand for.
#[derive(Debug, Clone)]
struct State {
    nodes: Vec<u32>,
    edges: Vec<EdgeId>,
    row: Row,
}

/// Evaluates a query on a small graph.
pub struct Reference<'g> {
    g: &'g Snapshot,
    nodes: Vec<u32>,
    edges: Vec<Edge>,
}

impl<'g> Reference<'g> {
    /// Reads the whole graph.
    #[must_use]
    pub fn new(g: &'g Snapshot) -> Self {
        let nodes = g.nodes(None).unwrap();
        let mut edges = Vec::new();
        for n in &nodes {
            for ty in g.schema().edge_type_ids() {
                g.expand(*n, ty, Direction::Out, &mut |to, id| edges.push(Edge { id, ty, from: *n, to })).unwrap();
            }
        }
        Self { g, nodes, edges }
    }

    /// The rows of a query, in no particular order unless it sorts.
    #[must_use]
    pub fn run(&self, q: &Query) -> Vec<Vec<Val>> {
        self.parts(q, &Row::new())
    }

    fn parts(&self, q: &Query, outer: &Row) -> Vec<Vec<Val>> {
        let mut out = self.linear(&q.first, outer);
        for (op, l) in &q.rest {
            let next = self.linear(l, outer);
            out = combine(*op, out, next);
        }
        out
    }

    /// `OPTIONAL { … }` on one row: all of it, or nulls.
    fn block(&self, b: &Block, row: &Row) -> Vec<Row> {
        let mut rows = vec![row.clone()];
        for c in &b.clauses {
            match c {
                Clause::Match(m) => rows = rows.iter().flat_map(|r| self.match_clause(m, r)).collect(),
                Clause::Optional(b) => rows = rows.iter().flat_map(|r| self.block(b, r)).collect(),
                Clause::Filter(e) => rows.retain(|r| self.eval(e, r).truth() == Some(true)),
                c => panic!("{c:?} in OPTIONAL {{ }}"),
            }
        }
        if rows.is_empty() {
            let mut r = row.clone();
            for v in block_variables(b) {
                r.entry(v).or_insert(Val::Null);
            }
            rows.push(r);
        }
        rows
    }

    /// `CALL (…) { … }` on one row.
    fn call(&self, c: &Call, row: &Row) -> Vec<Row> {
        let seen: Row = match &c.vars {
            None => row.clone(),
            Some(vars) => vars.iter().map(|v| (v.text.to_string(), row[&*v.text].clone())).collect(),
        };
        let columns: Vec<String> = match c.body.first.clauses.last() {
            Some(Clause::Return(p)) => p.items.iter().map(|i| i.name.text.to_string()).collect(),
            c => panic!("CALL ends with {c:?}"),
        };
        let mut found = self.parts(&c.body, &seen);
        if found.is_empty() && c.optional {
            found.push(vec![Val::Null; columns.len()]);
        }
        let with = |values: Vec<Val>| {
            let mut r = row.clone();
            r.extend(columns.iter().cloned().zip(values));
            r
        };
        found.into_iter().map(with).collect()
    }

    fn linear(&self, l: &Linear, outer: &Row) -> Vec<Vec<Val>> {
        assert!(l.graph.is_none(), "USE");
        let mut rows = vec![outer.clone()];
        for c in &l.clauses {
            match c {
                Clause::Match(m) => rows = rows.iter().flat_map(|r| self.match_clause(m, r)).collect(),
                Clause::Filter(e) => rows.retain(|r| self.eval(e, r).truth() == Some(true)),
                Clause::Let(items) => {
                    for r in &mut rows {
                        for (n, e) in items {
                            let v = self.eval(e, r);
                            r.insert(n.text.to_string(), v);
                        }
                    }
                }
                Clause::With(p, f) => {
                    rows = self.project(p, &rows, outer).into_iter().map(|(r, _)| r).collect();
                    if let Some(f) = f {
                        rows.retain(|r| self.eval(f, r).truth() == Some(true));
                    }
                }
                Clause::Return(p) => return self.project(p, &rows, outer).into_iter().map(|(_, v)| v).collect(),
                Clause::Optional(b) => rows = rows.iter().flat_map(|r| self.block(b, r)).collect(),
                Clause::Call(c) => rows = rows.iter().flat_map(|r| self.call(c, r)).collect(),
                Clause::Use(g) => panic!("USE {}", g.name()),
                Clause::For { var, list, position } => {
                    let mut next = Vec::new();
                    for r in &rows {
                        let items = match self.eval(list, r) {
                            Val::List(l) => l.to_vec(),
                            Val::Null => Vec::new(),
                            one => vec![one],
                        };
                        for (i, item) in (0i64..).zip(items) {
                            let mut r = r.clone();
                            r.insert(var.text.to_string(), item);
                            if let Some((p, first)) = position {
                                r.insert(p.text.to_string(), Val::Int(first + i));
                            }
                            next.push(r);
                        }
                    }
                    rows = next;
                }
            }
        }
        rows.into_iter().map(|_| Vec::new()).collect()
    }

    // ---- matching

    fn match_clause(&self, m: &Match, row: &Row) -> Vec<Row> {
        let mut states = vec![State { nodes: Vec::new(), edges: Vec::new(), row: row.clone() }];
        // Edges of all patterns together, for DIFFERENT EDGES; patterns with WALK are exempt.
        let mut used: Vec<Vec<EdgeId>> = vec![Vec::new()];
        for p in &m.patterns {
            let mut next = Vec::new();
            let mut next_used = Vec::new();
            for (s, u) in states.iter().zip(&used) {
                for found in self.pattern(p, m.repeatable, &s.row, u) {
                    let mut all = u.clone();
                    if !m.repeatable && p.mode != Some(PathMode::Walk) {
                        all.extend(&found.edges);
                    }
                    next.push(found);
                    next_used.push(all);
                }
            }
            states = next;
            used = next_used;
        }
        let mut out: Vec<Row> = states.into_iter().map(|s| s.row).collect();
        if let Some(f) = &m.filter {
            out.retain(|r| self.eval(f, r).truth() == Some(true));
        }
        if out.is_empty() && m.optional {
            let mut r = row.clone();
            for v in variables(m) {
                r.entry(v).or_insert(Val::Null);
            }
            out.push(r);
        }
        out
    }

    /// All paths that match a pattern, its selector applied.
    fn pattern(&self, p: &PathPattern, repeatable: bool, row: &Row, used: &[EdgeId]) -> Vec<State> {
        let mode = p.mode.unwrap_or(if repeatable { PathMode::Walk } else { PathMode::Trail });
        let shared = !repeatable && p.mode != Some(PathMode::Walk);
        // DIFFERENT EDGES holds whatever the mode of the path.
        let allowed = |s: &State| {
            keeps(mode, s) && !(shared && (s.edges.iter().any(|e| used.contains(e)) || !keeps(PathMode::Trail, s)))
        };
        let mut found: Vec<State> = Vec::new();
        for n in &self.nodes {
            let start = State { nodes: vec![*n], edges: Vec::new(), row: row.clone() };
            found.extend(self.term(&p.term, vec![start], &allowed));
        }
        let (first, last) = (|s: &State| s.nodes[0], |s: &State| s.nodes[s.nodes.len() - 1]);
        let selected: Vec<State> = match p.selector {
            None | Some(Selector::All) => found,
            Some(sel) => {
                found.sort_by(|a, b| {
                    (first(a), last(a), a.edges.len(), self.order(a)).cmp(&(
                        first(b),
                        last(b),
                        b.edges.len(),
                        self.order(b),
                    ))
                });
                let mut out: Vec<State> = Vec::new();
                let mut at = 0;
                while at < found.len() {
                    let ends = (first(&found[at]), last(&found[at]));
                    let part: Vec<&State> = found[at..].iter().take_while(|s| (first(s), last(s)) == ends).collect();
                    at += part.len();
                    let (mut groups, mut len) = (0, usize::MAX);
                    for (i, s) in part.iter().enumerate() {
                        if s.edges.len() != len {
                            groups += 1;
                            len = s.edges.len();
                        }
                        let take = match sel {
                            Selector::Shortest(k) | Selector::Any(k) => i < k as usize,
                            Selector::AllShortest => groups == 1,
                            Selector::ShortestGroups(k) => groups <= k,
                            Selector::All => true,
                        };
                        if take {
                            out.push((*s).clone());
                        }
                    }
                }
                out
            }
        };
        selected
            .into_iter()
            .map(|mut s| {
                if let Some(v) = &p.var {
                    let path = sv0_query::PathVal { graph: 0, nodes: s.nodes.clone(), edges: s.edges.clone() };
                    s.row.insert(v.text.to_string(), Val::Path(path.into()));
                }
                s
            })
            .collect()
    }

    /// Edge types, then nodes, hop by hop.
    fn order(&self, s: &State) -> Vec<(EdgeTypeId, u32, EdgeId)> {
        s.edges.iter().zip(&s.nodes[1..]).map(|(e, n)| (self.edge(*e).ty, *n, *e)).collect()
    }

    fn edge(&self, id: EdgeId) -> &Edge {
        self.edges.iter().find(|e| e.id == id).unwrap()
    }

    fn term(&self, term: &Term, mut states: Vec<State>, allowed: &dyn Fn(&State) -> bool) -> Vec<State> {
        for e in term {
            states = match e {
                Element::Node(n) => states.into_iter().filter_map(|s| self.node(&n.filler, s)).collect(),
                Element::Edge(e, None) => self.hop(e, states, allowed),
                Element::Edge(e, Some(q)) if q.optional => {
                    let mut without = states.clone();
                    if let Some(v) = &e.filler.var {
                        for s in &mut without {
                            s.row.insert(v.text.to_string(), Val::Null);
                        }
                    }
                    without.extend(self.hop(e, states, allowed));
                    without
                }
                Element::Edge(e, Some(q)) => {
                    let var = e.filler.var.as_ref().map(|v| v.text.to_string());
                    let list =
                        |s: &State, from: usize| Val::List(s.edges[from..].iter().map(|e| Val::Edge(0, *e)).collect());
                    let mut out = Vec::new();
                    for s in states {
                        let from = s.edges.len();
                        let mut layer = vec![s];
                        let mut i = 0;
                        loop {
                            if i >= q.min {
                                out.extend(layer.iter().cloned().map(|mut s| {
                                    if let Some(v) = &var {
                                        let l = list(&s, from);
                                        s.row.insert(v.clone(), l);
                                    }
                                    s
                                }));
                            }
                            if q.max == Some(i) || layer.is_empty() {
                                break;
                            }
                            // Within the quantifier the variable is one edge.
                            layer = self
                                .hop(e, layer, allowed)
                                .into_iter()
                                .map(|mut s| {
                                    if let Some(v) = &var {
                                        s.row.remove(v);
                                    }
                                    s
                                })
                                .collect();
                            i += 1;
                        }
                    }
                    out
                }
                Element::Group(g) => self.group(g, states, allowed),
            };
        }
        states
    }

    /// One alternative or another.
    fn alternatives(&self, g: &Group, states: &[State], allowed: &dyn Fn(&State) -> bool) -> Vec<State> {
        let mut out: Vec<State> = Vec::new();
        for t in &g.alternatives {
            for s in self.term(t, states.to_vec(), allowed) {
                // A path that fits two alternatives alike is one.
                if !out.iter().any(|o| (&o.nodes, &o.edges, &o.row) == (&s.nodes, &s.edges, &s.row)) {
                    out.push(s);
                }
            }
        }
        out
    }

    fn group(&self, g: &Group, states: Vec<State>, allowed: &dyn Fn(&State) -> bool) -> Vec<State> {
        let holds = |s: &State| g.filter.as_ref().is_none_or(|f| self.eval(f, &s.row).truth() == Some(true));
        let mut names = Vec::new();
        g.alternatives.iter().for_each(|t| term_variables(t, &mut names));
        let Some(q) = &g.quantifier else {
            let mut out = self.alternatives(g, &states, allowed);
            for s in &mut out {
                names.iter().for_each(|v| _ = s.row.entry(v.clone()).or_insert(Val::Null));
            }
            out.retain(holds);
            return out;
        };
        if q.optional {
            let mut out = states.clone();
            out.extend(self.alternatives(g, &states, allowed));
            for s in &mut out {
                names.iter().for_each(|v| _ = s.row.entry(v.clone()).or_insert(Val::Null));
            }
            return out;
        }
        // Within an iteration a variable is one element; behind it, the list of all iterations' elements.
        let mut out = Vec::new();
        for s in states {
            let mut layer = vec![(s, BTreeMap::<String, Vec<Val>>::new())];
            let mut i = 0;
            loop {
                if i >= q.min {
                    for (s, lists) in &layer {
                        let mut s = s.clone();
                        for v in &names {
                            let l = lists.get(v).cloned().unwrap_or_default();
                            s.row.insert(v.clone(), Val::List(l.into()));
                        }
                        out.push(s);
                    }
                }
                if q.max == Some(i) || layer.is_empty() {
                    break;
                }
                let mut next = Vec::new();
                for (s, lists) in layer {
                    for mut t in self.alternatives(g, &[s], allowed) {
                        if !holds(&t) {
                            continue;
                        }
                        let mut lists = lists.clone();
                        for v in &names {
                            if let Some(value) = t.row.remove(v) {
                                lists.entry(v.clone()).or_default().push(value);
                            }
                        }
                        next.push((t, lists));
                    }
                }
                layer = next;
                i += 1;
            }
        }
        out
    }

    fn node(&self, f: &Filler, mut s: State) -> Option<State> {
        let n = *s.nodes.last().unwrap();
        if let Some(l) = &f.label
            && !self.labelled(l, n)
        {
            return None;
        }
        let v = Val::Node(0, n);
        if let Some(name) = &f.var {
            match s.row.get(&*name.text) {
                Some(old) if *old != v => return None,
                _ => {
                    s.row.insert(name.text.to_string(), v.clone());
                }
            }
        }
        self.fits(f, &v, &s.row).then_some(s)
    }

    fn hop(&self, p: &EdgePattern, states: Vec<State>, allowed: &dyn Fn(&State) -> bool) -> Vec<State> {
        let mut out = Vec::new();
        for s in states {
            let at = *s.nodes.last().unwrap();
            for e in &self.edges {
                // A loop is met once.
                let ways: &[Direction] =
                    if e.from == e.to { &[Direction::Out] } else { &[Direction::Out, Direction::In] };
                for way in ways {
                    let (start, end) = if *way == Direction::Out { (e.from, e.to) } else { (e.to, e.from) };
                    let loop_too = e.from == e.to && self.walks(p, e.ty, Direction::In);
                    if start != at || !(self.walks(p, e.ty, *way) || loop_too) {
                        continue;
                    }
                    let mut t = s.clone();
                    t.nodes.push(end);
                    t.edges.push(e.id);
                    let v = Val::Edge(0, e.id);
                    if let Some(name) = &p.filler.var {
                        t.row.insert(name.text.to_string(), v.clone());
                    }
                    if allowed(&t) && self.fits(&p.filler, &v, &t.row) {
                        out.push(t);
                    }
                }
            }
        }
        out
    }

    fn fits(&self, f: &Filler, v: &Val, row: &Row) -> bool {
        f.props.iter().all(|(n, e)| self.property(v, &n.text).equals(&self.eval(e, row)) == Some(true))
            && f.filter.as_ref().is_none_or(|w| self.eval(w, row).truth() == Some(true))
    }

    /// Whether an edge pattern may walk edges of a type that way.
    fn walks(&self, p: &EdgePattern, ty: EdgeTypeId, way: Direction) -> bool {
        let written = match p.dir {
            Dir::Right => way == Direction::Out,
            Dir::Left => way == Direction::In,
            Dir::Any => true,
        };
        p.filler.label.as_ref().map_or(written, |l| self.edge_label(l, p.dir, ty, way, written))
    }

    fn edge_label(&self, l: &Label, dir: Dir, ty: EdgeTypeId, way: Direction, written: bool) -> bool {
        match l {
            Label::Any => written,
            Label::And(a, b) => self.edge_label(a, dir, ty, way, written) && self.edge_label(b, dir, ty, way, written),
            Label::Or(a, b) => self.edge_label(a, dir, ty, way, written) || self.edge_label(b, dir, ty, way, written),
            Label::Not(a) => {
                let either = |w| self.edge_label(a, Dir::Any, ty, w, true);
                written && !either(Direction::Out) && !either(Direction::In)
            }
            Label::Name(n) => {
                let t = self.g.schema().edge_type(ty);
                if t.name == *n.text {
                    return written;
                }
                if !EdgeClass::ALL.iter().any(|c| c.name() == &*n.text && *c == t.class) {
                    return false;
                }
                // A class is walked along the flow of authority.
                let along = match t.flow {
                    Flow::Forward => way == Direction::Out,
                    Flow::Backward => way == Direction::In,
                    Flow::Both => true,
                };
                match dir {
                    Dir::Right => along,
                    Dir::Left => t.flow == Flow::Both || !along,
                    Dir::Any => true,
                }
            }
        }
    }

    fn labelled(&self, l: &Label, n: u32) -> bool {
        match l {
            Label::Any => true,
            Label::Not(a) => !self.labelled(a, n),
            Label::And(a, b) => self.labelled(a, n) && self.labelled(b, n),
            Label::Or(a, b) => self.labelled(a, n) || self.labelled(b, n),
            Label::Name(name) => {
                let ty: Option<NodeType> = name.text.parse().ok();
                self.g.node_type(n) == ty && ty.is_some()
                    || matches!(self.g.prop(n, "kind").unwrap(), Value::Str(k) if k == name.text)
                    || self.g.prop(n, "tags").unwrap().as_list().contains(&name.text)
            }
        }
    }

    fn property(&self, v: &Val, name: &str) -> Val {
        match v {
            Val::Node(_, n) => match name {
                "id" => Val::Str(self.g.key(*n).unwrap().id),
                "type" => Val::str(self.g.node_type(*n).unwrap().name()),
                _ => self.g.prop(*n, name).unwrap().into(),
            },
            Val::Edge(_, e) => {
                let r = self.g.edge(*e).unwrap();
                match name {
                    "key" => Val::Str(r.key),
                    "state" => Val::str(r.state.name()),
                    "evidence" => Val::str(r.evidence.name()),
                    _ => panic!("edge property {name}"),
                }
            }
            Val::Null => Val::Null,
            v => panic!("property of {v:?}"),
        }
    }

    // ---- expressions

    fn eval(&self, e: &Expr, row: &Row) -> Val {
        let bool3 = |b: Option<bool>| b.map_or(Val::Null, Val::Bool);
        match &e.kind {
            ExprKind::Lit(l) => match l {
                Literal::Null => Val::Null,
                Literal::Bool(b) => Val::Bool(*b),
                Literal::Int(n) => Val::Int(*n),
                Literal::Float(f) => Val::Float(*f),
                Literal::Str(s) => Val::Str(s.clone()),
            },
            ExprKind::Var(v) => row.get(&**v).cloned().unwrap_or_else(|| panic!("variable {v}")),
            ExprKind::Prop(b, n) => self.property(&self.eval(b, row), &n.text),
            ExprKind::List(l) => Val::List(l.iter().map(|x| self.eval(x, row)).collect()),
            ExprKind::Not(a) => bool3(self.eval(a, row).truth().map(|b| !b)),
            ExprKind::And(a, b) => bool3(match (self.eval(a, row).truth(), self.eval(b, row).truth()) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            }),
            ExprKind::Or(a, b) => bool3(match (self.eval(a, row).truth(), self.eval(b, row).truth()) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            }),
            ExprKind::IsNull(a, not) => Val::Bool(matches!(self.eval(a, row), Val::Null) != *not),
            ExprKind::HasLabel(a, l) => match self.eval(a, row) {
                Val::Node(_, n) => Val::Bool(self.labelled(l, n)),
                _ => Val::Null,
            },
            ExprKind::Cmp(op, a, b) => {
                let (a, b) = (self.eval(a, row), self.eval(b, row));
                bool3(match op {
                    CmpOp::Eq => a.equals(&b),
                    CmpOp::Ne => a.equals(&b).map(|x| !x),
                    CmpOp::Lt => a.compare(&b).map(|o| o == Ordering::Less),
                    CmpOp::Le => a.compare(&b).map(|o| o != Ordering::Greater),
                    CmpOp::Gt => a.compare(&b).map(|o| o == Ordering::Greater),
                    CmpOp::Ge => a.compare(&b).map(|o| o != Ordering::Less),
                })
            }
            ExprKind::In(a, l) => {
                let a = self.eval(a, row);
                let Val::List(l) = self.eval(l, row) else { return Val::Null };
                let hits: Vec<Option<bool>> = l.iter().map(|x| a.equals(x)).collect();
                bool3(if hits.contains(&Some(true)) {
                    Some(true)
                } else if hits.contains(&None) {
                    None
                } else {
                    Some(false)
                })
            }
            ExprKind::Text(op, a, b) => match (self.eval(a, row), self.eval(b, row)) {
                (Val::Str(a), Val::Str(b)) => Val::Bool(match op {
                    TextOp::StartsWith => a.starts_with(&*b),
                    TextOp::EndsWith => a.ends_with(&*b),
                    TextOp::Contains => a.contains(&*b),
                    TextOp::Regex => panic!("regex"),
                }),
                _ => Val::Null,
            },
            ExprKind::Arith(ArithOp::Add, a, b) => match (self.eval(a, row), self.eval(b, row)) {
                (Val::Int(a), Val::Int(b)) => Val::Int(a + b),
                (Val::Null, _) | (_, Val::Null) => Val::Null,
                v => panic!("{v:?}"),
            },
            ExprKind::ListPred(q, v, l, p) => {
                let Val::List(l) = self.eval(l, row) else { return Val::Null };
                let t: Vec<Option<bool>> = l
                    .iter()
                    .map(|x| {
                        let mut r = row.clone();
                        r.insert(v.text.to_string(), x.clone());
                        self.eval(p, &r).truth()
                    })
                    .collect();
                let (yes, no, unknown) = (
                    t.iter().filter(|x| **x == Some(true)).count(),
                    t.iter().filter(|x| **x == Some(false)).count(),
                    t.iter().filter(|x| x.is_none()).count(),
                );
                bool3(match q {
                    Quant::Any => {
                        if yes > 0 {
                            Some(true)
                        } else if unknown > 0 {
                            None
                        } else {
                            Some(false)
                        }
                    }
                    Quant::All => {
                        if no > 0 {
                            Some(false)
                        } else if unknown > 0 {
                            None
                        } else {
                            Some(true)
                        }
                    }
                    Quant::None => {
                        if yes > 0 {
                            Some(false)
                        } else if unknown > 0 {
                            None
                        } else {
                            Some(true)
                        }
                    }
                    Quant::Single => {
                        if yes > 1 {
                            Some(false)
                        } else if unknown > 0 {
                            None
                        } else {
                            Some(yes == 1)
                        }
                    }
                })
            }
            ExprKind::Exists(s) => Val::Bool(!self.linear(&s.linear, row).is_empty()),
            ExprKind::Count(s) => Val::Int(i64::try_from(self.linear(&s.linear, row).len()).unwrap()),
            ExprKind::Call { name, args, .. } => {
                let v = self.eval(&args[0], row);
                match (&**name, v) {
                    ("size", Val::List(l)) => Val::Int(i64::try_from(l.len()).unwrap()),
                    ("path_length" | "length", Val::Path(p)) => Val::Int(i64::try_from(p.edges.len()).unwrap()),
                    ("nodes", Val::Path(p)) => Val::List(p.nodes.iter().map(|n| Val::Node(0, *n)).collect()),
                    ("relationships", Val::Path(p)) => Val::List(p.edges.iter().map(|e| Val::Edge(0, *e)).collect()),
                    (_, Val::Null) => Val::Null,
                    (n, v) => panic!("{n}({v:?})"),
                }
            }
            k => panic!("expression {k:?}"),
        }
    }
}

/// Whether a path so far fits its mode.
fn keeps(mode: PathMode, s: &State) -> bool {
    let distinct = |l: &[u32]| l.iter().enumerate().all(|(i, n)| !l[..i].contains(n));
    match mode {
        PathMode::Walk => true,
        PathMode::Trail => s.edges.iter().enumerate().all(|(i, e)| !s.edges[..i].contains(e)),
        PathMode::Acyclic => distinct(&s.nodes),
        // The ends may be the same, but nothing goes on from there.
        PathMode::Simple => {
            let inner = &s.nodes[..s.nodes.len().saturating_sub(1)];
            distinct(inner) && distinct(&s.nodes[1..])
        }
    }
}

fn variables(m: &Match) -> Vec<String> {
    let mut out = Vec::new();
    for p in &m.patterns {
        out.extend(p.var.iter().map(|v| v.text.to_string()));
        term_variables(&p.term, &mut out);
    }
    out
}

fn block_variables(b: &Block) -> Vec<String> {
    let of = |c: &Clause| match c {
        Clause::Match(m) => variables(m),
        Clause::Optional(b) => block_variables(b),
        _ => Vec::new(),
    };
    b.clauses.iter().flat_map(of).collect()
}

fn term_variables(term: &Term, out: &mut Vec<String>) {
    for e in term {
        let f = match e {
            Element::Node(n) => &n.filler,
            Element::Edge(e, _) => &e.filler,
            Element::Group(g) => {
                g.alternatives.iter().for_each(|t| term_variables(t, out));
                continue;
            }
        };
        out.extend(f.var.iter().map(|v| v.text.to_string()));
    }
}

fn combine(op: SetOp, a: Vec<Vec<Val>>, b: Vec<Vec<Val>>) -> Vec<Vec<Val>> {
    let distinct = |rows: Vec<Vec<Val>>| {
        let mut out: Vec<Vec<Val>> = Vec::new();
        for r in rows {
            if !out.contains(&r) {
                out.push(r);
            }
        }
        out
    };
    match op {
        SetOp::UnionAll => a.into_iter().chain(b).collect(),
        SetOp::Union => distinct(a.into_iter().chain(b).collect()),
        SetOp::Except => distinct(a.into_iter().filter(|r| !b.contains(r)).collect()),
        SetOp::Intersect => distinct(a.into_iter().filter(|r| b.contains(r)).collect()),
        o => panic!("{o:?}"),
    }
}
