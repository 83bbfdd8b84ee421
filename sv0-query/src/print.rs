//! The canonical printer: syntax tree to canonical GQL, on one line ([`canonical`]) or a clause a line ([`pretty`]).
//!
//! What it prints is read back as the same tree, up to spans and to what follows, and is printed the same again. That
//! holds within the parser's bounds: canonical text may be longer than what it came from, and have more brackets.
//!
//! - Cypher's spellings become ISO's: `UNWIND` is `FOR`, `-[:A*1..3]->` is `-[:A]->{1,3}`, `-->` is `->`, `(n:A:B)` is
//!   `(n:A&B)`, `!=` is `<>`, `a < b < c` is `a < b AND b < c`. These have one tree.
//! - `WITH … WHERE …` becomes `RETURN … NEXT FILTER …` if the condition sees the new columns alone. Grouping that is
//!   implicit stays so: no `GROUP BY` is added.
//! - A pattern that stands for a truth value becomes `EXISTS { … }`; one `MATCH` alone in braces loses its `MATCH`.
//! - A function has one name (`toLower` is `LOWER`, `collect` is `COLLECT_LIST`, `datetime()` is `ZONED_DATETIME()`).
//!   `toString(x)` and the like become `CAST(x AS STRING)`, `exists(x)` becomes `x IS NOT NULL`. A type has one name.
//! - A column keeps its name: if the text of its expression was another, the name is given with `AS`.
//! - Parentheses stand where the levels of the grammar ask for them, and around a test within a test or a comparison.
//! - A name that is one of the grammar's words is quoted, except for labels, properties and parameters.
//! - Comments aren't kept.

use unicode_ident::{is_xid_continue, is_xid_start};

use crate::ast::{
    Clause, Dir, EdgePattern, Element, Expr, ExprKind, Filler, GraphRef, Group, Item, Label, Linear, Literal, Match,
    PathMode, PathPattern, Prefix, Projection, Quantifier, Query, Selector, SetOp, Sort, Term,
};
use crate::bind::uses;
use crate::time::format_timestamp;

mod expr;

/// Lines and subqueries that are longer are broken by [`pretty`].
const WIDTH: usize = 100;

// The grammar's levels of expressions, the loosest first. What is below the level that a place asks for is put in
// parentheses.
const OR: u8 = 0;
const XOR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const CMP: u8 = 4;
const TEST: u8 = 5;
const ADD: u8 = 6;
const MUL: u8 = 7;
const UNARY: u8 = 8;
const POSTFIX: u8 = 9;

// The levels of label expressions.
const LABEL_OR: u8 = 0;
const LABEL_AND: u8 = 1;
const LABEL_NOT: u8 = 2;
const LABEL_ATOM: u8 = 3;

/// Names that the grammar never reads bare.
const RESERVED: &[&str] = &["true", "false", "null", "and", "or", "xor", "not"];

/// The grammar's words. Bare, they are names in most places, but not in all.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "acyclic", "all", "allshortestpaths", "and", "any", "as", "asc", "ascending", "at", "by", "call", "case", "cast",
    "commit", "contains", "count", "create", "date", "datetime", "delete", "desc", "descending", "destination",
    "detach", "diff", "different", "distinct", "drop", "duration", "edge", "edges", "element", "elements", "else",
    "end", "ends", "except", "exists", "explain", "false", "filter", "first", "for", "foreach", "group", "groups",
    "in", "insert", "intersect", "is", "labeled", "last", "let", "limit", "load", "match", "merge", "next", "none",
    "not", "null", "nulls", "of", "offset", "optional", "or", "order", "ordinality", "path", "paths", "profile",
    "remove", "repeatable", "return", "rollback", "session", "set", "shortest", "shortestpath", "simple", "single",
    "skip", "snapshot", "source", "start", "starts", "then", "time", "timestamp", "trail", "transactions", "true",
    "union", "unknown", "unwind", "use", "value", "walk", "when", "where", "with", "xor", "zoned",
];

/// openCypher's own functions, as they are written there. Others are in upper case, as ISO's are.
#[rustfmt::skip]
const CYPHER: &[&str] = &[
    "nodes", "relationships", "labels", "type", "id", "keys", "properties", "startNode", "endNode", "head", "last",
    "tail", "split", "replace", "substring", "range", "reverse", "flatten", "round", "sign", "isEmpty",
];

/// Functions by other names.
#[rustfmt::skip]
const SYNONYMS: &[(&str, &str)] = &[
    ("collect", "COLLECT_LIST"), ("cardinality", "SIZE"), ("character_length", "CHAR_LENGTH"),
    ("length", "PATH_LENGTH"), ("edges", "relationships"), ("rels", "relationships"), ("elementid", "ELEMENT_ID"),
    ("toupper", "UPPER"), ("tolower", "LOWER"), ("ceiling", "CEIL"), ("duration.between", "DURATION_BETWEEN"),
    // Without an argument these are CURRENT_TIMESTAMP and CURRENT_DATE, which might be names of variables.
    ("datetime", "ZONED_DATETIME"), ("timestamp", "ZONED_DATETIME"), ("current_timestamp", "ZONED_DATETIME"),
    ("localdatetime", "LOCAL_DATETIME"), ("current_date", "DATE"),
];

/// A query as one line of canonical GQL.
#[must_use]
pub fn canonical(q: &Query) -> String {
    inline(|w| w.query(q))
}

/// A query in canonical GQL, a clause a line.
#[must_use]
pub fn pretty(q: &Query) -> String {
    let mut w = Writer { lines: true, ..Writer::default() };
    w.query(q);
    w.out
}

fn inline(f: impl FnOnce(&mut Writer) -> &mut Writer) -> String {
    let mut w = Writer::default();
    f(&mut w);
    w.out
}

/// Writes one text.
#[derive(Default)]
struct Writer {
    out: String,
    /// A clause a line.
    lines: bool,
    /// Spaces before a line.
    indent: usize,
    /// Where the last label expression ended.
    label_end: usize,
    /// Between set operations, where NEXT would take all of them.
    combined: bool,
}

impl Writer {
    fn put(&mut self, s: &str) -> &mut Self {
        self.out.push_str(s);
        self
    }

    /// Goes on to the next clause.
    fn then(&mut self) -> &mut Self {
        let gap = if self.lines { format!("\n{}", " ".repeat(self.indent)) } else { " ".to_owned() };
        self.put(&gap)
    }

    fn list<T>(
        &mut self,
        items: &[T],
        between: &str,
        mut f: impl for<'w> FnMut(&'w mut Self, &T) -> &'w mut Self,
    ) -> &mut Self {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.put(between);
            }
            f(self, item);
        }
        self
    }

    /// Whether what comes makes the line too long.
    fn is_long(&self, f: impl FnOnce(&mut Self) -> &mut Self) -> bool {
        let column = || self.out.rsplit('\n').next().map_or(0, |line| line.chars().count());
        self.lines && column() + inline(f).chars().count() > WIDTH
    }

    /// A part of a clause, on a line of its own if the clause is long.
    fn part(&mut self, long: bool, word: &str, f: impl FnOnce(&mut Self) -> &mut Self) {
        let before = self.indent;
        if long {
            self.indent += 2;
            self.then();
        } else {
            self.put(" ");
        }
        f(self.put(word));
        self.indent = before;
    }

    /// What stands in braces: on this line if it is short, else a clause a line.
    fn braces(&mut self, f: impl Fn(&mut Self) -> &mut Self) -> &mut Self {
        let short = inline(&f);
        if !self.lines || short.chars().count() <= WIDTH {
            return self.put("{ ").put(&short).put(" }");
        }
        self.indent += 2;
        f(self.put("{").then());
        self.indent -= 2;
        self.then().put("}")
    }

    fn backquoted(&mut self, name: &str) -> &mut Self {
        self.put("`").put(&name.replace('`', "``")).put("`")
    }

    /// The name of a label, a property or a parameter.
    fn key(&mut self, name: &str) -> &mut Self {
        let mut chars = name.chars();
        let plain = chars.next().is_some_and(|c| c == '_' || is_xid_start(c))
            && chars.all(|c| c == '_' || is_xid_continue(c))
            && !is_in(RESERVED, name);
        if plain { self.put(name) } else { self.backquoted(name) }
    }

    /// The name of anything else.
    fn name(&mut self, name: &str) -> &mut Self {
        if is_in(WORDS, name) { self.backquoted(name) } else { self.key(name) }
    }

    fn string(&mut self, s: &str) -> &mut Self {
        self.put("'");
        for c in s.chars() {
            match c {
                '\'' => self.put("''"),
                '\\' => self.put("\\\\"),
                '\n' => self.put("\\n"),
                '\r' => self.put("\\r"),
                '\t' => self.put("\\t"),
                c if c.is_control() => self.put(&format!("\\u{:04x}", u32::from(c))),
                c => self.put(c.encode_utf8(&mut [0; 4])),
            };
        }
        self.put("'")
    }

    fn literal(&mut self, l: &Literal) -> &mut Self {
        match l {
            Literal::Null => self.put("NULL"),
            Literal::Bool(b) => self.put(if *b { "TRUE" } else { "FALSE" }),
            Literal::Int(n) => self.put(&n.to_string()),
            Literal::Float(f) if f.is_finite() => self.put(&format!("{f:?}")),
            // No text is read as one of these; they can only be computed.
            Literal::Float(f) => self.put(&format!("CAST('{f}' AS FLOAT)")),
            Literal::Str(s) => self.string(s),
        }
    }

    fn query(&mut self, q: &Query) -> &mut Self {
        if let Some(p) = q.prefix {
            self.put(if p == Prefix::Explain { "EXPLAIN" } else { "PROFILE" }).then();
        }
        let around = std::mem::replace(&mut self.combined, !q.rest.is_empty());
        self.linear(&q.first);
        for (op, l) in &q.rest {
            let op = match op {
                SetOp::Union => "UNION",
                SetOp::UnionAll => "UNION ALL",
                SetOp::Except => "EXCEPT",
                SetOp::ExceptAll => "EXCEPT ALL",
                SetOp::Intersect => "INTERSECT",
                SetOp::IntersectAll => "INTERSECT ALL",
            };
            self.then().put(op).then().linear(l);
        }
        self.combined = around;
        self
    }

    fn linear(&mut self, l: &Linear) -> &mut Self {
        if let Some(g) = &l.graph {
            self.reading(g).then();
        }
        self.clauses(&l.clauses)
    }

    fn reading(&mut self, g: &GraphRef) -> &mut Self {
        let word = match g {
            GraphRef::Name(_) | GraphRef::Param(_) | GraphRef::Diff(..) => "USE ",
            GraphRef::Number(..) | GraphRef::Snapshot(_) => "AT SNAPSHOT ",
            GraphRef::Time(..) => "AT TIME ",
        };
        self.put(word).graph(g)
    }

    /// A graph, as it stands behind its word or in a diff.
    fn graph(&mut self, g: &GraphRef) -> &mut Self {
        match g {
            GraphRef::Name(n) => self.name(&n.text),
            GraphRef::Param(n) => self.put("$$").key(&n.text),
            GraphRef::Number(n, _) => self.put(&n.to_string()),
            GraphRef::Snapshot(n) => self.string(&n.text),
            GraphRef::Time(t, _) => self.string(&format_timestamp(*t)),
            GraphRef::Diff(a, b, _) => self.put("diff(").graph(a).put(", ").graph(b).put(")"),
        }
    }

    fn clauses(&mut self, clauses: &[Clause]) -> &mut Self {
        for (i, c) in clauses.iter().enumerate() {
            if i > 0 {
                self.then();
            }
            self.clause(c);
        }
        self
    }

    fn clause(&mut self, c: &Clause) -> &mut Self {
        match c {
            Clause::Match(m) => self.put(if m.optional { "OPTIONAL MATCH " } else { "MATCH " }).match_body(m),
            Clause::Optional(b) => self.put("OPTIONAL ").braces(|w| w.clauses(&b.clauses)),
            Clause::Call(c) => {
                self.put(if c.optional { "OPTIONAL CALL " } else { "CALL " });
                if let Some(vars) = &c.vars {
                    self.put("(").list(vars, ", ", |w, n| w.name(&n.text)).put(") ");
                }
                self.braces(|w| w.query(&c.body))
            }
            Clause::Use(g) => self.reading(g),
            Clause::Filter(e) => self.put("FILTER ").expr(e, OR),
            Clause::Let(items) => {
                self.put("LET ").list(items, ", ", |w, (n, e)| w.name(&n.text).put(" = ").expr(e, OR))
            }
            Clause::For { var, list, position } => {
                self.put("FOR ").name(&var.text).put(" IN ").expr(list, OR);
                match position {
                    None => self,
                    Some((n, 0)) => self.put(" WITH OFFSET ").name(&n.text),
                    Some((n, _)) => self.put(" WITH ORDINALITY ").name(&n.text),
                }
            }
            // The condition of a WITH may see what its columns don't.
            Clause::With(p, f) if self.combined || f.as_ref().is_some_and(|f| !sees_columns_alone(p, f)) => {
                self.put("WITH ").projection(p);
                self.given(" WHERE ", f.as_ref(), "")
            }
            Clause::With(p, filter) => {
                self.put("RETURN ").projection(p).then().put("NEXT");
                match filter {
                    None => self,
                    Some(e) => self.then().put("FILTER ").expr(e, OR),
                }
            }
            Clause::Return(p) => self.put("RETURN ").projection(p),
        }
    }

    fn projection(&mut self, p: &Projection) -> &mut Self {
        let long = self.is_long(|w| w.projection(p));
        if p.distinct {
            self.put("DISTINCT ");
        }
        if p.star {
            self.put(if p.items.is_empty() { "*" } else { "*, " });
        }
        // A sort key that is a column's expression is known by its text.
        self.list(&p.items, ", ", |w, i| w.item(i, p.order.is_empty()));
        match p.group_by.as_deref() {
            None => {}
            Some([]) => self.part(long, "GROUP BY ", |w| w.put("()")),
            Some(names) => self.part(long, "GROUP BY ", |w| w.list(names, ", ", |w, n| w.name(&n.text))),
        }
        if !p.order.is_empty() {
            self.part(long, "ORDER BY ", |w| w.list(&p.order, ", ", Self::sort));
        }
        for (word, e) in [("OFFSET ", &p.skip), ("LIMIT ", &p.limit)] {
            if let Some(e) = e {
                self.part(long, word, |w| w.expr(e, OR));
            }
        }
        self
    }

    fn item(&mut self, item: &Item, breaks: bool) -> &mut Self {
        let text = inline(|w| w.expr(&item.expr, OR));
        let own: &str = if let ExprKind::Var(v) = &item.expr.kind { v } else { &text };
        if !item.aliased && *own == *item.name.text {
            return self.put(&text);
        }
        if breaks && self.lines {
            self.expr(&item.expr, OR);
        } else {
            self.put(&text);
        }
        self.put(" AS ").name(&item.name.text)
    }

    fn sort(&mut self, s: &Sort) -> &mut Self {
        let nulls = match s.nulls_first {
            None => "",
            Some(true) => " NULLS FIRST",
            Some(false) => " NULLS LAST",
        };
        let text = inline(|w| w.expr(&s.expr, OR));
        self.put(&text).put(if s.descending { " DESC" } else { "" }).put(nulls)
    }

    fn match_body(&mut self, m: &Match) -> &mut Self {
        let long = self.is_long(|w| w.match_body(m));
        self.put(if m.repeatable { "REPEATABLE ELEMENTS " } else { "" }).list(&m.patterns, ", ", Self::path);
        if let Some(e) = &m.filter {
            self.part(long, "WHERE ", |w| w.expr(e, OR));
        }
        self
    }

    fn path(&mut self, p: &PathPattern) -> &mut Self {
        if let Some(v) = &p.var {
            self.name(&v.text).put(" = ");
        }
        if p.legacy {
            // ANY SHORTEST isn't the same: the WHERE of such a MATCH holds for each hop, before paths are selected.
            let all = p.selector == Some(Selector::AllShortest);
            self.put(if all { "allShortestPaths(" } else { "shortestPath(" });
            return self.term(&p.term).put(")");
        }
        let mode = match p.mode {
            None => "",
            Some(PathMode::Walk) => "WALK ",
            Some(PathMode::Trail) => "TRAIL ",
            Some(PathMode::Acyclic) => "ACYCLIC ",
            Some(PathMode::Simple) => "SIMPLE ",
        };
        let selector = match p.selector {
            None => mode.to_owned(),
            Some(Selector::All) => format!("ALL {mode}"),
            Some(Selector::Any(1)) => format!("ANY {mode}"),
            Some(Selector::Any(k)) => format!("ANY {k} {mode}"),
            Some(Selector::Shortest(1)) => format!("ANY SHORTEST {mode}"),
            Some(Selector::Shortest(k)) => format!("SHORTEST {k} {mode}"),
            Some(Selector::AllShortest) => format!("ALL SHORTEST {mode}"),
            Some(Selector::ShortestGroups(k)) => format!("SHORTEST {k} {mode}GROUPS "),
        };
        self.put(&selector).term(&p.term)
    }

    fn term(&mut self, term: &Term) -> &mut Self {
        let mut before: Option<&Element> = None;
        for e in term {
            if before.is_some_and(|b| apart(b, e)) {
                self.put(" ");
            }
            match e {
                Element::Node(n) => self.put("(").filler(&n.filler).put(")"),
                Element::Edge(e, q) => self.edge(e).quantifier(q.as_ref()),
                Element::Group(g) => self.group(g).quantifier(g.quantifier.as_ref()),
            };
            before = Some(e);
        }
        self
    }

    fn group(&mut self, g: &Group) -> &mut Self {
        self.put("(").list(&g.alternatives, " | ", Self::term);
        self.given(" WHERE ", g.filter.as_ref(), ")")
    }

    fn edge(&mut self, e: &EdgePattern) -> &mut Self {
        let (short, open, close) = match e.dir {
            Dir::Right => ("->", "-[", "]->"),
            Dir::Left => ("<-", "<-[", "]-"),
            Dir::Any => ("-", "-[", "]-"),
        };
        if e.filler == Filler::default() {
            return self.put(short);
        }
        self.put(open).filler(&e.filler).put(close)
    }

    fn filler(&mut self, f: &Filler) -> &mut Self {
        let start = self.out.len();
        if let Some(v) = &f.var {
            self.name(&v.text);
        }
        if let Some(l) = &f.label {
            self.put(":").label(l, LABEL_OR);
        }
        if !f.props.is_empty() {
            let gap = if self.out.len() > start { " {" } else { "{" };
            self.put(gap).list(&f.props, ", ", |w, (n, e)| w.key(&n.text).put(": ").expr(e, OR)).put("}");
        }
        let word = if self.out.len() > start { " WHERE " } else { "WHERE " };
        self.given(word, f.filter.as_ref(), "")
    }

    fn quantifier(&mut self, q: Option<&Quantifier>) -> &mut Self {
        let Some(q) = q else { return self };
        match (q.min, q.max) {
            _ if q.optional => self.put("?"),
            (0, None) => self.put("*"),
            (1, None) => self.put("+"),
            (m, None) => self.put(&format!("{{{m},}}")),
            (m, Some(n)) if m == n => self.put(&format!("{{{m}}}")),
            (m, Some(n)) => self.put(&format!("{{{m},{n}}}")),
        }
    }

    fn label(&mut self, l: &Label, least: u8) -> &mut Self {
        let own = match l {
            Label::Name(_) | Label::Any => LABEL_ATOM,
            Label::Not(_) => LABEL_NOT,
            Label::And(..) => LABEL_AND,
            Label::Or(..) => LABEL_OR,
        };
        self.put(if own < least { "(" } else { "" });
        match l {
            Label::Name(n) => self.key(&n.text),
            Label::Any => self.put("%"),
            Label::Not(a) => self.put("!").label(a, LABEL_ATOM),
            Label::And(..) => self.labels(l, LABEL_AND, "&"),
            Label::Or(..) => self.labels(l, LABEL_OR, "|"),
        };
        self.label_end = self.put(if own < least { ")" } else { "" }).out.len();
        self
    }

    /// A chain of labels. It is as deep as it is long, to the left.
    fn labels(&mut self, l: &Label, own: u8, word: &str) -> &mut Self {
        let (mut left, mut rest) = (l, Vec::new());
        while let (Label::And(a, b), LABEL_AND) | (Label::Or(a, b), LABEL_OR) = (left, own) {
            rest.push(b);
            left = a;
        }
        self.label(left, own + 1);
        rest.reverse();
        self.put(word).list(&rest, word, |w, b| w.label(b, own + 1))
    }
}

/// Whether a condition behind a projection uses the projection's columns and nothing else.
fn sees_columns_alone(p: &Projection, filter: &Expr) -> bool {
    p.star || uses::variables(filter).iter().all(|v| p.items.iter().any(|i| i.name.text == *v))
}

fn is_in(words: &[&str], name: &str) -> bool {
    words.iter().any(|w| w.eq_ignore_ascii_case(name))
}

/// Whether a space stands between two elements: where none would read as something else, and around what is long.
fn apart(a: &Element, b: &Element) -> bool {
    match (a, b) {
        (Element::Group(_), _) | (_, Element::Group(_)) => true,
        (Element::Node(_), Element::Node(_)) | (Element::Edge(..), Element::Edge(..)) => true,
        (Element::Edge(_, q), Element::Node(_)) => q.is_some_and(|q| q.optional),
        (Element::Node(_), Element::Edge(..)) => false,
    }
}
