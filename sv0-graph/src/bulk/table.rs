//! What a reader of tables (CSV, NDJSON, Parquet, …) hands over.

use std::sync::Arc;

use crate::schema::PropType;

/// Many texts in one buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    bytes: String,
    /// Where each text ends.
    ends: Vec<u32>,
}

impl Texts {
    /// No texts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a buffer and where each text ends in it; `None` if the ends descend, leave the buffer or cut a character.
    #[must_use]
    pub fn from_parts(bytes: String, ends: Vec<u32>) -> Option<Self> {
        let last = ends.last().copied().unwrap_or(0);
        let whole = usize::try_from(last).is_ok_and(|l| l == bytes.len());
        let cuts = bytes.is_ascii() || ends.iter().all(|e| bytes.is_char_boundary(*e as usize));
        (whole && ends.is_sorted() && cuts).then_some(Self { bytes, ends })
    }

    /// Of bytes and where each text ends, checked once over the whole buffer; `None` as with [`Self::from_parts`], or if
    /// the bytes aren't UTF-8.
    #[must_use]
    pub fn from_utf8(bytes: Vec<u8>, ends: Vec<u32>) -> Option<Self> {
        Self::from_parts(String::from_utf8(bytes).ok()?, ends)
    }

    /// Adds a text. Beyond 4 GiB in all it isn't added and the answer is `false`.
    pub fn push(&mut self, text: &str) -> bool {
        match u32::try_from(self.bytes.len().saturating_add(text.len())) {
            Ok(end) => {
                self.bytes.push_str(text);
                self.ends.push(end);
                true
            }
            Err(_) => false,
        }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Text `i`; empty beyond the last.
    #[must_use]
    pub fn get(&self, i: usize) -> &str {
        let from = if i == 0 { 0 } else { self.ends.get(i - 1).copied().unwrap_or(0) };
        let to = self.ends.get(i).copied().unwrap_or(from);
        self.bytes.get(from as usize..to as usize).unwrap_or("")
    }

    /// All texts.
    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(a, b)| self.bytes.get(a as usize..*b as usize).unwrap_or(""))
    }

    /// Appends some texts of another buffer. Beyond 4 GiB in all nothing is added and the answer is `false`.
    pub fn extend_from(&mut self, other: &Self, range: std::ops::Range<usize>) -> bool {
        let at = |i: usize| if i == 0 { 0 } else { other.ends.get(i - 1).copied().unwrap_or(0) };
        let (from, to) = (at(range.start), at(range.end.min(other.len())));
        let Ok(base) = u32::try_from(self.bytes.len()) else { return false };
        let Some(text) = other.bytes.get(from as usize..to as usize) else { return false };
        if base.checked_add(to - from).is_none() {
            return false;
        }
        self.bytes.push_str(text);
        self.ends.extend(other.ends.get(range).unwrap_or(&[]).iter().map(|e| e - from + base));
        true
    }

    /// All texts' bytes, one after the other.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_bytes()
    }

    /// Where each text ends.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Bytes held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * 4
    }
}

impl<'a> FromIterator<&'a str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(iter: I) -> Self {
        let mut t = Self::new();
        for s in iter {
            t.push(s);
        }
        t
    }
}

/// The values of a column, one a row. What stands in a row that isn't known doesn't matter.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Truths.
    Bool(Vec<bool>),
    /// Integers.
    Int(Vec<i64>),
    /// Floats.
    Float(Vec<f64>),
    /// Microseconds since 1970, UTC.
    Timestamp(Vec<i64>),
    /// Texts.
    Text(Texts),
    /// Texts by number into a dictionary.
    Coded {
        /// A number a row.
        codes: Vec<u32>,
        /// What each number means.
        dictionary: Texts,
    },
    /// Lists of texts.
    TextList {
        /// Where each row's items end.
        ends: Vec<u32>,
        /// All rows' items.
        items: Texts,
    },
}

impl ColumnData {
    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Bool(v) => v.len(),
            Self::Int(v) | Self::Timestamp(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Text(t) => t.len(),
            Self::Coded { codes, .. } => codes.len(),
            Self::TextList { ends, .. } => ends.len(),
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The property type that it fits.
    #[must_use]
    pub fn prop_type(&self) -> PropType {
        match self {
            Self::Bool(_) => PropType::Bool,
            Self::Int(_) => PropType::Int,
            Self::Float(_) => PropType::Float,
            Self::Timestamp(_) => PropType::Timestamp,
            Self::Text(_) | Self::Coded { .. } => PropType::Str,
            Self::TextList { .. } => PropType::StrList,
        }
    }
}

/// A column of a slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The property's name in the schema.
    pub name: Arc<str>,
    /// Its values.
    pub data: ColumnData,
    /// Which rows are known; `None`: all.
    pub known: Option<Vec<bool>>,
}

/// Some rows of a table. All slices of one table have the same columns, though what is [`ColumnData::Text`] in one may be
/// [`ColumnData::Coded`], with a dictionary of its own, in another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableSlice {
    /// How many rows.
    pub rows: usize,
    /// The key columns: the id of a node; the ids of an edge's two ends.
    pub keys: Vec<Texts>,
    /// The properties.
    pub columns: Vec<Column>,
    /// The line (or row, from 1) of the first row in its file, for messages.
    pub first_line: u64,
}

/// Why a table couldn't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {reason}", .line.map(|l| format!(", line {l}")).unwrap_or_default())]
pub struct TableError {
    /// The file.
    pub file: String,
    /// The line (or row, from 1), where it is known.
    pub line: Option<u64>,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// A table that can be read from its beginning, slice by slice.
pub trait Table: Send + Sync {
    /// The file's name, for messages and the source record.
    fn name(&self) -> String;

    /// How many bytes the file has, for the progress.
    fn bytes(&self) -> u64;

    /// How many rows the file says it has, so that room for them is taken at once; `None` where it doesn't say.
    fn rows(&self) -> Option<u64> {
        None
    }

    /// BLAKE3 or SHA-256 of the file, lower-case hex, for the source record; empty where it wasn't taken.
    fn sha256(&self) -> String {
        String::new()
    }

    /// Hands all rows over, in the file's order, some tens of thousands at a time.
    ///
    /// # Errors
    /// [`TableError`]; or what `sink` returns.
    fn read(&self, sink: &mut dyn FnMut(TableSlice) -> Result<(), TableError>) -> Result<(), TableError>;
}
