//! Binding of expressions.

use std::sync::Arc;

use sv0_graph::{PropType, Schema};

use super::kinds::Scalar;
use super::{Binder, Expected, Scope, Var, VarKind, Where, list};
use crate::ast::{ArithOp, Clause, CmpOp, Element, Expr, ExprKind, Label, Literal, Name, Span, Subquery, Term, TextOp};
use crate::diag::{Code, Diagnostic};
use crate::plan::{AGGREGATES, Aggregate, CExpr, CLabel, Cast, FUNCTION_NAMES, Func, Sub};
use crate::val::Val;

/// Names that every node and every edge answers to beside its properties.
const NODE_FIELDS: &[(&str, PropType)] = &[("id", PropType::Str), ("source", PropType::Str), ("type", PropType::Str)];
const EDGE_FIELDS: &[(&str, PropType)] = &[
    ("type", PropType::Str),
    ("class", PropType::Str),
    ("key", PropType::Str),
    ("evidence", PropType::Str),
    ("state", PropType::Str),
    ("condition", PropType::Str),
];

impl Binder<'_> {
    /// An expression that must be a truth value.
    pub(crate) fn boolean(&mut self, e: &Expr, scope: &Scope) -> CExpr {
        match &e.kind {
            ExprKind::Lit(Literal::Int(_) | Literal::Float(_) | Literal::Str(_)) | ExprKind::List(_) => {
                self.error(Diagnostic::new(Code::Type, e.span, "a condition must be true, false or null"));
            }
            ExprKind::Var(v)
                if scope.get(v).is_some_and(|v| !matches!(v.kind, VarKind::Value | VarKind::Scalar(Scalar::Bool))) =>
            {
                self.error(Diagnostic::new(Code::Type, e.span, format!("`{v}` isn't a truth value")));
            }
            _ => {}
        }
        self.expr(e, scope)
    }

    pub(crate) fn boxed(&mut self, e: &Expr, scope: &Scope) -> Box<CExpr> {
        Box::new(self.expr(e, scope))
    }

    pub(crate) fn expr(&mut self, e: &Expr, scope: &Scope) -> CExpr {
        if self.full() {
            return CExpr::Const(Val::Null);
        }
        if !self.aliases.is_empty()
            && matches!(e.kind, ExprKind::Prop(..))
            && let Some((_, slot)) = self.aliases.iter().find(|(t, _)| *t == self.text_of(e.span))
        {
            return CExpr::Slot(*slot);
        }
        match &e.kind {
            ExprKind::Lit(l) => CExpr::Const(match l {
                Literal::Null => Val::Null,
                Literal::Bool(b) => Val::Bool(*b),
                Literal::Int(n) => Val::Int(*n),
                Literal::Float(f) => Val::Float(*f),
                Literal::Str(s) => Val::Str(s.clone()),
            }),
            ExprKind::Param(n) => CExpr::Param(self.param(n)),
            ExprKind::Var(v) => self.variable(v, e.span, scope),
            ExprKind::Prop(base, name) => self.property(base, name, scope),
            ExprKind::Index(a, i) => CExpr::Index(self.boxed(a, scope), self.boxed(i, scope), e.span),
            ExprKind::Slice(a, f, t) => CExpr::Slice(
                self.boxed(a, scope),
                f.as_ref().map(|f| self.boxed(f, scope)),
                t.as_ref().map(|t| self.boxed(t, scope)),
            ),
            ExprKind::List(items) => {
                let items: Vec<CExpr> = items.iter().map(|i| self.expr(i, scope)).collect();
                // A list of constants is one: it is made once, and IN looks into it without reading it through.
                let all = items.iter().map(|i| if let CExpr::Const(v) = i { Some(v.clone()) } else { None });
                match all.collect::<Option<Vec<Val>>>() {
                    Some(list) => CExpr::Const(Val::List(list.into())),
                    None => CExpr::List(items),
                }
            }
            ExprKind::Cmp(op, a, b) => {
                self.check_comparison(*op, a, b, scope, e.span);
                CExpr::Cmp(*op, self.boxed(a, scope), self.boxed(b, scope))
            }
            ExprKind::Arith(op, a, b) => {
                self.check_arithmetic(*op, a, b, scope, e.span);
                CExpr::Arith(*op, self.boxed(a, scope), self.boxed(b, scope), e.span)
            }
            ExprKind::Neg(a) => CExpr::Neg(self.boxed(a, scope), e.span),
            ExprKind::And(a, b) => CExpr::And(Box::new(self.boolean(a, scope)), Box::new(self.boolean(b, scope))),
            ExprKind::Or(a, b) => CExpr::Or(Box::new(self.boolean(a, scope)), Box::new(self.boolean(b, scope))),
            ExprKind::Xor(a, b) => CExpr::Xor(Box::new(self.boolean(a, scope)), Box::new(self.boolean(b, scope))),
            ExprKind::Not(a) => CExpr::Not(Box::new(self.boolean(a, scope))),
            ExprKind::IsNull(a, n) => CExpr::IsNull(self.boxed(a, scope), *n),
            ExprKind::IsTruth(a, v, n) => CExpr::IsTruth(self.boxed(a, scope), *v, *n),
            ExprKind::HasLabel(a, l) => {
                let kind = if let ExprKind::Var(v) = &a.kind { scope.get(v).map(|v| v.kind) } else { None };
                let label = match kind {
                    Some(VarKind::Edge) => self.edge_label(l),
                    Some(VarKind::Node(_)) => self.node_label(l),
                    Some(VarKind::List { .. } | VarKind::Path) => {
                        self.error(Diagnostic::new(Code::Type, e.span, "a list or a path has no label"));
                        CLabel::Nothing
                    }
                    _ => self.any_label(l),
                };
                CExpr::HasLabel(self.boxed(a, scope), label)
            }
            ExprKind::IsEnd { node, edge, source, negated } => CExpr::IsEnd {
                node: self.boxed(node, scope),
                edge: self.boxed(edge, scope),
                source: *source,
                negated: *negated,
            },
            ExprKind::In(a, b) => {
                self.check_membership(a, b, scope, e.span);
                CExpr::In(self.boxed(a, scope), self.boxed(b, scope))
            }
            ExprKind::Text(TextOp::Regex, a, b) => self.regex(a, b, scope),
            ExprKind::Text(op, a, b) => {
                self.expect(b, Scalar::Str, a.span);
                // A list contains, too.
                if *op != TextOp::Contains {
                    self.expect(a, Scalar::Str, b.span);
                }
                CExpr::Text(*op, self.boxed(a, scope), self.boxed(b, scope))
            }
            ExprKind::Call { name, args, distinct, star } => self.call(e.span, name, args, *distinct, *star, scope),
            ExprKind::Cast(a, ty) => {
                let cast = cast_of(&ty.text).map_or_else(
                    || {
                        let names = ["STRING", "INT", "FLOAT", "BOOL", "TIMESTAMP", "DATE"];
                        let near = Schema::nearest(&ty.text, names);
                        self.unknown("type", ty, &near);
                        Cast::Str
                    },
                    |(c, _)| c,
                );
                CExpr::Cast(self.boxed(a, scope), cast, e.span)
            }
            ExprKind::Case { subject, arms, otherwise } => CExpr::Case {
                subject: subject.as_ref().map(|s| self.boxed(s, scope)),
                arms: arms.iter().map(|(w, t)| (self.expr(w, scope), self.expr(t, scope))).collect(),
                otherwise: otherwise.as_ref().map(|o| self.boxed(o, scope)),
            },
            ExprKind::ListPred(quant, var, l, pred) => {
                let list = self.boxed(l, scope);
                let (slot, inner) = self.inner_variable(var, l, scope);
                let pred = Box::new(self.boolean(pred, &inner));
                CExpr::ListPred { quant: *quant, slot, list, pred }
            }
            ExprKind::ListComp { var, list, filter, map } => {
                let (slot, inner) = self.inner_variable(var, list, scope);
                CExpr::ListComp {
                    slot,
                    list: self.boxed(list, scope),
                    filter: filter.as_ref().map(|f| Box::new(self.boolean(f, &inner))),
                    map: map.as_ref().map(|m| self.boxed(m, &inner)),
                }
            }
            ExprKind::Exists(s) => CExpr::Exists(Box::new(self.subquery(s, scope, Where::Exists))),
            ExprKind::Count(s) => CExpr::Count(Box::new(self.subquery(s, scope, Where::Rows))),
            ExprKind::Value(s) => CExpr::Value(Box::new(self.subquery(s, scope, Where::Rows))),
        }
    }

    /// The variable of a list predicate or comprehension; what it stands for follows from the list.
    fn inner_variable(&mut self, var: &Name, list: &Expr, scope: &Scope) -> (usize, Scope) {
        let slot = self.slot();
        let element = |edge: bool| if edge { VarKind::Edge } else { VarKind::Node(u16::MAX) };
        let kind = match &list.kind {
            ExprKind::Var(_) | ExprKind::List(_) => self.kind_of(list, scope).element(),
            ExprKind::Call { name, args, .. } => match (&**name, args.as_slice()) {
                ("nodes", [_]) => element(false),
                ("relationships" | "edges" | "rels", [_]) => element(true),
                _ => VarKind::Value,
            },
            _ => VarKind::Value,
        };
        let mut inner = scope.clone();
        inner.insert(var.text.clone(), Var { slot, kind });
        (slot, inner)
    }

    fn subquery(&mut self, s: &Subquery, scope: &Scope, place: Where) -> Sub {
        if s.bare {
            let mut names = std::collections::BTreeMap::new();
            for c in &s.linear.clauses {
                if let Clause::Match(m) = c {
                    m.patterns.iter().for_each(|p| variables_of(&p.term, &mut names));
                }
            }
            for (v, span) in names.into_iter().filter(|(v, _)| !scope.contains_key(v)) {
                let near = Schema::nearest(&v, scope.keys().map(|k| &**k));
                let name = Name { text: v, span };
                if near.is_empty() {
                    let m = format!("unknown variable `{}`: a pattern in a condition binds none", name.text);
                    self.error(Diagnostic::new(Code::UnknownName, span, m).help("write `EXISTS { … }`"));
                } else {
                    self.unknown("variable", &name, &near);
                }
            }
        }
        let saved = self.aggregates.take();
        self.nested += 1;
        let (linear, _) = self.linear(&s.linear, scope, place);
        self.nested -= 1;
        self.aggregates = saved;
        Sub { linear, free: None }
    }

    fn variable(&mut self, v: &Arc<str>, span: Span, scope: &Scope) -> CExpr {
        if let Some(var) = scope.get(v) {
            return CExpr::Slot(var.slot);
        }
        let lower = v.to_lowercase();
        if lower == "current_timestamp" || lower == "current_date" {
            return self.now(lower == "current_date", span);
        }
        let near = Schema::nearest(v, scope.keys().map(|k| &**k));
        self.unknown("variable", &Name { text: v.clone(), span }, &near);
        CExpr::Const(Val::Null)
    }

    /// "Now" of the graph that is being read.
    fn now(&self, date: bool, span: Span) -> CExpr {
        let now = CExpr::Now(self.current_graph());
        if date { CExpr::Call(Func::Date, vec![now], span) } else { now }
    }

    fn property(&mut self, base: &Expr, name: &Name, scope: &Scope) -> CExpr {
        let schema = self.set.schema;
        let node = schema.node_prop(&name.text);
        let edge = schema.edge_prop(&name.text);
        let kind = match &base.kind {
            ExprKind::Var(v) => scope.get(v).map(|v| v.kind),
            _ => None,
        };
        let known = match kind {
            Some(VarKind::Node(_)) => node.is_some() || NODE_FIELDS.iter().any(|(f, _)| *f == &*name.text),
            Some(VarKind::Edge) => edge.is_some() || EDGE_FIELDS.iter().any(|(f, _)| *f == &*name.text),
            // Times have parts.
            Some(VarKind::Scalar(Scalar::Timestamp | Scalar::Date | Scalar::Duration)) => true,
            Some(VarKind::Scalar(s)) => {
                let m = format!("`{}` is a {} and has no properties", self.text_of(base.span), s.name());
                self.error(Diagnostic::new(Code::Type, name.span, m));
                true
            }
            Some(VarKind::List { .. } | VarKind::Path) => {
                let what = if kind == Some(VarKind::Path) { "path" } else { "list" };
                let m = format!("`{}` is a {what} and has no properties", self.text_of(base.span));
                let help = "ask its elements: `any(x IN … WHERE x.… )`, `nodes(p)`";
                self.error(Diagnostic::new(Code::Type, name.span, m).help(help));
                true
            }
            _ => true,
        };
        if !known && !self.set.lenient {
            let (what, names): (&str, Vec<&str>) = if kind == Some(VarKind::Edge) {
                let p = schema.edge_properties().iter().map(|p| p.name.as_str());
                ("edge property", p.chain(EDGE_FIELDS.iter().map(|f| f.0)).collect())
            } else {
                let p = schema.node_properties().iter().map(|p| p.name.as_str());
                ("property", p.chain(NODE_FIELDS.iter().map(|f| f.0)).collect())
            };
            let near = Schema::nearest(&name.text, names);
            self.unknown(what, name, &near);
        }
        CExpr::Prop { base: self.boxed(base, scope), name: name.text.clone(), node, edge }
    }

    /// The declared type of `variable.property`.
    pub(super) fn declared(&self, e: &Expr, scope: &Scope) -> Option<PropType> {
        let ExprKind::Prop(base, name) = &e.kind else { return None };
        let ExprKind::Var(v) = &base.kind else { return None };
        let schema = self.set.schema;
        let open = schema.is_open();
        let field =
            |fields: &[(&str, PropType)]| fields.iter().find(|(f, _)| !open && *f == &*name.text).map(|(_, t)| *t);
        match scope.get(v)?.kind {
            VarKind::Node(_) => field(NODE_FIELDS)
                .or_else(|| schema.node_prop(&name.text).map(|p| schema.node_properties()[usize::from(p.0)].ty)),
            VarKind::Edge => field(EDGE_FIELDS)
                .or_else(|| schema.edge_prop(&name.text).map(|p| schema.edge_properties()[usize::from(p.0)].ty)),
            _ => None,
        }
    }

    /// What can be seen to be no number isn't subtracted, multiplied or divided.
    fn check_arithmetic(&mut self, op: ArithOp, a: &Expr, b: &Expr, scope: &Scope, span: Span) {
        let sign = match op {
            ArithOp::Add | ArithOp::Concat => return,
            ArithOp::Sub => "-",
            ArithOp::Mul => "*",
            ArithOp::Div => "/",
            ArithOp::Mod => "%",
        };
        for x in [a, b] {
            let wrong = match self.kind_of(x, scope) {
                VarKind::Scalar(Scalar::Int | Scalar::Float) | VarKind::Value => continue,
                VarKind::Scalar(Scalar::Timestamp | Scalar::Date) if op == ArithOp::Sub => continue,
                VarKind::Scalar(Scalar::Duration) if matches!(op, ArithOp::Sub | ArithOp::Mul) => continue,
                VarKind::Scalar(s) => s.name(),
                VarKind::Node(_) => "node",
                VarKind::Edge => "edge",
                VarKind::List { .. } => "list",
                VarKind::Path => "path",
            };
            self.error(Diagnostic::new(Code::Type, span, format!("`{sign}` doesn't take a {wrong}")));
        }
    }

    /// What can be seen never to be comparable isn't compared, and what is compared with a parameter says what it must be.
    fn check_comparison(&mut self, op: CmpOp, a: &Expr, b: &Expr, scope: &Scope, span: Span) {
        if self.set.lenient {
            return;
        }
        for (p, l) in [(a, b), (b, a)] {
            if matches!(l.kind, ExprKind::Lit(Literal::Null)) && self.declared(p, scope).is_some() {
                let help = format!("write `{} IS NULL`", self.text_of(p.span));
                let help = if op == CmpOp::Ne { help.replace("IS NULL", "IS NOT NULL") } else { help };
                let d = Diagnostic::new(Code::Type, span, "a comparison with null is never true").help(help);
                self.warnings.push(d);
            }
        }
        let (VarKind::Scalar(x), VarKind::Scalar(y)) = (self.kind_of(a, scope), self.kind_of(b, scope)) else {
            self.expect_like(a, b, scope);
            self.expect_like(b, a, scope);
            return;
        };
        if !x.comparable(y) {
            let d = self.mismatch((a, x), (b, y), "compared with", span);
            self.error(d);
        }
    }

    /// Two values of which one can never be the other, or less.
    fn mismatch(&self, (a, x): (&Expr, Scalar), (b, y): (&Expr, Scalar), how: &str, span: Span) -> Diagnostic {
        // What is written as it stands is compared with what has a name.
        let literal = |e: &Expr| matches!(e.kind, ExprKind::Lit(_));
        let ((a, x), (b, y)) = if literal(a) && !literal(b) { ((b, y), (a, x)) } else { ((a, x), (b, y)) };
        let m = format!("`{}` is a {}, {how} a {}", self.text_of(a.span), x.name(), y.name());
        let d = Diagnostic::new(Code::Type, span, m);
        match (x, y) {
            (Scalar::Timestamp, Scalar::Str) => d.help(format!("write `ZONED_DATETIME({})`", self.text_of(b.span))),
            (Scalar::Date, Scalar::Str) => d.help(format!("write `DATE({})`", self.text_of(b.span))),
            (Scalar::Duration, Scalar::Str) => d.help(format!("write `DURATION({})`", self.text_of(b.span))),
            (Scalar::List | Scalar::ListOf(_), _) if literal(b) => {
                d.help(format!("write `{} IN {}`", self.text_of(b.span), self.text_of(a.span)))
            }
            _ => d,
        }
    }

    /// A parameter is what it is compared with.
    fn expect_like(&mut self, param: &Expr, other: &Expr, scope: &Scope) {
        if let VarKind::Scalar(kind) = self.kind_of(other, scope) {
            self.expect(param, kind, other.span);
        }
    }

    /// Notes what a parameter must be.
    pub(super) fn expect(&mut self, e: &Expr, kind: Scalar, because: Span) {
        if let ExprKind::Param(name) = &e.kind
            && !self.set.lenient
        {
            let i = self.param(name);
            let because = self.text_of(because).to_owned();
            // Of two kinds that never compare neither is asked for.
            let e = self.expected.entry(i).or_insert_with(|| Some(Expected { kind, because }));
            *e = e.take().and_then(|e| Some(Expected { kind: e.kind.with(kind)?, ..e }));
        }
    }

    /// `x IN list`: the elements are what the value is.
    fn check_membership(&mut self, a: &Expr, b: &Expr, scope: &Scope, span: Span) {
        if let ExprKind::Lit(Literal::Int(_) | Literal::Str(_) | Literal::Bool(_) | Literal::Float(_)) = &b.kind {
            self.error(Diagnostic::new(Code::Type, b.span, "IN needs a list").help("write `IN [ … ]`"));
            return;
        }
        if self.set.lenient {
            return;
        }
        if let ExprKind::List(items) = &b.kind {
            items.iter().for_each(|i| self.expect_like(i, a, scope));
        }
        match (self.kind_of(a, scope), self.kind_of(b, scope)) {
            (VarKind::Scalar(x), VarKind::Scalar(Scalar::ListOf(y))) if !x.comparable(*y) => {
                let d = self.mismatch((a, x), (b, *y), "looked for among values of which each is", span);
                self.error(Diagnostic { help: None, ..d });
            }
            (VarKind::Scalar(x), VarKind::Value) => self.expect(b, x.list(), a.span),
            (VarKind::Value, VarKind::Scalar(Scalar::ListOf(y))) => self.expect(a, *y, b.span),
            _ => {}
        }
    }

    fn regex(&mut self, a: &Expr, b: &Expr, scope: &Scope) -> CExpr {
        let value = self.boxed(a, scope);
        match &b.kind {
            ExprKind::Lit(Literal::Str(s)) => match compile_regex(s) {
                Ok(r) => CExpr::Regex(value, Arc::new(r)),
                Err(m) => {
                    self.error(Diagnostic::new(Code::Regex, b.span, m).help(
                        "expressions run in linear time: look-around and back-references don't exist, size is bounded",
                    ));
                    CExpr::Const(Val::Null)
                }
            },
            _ => CExpr::DynRegex(value, self.boxed(b, scope), b.span),
        }
    }

    fn call(&mut self, span: Span, name: &Arc<str>, args: &[Expr], distinct: bool, star: bool, scope: &Scope) -> CExpr {
        if let Some((_, kind)) = AGGREGATES.iter().find(|(n, _)| *n == &**name) {
            return self.aggregate(span, name, *kind, args, distinct, star, scope);
        }
        if &**name == "exists" || &**name == "property_exists" {
            // exists(n.prop) of old: whether it is known.
            if let ([only], "exists") = (args, &**name) {
                return CExpr::IsNull(self.boxed(only, scope), true);
            }
            if let [base, Expr { kind: ExprKind::Var(p), span }] = args {
                let prop = self.property(base, &Name { text: p.clone(), span: *span }, scope);
                return CExpr::IsNull(Box::new(prop), true);
            }
        }
        let Some((func, min, max)) = Func::by_name(name) else {
            if name.starts_with("apoc.") {
                let d = Diagnostic::new(Code::Unsupported, span, format!("`{name}`: APOC isn't part of sv0"));
                let d =
                    d.help("most of it is in the language: list predicates, comprehensions, dates, quantified paths");
                // Where unknown labels are empty, an unknown function knows nothing: that is told.
                if self.set.lenient {
                    self.warnings.push(Diagnostic { message: format!("{}: it gives null", d.message), ..d });
                    args.iter().for_each(|a| _ = self.expr(a, scope));
                } else {
                    self.error(d);
                }
                return CExpr::Const(Val::Null);
            }
            if &**name == "reduce" {
                let d = Diagnostic::new(Code::Unsupported, span, "`reduce` isn't supported");
                self.error(d.help("to join lists, write `flatten(list_of_lists)`"));
                return CExpr::Const(Val::Null);
            }
            let all = FUNCTION_NAMES.iter().copied().chain(AGGREGATES.iter().map(|a| a.0));
            let near = Schema::nearest(name, all);
            let end = span.0 + self.text_of(span).find('(').unwrap_or(0);
            self.unknown("function", &Name { text: name.clone(), span: (span.0, end) }, &near);
            return CExpr::Const(Val::Null);
        };
        if args.len() < min || args.len() > max || star || distinct {
            let want = if min == max { format!("{min}") } else { format!("{min} to {max}") };
            let m = format!("`{name}` takes {want} argument{}, not {}", if want == "1" { "" } else { "s" }, args.len());
            self.error(Diagnostic::new(Code::Type, span, m));
        }
        if args.is_empty() && matches!(func, Func::Timestamp | Func::Date) {
            return self.now(func == Func::Date, span);
        }
        if func == Func::Size && matches!(args, [Expr { kind: ExprKind::Exists(_), .. }]) {
            let d = Diagnostic::new(Code::Type, span, "`size` doesn't take a pattern");
            self.error(d.help("write `COUNT { (a)-[:T]->() }`"));
        }
        self.check_argument(func, name, args, scope);
        CExpr::Call(func, args.iter().map(|a| self.expr(a, scope)).collect(), span)
    }

    fn check_argument(&mut self, func: Func, name: &str, args: &[Expr], scope: &Scope) {
        if let Some(first) = args.first()
            && let Some(ty) = self.declared(first, scope)
        {
            let text = matches!(
                func,
                Func::Upper
                    | Func::Lower
                    | Func::Trim
                    | Func::LTrim
                    | Func::RTrim
                    | Func::Split
                    | Func::Replace
                    | Func::Substring
                    | Func::Left
                    | Func::Right
            );
            let number = matches!(func, Func::Abs | Func::Ceil | Func::Floor | Func::Round | Func::Sqrt | Func::Sign);
            let any = ty == PropType::Any;
            if !any && ((text && ty != PropType::Str) || (number && !matches!(ty, PropType::Int | PropType::Float))) {
                let m = format!("`{name}` doesn't take a {}", ty.name());
                self.error(Diagnostic::new(Code::Type, first.span, m));
            }
        }
        let Some(Expr { kind: ExprKind::Var(v), span }) = args.first() else { return };
        let Some(kind) = scope.get(v).map(|v| v.kind) else { return };
        let fits = match func {
            Func::PathLength | Func::Nodes | Func::Edges | Func::Elements => {
                matches!(
                    kind,
                    VarKind::Path
                        | VarKind::Value
                        | VarKind::List { .. }
                        | VarKind::Scalar(Scalar::List | Scalar::ListOf(_))
                )
            }
            Func::Labels => matches!(kind, VarKind::Node(_) | VarKind::Value),
            Func::Type | Func::StartNode | Func::EndNode => matches!(kind, VarKind::Edge | VarKind::Value),
            Func::Size => matches!(kind, VarKind::List { .. } | VarKind::Value | VarKind::Scalar(_)),
            _ => true,
        };
        if !fits {
            let what = match kind {
                VarKind::Node(_) => "a node",
                VarKind::Edge => "an edge",
                VarKind::List { .. } => "a list",
                VarKind::Path => "a path",
                VarKind::Value | VarKind::Scalar(_) => "such a value",
            };
            let d = Diagnostic::new(Code::Type, *span, format!("`{name}` doesn't take {what}"));
            let d = if kind == VarKind::Path { d.help(format!("write `PATH_LENGTH({v})`")) } else { d };
            self.error(d);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one call expression")]
    fn aggregate(
        &mut self,
        span: Span,
        name: &str,
        kind: crate::plan::AggKind,
        args: &[Expr],
        distinct: bool,
        star: bool,
        scope: &Scope,
    ) -> CExpr {
        if self.in_aggregate {
            self.error(Diagnostic::new(Code::Aggregation, span, "an aggregate within an aggregate"));
            return CExpr::Const(Val::Null);
        }
        if self.aggregates.is_none() {
            let d = Diagnostic::new(Code::Aggregation, span, format!("the aggregate `{name}` can't stand here"));
            self.error(d.help("aggregate in RETURN or WITH first, then filter"));
            return CExpr::Const(Val::Null);
        }
        if (star && (kind != crate::plan::AggKind::Count || !args.is_empty())) || (!star && args.len() != 1) {
            let m = format!("`{name}` takes one argument{}", if name == "count" { " or `*`" } else { "" });
            self.error(Diagnostic::new(Code::Type, span, m));
            return CExpr::Const(Val::Null);
        }
        if let Some(first) = args.first()
            && matches!(kind, crate::plan::AggKind::Sum | crate::plan::AggKind::Avg)
            && let Some(ty) = self.declared(first, scope)
            && !matches!(ty, PropType::Int | PropType::Float | PropType::Any)
        {
            self.error(Diagnostic::new(Code::Type, first.span, format!("`{name}` doesn't take a {}", ty.name())));
        }
        self.in_aggregate = true;
        let arg = args.first().map(|a| self.expr(a, scope));
        self.in_aggregate = false;
        let slot = self.slot();
        if let Some(a) = &mut self.aggregates {
            a.push(Aggregate { slot, kind, arg, distinct, span });
        }
        CExpr::Slot(slot)
    }

    /// A label expression over nodes.
    pub(crate) fn node_label(&mut self, l: &Label) -> CLabel {
        match l {
            Label::Any => CLabel::Any,
            Label::Not(a) => CLabel::Not(Box::new(self.node_label(a))),
            Label::And(a, b) => CLabel::And(Box::new(self.node_label(a)), Box::new(self.node_label(b))),
            Label::Or(a, b) => CLabel::Or(Box::new(self.node_label(a)), Box::new(self.node_label(b))),
            Label::Name(n) => {
                let schema = self.set.schema;
                if schema.is_open() {
                    return CLabel::Tag(n.text.clone());
                }
                if let Some(c) = self.change_label(&n.text) {
                    return c;
                }
                if let Ok(t) = n.text.parse() {
                    return CLabel::Type(t);
                }
                let kinds = || schema.kinds().iter().flat_map(|(_, k)| k.iter());
                if kinds().any(|k| **k == *n.text) {
                    return CLabel::Kind(n.text.clone());
                }
                if schema.tags().iter().any(|t| **t == *n.text) {
                    return CLabel::Tag(n.text.clone());
                }
                if (self.set.known_label)(&n.text) {
                    return CLabel::Or(Box::new(CLabel::Kind(n.text.clone())), Box::new(CLabel::Tag(n.text.clone())));
                }
                if !self.set.lenient && !self.full() {
                    let types = sv0_graph::NodeType::ALL.iter().map(|t| t.name());
                    let tags = schema.tags().iter().map(String::as_str);
                    let near = Schema::nearest(&n.text, types.chain(tags).chain(kinds().map(String::as_str)));
                    self.unknown("label", n, &near);
                }
                CLabel::Nothing
            }
        }
    }

    /// A label expression over edges, as the set of types.
    pub(crate) fn edge_label(&mut self, l: &Label) -> CLabel {
        match l {
            Label::Any => CLabel::Any,
            Label::Not(a) => CLabel::Not(Box::new(self.edge_label(a))),
            Label::And(a, b) => CLabel::And(Box::new(self.edge_label(a)), Box::new(self.edge_label(b))),
            Label::Or(a, b) => CLabel::Or(Box::new(self.edge_label(a)), Box::new(self.edge_label(b))),
            Label::Name(n) => {
                let schema = self.set.schema;
                if let Some(t) = schema.edge_type_id(&n.text) {
                    return CLabel::EdgeTypes(vec![t]);
                }
                if let Some(c) = sv0_graph::EdgeClass::ALL.into_iter().find(|c| c.name() == &*n.text) {
                    return CLabel::EdgeTypes(
                        schema.edge_type_ids().filter(|t| schema.edge_type(*t).class == c).collect(),
                    );
                }
                if let Some(g) = schema.groups().iter().find(|g| g.name == *n.text) {
                    return CLabel::EdgeTypes(g.types.clone());
                }
                if let Some(c) = self.change_label(&n.text) {
                    return c;
                }
                self.unknown_edge_type(n);
                CLabel::Nothing
            }
        }
    }

    /// A label of something that may be a node or an edge.
    fn any_label(&mut self, l: &Label) -> CLabel {
        let two = |a: CLabel, b: CLabel| CLabel::Or(Box::new(a), Box::new(b));
        match l {
            Label::Any => CLabel::Any,
            Label::Not(a) => CLabel::Not(Box::new(self.any_label(a))),
            Label::And(a, b) => CLabel::And(Box::new(self.any_label(a)), Box::new(self.any_label(b))),
            Label::Or(a, b) => two(self.any_label(a), self.any_label(b)),
            Label::Name(n) => {
                let schema = self.set.schema;
                let edge = schema.edge_type_id(&n.text).is_some()
                    || schema.groups().iter().any(|g| g.name == *n.text)
                    || sv0_graph::EdgeClass::ALL.into_iter().any(|c| c.name() == &*n.text);
                match edge {
                    true if schema.is_open() => two(self.node_label(l), self.edge_label(l)),
                    true => self.edge_label(l),
                    false => self.node_label(l),
                }
            }
        }
    }

    /// `added`, `removed`, `changed`, `same`, where a graph of differences is read.
    pub(super) fn change_label(&self, name: &str) -> Option<CLabel> {
        let graph = self.set.graphs.get(usize::from(self.current_graph()));
        let diff = graph.is_some_and(|g| g.starts_with("diff(") || self.set.compared.contains(g));
        let change = sv0_graph::Change::ALL.into_iter().find(|c| c.name() == name)?;
        diff.then_some(CLabel::Change(change))
    }

    pub(crate) fn unknown_edge_type(&mut self, n: &Name) {
        if self.set.lenient || self.full() {
            return;
        }
        let types = self.set.schema.edge_types().iter().map(|t| t.name.as_str());
        let types = types.chain(self.set.schema.groups().iter().map(|g| g.name.as_str()));
        let classes = sv0_graph::EdgeClass::ALL.iter().map(|c| c.name());
        let near = Schema::nearest(&n.text, types.chain(classes));
        if near.is_empty() {
            let d = Diagnostic::new(Code::UnknownName, n.span, format!("unknown edge type `{}`", n.text));
            let classes = list(sv0_graph::EdgeClass::ALL.iter().map(|c| c.name()));
            self.error(d.help(format!("`sv0 schema` lists the types; the classes are {classes}")));
        } else {
            self.unknown("edge type", n, &near);
        }
    }
}

/// What a type's name in CAST stands for.
pub(super) fn cast_of(name: &str) -> Option<(Cast, Scalar)> {
    Some(match name.to_uppercase().as_str() {
        "STRING" | "VARCHAR" => (Cast::Str, Scalar::Str),
        "INT" | "INTEGER" | "INT64" | "BIGINT" => (Cast::Int, Scalar::Int),
        "FLOAT" | "FLOAT64" | "DOUBLE" | "REAL" => (Cast::Float, Scalar::Float),
        "BOOL" | "BOOLEAN" => (Cast::Bool, Scalar::Bool),
        "TIMESTAMP" | "DATETIME" | "ZONED_DATETIME" => (Cast::Timestamp, Scalar::Timestamp),
        "DATE" => (Cast::Date, Scalar::Date),
        _ => return None,
    })
}

/// The variables of a pattern's elements, and where they stand.
fn variables_of(t: &Term, out: &mut std::collections::BTreeMap<Arc<str>, Span>) {
    for e in t {
        let var = match e {
            Element::Node(n) => &n.filler.var,
            Element::Edge(e, _) => &e.filler.var,
            Element::Group(g) => {
                g.alternatives.iter().for_each(|t| variables_of(t, out));
                continue;
            }
        };
        if let Some(v) = var {
            out.entry(v.text.clone()).or_insert(v.span);
        }
    }
}

/// A whole-string match on the linear-time engine, with bounded size.
pub(crate) fn compile_regex(pattern: &str) -> Result<regex::Regex, String> {
    if pattern.len() > 1024 {
        return Err(format!("regular expression of {} bytes; at most 1024 are read", pattern.len()));
    }
    regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
        .size_limit(1 << 20)
        .dfa_size_limit(1 << 20)
        .nest_limit(50)
        .dot_matches_new_line(true)
        .build()
        .map_err(|e| {
            let t = e.to_string();
            format!("regular expression: {}", t.lines().last().unwrap_or("malformed").trim_start_matches("error: "))
        })
}
