//! Path patterns, their elements and labels.

use super::lex::Kind;
use super::{Failure, MAX_DEPTH, Parser, R};
use crate::ast::{
    Clause, Dir, EdgePattern, Element, Expr, Filler, Group, Label, Linear, Match, Name, NodePattern, PathMode,
    PathPattern, Quantifier, Selector, Span, Subquery, Term,
};
use crate::diag::{Code, Diagnostic};

/// Labels in a row; more aren't read.
const MAX_LABELS: usize = 256;

impl Parser<'_> {
    pub(super) fn path_pattern(&mut self) -> R<PathPattern> {
        let start = self.start();
        let mut out =
            PathPattern { var: None, selector: None, legacy: false, mode: None, term: Vec::new(), span: (0, 0) };
        if self.name_at(0) && self.symbols_at(1, "=") {
            out.var = Some(self.name()?);
            self.at += 1;
        }
        let legacy = if self.word_at(0, "SHORTESTPATH") {
            Some(Selector::Shortest(1))
        } else if self.word_at(0, "ALLSHORTESTPATHS") {
            Some(Selector::AllShortest)
        } else {
            None
        };
        if legacy.is_some() {
            self.at += 1;
            (out.legacy, out.selector) = (true, legacy);
            self.need_symbols("(")?;
            out.term = self.path_term()?;
            self.need_symbols(")")?;
        } else {
            (out.selector, out.mode) = self.selector()?;
            out.mode = self.path_mode().or(out.mode);
            out.term = self.path_term()?;
        }
        out.span = self.span_from(start);
        Ok(out)
    }

    fn selector(&mut self) -> R<(Option<Selector>, Option<PathMode>)> {
        let start = self.start();
        let found = |s| Ok((Some(s), None));
        if self.eat("ALL") {
            return found(if self.eat("SHORTEST") { Selector::AllShortest } else { Selector::All });
        }
        if self.eat("ANY") {
            if self.eat("SHORTEST") {
                return found(Selector::Shortest(1));
            }
            let k = self.count(start)?;
            return found(Selector::Any(k.unwrap_or(1)));
        }
        if !self.eat("SHORTEST") {
            return Ok((None, None));
        }
        let k = self.count(start)?;
        // `SHORTEST 2 WALK PATH GROUPS`: the mode may stand inside.
        let before = self.at;
        let mode = self.path_mode();
        if self.eat_any(&["GROUPS", "GROUP"]) {
            return Ok((Some(Selector::ShortestGroups(k.unwrap_or(1))), mode));
        }
        self.at = before;
        match k {
            Some(k) => found(Selector::Shortest(k)),
            None => Err(Failure::Unexpected),
        }
    }

    /// How many paths.
    fn count(&mut self, start: usize) -> R<Option<u32>> {
        let k = self.uint()?;
        if k == Some(0) {
            return Err(self.refuse(Code::Pattern, self.span_from(start), "a selector of 0 paths", None));
        }
        Ok(k)
    }

    fn path_mode(&mut self) -> Option<PathMode> {
        let modes = [
            ("WALK", PathMode::Walk),
            ("TRAIL", PathMode::Trail),
            ("ACYCLIC", PathMode::Acyclic),
            ("SIMPLE", PathMode::Simple),
        ];
        let mode = modes.into_iter().find(|(name, _)| self.eat(name)).map(|(_, m)| m);
        self.eat_any(&["PATHS", "PATH"]);
        mode
    }

    fn at_edge(&self) -> bool {
        matches!(self.kind(), Kind::Symbol(b'-')) || self.symbols_at(0, "<-")
    }

    /// Nodes, edges and groups in a row.
    fn path_term(&mut self) -> R<Term> {
        let mut out = Vec::new();
        loop {
            self.parts(1, self.span_of(self.peek(0)))?;
            if self.symbols_at(0, "(") {
                // Two brackets, or a bracket and an edge: no node begins so.
                let inside = self.peek(1).kind;
                let arrow = inside == Kind::Symbol(b'<') && matches!(self.peek(2).kind, Kind::Symbol(b'-'));
                if inside == Kind::Symbol(b'(') || inside == Kind::Symbol(b'-') || arrow {
                    out.push(self.group()?);
                } else {
                    out.push(Element::Node(self.node()?));
                }
            } else if self.at_edge() {
                out.push(self.edge_and_quantifier()?);
            } else if out.is_empty() {
                return self.fail("a node pattern `(…)`");
            } else {
                self.misses("an edge pattern `-[…]->`");
                return Ok(out);
            }
        }
    }

    fn group(&mut self) -> R<Element> {
        let start = self.start();
        self.need_symbols("(")?;
        let mut alternatives = vec![self.path_term()?];
        while self.eat_symbols("|") {
            alternatives.push(self.path_term()?);
        }
        let filter = if self.eat("WHERE") { Some(self.expr()?) } else { None };
        self.need_symbols(")")?;
        let quantifier = self.quantifier()?;
        Ok(Element::Group(Box::new(Group { alternatives, filter, quantifier, span: self.span_from(start) })))
    }

    pub(super) fn node(&mut self) -> R<NodePattern> {
        let start = self.start();
        self.need_symbols("(")?;
        let (filler, _) = self.filler(false)?;
        self.need_symbols(")")?;
        Ok(NodePattern { filler, span: self.span_from(start) })
    }

    /// What stands between a node's or an edge's brackets; an edge's may hold `*1..3`.
    fn filler(&mut self, edge: bool) -> R<(Filler, Option<Quantifier>)> {
        let mut f = Filler::default();
        let mut star = None;
        // WHERE and IS begin what follows, unless they are names themselves.
        let close = if edge { Kind::Symbol(b']') } else { Kind::Symbol(b')') };
        let next = self.peek(1).kind;
        let named = next == close || next == Kind::Symbol(b':');
        let keyword = (self.word_at(0, "WHERE") && !named)
            || (self.word_at(0, "IS")
                && !(named
                    || next == Kind::Symbol(b'{')
                    || (edge && next == Kind::Symbol(b'*'))
                    || self.word_at(1, "WHERE")
                    || self.word_at(1, "IS")));
        if !keyword && self.name_at(0) {
            f.var = Some(self.name()?);
        } else {
            self.misses("a name");
        }
        if self.eat_symbols(":") {
            f.label = Some(self.label(false)?.0);
        } else if self.is("IS") && !self.word_at(1, "NOT") {
            self.at += 1;
            f.label = Some(self.label(false)?.0);
        }
        if edge && self.symbols_at(0, "*") {
            star = Some(self.star()?);
        }
        if self.eat_symbols("{") {
            if !self.symbols_at(0, "}") {
                loop {
                    let name = self.name()?;
                    self.need_symbols(":")?;
                    f.props.push((name, self.expr()?));
                    if !self.eat_symbols(",") {
                        break;
                    }
                }
            }
            self.need_symbols("}")?;
        }
        if self.eat("WHERE") {
            f.filter = Some(self.expr()?);
        }
        Ok((f, star))
    }

    /// `*`, `*2`, `*1..3`, `*..3`, `*1..`.
    fn star(&mut self) -> R<Quantifier> {
        let start = self.start();
        self.need_symbols("*")?;
        let low = self.uint()?;
        let (min, max) = if self.eat_dots() { (low.unwrap_or(1), self.uint()?) } else { (low.unwrap_or(1), low) };
        self.bounds(min, max, false, start)
    }

    fn bounds(&self, min: u32, max: Option<u32>, optional: bool, start: usize) -> R<Quantifier> {
        let span = self.span_from(start);
        if max.is_some_and(|m| m < min) {
            let m = "the quantifier's upper bound is below its lower bound";
            return Err(self.refuse(Code::Pattern, span, m, None));
        }
        Ok(Quantifier { min, max, optional, span })
    }

    fn quantifier(&mut self) -> R<Option<Quantifier>> {
        let start = self.start();
        let (min, max, optional) = if self.eat_symbols("*") {
            (0, None, false)
        } else if self.eat_symbols("+") {
            (1, None, false)
        } else if self.eat_symbols("?") {
            (0, Some(1), true)
        } else if self.eat_symbols("{") {
            let low = self.uint()?;
            let (min, max) = if self.eat_symbols(",") {
                (low.unwrap_or(0), self.uint()?)
            } else if low.is_none() {
                return Err(Failure::Unexpected);
            } else {
                (low.unwrap_or(0), low)
            };
            self.need_symbols("}")?;
            (min, max, false)
        } else {
            return Ok(None);
        };
        self.bounds(min, max, optional, start).map(Some)
    }

    pub(super) fn edge_and_quantifier(&mut self) -> R<Element> {
        let start = self.start();
        let (edge, star) = self.edge()?;
        let quantifier = self.quantifier()?;
        if star.is_some() && quantifier.is_some() {
            return Err(self.refuse(Code::Pattern, self.span_from(start), "an edge with two quantifiers", None));
        }
        Ok(Element::Edge(edge, star.or(quantifier)))
    }

    fn edge(&mut self) -> R<(EdgePattern, Option<Quantifier>)> {
        let start = self.start();
        let left = self.symbols_at(0, "<-");
        let head = if left { 2 } else { 1 };
        if self.peek(head).kind == Kind::Symbol(b'[') {
            self.at += head + 1;
            let (filler, star) = self.filler(true)?;
            self.need_symbols("]")?;
            let right = self.eat_symbols("->");
            if !right {
                self.need_symbols("-")?;
            }
            let dir = direction(left, right);
            return Ok((EdgePattern { filler, dir, span: self.span_from(start) }, star));
        }
        for (symbols, left, right) in [
            ("<-->", true, true),
            ("<->", true, true),
            ("<--", true, false),
            ("<-", true, false),
            ("-->", false, true),
            ("->", false, true),
            ("--", false, false),
            ("-", false, false),
        ] {
            if self.symbols_at(0, symbols) {
                self.at += symbols.len();
                let edge =
                    EdgePattern { filler: Filler::default(), dir: direction(left, right), span: self.span_from(start) };
                return Ok((edge, None));
            }
        }
        self.fail("an edge pattern `-[…]->`")
    }

    /// A label expression. As the tail of an expression, what goes on behind a bar as an expression does is what a
    /// comprehension makes, not a label.
    pub(super) fn label(&mut self, tail: bool) -> R<(Label, usize)> {
        let start = self.start();
        let mut all = vec![self.label_and()?];
        while self.symbols_at(0, "|") {
            let before = self.at;
            self.at += 1;
            self.eat_symbols(":");
            if !tail {
                all.push(self.label_and()?);
                continue;
            }
            let label = self.tried(Self::label_and)?;
            let goes_on =
                matches!(self.kind(), Kind::Symbol(b'.' | b'(' | b'[' | b'+' | b'*' | b'/' | b'%') | Kind::DotDot);
            match label {
                Some(l) if !goes_on => all.push(l),
                _ => {
                    self.at = before;
                    break;
                }
            }
        }
        self.labels(all, Label::Or, start)
    }

    /// A chain of labels with their heights, and its own.
    fn labels(
        &mut self,
        all: Vec<(Label, usize)>,
        f: fn(Box<Label>, Box<Label>) -> Label,
        start: usize,
    ) -> R<(Label, usize)> {
        let span = self.span_from(start);
        let height = all.iter().map(|l| l.1).max().unwrap_or(0) + all.len();
        if height > MAX_DEPTH {
            let m = format!("labels of more than {MAX_DEPTH} levels");
            return Err(self.refuse(Code::Syntax, span, &m, None));
        }
        self.highest = self.highest.max(height);
        self.parts(all.len(), span)?;
        if all.len() > MAX_LABELS {
            let m = format!("{} labels in a row; at most {MAX_LABELS} are read", all.len());
            return Err(Diagnostic::new(Code::Syntax, self.span_from(start), m).into());
        }
        let label = all.into_iter().map(|l| l.0).reduce(|a, b| f(Box::new(a), Box::new(b)));
        Ok((label.ok_or(Failure::Unexpected)?, height))
    }

    fn label_and(&mut self) -> R<(Label, usize)> {
        let start = self.start();
        let mut all = vec![self.label_not()?];
        while self.eat_symbols("&") || self.eat_symbols(":") {
            all.push(self.label_not()?);
        }
        self.labels(all, Label::And, start)
    }

    fn label_not(&mut self) -> R<(Label, usize)> {
        let mut negated = false;
        while self.eat_symbols("!") {
            negated = !negated;
        }
        let (label, height) = if self.eat_symbols("(") {
            let l = self.label(false)?;
            self.need_symbols(")")?;
            l
        } else if self.eat_symbols("%") {
            (Label::Any, 0)
        } else if self.name_at(0) {
            (Label::Name(self.name()?), 0)
        } else {
            return self.fail("a label");
        };
        Ok(if negated { (Label::Not(Box::new(label)), height + 1) } else { (label, height) })
    }

    /// A path pattern where an expression stands: a node, and an edge with a node behind it. `None` where it is none.
    pub(super) fn pattern_predicate(&mut self) -> R<Option<Subquery>> {
        if self.not_pattern.contains(&self.at) {
            return Ok(None);
        }
        let start = self.start();
        // Where its nodes begin: what fails from the first fails from each.
        let mut nodes = vec![self.at];
        let term = self.tried(|p| {
            let mut term = vec![Element::Node(p.node()?)];
            while p.at_predicate_edge() {
                term.push(p.edge_and_quantifier()?);
                nodes.push(p.at);
                term.push(Element::Node(p.node()?));
                p.parts(2, p.span_from(start))?;
            }
            if term.len() > 1 { Ok(term) } else { p.fail("an edge pattern `-[…]->`") }
        })?;
        if term.is_none() {
            self.not_pattern.extend(nodes);
        }
        Ok(term.map(|t| pattern_subquery(t, self.span_from(start))))
    }

    /// Whether an edge stands here, and no minus.
    fn at_predicate_edge(&self) -> bool {
        self.symbols_at(0, "<-")
            || (self.kind() == Kind::Symbol(b'-') && matches!(self.peek(1).kind, Kind::Symbol(b'[' | b'-' | b'>')))
    }
}

fn direction(left: bool, right: bool) -> Dir {
    match (left, right) {
        (true, false) => Dir::Left,
        (false, true) => Dir::Right,
        _ => Dir::Any,
    }
}

fn pattern_subquery(term: Term, span: Span) -> Subquery {
    let pattern = PathPattern { var: None, selector: None, legacy: false, mode: None, term, span };
    let m = Match { optional: false, repeatable: false, patterns: vec![pattern], filter: None, span };
    Subquery { linear: Linear { graph: None, clauses: vec![Clause::Match(m)] }, bare: true }
}

/// Takes the last alternative of the label that an expression ends in, if it names the variable.
pub(super) fn behind_label(e: &mut Expr, var: &str) -> Option<Name> {
    use crate::ast::ExprKind as K;
    match &mut e.kind {
        K::And(_, b) | K::Or(_, b) | K::Xor(_, b) | K::Not(b) => behind_label(b, var),
        K::HasLabel(_, l) => match l {
            Label::Or(a, b) => match &**b {
                Label::Name(n) if *n.text == *var => {
                    let taken = n.clone();
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
