//! Expressions, by descending precedence: OR, XOR, AND, NOT, comparisons, tests of one value, sums, products, signs,
//! `.name` and `[…]`.

use std::sync::Arc;

use super::lex::{Kind, Token};
use super::pattern::behind_label;
use super::{Failure, MAX_DEPTH, MAX_PARTS, Parser, R};
use crate::ast::{ArithOp, CmpOp, Expr, ExprKind, Literal, Name, Quant, Span, Subquery, TextOp};
use crate::diag::{Code, Diagnostic};

/// How many levels a query in an expression counts: whoever walks one goes through many calls a level.
const QUERY_LEVELS: usize = 15;

/// An expression and its height.
struct Made {
    expr: Expr,
    height: usize,
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> R<Expr> {
        Ok(self.or()?.expr)
    }

    fn boxed(&mut self) -> R<(Box<Expr>, usize)> {
        let m = self.or()?;
        Ok((Box::new(m.expr), m.height))
    }

    /// An expression over parts of at most this height.
    fn made(&mut self, kind: ExprKind, span: Span, below: usize) -> R<Made> {
        let height = below + 1;
        if height > MAX_DEPTH {
            let m = format!("an expression of more than {MAX_DEPTH} levels or terms in a row");
            return Err(Diagnostic::new(Code::Syntax, span, m).help("name parts of it with LET").into());
        }
        self.parts(1, span)?;
        self.highest = self.highest.max(height);
        Ok(Made { expr: Expr { kind, span }, height })
    }

    /// Counts the parts of a tree that are made.
    pub(super) fn parts(&mut self, more: usize, span: Span) -> R<()> {
        self.made = self.made.saturating_add(more);
        if self.made > MAX_PARTS {
            let m = format!("expressions of more than {MAX_PARTS} parts");
            return Err(Diagnostic::new(Code::Syntax, span, m).help("name parts of it with LET").into());
        }
        Ok(())
    }

    /// What was read so far stands two queries deeper.
    pub(super) fn deeper(&mut self, span: Span) -> R<()> {
        // With the clauses that read and hand on.
        self.highest += 2 * (QUERY_LEVELS + 4);
        if self.highest > MAX_DEPTH {
            let m = format!("queries in queries of more than {MAX_DEPTH} levels");
            return Err(Diagnostic::new(Code::Syntax, span, m).into());
        }
        Ok(())
    }

    /// Reads a query inside of an expression or a clause; answers also with its height, which counts with what stands
    /// around it.
    pub(super) fn nested<T>(&mut self, f: impl FnOnce(&mut Self) -> R<T>) -> R<(T, usize)> {
        let start = self.start();
        let outer = std::mem::take(&mut self.highest);
        let inner = f(self)?;
        let height = self.highest + QUERY_LEVELS;
        if height > MAX_DEPTH {
            let m = format!("queries in queries of more than {MAX_DEPTH} levels");
            let d = Diagnostic::new(Code::Syntax, self.span_from(start), m);
            return Err(d.help("write them one behind the other").into());
        }
        self.highest = outer.max(height);
        Ok((inner, height))
    }

    // ---- chains

    fn or(&mut self) -> R<Made> {
        let first = self.xor()?;
        if !self.word_at(0, "OR") {
            return Ok(first);
        }
        let mut terms = vec![first];
        while self.word_at(0, "OR") {
            self.at += 1;
            terms.push(self.xor()?);
        }
        self.fold(terms, ExprKind::Or)
    }

    fn xor(&mut self) -> R<Made> {
        let first = self.and()?;
        if !self.word_at(0, "XOR") {
            return Ok(first);
        }
        let mut terms = vec![first];
        while self.word_at(0, "XOR") {
            self.at += 1;
            terms.push(self.and()?);
        }
        self.fold(terms, ExprKind::Xor)
    }

    fn and(&mut self) -> R<Made> {
        let first = self.not()?;
        if !self.word_at(0, "AND") {
            return Ok(first);
        }
        let mut terms = vec![first];
        while self.word_at(0, "AND") {
            self.at += 1;
            terms.push(self.not()?);
        }
        self.fold(terms, ExprKind::And)
    }

    /// A chain of an associative operator, as a tree of little depth. The order of the terms stays.
    fn fold(&mut self, mut terms: Vec<Made>, f: fn(Box<Expr>, Box<Expr>) -> ExprKind) -> R<Made> {
        while terms.len() > 1 {
            let mut pairs = terms.into_iter();
            let mut next = Vec::new();
            while let Some(a) = pairs.next() {
                next.push(match pairs.next() {
                    Some(b) => {
                        let span = (a.expr.span.0, b.expr.span.1);
                        let below = a.height.max(b.height);
                        self.made(f(Box::new(a.expr), Box::new(b.expr)), span, below)?
                    }
                    None => a,
                });
            }
            terms = next;
        }
        terms.pop().ok_or(Failure::Unexpected)
    }

    fn not(&mut self) -> R<Made> {
        let start = self.start();
        let mut nots = 0usize;
        while self.eat("NOT") {
            nots += 1;
        }
        let mut m = self.comparison()?;
        for _ in 0..nots {
            let span = (start, m.expr.span.1);
            m = self.made(ExprKind::Not(Box::new(m.expr)), span, m.height)?;
        }
        Ok(m)
    }

    fn comparison_op(&mut self) -> Option<CmpOp> {
        let Kind::Symbol(b) = self.kind() else { return None };
        let (op, symbols) = match b {
            b'=' if !self.symbols_at(0, "=~") => (CmpOp::Eq, 1),
            b'!' if self.symbols_at(0, "!=") => (CmpOp::Ne, 2),
            b'<' if self.symbols_at(0, "<>") => (CmpOp::Ne, 2),
            b'<' if self.symbols_at(0, "<=") => (CmpOp::Le, 2),
            // `<-[` is an edge.
            b'<' if self.symbols_at(0, "<-") && self.peek(2).kind == Kind::Symbol(b'[') => return None,
            b'<' => (CmpOp::Lt, 1),
            b'>' if self.symbols_at(0, ">=") => (CmpOp::Ge, 2),
            b'>' => (CmpOp::Gt, 1),
            _ => return None,
        };
        self.at += symbols;
        Some(op)
    }

    /// `a < b < c`: each with the next.
    fn comparison(&mut self) -> R<Made> {
        let start = self.start();
        let mut left = self.predicate()?;
        let mut all: Option<Made> = None;
        let mut op = self.comparison_op();
        if op.is_none() {
            self.misses("an operator");
        }
        while let Some(o) = op {
            let before = self.made;
            let right = self.predicate()?;
            let span = (start, right.expr.span.1);
            op = self.comparison_op();
            let next = if op.is_some() {
                // It stands in two comparisons: within one another they would grow by the power.
                self.parts(self.made - before, span)?;
                Made { expr: right.expr.clone(), height: right.height }
            } else {
                Made { expr: Expr { kind: ExprKind::Lit(Literal::Null), span }, height: 0 }
            };
            let l = std::mem::replace(&mut left, next);
            let below = l.height.max(right.height);
            let one = self.made(ExprKind::Cmp(o, Box::new(l.expr), Box::new(right.expr)), span, below)?;
            all = Some(match all {
                None => one,
                Some(a) => {
                    let below = a.height.max(one.height);
                    self.made(ExprKind::And(Box::new(a.expr), Box::new(one.expr)), span, below)?
                }
            });
        }
        Ok(all.unwrap_or(left))
    }

    /// What is asked about one value; it binds tighter than a comparison of two.
    fn predicate(&mut self) -> R<Made> {
        let start = self.start();
        let mut m = self.sum()?;
        loop {
            let (made, below) = match self.kind() {
                Kind::Symbol(b':') => {
                    self.at += 1;
                    let (label, height) = self.label(true)?;
                    (ExprKind::HasLabel(Box::new(m.expr), label), m.height.max(height))
                }
                Kind::Symbol(b'=') if self.symbols_at(0, "=~") => {
                    self.at += 2;
                    self.text_test(TextOp::Regex, m)?
                }
                Kind::Word => {
                    let negated = self.word_at(0, "NOT") && self.word_at(1, "IN");
                    if negated || self.word_at(0, "IN") {
                        self.at += 1 + usize::from(negated);
                        let r = self.sum()?;
                        let below = m.height.max(r.height);
                        let e = ExprKind::In(Box::new(m.expr), Box::new(r.expr));
                        if negated {
                            let inner = self.made(e, self.span_from(start), below)?;
                            (ExprKind::Not(Box::new(inner.expr)), inner.height)
                        } else {
                            (e, below)
                        }
                    } else if self.word_at(0, "IS") {
                        self.at += 1;
                        self.is_test(m, start)?
                    } else if self.word_at(0, "STARTS") && self.word_at(1, "WITH") {
                        self.at += 2;
                        self.text_test(TextOp::StartsWith, m)?
                    } else if self.word_at(0, "ENDS") && self.word_at(1, "WITH") {
                        self.at += 2;
                        self.text_test(TextOp::EndsWith, m)?
                    } else if self.word_at(0, "CONTAINS") {
                        self.at += 1;
                        self.text_test(TextOp::Contains, m)?
                    } else {
                        return Ok(m);
                    }
                }
                _ => return Ok(m),
            };
            m = self.made(made, self.span_from(start), below)?;
        }
    }

    fn text_test(&mut self, op: TextOp, m: Made) -> R<(ExprKind, usize)> {
        let r = self.sum()?;
        let below = m.height.max(r.height);
        Ok((ExprKind::Text(op, Box::new(m.expr), Box::new(r.expr)), below))
    }

    /// Behind `IS`.
    fn is_test(&mut self, m: Made, start: usize) -> R<(ExprKind, usize)> {
        let negated = self.eat("NOT");
        let l = Box::new(m.expr);
        if self.eat("NULL") {
            return Ok((ExprKind::IsNull(l, negated), m.height));
        }
        for (word, v) in [("TRUE", Some(true)), ("FALSE", Some(false)), ("UNKNOWN", None)] {
            if self.eat(word) {
                return Ok((ExprKind::IsTruth(l, v, negated), m.height));
            }
        }
        if self.eat("LABELED") {
            let (label, height) = self.label(false)?;
            let (e, below) = (ExprKind::HasLabel(l, label), m.height.max(height));
            if !negated {
                return Ok((e, below));
            }
            let inner = self.made(e, self.span_from(start), below)?;
            return Ok((ExprKind::Not(Box::new(inner.expr)), inner.height));
        }
        let source = self.eat("SOURCE");
        if !source {
            self.need("DESTINATION")?;
        }
        self.need("OF")?;
        let n = self.name()?;
        let edge = Box::new(Expr { kind: ExprKind::Var(n.text), span: n.span });
        Ok((ExprKind::IsEnd { node: l, edge, source, negated }, m.height.max(1)))
    }

    fn sum_op(&mut self) -> Option<ArithOp> {
        let op = match self.kind() {
            Kind::Symbol(b'|') if self.symbols_at(0, "||") => {
                self.at += 1;
                ArithOp::Concat
            }
            Kind::Symbol(b'+') => ArithOp::Add,
            // `--`, `->` and `-[` are edges.
            Kind::Symbol(b'-') => {
                let edge = self.symbols_at(0, "--") || self.symbols_at(0, "->");
                if edge || self.peek(1).kind == Kind::Symbol(b'[') {
                    return None;
                }
                ArithOp::Sub
            }
            _ => return None,
        };
        self.at += 1;
        Some(op)
    }

    fn sum(&mut self) -> R<Made> {
        let mut m = self.product()?;
        while let Some(op) = self.sum_op() {
            let r = self.product()?;
            m = self.arith(op, m, r)?;
        }
        Ok(m)
    }

    fn product(&mut self) -> R<Made> {
        let mut m = self.sign()?;
        loop {
            let op = match self.kind() {
                Kind::Symbol(b'*') => ArithOp::Mul,
                Kind::Symbol(b'/') => ArithOp::Div,
                Kind::Symbol(b'%') => ArithOp::Mod,
                _ => return Ok(m),
            };
            self.at += 1;
            let r = self.sign()?;
            m = self.arith(op, m, r)?;
        }
    }

    fn arith(&mut self, op: ArithOp, l: Made, r: Made) -> R<Made> {
        let span = (l.expr.span.0, r.expr.span.1);
        let below = l.height.max(r.height);
        self.made(ExprKind::Arith(op, Box::new(l.expr), Box::new(r.expr)), span, below)
    }

    fn sign(&mut self) -> R<Made> {
        let start = self.start();
        let (mut signs, mut negative) = (false, false);
        while let Kind::Symbol(b @ (b'-' | b'+')) = self.kind() {
            signs = true;
            negative ^= b == b'-';
            self.at += 1;
        }
        if !signs {
            return self.postfix();
        }
        // A negative literal is one literal, so that the least integer can be written.
        let bare = !matches!(self.peek(1).kind, Kind::Symbol(b'.' | b'['));
        if bare && let Some(lit) = self.number(negative)? {
            return self.made(ExprKind::Lit(lit), self.span_from(start), 0);
        }
        let m = self.postfix()?;
        if negative {
            let span = (start, m.expr.span.1);
            return self.made(ExprKind::Neg(Box::new(m.expr)), span, m.height);
        }
        Ok(m)
    }

    fn postfix(&mut self) -> R<Made> {
        let mut m = self.atom()?;
        loop {
            let start = m.expr.span.0;
            if self.symbols_at(0, ".") && self.name_at(1) {
                self.at += 1;
                let name = self.name()?;
                m = self.made(ExprKind::Prop(Box::new(m.expr), name), self.span_from(start), m.height)?;
            } else if self.symbols_at(0, "[") {
                self.at += 1;
                let base = Box::new(m.expr);
                let (mut below, mut from, mut to) = (m.height, None, None);
                if self.kind() != Kind::DotDot {
                    let (e, h) = self.boxed()?;
                    (from, below) = (Some(e), below.max(h));
                }
                let slice = self.eat_dots();
                if slice && !self.symbols_at(0, "]") {
                    let (e, h) = self.boxed()?;
                    (to, below) = (Some(e), below.max(h));
                }
                self.need_symbols("]")?;
                let kind = match from {
                    Some(i) if !slice => ExprKind::Index(base, i),
                    from => ExprKind::Slice(base, from, to),
                };
                m = self.made(kind, self.span_from(start), below)?;
            } else {
                return Ok(m);
            }
        }
    }

    // ---- atoms

    fn atom(&mut self) -> R<Made> {
        let start = self.start();
        let leaf = |p: &mut Self, kind| p.made(kind, p.span_from(start), 0);
        match self.kind() {
            Kind::Integer | Kind::Hex | Kind::Octal | Kind::Float => match self.number(false)? {
                Some(lit) => leaf(self, ExprKind::Lit(lit)),
                None => self.fail("an expression"),
            },
            Kind::Text => {
                let text = self.string()?;
                leaf(self, ExprKind::Lit(Literal::Str(text)))
            }
            Kind::Symbol(b'$') => {
                self.at += 1;
                let name = self.name()?;
                leaf(self, ExprKind::Param(name.text))
            }
            Kind::Symbol(b'[') => self.list(),
            Kind::Symbol(b'(') => {
                let outer = self.highest;
                if let (Some(s), height) = self.nested(Self::pattern_predicate)? {
                    return self.made(ExprKind::Exists(Box::new(s)), self.span_from(start), height);
                }
                self.highest = outer;
                self.need_symbols("(")?;
                let m = self.or()?;
                self.need_symbols(")")?;
                Ok(m)
            }
            Kind::Quoted => self.named(),
            Kind::Word => {
                let lit = match self.text_of(self.peek(0)).len() {
                    4 if self.word_at(0, "TRUE") => Some(Literal::Bool(true)),
                    5 if self.word_at(0, "FALSE") => Some(Literal::Bool(false)),
                    4 if self.word_at(0, "NULL") => Some(Literal::Null),
                    _ => None,
                };
                if let Some(lit) = lit {
                    self.at += 1;
                    return leaf(self, ExprKind::Lit(lit));
                }
                self.worded()
            }
            _ => self.fail("an expression"),
        }
    }

    /// What a word begins: one of the forms with words of their own, a call, a variable.
    fn worded(&mut self) -> R<Made> {
        let start = self.start();
        match self.peek(1).kind {
            Kind::Symbol(b'{') => {
                let make: fn(Box<Subquery>) -> ExprKind = if self.word_at(0, "EXISTS") {
                    ExprKind::Exists
                } else if self.word_at(0, "COUNT") {
                    ExprKind::Count
                } else if self.word_at(0, "VALUE") {
                    ExprKind::Value
                } else {
                    return self.named();
                };
                self.at += 2;
                let (s, height) = self.nested(Self::subquery)?;
                self.need_symbols("}")?;
                return self.made(make(Box::new(s)), self.span_from(start), height);
            }
            Kind::Symbol(b'(') if self.word_at(0, "CAST") => {
                self.at += 2;
                let (value, height) = self.boxed()?;
                self.need("AS")?;
                let at = self.start();
                let ty = if self.word_at(0, "ZONED") && self.word_at(1, "DATETIME") {
                    self.at += 2;
                    Name { text: "TIMESTAMP".into(), span: self.span_from(at) }
                } else {
                    self.name()?
                };
                self.need_symbols(")")?;
                return self.made(ExprKind::Cast(value, ty), self.span_from(start), height);
            }
            Kind::Text => {
                let name = ["TIMESTAMP", "DATETIME", "DATE", "DURATION"].into_iter().find(|n| self.word_at(0, n));
                if let Some(name) = name {
                    self.at += 1;
                    return self.typed(start, name);
                }
            }
            Kind::Word
                if self.word_at(0, "ZONED") && self.word_at(1, "DATETIME") && self.peek(2).kind == Kind::Text =>
            {
                self.at += 2;
                return self.typed(start, "DATETIME");
            }
            _ => {}
        }
        if self.word_at(0, "CASE") && !self.not_case.contains(&self.at) {
            let at = self.at;
            // A variable may be called so: `case.state`.
            if let Some(m) = self.tried(Self::case)? {
                return Ok(m);
            }
            self.not_case.insert(at);
            if self.word_at(1, "WHEN") {
                return Err(Failure::Unexpected);
            }
        }
        self.named()
    }

    /// The text of a typed literal.
    fn typed(&mut self, start: usize, name: &str) -> R<Made> {
        let at = self.start();
        let text = self.string()?;
        let arg = self.made(ExprKind::Lit(Literal::Str(text)), self.span_from(at), 0)?;
        let name = match name {
            "DURATION" => "duration",
            "DATE" => "date",
            _ => "timestamp",
        };
        let call = ExprKind::Call { name: name.into(), args: vec![arg.expr], distinct: false, star: false };
        self.made(call, self.span_from(start), arg.height)
    }

    /// A call, or a variable.
    fn named(&mut self) -> R<Made> {
        if !self.name_at(0) {
            return self.fail("an expression");
        }
        let mut ahead = 1;
        while self.peek(ahead).kind == Kind::Symbol(b'.') && self.name_at(ahead + 1) {
            ahead += 2;
        }
        if self.peek(ahead).kind == Kind::Symbol(b'(') {
            return self.call();
        }
        let n = self.name()?;
        self.made(ExprKind::Var(n.text), n.span, 0)
    }

    /// A number, if one stands here.
    fn number(&mut self, negative: bool) -> R<Option<Literal>> {
        let t = self.peek(0);
        let radix = match t.kind {
            Kind::Integer => 10,
            Kind::Hex => 16,
            Kind::Octal => 8,
            Kind::Float => 0,
            _ => return Ok(None),
        };
        self.at += 1;
        let span = self.span_of(t);
        let mut text: String = if negative { "-".into() } else { String::new() };
        text.extend(self.text_of(t).chars().skip(if matches!(radix, 8 | 16) { 2 } else { 0 }).filter(|c| *c != '_'));
        if radix == 0 {
            return match text.parse::<f64>() {
                Ok(f) if f.is_finite() => Ok(Some(Literal::Float(f))),
                _ => Err(self.refuse(Code::Syntax, span, "the number is out of range", None)),
            };
        }
        match i64::from_str_radix(&text, radix) {
            Ok(n) => Ok(Some(Literal::Int(n))),
            Err(_) => Err(self.refuse(Code::Syntax, span, "the integer is out of range", None)),
        }
    }

    pub(super) fn string(&mut self) -> R<Arc<str>> {
        let t = self.peek(0);
        if t.kind != Kind::Text {
            return self.fail("a text");
        }
        self.at += 1;
        self.unescaped(t)
    }

    fn unescaped(&self, t: Token) -> R<Arc<str>> {
        let whole = self.text_of(t);
        let quote = if whole.starts_with('"') { '"' } else { '\'' };
        let inner = whole.get(1..whole.len().saturating_sub(1)).unwrap_or("");
        if !inner.contains(['\\', quote]) {
            return Ok(inner.into());
        }
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
                        out.push(c.ok_or_else(|| {
                            self.refuse(Code::Syntax, self.span_of(t), "malformed \\u escape in a string", None)
                        })?);
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

    fn case(&mut self) -> R<Made> {
        let start = self.start();
        self.need("CASE")?;
        let (mut subject, mut arms, mut otherwise, mut below) = (None, Vec::new(), None, 0);
        if !self.is("WHEN") {
            let (e, h) = self.boxed()?;
            (subject, below) = (Some(e), h);
        }
        self.need("WHEN")?;
        loop {
            let when = self.or()?;
            self.need("THEN")?;
            let then = self.or()?;
            below = below.max(when.height).max(then.height);
            arms.push((when.expr, then.expr));
            if !self.eat("WHEN") {
                break;
            }
        }
        if self.eat("ELSE") {
            let (e, h) = self.boxed()?;
            (otherwise, below) = (Some(e), below.max(h));
        }
        self.need("END")?;
        self.made(ExprKind::Case { subject, arms, otherwise }, self.span_from(start), below)
    }

    /// A list, or a list comprehension.
    fn list(&mut self) -> R<Made> {
        let start = self.start();
        self.need_symbols("[")?;
        let bracketed = self.symbols_at(0, "(");
        let (mut items, mut below) = (Vec::new(), 0);
        let (mut filter, mut map) = (None, None);
        if !self.symbols_at(0, "]") {
            loop {
                let m = self.or()?;
                below = below.max(m.height);
                items.push(m.expr);
                if !self.eat_symbols(",") {
                    break;
                }
            }
            if self.eat("WHERE") {
                let (e, h) = self.boxed()?;
                (filter, below) = (Some(e), below.max(h));
            }
            if self.eat_symbols("|") {
                let (e, h) = self.boxed()?;
                (map, below) = (Some(e), below.max(h));
            }
        }
        self.need_symbols("]")?;
        let span = self.span_from(start);
        // `[x IN list WHERE x:A | x]`: what stands behind the bar is the element, not a second label.
        if items.len() == 1
            && map.is_none()
            && let Some(ExprKind::In(x, _)) = items.first().map(|e| &e.kind)
            && let ExprKind::Var(v) = &x.kind
            && let Some(f) = filter.as_deref_mut()
        {
            map = behind_label(f, v).map(|n| Box::new(Expr { kind: ExprKind::Var(n.text), span: n.span }));
        }
        let only = if items.len() == 1 { items.pop() } else { None };
        let item = match only.map(|e| over(bracketed, e)) {
            Some(Ok((var, list))) => {
                return self.made(ExprKind::ListComp { var, list, filter, map }, span, below);
            }
            Some(Err(e)) => Some(e),
            None => None,
        };
        if filter.is_none() && map.is_none() {
            items.extend(item);
            return self.made(ExprKind::List(items), span, below);
        }
        if matches!(item, Some(Expr { kind: ExprKind::Exists(_), .. })) {
            let help = "write `OPTIONAL MATCH` and `collect(…)`";
            return Err(self.refuse(Code::Unsupported, span, "a pattern comprehension isn't supported", Some(help)));
        }
        let help = "write `[x IN list WHERE … | …]`";
        Err(self.refuse(Code::Syntax, span, "a list comprehension goes over `x IN list`", Some(help)))
    }

    /// A function's arguments, or a list predicate: `x IN list` with WHERE behind it.
    fn call(&mut self) -> R<Made> {
        let start = self.start();
        let mut name = self.name()?.text.to_lowercase();
        while self.eat_symbols(".") {
            name.push('.');
            name.push_str(&self.name()?.text.to_lowercase());
        }
        self.need_symbols("(")?;
        let (mut args, mut below, mut distinct, mut filter) = (Vec::new(), 0, false, None);
        let star = self.symbols_at(0, "*");
        let mut bracketed = false;
        if star {
            self.at += 1;
        } else if !self.symbols_at(0, ")") {
            distinct = self.eat("DISTINCT");
            bracketed = self.symbols_at(0, "(");
            loop {
                let m = self.or()?;
                below = below.max(m.height);
                args.push(m.expr);
                if !self.eat_symbols(",") {
                    break;
                }
            }
            if name == "reduce" && self.symbols_at(0, "|") {
                return Err(self.reduce(start));
            }
            if self.eat("WHERE") {
                let (e, h) = self.boxed()?;
                (filter, below) = (Some(e), below.max(h));
            }
        }
        self.need_symbols(")")?;
        let span = self.span_from(start);
        if name == "exists"
            && !distinct
            && filter.is_none()
            && matches!(&args[..], [Expr { kind: ExprKind::Exists(_), .. }])
        {
            let mut only = args.pop().ok_or(Failure::Unexpected)?;
            if let ExprKind::Exists(s) = &mut only.kind {
                s.bare = false;
            }
            return Ok(Made { expr: only, height: below });
        }
        let Some(filter) = filter else {
            return self.made(ExprKind::Call { name: name.into(), args, distinct, star }, span, below);
        };
        let quant = match &*name {
            "any" => Some(Quant::Any),
            "all" => Some(Quant::All),
            "none" => Some(Quant::None),
            "single" => Some(Quant::Single),
            _ => None,
        };
        let only = if args.len() == 1 { args.pop() } else { None };
        match (quant, only.map(|e| over(bracketed, e))) {
            (Some(q), Some(Ok((var, list)))) if !distinct => {
                self.made(ExprKind::ListPred(q, var, list, filter), span, below)
            }
            _ => {
                let help = "write `any(x IN list WHERE …)`, or all, none, single";
                Err(self.refuse(Code::Syntax, span, "WHERE stands in a list predicate only", Some(help)))
            }
        }
    }

    /// `reduce(sum = 0, x IN list | sum + x)`.
    fn reduce(&self, start: usize) -> Failure {
        let help =
            "collect and sum over rows instead: `UNWIND list AS x … sum(x)`; for lists of lists `flatten(lists)`";
        self.refuse(Code::Unsupported, self.span_from(start), "reduce isn't supported", Some(help))
    }
}

/// `x IN list`, written without parentheses, as what a comprehension or a list predicate goes over.
fn over(bracketed: bool, e: Expr) -> Result<(Name, Box<Expr>), Expr> {
    match e.kind {
        ExprKind::In(x, list) if !bracketed => match x.kind {
            ExprKind::Var(name) => Ok((Name { text: name, span: x.span }, list)),
            kind => Err(Expr { kind: ExprKind::In(Box::new(Expr { kind, ..*x }), list), ..e }),
        },
        _ => Err(e),
    }
}
