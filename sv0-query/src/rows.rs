//! A result's rows by column name and Rust type.

use std::sync::Arc;

use crate::QueryResult;
use crate::val::Val;

/// What a value of the language can be read as.
pub trait FromVal: Sized {
    /// The value, if it is of this kind. Null is only an `Option`.
    fn from_val(v: &Val) -> Option<Self>;
}

macro_rules! from_val {
    ($($ty:ty: $pattern:pat => $value:expr;)*) => {
        $(impl FromVal for $ty {
            fn from_val(v: &Val) -> Option<Self> {
                if let $pattern = v { Some($value) } else { None }
            }
        })*
    };
}

from_val! {
    bool: Val::Bool(b) => *b;
    i64: Val::Int(n) => *n;
    f64: Val::Float(f) => *f;
    String: Val::Str(s) => s.to_string();
    Arc<str>: Val::Str(s) => s.clone();
}

impl FromVal for Val {
    fn from_val(v: &Val) -> Option<Self> {
        Some(v.clone())
    }
}

impl<T: FromVal> FromVal for Option<T> {
    fn from_val(v: &Val) -> Option<Self> {
        if v.is_null() { Some(None) } else { T::from_val(v).map(Some) }
    }
}

impl<T: FromVal> FromVal for Vec<T> {
    fn from_val(v: &Val) -> Option<Self> {
        if let Val::List(l) = v { l.iter().map(T::from_val).collect() } else { None }
    }
}

/// Why a column couldn't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// There is no such column.
    #[error("the result has no column `{0}`")]
    Unknown(String),
    /// Its value is of another kind.
    #[error("column `{column}` is a {found}")]
    Kind {
        /// The column.
        column: String,
        /// What it is.
        found: &'static str,
    },
}

/// A row of a result.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    columns: &'r [Arc<str>],
    values: &'r [Val],
}

impl<'r> Row<'r> {
    pub(crate) fn new(columns: &'r [Arc<str>], values: &'r [Val]) -> Self {
        Self { columns, values }
    }

    /// The values, in the order of the columns.
    #[must_use]
    pub fn values(&self) -> &'r [Val] {
        self.values
    }

    /// A column's value.
    ///
    /// # Errors
    /// [`ColumnError`] where there is no such column or its value is of another kind.
    pub fn get<T: FromVal>(&self, column: &str) -> Result<T, ColumnError> {
        let at = self.columns.iter().position(|c| **c == *column);
        let v = at.and_then(|i| self.values.get(i)).ok_or_else(|| ColumnError::Unknown(column.to_owned()))?;
        T::from_val(v).ok_or_else(|| ColumnError::Kind { column: column.to_owned(), found: v.kind() })
    }
}

impl QueryResult {
    /// The rows, to be read by column name and type.
    ///
    /// ```
    /// use sv0_graph::{Schema, Store};
    /// use sv0_query::Query;
    /// let store = Store::in_memory(Schema::canonical())?;
    /// let snapshot = store.latest();
    /// let query = Query::parse("FOR n IN [1, 2] RETURN n, n > 1 AS large, NULL AS nothing")?;
    /// let result = query.prepare(&snapshot, &Default::default())?.run(&snapshot, &Default::default())?;
    /// for row in result.iter() {
    ///     let (n, large): (i64, bool) = (row.get("n")?, row.get("large")?);
    ///     assert_eq!(large, n > 1);
    ///     assert_eq!(row.get::<Option<String>>("nothing")?, None);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { columns: &self.columns, values })
    }
}
