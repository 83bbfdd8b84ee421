//! A column: the values of one property in one group's rows, or in some rows of it (a patch).
//!
//! Every column stands for itself: texts are coded against a dictionary in the chunk, or lie in it as they are where
//! they hardly repeat.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::array::{Buffer, Cursor, Heap, Packed, bit};
use crate::schema::PropType;
use crate::value::Value;

/// Where a node or an edge was found: (record, JSON pointer), sorted.
pub(crate) type Origins = Vec<(u32, Arc<str>)>;

/// What a row of a column holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Value(Value),
    Origins(Origins),
}

const KIND_BOOL: u32 = 1;
const KIND_INT: u32 = 2;
const KIND_FLOAT: u32 = 3;
const KIND_FLOAT_CODED: u32 = 4;
const KIND_TEXT: u32 = 5;
const KIND_TEXT_CODED: u32 = 6;
const KIND_TIMESTAMP: u32 = 7;
const KIND_LIST: u32 = 8;
const KIND_ORIGINS: u32 = 9;

/// A row's origins expand to this many bytes of pointers at most.
const MOST_ORIGIN_BYTES: usize = 64 << 20;

/// Lists of more items a row than this have a bit an item at least, so that a short file can't claim a long list.
const ITEMS: usize = 16;

const ALL_KNOWN: u32 = 0;
const SOME_KNOWN: u32 = 1;

fn head(b: &mut Buffer, kind: u32, rows: usize, known: Option<&[bool]>) {
    let some = known.is_some_and(|k| k.contains(&false));
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    b.u32s(&[kind, if some { SOME_KNOWN } else { ALL_KNOWN }, rows, 0]);
    if let (true, Some(k)) = (some, known) {
        b.bits(k.iter().copied());
    }
}

pub(crate) fn encode_bools(b: &mut Buffer, known: Option<&[bool]>, values: &[bool]) {
    head(b, KIND_BOOL, values.len(), known);
    b.bits(values.iter().copied());
}

/// Integers or timestamps. What stands where nothing is known is up to the caller; equal neighbours are cheapest.
pub(crate) fn encode_ints(b: &mut Buffer, ty: PropType, known: Option<&[bool]>, values: &[i64]) {
    head(b, if ty == PropType::Timestamp { KIND_TIMESTAMP } else { KIND_INT }, values.len(), known);
    b.packed(values);
}

pub(crate) fn encode_floats(b: &mut Buffer, known: Option<&[bool]>, values: &[f64]) {
    // Measured figures repeat: a dictionary of at most 64 Ki values, where it is smaller.
    const MOST: usize = 1 << 16;
    let mut seen: HashMap<u64, u32, Keyed> = HashMap::default();
    let mut codes: Vec<u32> = Vec::with_capacity(values.len());
    for f in values {
        let next = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        codes.push(*seen.entry(f.to_bits()).or_insert(next));
        if seen.len() > MOST {
            break;
        }
    }
    let width = usize::BITS - seen.len().leading_zeros();
    let coded = seen.len().saturating_mul(64).saturating_add(values.len().saturating_mul(width as usize));
    if seen.len() > MOST || coded >= values.len().saturating_mul(64) {
        head(b, KIND_FLOAT, values.len(), known);
        b.u64s(&values.iter().map(|f| f.to_bits()).collect::<Vec<_>>());
        return;
    }
    head(b, KIND_FLOAT_CODED, values.len(), known);
    let mut distinct: Vec<(u64, u32)> = seen.into_iter().collect();
    distinct.sort_unstable();
    let place = places(distinct.iter().map(|(_, c)| *c), distinct.len());
    b.u32s(&[u32::try_from(distinct.len()).unwrap_or(u32::MAX), 0]);
    b.u64s(&distinct.iter().map(|(v, _)| *v).collect::<Vec<_>>());
    b.packed_u32(codes.iter().map(|c| place.get(*c as usize).copied().unwrap_or(0)));
}

/// For each code its place in an order of codes.
fn places(order: impl Iterator<Item = u32>, count: usize) -> Vec<u32> {
    let mut place = vec![0u32; count];
    for (c, i) in order.zip(0u32..) {
        if let Some(p) = place.get_mut(c as usize) {
            *p = i;
        }
    }
    place
}

/// Texts that are numbered already: 0 is null, others mean what `text` says. The numbers need not be used all.
pub(crate) fn encode_numbered<'a>(b: &mut Buffer, numbers: &[u32], text: &dyn Fn(u32) -> &'a str) {
    let most = numbers.iter().copied().max().unwrap_or(0) as usize;
    let mut used = vec![false; most.saturating_add(1)];
    for n in numbers {
        if let Some(u) = used.get_mut(*n as usize) {
            *u = true;
        }
    }
    let mut sorted: Vec<(&str, u32)> =
        (0u32..).zip(&used).skip(1).filter(|(_, u)| **u).map(|(n, _)| (text(n), n)).collect();
    sorted.sort_unstable();
    let mut place = vec![0u32; used.len()];
    for ((_, n), i) in sorted.iter().zip(1u32..) {
        if let Some(p) = place.get_mut(*n as usize) {
            *p = i;
        }
    }
    head(b, KIND_TEXT_CODED, numbers.len(), None);
    b.texts(sorted.iter().map(|(s, _)| *s));
    b.packed_u32(numbers.iter().map(|n| place.get(*n as usize).copied().unwrap_or(0)));
}

/// The same number in every row.
pub(crate) fn encode_constant_int(b: &mut Buffer, rows: usize, value: i64) {
    head(b, KIND_INT, rows, None);
    b.line(rows, value, 0);
}

/// The same text in every row.
pub(crate) fn encode_constant_text(b: &mut Buffer, rows: usize, text: &str) {
    head(b, KIND_TEXT_CODED, rows, None);
    b.texts(std::iter::once(text));
    b.line(rows, 1, 0);
}

/// A list of one text, the same in every row.
pub(crate) fn encode_constant_list(b: &mut Buffer, rows: usize, text: &str) {
    head(b, KIND_LIST, rows, None);
    b.line(rows, 1, 1);
    b.texts(std::iter::once(text));
    b.line(rows, 1, 0);
}

/// One record as a whole, the same in every row.
pub(crate) fn encode_constant_origin(b: &mut Buffer, rows: usize, record: u32) {
    head(b, KIND_ORIGINS, rows, None);
    b.line(rows, 1, 1);
    b.line(rows, i64::from(record), 0);
    b.texts(std::iter::once("~"));
    b.line(rows, 0, 0);
    b.line(rows, 0, 0);
    b.packed(&[]);
}

/// How many texts are few enough to be always coded.
const FEW_TEXTS: usize = 1024;

/// Whether numbers of texts (0 is none) are more than are always coded.
pub(crate) fn are_many(numbers: &[u32]) -> bool {
    let mut seen: std::collections::HashSet<u32, Keyed> = std::collections::HashSet::default();
    numbers.iter().any(|n| *n > 0 && seen.insert(*n) && seen.len() > FEW_TEXTS)
}

/// Texts: with a dictionary, unless they hardly repeat.
pub(crate) fn encode_texts<'a>(b: &mut Buffer, values: impl Iterator<Item = Option<&'a str>> + Clone) {
    let mut seen: HashMap<&str, u32, Keyed> = HashMap::default();
    let (mut rows, mut present) = (0usize, 0usize);
    let mut plain = false;
    let mut codes: Vec<u32> = Vec::new();
    for v in values.clone() {
        rows += 1;
        let Some(s) = v else {
            codes.push(0);
            continue;
        };
        present += 1;
        let next = u32::try_from(seen.len()).unwrap_or(u32::MAX).saturating_add(1);
        codes.push(*seen.entry(s).or_insert(next));
        if seen.len() > FEW_TEXTS && seen.len() > present / 2 {
            plain = true;
            break;
        }
    }
    if plain {
        let known: Vec<bool> = values.clone().map(|v| v.is_some()).collect();
        head(b, KIND_TEXT, known.len(), Some(&known));
        b.texts(values.map(|v| v.unwrap_or("")));
        return;
    }
    head(b, KIND_TEXT_CODED, rows, None);
    encode_coded(b, &seen, &codes, false);
}

/// The seen texts in order, then a code a row; `codes` are numbers in order of first sight, from 1.
fn encode_coded(b: &mut Buffer, seen: &HashMap<&str, u32, Keyed>, codes: &[u32], bits: bool) {
    let mut sorted: Vec<(&str, u32)> = seen.iter().map(|(s, c)| (*s, *c)).collect();
    sorted.sort_unstable();
    let mut place = vec![0u32; sorted.len() + 1];
    for ((_, c), i) in sorted.iter().zip(1u32..) {
        if let Some(p) = place.get_mut(*c as usize) {
            *p = i;
        }
    }
    b.texts(sorted.iter().map(|(s, _)| *s));
    let places: Vec<i64> = codes.iter().map(|c| i64::from(place.get(*c as usize).copied().unwrap_or(0))).collect();
    if bits { b.packed_bits(&places) } else { b.packed(&places) }
}

/// Lists of texts; `None` is null.
pub(crate) fn encode_lists<'a, I: Iterator<Item = &'a str>>(b: &mut Buffer, rows: impl Iterator<Item = Option<I>>) {
    let mut seen: HashMap<&str, u32, Keyed> = HashMap::default();
    let (mut known, mut ends, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        known.push(row.is_some());
        for s in row.into_iter().flatten() {
            let next = u32::try_from(seen.len()).unwrap_or(u32::MAX).saturating_add(1);
            codes.push(*seen.entry(s).or_insert(next));
        }
        ends.push(i64::try_from(codes.len()).unwrap_or(i64::MAX));
    }
    head(b, KIND_LIST, known.len(), Some(&known));
    b.packed(&ends);
    encode_coded(b, &seen, &codes, codes.len() > known.len().saturating_mul(ITEMS));
}

/// Origins: a pointer is a template, in which `#` stands for a number, and its numbers.
pub(crate) fn encode_origins<'a>(b: &mut Buffer, rows: impl Iterator<Item = &'a [(u32, Arc<str>)]>) {
    let mut templates: BTreeMap<String, u32> = BTreeMap::new();
    let (mut ends, mut records, mut codes, mut number_ends, mut numbers) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        for (record, pointer) in row {
            let template = template(pointer, &mut numbers);
            let next = u32::try_from(templates.len()).unwrap_or(u32::MAX);
            codes.push(*templates.entry(template).or_insert(next));
            records.push(i64::from(*record));
            number_ends.push(i64::try_from(numbers.len()).unwrap_or(i64::MAX));
        }
        ends.push(i64::try_from(codes.len()).unwrap_or(i64::MAX));
    }
    head(b, KIND_ORIGINS, ends.len(), None);
    b.packed(&ends);
    if records.len() > ends.len().saturating_mul(ITEMS) {
        b.packed_bits(&records)
    } else {
        b.packed(&records)
    }
    let mut place = vec![0u32; templates.len()];
    for (c, i) in templates.values().zip(0u32..) {
        if let Some(p) = place.get_mut(*c as usize) {
            *p = i;
        }
    }
    b.texts(templates.keys().map(String::as_str));
    b.packed_u32(codes.iter().map(|c| place.get(*c as usize).copied().unwrap_or(0)));
    b.packed(&number_ends);
    b.packed(&numbers);
}

/// `/value/12/owners/0` → `~/value/#/owners/#` and 12, 0; what holds a `#` itself stays as it is, behind `=`.
fn template(pointer: &str, numbers: &mut Vec<i64>) -> String {
    if pointer.contains('#') {
        return format!("={pointer}");
    }
    let mut out = String::from("~");
    for (i, part) in pointer.split('/').enumerate() {
        if i > 0 {
            out.push('/');
        }
        let plain = !part.is_empty()
            && part.len() <= 15
            && part.bytes().all(|c| c.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'));
        match part.parse::<i64>() {
            Ok(n) if plain => {
                numbers.push(n);
                out.push('#');
            }
            _ => out.push_str(part),
        }
    }
    out
}

/// Any column from cells, `None` being null.
pub(crate) fn encode_cells<'a>(b: &mut Buffer, ty: PropType, cells: impl Iterator<Item = Option<&'a Value>> + Clone) {
    let known = || -> Vec<bool> { cells.clone().map(|v| v.is_some_and(|v| !v.is_null())).collect() };
    match ty {
        PropType::Str | PropType::Any => encode_texts(b, cells.map(|v| v.and_then(Value::as_str))),
        PropType::StrList => {
            encode_lists(b, cells.map(|v| v.filter(|v| !v.is_null()).map(|v| v.as_list().iter().map(|s| &**s))))
        }
        PropType::Bool => {
            let values: Vec<bool> = cells.clone().map(|v| matches!(v, Some(Value::Bool(true)))).collect();
            encode_bools(b, Some(&known()), &values);
        }
        PropType::Float => {
            let values: Vec<f64> =
                cells.clone().map(|v| if let Some(Value::Float(f)) = v { *f } else { 0.0 }).collect();
            encode_floats(b, Some(&known()), &values);
        }
        PropType::Int | PropType::Timestamp => {
            let mut last = cells
                .clone()
                .find_map(|v| if let Some(Value::Int(n) | Value::Timestamp(n)) = v { Some(*n) } else { None })
                .unwrap_or(0);
            let values: Vec<i64> = cells
                .clone()
                .map(|v| {
                    if let Some(Value::Int(n) | Value::Timestamp(n)) = v {
                        last = *n;
                    }
                    last
                })
                .collect();
            encode_ints(b, ty, Some(&known()), &values);
        }
    }
}

/// A fast hash with a fixed key: nothing in a store may depend on a random number. Texts that were made to collide cost
/// time within one chunk (65,536 rows at most), never a wrong answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Keyed;

impl std::hash::BuildHasher for Keyed {
    type Hasher = foldhash::fast::FoldHasher<'static>;
    fn build_hasher(&self) -> Self::Hasher {
        foldhash::fast::FixedState::with_seed(0x5eed_5b0a_11ce_0001).build_hasher()
    }
}

/// A column in a chunk, parsed and checked.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) rows: usize,
    known: Option<usize>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Bool(usize),
    Int(Packed),
    Timestamp(Packed),
    Float(usize),
    FloatCoded { codes: Packed, values: usize },
    Text(Heap),
    TextCoded { codes: Packed, heap: Heap, strings: OnceLock<Vec<Arc<str>>> },
    List { ends: Packed, codes: Packed, heap: Heap, strings: OnceLock<Vec<Arc<str>>> },
    Origins { ends: Packed, records: Packed, codes: Packed, heap: Heap, number_ends: Packed, numbers: Packed },
}

impl Column {
    /// Parses and checks a column of `ty` (`None`: origins) with this many rows.
    pub(crate) fn parse(
        c: &mut Cursor<'_>,
        ty: Option<PropType>,
        records: usize,
        expected: usize,
    ) -> Result<Self, &'static str> {
        let (_, head) = c.u32s(4)?;
        let [kind, known, rows, _] = *head else { return Err("length") };
        let rows = super::array::idx(rows);
        if rows != expected {
            return Err("row count");
        }
        let known = match known {
            ALL_KNOWN => None,
            SOME_KNOWN => Some(c.bits(rows)?),
            _ => return Err("known rows"),
        };
        let body = match (kind, ty) {
            (KIND_BOOL, Some(PropType::Bool)) => Body::Bool(c.bits(rows)?),
            (KIND_INT, Some(PropType::Int)) => Body::Int(c.packed()?),
            (KIND_TIMESTAMP, Some(PropType::Timestamp)) => Body::Timestamp(c.packed()?),
            (KIND_FLOAT, Some(PropType::Float)) => Body::Float(c.u64s(rows)?.0),
            (KIND_FLOAT_CODED, Some(PropType::Float)) => {
                let (_, n) = c.u32s(2)?;
                let n = n.first().copied().unwrap_or(0);
                let values = c.u64s(super::array::idx(n))?.0;
                Body::FloatCoded { codes: c.numbers(rows, u64::from(n), false)?, values }
            }
            (KIND_TEXT, Some(PropType::Str | PropType::Any)) => Body::Text(c.texts(Some(rows))?),
            (KIND_TEXT_CODED, Some(PropType::Str | PropType::Any)) => {
                let heap = c.dictionary(None)?;
                let codes = c.numbers(rows, heap.len() as u64 + 1, false)?;
                Body::TextCoded { codes, heap, strings: OnceLock::new() }
            }
            (KIND_LIST, Some(PropType::StrList)) => {
                let ends = c.numbers(rows, u64::from(u32::MAX), true)?;
                let heap = c.dictionary(None)?;
                let codes = c.bounded(rows.saturating_mul(ITEMS))?;
                Body::List { ends, codes, heap, strings: OnceLock::new() }
            }
            (KIND_ORIGINS, None) => {
                let ends = c.numbers(rows, u64::from(u32::MAX), true)?;
                let count = c.bounded(rows.saturating_mul(ITEMS))?;
                let heap = c.dictionary(None)?;
                let codes = c.numbers(count.count, heap.len() as u64, false)?;
                let number_ends = c.numbers(count.count, u64::from(u32::MAX), true)?;
                let numbers = c.packed()?;
                Body::Origins { ends, records: count, codes, heap, number_ends, numbers }
            }
            _ => return Err("another type of column"),
        };
        let column = Self { rows, known, body };
        column.check(c.bytes(), records)?;
        Ok(column)
    }

    fn check(&self, bytes: &[u8], all_records: usize) -> Result<(), &'static str> {
        let last = |p: &Packed| if p.count == 0 { 0 } else { p.get(bytes, p.count - 1) };
        let same = |end: i64, count: usize| usize::try_from(end) == Ok(count);
        match &self.body {
            Body::Int(p) | Body::Timestamp(p) if p.count != self.rows => Err("row count"),
            Body::List { ends, codes, heap, .. } => {
                // From 1 on: 0 would be null, and items aren't.
                let some = codes.iter(bytes).take(if codes.is_constant() { 1 } else { usize::MAX }).all(|c| c >= 1);
                if !same(last(ends), codes.count) || !some || !codes.fits(bytes, heap.len() as u64 + 1) {
                    return Err("text number out of range");
                }
                Ok(())
            }
            Body::Origins { ends, records, codes, heap, number_ends, numbers } => {
                // What one row says is bounded, whatever its entries share.
                let longest = (0..heap.len()).map(|i| {
                    let t = heap.get(bytes, i);
                    t.len().saturating_add(t.bytes().filter(|b| *b == b'#').count().saturating_mul(20))
                });
                let most = longest.max().unwrap_or(0);
                let entries = usize::try_from(ends.greatest_step(bytes)).unwrap_or(0);
                if entries.saturating_mul(most) > MOST_ORIGIN_BYTES {
                    return Err("too much text in a row");
                }
                if !same(last(ends), codes.count) || !records.fits(bytes, all_records as u64) {
                    return Err("record out of range");
                }
                if same(last(number_ends), numbers.count) { Ok(()) } else { Err("pointer numbers") }
            }
            _ => Ok(()),
        }
    }

    fn known(&self, bytes: &[u8], row: usize) -> bool {
        row < self.rows && self.known.is_none_or(|at| bit(bytes, at, row))
    }

    /// The value in a row; null beyond the last.
    pub(crate) fn value(&self, bytes: &[u8], row: usize) -> Value {
        if !self.known(bytes, row) {
            return Value::Null;
        }
        let word = |at: usize, i: usize| {
            let from = at.saturating_add(i.saturating_mul(8));
            bytes.get(from..).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b))
        };
        match &self.body {
            Body::Bool(at) => Value::Bool(bit(bytes, *at, row)),
            Body::Int(p) => Value::Int(p.get(bytes, row)),
            Body::Timestamp(p) => Value::Timestamp(p.get(bytes, row)),
            Body::Float(at) => Value::Float(f64::from_bits(word(*at, row))),
            Body::FloatCoded { codes, values } => {
                Value::Float(f64::from_bits(word(*values, codes.small(bytes, row) as usize)))
            }
            Body::Text(heap) => Value::Str(heap.get(bytes, row).into()),
            Body::TextCoded { codes, heap, strings } => match codes.small(bytes, row) {
                0 => Value::Null,
                c => all(strings, heap, bytes).get(c as usize - 1).map_or(Value::Null, |s| Value::Str(s.clone())),
            },
            Body::List { ends, codes, heap, strings } => {
                let all = all(strings, heap, bytes);
                let item = |i: usize| {
                    let c = codes.small(bytes, i) as usize;
                    all.get(c.saturating_sub(1)).cloned().unwrap_or_else(|| "".into())
                };
                Value::List(span(ends, bytes, row).map(item).collect())
            }
            Body::Origins { .. } => Value::Null,
        }
    }

    /// The text in a row, without a copy; `None` where it is null or the column holds something else.
    pub(crate) fn text<'a>(&self, bytes: &'a [u8], row: usize) -> Option<&'a str> {
        if !self.known(bytes, row) {
            return None;
        }
        match &self.body {
            Body::Text(heap) => Some(heap.get(bytes, row)),
            Body::TextCoded { codes, heap, .. } => match codes.small(bytes, row) {
                0 => None,
                c => Some(heap.get(bytes, c as usize - 1)),
            },
            _ => None,
        }
    }

    /// A code a row and the texts that they stand for from 1 on, where the column is coded; 0 is null.
    pub(crate) fn coded(&self) -> Option<(&Packed, &Heap)> {
        match &self.body {
            Body::TextCoded { codes, heap, .. } if self.known.is_none() => Some((codes, heap)),
            _ => None,
        }
    }

    /// Whether a text occurs in any row (may say yes where it is hard to tell).
    pub(crate) fn may_hold(&self, bytes: &[u8], text: &str) -> bool {
        match &self.body {
            Body::TextCoded { heap, .. } | Body::List { heap, .. } => heap.find(bytes, text).is_some(),
            _ => true,
        }
    }

    /// The origins in a row.
    pub(crate) fn origins(&self, bytes: &[u8], row: usize) -> Origins {
        let Body::Origins { ends, records, codes, heap, number_ends, numbers } = &self.body else { return Vec::new() };
        span(ends, bytes, row)
            .map(|i| {
                let template = heap.get(bytes, codes.small(bytes, i) as usize);
                let mut rest = span(number_ends, bytes, i).map(|n| numbers.get(bytes, n));
                let pointer = match template.strip_prefix('~') {
                    Some(t) => t
                        .split('#')
                        .enumerate()
                        .map(|(i, part)| match (i, part) {
                            (0, p) => p.to_owned(),
                            (_, p) => format!("{}{p}", rest.next().unwrap_or(0)),
                        })
                        .collect::<String>(),
                    None => template.get(1..).unwrap_or("").to_owned(),
                };
                (records.small(bytes, i), pointer.into())
            })
            .collect()
    }
}

fn all<'a>(strings: &'a OnceLock<Vec<Arc<str>>>, heap: &Heap, bytes: &[u8]) -> &'a [Arc<str>] {
    strings.get_or_init(|| (0..heap.len()).map(|i| heap.get(bytes, i).into()).collect())
}

fn span(ends: &Packed, bytes: &[u8], row: usize) -> std::ops::Range<usize> {
    if row >= ends.count {
        return 0..0;
    }
    let end = |i: usize| usize::try_from(ends.get(bytes, i)).unwrap_or(0);
    let from = if row == 0 { 0 } else { end(row - 1) };
    from..end(row).max(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_come_back() {
        let pointers = ["", "/", "/value/12/owners/0", "/a/007", "/x#y/3", "#", "/0", "12", "~/1", "=/1"];
        let origins: Origins = pointers.iter().map(|p| (1, Arc::from(*p))).collect();
        let mut b = Buffer::default();
        encode_origins(&mut b, [&origins[..], &[], &origins[2..3]].into_iter());
        let bytes = b.into_bytes();
        let words: Vec<u64> = bytes.chunks(8).map(|c| u64::from_le_bytes(c.try_into().unwrap())).collect();
        let bytes: &[u8] = bytemuck::cast_slice(&words);
        let mut c = Cursor::new(bytes);
        let column = Column::parse(&mut c, None, 2, 3).unwrap();
        c.end().unwrap();
        assert_eq!(column.origins(bytes, 0), origins);
        assert!(column.origins(bytes, 1).is_empty());
        assert_eq!(column.origins(bytes, 2), origins[2..3]);
    }
}
