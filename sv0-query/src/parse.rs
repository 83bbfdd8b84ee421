//! Text to syntax tree.

use std::sync::Arc;

use pest::Parser;
use pest::iterators::Pair;

use crate::ast::{
    Clause, Dir, EdgePattern, Element, Expr, ExprKind, Filler, Group, Item, Label, Linear, Match, Name, NodePattern,
    PathMode, PathPattern, Prefix, Projection, Quantifier, Query, Selector, SetOp, Sort, Span, Subquery, Term,
};
use crate::diag::{Code, Diagnostic, QueryError};

mod syntax;

mod expr;

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// Queries longer than this aren't parsed.
pub const MAX_TEXT: usize = 64 * 1024;
/// Brackets nested deeper than this aren't parsed.
pub const MAX_NESTING: usize = 64;
/// Syntax trees deeper than this aren't made: whoever walks them may do so by calling himself.
pub const MAX_DEPTH: usize = 256;
/// Clauses between two set operations.
pub const MAX_CLAUSES: usize = 128;

/// Parses a query.
///
/// # Errors
/// Syntax errors, writing clauses, unsupported features: with span and help.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    syntax::guard(text)?;
    let mut pairs = Grammar::parse(Rule::query, text).map_err(|e| syntax::syntax(text, &e))?;
    let b = Builder { text, depth: std::cell::Cell::new(0) };
    pairs.next().map_or_else(|| Err(b.err((0, 0), "empty query")), |q| b.query(q))
}

struct Builder<'t> {
    text: &'t str,
    /// How deep in the tree the present part stands.
    depth: std::cell::Cell<usize>,
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
        let (mut prefix, mut first, mut rest, mut op) = (None, None, Vec::new(), SetOp::Union);
        for q in parts(p) {
            match q.as_rule() {
                Rule::prefix => {
                    let explain = q.as_str().to_uppercase().starts_with("EXPLAIN");
                    prefix = Some(if explain { Prefix::Explain } else { Prefix::Profile });
                }
                Rule::statement => {
                    for s in parts(q) {
                        match s.as_rule() {
                            Rule::linear if first.is_none() => first = Some(self.linear(s)?),
                            Rule::linear => rest.push((op, self.linear(s)?)),
                            Rule::setop => op = setop(&s),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        let first = first.ok_or_else(|| self.err((0, 0), "empty query"))?;
        Ok(Query { prefix, first, rest })
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
                Rule::use_clause => graph = Some(self.graph_name(c)?),
                Rule::match_c => clauses.push(Clause::Match(self.match_body(c, false)?)),
                Rule::optional_c => clauses.push(Clause::Match(self.match_body(c, true)?)),
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
                        let d = Diagnostic::new(Code::Unsupported, at, "procedures and CALL aren't supported")
                            .help("write the pattern itself with MATCH");
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

    fn graph_name(&self, p: P<'_>) -> R<Name> {
        let at = span(&p);
        let g = parts(p).next().ok_or_else(|| self.err(at, "USE without a graph"))?;
        let dollar = g.as_str().starts_with("$$");
        let n = self.name_of(parts(g).next(), at)?;
        Ok(if dollar { Name { text: format!("$${}", n.text).into(), span: n.span } } else { n })
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

    fn path_pattern(&self, p: P<'_>) -> R<PathPattern> {
        let at = span(&p);
        let mut out = PathPattern { var: None, selector: None, legacy: false, mode: None, term: Vec::new(), span: at };
        for c in parts(p) {
            match c.as_rule() {
                Rule::ident => out.var = Some(self.ident(c)),
                Rule::legacy => {
                    out.legacy = true;
                    for l in parts(c) {
                        match l.as_rule() {
                            Rule::k_shortestpath => out.selector = Some(Selector::Shortest(1)),
                            Rule::k_allshortestpaths => out.selector = Some(Selector::AllShortest),
                            Rule::path_term => out.term = self.term(l)?,
                            _ => {}
                        }
                    }
                }
                Rule::selector => out.selector = Some(self.selector(c)?),
                Rule::path_mode => out.mode = self.path_mode(&c),
                Rule::path_term => out.term = self.term(c)?,
                _ => {}
            }
        }
        // A single unquantified group around everything is a pre-filter's parentheses: keep it as the group it is.
        Ok(out)
    }

    fn selector(&self, p: P<'_>) -> R<Selector> {
        let at = span(&p);
        let s = parts(p).next().ok_or_else(|| self.err(at, "selector"))?;
        let rule = s.as_rule();
        let k = parts(s).find(|i| i.as_rule() == Rule::uint).map(|u| self.uint(&u)).transpose()?;
        if k == Some(0) {
            return Err(QueryError::one(Diagnostic::new(Code::Pattern, at, "a selector of 0 paths")));
        }
        Ok(match rule {
            Rule::sel_all_shortest => Selector::AllShortest,
            Rule::sel_any_shortest => Selector::Shortest(1),
            Rule::sel_shortest_groups => Selector::ShortestGroups(k.unwrap_or(1)),
            Rule::sel_shortest_k => Selector::Shortest(k.unwrap_or(1)),
            Rule::sel_any_k | Rule::sel_any => Selector::Any(k.unwrap_or(1)),
            _ => Selector::All,
        })
    }

    fn path_mode(&self, p: &P<'_>) -> Option<PathMode> {
        let w = p.as_str().to_uppercase();
        [
            ("WALK", PathMode::Walk),
            ("TRAIL", PathMode::Trail),
            ("ACYCLIC", PathMode::Acyclic),
            ("SIMPLE", PathMode::Simple),
        ]
        .into_iter()
        .find(|(n, _)| w.starts_with(n))
        .map(|(_, m)| m)
    }

    fn term(&self, p: P<'_>) -> R<Term> {
        let mut out = Vec::new();
        for c in parts(p) {
            match c.as_rule() {
                Rule::node => out.push(Element::Node(self.node(c)?)),
                Rule::edge_q => out.push(self.edge_q(c)?),
                Rule::group_q => out.push(self.group(c)?),
                _ => {}
            }
        }
        Ok(out)
    }

    fn node(&self, p: P<'_>) -> R<NodePattern> {
        let at = span(&p);
        let filler = match parts(p).next() {
            Some(f) => self.filler(f)?.0,
            None => Filler::default(),
        };
        Ok(NodePattern { filler, span: at })
    }

    fn filler(&self, p: P<'_>) -> R<(Filler, Option<Quantifier>)> {
        let mut f = Filler::default();
        let mut star = None;
        for c in parts(p) {
            let at = span(&c);
            match c.as_rule() {
                Rule::var => f.var = Some(self.ident(c)),
                Rule::label_part => {
                    let l = parts(c).next().ok_or_else(|| self.err(at, "a label is missing"))?;
                    f.label = Some(self.label(l)?);
                }
                Rule::props => {
                    for q in parts(c) {
                        f.props.push(self.let_item(q)?);
                    }
                }
                Rule::where_c => f.filter = Some(self.first_expr(c)?),
                Rule::star_q => star = Some(self.star(c)?),
                _ => {}
            }
        }
        Ok((f, star))
    }

    fn star(&self, p: P<'_>) -> R<Quantifier> {
        let at = span(&p);
        let (mut min, mut max) = (1, None);
        if let Some(i) = parts(p).next() {
            if i.as_rule() == Rule::uint {
                min = self.uint(&i)?;
                max = Some(min);
            } else {
                let text = i.as_str();
                let dots = text.find("..").unwrap_or(0);
                for u in parts(i.clone()) {
                    if u.as_span().start() - i.as_span().start() < dots {
                        min = self.uint(&u)?;
                    } else {
                        max = Some(self.uint(&u)?);
                    }
                }
            }
        }
        self.quantifier_of(min, max, false, at)
    }

    fn quantifier_of(&self, min: u32, max: Option<u32>, optional: bool, at: Span) -> R<Quantifier> {
        if max.is_some_and(|m| m < min) {
            let d = Diagnostic::new(Code::Pattern, at, "the quantifier's upper bound is below its lower bound");
            return Err(QueryError::one(d));
        }
        Ok(Quantifier { min, max, optional, span: at })
    }

    fn quant(&self, p: P<'_>) -> R<Quantifier> {
        let at = span(&p);
        let q = parts(p).next().ok_or_else(|| self.err(at, "quantifier"))?;
        match q.as_rule() {
            Rule::q_star => self.quantifier_of(0, None, false, at),
            Rule::q_plus => self.quantifier_of(1, None, false, at),
            Rule::q_opt => self.quantifier_of(0, Some(1), true, at),
            _ => {
                let text = q.as_str();
                let comma = text.find(',');
                let (mut min, mut max) = (0, None);
                for u in parts(q.clone()) {
                    let before = comma.is_none_or(|c| u.as_span().start() - q.as_span().start() < c);
                    let n = self.uint(&u)?;
                    if before {
                        min = n;
                    } else {
                        max = Some(n);
                    }
                    if comma.is_none() {
                        max = Some(n);
                    }
                }
                self.quantifier_of(min, max, false, at)
            }
        }
    }

    fn uint(&self, p: &P<'_>) -> R<u32> {
        p.as_str().replace('_', "").parse().map_err(|_| self.err(span(p), "the number is too large"))
    }

    fn edge_q(&self, p: P<'_>) -> R<Element> {
        let at = span(&p);
        let (mut edge, mut quant) = (None, None);
        for c in parts(p) {
            match c.as_rule() {
                Rule::edge => {
                    let (e, star) = self.edge(c)?;
                    edge = Some(e);
                    quant = star;
                }
                Rule::quant if quant.is_some() => {
                    let d = Diagnostic::new(Code::Pattern, at, "an edge with two quantifiers");
                    return Err(QueryError::one(d));
                }
                Rule::quant => quant = Some(self.quant(c)?),
                _ => {}
            }
        }
        let edge = edge.ok_or_else(|| self.err(at, "edge"))?;
        Ok(Element::Edge(edge, quant))
    }

    fn edge(&self, p: P<'_>) -> R<(EdgePattern, Option<Quantifier>)> {
        let at = span(&p);
        let e = parts(p).next().ok_or_else(|| self.err(at, "edge"))?;
        let dir = match e.as_str().trim() {
            s if s.starts_with('<') && s.ends_with('>') => Dir::Any,
            s if s.starts_with('<') => Dir::Left,
            s if s.ends_with('>') => Dir::Right,
            _ => Dir::Any,
        };
        let (filler, star) = match parts(e).find(|f| f.as_rule() == Rule::edge_filler) {
            Some(f) => self.filler(f)?,
            None => (Filler::default(), None),
        };
        Ok((EdgePattern { filler, dir, span: at }, star))
    }

    fn group(&self, p: P<'_>) -> R<Element> {
        let at = span(&p);
        let mut g = Group { alternatives: Vec::new(), filter: None, quantifier: None, span: at };
        for c in parts(p) {
            match c.as_rule() {
                Rule::group => {
                    for i in parts(c) {
                        match i.as_rule() {
                            Rule::path_alt => {
                                for t in parts(i) {
                                    g.alternatives.push(self.term(t)?);
                                }
                            }
                            Rule::where_c => g.filter = Some(self.first_expr(i)?),
                            _ => {}
                        }
                    }
                }
                Rule::quant => g.quantifier = Some(self.quant(c)?),
                _ => {}
            }
        }
        Ok(Element::Group(Box::new(g)))
    }

    fn label(&self, p: P<'_>) -> R<Label> {
        let at = span(&p);
        let rule = p.as_rule();
        let missing = || self.err(at, "a label is missing");
        let fold = |parts: Vec<Label>, f: fn(Box<Label>, Box<Label>) -> Label| {
            parts.into_iter().reduce(|a, b| f(Box::new(a), Box::new(b))).ok_or_else(missing)
        };
        match rule {
            Rule::label_or => fold(parts(p).map(|c| self.label(c)).collect::<R<_>>()?, Label::Or),
            Rule::label_and => fold(parts(p).map(|c| self.label(c)).collect::<R<_>>()?, Label::And),
            Rule::label_not => {
                let mut bangs = 0;
                let mut inner = None;
                for c in parts(p) {
                    if c.as_rule() == Rule::bang {
                        bangs += 1;
                    } else {
                        inner = Some(self.label(c)?);
                    }
                }
                let l = inner.ok_or_else(missing)?;
                Ok(if bangs % 2 == 1 { Label::Not(Box::new(l)) } else { l })
            }
            _ => {
                let c = parts(p).next().ok_or_else(missing)?;
                match c.as_rule() {
                    Rule::label_any => Ok(Label::Any),
                    Rule::label_or => self.label(c),
                    _ => Ok(Label::Name(self.ident(c))),
                }
            }
        }
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
        let expr = self.expr_of(i.next(), at)?;
        let alias = i.next().map(|n| self.ident(n));
        let aliased = alias.is_some();
        let name = alias.unwrap_or_else(|| {
            let text = self.text.get(expr.span.0..expr.span.1).unwrap_or("").trim();
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

fn pattern_subquery(term: Term, at: Span) -> Subquery {
    let pattern = PathPattern { var: None, selector: None, legacy: false, mode: None, term, span: at };
    let m = Match { optional: false, repeatable: false, patterns: vec![pattern], filter: None, span: at };
    Subquery { linear: Linear { graph: None, clauses: vec![Clause::Match(m)] } }
}

fn setop(p: &P<'_>) -> SetOp {
    let t = p.as_str().to_uppercase();
    let all = t.contains("ALL");
    match (t.get(..5).unwrap_or(""), all) {
        ("UNION", false) => SetOp::Union,
        ("UNION", true) => SetOp::UnionAll,
        ("EXCEP", false) => SetOp::Except,
        ("EXCEP", true) => SetOp::ExceptAll,
        (_, false) => SetOp::Intersect,
        (_, true) => SetOp::IntersectAll,
    }
}

/// Pest's compound spans run to the next token's start; end them at the last character instead.
fn trimmed(text: &str, (a, b): Span) -> Span {
    let t = text.get(a..b).unwrap_or("");
    (a, a + t.trim_end().len())
}
