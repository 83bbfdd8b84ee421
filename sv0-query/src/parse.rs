//! Text to syntax tree.

use std::sync::Arc;

use pest::Parser;
use pest::iterators::Pair;

use crate::ast::{
    Block, Call, Clause, Expr, ExprKind, GraphRef, Item, Linear, Match, Name, Prefix, Projection, Query, SetOp, Sort,
    Span,
};
use crate::diag::{Code, Diagnostic, QueryError};

mod expr;
mod pattern;
mod syntax;

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// Queries longer than this aren't parsed.
pub const MAX_TEXT: usize = 64 * 1024;
/// Brackets nested deeper than this aren't parsed.
pub const MAX_NESTING: usize = 64;
/// Syntax trees deeper than this aren't made: whoever walks them may do so by calling himself.
pub const MAX_DEPTH: usize = 256;
/// Expressions of more parts than this aren't made.
pub const MAX_PARTS: usize = 1 << 18;
/// Clauses between two set operations.
pub const MAX_CLAUSES: usize = 128;

/// Parses a query.
///
/// # Errors
/// Syntax errors, writing clauses, unsupported features: with span and help.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    syntax::guard(text)?;
    let mut pairs = Grammar::parse(Rule::query, text).map_err(|e| syntax::syntax(text, &e))?;
    let b = Builder { text, depth: std::cell::Cell::new(0), made: std::cell::Cell::new(0) };
    pairs.next().map_or_else(|| Err(b.err((0, 0), "empty query")), |q| b.query(q))
}

struct Builder<'t> {
    text: &'t str,
    /// How deep in the tree the present part stands.
    depth: std::cell::Cell<usize>,
    /// How many parts of expressions were made.
    made: std::cell::Cell<usize>,
}

type P<'i> = Pair<'i, Rule>;
type R<T> = Result<T, QueryError>;

/// What stands in a rule, its keywords left out where they say nothing more.
fn parts(p: P<'_>) -> impl Iterator<Item = P<'_>> + Clone {
    p.into_inner().filter(|c| !is_noise(c.as_rule()))
}

fn is_noise(r: Rule) -> bool {
    matches!(
        r,
        Rule::k_explain
            | Rule::k_profile
            | Rule::k_union
            | Rule::k_except
            | Rule::k_intersect
            | Rule::k_distinct
            | Rule::k_use
            | Rule::k_at
            | Rule::k_snapshot
            | Rule::k_time
            | Rule::k_diff
            | Rule::k_call
            | Rule::k_zoned
            | Rule::k_datetime
            | Rule::k_timestamp
            | Rule::k_date
            | Rule::k_duration
            | Rule::k_match
            | Rule::k_optional
            | Rule::k_repeatable
            | Rule::k_elements
            | Rule::k_element
            | Rule::k_different
            | Rule::k_edges
            | Rule::k_edge
            | Rule::k_where
            | Rule::k_filter
            | Rule::k_let
            | Rule::k_for
            | Rule::k_in
            | Rule::k_with
            | Rule::k_unwind
            | Rule::k_as
            | Rule::k_return
            | Rule::k_next
            | Rule::k_group
            | Rule::k_by
            | Rule::k_order
            | Rule::k_asc
            | Rule::k_ascending
            | Rule::k_desc
            | Rule::k_descending
            | Rule::k_nulls
            | Rule::k_first
            | Rule::k_last
            | Rule::k_skip
            | Rule::k_limit
            | Rule::k_shortest
            | Rule::k_groups
            | Rule::k_walk
            | Rule::k_trail
            | Rule::k_acyclic
            | Rule::k_simple
            | Rule::k_paths
            | Rule::k_path
            | Rule::k_is
            | Rule::k_not
            | Rule::k_or
            | Rule::k_xor
            | Rule::k_and
            | Rule::k_null
            | Rule::k_labeled
            | Rule::k_source
            | Rule::k_destination
            | Rule::k_of
            | Rule::k_starts
            | Rule::k_ends
            | Rule::k_contains
            | Rule::k_case
            | Rule::k_when
            | Rule::k_then
            | Rule::k_else
            | Rule::k_end
            | Rule::k_cast
            | Rule::k_exists
            | Rule::k_count
            | Rule::k_value
            | Rule::k_write
    )
}

fn span(p: &P<'_>) -> Span {
    (p.as_span().start(), p.as_span().end())
}

impl Builder<'_> {
    fn err(&self, span: Span, message: &str) -> QueryError {
        QueryError::one(Diagnostic::new(Code::Syntax, span, message))
    }

    /// Builds a part that stands so many levels deeper.
    fn deeper<T>(&self, levels: usize, at: Span, f: impl FnOnce() -> R<T>) -> R<T> {
        let before = self.depth.get();
        let now = before.saturating_add(levels);
        if now > MAX_DEPTH {
            let m = format!("an expression of more than {MAX_DEPTH} levels or terms in a row");
            return Err(QueryError::one(Diagnostic::new(Code::Syntax, at, m).help("name parts of it with LET")));
        }
        self.depth.set(now);
        let made = f();
        self.depth.set(before);
        made
    }

    fn query(&self, p: P<'_>) -> R<Query> {
        let (mut prefix, mut query) = (None, None);
        for q in parts(p) {
            match q.as_rule() {
                Rule::prefix => {
                    let explain = q.as_str().to_uppercase().starts_with("EXPLAIN");
                    prefix = Some(if explain { Prefix::Explain } else { Prefix::Profile });
                }
                Rule::statement => query = Some(self.statement(q)?),
                _ => {}
            }
        }
        let query = query.ok_or_else(|| self.err((0, 0), "empty query"))?;
        Ok(Query { prefix, ..query })
    }

    fn statement(&self, p: P<'_>) -> R<Query> {
        let (at, mut first, mut rest, mut op) = (span(&p), None, Vec::new(), SetOp::Union);
        for s in parts(p) {
            match s.as_rule() {
                Rule::linear if first.is_none() => first = Some(self.linear(s)?),
                Rule::linear => rest.push((op, self.linear(s)?)),
                Rule::setop => op = setop(&s),
                _ => {}
            }
        }
        let first = first.ok_or_else(|| self.err(at, "empty query"))?;
        Ok(Query { prefix: None, first, rest })
    }

    fn linear(&self, p: P<'_>) -> R<Linear> {
        let at = span(&p);
        let mut graph = None;
        let mut clauses: Vec<Clause> = Vec::new();
        let mut next = false;
        let mut returned: Option<Span> = None;
        for c in parts(p) {
            let here = span(&c);
            if let Some(r) = returned
                && c.as_rule() != Rule::next_c
            {
                let d = Diagnostic::new(Code::Syntax, here, "a clause after RETURN").help("write NEXT between them");
                let _ = r;
                return Err(QueryError::one(d));
            }
            match c.as_rule() {
                Rule::use_clause => graph = Some(self.graph(c)?),
                Rule::match_c => clauses.push(Clause::Match(self.match_body(c, false)?)),
                Rule::optional_c => clauses.push(self.optional(c)?),
                Rule::call_c => clauses.push(Clause::Call(self.call_clause(c, false)?)),
                Rule::filter_c => clauses.push(Clause::Filter(self.first_expr(c)?)),
                Rule::let_c => {
                    let items = parts(c).map(|i| self.let_item(i)).collect::<R<Vec<_>>>()?;
                    clauses.push(Clause::Let(items));
                }
                Rule::for_c => clauses.push(self.for_clause(c)?),
                Rule::unwind_c => {
                    let mut i = parts(c);
                    let list = self.expr_of(i.next(), here)?;
                    let var = self.name_of(i.next(), here)?;
                    clauses.push(Clause::For { var, list, position: None });
                }
                Rule::with_c => {
                    let (mut projection, mut filter) = (None, None);
                    for i in parts(c) {
                        match i.as_rule() {
                            Rule::projection => projection = Some(self.projection(i)?),
                            Rule::where_c => filter = Some(self.first_expr(i)?),
                            _ => {}
                        }
                    }
                    let projection = projection.ok_or_else(|| self.err(here, "WITH without columns"))?;
                    clauses.push(Clause::With(projection, filter));
                }
                Rule::return_c => {
                    let i = parts(c).next().ok_or_else(|| self.err(here, "RETURN without columns"))?;
                    clauses.push(Clause::Return(self.projection(i)?));
                    returned = Some(here);
                }
                Rule::next_c => {
                    let Some(Clause::Return(_)) = clauses.last() else {
                        return Err(self.err(here, "NEXT follows RETURN"));
                    };
                    if let Some(Clause::Return(p)) = clauses.pop() {
                        clauses.push(Clause::With(p, None));
                    }
                    returned = None;
                    next = true;
                }
                Rule::readonly_c => {
                    let word = c.as_str().split_whitespace().next().unwrap_or("");
                    let at = (here.0, here.0 + word.len());
                    if ["session", "start", "commit", "rollback"].contains(&&*word.to_lowercase()) {
                        let m = format!("`{word}` isn't part of sv0's language");
                        return Err(QueryError::one(Diagnostic::new(Code::NotAQuery, at, m)));
                    }
                    if word.eq_ignore_ascii_case("call") {
                        let d = Diagnostic::new(Code::Unsupported, at, "procedures aren't supported")
                            .help("write the pattern itself with MATCH, or `CALL (vars) { … }`");
                        return Err(QueryError::one(d));
                    }
                    let second = c.as_str().split_whitespace().nth(1).unwrap_or("").to_uppercase();
                    let catalog = ["GRAPH", "SCHEMA"].contains(&second.as_str());
                    if catalog && ["create", "drop"].contains(&&*word.to_lowercase()) {
                        let m = format!("`{word} {second}` isn't part of sv0's language");
                        return Err(QueryError::one(Diagnostic::new(Code::NotAQuery, at, m)));
                    }
                    return Err(syntax::read_only(at));
                }
                _ => {}
            }
        }
        let _ = next;
        if clauses.len() > MAX_CLAUSES {
            let m = format!("{} clauses in a row; at most {MAX_CLAUSES} are read", clauses.len());
            return Err(QueryError::one(Diagnostic::new(Code::Syntax, at, m)));
        }
        Ok(Linear { graph, clauses })
    }

    /// `USE g`, `AT SNAPSHOT n`, `AT TIME t`.
    fn graph(&self, p: P<'_>) -> R<GraphRef> {
        let at = span(&p);
        let g = parts(p).next().ok_or_else(|| self.err(at, "USE without a graph"))?;
        match g.as_rule() {
            Rule::graph_name => self.graph_name(g),
            Rule::string => self.graph_time(g),
            Rule::diff_g => {
                let mut args = parts(g).map(|a| self.graph_arg(a, true));
                match (args.next(), args.next()) {
                    (Some(a), Some(b)) => Ok(GraphRef::Diff(Box::new(a?), Box::new(b?), at)),
                    _ => Err(self.err(at, "diff takes two graphs")),
                }
            }
            _ => self.graph_arg(g, false),
        }
    }

    /// What `AT SNAPSHOT` or an argument of `diff` names. In a diff a text is a time if it reads as one.
    fn graph_arg(&self, p: P<'_>, diff: bool) -> R<GraphRef> {
        let at = span(&p);
        let g = parts(p).next().ok_or_else(|| self.err(at, "a snapshot is missing"))?;
        match g.as_rule() {
            Rule::graph_name => self.graph_name(g),
            Rule::uint => {
                let n = g.as_str().replace('_', "").parse();
                Ok(GraphRef::Number(n.map_err(|_| self.err(at, "the number is too large"))?, at))
            }
            Rule::ident => Ok(GraphRef::Snapshot(self.ident(g))),
            _ => {
                let text = self.string(g.clone())?;
                if diff && text.contains(':') && crate::time::parse_timestamp(&text).is_some() {
                    return self.graph_time(g);
                }
                Ok(GraphRef::Snapshot(Name { text, span: at }))
            }
        }
    }

    fn graph_name(&self, p: P<'_>) -> R<GraphRef> {
        let at = span(&p);
        let dollar = p.as_str().starts_with("$$");
        let n = self.name_of(parts(p).next(), at)?;
        Ok(if dollar { GraphRef::Param(n) } else { GraphRef::Name(n) })
    }

    fn graph_time(&self, p: P<'_>) -> R<GraphRef> {
        let at = span(&p);
        let text = self.string(p)?;
        match crate::time::parse_timestamp(&text) {
            // A date is its whole day.
            Some(t) if text.len() == 10 => Ok(GraphRef::Time(t.saturating_add(86_400_000_000 - 1), at)),
            Some(t) => Ok(GraphRef::Time(t, at)),
            None => {
                let d = Diagnostic::new(Code::Syntax, at, format!("`{text}` isn't a time"));
                Err(QueryError::one(d.help("write `AT TIME '2026-05-14'` or `'2026-05-14T06:00:00Z'`")))
            }
        }
    }

    fn optional(&self, p: P<'_>) -> R<Clause> {
        let inner = parts(p.clone()).next();
        match inner.map(|i| (i.as_rule(), i)) {
            Some((Rule::block, b)) => {
                let at = span(&b);
                let clauses = parts(b)
                    .map(|c| match c.as_rule() {
                        Rule::match_c => Ok(Clause::Match(self.match_body(c, false)?)),
                        Rule::filter_c => Ok(Clause::Filter(self.first_expr(c)?)),
                        _ => self.optional(c),
                    })
                    .collect::<R<Vec<_>>>()?;
                Ok(Clause::Optional(Block { clauses, span: at }))
            }
            Some((Rule::call_c, c)) => Ok(Clause::Call(self.call_clause(c, true)?)),
            _ => Ok(Clause::Match(self.match_body(p, true)?)),
        }
    }

    fn call_clause(&self, p: P<'_>, optional: bool) -> R<Call> {
        let at = span(&p);
        let (mut vars, mut body) = (None, None);
        for c in parts(p) {
            match c.as_rule() {
                Rule::call_vars => vars = Some(parts(c).map(|v| self.ident(v)).collect()),
                Rule::statement => body = Some(self.deeper(15, at, || self.statement(c))?),
                _ => return Err(syntax::read_only(span(&c))),
            }
        }
        let body = body.ok_or_else(|| self.err(at, "CALL without a subquery"))?;
        Ok(Call { optional, vars, body: Box::new(body), span: at })
    }

    fn let_item(&self, p: P<'_>) -> R<(Name, Expr)> {
        let at = span(&p);
        let mut i = parts(p);
        Ok((self.name_of(i.next(), at)?, self.expr_of(i.next(), at)?))
    }

    fn for_clause(&self, p: P<'_>) -> R<Clause> {
        let at = span(&p);
        let mut i = parts(p);
        let var = self.name_of(i.next(), at)?;
        let list = self.expr_of(i.next(), at)?;
        let position = match i.next() {
            Some(k) => {
                let first = i64::from(k.as_rule() == Rule::k_ordinality);
                Some((self.name_of(i.next(), at)?, first))
            }
            None => None,
        };
        Ok(Clause::For { var, list, position })
    }

    fn name_of(&self, p: Option<P<'_>>, at: Span) -> R<Name> {
        p.map(|p| self.ident(p)).ok_or_else(|| self.err(at, "a name is missing"))
    }

    fn ident(&self, p: P<'_>) -> Name {
        let at = span(&p);
        let p = if matches!(p.as_rule(), Rule::var) { parts(p).next() } else { Some(p) };
        let inner = p.and_then(|p| parts(p).next());
        let text: Arc<str> = match inner {
            Some(i) if i.as_rule() == Rule::quoted => i.as_str().replace("``", "`").into(),
            Some(i) => i.as_str().into(),
            None => "".into(),
        };
        Name { text, span: at }
    }

    fn match_body(&self, p: P<'_>, optional: bool) -> R<Match> {
        let at = span(&p);
        let mut m = Match { optional, repeatable: false, patterns: Vec::new(), filter: None, span: at };
        let body = if p.as_rule() == Rule::match_body { Some(p) } else { parts(p).next() };
        for c in body.into_iter().flat_map(parts) {
            match c.as_rule() {
                Rule::match_mode => m.repeatable = c.as_str().to_uppercase().starts_with("REPEATABLE"),
                Rule::path_pattern => m.patterns.push(self.path_pattern(c)?),
                Rule::where_c => m.filter = Some(self.first_expr(c)?),
                _ => {}
            }
        }
        if m.patterns.len() > 16 {
            return Err(QueryError::one(Diagnostic::new(Code::Pattern, at, "more than 16 path patterns in one MATCH")));
        }
        Ok(m)
    }

    fn projection(&self, p: P<'_>) -> R<Projection> {
        let at = span(&p);
        let mut out = Projection {
            distinct: false,
            star: false,
            items: Vec::new(),
            group_by: None,
            order: Vec::new(),
            skip: None,
            limit: None,
            span: at,
        };
        for c in parts(p) {
            match c.as_rule() {
                Rule::distinct => out.distinct = true,
                Rule::star => out.star = true,
                Rule::item => out.items.push(self.item(c)?),
                Rule::group_by => out.group_by = Some(parts(c).map(|i| self.ident(i)).collect()),
                Rule::order_by => {
                    for s in parts(c) {
                        out.order.push(self.sort(s)?);
                    }
                }
                Rule::skip_c => out.skip = Some(self.first_expr(c)?),
                Rule::limit_c => out.limit = Some(self.first_expr(c)?),
                _ => {}
            }
        }
        Ok(out)
    }

    fn item(&self, p: P<'_>) -> R<Item> {
        let at = span(&p);
        let mut i = parts(p);
        let first = i.next();
        let whole = first.as_ref().map_or(at, |e| trimmed(self.text, span(e)));
        let expr = self.expr_of(first, at)?;
        let alias = i.next().map(|n| self.ident(n));
        let aliased = alias.is_some();
        let name = alias.unwrap_or_else(|| {
            let text = self.text.get(whole.0..whole.1).unwrap_or("").trim();
            let text = match &expr.kind {
                ExprKind::Var(v) => v.to_string(),
                _ => text.to_owned(),
            };
            Name { text: text.into(), span: expr.span }
        });
        Ok(Item { expr, name, aliased })
    }

    fn sort(&self, p: P<'_>) -> R<Sort> {
        let at = span(&p);
        let mut out: Option<Sort> = None;
        for c in parts(p) {
            match (c.as_rule(), &mut out) {
                (Rule::expr, _) => out = Some(Sort { expr: self.expr(c)?, descending: false, nulls_first: None }),
                (Rule::desc, Some(s)) => s.descending = true,
                (Rule::nulls_first, Some(s)) => s.nulls_first = Some(true),
                (Rule::nulls_last, Some(s)) => s.nulls_first = Some(false),
                _ => {}
            }
        }
        out.ok_or_else(|| self.err(at, "a sort key is missing"))
    }
}

fn setop(p: &P<'_>) -> SetOp {
    let has = |r: Rule| p.clone().into_inner().any(|c| c.as_rule() == r);
    match (has(Rule::k_union), has(Rule::k_except), has(Rule::k_all)) {
        (true, _, false) => SetOp::Union,
        (true, _, true) => SetOp::UnionAll,
        (_, true, false) => SetOp::Except,
        (_, true, true) => SetOp::ExceptAll,
        (_, _, false) => SetOp::Intersect,
        (_, _, true) => SetOp::IntersectAll,
    }
}

/// Pest's compound spans run to the next token's start; end them at the last character instead.
fn trimmed(text: &str, (a, b): Span) -> Span {
    let t = text.get(a..b).unwrap_or("");
    (a, a + t.trim_end().len())
}
