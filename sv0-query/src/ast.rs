//! The one syntax tree of both spellings. Plain data; spans are byte ranges of the query's text.

use std::sync::Arc;

/// A byte range of the query's text.
pub type Span = (usize, usize);

/// A name and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: Arc<str>,
    /// Where.
    pub span: Span,
}

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// `EXPLAIN` or `PROFILE` stood before it.
    pub prefix: Option<Prefix>,
    /// The first part.
    pub first: Linear,
    /// Further parts, each with the set operation before it.
    pub rest: Vec<(SetOp, Linear)>,
}

/// What stood before the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// Show the plan.
    Explain,
    /// Run it and show what it did.
    Profile,
}

/// How two results combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetOp {
    /// Rows of both, without duplicates.
    Union,
    /// Rows of both.
    UnionAll,
    /// Rows of the first that the second hasn't, without duplicates.
    Except,
    /// The same, counting duplicates.
    ExceptAll,
    /// Rows of both results, without duplicates.
    Intersect,
    /// The same, counting duplicates.
    IntersectAll,
}

/// Which graph a pipeline reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphRef {
    /// `USE name`.
    Name(Name),
    /// `USE $$name`.
    Param(Name),
    /// `AT SNAPSHOT 12`.
    Number(u64, Span),
    /// `AT SNAPSHOT 'name or date'`.
    Snapshot(Name),
    /// `AT TIME 'time'`: the last snapshot at or before it, in microseconds since 1970.
    Time(i64, Span),
    /// `USE diff(from, to)`: what stands in either, labelled `added`, `removed`, `changed` or `same`.
    Diff(Box<GraphRef>, Box<GraphRef>, Span),
}

impl GraphRef {
    /// The name by which a host gives the graph: the name or `$$name` as it stands, else the reference in canonical form.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Name(n) => n.text.to_string(),
            Self::Param(n) => format!("$${}", n.text),
            Self::Number(n, _) => format!("snapshot {n}"),
            Self::Snapshot(n) => format!("snapshot '{}'", n.text),
            Self::Time(t, _) => format!("time {}", crate::time::format_timestamp(*t)),
            Self::Diff(a, b, _) => format!("diff({}, {})", a.name(), b.name()),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Name(n) | Self::Param(n) | Self::Snapshot(n) => n.span,
            Self::Number(_, s) | Self::Time(_, s) | Self::Diff(_, _, s) => *s,
        }
    }
}

/// A pipeline of clauses over one graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// `USE graph`, `AT SNAPSHOT n`, `AT TIME t`.
    pub graph: Option<GraphRef>,
    /// The clauses in order.
    pub clauses: Vec<Clause>,
}

/// A clause.
#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    /// `[OPTIONAL] MATCH`.
    Match(Match),
    /// `OPTIONAL { … }`: all of the block, or nulls.
    Optional(Block),
    /// `[OPTIONAL] CALL (…) { … }`.
    Call(Call),
    /// `FILTER expr`.
    Filter(Expr),
    /// `LET name = expr, …`.
    Let(Vec<(Name, Expr)>),
    /// `FOR name IN list` or `UNWIND list AS name`.
    For {
        /// The variable.
        var: Name,
        /// The list.
        list: Expr,
        /// Position variable and its first value.
        position: Option<(Name, i64)>,
    },
    /// `USE graph` between two clauses: what follows reads this graph.
    Use(GraphRef),
    /// `WITH`, or a `RETURN` that a `NEXT` follows.
    With(Projection, Option<Expr>),
    /// The result.
    Return(Projection),
}

/// MATCH clauses and filters that hold together or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The clauses in order: `MATCH`, `OPTIONAL`, `FILTER`.
    pub clauses: Vec<Clause>,
    /// Where it stands.
    pub span: Span,
}

/// A subquery that runs once a row and adds its columns to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// A row without a result is kept, with nulls.
    pub optional: bool,
    /// The variables that it sees; all where it is `None`.
    pub vars: Option<Vec<Name>>,
    /// What runs. It has no prefix.
    pub body: Box<Query>,
    /// Where it stands.
    pub span: Span,
}

/// `MATCH` with its patterns.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// Rows without a match are kept, with nulls.
    pub optional: bool,
    /// One edge may serve several times.
    pub repeatable: bool,
    /// The path patterns.
    pub patterns: Vec<PathPattern>,
    /// The condition.
    pub filter: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// Which of the matching paths are kept, for each pair of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// All.
    All,
    /// One, whichever is first in the defined order.
    Any(u32),
    /// The k shortest.
    Shortest(u32),
    /// All of the shortest length.
    AllShortest,
    /// All of the k shortest lengths.
    ShortestGroups(u32),
}

/// What may repeat within a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathMode {
    /// Anything.
    Walk,
    /// No edge.
    Trail,
    /// No node.
    Acyclic,
    /// No node, but the ends may be the same.
    Simple,
}

/// One path pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct PathPattern {
    /// The path's name.
    pub var: Option<Name>,
    /// The selector.
    pub selector: Option<Selector>,
    /// It was written as `shortestPath(…)` or `allShortestPaths(…)`.
    pub legacy: bool,
    /// The mode, if given.
    pub mode: Option<PathMode>,
    /// The elements.
    pub term: Term,
    /// Where it stands.
    pub span: Span,
}

/// A sequence of pattern elements.
pub type Term = Vec<Element>;

/// A pattern element.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    /// `( … )`.
    Node(NodePattern),
    /// `-[ … ]->`, perhaps quantified.
    Edge(EdgePattern, Option<Quantifier>),
    /// A parenthesised sub-path.
    Group(Box<Group>),
}

/// A parenthesised sub-path.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its alternatives, one at least.
    pub alternatives: Vec<Term>,
    /// The condition inside the parentheses.
    pub filter: Option<Expr>,
    /// How often.
    pub quantifier: Option<Quantifier>,
    /// Where it stands.
    pub span: Span,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantifier {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: Option<u32>,
    /// `?`: variables inside stay singletons.
    pub optional: bool,
    /// Where it stands.
    pub span: Span,
}

/// What stands between a node's or an edge's brackets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filler {
    /// The variable.
    pub var: Option<Name>,
    /// The label expression.
    pub label: Option<Label>,
    /// Required property values.
    pub props: Vec<(Name, Expr)>,
    /// The condition.
    pub filter: Option<Expr>,
}

/// A node pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePattern {
    /// Its contents.
    pub filler: Filler,
    /// Where it stands.
    pub span: Span,
}

/// An edge's written direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// `->`
    Right,
    /// `<-`
    Left,
    /// Either.
    Any,
}

/// An edge pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgePattern {
    /// Its contents.
    pub filler: Filler,
    /// Its direction.
    pub dir: Dir,
    /// Where it stands.
    pub span: Span,
}

/// A label or edge-type expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Label {
    /// A name.
    Name(Name),
    /// `%`
    Any,
    /// `!`
    Not(Box<Label>),
    /// `&`
    And(Box<Label>, Box<Label>),
    /// `|`
    Or(Box<Label>, Box<Label>),
}

/// `RETURN` or `WITH`.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// Without duplicates.
    pub distinct: bool,
    /// `*`
    pub star: bool,
    /// The columns.
    pub items: Vec<Item>,
    /// `GROUP BY`; implicit where it is `None`.
    pub group_by: Option<Vec<Name>>,
    /// `ORDER BY`.
    pub order: Vec<Sort>,
    /// `OFFSET`.
    pub skip: Option<Expr>,
    /// `LIMIT`.
    pub limit: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its value.
    pub expr: Expr,
    /// Its name: the alias, or the text.
    pub name: Name,
    /// Whether an alias was given.
    pub aliased: bool,
}

/// A sort key.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    /// The key.
    pub expr: Expr,
    /// Descending.
    pub descending: bool,
    /// Where nulls go, if it is said.
    pub nulls_first: Option<bool>,
}

/// An expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum CmpOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Arithmetic and concatenation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ArithOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Concat,
}

/// Tests of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TextOp {
    StartsWith,
    EndsWith,
    Contains,
    Regex,
}

/// List predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Quant {
    Any,
    All,
    None,
    Single,
}

/// Literals.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
}

/// Expressions.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it; the language page explains them")]
pub enum ExprKind {
    Lit(Literal),
    Param(Arc<str>),
    Var(Arc<str>),
    Prop(Box<Expr>, Name),
    Index(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Option<Box<Expr>>, Option<Box<Expr>>),
    List(Vec<Expr>),
    Cmp(CmpOp, Box<Expr>, Box<Expr>),
    Arith(ArithOp, Box<Expr>, Box<Expr>),
    Neg(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Xor(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>, bool),
    IsTruth(Box<Expr>, Option<bool>, bool),
    HasLabel(Box<Expr>, Label),
    IsEnd { node: Box<Expr>, edge: Box<Expr>, source: bool, negated: bool },
    In(Box<Expr>, Box<Expr>),
    Text(TextOp, Box<Expr>, Box<Expr>),
    Call { name: Arc<str>, args: Vec<Expr>, distinct: bool, star: bool },
    Cast(Box<Expr>, Name),
    Case { subject: Option<Box<Expr>>, arms: Vec<(Expr, Expr)>, otherwise: Option<Box<Expr>> },
    ListPred(Quant, Name, Box<Expr>, Box<Expr>),
    ListComp { var: Name, list: Box<Expr>, filter: Option<Box<Expr>>, map: Option<Box<Expr>> },
    Exists(Box<Subquery>),
    Count(Box<Subquery>),
    Value(Box<Subquery>),
}

/// A subquery in braces.
#[derive(Debug, Clone, PartialEq)]
pub struct Subquery {
    /// Its pipeline; a bare pattern is a pipeline of one `MATCH`.
    pub linear: Linear,
    /// It was written as a pattern alone, without `EXISTS { }`.
    pub bare: bool,
}

impl Expr {
    /// Calls `f` with the expression and everything below it, subqueries' clauses excepted.
    pub fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        f(self);
        for c in self.children() {
            c.walk(f);
        }
    }

    /// The expressions directly below, subqueries' clauses excepted.
    #[must_use]
    pub fn children(&self) -> Vec<&Expr> {
        use ExprKind as K;
        match &self.kind {
            K::Lit(_) | K::Param(_) | K::Var(_) | K::Exists(_) | K::Count(_) | K::Value(_) => vec![],
            K::Prop(a, _)
            | K::Neg(a)
            | K::Not(a)
            | K::IsNull(a, _)
            | K::IsTruth(a, ..)
            | K::HasLabel(a, _)
            | K::Cast(a, _) => vec![a],
            K::Index(a, b)
            | K::Cmp(_, a, b)
            | K::Arith(_, a, b)
            | K::And(a, b)
            | K::Or(a, b)
            | K::Xor(a, b)
            | K::In(a, b)
            | K::Text(_, a, b)
            | K::ListPred(_, _, a, b) => vec![a, b],
            K::IsEnd { node, edge, .. } => vec![node, edge],
            K::Slice(a, b, c) => {
                let mut v: Vec<&Expr> = vec![a];
                v.extend(b.as_deref());
                v.extend(c.as_deref());
                v
            }
            K::List(l) => l.iter().collect(),
            K::Call { args, .. } => args.iter().collect(),
            K::Case { subject, arms, otherwise } => {
                let mut v: Vec<&Expr> = subject.as_deref().into_iter().collect();
                v.extend(arms.iter().flat_map(|(a, b)| [a, b]));
                v.extend(otherwise.as_deref());
                v
            }
            K::ListComp { list, filter, map, .. } => {
                let mut v: Vec<&Expr> = vec![list];
                v.extend(filter.as_deref());
                v.extend(map.as_deref());
                v
            }
        }
    }

    /// The same, to be changed.
    pub(crate) fn children_mut(&mut self) -> Vec<&mut Expr> {
        use ExprKind as K;
        match &mut self.kind {
            K::Lit(_) | K::Param(_) | K::Var(_) | K::Exists(_) | K::Count(_) | K::Value(_) => vec![],
            K::Prop(a, _)
            | K::Neg(a)
            | K::Not(a)
            | K::IsNull(a, _)
            | K::IsTruth(a, ..)
            | K::HasLabel(a, _)
            | K::Cast(a, _) => vec![a],
            K::Index(a, b)
            | K::Cmp(_, a, b)
            | K::Arith(_, a, b)
            | K::And(a, b)
            | K::Or(a, b)
            | K::Xor(a, b)
            | K::In(a, b)
            | K::Text(_, a, b)
            | K::ListPred(_, _, a, b) => vec![a, b],
            K::IsEnd { node, edge, .. } => vec![node, edge],
            K::Slice(a, b, c) => {
                let mut v: Vec<&mut Expr> = vec![a];
                v.extend(b.as_deref_mut());
                v.extend(c.as_deref_mut());
                v
            }
            K::List(l) => l.iter_mut().collect(),
            K::Call { args, .. } => args.iter_mut().collect(),
            K::Case { subject, arms, otherwise } => {
                let mut v: Vec<&mut Expr> = subject.as_deref_mut().into_iter().collect();
                v.extend(arms.iter_mut().flat_map(|(a, b)| [a, b]));
                v.extend(otherwise.as_deref_mut());
                v
            }
            K::ListComp { list, filter, map, .. } => {
                let mut v: Vec<&mut Expr> = vec![list];
                v.extend(filter.as_deref_mut());
                v.extend(map.as_deref_mut());
                v
            }
        }
    }
}

/// Calls `f` with every pipeline of a query, those in subqueries included.
pub(crate) fn each_linear(q: &Query, f: &mut dyn FnMut(&Linear)) {
    fn in_linear(l: &Linear, f: &mut dyn FnMut(&Linear)) {
        f(l);
        l.clauses.iter().for_each(|c| in_clause(c, f));
    }
    fn in_clause(c: &Clause, f: &mut dyn FnMut(&Linear)) {
        match c {
            Clause::Match(m) => {
                m.patterns.iter().for_each(|p| in_term(&p.term, f));
                m.filter.iter().for_each(|e| in_expr(e, f));
            }
            Clause::Optional(b) => b.clauses.iter().for_each(|c| in_clause(c, f)),
            Clause::Use(_) => {}
            Clause::Call(c) => each_linear(&c.body, f),
            Clause::Filter(e) => in_expr(e, f),
            Clause::Let(items) => items.iter().for_each(|(_, e)| in_expr(e, f)),
            Clause::For { list, .. } => in_expr(list, f),
            Clause::With(p, filter) => {
                in_projection(p, f);
                filter.iter().for_each(|e| in_expr(e, f));
            }
            Clause::Return(p) => in_projection(p, f),
        }
    }
    fn in_projection(p: &Projection, f: &mut dyn FnMut(&Linear)) {
        p.items.iter().for_each(|i| in_expr(&i.expr, f));
        p.order.iter().for_each(|s| in_expr(&s.expr, f));
        p.skip.iter().chain(&p.limit).for_each(|e| in_expr(e, f));
    }
    fn in_term(t: &Term, f: &mut dyn FnMut(&Linear)) {
        for e in t {
            let filler = match e {
                Element::Node(n) => &n.filler,
                Element::Edge(e, _) => &e.filler,
                Element::Group(g) => {
                    g.alternatives.iter().for_each(|t| in_term(t, f));
                    g.filter.iter().for_each(|e| in_expr(e, f));
                    continue;
                }
            };
            filler.props.iter().for_each(|(_, e)| in_expr(e, f));
            filler.filter.iter().for_each(|e| in_expr(e, f));
        }
    }
    fn in_expr(e: &Expr, f: &mut dyn FnMut(&Linear)) {
        e.walk(&mut |x| {
            if let ExprKind::Exists(s) | ExprKind::Count(s) | ExprKind::Value(s) = &x.kind {
                in_linear(&s.linear, f);
            }
        });
    }
    in_linear(&q.first, f);
    q.rest.iter().for_each(|(_, l)| in_linear(l, f));
}
