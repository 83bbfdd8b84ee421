//! Values at run time: three-valued comparison, and the total order of ORDER BY.

use std::cmp::Ordering;
use std::sync::Arc;

use sv0_graph::{EdgeId, Value};

/// A path: its nodes and edges, alternating, in one graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathVal {
    /// The graph's place in the query's catalog.
    pub graph: u8,
    /// One node more than edges.
    pub nodes: Vec<u32>,
    /// The edges.
    pub edges: Vec<EdgeId>,
}

/// A value of the language.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Val {
    /// Unknown.
    #[default]
    Null,
    /// Not bound yet; never leaves the executor.
    #[doc(hidden)]
    Unset,
    /// Truth.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Float.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// Microseconds since 1970, UTC.
    Timestamp(i64),
    /// Days since 1970. Beside a timestamp it is its midnight in UTC.
    Date(i32),
    /// Months, and microseconds beside them.
    Duration {
        /// Months.
        months: i64,
        /// Microseconds.
        micros: i64,
    },
    /// A list.
    List(Arc<[Val]>),
    /// A node of one of the query's graphs.
    Node(u8, u32),
    /// An edge of one of the query's graphs.
    Edge(u8, EdgeId),
    /// A path.
    Path(Arc<PathVal>),
    /// Named values; output only.
    Record(Arc<[(Arc<str>, Val)]>),
}

impl Val {
    /// A text.
    pub fn str(s: impl Into<Arc<str>>) -> Self {
        Self::Str(s.into())
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Unset)
    }

    /// The name of its kind, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null | Self::Unset => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "string",
            Self::Timestamp(_) => "timestamp",
            Self::Date(_) => "date",
            Self::Duration { .. } => "duration",
            Self::List(_) => "list",
            Self::Node(..) => "node",
            Self::Edge(..) => "edge",
            Self::Path(_) => "path",
            Self::Record(_) => "record",
        }
    }

    /// Truth of three values; anything else than a bool is unknown.
    #[must_use]
    pub fn truth(&self) -> Option<bool> {
        if let Self::Bool(b) = self { Some(*b) } else { None }
    }

    /// `a = b` in three-valued logic.
    #[must_use]
    pub fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (a, b) if a.is_null() || b.is_null() => None,
            (Self::Int(a), Self::Float(b)) | (Self::Float(b), Self::Int(a)) => {
                Some(cmp_int_float(*a, *b) == Some(Ordering::Equal))
            }
            (Self::List(a), Self::List(b)) => {
                if a.len() != b.len() {
                    return Some(false);
                }
                let mut unknown = false;
                for (x, y) in a.iter().zip(b.iter()) {
                    match x.equals(y) {
                        Some(false) => return Some(false),
                        None => unknown = true,
                        Some(true) => {}
                    }
                }
                if unknown { None } else { Some(true) }
            }
            (Self::Date(_), Self::Timestamp(_)) | (Self::Timestamp(_), Self::Date(_)) => {
                Some(self.moment() == other.moment())
            }
            (a, b) => Some(a == b),
        }
    }

    /// A timestamp, or the midnight of a date: microseconds since 1970.
    pub(crate) fn moment(&self) -> Option<i64> {
        match self {
            Self::Timestamp(t) => Some(*t),
            Self::Date(d) => Some(i64::from(*d) * crate::time::DAY),
            _ => None,
        }
    }

    /// `a < b` and its sisters; `None` where the two can't be compared.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Timestamp(_) | Self::Date(_), Self::Timestamp(_) | Self::Date(_)) => {
                Some(self.moment().cmp(&other.moment()))
            }
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Float(b)) => cmp_int_float(*a, *b),
            (Self::Float(a), Self::Int(b)) => cmp_int_float(*b, *a).map(Ordering::reverse),
            (Self::Str(a), Self::Str(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Duration { .. }, Self::Duration { .. }) => {
                Some(self.duration_micros().cmp(&other.duration_micros()))
            }
            (Self::List(a), Self::List(b)) => {
                for (x, y) in a.iter().zip(b.iter()) {
                    match x.compare(y)? {
                        Ordering::Equal => {}
                        o => return Some(o),
                    }
                }
                Some(a.len().cmp(&b.len()))
            }
            _ => None,
        }
    }

    /// A duration in microseconds, a month taken as 30.436875 days (the mean of the Gregorian calendar).
    fn duration_micros(&self) -> i128 {
        match self {
            Self::Duration { months, micros } => i128::from(*months) * 2_629_746_000_000 + i128::from(*micros),
            _ => 0,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Record(_) => 0,
            Self::Node(..) => 1,
            Self::Edge(..) => 2,
            Self::List(_) => 3,
            Self::Path(_) => 4,
            Self::Timestamp(_) | Self::Date(_) => 5,
            Self::Duration { .. } => 6,
            Self::Str(_) => 7,
            Self::Bool(_) => 8,
            Self::Int(_) | Self::Float(_) => 9,
            Self::Null | Self::Unset => 10,
        }
    }

    /// The total order of ORDER BY, min and max: by kind, then by value; null is greatest.
    #[must_use]
    pub fn total_cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Int(a), Self::Float(b)) => cmp_int_float(*a, *b).unwrap_or(Ordering::Less),
            (Self::Float(a), Self::Int(b)) => cmp_int_float(*b, *a).map_or(Ordering::Greater, Ordering::reverse),
            (Self::Node(a, x), Self::Node(b, y)) => (a, x).cmp(&(b, y)),
            (Self::Edge(a, x), Self::Edge(b, y)) => (a, x).cmp(&(b, y)),
            (Self::Path(a), Self::Path(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a
                .iter()
                .zip(b.iter())
                .map(|(x, y)| x.total_cmp(y))
                .find(|o| o.is_ne())
                .unwrap_or_else(|| a.len().cmp(&b.len())),
            (Self::Record(a), Self::Record(b)) => a
                .iter()
                .zip(b.iter())
                .map(|((n, x), (m, y))| n.cmp(m).then_with(|| x.total_cmp(y)))
                .find(|o| o.is_ne())
                .unwrap_or_else(|| a.len().cmp(&b.len())),
            _ => self.rank().cmp(&other.rank()).then_with(|| self.compare(other).unwrap_or(Ordering::Equal)),
        }
    }

    /// Appends a form that is equal exactly for values that DISTINCT and GROUP BY take as one.
    pub(crate) fn group_key(&self, out: &mut Vec<u8>) {
        out.push(self.rank());
        match self {
            Self::Null | Self::Unset => {}
            Self::Bool(b) => out.push(u8::from(*b)),
            Self::Int(n) => {
                out.push(0);
                out.extend(n.to_le_bytes());
            }
            // A float that is an integer is that integer.
            Self::Float(f) => match float_as_int(*f) {
                Some(n) => {
                    out.push(0);
                    out.extend(n.to_le_bytes());
                }
                None => {
                    out.push(1);
                    out.extend(if f.is_nan() { f64::NAN } else { *f }.to_le_bytes());
                }
            },
            Self::Str(s) => {
                out.extend((s.len() as u64).to_le_bytes());
                out.extend(s.as_bytes());
            }
            Self::Timestamp(_) | Self::Date(_) => out.extend(self.moment().unwrap_or(0).to_le_bytes()),
            Self::Duration { months, micros } => {
                out.extend(months.to_le_bytes());
                out.extend(micros.to_le_bytes());
            }
            Self::List(l) => {
                out.extend((l.len() as u64).to_le_bytes());
                l.iter().for_each(|v| v.group_key(out));
            }
            Self::Node(g, n) => {
                out.push(*g);
                out.extend(n.to_le_bytes());
            }
            Self::Edge(g, e) => {
                out.push(*g);
                out.extend(e.0.to_le_bytes());
            }
            Self::Path(p) => {
                out.push(p.graph);
                out.extend((p.nodes.len() as u64).to_le_bytes());
                p.nodes.iter().for_each(|n| out.extend(n.to_le_bytes()));
                p.edges.iter().for_each(|e| out.extend(e.0.to_le_bytes()));
            }
            Self::Record(r) => {
                out.extend((r.len() as u64).to_le_bytes());
                for (n, v) in r.iter() {
                    out.extend((n.len() as u64).to_le_bytes());
                    out.extend(n.as_bytes());
                    v.group_key(out);
                }
            }
        }
    }

    /// About how many bytes it holds.
    pub(crate) fn weight(&self) -> u64 {
        let inner = match self {
            Self::Str(s) => s.len() as u64,
            Self::List(l) => l.iter().map(Self::weight).sum(),
            // Its own allocation and those of its two lists.
            Self::Path(p) => (p.nodes.capacity() * 4 + p.edges.capacity() * 8 + 144) as u64,
            Self::Record(r) => r.iter().map(|(n, v)| n.len() as u64 + v.weight()).sum(),
            _ => 0,
        };
        inner + size_of::<Self>() as u64
    }
}

fn float_as_int(f: f64) -> Option<i64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "an integer below 2^53 is exact")]
    if f.fract() == 0.0 && f.abs() <= LIMIT { Some(f as i64) } else { None }
}

fn cmp_int_float(a: i64, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        return None;
    }
    if let Some(n) = float_as_int(b) {
        return Some(a.cmp(&n));
    }
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 the float's own grain decides")]
    (a as f64).partial_cmp(&b)
}

impl From<Value> for Val {
    fn from(v: Value) -> Self {
        match v {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(b),
            Value::Int(n) => Self::Int(n),
            Value::Float(f) => Self::Float(f),
            Value::Str(s) => Self::Str(s),
            Value::Timestamp(t) => Self::Timestamp(t),
            Value::List(l) => Self::List(l.iter().map(|s| Self::Str(s.clone())).collect()),
        }
    }
}
