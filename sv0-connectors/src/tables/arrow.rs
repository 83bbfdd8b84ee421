//! Arrow's arrays to typed columns, buffer by buffer where the types agree.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryArray, StringArray};
use arrow_schema::{DataType, TimeUnit};
use sv0_graph::bulk::{ColumnData, Texts};

use super::columns::{Kind, NEEDS_SEPARATOR, NEEDS_UNIT, Wanted};
use super::convert::{Cells, NOT_FINITE, mismatch, time};
use super::spec::Unit;

/// Why an array can't be read.
pub(super) struct Wrong {
    /// The row in the array, where it is known.
    pub(super) row: Option<usize>,
    pub(super) why: &'static str,
}

impl From<&'static str> for Wrong {
    fn from(why: &'static str) -> Self {
        Self { row: None, why }
    }
}

const CUT: &str = "its texts aren't UTF-8";
const NO_KEY: &str = "the key is empty";

/// Whether a column of this type can be a key.
pub(super) fn fits_key(ty: &DataType) -> Result<(), String> {
    match ty {
        t if is_text(t) || t.is_integer() => Ok(()),
        t => Err(format!("{t}, and a text or an integer would be right, for it is a key")),
    }
}

/// Whether a column of this type gives values of this kind.
pub(super) fn fits(ty: &DataType, kind: &Kind) -> Result<(), String> {
    let ok = match kind {
        Kind::Bool => *ty == DataType::Boolean,
        Kind::Int => ty.is_integer(),
        Kind::Float => ty.is_integer() || matches!(ty, DataType::Float32 | DataType::Float64),
        Kind::Str => is_text(ty),
        Kind::Timestamp(None) if ty.is_integer() => return Err(NEEDS_UNIT.to_owned()),
        Kind::Timestamp(Some(Unit::S | Unit::Ms | Unit::Us)) => {
            ty.is_integer() || matches!(ty, DataType::Timestamp(..))
        }
        Kind::Timestamp(_) => is_text(ty) || matches!(ty, DataType::Timestamp(..)),
        Kind::List(None) if is_text(ty) => return Err(NEEDS_SEPARATOR.to_owned()),
        Kind::List(_) => match ty {
            DataType::List(item) => is_text(item.data_type()),
            ty => is_text(ty),
        },
    };
    if ok { Ok(()) } else { Err(format!("{ty}, and {}", mismatch(kind))) }
}

/// Which rows are known: those that aren't null, nor an empty text.
pub(super) fn known(array: &ArrayRef) -> Option<Vec<bool>> {
    let nulls = array.nulls().filter(|n| n.null_count() > 0);
    let valid = |i: usize| nulls.is_none_or(|n| n.is_valid(i));
    if let Some(offsets) = text_offsets(array) {
        if offsets.windows(2).any(|w| w[0] == w[1]) {
            return Some(offsets.windows(2).enumerate().map(|(i, w)| w[0] != w[1] && valid(i)).collect());
        }
    } else if let Some(coded) = array.as_dictionary_opt::<UInt32Type>() {
        let offsets = text_offsets(coded.values()).unwrap_or_default();
        let empty = offsets.windows(2).position(|w| w[0] == w[1]).and_then(|i| u32::try_from(i).ok());
        if let Some(empty) = empty {
            return Some(coded.keys().values().iter().enumerate().map(|(i, k)| *k != empty && valid(i)).collect());
        }
    }
    nulls.map(|n| n.iter().collect())
}

/// Whether it is text. What a file declares as bytes is, if it turns out to be UTF-8.
fn is_text(ty: &DataType) -> bool {
    matches!(ty, DataType::Utf8 | DataType::Binary)
}

fn text_offsets(array: &ArrayRef) -> Option<&[i32]> {
    let strings = array.as_string_opt::<i32>().map(StringArray::value_offsets);
    strings.or_else(|| array.as_binary_opt::<i32>().map(BinaryArray::value_offsets))
}

/// A key column.
pub(super) fn key(array: ArrayRef) -> Result<Texts, Wrong> {
    if let Some(row) = array.nulls().and_then(|n| n.iter().position(|known| !known)) {
        return Err(Wrong { row: Some(row), why: NO_KEY });
    }
    let texts = match is_text(array.data_type()) {
        true => texts(array).ok_or(CUT)?,
        false => {
            let mut out = Texts::new();
            for n in integers(&array)? {
                out.push(&n.to_string());
            }
            out
        }
    };
    if let Some(row) = (0..texts.len()).find(|i| texts.get(*i).is_empty()) {
        return Err(Wrong { row: Some(row), why: NO_KEY });
    }
    Ok(texts)
}

/// A column's values.
pub(super) fn values(array: ArrayRef, wanted: &Wanted) -> Result<ColumnData, Wrong> {
    let kind = &wanted.kind;
    match (kind, array.data_type()) {
        (Kind::Bool, DataType::Boolean) => Ok(ColumnData::Bool(array.as_boolean().values().iter().collect())),
        (Kind::Int, _) => integers(&array).map(ColumnData::Int),
        (Kind::Float, _) => floats(&array).map(ColumnData::Float),
        (Kind::Str, t) if is_text(t) => texts(array).map(ColumnData::Text).ok_or(CUT.into()),
        (Kind::Str, DataType::Dictionary(..)) => coded(&array),
        (Kind::Timestamp(_), DataType::Timestamp(unit, _)) => timestamps(&array, *unit).map(ColumnData::Timestamp),
        (Kind::Timestamp(unit), t) if t.is_integer() => {
            let mut v = integers(&array)?;
            for (row, n) in v.iter_mut().enumerate() {
                match time(*n, *unit) {
                    Ok(t) => *n = t,
                    Err(_) if array.is_null(row) => {}
                    Err(why) => return Err(Wrong { row: Some(row), why }),
                }
            }
            Ok(ColumnData::Timestamp(v))
        }
        (Kind::Timestamp(_) | Kind::List(_), t) if is_text(t) => parsed(array, wanted),
        (Kind::List(_), DataType::List(_)) => lists(&array),
        _ => Err(mismatch(kind).into()),
    }
}

/// A text column's values without a copy where the array is the only owner, as one from a file is.
fn texts(array: ArrayRef) -> Option<Texts> {
    let (offsets, values, _) = match array.as_string_opt::<i32>() {
        Some(strings) => strings.clone().into_parts(),
        None => array.as_binary_opt::<i32>()?.clone().into_parts(),
    };
    drop(array);
    let (first, last) = (offsets.first(), offsets.last());
    let ends = offsets.iter().skip(1).map(|o| (o - first).cast_unsigned()).collect();
    let (from, to) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
    let bytes = if from == 0 {
        match values.into_vec::<u8>() {
            Ok(mut owned) => {
                owned.truncate(to);
                owned
            }
            Err(shared) => shared.get(..to)?.to_vec(),
        }
    } else {
        values.get(from..to)?.to_vec()
    };
    Texts::from_utf8(bytes, ends)
}

fn coded(array: &ArrayRef) -> Result<ColumnData, Wrong> {
    let array = array.as_dictionary_opt::<UInt32Type>().ok_or("another dictionary than was asked for")?;
    let dictionary = texts(array.values().clone()).ok_or(CUT)?;
    Ok(ColumnData::Coded { codes: array.keys().values().to_vec(), dictionary })
}

fn lists(array: &ArrayRef) -> Result<ColumnData, Wrong> {
    let list = array.as_list_opt::<i32>().ok_or("not a list")?;
    let offsets = list.value_offsets();
    let (first, last) = match (offsets.first(), offsets.last()) {
        (Some(a), Some(b)) => (*a, *b),
        _ => (0, 0),
    };
    let ends = offsets.iter().skip(1).map(|o| (o - first).cast_unsigned()).collect();
    let items = list.values().slice(first.cast_unsigned() as usize, (last - first).cast_unsigned() as usize);
    if items.null_count() > 0 {
        return Err("an item is null, and a text would be right".into());
    }
    Ok(ColumnData::TextList { ends, items: texts(items).ok_or(CUT)? })
}

/// Timestamps and lists from texts.
fn parsed(array: ArrayRef, wanted: &Wanted) -> Result<ColumnData, Wrong> {
    let nulls = array.nulls().cloned();
    let mut cells = Cells::new(wanted);
    for (row, cell) in texts(array).ok_or(CUT)?.iter().enumerate() {
        let cell = if nulls.as_ref().is_some_and(|n| n.is_null(row)) { "" } else { cell };
        cells.text(cell).map_err(|why| Wrong { row: Some(row), why })?;
    }
    Ok(cells.finish().data)
}

fn integers(array: &ArrayRef) -> Result<Vec<i64>, Wrong> {
    match array.data_type() {
        DataType::Int64 => Ok(array.as_primitive::<Int64Type>().values().to_vec()),
        DataType::Int32 => Ok(widen::<Int32Type, i64>(array)),
        DataType::Int16 => Ok(widen::<Int16Type, i64>(array)),
        DataType::Int8 => Ok(widen::<Int8Type, i64>(array)),
        DataType::UInt32 => Ok(widen::<UInt32Type, i64>(array)),
        DataType::UInt16 => Ok(widen::<UInt16Type, i64>(array)),
        DataType::UInt8 => Ok(widen::<UInt8Type, i64>(array)),
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>().values();
            let convert =
                |(row, n): (usize, &u64)| i64::try_from(*n).or(if array.is_null(row) { Ok(0) } else { Err(row) });
            let all: Result<Vec<i64>, usize> = values.iter().enumerate().map(convert).collect();
            all.map_err(|row| Wrong { row: Some(row), why: "not a 64-bit integer: it is above 2^63 - 1" })
        }
        _ => Err("an integer would be right".into()),
    }
}

fn floats(array: &ArrayRef) -> Result<Vec<f64>, Wrong> {
    let v = match array.data_type() {
        DataType::Float64 => array.as_primitive::<Float64Type>().values().to_vec(),
        DataType::Float32 => widen::<Float32Type, f64>(array),
        #[expect(clippy::cast_precision_loss, reason = "a float that is written as an integer")]
        _ => integers(array)?.into_iter().map(|n| n as f64).collect(),
    };
    // One pass without a branch in the usual case.
    if v.iter().fold(true, |all, f| all & f.is_finite()) {
        return Ok(v);
    }
    match v.iter().enumerate().position(|(row, f)| !f.is_finite() && array.is_valid(row)) {
        Some(row) => Err(Wrong { row: Some(row), why: NOT_FINITE }),
        None => Ok(v),
    }
}

fn widen<T: ArrowPrimitiveType, W: From<T::Native>>(array: &ArrayRef) -> Vec<W> {
    array.as_primitive::<T>().values().iter().map(|n| W::from(*n)).collect()
}

/// Microseconds since 1970. A time without a zone is taken as UTC.
fn timestamps(array: &ArrayRef, unit: TimeUnit) -> Result<Vec<i64>, Wrong> {
    let scale = |values: &[i64], unit| {
        let all = values.iter().enumerate().map(|(row, n)| match time(*n, Some(unit)) {
            Ok(t) => Ok(t),
            Err(_) if array.is_null(row) => Ok(0),
            Err(why) => Err(Wrong { row: Some(row), why }),
        });
        all.collect()
    };
    match unit {
        TimeUnit::Second => scale(array.as_primitive::<TimestampSecondType>().values(), Unit::S),
        TimeUnit::Millisecond => scale(array.as_primitive::<TimestampMillisecondType>().values(), Unit::Ms),
        TimeUnit::Microsecond => scale(array.as_primitive::<TimestampMicrosecondType>().values(), Unit::Us),
        TimeUnit::Nanosecond => {
            Ok(array.as_primitive::<TimestampNanosecondType>().values().iter().map(|n| n.div_euclid(1000)).collect())
        }
    }
}
