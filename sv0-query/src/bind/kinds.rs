//! What an expression's value is, as far as its text and the schema say. Null is of every kind.

use sv0_graph::PropType;

use super::{Binder, Scope, VarKind};
use crate::ast::{ArithOp, Expr, ExprKind, Literal};
use crate::plan::{AGGREGATES, AggKind, Func};

/// Kinds of values that stand for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Bool,
    Int,
    Float,
    Str,
    Timestamp,
    Date,
    Duration,
    /// A list, of nothing that is known.
    List,
    /// A list of one kind of scalars.
    ListOf(&'static Scalar),
}

impl Scalar {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Str => "string",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Duration => "duration",
            Self::List | Self::ListOf(_) => "list",
        }
    }

    /// A list of such values.
    pub(crate) fn list(self) -> Self {
        match self {
            Self::Bool => Self::ListOf(&Self::Bool),
            Self::Int => Self::ListOf(&Self::Int),
            Self::Float => Self::ListOf(&Self::Float),
            Self::Str => Self::ListOf(&Self::Str),
            Self::Timestamp => Self::ListOf(&Self::Timestamp),
            Self::Date => Self::ListOf(&Self::Date),
            Self::Duration => Self::ListOf(&Self::Duration),
            Self::List | Self::ListOf(_) => Self::List,
        }
    }

    /// What a declared property holds.
    pub(crate) fn declared(ty: PropType) -> Option<Self> {
        match ty {
            PropType::Str => Some(Self::Str),
            PropType::Int => Some(Self::Int),
            PropType::Float => Some(Self::Float),
            PropType::Bool => Some(Self::Bool),
            PropType::Timestamp => Some(Self::Timestamp),
            PropType::StrList => Some(Self::ListOf(&Self::Str)),
            PropType::Any => None,
        }
    }

    /// Whether one can be equal to, or less than, the other.
    pub(crate) fn comparable(self, other: Self) -> bool {
        let number = |s| matches!(s, Self::Int | Self::Float);
        match (self, other) {
            (Self::List, Self::List | Self::ListOf(_)) | (Self::ListOf(_), Self::List) => true,
            (Self::ListOf(a), Self::ListOf(b)) => a.comparable(*b),
            (a, b) => a == b || (number(a) && number(b)) || (a.moment() && b.moment()),
        }
    }

    /// What a value of either is, where the two compare: a number, a time.
    pub(crate) fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Int | Self::Float, Self::Int | Self::Float) => Some(Self::Float),
            (a, b) if a.moment() && b.moment() => Some(Self::Timestamp),
            _ => None,
        }
    }

    fn moment(self) -> bool {
        matches!(self, Self::Timestamp | Self::Date)
    }
}

/// The kind that two have in common.
fn common(a: Option<VarKind>, b: VarKind) -> VarKind {
    match a {
        None => b,
        Some(a) if a == b => a,
        Some(VarKind::Scalar(x)) => match b {
            VarKind::Scalar(y) => x.with(y).map_or(VarKind::Value, VarKind::Scalar),
            _ => VarKind::Value,
        },
        Some(VarKind::Node(x)) => match b {
            VarKind::Node(y) => VarKind::Node(x | y),
            _ => VarKind::Value,
        },
        Some(_) => VarKind::Value,
    }
}

impl Binder<'_> {
    /// What an expression's value is.
    pub(crate) fn kind_of(&self, e: &Expr, scope: &Scope) -> VarKind {
        let scalar = VarKind::Scalar;
        let known = |x: Option<Scalar>| x.map_or(VarKind::Value, VarKind::Scalar);
        match &e.kind {
            ExprKind::Lit(Literal::Null) | ExprKind::Param(_) | ExprKind::Value(_) => VarKind::Value,
            ExprKind::Lit(Literal::Bool(_)) => scalar(Scalar::Bool),
            ExprKind::Lit(Literal::Int(_)) => scalar(Scalar::Int),
            ExprKind::Lit(Literal::Float(_)) => scalar(Scalar::Float),
            ExprKind::Lit(Literal::Str(_)) => scalar(Scalar::Str),
            ExprKind::Var(v) => scope.get(v).map_or(VarKind::Value, |v| v.kind),
            ExprKind::Prop(base, _) => match self.kind_of(base, scope) {
                VarKind::Scalar(s) if s.moment() || s == Scalar::Duration => scalar(Scalar::Int),
                _ => known(self.declared(e, scope).and_then(Scalar::declared)),
            },
            ExprKind::Index(list, _) => self.kind_of(list, scope).element(),
            ExprKind::Slice(list, ..) => self.kind_of(list, scope),
            ExprKind::List(items) => self.listed(items.iter(), scope),
            ExprKind::ListComp { .. } => scalar(Scalar::List),
            ExprKind::Cmp(..)
            | ExprKind::And(..)
            | ExprKind::Or(..)
            | ExprKind::Xor(..)
            | ExprKind::Not(_)
            | ExprKind::IsNull(..)
            | ExprKind::IsTruth(..)
            | ExprKind::HasLabel(..)
            | ExprKind::IsEnd { .. }
            | ExprKind::In(..)
            | ExprKind::Text(..)
            | ExprKind::ListPred(..)
            | ExprKind::Exists(_) => scalar(Scalar::Bool),
            ExprKind::Count(_) => scalar(Scalar::Int),
            ExprKind::Neg(a) => self.kind_of(a, scope),
            ExprKind::Arith(op, a, b) => known(arithmetic(*op, self.kind_of(a, scope), self.kind_of(b, scope))),
            ExprKind::Cast(_, ty) => known(super::expr::cast_of(&ty.text).map(|(_, s)| s)),
            ExprKind::Case { arms, otherwise, .. } => {
                let values = arms.iter().map(|(_, t)| t).chain(otherwise.as_deref());
                self.one_kind(values, scope)
            }
            ExprKind::Call { name, args, .. } => self.call_kind(name, args, scope),
        }
    }

    /// The kind that all of these have; null has every kind.
    fn one_kind<'e>(&self, all: impl Iterator<Item = &'e Expr>, scope: &Scope) -> VarKind {
        let mut kind = None;
        for e in all.filter(|e| !matches!(e.kind, ExprKind::Lit(Literal::Null))) {
            kind = Some(common(kind, self.kind_of(e, scope)));
        }
        kind.unwrap_or(VarKind::Value)
    }

    fn listed<'e>(&self, items: impl Iterator<Item = &'e Expr>, scope: &Scope) -> VarKind {
        VarKind::Scalar(match self.one_kind(items, scope) {
            VarKind::Scalar(s) => s.list(),
            _ => Scalar::List,
        })
    }

    fn call_kind(&self, name: &str, args: &[Expr], scope: &Scope) -> VarKind {
        let first = |b: &Self| args.first().map_or(VarKind::Value, |a| b.kind_of(a, scope));
        if let Some((_, kind)) = AGGREGATES.iter().find(|(n, _)| *n == name) {
            return match kind {
                AggKind::Count => VarKind::Scalar(Scalar::Int),
                AggKind::Avg => VarKind::Scalar(Scalar::Float),
                AggKind::Sum | AggKind::Min | AggKind::Max => first(self),
                AggKind::Collect => match first(self) {
                    VarKind::Node(_) => VarKind::List { edge: false },
                    VarKind::Edge => VarKind::List { edge: true },
                    VarKind::Scalar(s) => VarKind::Scalar(s.list()),
                    _ => VarKind::Scalar(Scalar::List),
                },
            };
        }
        let Some((f, ..)) = Func::by_name(name) else { return VarKind::Value };
        let scalar = match f {
            Func::Size | Func::PathLength | Func::ToInteger | Func::Sign => Scalar::Int,
            Func::Labels | Func::Keys | Func::Split => Scalar::ListOf(&Scalar::Str),
            Func::Type
            | Func::Id
            | Func::Replace
            | Func::Substring
            | Func::Left
            | Func::Right
            | Func::Trim
            | Func::LTrim
            | Func::RTrim
            | Func::Upper
            | Func::Lower
            | Func::ToString => Scalar::Str,
            Func::ToFloat | Func::Ceil | Func::Floor | Func::Round | Func::Sqrt => Scalar::Float,
            Func::ToBoolean | Func::PropertyExists | Func::AllDifferent | Func::Same | Func::IsEmpty => Scalar::Bool,
            Func::Range => Scalar::ListOf(&Scalar::Int),
            Func::Timestamp => Scalar::Timestamp,
            Func::Date => Scalar::Date,
            Func::Duration | Func::DurationBetween => Scalar::Duration,
            Func::Flatten | Func::Elements => Scalar::List,
            Func::Nodes => return VarKind::List { edge: false },
            Func::Edges => return VarKind::List { edge: true },
            Func::StartNode | Func::EndNode => return VarKind::Node(u16::MAX),
            Func::Head | Func::Last => return first(self).element(),
            Func::Tail | Func::Reverse | Func::Abs | Func::NullIf => return first(self),
            Func::Coalesce => return self.one_kind(args.iter(), scope),
            Func::Properties | Func::Evidence => return VarKind::Value,
        };
        VarKind::Scalar(scalar)
    }
}

/// What comes of two numbers, texts or times.
fn arithmetic(op: ArithOp, a: VarKind, b: VarKind) -> Option<Scalar> {
    let (VarKind::Scalar(a), VarKind::Scalar(b)) = (a, b) else { return None };
    match (op, a, b) {
        (ArithOp::Concat, Scalar::Str, Scalar::Str) | (ArithOp::Add, Scalar::Str, Scalar::Str) => Some(Scalar::Str),
        (ArithOp::Concat, ..) => None,
        (_, Scalar::Int, Scalar::Int) => Some(Scalar::Int),
        (_, Scalar::Int | Scalar::Float, Scalar::Int | Scalar::Float) => Some(Scalar::Float),
        (ArithOp::Sub, a, b) if a.moment() && b.moment() => Some(Scalar::Duration),
        // A date stays one if it's moved by whole days; it compares with times either way.
        (ArithOp::Add | ArithOp::Sub, a, Scalar::Duration) if a.moment() => Some(Scalar::Timestamp),
        (ArithOp::Add, Scalar::Duration, b) if b.moment() => Some(Scalar::Timestamp),
        (ArithOp::Add | ArithOp::Sub, Scalar::Duration, Scalar::Duration) => Some(Scalar::Duration),
        _ => None,
    }
}
