//! A property's value.

use std::sync::Arc;

use crate::schema::PropType;

/// A property's value as it is stored. `Null` is "not known".
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Not known.
    #[default]
    Null,
    /// Truth.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Floating point.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// List of texts.
    List(Arc<[Arc<str>]>),
}

impl Value {
    /// A text value.
    #[must_use]
    pub fn str(s: impl Into<Arc<str>>) -> Self {
        Self::Str(s.into())
    }

    /// A list of texts.
    pub fn list<S: Into<Arc<str>>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(s) = self { Some(s) } else { None }
    }

    /// The list's items; empty for anything else.
    #[must_use]
    pub fn as_list(&self) -> &[Arc<str>] {
        if let Self::List(l) = self { l } else { &[] }
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether a column of type `t` may hold it.
    #[must_use]
    pub fn fits(&self, t: PropType) -> bool {
        matches!(
            (self, t),
            (Self::Null, _)
                | (Self::Bool(_), PropType::Bool)
                | (Self::Int(_), PropType::Int)
                | (Self::Float(_), PropType::Float)
                | (Self::Str(_), PropType::Str | PropType::Any)
                | (Self::Timestamp(_), PropType::Timestamp)
                | (Self::List(_), PropType::StrList)
        )
    }

    /// The name of the value's type, for messages.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "string",
            Self::Timestamp(_) => "timestamp",
            Self::List(_) => "list of strings",
        }
    }

    /// A total order over all values, for deterministic merges (nulls first, then by type, then by value).
    #[must_use]
    pub fn total_cmp(&self, other: &Self) -> std::cmp::Ordering {
        let rank = |v: &Self| match v {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) => 2,
            Self::Float(_) => 3,
            Self::Str(_) => 4,
            Self::Timestamp(_) => 5,
            Self::List(_) => 6,
        };
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) | (Self::Timestamp(a), Self::Timestamp(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Str(a), Self::Str(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}
