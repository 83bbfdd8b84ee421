//! Cells to typed columns: what the text formats share. Values aren't echoed in messages, for they may be secrets.

use sv0_graph::bulk::{Column, ColumnData, TableSlice, Texts};

use super::columns::{Kind, Layout, NEEDS_SEPARATOR, NEEDS_UNIT, Wanted};
use super::spec::Unit;
use super::{SLICE_BYTES, SLICE_ROWS};

/// Rows being gathered into a slice.
pub(super) struct Rows<'a> {
    layout: &'a Layout,
    pub(super) keys: Vec<Texts>,
    pub(super) cells: Vec<Cells<'a>>,
    rows: usize,
    bytes: usize,
    first_line: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(layout: &'a Layout) -> Self {
        let keys = layout.keys.iter().map(|_| Texts::new()).collect();
        let cells = layout.columns.iter().map(Cells::new).collect();
        Self { layout, keys, cells, rows: 0, bytes: 0, first_line: 1 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Says which line the next row stands at.
    pub(super) fn at(&mut self, line: u64) {
        if self.rows == 0 {
            self.first_line = line;
        }
    }

    /// Ends a row that was made of so many bytes: every key was given once, and not empty; cells that weren't are unknown.
    pub(super) fn end_row(&mut self, bytes: usize) -> Result<(), String> {
        self.rows += 1;
        self.bytes += bytes;
        for (key, name) in self.keys.iter().zip(&self.layout.keys) {
            if key.len() != self.rows || key.get(self.rows - 1).is_empty() {
                return Err(format!("the key `{name}` is empty"));
            }
        }
        for cell in &mut self.cells {
            if cell.rows() < self.rows {
                cell.unknown();
            }
        }
        Ok(())
    }

    /// How many rows were ended.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= SLICE_ROWS || self.bytes >= SLICE_BYTES
    }

    /// Hands the rows over and begins anew.
    pub(super) fn take(&mut self) -> TableSlice {
        let done = std::mem::replace(self, Self::new(self.layout));
        TableSlice {
            rows: done.rows,
            keys: done.keys,
            columns: done.cells.into_iter().map(Cells::finish).collect(),
            first_line: done.first_line,
        }
    }
}

/// A column's cells being gathered.
pub(super) struct Cells<'a> {
    pub(super) wanted: &'a Wanted,
    data: ColumnData,
    known: Vec<bool>,
}

impl<'a> Cells<'a> {
    pub(super) fn new(wanted: &'a Wanted) -> Self {
        let data = match wanted.kind {
            Kind::Bool => ColumnData::Bool(Vec::new()),
            Kind::Int => ColumnData::Int(Vec::new()),
            Kind::Float => ColumnData::Float(Vec::new()),
            Kind::Str => ColumnData::Text(Texts::new()),
            Kind::Timestamp(_) => ColumnData::Timestamp(Vec::new()),
            Kind::List(_) => ColumnData::TextList { ends: Vec::new(), items: Texts::new() },
        };
        Self { wanted, data, known: Vec::new() }
    }

    pub(super) fn rows(&self) -> usize {
        self.known.len()
    }

    /// A cell of which nothing is known.
    pub(super) fn unknown(&mut self) {
        self.known.push(false);
        match &mut self.data {
            ColumnData::Bool(v) => v.push(false),
            ColumnData::Int(v) | ColumnData::Timestamp(v) => v.push(0),
            ColumnData::Float(v) => v.push(0.0),
            ColumnData::Text(t) => _ = t.push(""),
            ColumnData::Coded { codes, .. } => codes.push(0),
            ColumnData::TextList { ends, items } => ends.push(count(items)),
        }
    }

    /// A cell from its text; an empty one is unknown.
    pub(super) fn text(&mut self, cell: &str) -> Result<(), &'static str> {
        if cell.is_empty() {
            self.unknown();
            return Ok(());
        }
        match (&mut self.data, &self.wanted.kind) {
            (ColumnData::Bool(v), _) => v.push(truth(cell).ok_or("not a truth: write true or false")?),
            (ColumnData::Int(v), _) => v.push(cell.parse().map_err(|_| "not a 64-bit integer")?),
            (ColumnData::Float(v), _) => v.push(cell.parse().ok().filter(|f: &f64| f.is_finite()).ok_or(NOT_FINITE)?),
            (ColumnData::Timestamp(v), Kind::Timestamp(unit)) => v.push(time_of_text(cell, *unit)?),
            (ColumnData::TextList { ends, items }, Kind::List(separator)) => {
                let separator = separator.as_deref().ok_or(NEEDS_SEPARATOR)?;
                cell.split(separator).for_each(|item| _ = items.push(item));
                ends.push(count(items));
            }
            (ColumnData::Text(t), _) => _ = t.push(cell),
            _ => return Err("can't be read from text"),
        }
        self.known.push(true);
        Ok(())
    }

    /// A text of a format that tells texts from other values: it isn't read as a number or a truth, and the empty text is
    /// unknown as it is in CSV.
    pub(super) fn string(&mut self, text: &str) -> Result<(), &'static str> {
        match self.wanted.kind {
            Kind::Bool => Err("a text, and true or false would be right"),
            Kind::Int => Err("a text, and an integer would be right"),
            Kind::Float => Err("a text, and a number would be right"),
            Kind::Timestamp(Some(Unit::S | Unit::Ms | Unit::Us)) => {
                Err("a text, and by its `unit` in the schema file an integer would be right")
            }
            _ => self.text(text),
        }
    }

    pub(super) fn truth(&mut self, b: bool) -> Result<(), &'static str> {
        match &mut self.data {
            ColumnData::Bool(v) => v.push(b),
            _ => return Err(mismatch(&self.wanted.kind)),
        }
        self.known.push(true);
        Ok(())
    }

    pub(super) fn integer(&mut self, n: i64) -> Result<(), &'static str> {
        match (&mut self.data, &self.wanted.kind) {
            (ColumnData::Int(v), _) => v.push(n),
            #[expect(clippy::cast_precision_loss, reason = "a float that is written as an integer")]
            (ColumnData::Float(v), _) => v.push(n as f64),
            (ColumnData::Timestamp(v), Kind::Timestamp(unit)) => v.push(time(n, *unit)?),
            _ => return Err(mismatch(&self.wanted.kind)),
        }
        self.known.push(true);
        Ok(())
    }

    pub(super) fn float(&mut self, f: f64) -> Result<(), &'static str> {
        match &mut self.data {
            ColumnData::Float(v) if f.is_finite() => v.push(f),
            ColumnData::Float(_) => return Err(NOT_FINITE),
            _ => return Err(mismatch(&self.wanted.kind)),
        }
        self.known.push(true);
        Ok(())
    }

    /// An item of a list; [`Self::end_list`] ends the cell.
    pub(super) fn item(&mut self, text: &str) -> Result<(), &'static str> {
        match &mut self.data {
            ColumnData::TextList { items, .. } => {
                items.push(text);
                Ok(())
            }
            _ => Err(mismatch(&self.wanted.kind)),
        }
    }

    pub(super) fn end_list(&mut self) -> Result<(), &'static str> {
        match &mut self.data {
            ColumnData::TextList { items, ends } => ends.push(count(items)),
            _ => return Err(mismatch(&self.wanted.kind)),
        }
        self.known.push(true);
        Ok(())
    }

    pub(super) fn finish(self) -> Column {
        let known = if self.known.iter().all(|k| *k) { None } else { Some(self.known) };
        Column { name: self.wanted.name.clone(), data: self.data, known }
    }
}

/// What is right for a number or a fraction.
pub(super) const NOT_FINITE: &str = "not a finite number; leave it out where it isn't known";

/// What would be right where a value of another type stands.
pub(super) fn mismatch(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "true or false would be right",
        Kind::Int => "an integer would be right",
        Kind::Float => "a number would be right",
        Kind::Str => "a text would be right",
        Kind::Timestamp(Some(Unit::S | Unit::Ms | Unit::Us)) => "an integer would be right, by its `unit`",
        Kind::Timestamp(_) => "a timestamp as RFC 3339 would be right",
        Kind::List(_) => "a list of texts would be right",
    }
}

fn count(items: &Texts) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

fn truth(cell: &str) -> Option<bool> {
    if cell.eq_ignore_ascii_case("true") {
        Some(true)
    } else if cell.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Microseconds of so many of a unit.
pub(super) fn time(n: i64, unit: Option<Unit>) -> Result<i64, &'static str> {
    let factor = match unit {
        Some(Unit::S) => 1_000_000,
        Some(Unit::Ms) => 1_000,
        Some(Unit::Us) => 1,
        Some(Unit::Rfc3339) => return Err("an integer, and by its `unit` in the schema file RFC 3339 would be right"),
        None => return Err(NEEDS_UNIT),
    };
    n.checked_mul(factor).ok_or("a time out of range; is the `unit` in the schema file right?")
}

fn time_of_text(cell: &str, unit: Option<Unit>) -> Result<i64, &'static str> {
    match unit {
        Some(Unit::S | Unit::Ms | Unit::Us) => {
            time(cell.parse().map_err(|_| "not an integer, as its `unit` in the schema file says")?, unit)
        }
        None if cell.bytes().all(|b| b.is_ascii_digit() || b == b'-') && cell.parse::<i64>().is_ok() => Err(NEEDS_UNIT),
        _ => crate::text::timestamp(cell).ok_or("not a timestamp as RFC 3339, as in 2026-01-31T12:00:00Z"),
    }
}
