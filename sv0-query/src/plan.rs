//! What the binder makes of a query (the logical plan), what the rewrites change in it, and what the executor runs once
//! `physical` has built the automata. Private to the crate.

use std::sync::Arc;

use sv0_graph::{Direction, EdgeTypeId, NodeType, PropId};

use crate::ast::{ArithOp, CmpOp, PathMode, Quant, Selector, SetOp, Span, TextOp};
use crate::bind::{Expected, VarKind};
use crate::val::Val;

pub(crate) type Slot = usize;

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub parts: Vec<(Option<SetOp>, Linear)>,
    pub columns: Vec<Arc<str>>,
    /// What the columns hold, as far as it is known.
    pub kinds: Vec<VarKind>,
    pub slots: usize,
    pub params: Vec<Arc<str>>,
    /// What the parameters must be, where what they are compared with says so.
    pub expected: Vec<Option<Expected>>,
    /// Names of graphs, by index; the default graph is 0.
    pub graphs: Vec<Arc<str>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub ops: Vec<Op>,
    /// Slots of the result's columns.
    pub output: Vec<Slot>,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Match(MatchOp),
    /// All of these, or nulls.
    Optional {
        ops: Vec<Op>,
        binds: Vec<Slot>,
    },
    /// Runs once a row; its columns go into these slots.
    Call {
        optional: bool,
        parts: Vec<(Option<SetOp>, Linear)>,
        into: Vec<Slot>,
    },
    Filter(CExpr),
    Let(Vec<(Slot, CExpr)>),
    For {
        slot: Slot,
        list: CExpr,
        position: Option<(Slot, i64)>,
    },
    Project(Project),
}

#[derive(Debug, Clone)]
pub(crate) struct MatchOp {
    pub graph: u8,
    pub optional: bool,
    pub patterns: Vec<Pattern>,
    /// What must hold of all patterns together, conjunct by conjunct.
    pub filter: Vec<CExpr>,
    /// Slots that this MATCH binds (null where an optional one fails).
    pub binds: Vec<Slot>,
}

#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub distinct: bool,
    /// Values of the columns; over aggregates' slots if there are any.
    pub items: Vec<(Slot, CExpr)>,
    /// Grouping keys (places in `items`), and the aggregates; `None` without aggregation.
    pub grouping: Option<Grouping>,
    pub order: Vec<(CExpr, bool, bool)>,
    /// Whether sort keys may see the slots from before the projection.
    pub skip: Option<CExpr>,
    pub limit: Option<CExpr>,
    pub filter: Option<CExpr>,
    /// Slots that are still read of rows that it gathers, its own columns included; filled by `physical`.
    pub keep: Vec<Slot>,
    /// The query's own result: what may be cut where the caller asked for it.
    pub top: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Grouping {
    pub keys: Vec<(Slot, CExpr)>,
    pub aggregates: Vec<Aggregate>,
    /// How it goes without a row for each; filled by `physical`.
    pub whole: Option<Box<Whole>>,
}

impl Project {
    /// Whether it needs all rows before it gives one.
    pub(crate) fn gathers(&self) -> bool {
        self.grouping.is_some() || !self.order.is_empty()
    }
}

/// Groupings that need no rows.
#[derive(Debug, Clone)]
pub(crate) enum Whole {
    /// All it takes of the ends of a chain right before it can be summed up by start.
    Ends(OverEnds),
    /// It only counts nodes of one pattern by texts that they have: their variable.
    Texts(Slot),
}

/// How a grouping takes the ends of a chain without a row for each.
#[derive(Debug, Clone)]
pub(crate) struct OverEnds {
    pub start: Option<Slot>,
    pub end: Slot,
    /// The end's slot under other names, behind projections.
    pub aliases: Vec<Slot>,
    /// Conditions of the MATCH that a start alone decides, by their places.
    pub firsts: Vec<usize>,
    /// Conditions on a start and an end by their places, with the properties that they read of each.
    pub pairs: Vec<PairTest>,
    /// A start isn't its own end.
    pub apart: bool,
    /// By aggregate: what it takes of the ends.
    pub args: Vec<EndArg>,
}

#[derive(Debug, Clone)]
pub(crate) struct PairTest {
    pub filter: usize,
    /// Properties of the start.
    pub of_start: Vec<CExpr>,
    /// Properties of the end.
    pub of_end: Vec<CExpr>,
}

#[derive(Debug, Clone)]
pub(crate) enum EndArg {
    /// The same for all ends of a start.
    Start,
    /// How many ends there are.
    Number,
    /// A property of each end.
    Prop(CExpr),
}

#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub slot: Slot,
    pub kind: AggKind,
    pub arg: Option<CExpr>,
    pub distinct: bool,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggKind {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    Collect,
}

/// A path pattern's shape, over the numbers of its elements.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Node(usize),
    Edge(usize),
    Seq(Vec<Tree>),
    Alt(Vec<Tree>),
    Repeat { inner: Box<Tree>, min: u32, max: Option<u32>, reset: Vec<Slot>, check: Option<CExpr> },
}

/// A path pattern: its elements and shape, and the automaton that finds it.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub elems: Vec<Elem>,
    pub tree: Tree,
    /// Something in it is quantified.
    pub quantified: bool,
    /// Its mode was written.
    pub own_mode: bool,
    pub selector: Option<Selector>,
    pub mode: PathMode,
    /// Edges also count for the uniqueness over the whole MATCH.
    pub shared_edges: bool,
    pub path_slot: Option<Slot>,
    /// Of `elems` and `tree`; empty before `physical` builds it, like what follows.
    pub nfa: Nfa,
    /// The same from the other end; for enumeration only.
    pub reversed: Nfa,
    /// The first and the last node element (of `elems`, once it is built).
    pub first: Elem,
    pub last: Elem,
    /// Conditions that see several elements, tested when a path is complete.
    pub post: Vec<CExpr>,
    /// Slots that a match of this pattern sets.
    pub binds: Vec<Slot>,
    /// Group variables: (slot, element numbers that feed it).
    pub groups: Vec<(Slot, Vec<usize>)>,
    /// `shortestPath`: never from a node to itself.
    pub legacy: bool,
    pub alternatives: bool,
    /// Only ends matter and how often doesn't: one witness per pair of ends.
    pub ends_only: bool,
    /// Of the far ends only the number is used: one row stands for all of a start.
    pub tally: bool,
    /// What holds at one place depends on what was bound at another: conditions over an iteration, variables that stand
    /// twice.
    pub looks_back: bool,
    /// Where only the ends matter and nothing else stands against it: the hops between sets of nodes.
    pub chain: Option<Chain>,
    /// The same from the other end, where it is a chain.
    pub turned: Option<Box<Pattern>>,
    /// Where the whole pattern is one quantified edge between two nodes and nothing is asked of the way: shortest paths between
    /// two known nodes.
    pub hop: Option<ChainHop>,
    /// Where the whole pattern is one node element: its number.
    pub lone: Option<usize>,
    /// Whether enumeration may start at the other end.
    pub reversible: bool,
    pub span: Span,
}

/// A pattern as hops between stations.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    /// One more than hops: the node elements that stand there, if any.
    pub stations: Vec<Option<usize>>,
    pub hops: Vec<ChainHop>,
    /// By station: whether it asks the same of a node each time.
    pub stable: Vec<bool>,
    /// The one hop takes edges both ways: there and back again along one edge is no trail, so a start that is its own end is
    /// looked at more closely.
    pub back: bool,
}

/// One hop along an edge element, at least and at most so often; `min` is 0 or 1.
#[derive(Debug, Clone)]
pub(crate) struct ChainHop {
    pub elem: usize,
    pub min: u32,
    pub max: Option<u32>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Nfa {
    pub elems: Vec<Elem>,
    /// By state.
    pub moves: Vec<Vec<Move>>,
    pub start: usize,
    pub accept: usize,
}

impl Nfa {
    /// [`Pattern::looks_back`].
    pub(crate) fn looks_back(&self) -> bool {
        let checks = self.moves.iter().flatten().any(|m| matches!(m, Move::Eps { check: Some(_), .. }));
        let mut slots: Vec<usize> = self.elems.iter().filter_map(|e| e.slot).collect();
        slots.sort_unstable();
        checks || slots.windows(2).any(|w| w[0] == w[1])
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Move {
    /// Nothing is read; inner slots are reset, a condition over one iteration may have to hold.
    Eps { to: usize, reset: Vec<Slot>, check: Option<CExpr> },
    /// The current node must fit.
    Node { elem: usize, to: usize },
    /// Along one edge.
    Edge { elem: usize, to: usize },
}

/// A node or edge element.
#[derive(Debug, Clone, Default)]
pub(crate) struct Elem {
    pub slot: Option<Slot>,
    pub label: Option<CLabel>,
    /// Steps of an edge element, ascending.
    pub steps: Vec<(EdgeTypeId, Direction)>,
    pub filters: Vec<CExpr>,
    pub span: Span,
    /// The node's `id` must equal this (a key look-up is possible).
    pub key: Option<CExpr>,
}

#[derive(Debug, Clone)]
pub(crate) enum CLabel {
    Any,
    Type(NodeType),
    Kind(Arc<str>),
    Tag(Arc<str>),
    /// Of an edge.
    EdgeTypes(Vec<EdgeTypeId>),
    /// What became of it, in a graph of differences.
    Change(sv0_graph::Change),
    /// Lenient mode: a name that nothing carries.
    Nothing,
    Not(Box<CLabel>),
    And(Box<CLabel>, Box<CLabel>),
    Or(Box<CLabel>, Box<CLabel>),
}

#[derive(Debug, Clone)]
pub(crate) struct Sub {
    pub linear: Linear,
    /// All that it reads of the row around it, where that is one variable; filled by `physical`.
    pub free: Option<Slot>,
}

#[derive(Debug, Clone)]
pub(crate) enum CExpr {
    Const(Val),
    /// The time of a graph, or the caller's.
    Now(u8),
    Param(usize),
    Slot(Slot),
    Prop {
        base: Box<CExpr>,
        name: Arc<str>,
        node: Option<PropId>,
        edge: Option<PropId>,
    },
    Index(Box<CExpr>, Box<CExpr>, Span),
    Slice(Box<CExpr>, Option<Box<CExpr>>, Option<Box<CExpr>>),
    List(Vec<CExpr>),
    Cmp(CmpOp, Box<CExpr>, Box<CExpr>),
    Arith(ArithOp, Box<CExpr>, Box<CExpr>, Span),
    Neg(Box<CExpr>, Span),
    And(Box<CExpr>, Box<CExpr>),
    Or(Box<CExpr>, Box<CExpr>),
    Xor(Box<CExpr>, Box<CExpr>),
    Not(Box<CExpr>),
    IsNull(Box<CExpr>, bool),
    IsTruth(Box<CExpr>, Option<bool>, bool),
    HasLabel(Box<CExpr>, CLabel),
    IsEnd {
        node: Box<CExpr>,
        edge: Box<CExpr>,
        source: bool,
        negated: bool,
    },
    In(Box<CExpr>, Box<CExpr>),
    Text(TextOp, Box<CExpr>, Box<CExpr>),
    Regex(Box<CExpr>, Arc<regex::Regex>),
    DynRegex(Box<CExpr>, Box<CExpr>, Span),
    Call(Func, Vec<CExpr>, Span),
    Cast(Box<CExpr>, Cast, Span),
    Case {
        subject: Option<Box<CExpr>>,
        arms: Vec<(CExpr, CExpr)>,
        otherwise: Option<Box<CExpr>>,
    },
    ListPred {
        quant: Quant,
        slot: Slot,
        list: Box<CExpr>,
        pred: Box<CExpr>,
    },
    ListComp {
        slot: Slot,
        list: Box<CExpr>,
        filter: Option<Box<CExpr>>,
        map: Option<Box<CExpr>>,
    },
    Exists(Box<Sub>),
    Count(Box<Sub>),
    /// Whether there are at least so many rows.
    CountAtLeast(Box<Sub>, i64),
    Value(Box<Sub>),
}

impl CExpr {
    /// The expressions directly below, subqueries' own excepted.
    pub(crate) fn children(&self) -> Vec<&CExpr> {
        let mut out: Vec<&CExpr> = Vec::new();
        match self {
            CExpr::Const(_)
            | CExpr::Now(_)
            | CExpr::Param(_)
            | CExpr::Slot(_)
            | CExpr::Exists(_)
            | CExpr::Count(_)
            | CExpr::CountAtLeast(..)
            | CExpr::Value(_) => {}
            CExpr::Prop { base: a, .. }
            | CExpr::Neg(a, _)
            | CExpr::Not(a)
            | CExpr::IsNull(a, _)
            | CExpr::IsTruth(a, ..)
            | CExpr::HasLabel(a, _)
            | CExpr::Regex(a, _)
            | CExpr::Cast(a, ..) => out.push(a),
            CExpr::Index(a, b, _)
            | CExpr::Cmp(_, a, b)
            | CExpr::Arith(_, a, b, _)
            | CExpr::And(a, b)
            | CExpr::Or(a, b)
            | CExpr::Xor(a, b)
            | CExpr::In(a, b)
            | CExpr::Text(_, a, b)
            | CExpr::DynRegex(a, b, _)
            | CExpr::IsEnd { node: a, edge: b, .. }
            | CExpr::ListPred { list: a, pred: b, .. } => {
                out.push(a);
                out.push(b);
            }
            CExpr::Slice(a, b, c) => {
                out.push(a);
                out.extend(b.as_deref());
                out.extend(c.as_deref());
            }
            CExpr::List(l) | CExpr::Call(_, l, _) => out.extend(l),
            CExpr::Case { subject, arms, otherwise } => {
                out.extend(subject.as_deref());
                arms.iter().for_each(|(a, b)| out.extend([a, b]));
                out.extend(otherwise.as_deref());
            }
            CExpr::ListComp { list, filter, map, .. } => {
                out.push(list);
                out.extend(filter.as_deref());
                out.extend(map.as_deref());
            }
        }
        out
    }

    /// The same, to be changed.
    pub(crate) fn children_mut(&mut self) -> Vec<&mut CExpr> {
        let mut out: Vec<&mut CExpr> = Vec::new();
        match self {
            CExpr::Const(_)
            | CExpr::Now(_)
            | CExpr::Param(_)
            | CExpr::Slot(_)
            | CExpr::Exists(_)
            | CExpr::Count(_)
            | CExpr::CountAtLeast(..)
            | CExpr::Value(_) => {}
            CExpr::Prop { base: a, .. }
            | CExpr::Neg(a, _)
            | CExpr::Not(a)
            | CExpr::IsNull(a, _)
            | CExpr::IsTruth(a, ..)
            | CExpr::HasLabel(a, _)
            | CExpr::Regex(a, _)
            | CExpr::Cast(a, ..) => out.push(a),
            CExpr::Index(a, b, _)
            | CExpr::Cmp(_, a, b)
            | CExpr::Arith(_, a, b, _)
            | CExpr::And(a, b)
            | CExpr::Or(a, b)
            | CExpr::Xor(a, b)
            | CExpr::In(a, b)
            | CExpr::Text(_, a, b)
            | CExpr::DynRegex(a, b, _)
            | CExpr::IsEnd { node: a, edge: b, .. }
            | CExpr::ListPred { list: a, pred: b, .. } => {
                out.push(a);
                out.push(b);
            }
            CExpr::Slice(a, b, c) => {
                out.push(a);
                out.extend(b.as_deref_mut());
                out.extend(c.as_deref_mut());
            }
            CExpr::List(l) | CExpr::Call(_, l, _) => out.extend(l),
            CExpr::Case { subject, arms, otherwise } => {
                out.extend(subject.as_deref_mut());
                arms.iter_mut().for_each(|(a, b)| out.extend([a, b]));
                out.extend(otherwise.as_deref_mut());
            }
            CExpr::ListComp { list, filter, map, .. } => {
                out.push(list);
                out.extend(filter.as_deref_mut());
                out.extend(map.as_deref_mut());
            }
        }
        out
    }
}

impl Op {
    /// The expressions that it holds itself; blocks' and subqueries' operators have their own.
    pub(crate) fn exprs(&self) -> Vec<&CExpr> {
        match self {
            Self::Match(m) => m.patterns.iter().flat_map(Pattern::exprs).chain(&m.filter).collect(),
            Self::Optional { .. } | Self::Call { .. } => Vec::new(),
            Self::Filter(e) => vec![e],
            Self::Let(items) => items.iter().map(|(_, e)| e).collect(),
            Self::For { list, .. } => vec![list],
            Self::Project(p) => {
                let mut out: Vec<&CExpr> = p.items.iter().map(|(_, e)| e).collect();
                if let Some(g) = &p.grouping {
                    out.extend(g.keys.iter().map(|(_, e)| e));
                    out.extend(g.aggregates.iter().filter_map(|a| a.arg.as_ref()));
                }
                out.extend(p.order.iter().map(|(e, ..)| e));
                out.extend(&p.skip);
                out.extend(&p.limit);
                out.extend(&p.filter);
                out
            }
        }
    }

    /// The expressions that it holds itself, to be changed; blocks' and subqueries' operators have their own.
    pub(crate) fn exprs_mut(&mut self) -> Vec<&mut CExpr> {
        match self {
            Self::Match(m) => m.patterns.iter_mut().flat_map(Pattern::exprs_mut).chain(&mut m.filter).collect(),
            Self::Optional { .. } | Self::Call { .. } => Vec::new(),
            Self::Filter(e) => vec![e],
            Self::Let(items) => items.iter_mut().map(|(_, e)| e).collect(),
            Self::For { list, .. } => vec![list],
            Self::Project(p) => {
                let mut out: Vec<&mut CExpr> = p.items.iter_mut().map(|(_, e)| e).collect();
                if let Some(g) = &mut p.grouping {
                    out.extend(g.keys.iter_mut().map(|(_, e)| e));
                    out.extend(g.aggregates.iter_mut().filter_map(|a| a.arg.as_mut()));
                }
                out.extend(p.order.iter_mut().map(|(e, ..)| e));
                out.extend(&mut p.skip);
                out.extend(&mut p.limit);
                out.extend(&mut p.filter);
                out
            }
        }
    }
}

impl Pattern {
    /// The conditions of its elements, of its iterations and of the whole path.
    pub(crate) fn exprs(&self) -> Vec<&CExpr> {
        let mut out = Vec::new();
        for e in &self.elems {
            out.extend(&e.filters);
            out.extend(&e.key);
        }
        self.tree.checks(&mut out);
        out.extend(&self.post);
        out
    }

    /// The conditions of its elements, of its iterations and of the whole path, to be changed.
    pub(crate) fn exprs_mut(&mut self) -> Vec<&mut CExpr> {
        let mut out = Vec::new();
        for e in &mut self.elems {
            out.extend(&mut e.filters);
            out.extend(&mut e.key);
        }
        self.tree.checks_mut(&mut out);
        out.extend(&mut self.post);
        out
    }
}

impl Tree {
    /// The conditions over iterations.
    pub(crate) fn conditions(&self) -> Vec<&CExpr> {
        let mut out = Vec::new();
        self.checks(&mut out);
        out
    }

    fn checks<'e>(&'e self, out: &mut Vec<&'e CExpr>) {
        match self {
            Self::Node(_) | Self::Edge(_) => {}
            Self::Seq(ts) | Self::Alt(ts) => ts.iter().for_each(|t| t.checks(out)),
            Self::Repeat { inner, check, .. } => {
                inner.checks(out);
                out.extend(check);
            }
        }
    }

    fn checks_mut<'e>(&'e mut self, out: &mut Vec<&'e mut CExpr>) {
        match self {
            Self::Node(_) | Self::Edge(_) => {}
            Self::Seq(ts) | Self::Alt(ts) => ts.iter_mut().for_each(|t| t.checks_mut(out)),
            Self::Repeat { inner, check, .. } => {
                inner.checks_mut(out);
                out.extend(check);
            }
        }
    }
}

/// The one type that all nodes with these labels have, if the labels say so. Kinds are an open vocabulary: they don't.
pub(crate) fn one_type(l: &CLabel) -> Option<NodeType> {
    match l {
        CLabel::Type(t) => Some(*t),
        CLabel::And(a, b) => one_type(a).or_else(|| one_type(b)),
        CLabel::Or(a, b) => one_type(a).filter(|t| one_type(b) == Some(*t)),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cast {
    Str,
    Int,
    Float,
    Bool,
    Timestamp,
    Date,
}

macro_rules! functions {
    ($($variant:ident $min:literal $max:literal $($name:literal)+;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Func { $($variant,)* }
        impl Func {
            /// By name (lower case): the function and how many arguments it takes.
            pub(crate) fn by_name(name: &str) -> Option<(Self, usize, usize)> {
                match name { $($($name)|+ => Some((Self::$variant, $min, $max)),)* _ => None }
            }
        }
        pub(crate) const FUNCTION_NAMES: &[&str] = &[$($($name,)+)*];
    };
}

functions! {
    Size 1 1 "size" "cardinality" "char_length" "character_length";
    PathLength 1 1 "length" "path_length";
    Nodes 1 1 "nodes";
    Edges 1 1 "relationships" "edges" "rels";
    Elements 1 1 "elements";
    Labels 1 1 "labels";
    Type 1 1 "type";
    Id 1 1 "id" "element_id" "elementid";
    Keys 1 1 "keys";
    Properties 1 1 "properties";
    StartNode 1 1 "startnode";
    EndNode 1 1 "endnode";
    Head 1 1 "head";
    Last 1 1 "last";
    Tail 1 1 "tail";
    Split 2 2 "split";
    Replace 3 3 "replace";
    Substring 2 3 "substring";
    Left 2 2 "left";
    Right 2 2 "right";
    Trim 1 1 "trim";
    LTrim 1 1 "ltrim";
    RTrim 1 1 "rtrim";
    Upper 1 1 "upper" "toupper";
    Lower 1 1 "lower" "tolower";
    ToString 1 1 "tostring";
    ToInteger 1 1 "tointeger" "toint";
    ToFloat 1 1 "tofloat";
    ToBoolean 1 1 "toboolean";
    Coalesce 1 64 "coalesce";
    NullIf 2 2 "nullif";
    Range 2 3 "range";
    Reverse 1 1 "reverse";
    Flatten 1 1 "flatten";
    Abs 1 1 "abs";
    Ceil 1 1 "ceil" "ceiling";
    Floor 1 1 "floor";
    Round 1 1 "round";
    Sqrt 1 1 "sqrt";
    Sign 1 1 "sign";
    Timestamp 0 1 "datetime" "zoned_datetime" "timestamp" "current_timestamp" "localdatetime" "local_datetime";
    Date 0 1 "date" "current_date";
    Duration 1 1 "duration";
    DurationBetween 2 2 "duration_between" "duration.between";
    PropertyExists 2 2 "property_exists";
    AllDifferent 2 64 "all_different";
    Same 2 64 "same";
    IsEmpty 1 1 "isempty";
    Evidence 1 1 "evidence";
}

pub(crate) const AGGREGATES: &[(&str, AggKind)] = &[
    ("count", AggKind::Count),
    ("sum", AggKind::Sum),
    ("avg", AggKind::Avg),
    ("min", AggKind::Min),
    ("max", AggKind::Max),
    ("collect", AggKind::Collect),
    ("collect_list", AggKind::Collect),
];
