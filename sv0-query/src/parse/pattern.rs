//! Path patterns, their elements and labels.

use super::{Builder, P, R, Rule, parts, span};
use crate::ast::{
    Clause, Dir, EdgePattern, Element, Filler, Group, Label, Linear, Match, NodePattern, PathMode, PathPattern,
    Quantifier, Selector, Span, Subquery, Term,
};
use crate::diag::{Code, Diagnostic, QueryError};

/// Labels in a row; more aren't read.
const MAX_LABELS: usize = 256;

impl Builder<'_> {
    pub(super) fn path_pattern(&self, p: P<'_>) -> R<PathPattern> {
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
                Rule::selector => {
                    // `SHORTEST 2 WALK PATH GROUPS`: the mode may stand inside.
                    let mode = parts(c.clone()).flat_map(parts).find(|i| i.as_rule() == Rule::path_mode);
                    out.mode = mode.and_then(|m| self.path_mode(&m));
                    out.selector = Some(self.selector(c)?);
                }
                Rule::path_mode => out.mode = self.path_mode(&c).or(out.mode),
                Rule::path_term => out.term = self.term(c)?,
                _ => {}
            }
        }
        // A single unquantified group around everything is a pre-filter's parentheses: keep it as the group it is.
        Ok(out)
    }

    pub(super) fn selector(&self, p: P<'_>) -> R<Selector> {
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

    pub(super) fn path_mode(&self, p: &P<'_>) -> Option<PathMode> {
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

    pub(super) fn term(&self, p: P<'_>) -> R<Term> {
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

    pub(super) fn node(&self, p: P<'_>) -> R<NodePattern> {
        let at = span(&p);
        let filler = match parts(p).next() {
            Some(f) => self.filler(f)?.0,
            None => Filler::default(),
        };
        Ok(NodePattern { filler, span: at })
    }

    pub(super) fn filler(&self, p: P<'_>) -> R<(Filler, Option<Quantifier>)> {
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

    pub(super) fn star(&self, p: P<'_>) -> R<Quantifier> {
        let at = span(&p);
        let (mut min, mut max) = (1, None);
        if let Some(i) = parts(p).next() {
            if i.as_rule() == Rule::uint {
                min = self.uint(&i)?;
                max = Some(min);
            } else {
                let (low, high) = self.bounds(i)?;
                (min, max) = (low.unwrap_or(1), high);
            }
        }
        self.quantifier_of(min, max, false, at)
    }

    /// What stands on each side of `..` or `,`.
    fn bounds(&self, p: P<'_>) -> R<(Option<u32>, Option<u32>)> {
        let (mut low, mut high) = (None, None);
        for side in parts(p) {
            let rule = side.as_rule();
            if let Some(n) = parts(side).next() {
                let n = Some(self.uint(&n)?);
                if rule == Rule::low {
                    low = n;
                } else {
                    high = n;
                }
            }
        }
        Ok((low, high))
    }

    pub(super) fn quantifier_of(&self, min: u32, max: Option<u32>, optional: bool, at: Span) -> R<Quantifier> {
        if max.is_some_and(|m| m < min) {
            let d = Diagnostic::new(Code::Pattern, at, "the quantifier's upper bound is below its lower bound");
            return Err(QueryError::one(d));
        }
        Ok(Quantifier { min, max, optional, span: at })
    }

    pub(super) fn quant(&self, p: P<'_>) -> R<Quantifier> {
        let at = span(&p);
        let q = parts(p).next().ok_or_else(|| self.err(at, "quantifier"))?;
        match q.as_rule() {
            Rule::q_star => self.quantifier_of(0, None, false, at),
            Rule::q_plus => self.quantifier_of(1, None, false, at),
            Rule::q_opt => self.quantifier_of(0, Some(1), true, at),
            _ => {
                let inner = parts(q).next().ok_or_else(|| self.err(at, "quantifier"))?;
                let (min, max) = if inner.as_rule() == Rule::uint {
                    let n = self.uint(&inner)?;
                    (n, Some(n))
                } else {
                    let (low, high) = self.bounds(inner)?;
                    (low.unwrap_or(0), high)
                };
                self.quantifier_of(min, max, false, at)
            }
        }
    }

    pub(super) fn uint(&self, p: &P<'_>) -> R<u32> {
        p.as_str().replace('_', "").parse().map_err(|_| self.err(span(p), "the number is too large"))
    }

    pub(super) fn edge_q(&self, p: P<'_>) -> R<Element> {
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

    pub(super) fn edge(&self, p: P<'_>) -> R<(EdgePattern, Option<Quantifier>)> {
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

    pub(super) fn group(&self, p: P<'_>) -> R<Element> {
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

    pub(super) fn label(&self, p: P<'_>) -> R<Label> {
        let at = span(&p);
        let rule = p.as_rule();
        let missing = || self.err(at, "a label is missing");
        let fold = |parts: Vec<Label>, f: fn(Box<Label>, Box<Label>) -> Label| {
            if parts.len() > MAX_LABELS {
                let m = format!("{} labels in a row; at most {MAX_LABELS} are read", parts.len());
                return Err(QueryError::one(Diagnostic::new(Code::Syntax, at, m)));
            }
            parts.into_iter().reduce(|a, b| f(Box::new(a), Box::new(b))).ok_or_else(missing)
        };
        match rule {
            Rule::label_or | Rule::label_tail => fold(parts(p).map(|c| self.label(c)).collect::<R<_>>()?, Label::Or),
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
}

pub(super) fn pattern_subquery(term: Term, at: Span) -> Subquery {
    let pattern = PathPattern { var: None, selector: None, legacy: false, mode: None, term, span: at };
    let m = Match { optional: false, repeatable: false, patterns: vec![pattern], filter: None, span: at };
    Subquery { linear: Linear { graph: None, clauses: vec![Clause::Match(m)] }, bare: true }
}
