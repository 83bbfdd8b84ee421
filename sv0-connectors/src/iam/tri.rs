//! Three-valued truth that carries what it depends on.

use std::fmt;

/// A condition that can't be decided from what is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Residual {
    /// One condition.
    Is(String),
    /// Its opposite.
    Not(Box<Residual>),
    /// All hold.
    All(Vec<Residual>),
    /// One holds.
    Any(Vec<Residual>),
}

impl fmt::Display for Residual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |parts: &[Residual], by: &str| {
            let texts: Vec<String> = parts
                .iter()
                .map(|p| match p {
                    Residual::All(_) | Residual::Any(_) => format!("({p})"),
                    _ => p.to_string(),
                })
                .collect();
            texts.join(by)
        };
        match self {
            Self::Is(s) => f.write_str(s),
            Self::Not(r) => write!(f, "not ({r})"),
            Self::All(p) => f.write_str(&join(p, " and ")),
            Self::Any(p) => f.write_str(&join(p, " or ")),
        }
    }
}

/// Yes, no, or only if.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tri {
    /// It doesn't hold.
    No,
    /// It holds.
    Yes,
    /// It holds if the residual does.
    If(Residual),
}

impl Tri {
    /// From a decided truth.
    #[must_use]
    pub fn of(b: bool) -> Self {
        if b { Self::Yes } else { Self::No }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, x) | (x, Self::Yes) => x,
            (Self::If(a), Self::If(b)) => Self::If(merge(a, b, true)),
        }
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, x) | (x, Self::No) => x,
            (Self::If(a), Self::If(b)) => Self::If(merge(a, b, false)),
        }
    }

    /// Whether it isn't decided against.
    #[must_use]
    pub fn possible(&self) -> bool {
        !matches!(self, Self::No)
    }
}

impl std::ops::Not for Tri {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Yes => Self::No,
            Self::If(Residual::Not(r)) => Self::If(*r),
            Self::If(r) => Self::If(Residual::Not(Box::new(r))),
        }
    }
}

fn merge(a: Residual, b: Residual, all: bool) -> Residual {
    if a == b {
        return a;
    }
    let parts = |r: Residual| match r {
        Residual::All(p) if all => p,
        Residual::Any(p) if !all => p,
        r => vec![r],
    };
    let mut p = parts(a);
    p.extend(parts(b));
    p.sort();
    p.dedup();
    match (p.len(), all) {
        (1, _) => p.remove(0),
        (_, true) => Residual::All(p),
        (_, false) => Residual::Any(p),
    }
}
