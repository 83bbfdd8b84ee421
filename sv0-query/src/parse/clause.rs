//! Queries, pipelines, clauses and columns.

use super::lex::Kind;
use super::{Failure, MAX_CLAUSES, Parser, R, syntax};
use crate::ast::{
    Block, Call, Clause, ExprKind, GraphRef, Item, Linear, Match, Name, Prefix, Projection, Query, SetOp, Sort, Span,
    Subquery,
};
use crate::diag::{Code, Diagnostic};

/// What begins a clause.
const CLAUSES: [&str; 10] = ["MATCH", "OPTIONAL", "CALL", "WITH", "RETURN", "NEXT", "FILTER", "LET", "FOR", "UNWIND"];
const WRITES: [&str; 10] =
    ["INSERT", "CREATE", "MERGE", "SET", "REMOVE", "DELETE", "DETACH", "DROP", "FOREACH", "LOAD"];
const SESSIONS: [&str; 4] = ["SESSION", "START", "COMMIT", "ROLLBACK"];

impl Parser<'_> {
    pub(super) fn query(&mut self) -> R<Query> {
        let prefix = if self.eat("EXPLAIN") {
            Some(Prefix::Explain)
        } else if self.eat("PROFILE") {
            Some(Prefix::Profile)
        } else {
            None
        };
        let query = self.statement()?;
        self.eat_symbols(";");
        if self.kind() != Kind::End {
            return self.fail("the end of the query");
        }
        Ok(Query { prefix, ..query })
    }

    /// Pipelines with set operations between them; `NEXT` goes on with all that stands before it, and goes into all that
    /// stands behind it up to the next one.
    pub(super) fn statement(&mut self) -> R<Query> {
        let base = self.made;
        let mut all = self.combined()?;
        loop {
            let at = self.span_of(self.peek(0));
            if !self.eat("NEXT") {
                return Ok(all);
            }
            if !returns(&all.first) || !all.rest.iter().all(|(_, l)| returns(l)) {
                return Err(self.refuse(Code::Syntax, at, "NEXT follows RETURN", None));
            }
            let before = self.made - base;
            let then = self.combined()?;
            // Each part that stands behind has all that stands before in it.
            self.parts(before.saturating_mul(then.rest.len()), at)?;
            if !all.rest.is_empty() || !then.rest.is_empty() {
                self.deeper(at)?;
            }
            all = next(all, then, self.span_from(at.0));
            let clauses = all.first.clauses.len().max(all.rest.iter().map(|(_, l)| l.clauses.len()).max().unwrap_or(0));
            self.bounded(clauses, at)?;
        }
    }

    fn combined(&mut self) -> R<Query> {
        let first = self.linear()?;
        let mut rest = Vec::new();
        while let Some(op) = self.set_op() {
            rest.push((op, self.linear()?));
        }
        Ok(Query { prefix: None, first, rest })
    }

    fn bounded(&self, clauses: usize, at: Span) -> R<()> {
        if clauses > MAX_CLAUSES {
            let m = format!("{clauses} clauses in a row; at most {MAX_CLAUSES} are read");
            return Err(Diagnostic::new(Code::Syntax, at, m).into());
        }
        Ok(())
    }

    fn set_op(&mut self) -> Option<SetOp> {
        let (distinct, all) = if self.eat("UNION") {
            (SetOp::Union, SetOp::UnionAll)
        } else if self.eat("EXCEPT") {
            (SetOp::Except, SetOp::ExceptAll)
        } else if self.eat("INTERSECT") {
            (SetOp::Intersect, SetOp::IntersectAll)
        } else {
            return None;
        };
        if self.eat("ALL") {
            return Some(all);
        }
        self.eat("DISTINCT");
        Some(distinct)
    }

    fn linear(&mut self) -> R<Linear> {
        let start = self.start();
        let graph = self.graph()?;
        let mut clauses: Vec<Clause> = Vec::new();
        loop {
            let at = self.span_of(self.peek(0));
            let Some(clause) = self.clause()? else { break };
            if matches!(clauses.last(), Some(Clause::Return(_))) {
                let d = Diagnostic::new(Code::Syntax, at, "a clause after RETURN");
                return Err(d.help("write NEXT between them").into());
            }
            clauses.push(clause);
        }
        if clauses.is_empty() {
            return Err(Failure::Unexpected);
        }
        let span = self.span_from(start);
        self.bounded(clauses.len(), span)?;
        self.parts(clauses.len(), span)?;
        // Whoever runs one goes through calls for each clause.
        self.highest += clauses.len();
        Ok(Linear { graph, clauses })
    }

    /// Whether a clause begins here.
    fn at_clause(&self) -> bool {
        CLAUSES.iter().chain(&WRITES).chain(&SESSIONS).any(|k| self.word_at(0, k))
    }

    fn clause(&mut self) -> R<Option<Clause>> {
        let found = |c| Ok(Some(c));
        if self.eat("MATCH") {
            found(Clause::Match(self.match_body(false)?))
        } else if self.eat("OPTIONAL") {
            found(self.optional()?)
        } else if self.is("CALL") {
            found(Clause::Call(self.call_clause(false)?))
        } else if self.eat("WITH") {
            let projection = self.projection()?;
            let filter = if self.eat("WHERE") { Some(self.expr()?) } else { None };
            found(Clause::With(projection, filter))
        } else if self.eat("RETURN") {
            found(Clause::Return(self.projection()?))
        } else if self.eat("FILTER") {
            found(self.filter()?)
        } else if self.eat("LET") {
            let mut items = Vec::new();
            loop {
                let name = self.name()?;
                self.need_symbols("=")?;
                items.push((name, self.expr()?));
                if !self.eat_symbols(",") {
                    return found(Clause::Let(items));
                }
            }
        } else if self.eat("FOR") {
            let var = self.name()?;
            self.need("IN")?;
            let list = self.expr()?;
            let ordinality = self.word_at(1, "ORDINALITY");
            let mut position = None;
            if self.is("WITH") && (ordinality || self.word_at(1, "OFFSET")) && self.name_at(2) {
                self.at += 2;
                position = Some((self.name()?, i64::from(ordinality)));
            }
            found(Clause::For { var, list, position })
        } else if self.eat("UNWIND") {
            let list = self.expr()?;
            self.need("AS")?;
            found(Clause::For { var: self.name()?, list, position: None })
        } else if let Some(g) = self.graph()? {
            found(Clause::Use(g))
        } else {
            self.no_clause()?;
            Ok(None)
        }
    }

    /// Refuses what other languages write here.
    fn no_clause(&mut self) -> R<()> {
        let t = self.peek(0);
        let at = self.span_of(t);
        if SESSIONS.iter().any(|k| self.word_at(0, k)) {
            let m = format!("`{}` isn't part of sv0's language", self.text_of(t));
            return Err(Diagnostic::new(Code::NotAQuery, at, m).into());
        }
        if WRITES.iter().any(|k| self.word_at(0, k)) {
            let second = self.text_of(self.peek(1)).to_uppercase();
            let catalog = self.word_at(0, "CREATE") || self.word_at(0, "DROP");
            if catalog && ["GRAPH", "SCHEMA"].contains(&second.as_str()) {
                let m = format!("`{} {second}` isn't part of sv0's language", self.text_of(t));
                return Err(Diagnostic::new(Code::NotAQuery, at, m).into());
            }
            return Err(syntax::read_only(at).into());
        }
        Ok(())
    }

    fn filter(&mut self) -> R<Clause> {
        // A variable may be called so.
        if self.is("WHERE") && !self.symbols_at(1, ".") && !self.symbols_at(1, "=") {
            self.at += 1;
        }
        Ok(Clause::Filter(self.expr()?))
    }

    /// `USE g`, `AT SNAPSHOT n`, `AT TIME t`.
    fn graph(&mut self) -> R<Option<GraphRef>> {
        let start = self.start();
        if self.eat("USE") {
            if self.word_at(0, "DIFF") && self.symbols_at(1, "(") {
                self.at += 2;
                let a = self.graph_arg(true)?;
                self.need_symbols(",")?;
                let b = self.graph_arg(true)?;
                self.need_symbols(")")?;
                return Ok(Some(GraphRef::Diff(Box::new(a), Box::new(b), self.span_from(start))));
            }
            return self.graph_name().map(Some);
        }
        if self.word_at(0, "AT") && self.word_at(1, "SNAPSHOT") {
            self.at += 2;
            return match self.kind() {
                Kind::Word | Kind::Quoted => Ok(Some(GraphRef::Snapshot(self.name()?))),
                _ => self.graph_arg(false).map(Some),
            };
        }
        if self.word_at(0, "AT") && self.word_at(1, "TIME") {
            self.at += 2;
            return self.graph_time().map(Some);
        }
        self.misses("USE");
        Ok(None)
    }

    /// What `AT SNAPSHOT` or an argument of `diff` names. In a diff a text is a time if it reads as one.
    fn graph_arg(&mut self, diff: bool) -> R<GraphRef> {
        let span = self.span_of(self.peek(0));
        if let Some(n) = self.uint()? {
            return Ok(GraphRef::Number(n, span));
        }
        if self.kind() == Kind::Text {
            let text = self.string()?;
            if diff && text.contains(':') && crate::time::parse_timestamp(&text).is_some() {
                self.at -= 1;
                return self.graph_time();
            }
            return Ok(GraphRef::Snapshot(Name { text, span }));
        }
        if diff { self.graph_name() } else { self.fail("a snapshot's number, name or date") }
    }

    fn graph_name(&mut self) -> R<GraphRef> {
        if self.symbols_at(0, "$$") {
            self.at += 2;
            return Ok(GraphRef::Param(self.name()?));
        }
        Ok(GraphRef::Name(self.name()?))
    }

    fn graph_time(&mut self) -> R<GraphRef> {
        let at = self.span_of(self.peek(0));
        let text = self.string()?;
        match crate::time::parse_timestamp(&text) {
            // A date is its whole day.
            Some(t) if text.len() == 10 => Ok(GraphRef::Time(t.saturating_add(86_400_000_000 - 1), at)),
            Some(t) => Ok(GraphRef::Time(t, at)),
            None => {
                let d = Diagnostic::new(Code::Syntax, at, format!("`{text}` isn't a time"));
                Err(d.help("write `AT TIME '2026-05-14'` or `'2026-05-14T06:00:00Z'`").into())
            }
        }
    }

    /// Behind `OPTIONAL`.
    fn optional(&mut self) -> R<Clause> {
        let start = self.start();
        if self.eat_symbols("{") {
            let mut clauses = Vec::new();
            loop {
                if self.eat("MATCH") {
                    clauses.push(Clause::Match(self.match_body(false)?));
                } else if self.eat("OPTIONAL") {
                    clauses.push(self.optional()?);
                } else if self.eat("FILTER") {
                    clauses.push(self.filter()?);
                } else if clauses.is_empty() {
                    return Err(Failure::Unexpected);
                } else {
                    self.need_symbols("}")?;
                    return Ok(Clause::Optional(Block { clauses, span: self.span_from(start) }));
                }
            }
        }
        if self.is("CALL") {
            return Ok(Clause::Call(self.call_clause(true)?));
        }
        self.need("MATCH")?;
        Ok(Clause::Match(self.match_body(true)?))
    }

    fn call_clause(&mut self, optional: bool) -> R<Call> {
        let start = self.start();
        let keyword = self.span_of(self.peek(0));
        self.need("CALL")?;
        let list = self.symbols_at(0, "(");
        if !list && !self.symbols_at(0, "{") {
            return Err(self.refuse(
                Code::Unsupported,
                keyword,
                "procedures aren't supported",
                Some("write the pattern itself with MATCH, or `CALL (vars) { … }`"),
            ));
        }
        let vars = if list {
            self.at += 1;
            let vars = if self.symbols_at(0, ")") { Vec::new() } else { self.names()? };
            self.need_symbols(")")?;
            Some(vars)
        } else {
            None
        };
        self.need_symbols("{")?;
        let body = Box::new(self.nested(Self::statement)?.0);
        self.need_symbols("}")?;
        let call = Call { optional, vars, body, span: self.span_from(start) };
        if self.word_at(0, "IN") && (self.word_at(1, "TRANSACTIONS") || self.word_at(2, "TRANSACTIONS")) {
            return Err(syntax::read_only((self.start(), self.text.trim_end().len())).into());
        }
        Ok(call)
    }

    pub(super) fn match_body(&mut self, optional: bool) -> R<Match> {
        let start = self.start();
        let mut repeatable = false;
        let follows = |p: &Self, a, b| p.word_at(1, a) || p.word_at(1, b);
        if self.word_at(0, "REPEATABLE") && follows(self, "ELEMENTS", "ELEMENT") {
            repeatable = true;
            self.at += 2;
        } else if self.word_at(0, "DIFFERENT") && follows(self, "EDGES", "EDGE") {
            self.at += 2;
        }
        let mut patterns = vec![self.path_pattern()?];
        while self.eat_symbols(",") {
            patterns.push(self.path_pattern()?);
        }
        let filter = if self.eat("WHERE") { Some(self.expr()?) } else { None };
        let span = self.span_from(start);
        if patterns.len() > 16 {
            return Err(self.refuse(Code::Pattern, span, "more than 16 path patterns in one MATCH", None));
        }
        Ok(Match { optional, repeatable, patterns, filter, span })
    }

    /// What stands between a subquery's braces, up to the closing one.
    pub(super) fn subquery(&mut self) -> R<Subquery> {
        let use_or_clause = self.at_clause() || self.word_at(0, "USE") || self.word_at(0, "AT");
        let linear = if use_or_clause && !self.symbols_at(1, "=") {
            let start = self.start();
            let all = self.statement()?;
            if all.rest.is_empty() { all.first } else { read(all, self.span_from(start)) }
        } else {
            let m = self.match_body(false)?;
            Linear { graph: None, clauses: vec![Clause::Match(m)] }
        };
        Ok(Subquery { linear, bare: false })
    }

    fn projection(&mut self) -> R<Projection> {
        let start = self.start();
        let distinct = self.eat("DISTINCT");
        let star = self.eat_symbols("*");
        let mut items = Vec::new();
        if !star || self.eat_symbols(",") {
            items.push(self.item()?);
            while self.eat_symbols(",") {
                items.push(self.item()?);
            }
        }
        let mut group_by = None;
        if self.is("GROUP") {
            self.at += 1;
            self.need("BY")?;
            group_by = Some(if self.eat_symbols("(") {
                self.need_symbols(")")?;
                Vec::new()
            } else {
                self.names()?
            });
        }
        let mut order = Vec::new();
        if self.eat("ORDER") {
            self.need("BY")?;
            order.push(self.sort()?);
            while self.eat_symbols(",") {
                order.push(self.sort()?);
            }
        }
        let (mut skip, mut limit) = (None, None);
        if self.eat_any(&["SKIP", "OFFSET"]) {
            skip = Some(self.expr()?);
        }
        if self.eat("LIMIT") {
            limit = Some(self.expr()?);
            if skip.is_none() && self.eat_any(&["SKIP", "OFFSET"]) {
                skip = Some(self.expr()?);
            }
        }
        Ok(Projection { distinct, star, items, group_by, order, skip, limit, span: self.span_from(start) })
    }

    fn item(&mut self) -> R<Item> {
        let start = self.start();
        let expr = self.expr()?;
        let whole = self.span_from(start);
        if self.eat("AS") {
            return Ok(Item { expr, name: self.name()?, aliased: true });
        }
        let text = match &expr.kind {
            ExprKind::Var(v) => v.clone(),
            _ => self.text.get(whole.0..whole.1).unwrap_or("").into(),
        };
        let name = Name { text, span: expr.span };
        Ok(Item { expr, name, aliased: false })
    }

    fn sort(&mut self) -> R<Sort> {
        let expr = self.expr()?;
        let descending = self.eat_any(&["DESC", "DESCENDING"]);
        if !descending {
            self.eat_any(&["ASC", "ASCENDING"]);
        }
        let mut nulls_first = None;
        if self.eat("NULLS") {
            let first = self.eat("FIRST");
            if !first {
                self.need("LAST")?;
            }
            nulls_first = Some(first);
        }
        Ok(Sort { expr, descending, nulls_first })
    }
}

fn returns(l: &Linear) -> bool {
    matches!(l.clauses.last(), Some(Clause::Return(_)))
}

/// A pipeline that hands on the rows of a combined query.
fn read(all: Query, span: Span) -> Linear {
    let call = Call { optional: false, vars: None, body: Box::new(all), span };
    let star = Projection {
        distinct: false,
        star: true,
        items: Vec::new(),
        group_by: None,
        order: Vec::new(),
        skip: None,
        limit: None,
        span,
    };
    Linear { graph: None, clauses: vec![Clause::Call(call), Clause::Return(star)] }
}

/// `first NEXT then`. A combined query is read by a `CALL`; where it stands behind, each of its parts reads the first.
fn next(first: Query, then: Query, span: Span) -> Query {
    let mut from = if first.rest.is_empty() { first.first } else { read(first, span) };
    if let Some(Clause::Return(p)) = from.clauses.pop() {
        from.clauses.push(Clause::With(p, None));
    }
    let whole = then.rest.is_empty();
    let behind = |l: Linear| {
        let mut out = from.clone();
        out.clauses.extend(l.graph.map(Clause::Use));
        out.clauses.extend(l.clauses);
        if whole { out } else { read(Query { prefix: None, first: out, rest: Vec::new() }, span) }
    };
    Query {
        prefix: None,
        first: behind(then.first),
        rest: then.rest.into_iter().map(|(op, l)| (op, behind(l))).collect(),
    }
}
