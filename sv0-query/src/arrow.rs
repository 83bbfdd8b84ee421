//! A result as Arrow arrays (feature `arrow`).

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use sv0_graph::GraphView;

use crate::val::Val;
use crate::{QueryResult, json, time};

/// What all values of a column are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Nothing,
    Bool,
    Int,
    Float,
    Text,
    Timestamp,
    Date,
    Texts,
    /// Values of several kinds, durations, nodes, edges, paths and other lists: as text, in JSON but for durations.
    Json,
}

impl Column {
    fn of(v: &Val) -> Self {
        match v {
            Val::Null | Val::Unset => Self::Nothing,
            Val::Bool(_) => Self::Bool,
            Val::Int(_) => Self::Int,
            Val::Float(_) => Self::Float,
            Val::Str(_) => Self::Text,
            Val::Timestamp(_) => Self::Timestamp,
            Val::Date(_) => Self::Date,
            Val::List(l) if l.iter().all(|v| matches!(v, Val::Str(_) | Val::Null)) => Self::Texts,
            _ => Self::Json,
        }
    }

    fn with(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Nothing, x) | (x, Self::Nothing) => x,
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Self::Float,
            _ => Self::Json,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Nothing | Self::Text | Self::Json => DataType::Utf8,
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Texts => DataType::new_list(DataType::Utf8, true),
        }
    }
}

impl QueryResult {
    /// The result as one Arrow batch; the graphs are those that the query ran on.
    ///
    /// Columns of one kind are arrays of it (timestamps in microseconds, UTC). Integers among floats are floats. Nodes,
    /// edges, paths, records, other lists than of texts and columns of several kinds are texts in JSON; a duration is
    /// its ISO 8601 text.
    ///
    /// # Errors
    /// [`ArrowError`]: an external one if the file under a graph can't be read.
    pub fn record_batch<G: GraphView>(&self, graphs: &[&G]) -> Result<RecordBatch, ArrowError> {
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (i, name) in self.columns.iter().enumerate() {
            let values = || self.rows.iter().map(move |r| r.get(i).unwrap_or(&Val::Null));
            let column = values().map(Column::of).fold(Column::Nothing, Column::with);
            fields.push(Field::new(&**name, column.data_type(), true));
            arrays.push(array(column, values(), self.rows.len(), graphs)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
    }
}

fn array<'v, G: GraphView>(
    column: Column,
    values: impl Iterator<Item = &'v Val>,
    len: usize,
    graphs: &[&G],
) -> Result<ArrayRef, ArrowError> {
    macro_rules! of {
        ($builder:expr, $pattern:pat => $value:expr) => {{
            let mut b = $builder;
            values.for_each(|v| b.append_option(if let $pattern = v { Some($value) } else { None }));
            Arc::new(b.finish())
        }};
    }
    Ok(match column {
        Column::Bool => of!(BooleanBuilder::with_capacity(len), Val::Bool(b) => *b),
        Column::Int => of!(Int64Builder::with_capacity(len), Val::Int(n) => *n),
        Column::Date => of!(Date32Builder::with_capacity(len), Val::Date(d) => *d),
        Column::Timestamp => {
            of!(TimestampMicrosecondBuilder::with_capacity(len).with_timezone("UTC"), Val::Timestamp(t) => *t)
        }
        Column::Nothing | Column::Text => of!(StringBuilder::with_capacity(len, 16 * len), Val::Str(s) => s),
        #[expect(clippy::cast_precision_loss, reason = "an integer among floats is a float")]
        Column::Float => {
            let mut b = Float64Builder::with_capacity(len);
            values.for_each(|v| match v {
                Val::Float(f) => b.append_value(*f),
                Val::Int(n) => b.append_value(*n as f64),
                _ => b.append_null(),
            });
            Arc::new(b.finish())
        }
        Column::Texts => {
            let mut b = ListBuilder::new(StringBuilder::new());
            for v in values {
                if let Val::List(l) = v {
                    b.append_value(l.iter().map(|v| if let Val::Str(s) = v { Some(&**s) } else { None }));
                } else {
                    b.append_null();
                }
            }
            Arc::new(b.finish())
        }
        Column::Json => {
            let mut b = StringBuilder::with_capacity(len, 64 * len);
            for v in values {
                match v {
                    Val::Null | Val::Unset => b.append_null(),
                    Val::Duration { months, micros } => b.append_value(time::format_duration(*months, *micros)),
                    v => {
                        let v =
                            json::value(graphs, v, true).map_err(|e| ArrowError::from_external_error(Box::new(e)))?;
                        b.append_value(v.to_string());
                    }
                }
            }
            Arc::new(b.finish())
        }
    })
}
