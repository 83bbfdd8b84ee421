//! What a plan does, in words and numbers: `EXPLAIN` and `PROFILE`.

use std::fmt;
use std::sync::Arc;

use sv0_graph::{Direction, NodeType, Schema};

use crate::ast::{PathMode, Selector, SetOp, Span};
use crate::diag::Diagnostic;
use crate::plan::{CExpr, Elem, Linear, MatchOp, Op, Pattern, Plan, Project, Whole, one_type};

/// What one operator did in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// Rows that it handed on.
    pub rows: u64,
    /// Adjacency entries that it touched: the unit of the work budget.
    pub adjacency_entries: u64,
    /// The most product states that one of its searches held at a time.
    pub frontier_peak: u64,
    /// The most bytes that the query held while it was at work, about.
    pub peak_bytes: u64,
    /// Microseconds, where the host gave a clock ([`crate::Budget::clock`]).
    pub elapsed_us: u64,
}

/// One operator of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// How deep it stands: operators of a subquery stand below the one that runs them.
    pub depth: usize,
    /// What it is: `match`, `filter`, `project`, …
    pub name: &'static str,
    /// How it does it.
    pub detail: String,
    /// The pattern that it comes from.
    pub span: Option<Span>,
    /// How many nodes a search starts from, by the graph's statistics.
    pub estimate: Option<u64>,
    /// What it did (`PROFILE`).
    pub measured: Option<Measured>,
}

/// A plan for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explain {
    /// The query in canonical GQL.
    pub canonical: String,
    /// Its operators, in the order in which rows pass them.
    pub operators: Vec<Operator>,
    /// What is doubtful about it.
    pub warnings: Vec<Diagnostic>,
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.canonical)?;
        for o in &self.operators {
            write!(f, "{:width$}{:<9}", "", o.name, width = 2 * o.depth + 2)?;
            if !o.detail.is_empty() {
                write!(f, " {}", o.detail)?;
            }
            if let Some(n) = o.estimate {
                write!(f, " [about {n}]")?;
            }
            if let Some(m) = &o.measured {
                write!(f, "  ({} rows, {} entries", m.rows, m.adjacency_entries)?;
                if m.frontier_peak > 0 {
                    write!(f, ", frontier {}", m.frontier_peak)?;
                }
                write!(f, ", {} bytes", m.peak_bytes)?;
                if m.elapsed_us > 0 {
                    write!(f, ", {} us", m.elapsed_us)?;
                }
                write!(f, ")")?;
            }
            writeln!(f)?;
        }
        for w in &self.warnings {
            writeln!(f, "warning: {w}")?;
        }
        Ok(())
    }
}

/// Counts nodes: of a type, or all.
pub(crate) type CountNodes<'a> = &'a dyn Fn(Option<NodeType>) -> Option<u64>;
/// What an operator did; operators are told apart by where they stand in the plan.
pub(crate) type Measures<'a> = &'a dyn Fn(&Op) -> Option<Measured>;

struct Writer<'a> {
    schema: &'a Schema,
    text: &'a str,
    graphs: &'a [Arc<str>],
    count: CountNodes<'a>,
    measured: Measures<'a>,
    out: Vec<Operator>,
}

pub(crate) fn operators(
    plan: &Plan,
    schema: &Schema,
    text: &str,
    count: CountNodes<'_>,
    measured: Measures<'_>,
) -> Vec<Operator> {
    let mut w = Writer { schema, text, graphs: &plan.graphs, count, measured, out: Vec::new() };
    w.parts(&plan.parts, 0);
    w.out
}

impl Writer<'_> {
    fn push(&mut self, depth: usize, name: &'static str, detail: String) -> &mut Operator {
        self.out.push(Operator { depth, name, detail, span: None, estimate: None, measured: None });
        let last = self.out.len() - 1;
        &mut self.out[last]
    }

    fn parts(&mut self, parts: &[(Option<SetOp>, Linear)], depth: usize) {
        for (op, l) in parts {
            let name = match op {
                None => None,
                Some(SetOp::Union) => Some("union"),
                Some(SetOp::UnionAll) => Some("union all"),
                Some(SetOp::Except) => Some("except"),
                Some(SetOp::ExceptAll) => Some("except all"),
                Some(SetOp::Intersect) => Some("intersect"),
                Some(SetOp::IntersectAll) => Some("intersect all"),
            };
            if let Some(n) = name {
                self.push(depth, n, "rows are compared by value".to_owned());
            }
            self.ops(&l.ops, depth + usize::from(parts.len() > 1));
        }
    }

    fn ops(&mut self, ops: &[Op], depth: usize) {
        for op in ops {
            let at = self.out.len();
            match op {
                Op::Match(m) => self.matching(m, depth),
                Op::Optional { ops, .. } => {
                    self.push(depth, "optional", "all of the block, or nulls".to_owned());
                    self.ops(ops, depth + 1);
                }
                Op::Call { optional, parts, .. } => {
                    let how = if *optional { "once a row; nulls where it gives none" } else { "once a row" };
                    self.push(depth, "call", how.to_owned());
                    self.parts(parts, depth + 1);
                }
                Op::Filter(e) => {
                    self.push(depth, "filter", String::new());
                    self.subqueries(e, depth + 1);
                }
                Op::Let(items) => {
                    self.push(depth, "let", counted(items.len(), "value"));
                    items.iter().for_each(|(_, e)| self.subqueries(e, depth + 1));
                }
                Op::For { list, .. } => {
                    self.push(depth, "for", "each element of a list".to_owned());
                    self.subqueries(list, depth + 1);
                }
                Op::Project(p) => self.projecting(p, depth),
            }
            let measured = (self.measured)(op);
            if let Some(o) = self.out.get_mut(at) {
                o.measured = measured;
            }
        }
    }

    fn projecting(&mut self, p: &Project, depth: usize) {
        let mut parts = vec![counted(p.items.len(), "column")];
        if let Some(g) = &p.grouping {
            parts.push(format!("grouped by {}", counted(g.keys.len(), "key")));
            parts.push(counted(g.aggregates.len(), "aggregate"));
            match g.whole.as_deref() {
                Some(Whole::Ends(_)) => parts.push("ends summed up by start where there are many".to_owned()),
                Some(Whole::Texts(_)) => parts.push("by the codes of texts where the columns have them".to_owned()),
                None => {}
            }
        }
        if p.distinct {
            parts.push("without duplicates".to_owned());
        }
        if !p.order.is_empty() {
            parts.push(format!("sorted by {}", counted(p.order.len(), "key")));
        }
        if p.skip.is_some() {
            parts.push("offset".to_owned());
        }
        if p.limit.is_some() {
            let stops = p.order.is_empty() && p.grouping.is_none();
            parts.push(if stops { "limit: stops early" } else { "limit" }.to_owned());
        }
        self.push(depth, "project", parts.join(", "));
        p.items.iter().for_each(|(_, e)| self.subqueries(e, depth + 1));
        p.filter.iter().for_each(|e| self.subqueries(e, depth + 1));
    }

    fn matching(&mut self, m: &MatchOp, depth: usize) {
        let name = if m.optional { "optional match" } else { "match" };
        let several = m.patterns.len() > 1;
        let mut head =
            if several { counted(m.patterns.len(), "pattern") + ", one after the other" } else { String::new() };
        if m.graph > 0
            && let Some(g) = self.graphs.get(usize::from(m.graph))
        {
            head += &format!("{}in graph {g}", if head.is_empty() { "" } else { ", " });
        }
        if !several && let [p] = m.patterns.as_slice() {
            let detail = format!("{}{}{}", head, if head.is_empty() { "" } else { ": " }, self.pattern(p));
            let estimate = self.starts(&p.first);
            let o = self.push(depth, name, detail);
            (o.span, o.estimate) = (Some(p.span), estimate);
            self.pattern_subqueries(p, depth + 1);
        } else {
            self.push(depth, name, head);
            for p in &m.patterns {
                let detail = self.pattern(p);
                let estimate = self.starts(&p.first);
                let o = self.push(depth + 1, "pattern", detail);
                (o.span, o.estimate) = (Some(p.span), estimate);
                self.pattern_subqueries(p, depth + 2);
            }
        }
        m.filter.iter().for_each(|e| self.subqueries(e, depth + 1));
    }

    fn pattern_subqueries(&mut self, p: &Pattern, depth: usize) {
        p.nfa.elems.iter().flat_map(|e| &e.filters).for_each(|e| self.subqueries(e, depth));
        p.post.iter().for_each(|e| self.subqueries(e, depth));
    }

    fn pattern(&self, p: &Pattern) -> String {
        let text = self.text.get(p.span.0..p.span.1).unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
        let how = match p.selector {
            None if p.chain.is_some() && p.tally => {
                "reachability: all ends of a start at once, only counted".to_owned()
            }
            None if p.chain.is_some() => "reachability: all ends of a start at once".to_owned(),
            None if p.ends_only => "reachability: breadth-first, one witness a pair of ends".to_owned(),
            None | Some(Selector::All) => match p.mode {
                PathMode::Walk => "enumeration of walks".to_owned(),
                PathMode::Trail => "enumeration of trails".to_owned(),
                PathMode::Acyclic => "enumeration of acyclic paths".to_owned(),
                PathMode::Simple => "enumeration of simple paths".to_owned(),
            },
            Some(Selector::Shortest(1) | Selector::Any(1)) => {
                "a shortest path a pair of ends: breadth-first".to_owned()
            }
            Some(Selector::AllShortest) => "all shortest paths a pair of ends: breadth-first".to_owned(),
            Some(Selector::Shortest(k) | Selector::Any(k)) => format!("the {k} shortest paths a pair of ends"),
            Some(Selector::ShortestGroups(k)) => format!("the paths of the {k} shortest lengths a pair of ends"),
        };
        let edges: Vec<String> = p.nfa.elems.iter().filter(|e| !e.steps.is_empty()).map(|e| self.steps(e)).collect();
        let mut out = format!("{text}: {how}; from {}", self.start(&p.first));
        if p.hop.is_some() && (p.last.key.is_some() || p.last.slot.is_some_and(|s| !p.binds.contains(&s))) {
            out += &format!(" and from {}, until they meet", self.start(&p.last));
        }
        if p.turned.is_some() {
            out += &format!(", or from {} if those are far fewer", self.start(&p.last));
        } else if p.selector.is_none() && !p.ends_only {
            out += &format!(" or from {}, whichever is less", self.start(&p.last));
        }
        if !edges.is_empty() {
            out += &format!("; along {}", edges.join(", then "));
        }
        if !p.post.is_empty() {
            out += &format!("; {} once a path is whole", counted(p.post.len(), "condition"));
        }
        out
    }

    fn steps(&self, e: &Elem) -> String {
        let all = self.schema.edge_types().len();
        let mut types: Vec<_> = e.steps.iter().map(|s| s.0).collect();
        types.dedup();
        let direction =
            match (e.steps.iter().any(|s| s.1 == Direction::Out), e.steps.iter().any(|s| s.1 == Direction::In)) {
                (true, false) => "out",
                (false, true) => "in",
                _ => "both ways",
            };
        let what = if types.len() == all && all > 1 {
            "any type".to_owned()
        } else if types.len() <= 3 {
            types.iter().map(|t| self.schema.edge_type(*t).name.as_str()).collect::<Vec<_>>().join("|")
        } else {
            counted(types.len(), "type")
        };
        format!("{what} {direction}")
    }

    fn start(&self, e: &Elem) -> String {
        if e.key.is_some() {
            return "a key".to_owned();
        }
        match e.label.as_ref().and_then(one_type) {
            Some(t) => format!("nodes of type {t}"),
            None if e.label.is_some() => "all nodes, their labels tested".to_owned(),
            None => "a bound node, or all nodes".to_owned(),
        }
    }

    fn starts(&self, e: &Elem) -> Option<u64> {
        if e.key.is_some() { Some(1) } else { (self.count)(e.label.as_ref().and_then(one_type)) }
    }

    /// The operators of subqueries in an expression.
    fn subqueries(&mut self, e: &CExpr, depth: usize) {
        let mut found: Vec<(&'static str, &Linear)> = Vec::new();
        each(e, &mut |e| match e {
            CExpr::Exists(s) => found.push(("exists", &s.linear)),
            CExpr::Count(s) => found.push(("count", &s.linear)),
            CExpr::CountAtLeast(s, _) => found.push(("count", &s.linear)),
            CExpr::Value(s) => found.push(("value", &s.linear)),
            _ => {}
        });
        for (name, l) in found {
            let how = if name == "exists" { "once a row; stops at the first" } else { "once a row" };
            self.push(depth, name, how.to_owned());
            self.ops(&l.ops, depth + 1);
        }
    }
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Calls `f` with an expression and all below it, subqueries excepted.
fn each<'e>(e: &'e CExpr, f: &mut dyn FnMut(&'e CExpr)) {
    f(e);
    e.children().into_iter().for_each(|c| each(c, f));
}
