//! Expressions.

use super::pattern::pattern_subquery;
use super::{Builder, MAX_PARTS, P, R, Rule, parts, span, trimmed};
use crate::ast::{
    ArithOp, Clause, CmpOp, Element, Expr, ExprKind, Label, Linear, Literal, Name, Quant, Span, Subquery, TextOp,
};
use crate::diag::{Code, Diagnostic, QueryError};
use std::sync::Arc;

impl Builder<'_> {
    pub(super) fn first_expr(&self, p: P<'_>) -> R<Expr> {
        let at = span(&p);
        let e = parts(p).find(|c| c.as_rule() == Rule::expr);
        self.expr_of(e, at)
    }

    pub(super) fn expr_of(&self, p: Option<P<'_>>, at: Span) -> R<Expr> {
        p.map_or_else(|| Err(self.err(at, "an expression is missing")), |p| self.expr(p))
    }

    pub(super) fn boxed(&self, p: Option<P<'_>>, at: Span) -> R<Box<Expr>> {
        self.expr_of(p, at).map(Box::new)
    }

    /// Any expression rule. A chain of operators that is built to the left is as deep as it is long.
    pub(super) fn expr(&self, p: P<'_>) -> R<Expr> {
        let (mut p, mut passed) = (p, 0);
        // Rules that hold one part and nothing else are passed without a call: there are ten of them a bracket.
        while let Rule::expr
        | Rule::paren
        | Rule::or_e
        | Rule::xor_e
        | Rule::and_e
        | Rule::not_e
        | Rule::cmp_e
        | Rule::pred_e
        | Rule::add_e
        | Rule::mul_e
        | Rule::unary_e
        | Rule::postfix = p.as_rule()
        {
            let mut inner = parts(p.clone());
            match (inner.next(), inner.next()) {
                (Some(only), None) => {
                    passed += usize::from(p.as_rule() == Rule::expr);
                    p = only;
                }
                _ => break,
            }
        }
        let at = trimmed(self.text, span(&p));
        let levels = match p.as_rule() {
            Rule::cmp_e | Rule::pred_e => 2 * parts(p.clone()).count().saturating_sub(1),
            Rule::add_e | Rule::mul_e => parts(p.clone()).count() / 2,
            Rule::not_e | Rule::unary_e | Rule::postfix => parts(p.clone()).count().saturating_sub(1),
            // A query in a query: whoever walks one goes through many calls a level.
            Rule::exists_e | Rule::count_e | Rule::value_e | Rule::pattern_pred => 15,
            _ => 0,
        };
        self.count(1, at)?;
        self.deeper(levels + passed, at, || self.any_expr(p, at))
    }

    /// Counts the parts of a tree that are made.
    fn count(&self, more: usize, at: Span) -> R<()> {
        self.made.set(self.made.get().saturating_add(more));
        if self.made.get() > MAX_PARTS {
            let m = format!("expressions of more than {MAX_PARTS} parts");
            return Err(QueryError::one(Diagnostic::new(Code::Syntax, at, m).help("name parts of it with LET")));
        }
        Ok(())
    }

    fn any_expr(&self, p: P<'_>, at: Span) -> R<Expr> {
        let e = |kind| Ok(Expr { kind, span: at });
        match p.as_rule() {
            Rule::expr | Rule::paren => self.expr_of(parts(p).next(), at),
            Rule::or_e => self.fold(p, ExprKind::Or),
            Rule::xor_e => self.fold(p, ExprKind::Xor),
            Rule::and_e => self.fold(p, ExprKind::And),
            Rule::not_e => {
                let mut nots = 0;
                let mut inner = None;
                for c in parts(p) {
                    if c.as_rule() == Rule::not_op {
                        nots += 1;
                    } else {
                        inner = Some(self.expr(c)?);
                    }
                }
                let mut x = inner.ok_or_else(|| self.err(at, "an expression is missing"))?;
                for _ in 0..nots {
                    x = Expr { kind: ExprKind::Not(Box::new(x)), span: at };
                }
                Ok(x)
            }
            Rule::cmp_e => self.comparison(p),
            Rule::pred_e => self.predicate(p),
            Rule::add_e | Rule::mul_e => {
                let mut i = parts(p);
                let mut acc = self.expr_of(i.next(), at)?;
                while let Some(op) = i.next() {
                    let o = match op.as_str() {
                        "||" => ArithOp::Concat,
                        "+" => ArithOp::Add,
                        "-" => ArithOp::Sub,
                        "*" => ArithOp::Mul,
                        "/" => ArithOp::Div,
                        _ => ArithOp::Mod,
                    };
                    let rhs = self.expr_of(i.next(), at)?;
                    let sp = (acc.span.0, rhs.span.1);
                    acc = Expr { kind: ExprKind::Arith(o, Box::new(acc), Box::new(rhs)), span: sp };
                }
                Ok(acc)
            }
            Rule::unary_e => {
                let mut negative = false;
                let mut inner = None;
                for c in parts(p) {
                    if c.as_rule() == Rule::minus {
                        negative ^= c.as_str() == "-";
                    } else {
                        inner = Some(self.signed(c, negative)?);
                    }
                }
                let (x, read) = inner.ok_or_else(|| self.err(at, "an expression is missing"))?;
                if read {
                    Ok(Expr { span: at, ..x })
                } else if negative {
                    e(ExprKind::Neg(Box::new(x)))
                } else {
                    Ok(x)
                }
            }
            Rule::postfix => {
                let mut i = parts(p);
                let mut acc = self.expr_of(i.next(), at)?;
                for post in i {
                    let sp = (acc.span.0, span(&post).1);
                    let Some(x) = parts(post).next() else { continue };
                    let kind = match x.as_rule() {
                        Rule::ident => ExprKind::Prop(Box::new(acc), self.ident(x)),
                        _ => {
                            let (mut from, mut to, mut slice) = (None, None, false);
                            for s in parts(x) {
                                match s.as_rule() {
                                    Rule::dots => slice = true,
                                    Rule::slice_to => to = Some(self.boxed(parts(s).next(), at)?),
                                    _ => from = Some(Box::new(self.expr(s)?)),
                                }
                            }
                            match from {
                                Some(i) if !slice => ExprKind::Index(Box::new(acc), i),
                                from => ExprKind::Slice(Box::new(acc), from, to),
                            }
                        }
                    };
                    acc = Expr { kind, span: sp };
                }
                Ok(acc)
            }
            Rule::number => self.number(&p, false),
            Rule::string => e(ExprKind::Lit(Literal::Str(self.string(p)?))),
            Rule::k_true_l => e(ExprKind::Lit(Literal::Bool(true))),
            Rule::k_false_l => e(ExprKind::Lit(Literal::Bool(false))),
            Rule::k_null_l => e(ExprKind::Lit(Literal::Null)),
            Rule::param => e(ExprKind::Param(self.name_of(parts(p).next(), at)?.text)),
            Rule::var_ref => e(ExprKind::Var(self.name_of(parts(p).next(), at)?.text)),
            Rule::list => self.list(p),
            Rule::case_e => self.case(p),
            Rule::cast_e => {
                let mut i = parts(p);
                let value = self.boxed(i.next(), at)?;
                let ty = i.next().ok_or_else(|| self.err(at, "a type is missing"))?;
                let here = trimmed(self.text, span(&ty));
                let name = match parts(ty).next() {
                    Some(n) => self.ident(n),
                    None => Name { text: "TIMESTAMP".into(), span: here },
                };
                e(ExprKind::Cast(value, name))
            }
            Rule::typed_lit => {
                let (mut name, mut arg) = ("timestamp", None);
                for c in parts(p) {
                    if c.as_rule() == Rule::string {
                        arg = Some(self.expr(c)?);
                    } else {
                        let word = c.as_str().to_lowercase();
                        if word.starts_with("duration") {
                            name = "duration";
                        } else if word == "date" {
                            name = "date";
                        }
                    }
                }
                let args = arg.into_iter().collect();
                e(ExprKind::Call { name: name.into(), args, distinct: false, star: false })
            }
            Rule::exists_e => e(ExprKind::Exists(Box::new(self.subquery(p)?))),
            Rule::count_e => e(ExprKind::Count(Box::new(self.subquery(p)?))),
            Rule::value_e => e(ExprKind::Value(Box::new(self.subquery(p)?))),
            Rule::pattern_pred => {
                let mut term = Vec::new();
                for c in parts(p) {
                    match c.as_rule() {
                        Rule::node => term.push(Element::Node(self.node(c)?)),
                        _ => term.push(self.edge_q(c)?),
                    }
                }
                e(ExprKind::Exists(Box::new(pattern_subquery(term, at))))
            }
            Rule::call => self.call(p),
            r => Err(self.err(at, &format!("unexpected {r:?}"))),
        }
    }

    /// A negative literal is one literal, so that the least integer can be written. Answers also whether it was one: then
    /// its sign is read.
    pub(super) fn signed(&self, p: P<'_>, negative: bool) -> R<(Expr, bool)> {
        let mut inner = parts(p.clone());
        if let (Some(n), None) = (inner.next(), inner.next())
            && n.as_rule() == Rule::number
        {
            return Ok((self.number(&n, negative)?, true));
        }
        Ok((self.expr(p)?, false))
    }

    pub(super) fn number(&self, p: &P<'_>, negative: bool) -> R<Expr> {
        let at = span(p);
        let text = p.as_str().replace('_', "").to_lowercase();
        let digits = |radix: u32, d: &str| {
            let d = if negative { format!("-{d}") } else { d.to_owned() };
            i64::from_str_radix(&d, radix).map_err(|_| self.err(at, "the integer is out of range"))
        };
        let rule = parts(p.clone()).next().map(|i| i.as_rule());
        let lit = match rule {
            Some(Rule::hex) => Literal::Int(digits(16, text.trim_start_matches("0x"))?),
            Some(Rule::octal) => Literal::Int(digits(8, text.trim_start_matches("0o"))?),
            Some(Rule::float) => {
                let f: f64 = text.parse().map_err(|_| self.err(at, "malformed number"))?;
                if !f.is_finite() {
                    return Err(self.err(at, "the number is out of range"));
                }
                Literal::Float(if negative { -f } else { f })
            }
            _ => Literal::Int(digits(10, &text)?),
        };
        Ok(Expr { kind: ExprKind::Lit(lit), span: at })
    }

    pub(super) fn string(&self, p: P<'_>) -> R<Arc<str>> {
        let at = span(&p);
        let inner = parts(p).next().map_or("", |i| i.as_str());
        let quote = self.text.as_bytes().get(at.0).copied().unwrap_or(b'\'') as char;
        let mut out = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            if c == quote {
                chars.next();
                out.push(quote);
            } else if c == '\\' {
                match chars.next() {
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some('b') => out.push('\u{8}'),
                    Some('f') => out.push('\u{c}'),
                    Some(u @ ('u' | 'U')) => {
                        let n = if u == 'u' { 4 } else { 6 };
                        let hex: String = chars.by_ref().take(n).collect();
                        let c = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                        out.push(c.ok_or_else(|| self.err(at, "malformed \\u escape in a string"))?);
                    }
                    Some(c @ ('\\' | '\'' | '"' | '`')) => out.push(c),
                    Some(c) => {
                        // Regular expressions are written in strings: keep an unknown escape as it stands.
                        out.push('\\');
                        out.push(c);
                    }
                    None => {}
                }
            } else {
                out.push(c);
            }
        }
        Ok(out.into())
    }

    /// A chain of an associative operator, as a tree of little depth. The order of the terms stays.
    pub(super) fn fold(&self, p: P<'_>, f: fn(Box<Expr>, Box<Expr>) -> ExprKind) -> R<Expr> {
        let at = span(&p);
        let count = parts(p.clone()).count();
        let levels = if count > 1 { count.ilog2() as usize + 1 } else { 0 };
        let mut terms = self.deeper(levels, at, || parts(p).map(|c| self.expr(c)).collect::<R<Vec<Expr>>>())?;
        while terms.len() > 1 {
            let mut pairs = terms.into_iter();
            let mut next = Vec::new();
            while let Some(a) = pairs.next() {
                next.push(match pairs.next() {
                    Some(b) => {
                        let span = (a.span.0, b.span.1);
                        Expr { kind: f(Box::new(a), Box::new(b)), span }
                    }
                    None => a,
                });
            }
            terms = next;
        }
        terms.pop().ok_or_else(|| self.err(at, "an expression is missing"))
    }

    /// `x IN list`, written without parentheses, as what a comprehension or a list predicate goes over.
    fn over(text: &str, e: Expr) -> Result<(Name, Box<Expr>), Expr> {
        match e.kind {
            ExprKind::In(x, list) if !text.starts_with('(') => match x.kind {
                ExprKind::Var(name) => Ok((Name { text: name, span: x.span }, list)),
                kind => Err(Expr { kind: ExprKind::In(Box::new(Expr { kind, ..*x }), list), ..e }),
            },
            _ => Err(e),
        }
    }

    /// Takes the last alternative of the label that an expression ends in, if it names the variable.
    fn behind_label(e: &mut Expr, var: &str) -> Option<Expr> {
        match &mut e.kind {
            ExprKind::And(_, b) | ExprKind::Or(_, b) | ExprKind::Xor(_, b) | ExprKind::Not(b) => {
                Self::behind_label(b, var)
            }
            ExprKind::HasLabel(_, l) => match l {
                Label::Or(a, b) => match &**b {
                    Label::Name(n) if *n.text == *var => {
                        let taken = Expr { kind: ExprKind::Var(n.text.clone()), span: n.span };
                        *l = (**a).clone();
                        Some(taken)
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// A list, or a list comprehension.
    fn list(&self, p: P<'_>) -> R<Expr> {
        let at = span(&p);
        let (mut items, mut filter, mut map, mut first) = (Vec::new(), None, None, "");
        for c in parts(p) {
            match c.as_rule() {
                Rule::where_c => filter = Some(Box::new(self.first_expr(c)?)),
                Rule::list_map => map = Some(Box::new(self.first_expr(c)?)),
                _ => {
                    if items.is_empty() {
                        first = c.as_str();
                    }
                    items.push(self.expr(c)?);
                }
            }
        }
        let list = |items| Ok(Expr { kind: ExprKind::List(items), span: at });
        // `[x IN list WHERE x:A | x]`: what stands behind the bar is the element, not a second label.
        if items.len() == 1
            && map.is_none()
            && let Some(ExprKind::In(x, _)) = items.first().map(|e| &e.kind)
            && let ExprKind::Var(v) = &x.kind
            && let Some(f) = filter.as_deref_mut()
        {
            map = Self::behind_label(f, v).map(Box::new);
        }
        let only = if items.len() == 1 { items.pop() } else { None };
        let item = match only.map(|e| Self::over(first, e)) {
            Some(Ok((var, list))) => {
                return Ok(Expr { kind: ExprKind::ListComp { var, list, filter, map }, span: at });
            }
            Some(Err(e)) => Some(e),
            None => None,
        };
        if filter.is_none() && map.is_none() {
            items.extend(item);
            return list(items);
        }
        if matches!(item, Some(Expr { kind: ExprKind::Exists(_), .. })) {
            let d = Diagnostic::new(Code::Unsupported, at, "a pattern comprehension isn't supported");
            return Err(QueryError::one(d.help("write `OPTIONAL MATCH` and `collect(…)`")));
        }
        let d = Diagnostic::new(Code::Syntax, at, "a list comprehension goes over `x IN list`");
        Err(QueryError::one(d.help("write `[x IN list WHERE … | …]`")))
    }

    /// `a < b < c`: each with the next.
    pub(super) fn comparison(&self, p: P<'_>) -> R<Expr> {
        let at = span(&p);
        let mut i = parts(p).peekable();
        let mut left = self.expr_of(i.next(), at)?;
        let mut acc: Option<Expr> = None;
        while let Some(op) = i.next() {
            let o = match op.as_str() {
                "=" => CmpOp::Eq,
                "<>" | "!=" => CmpOp::Ne,
                "<" => CmpOp::Lt,
                "<=" => CmpOp::Le,
                ">" => CmpOp::Gt,
                _ => CmpOp::Ge,
            };
            let before = self.made.get();
            let right = self.expr_of(i.next(), at)?;
            let here = (at.0, right.span.1);
            let wrap = |kind| Expr { kind, span: here };
            if i.peek().is_some() {
                // It stands in two comparisons: within one another they would grow by the power.
                self.count(self.made.get() - before, at)?;
            }
            let next = if i.peek().is_some() {
                right.clone()
            } else {
                Expr { kind: ExprKind::Lit(Literal::Null), span: here }
            };
            let l = std::mem::replace(&mut left, next);
            let e = wrap(ExprKind::Cmp(o, Box::new(l), Box::new(right)));
            acc = Some(match acc {
                None => e,
                Some(a) => wrap(ExprKind::And(Box::new(a), Box::new(e))),
            });
        }
        Ok(acc.unwrap_or(left))
    }

    /// What is asked about one value.
    pub(super) fn predicate(&self, p: P<'_>) -> R<Expr> {
        let at = span(&p);
        let mut i = parts(p);
        let mut left = self.expr_of(i.next(), at)?;
        for tail in i {
            let sp = (at.0, trimmed(self.text, span(&tail)).1);
            let Some(op) = parts(tail).next() else { continue };
            let wrap = |kind| Expr { kind, span: sp };
            let neg = |p: &P<'_>| parts(p.clone()).any(|c| c.as_rule() == Rule::neg);
            let l = Box::new(left);
            left = match op.as_rule() {
                Rule::is_null => wrap(ExprKind::IsNull(l, neg(&op))),
                Rule::is_truth => {
                    let v = parts(op.clone()).find_map(|c| match c.as_rule() {
                        Rule::k_true => Some(Some(true)),
                        Rule::k_false => Some(Some(false)),
                        Rule::k_unknown => Some(None),
                        _ => None,
                    });
                    wrap(ExprKind::IsTruth(l, v.flatten(), neg(&op)))
                }
                Rule::is_labeled | Rule::has_label => {
                    let n = neg(&op);
                    let lab = parts(op).find(|c| matches!(c.as_rule(), Rule::label_or | Rule::label_tail));
                    let lab = lab.ok_or_else(|| self.err(at, "a label is missing"))?;
                    let e = wrap(ExprKind::HasLabel(l, self.label(lab)?));
                    if n { wrap(ExprKind::Not(Box::new(e))) } else { e }
                }
                Rule::is_source | Rule::is_dest => {
                    let source = op.as_rule() == Rule::is_source;
                    let negated = neg(&op);
                    let n = parts(op).find(|c| c.as_rule() == Rule::ident);
                    let n = self.name_of(n, at)?;
                    let edge = Box::new(Expr { kind: ExprKind::Var(n.text), span: n.span });
                    wrap(ExprKind::IsEnd { node: l, edge, source, negated })
                }
                Rule::in_t => {
                    let n = neg(&op);
                    let r = self.boxed(parts(op).find(|c| c.as_rule() == Rule::add_e), at)?;
                    let e = wrap(ExprKind::In(l, r));
                    if n { wrap(ExprKind::Not(Box::new(e))) } else { e }
                }
                r => {
                    let o = match r {
                        Rule::starts_t => TextOp::StartsWith,
                        Rule::ends_t => TextOp::EndsWith,
                        Rule::contains_t => TextOp::Contains,
                        _ => TextOp::Regex,
                    };
                    let rhs = self.boxed(parts(op).next(), at)?;
                    wrap(ExprKind::Text(o, l, rhs))
                }
            };
        }
        Ok(left)
    }

    pub(super) fn case(&self, p: P<'_>) -> R<Expr> {
        let at = span(&p);
        let (mut subject, mut arms, mut otherwise) = (None, Vec::new(), None);
        for c in parts(p) {
            let rule = c.as_rule();
            let mut i = parts(c);
            match rule {
                Rule::case_subject => subject = Some(self.boxed(i.next(), at)?),
                Rule::case_when => arms.push((self.expr_of(i.next(), at)?, self.expr_of(i.next(), at)?)),
                Rule::case_else => otherwise = Some(self.boxed(i.next(), at)?),
                _ => {}
            }
        }
        Ok(Expr { kind: ExprKind::Case { subject, arms, otherwise }, span: at })
    }

    pub(super) fn subquery(&self, p: P<'_>) -> R<Subquery> {
        let at = span(&p);
        let inner = parts(p).next().ok_or_else(|| self.err(at, "empty subquery"))?;
        let mut probe = parts(inner.clone());
        if let Some(b) = probe.next()
            && b.as_rule() == Rule::match_body
        {
            let m = self.match_body(b, false)?;
            return Ok(Subquery { linear: Linear { graph: None, clauses: vec![Clause::Match(m)] }, bare: false });
        }
        Ok(Subquery { linear: self.linear(inner)?, bare: false })
    }

    pub(super) fn call(&self, p: P<'_>) -> R<Expr> {
        let at = span(&p);
        let (mut name, mut args, mut distinct, mut star) = (String::new(), Vec::new(), false, false);
        let (mut filter, mut first) = (None, "");
        for c in parts(p) {
            match c.as_rule() {
                Rule::func_name => {
                    let parts: Vec<String> = parts(c).map(|i| self.ident(i).text.to_lowercase()).collect();
                    name = parts.join(".");
                }
                Rule::call_star => star = true,
                Rule::distinct => distinct = true,
                Rule::where_c => filter = Some(self.first_expr(c)?),
                _ => {
                    if args.is_empty() {
                        first = c.as_str();
                    }
                    args.push(self.expr(c)?);
                }
            }
        }
        if &*name == "exists"
            && !distinct
            && filter.is_none()
            && matches!(&args[..], [Expr { kind: ExprKind::Exists(_), .. }])
        {
            let mut only = args.pop().ok_or_else(|| self.err(at, "empty pattern"))?;
            if let ExprKind::Exists(s) = &mut only.kind {
                s.bare = false;
            }
            return Ok(only);
        }
        let Some(filter) = filter else {
            return Ok(Expr { kind: ExprKind::Call { name: name.into(), args, distinct, star }, span: at });
        };
        let quant = match &*name {
            "any" => Some(Quant::Any),
            "all" => Some(Quant::All),
            "none" => Some(Quant::None),
            "single" => Some(Quant::Single),
            _ => None,
        };
        let only = if args.len() == 1 { args.pop() } else { None };
        match (quant, only.map(|e| Self::over(first, e))) {
            (Some(q), Some(Ok((var, list)))) if !distinct => {
                Ok(Expr { kind: ExprKind::ListPred(q, var, list, Box::new(filter)), span: at })
            }
            _ => {
                let d = Diagnostic::new(Code::Syntax, at, "WHERE stands in a list predicate only");
                Err(QueryError::one(d.help("write `any(x IN list WHERE …)`, or all, none, single")))
            }
        }
    }
}
