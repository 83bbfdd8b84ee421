//! Syntax tree to plan: names to slots, labels and types to the schema's, all errors at once.

pub(crate) mod expr;
pub(crate) mod kinds;
mod lint;
mod pattern;
pub(crate) mod uses;

use std::collections::BTreeMap;
use std::sync::Arc;

use sv0_graph::Schema;

use crate::ast::SetOp;
use crate::ast::{Block, Call, Clause, Expr, ExprKind, GraphRef, Item, Linear, Match, Name, Projection, Query, Span};
use crate::diag::{Code, Diagnostic};
use kinds::Scalar;

use crate::plan::{self, Aggregate, CExpr, Grouping, MatchOp, Op, Plan, Project, Slot};

/// What a variable is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarKind {
    /// A node whose type is one of the mask's.
    Node(u16),
    Edge,
    /// A group variable, of edges or of nodes.
    List {
        edge: bool,
    },
    Path,
    Value,
    /// A value of which the kind is known.
    Scalar(Scalar),
}

impl VarKind {
    /// In words.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Node(_) => Some("node"),
            Self::Edge => Some("edge"),
            Self::List { .. } => Some("list"),
            Self::Path => Some("path"),
            Self::Value => None,
            Self::Scalar(s) => Some(s.name()),
        }
    }

    /// What an element of it is.
    pub(crate) fn element(self) -> Self {
        match self {
            Self::List { edge: true } => Self::Edge,
            Self::List { edge: false } => Self::Node(u16::MAX),
            Self::Scalar(Scalar::ListOf(k)) => Self::Scalar(*k),
            _ => Self::Value,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Var {
    pub slot: Slot,
    pub kind: VarKind,
}

pub(crate) type Scope = BTreeMap<Arc<str>, Var>;
/// A column's name and what stands in it.
pub(crate) type Column = (Arc<str>, VarKind);

/// What a parameter must be, and what it is compared with.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub kind: Scalar,
    pub because: String,
}

/// How the binder treats names.
pub(crate) struct Settings<'a> {
    pub schema: &'a Schema,
    /// Unknown labels and types are empty sets instead of errors.
    pub lenient: bool,
    /// A pattern that can never match is an error.
    pub strict: bool,
    /// Whether a label that the schema doesn't list is carried by some node.
    pub known_label: &'a dyn Fn(&str) -> bool,
    /// The graphs that `USE` may name.
    pub graphs: &'a [Arc<str>],
    /// Those of them that compare two snapshots.
    pub compared: &'a [Arc<str>],
    /// How many nodes of a type there are, or in all.
    pub count: &'a dyn Fn(Option<sv0_graph::NodeType>) -> Option<u64>,
}

pub(crate) struct Binder<'a> {
    pub set: &'a Settings<'a>,
    pub text: &'a str,
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
    slots: usize,
    params: Vec<Arc<str>>,
    /// What parameters must be, by their place; `None` where two places ask for different things.
    pub expected: BTreeMap<usize, Option<Expected>>,
    /// Aggregates of the projection that is being bound; `None` where none may stand.
    aggregates: Option<Vec<Aggregate>>,
    in_aggregate: bool,
    graph: u8,
    /// Texts of expressions that stand in a slot.
    pub aliases: Vec<(String, Slot)>,
    /// How many subqueries and CALLs stand around what is being bound.
    nested: usize,
}

/// How many errors are told at once.
const MAX_ERRORS: usize = 50;

/// Binds a query.
pub(crate) fn bind(q: &Query, text: &str, set: &Settings<'_>) -> (Plan, Vec<Diagnostic>, Vec<Diagnostic>) {
    let mut b = Binder {
        set,
        text,
        errors: Vec::new(),
        warnings: Vec::new(),
        slots: 0,
        params: Vec::new(),
        expected: BTreeMap::new(),
        aggregates: None,
        in_aggregate: false,
        graph: 0,
        aliases: Vec::new(),
        nested: 0,
    };
    let (parts, columns) = b.parts(q, &Scope::new());
    let plan = Plan {
        parts,
        kinds: columns.iter().map(|c| c.1).collect(),
        columns: columns.into_iter().map(|c| c.0).collect(),
        slots: b.slots,
        expected: (0..b.params.len()).map(|i| b.expected.get(&i).cloned().flatten()).collect(),
        params: b.params,
        graphs: set.graphs.to_vec(),
    };
    (plan, b.errors, b.warnings)
}

fn last_span(l: &Linear) -> Span {
    match l.clauses.last() {
        Some(Clause::Return(p) | Clause::With(p, _)) => p.span,
        Some(Clause::Match(m)) => m.span,
        _ => (0, 0),
    }
}

pub(crate) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// Where a pipeline stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    Top,
    /// Only whether there is a row matters.
    Exists,
    /// Rows are counted, or one value is read.
    Rows,
}

impl Binder<'_> {
    pub(crate) fn error(&mut self, d: Diagnostic) {
        if !self.full() {
            self.errors.push(d);
        }
    }

    /// So many errors that more help nobody: what is left isn't looked at.
    pub(crate) fn full(&self) -> bool {
        self.errors.len() >= MAX_ERRORS
    }

    pub(crate) fn slot(&mut self) -> Slot {
        self.slots += 1;
        self.slots - 1
    }

    /// Binds pipelines and the set operations between them.
    fn parts(&mut self, q: &Query, outer: &Scope) -> (Vec<(Option<SetOp>, plan::Linear)>, Vec<Column>) {
        let mut parts = Vec::new();
        let mut columns: Option<Vec<Column>> = None;
        let linears = std::iter::once((None, &q.first)).chain(q.rest.iter().map(|(op, l)| (Some(*op), l)));
        for (op, l) in linears {
            let (bound, names) = self.linear(l, outer, Where::Top);
            match &mut columns {
                None => columns = Some(names),
                Some(c) => {
                    if !c.iter().map(|c| &c.0).eq(names.iter().map(|n| &n.0)) {
                        let d = Diagnostic::new(
                            Code::Columns,
                            last_span(l),
                            "the parts of a combined query have different columns",
                        );
                        self.error(d.help(format!("give every part the columns {}", list(c.iter().map(|c| &*c.0)))));
                    }
                    // What is a node in one part and something else in another is a value.
                    for (a, b) in c.iter_mut().zip(&names) {
                        a.1 = match (a.1, b.1) {
                            (VarKind::Node(x), VarKind::Node(y)) => VarKind::Node(x | y),
                            (x, y) if x == y => x,
                            _ => VarKind::Value,
                        };
                    }
                }
            }
            parts.push((op, bound));
        }
        (parts, columns.unwrap_or_default())
    }

    /// Binds a pipeline; answers with its columns.
    pub(crate) fn linear(&mut self, l: &Linear, outer: &Scope, place: Where) -> (plan::Linear, Vec<Column>) {
        let before = self.graph;
        if let Some(g) = &l.graph {
            self.graph = self.graph_index(g);
        }
        let mut scope = outer.clone();
        let mut ops = Vec::new();
        let mut output = Vec::new();
        let mut names = Vec::new();
        let mut returned = false;
        for c in &l.clauses {
            match c {
                Clause::Optional(b) => ops.push(self.optional_block(b, &mut scope)),
                Clause::Call(c) => ops.push(self.call_clause(c, &mut scope)),
                Clause::Use(g) => self.graph = self.graph_index(g),
                Clause::Match(m) => {
                    let op = self.match_clause(m, &mut scope);
                    ops.push(Op::Match(op));
                }
                Clause::Filter(e) => ops.push(Op::Filter(self.boolean(e, &scope))),
                Clause::Let(items) => {
                    let mut bound = Vec::new();
                    for (n, e) in items {
                        let v = self.expr(e, &scope);
                        let kind = self.kind_of(e, &scope);
                        let slot = self.declare(n, kind, &mut scope, false);
                        bound.push((slot, v));
                    }
                    ops.push(Op::Let(bound));
                }
                Clause::For { var, list, position } => {
                    let kind = match self.kind_of(list, &scope).element() {
                        // What comes of a list may be something of another graph: the search tests it.
                        k @ (VarKind::Scalar(_) | VarKind::Edge) => k,
                        _ => VarKind::Value,
                    };
                    let list = self.expr(list, &scope);
                    let slot = self.declare(var, kind, &mut scope, false);
                    let position =
                        position.as_ref().map(|(n, f)| (self.declare(n, VarKind::Value, &mut scope, false), *f));
                    ops.push(Op::For { slot, list, position });
                }
                Clause::With(p, filter) => {
                    let (mut project, next) = self.projection(p, &scope, outer, false);
                    // Where no row is put together from several, the condition sees the old variables, too.
                    let plain = !p.distinct && project.grouping.is_none();
                    let mut seen = if plain { scope } else { Scope::new() };
                    seen.extend(next.iter().map(|(k, v)| (k.clone(), *v)));
                    scope = next;
                    if let Some(f) = filter {
                        // What a column computes may be written again.
                        let alias =
                            |i: &Item| Some((self.text_of(i.expr.span).to_owned(), scope.get(&i.name.text)?.slot));
                        self.aliases = p.items.iter().filter_map(alias).collect();
                        project.filter = Some(self.boolean(f, &seen));
                        self.aliases.clear();
                    }
                    ops.push(Op::Project(project));
                }
                Clause::Return(p) => {
                    let (project, next) = self.projection(p, &scope, outer, true);
                    let columns = self.column_names(p, &scope, outer);
                    let found = |n: &Arc<str>| next.get(n).copied().unwrap_or(Var { slot: 0, kind: VarKind::Value });
                    output = columns.iter().filter_map(|n| next.get(n).map(|v| v.slot)).collect();
                    names = columns.into_iter().map(|n| (n.clone(), found(&n).kind)).collect();
                    ops.push(Op::Project(project));
                    returned = true;
                }
            }
        }
        if !returned && place == Where::Top {
            let at = last_span(l);
            self.error(Diagnostic::new(Code::Syntax, at, "the query returns nothing").help("end it with RETURN"));
        }
        self.graph = before;
        (plan::Linear { ops, output }, names)
    }

    /// `OPTIONAL { … }`.
    fn optional_block(&mut self, b: &Block, scope: &mut Scope) -> Op {
        let before = scope.clone();
        let mut ops = Vec::new();
        for c in &b.clauses {
            match c {
                Clause::Match(m) => {
                    let op = self.match_clause(m, scope);
                    ops.push(Op::Match(op));
                }
                Clause::Optional(b) => ops.push(self.optional_block(b, scope)),
                Clause::Filter(e) => ops.push(Op::Filter(self.boolean(e, scope))),
                Clause::Call(c) => ops.push(self.call_clause(c, scope)),
                Clause::Let(_) | Clause::For { .. } | Clause::Use(_) | Clause::With(..) | Clause::Return(_) => {
                    self.error(Diagnostic::new(Code::Syntax, b.span, "OPTIONAL { } holds MATCH and FILTER only"));
                }
            }
        }
        let binds = scope.iter().filter(|(n, _)| !before.contains_key(*n)).map(|(_, v)| v.slot).collect();
        Op::Optional { ops, binds }
    }

    /// `CALL (vars) { … }`.
    fn call_clause(&mut self, c: &Call, scope: &mut Scope) -> Op {
        let inner: Scope = match &c.vars {
            None => scope.clone(),
            Some(vars) => {
                let mut inner = Scope::new();
                for v in vars {
                    match scope.get(&v.text) {
                        Some(var) => _ = inner.insert(v.text.clone(), *var),
                        None => {
                            let near = Schema::nearest(&v.text, scope.keys().map(|k| &**k));
                            self.unknown("variable", v, &near);
                        }
                    }
                }
                inner
            }
        };
        let saved = self.aggregates.take();
        self.nested += 1;
        let (parts, columns) = self.parts(&c.body, &inner);
        self.nested -= 1;
        self.aggregates = saved;
        let mut into = Vec::new();
        for (name, kind) in columns {
            into.push(self.declare(&Name { text: name, span: c.span }, kind, scope, false));
        }
        Op::Call { optional: c.optional, parts, into }
    }

    pub(crate) fn graph_index(&mut self, g: &GraphRef) -> u8 {
        let name = g.name();
        match self.set.graphs.iter().position(|n| **n == *name) {
            Some(i) => u8::try_from(i).unwrap_or(0),
            None => {
                let known = list(self.set.graphs.iter().skip(1).map(|g| &**g));
                let d = Diagnostic::new(Code::UnknownName, g.span(), format!("unknown graph `{name}`"));
                let d = if known.is_empty() { d } else { d.help(format!("known are {known}")) };
                self.error(d);
                0
            }
        }
    }

    pub(crate) fn current_graph(&self) -> u8 {
        self.graph
    }

    fn match_clause(&mut self, m: &Match, scope: &mut Scope) -> MatchOp {
        let before = scope.clone();
        let bound = self.patterns(m, scope);
        let filter = bound.rest.iter().map(|e| self.boolean(e, scope)).collect();
        let binds = scope.iter().filter(|(n, _)| !before.contains_key(*n)).map(|(_, v)| v.slot).collect();
        MatchOp { graph: self.graph, optional: m.optional, patterns: bound.patterns, filter, binds }
    }

    /// Declares a new name; an old one is an error unless `again` allows it.
    pub(crate) fn declare(&mut self, n: &Name, kind: VarKind, scope: &mut Scope, again: bool) -> Slot {
        if let Some(v) = scope.get(&n.text)
            && !again
        {
            let slot = v.slot;
            self.error(Diagnostic::new(Code::Scope, n.span, format!("`{}` is bound already", n.text)));
            return slot;
        }
        let slot = self.slot();
        scope.insert(n.text.clone(), Var { slot, kind });
        slot
    }

    fn column_names(&self, p: &Projection, scope: &Scope, outer: &Scope) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        if p.star {
            names.extend(scope.keys().filter(|k| !outer.contains_key(*k)).cloned());
        }
        names.extend(p.items.iter().map(|i| i.name.text.clone()));
        names
    }

    /// Binds a projection; answers with it and the scope behind it.
    fn projection(&mut self, p: &Projection, scope: &Scope, outer: &Scope, last: bool) -> (Project, Scope) {
        let saved = self.aggregates.replace(Vec::new());
        let mut next = outer.clone();
        let mut items: Vec<(Slot, CExpr)> = Vec::new();
        let mut keys: Vec<(Slot, CExpr)> = Vec::new();
        let mut mixed: Vec<&Item> = Vec::new();
        let mut aggregated = false;
        if p.star {
            let visible: Vec<(Arc<str>, Var)> =
                scope.iter().filter(|(k, _)| !outer.contains_key(*k)).map(|(k, v)| (k.clone(), *v)).collect();
            if visible.is_empty() && p.items.is_empty() {
                self.error(Diagnostic::new(Code::Scope, p.span, "`*` stands for no variable here"));
            }
            for (k, v) in visible {
                let slot = self.slot();
                items.push((slot, CExpr::Slot(v.slot)));
                keys.push((slot, CExpr::Slot(v.slot)));
                next.insert(k, Var { slot, ..v });
            }
        }
        let mut seen: Vec<Arc<str>> = if p.star { next.keys().cloned().collect() } else { Vec::new() };
        for item in &p.items {
            if !last && !item.aliased && !matches!(item.expr.kind, ExprKind::Var(_)) {
                let d = Diagnostic::new(Code::Columns, item.expr.span, "an expression in WITH needs a name");
                self.error(d.help(format!("write `{} AS name`", item.name.text)));
            }
            if seen.contains(&item.name.text) {
                let m = format!("two columns are named `{}`", item.name.text);
                self.error(Diagnostic::new(Code::Columns, item.name.span, m));
            }
            seen.push(item.name.text.clone());
            let before = self.aggregates.as_ref().map_or(0, Vec::len);
            if let ExprKind::Exists(s) = &item.expr.kind
                && s.bare
            {
                let d = Diagnostic::new(Code::Syntax, item.expr.span, "a pattern alone isn't a column");
                self.error(d.help("write `EXISTS { (a)-[:T]->(b) }`, or match the pattern and return its variables"));
            }
            let value = self.expr(&item.expr, scope);
            let has = self.aggregates.as_ref().map_or(0, Vec::len) > before;
            aggregated |= has;
            let slot = self.slot();
            if has {
                mixed.push(item);
            } else {
                keys.push((slot, value.clone()));
            }
            items.push((slot, value));
            let kind = self.kind_of(&item.expr, scope);
            next.insert(item.name.text.clone(), Var { slot, kind });
        }
        if let Some(names) = &p.group_by {
            aggregated = true;
            let mut explicit = Vec::new();
            for n in names {
                let item =
                    p.items.iter().zip(&items[items.len() - p.items.len()..]).find(|(i, _)| i.name.text == n.text);
                match (item, scope.get(&n.text)) {
                    (Some((_, (slot, v))), _) => explicit.push((*slot, v.clone())),
                    (None, Some(v)) => explicit.push((self.slot(), CExpr::Slot(v.slot))),
                    (None, None) => {
                        let near = Schema::nearest(&n.text, scope.keys().map(|k| &**k));
                        self.unknown("column or variable", n, &near);
                    }
                }
            }
            keys = explicit;
            for (item, (slot, _)) in p.items.iter().zip(&items[items.len() - p.items.len()..]) {
                let is_key = keys.iter().any(|(k, _)| k == slot);
                if !is_key && !mixed.iter().any(|m| std::ptr::eq(*m, item)) && uses::has_variable(&item.expr, scope) {
                    let covered = uses::variables(&item.expr).iter().all(|v| names.iter().any(|n| n.text == *v));
                    if !covered {
                        let m = format!("`{}` is neither grouped by nor aggregated", item.name.text);
                        self.error(Diagnostic::new(Code::Aggregation, item.expr.span, m));
                    }
                }
            }
        }
        // Sort keys see the new columns, then the old variables.
        let mut order_scope = scope.clone();
        for (k, v) in &next {
            order_scope.insert(k.clone(), *v);
        }
        let mut order = Vec::new();
        for s in &p.order {
            let text = self.text_of(s.expr.span);
            let same = p
                .items
                .iter()
                .zip(&items[items.len() - p.items.len()..])
                .find(|(i, _)| self.text_of(i.expr.span) == text)
                .map(|(_, (slot, _))| CExpr::Slot(*slot));
            let before = self.aggregates.as_ref().map_or(0, Vec::len);
            let key = match same {
                Some(k) => k,
                None => self.expr(&s.expr, &order_scope),
            };
            aggregated |= self.aggregates.as_ref().map_or(0, Vec::len) > before;
            if p.distinct || aggregated {
                let visible = uses::variables(&s.expr)
                    .iter()
                    .all(|v| next.contains_key(&**v) || !scope.contains_key(&**v) || key_variable(p, v));
                if !visible && !matches!(key, CExpr::Slot(_)) {
                    let m = "a sort key may only use the returned columns after DISTINCT or aggregation";
                    self.error(Diagnostic::new(Code::Scope, s.expr.span, m));
                }
            }
            order.push((key, s.descending, s.nulls_first.unwrap_or(s.descending)));
        }
        for item in &mixed {
            let keyed = |e: &Expr| {
                // Only what is plain to see: a variable's property.
                matches!(&e.kind, ExprKind::Prop(base, _) if matches!(base.kind, ExprKind::Var(_)))
                    && p.items.iter().any(|i| {
                        self.text_of(i.expr.span) == self.text_of(e.span) && !mixed.iter().any(|m| std::ptr::eq(*m, i))
                    })
            };
            let loose: Vec<Arc<str>> = uses::variables_outside_aggregates(&item.expr, &keyed);
            for v in loose {
                if scope.contains_key(&v) && !key_variable(p, &v) {
                    let m = format!("`{v}` stands beside an aggregate without being grouped by");
                    let d = Diagnostic::new(Code::Aggregation, item.expr.span, m);
                    self.error(d.help(format!("return `{v}` as a column of its own first")));
                }
            }
        }
        let aggregates = std::mem::replace(&mut self.aggregates, saved).unwrap_or_default();
        let skip = p.skip.as_ref().map(|e| self.row_number(e, "OFFSET"));
        let limit = p.limit.as_ref().map(|e| self.row_number(e, "LIMIT"));
        let grouping = aggregated.then_some(Grouping { keys, aggregates, whole: None });
        let top = last && self.nested == 0;
        (
            Project { distinct: p.distinct, items, grouping, order, skip, limit, filter: None, keep: Vec::new(), top },
            next,
        )
    }

    /// How many rows: what can be seen to be no number of rows is refused before the query runs.
    fn row_number(&mut self, e: &Expr, what: &str) -> CExpr {
        let wrong = match &e.kind {
            ExprKind::Lit(crate::ast::Literal::Int(n)) if *n >= 0 => None,
            ExprKind::Lit(crate::ast::Literal::Int(_)) => Some("it is negative"),
            ExprKind::Lit(_) | ExprKind::List(_) => Some("it isn't a whole number"),
            _ => {
                self.expect(e, Scalar::Int, e.span);
                None
            }
        };
        if let Some(why) = wrong {
            let m = format!("{what} takes a whole number that isn't negative: {why}");
            self.error(Diagnostic::new(Code::Type, e.span, m));
        }
        self.expr(e, &Scope::new())
    }

    pub(crate) fn text_of(&self, (a, b): Span) -> &str {
        self.text.get(a..b).unwrap_or("").trim()
    }

    pub(crate) fn unknown(&mut self, what: &str, n: &Name, nearest: &[String]) {
        let d = Diagnostic::new(Code::UnknownName, n.span, format!("unknown {what} `{}`", n.text));
        let d = if nearest.is_empty() {
            d
        } else {
            d.help(format!("did you mean {}?", list(nearest.iter().map(String::as_str))))
        };
        self.error(d);
    }

    pub(crate) fn param(&mut self, name: &Arc<str>) -> usize {
        if let Some(i) = self.params.iter().position(|p| p == name) {
            return i;
        }
        self.params.push(name.clone());
        self.params.len() - 1
    }
}

/// Whether a variable is a column as it stands.
fn key_variable(p: &Projection, v: &str) -> bool {
    p.star
        || p.items.iter().any(|i| matches!(&i.expr.kind, ExprKind::Var(n) if **n == *v))
        || p.group_by.iter().flatten().any(|n| *n.text == *v)
}
