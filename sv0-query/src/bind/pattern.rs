//! Binding of path patterns: elements, label inference against the schema, and the automaton.

use std::collections::BTreeSet;
use std::sync::Arc;

use sv0_graph::{Direction, EdgeTypeId, Flow};

use super::uses;
use super::{Binder, Scope, Var, VarKind};
use crate::ast::{
    CmpOp, Dir, EdgePattern, Element, Expr, ExprKind, Filler, Label, Match, Name, PathMode, PathPattern, Quant,
    Quantifier, Span, Term,
};
use crate::diag::{Code, Diagnostic};
use crate::plan::{CExpr, Elem, Nfa, Pattern, Slot, Tree};
use shape::{always_moves, is_quantified, is_unbounded};

mod infer;
mod shape;

const ALL_TYPES: u16 = (1 << 9) - 1;

/// What binding a MATCH's patterns gives.
pub(crate) struct Bound {
    pub patterns: Vec<Pattern>,
    /// Conjuncts that run after the patterns.
    pub rest: Vec<Expr>,
}

/// State while one path pattern is built.
struct Build<'e> {
    elems: Vec<Elem>,
    /// Names that this pattern declares, with what they are outside.
    names: BTreeSet<Arc<str>>,
    groups: Vec<(Arc<str>, Slot, Vec<usize>)>,
    binds: Vec<Slot>,
    whole: Vec<(Expr, Scope)>,
    alternatives: bool,
    /// Conjuncts of the MATCH's WHERE. Those of a legacy form belong to its elements.
    push: &'e mut Vec<Expr>,
    legacy: bool,
    bound_before: BTreeSet<Arc<str>>,
    /// What earlier clauses bound.
    earlier: &'e BTreeSet<Arc<str>>,
}

/// The innermost quantified group around an element.
struct Inner {
    scope: Scope,
    reset: Vec<Slot>,
    checks: Vec<Expr>,
    names: BTreeSet<Arc<str>>,
}

impl Binder<'_> {
    pub(crate) fn patterns(&mut self, m: &Match, scope: &mut Scope) -> Bound {
        let mut rest = Vec::new();
        if let Some(f) = &m.filter {
            conjuncts(f, &mut rest);
        }
        self.lint_product(m, scope, &rest);
        for p in &m.patterns {
            self.lint_scan(p, scope, &rest);
        }
        let earlier: BTreeSet<Arc<str>> = scope.keys().cloned().collect();
        if !m.repeatable && m.patterns.len() > 1 {
            for p in m.patterns.iter().filter(|p| p.selector.is_some_and(|s| s != crate::ast::Selector::All)) {
                let d = Diagnostic::new(Code::Pattern, p.span, "a selector beside another path pattern in one MATCH");
                self.error(d.help("write two MATCH clauses"));
            }
        }
        let mut out = Vec::new();
        for p in &m.patterns {
            out.push(self.pattern(p, m, scope, &mut rest, &earlier));
        }
        Bound { patterns: out, rest }
    }

    fn pattern(
        &mut self,
        p: &PathPattern,
        m: &Match,
        scope: &mut Scope,
        push: &mut Vec<Expr>,
        earlier: &BTreeSet<Arc<str>>,
    ) -> Pattern {
        let bound_before: BTreeSet<Arc<str>> = scope.keys().cloned().collect();
        let path_slot = p.var.as_ref().map(|v| self.declare(v, VarKind::Path, scope, false));
        let mut term = p.term.clone();
        // Parentheses around everything: a pre-filter.
        let mut pre: Option<Expr> = None;
        if let [Element::Group(g)] = term.as_slice()
            && g.quantifier.is_none()
            && g.alternatives.len() == 1
        {
            pre.clone_from(&g.filter);
            term = g.alternatives.first().cloned().unwrap_or_default();
        }
        if p.legacy {
            self.check_legacy(p, &term);
        }
        let mut own = BTreeSet::new();
        uses::term_names(&term, &mut own);
        let mut b = Build {
            elems: Vec::new(),
            names: BTreeSet::new(),
            groups: Vec::new(),
            binds: path_slot.into_iter().collect(),
            whole: Vec::new(),
            alternatives: false,
            push,
            legacy: p.legacy,
            bound_before,
            earlier,
        };
        let quantified = is_quantified(&term);
        let tree = self.term(&term, scope, &mut None, &mut b);
        if p.legacy {
            self.legacy_filters(p, scope, &mut b);
        }
        if let Some(f) = pre {
            let mut parts = Vec::new();
            conjuncts(&f, &mut parts);
            b.whole.extend(parts.into_iter().map(|e| (e, scope.clone())));
        }
        let mode = p.mode.unwrap_or(if m.repeatable { PathMode::Walk } else { PathMode::Trail });
        let selective = p.selector.is_some_and(|s| s != crate::ast::Selector::All);
        if mode == PathMode::Walk && !selective && is_unbounded(&tree) {
            let d = Diagnostic::new(Code::Pattern, p.span, "an unbounded walk has infinitely many matches");
            self.error(d.help("bound the quantifier, or write TRAIL, ACYCLIC or ANY SHORTEST"));
        }
        self.infer(&tree, &b.elems, scope, p);
        let post: Vec<CExpr> =
            std::mem::take(&mut b.whole).iter().map(|(e, s)| self.boolean(e, &with(scope, s))).collect();
        Pattern {
            elems: b.elems,
            tree,
            quantified,
            own_mode: p.mode.is_some(),
            selector: p.selector.filter(|s| *s != crate::ast::Selector::All),
            mode,
            shared_edges: !m.repeatable && p.mode != Some(PathMode::Walk),
            path_slot,
            looks_back: false,
            chain: None,
            hop: None,
            lone: None,
            turned: None,
            nfa: Nfa::default(),
            reversed: Nfa::default(),
            first: Elem::default(),
            last: Elem::default(),
            post,
            binds: b.binds,
            groups: b.groups.into_iter().map(|(_, s, e)| (s, e)).collect(),
            legacy: p.legacy,
            alternatives: b.alternatives,
            ends_only: false,
            tally: false,
            reversible: false,
            span: p.span,
        }
    }

    fn check_legacy(&mut self, p: &PathPattern, term: &Term) {
        let edges: Vec<&Element> = term.iter().filter(|e| !matches!(e, Element::Node(_))).collect();
        let lower = match edges.as_slice() {
            [Element::Edge(_, q)] => q.map_or(1, |q| q.min),
            _ => {
                let d = Diagnostic::new(Code::Pattern, p.span, "shortestPath takes one edge pattern between two nodes");
                self.error(d.help("write `ANY SHORTEST` before the path pattern"));
                return;
            }
        };
        if lower > 1 {
            let d = Diagnostic::new(Code::Pattern, p.span, "shortestPath's lower bound is 0 or 1");
            self.error(d.help("write `ANY SHORTEST (a)-[…]->{m,n}(b)`"));
        }
    }

    /// The WHERE of a legacy `shortestPath` is a pre-filter: what it says of all nodes or edges of the path becomes a
    /// filter of each hop; anything else about the path is refused.
    fn legacy_filters(&mut self, p: &PathPattern, scope: &Scope, b: &mut Build<'_>) {
        let Some(path) = &p.var else { return };
        let mut kept = Vec::new();
        for c in std::mem::take(b.push) {
            if !uses::variables(&c).contains(&path.text) {
                kept.push(c);
                continue;
            }
            let hop = match &c.kind {
                ExprKind::ListPred(q @ (Quant::All | Quant::None), var, l, pred) => match &l.kind {
                    ExprKind::Call { name, args, .. } if matches!(&args[..], [Expr { kind: ExprKind::Var(v), .. }] if *v == path.text) => {
                        match &**name {
                            "nodes" => Some((*q, var, pred, true)),
                            "relationships" | "edges" | "rels" => Some((*q, var, pred, false)),
                            _ => None,
                        }
                    }
                    _ => None,
                },
                _ => None,
            };
            let own = |n: &Arc<str>| b.names.contains(n) && !b.bound_before.contains(n);
            let hop = hop.filter(|(_, var, pred, _)| !uses::variables(pred).iter().any(|n| *n != var.text && own(n)));
            let Some((q, var, pred, nodes)) = hop else {
                let d = Diagnostic::new(Code::Unsupported, c.span, "this condition on a shortestPath");
                self.error(d.help("write `MATCH p = ANY SHORTEST ((a)-[e]->+(b) WHERE …)`"));
                continue;
            };
            for i in 0..b.elems.len() {
                if b.elems[i].steps.is_empty() != nodes {
                    continue;
                }
                let slot = b.elems[i].slot.unwrap_or_else(|| self.slot());
                b.elems[i].slot = Some(slot);
                let mut inner = scope.clone();
                inner.insert(var.text.clone(), Var { slot, kind: VarKind::Value });
                let e = self.boolean(pred, &inner);
                b.elems[i].filters.push(if q == Quant::None { CExpr::Not(Box::new(e)) } else { e });
            }
        }
        *b.push = kept;
    }

    fn term(&mut self, term: &Term, scope: &mut Scope, inner: &mut Option<Inner>, b: &mut Build<'_>) -> Tree {
        let mut seq = Vec::new();
        for e in term {
            seq.push(match e {
                Element::Node(n) => {
                    let i = self.element(&n.filler, n.span, None, scope, inner, b);
                    Tree::Node(i)
                }
                Element::Edge(e, None) => {
                    let i = self.element(&e.filler, e.span, Some(e), scope, inner, b);
                    Tree::Edge(i)
                }
                Element::Edge(e, Some(q)) => self.quantified_edge(e, q, scope, inner, b),
                Element::Group(g) => match &g.quantifier {
                    None => {
                        let t = self.alternatives(&g.alternatives, scope, inner, b);
                        if let Some(f) = &g.filter {
                            match inner {
                                Some(i) => i.checks.push(f.clone()),
                                None => b.whole.push((f.clone(), Scope::new())),
                            }
                        }
                        t
                    }
                    Some(q) if q.optional => {
                        let t = self.alternatives(&g.alternatives, scope, inner, b);
                        if let Some(f) = &g.filter {
                            let d = Diagnostic::new(Code::Unsupported, f.span, "WHERE inside an optional sub-path");
                            self.error(d.help("put the condition on its elements"));
                        }
                        self.repeat(t, q, Vec::new(), None, g.span, b)
                    }
                    Some(q) => {
                        if inner.is_some() {
                            let d = Diagnostic::new(Code::Unsupported, g.span, "a quantified sub-path within another");
                            self.error(d.help("quantify the inner part alone"));
                        }
                        let mut group = Some(Inner {
                            scope: scope.clone(),
                            reset: Vec::new(),
                            checks: g.filter.iter().cloned().collect(),
                            names: BTreeSet::new(),
                        });
                        let t = self.alternatives(&g.alternatives, scope, &mut group, b);
                        let (reset, check) = match group {
                            Some(i) => {
                                let mut check: Option<CExpr> = None;
                                for c in &i.checks {
                                    self.looks_out(c, &i.names, b);
                                    let c = self.boolean(c, &i.scope);
                                    check = Some(match check {
                                        None => c,
                                        Some(o) => CExpr::And(Box::new(o), Box::new(c)),
                                    });
                                }
                                (i.reset, check)
                            }
                            None => (Vec::new(), None),
                        };
                        self.repeat(t, q, reset, check, g.span, b)
                    }
                },
            });
        }
        if seq.len() == 1 { seq.pop().unwrap_or(Tree::Seq(Vec::new())) } else { Tree::Seq(seq) }
    }

    fn alternatives(&mut self, alts: &[Term], scope: &mut Scope, inner: &mut Option<Inner>, b: &mut Build<'_>) -> Tree {
        if let [only] = alts {
            return self.term(only, scope, inner, b);
        }
        b.alternatives = true;
        Tree::Alt(alts.iter().map(|t| self.term(t, scope, inner, b)).collect())
    }

    fn quantified_edge(
        &mut self,
        e: &EdgePattern,
        q: &Quantifier,
        scope: &mut Scope,
        inner: &mut Option<Inner>,
        b: &mut Build<'_>,
    ) -> Tree {
        if q.optional {
            let i = self.element(&e.filler, e.span, Some(e), scope, inner, b);
            return self.repeat(Tree::Edge(i), q, Vec::new(), None, e.span, b);
        }
        if inner.is_some() {
            let d = Diagnostic::new(Code::Unsupported, e.span, "a quantified edge within a quantified sub-path");
            self.error(d.help("quantify the sub-path alone"));
        }
        let mut group =
            Some(Inner { scope: scope.clone(), reset: Vec::new(), checks: Vec::new(), names: BTreeSet::new() });
        let i = self.element(&e.filler, e.span, Some(e), scope, &mut group, b);
        let mut reset = group.map(|g| g.reset).unwrap_or_default();
        if !b.legacy {
            return self.repeat(Tree::Edge(i), q, reset, None, e.span, b);
        }
        // What a legacy form's WHERE says of all nodes and edges is tested at each hop: give each a place.
        let slot = b.elems[i].slot.unwrap_or_else(|| self.slot());
        b.elems[i].slot = Some(slot);
        let node = self.slot();
        reset.extend([slot, node]);
        let elem =
            Elem { slot: Some(node), label: None, steps: Vec::new(), filters: Vec::new(), span: e.span, key: None };
        b.elems.push(elem);
        let hop = Tree::Seq(vec![Tree::Edge(i), Tree::Node(b.elems.len() - 1)]);
        self.repeat(hop, q, reset, None, e.span, b)
    }

    fn repeat(
        &mut self,
        inner: Tree,
        q: &Quantifier,
        reset: Vec<Slot>,
        check: Option<CExpr>,
        span: Span,
        _: &Build<'_>,
    ) -> Tree {
        if !always_moves(&inner) {
            let d = Diagnostic::new(Code::Pattern, span, "a quantified sub-path needs an edge in it");
            self.error(d);
        }
        Tree::Repeat { inner: Box::new(inner), min: q.min, max: q.max, reset, check }
    }

    /// Declares an element's variable and binds its parts.
    fn element(
        &mut self,
        f: &Filler,
        span: Span,
        edge: Option<&EdgePattern>,
        scope: &mut Scope,
        inner: &mut Option<Inner>,
        b: &mut Build<'_>,
    ) -> usize {
        let number = b.elems.len();
        let kind = if edge.is_some() { VarKind::Edge } else { VarKind::Node(ALL_TYPES) };
        let slot = f.var.as_ref().map(|v| self.variable_slot(v, kind, number, scope, inner, b));
        let label = match (&f.label, edge) {
            (None, _) => None,
            (Some(l), None) => Some(self.node_label(l)),
            (Some(_), Some(_)) => None,
        };
        let steps = edge.map(|e| self.steps(e)).unwrap_or_default();
        b.elems.push(Elem { slot, label, steps, filters: Vec::new(), span, key: None });
        // Everything that must hold of the element, as expressions over its variable.
        let mut local: Vec<Expr> = Vec::new();
        if let Some(w) = &f.filter {
            conjuncts(w, &mut local);
        }
        if inner.is_none()
            && let Some(v) = &f.var
        {
            let mut kept = Vec::new();
            for c in std::mem::take(b.push) {
                let names = uses::variables(&c);
                let alone = names.iter().all(|n| *n == v.text || b.bound_before.contains(n)) && names.contains(&v.text);
                if b.legacy && alone && !has_subquery(&c) && !b.bound_before.contains(&v.text) {
                    local.push(c);
                } else {
                    kept.push(c);
                }
            }
            *b.push = kept;
        }
        let own = f.var.as_ref().map(|v| v.text.clone());
        for c in local {
            let names = uses::variables(&c);
            let foreign = |n: &Arc<str>| Some(n) != own.as_ref() && !b.bound_before.contains(n);
            match inner {
                Some(i) => {
                    if names.iter().any(|n| foreign(n) && i.names.contains(n)) {
                        i.checks.push(c);
                    } else {
                        self.looks_out(&c, &i.names, b);
                        let e = self.boolean(&c, &i.scope.clone());
                        b.elems[number].filters.push(e);
                    }
                }
                None if names.iter().any(foreign) => b.whole.push((c, Scope::new())),
                None => {
                    let e = self.boolean(&c, scope);
                    b.elems[number].filters.push(e);
                }
            }
        }
        if let (Some(l), Some(_)) = (&f.label, edge)
            && self.names_change(l)
        {
            // What became of an edge isn't a matter of its type: it is tested at the edge.
            let s = self.element_slot(number, inner, b);
            let label = self.edge_label(l);
            b.elems[number].filters.push(CExpr::HasLabel(Box::new(CExpr::Slot(s)), label));
        }
        for (name, value) in &f.props {
            // {name: value} is variable.name = value.
            let s = self.element_slot(number, inner, b);
            let hidden: Arc<str> = "\u{0}element".into();
            let base_scope = inner.as_ref().map_or_else(|| scope.clone(), |i| i.scope.clone());
            let mut with = base_scope.clone();
            with.insert(hidden.clone(), Var { slot: s, kind });
            let base = Expr { kind: ExprKind::Var(hidden), span: name.span };
            let prop = Expr { kind: ExprKind::Prop(Box::new(base), name.clone()), span: name.span };
            let names = uses::variables(value);
            let cmp = Expr {
                kind: ExprKind::Cmp(CmpOp::Eq, Box::new(prop), Box::new(value.clone())),
                span: (name.span.0, value.span.1),
            };
            let foreign = names.iter().any(|n| !b.bound_before.contains(n));
            if let Some(i) = inner {
                self.looks_out(value, &i.names, b);
            }
            if foreign && inner.is_none() {
                b.whole.push((cmp, with));
            } else {
                let e = self.boolean(&cmp, &with);
                b.elems[number].filters.push(e);
            }
        }
        number
    }

    /// A condition under a quantifier is asked at each hop: what else its own pattern binds may not be known there.
    fn looks_out(&mut self, c: &Expr, inner: &BTreeSet<Arc<str>>, b: &Build<'_>) {
        let seen = |n: &&Arc<str>| b.names.contains(*n) && !inner.contains(*n) && !b.bound_before.contains(*n);
        if let Some(n) = uses::variables(c).iter().find(seen) {
            let m = format!("a condition under a quantifier sees `{n}`, which its own pattern binds elsewhere");
            let d = Diagnostic::new(Code::Pattern, c.span, m);
            self.error(d.help(format!("bind `{n}` in a MATCH before, or ask the list: `all(x IN … WHERE …)`")));
        }
    }

    /// The slot of an element, a new one if it has no variable.
    fn element_slot(&mut self, number: usize, inner: &mut Option<Inner>, b: &mut Build<'_>) -> Slot {
        if let Some(s) = b.elems[number].slot {
            return s;
        }
        let s = self.slot();
        b.elems[number].slot = Some(s);
        match inner {
            Some(i) => i.reset.push(s),
            None => b.binds.push(s),
        }
        s
    }

    /// Whether a label expression says what became of an element.
    fn names_change(&self, l: &Label) -> bool {
        match l {
            Label::Any => false,
            Label::Not(a) => self.names_change(a),
            Label::And(a, b) | Label::Or(a, b) => self.names_change(a) || self.names_change(b),
            Label::Name(n) => self.set.schema.edge_type_id(&n.text).is_none() && self.change_label(&n.text).is_some(),
        }
    }

    fn variable_slot(
        &mut self,
        v: &Name,
        kind: VarKind,
        number: usize,
        scope: &mut Scope,
        inner: &mut Option<Inner>,
        b: &mut Build<'_>,
    ) -> Slot {
        if let Some(i) = inner {
            if i.names.contains(&v.text) || (scope.contains_key(&v.text) && !b.names.contains(&v.text)) {
                let d = Diagnostic::new(Code::Scope, v.span, format!("`{}` is bound already", v.text));
                self.error(d.help("a variable under a quantifier is a list of its own"));
            }
            let slot = self.slot();
            i.reset.push(slot);
            i.names.insert(v.text.clone());
            i.scope.insert(v.text.clone(), Var { slot, kind });
            if let Some(g) = b.groups.iter_mut().find(|g| g.0 == v.text) {
                g.2.push(number);
            } else {
                let outer =
                    self.declare(v, VarKind::List { edge: kind == VarKind::Edge }, scope, b.names.contains(&v.text));
                b.groups.push((v.text.clone(), outer, vec![number]));
                b.binds.push(outer);
            }
            b.names.insert(v.text.clone());
            return slot;
        }
        if let Some(old) = scope.get(&v.text).copied() {
            match (old.kind, kind) {
                (VarKind::Node(_), VarKind::Node(_)) => {}
                (VarKind::Edge, VarKind::Edge) if b.alternatives => {}
                // An edge that an earlier clause found may stand again, once; the search tests it.
                (VarKind::Edge, VarKind::Edge) if b.earlier.contains(&v.text) && !b.names.contains(&v.text) => {}
                (VarKind::Edge, VarKind::Edge) => {
                    let m = format!("edge variable `{}` is used twice", v.text);
                    let d = Diagnostic::new(Code::Pattern, v.span, m);
                    self.error(d.help("name the second edge otherwise; one edge can't serve twice in a MATCH"));
                }
                // A value that came through WITH may be a node; the search checks it.
                (VarKind::Value, _) => {}
                _ => {
                    let m = format!("`{}` is bound already, as something else", v.text);
                    self.error(Diagnostic::new(Code::Scope, v.span, m));
                }
            }
            b.names.insert(v.text.clone());
            return old.slot;
        }
        let slot = self.slot();
        scope.insert(v.text.clone(), Var { slot, kind });
        b.names.insert(v.text.clone());
        b.binds.push(slot);
        slot
    }

    /// The (type, direction) steps that an edge pattern allows, ascending.
    fn steps(&mut self, e: &EdgePattern) -> Vec<(EdgeTypeId, Direction)> {
        let schema = self.set.schema;
        let all: BTreeSet<(EdgeTypeId, Direction)> =
            schema.edge_type_ids().flat_map(|t| [(t, Direction::Out), (t, Direction::In)]).collect();
        let written: BTreeSet<(EdgeTypeId, Direction)> = match e.dir {
            Dir::Right => all.iter().copied().filter(|s| s.1 == Direction::Out).collect(),
            Dir::Left => all.iter().copied().filter(|s| s.1 == Direction::In).collect(),
            Dir::Any => all.clone(),
        };
        match &e.filler.label {
            None => written.into_iter().collect(),
            Some(l) => self.label_steps(l, e.dir, &written).into_iter().collect(),
        }
    }

    fn label_steps(
        &mut self,
        l: &Label,
        dir: Dir,
        written: &BTreeSet<(EdgeTypeId, Direction)>,
    ) -> BTreeSet<(EdgeTypeId, Direction)> {
        match l {
            Label::Any => written.clone(),
            Label::Or(a, b) => {
                let mut s = self.label_steps(a, dir, written);
                s.extend(self.label_steps(b, dir, written));
                s
            }
            Label::And(a, b) => {
                let x = self.label_steps(a, dir, written);
                let y = self.label_steps(b, dir, written);
                x.intersection(&y).copied().collect()
            }
            Label::Not(a) if self.names_change(a) => written.clone(),
            Label::Not(a) => {
                let types: BTreeSet<EdgeTypeId> =
                    self.label_steps(a, Dir::Any, written).into_iter().map(|s| s.0).collect();
                written.iter().copied().filter(|s| !types.contains(&s.0)).collect()
            }
            Label::Name(n) => {
                let schema = self.set.schema;
                if let Some(t) = schema.edge_type_id(&n.text) {
                    return [(t, Direction::Out), (t, Direction::In)].into_iter().filter(|s| fits(dir, s.1)).collect();
                }
                if let Some(c) = sv0_graph::EdgeClass::ALL.into_iter().find(|c| c.name() == &*n.text) {
                    // Along the flow of authority.
                    let mut out = BTreeSet::new();
                    for t in schema.edge_type_ids().filter(|t| schema.edge_type(*t).class == c) {
                        let ways: &[Direction] = match schema.edge_type(t).flow {
                            Flow::Forward => &[Direction::Out],
                            Flow::Backward => &[Direction::In],
                            Flow::Both => &[Direction::Out, Direction::In],
                        };
                        for w in ways {
                            if dir != Dir::Left {
                                out.insert((t, *w));
                            }
                            if dir != Dir::Right {
                                out.insert((t, flip(*w)));
                            }
                        }
                    }
                    return out;
                }
                if let Some(g) = schema.groups().iter().find(|g| g.name == *n.text) {
                    let both = g.types.iter().flat_map(|t| [(*t, Direction::Out), (*t, Direction::In)]);
                    return both.filter(|s| fits(dir, s.1)).collect();
                }
                if self.change_label(&n.text).is_some() {
                    return written.clone();
                }
                self.unknown_edge_type(n);
                BTreeSet::new()
            }
        }
    }
}

fn with(scope: &Scope, more: &Scope) -> Scope {
    let mut s = scope.clone();
    for (k, v) in more {
        s.insert(k.clone(), *v);
    }
    s
}

fn flip(d: Direction) -> Direction {
    match d {
        Direction::Out => Direction::In,
        Direction::In => Direction::Out,
    }
}

fn fits(dir: Dir, d: Direction) -> bool {
    match dir {
        Dir::Right => d == Direction::Out,
        Dir::Left => d == Direction::In,
        Dir::Any => true,
    }
}

/// Splits `a AND b`.
pub(crate) fn conjuncts(e: &Expr, out: &mut Vec<Expr>) {
    if let ExprKind::And(a, b) = &e.kind {
        conjuncts(a, out);
        conjuncts(b, out);
    } else {
        out.push(e.clone());
    }
}

fn has_subquery(e: &Expr) -> bool {
    let mut found = false;
    e.walk(&mut |x| found |= matches!(x.kind, ExprKind::Exists(_) | ExprKind::Count(_) | ExprKind::Value(_)));
    found
}
