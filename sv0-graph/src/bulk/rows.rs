//! Rows gathered from slices of a table, column by column, until they are encoded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::table::{Column, ColumnData, Texts};
use crate::schema::PropType;
use crate::store::array::Buffer;
use crate::store::column::{self, Keyed};
use crate::store::encode;

/// Texts by number, each once.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    numbers: HashMap<Box<str>, u32, Keyed>,
    texts: Texts,
}

impl Interner {
    /// `None` where the texts exceed 4 GiB in all.
    pub(crate) fn number(&mut self, text: &str) -> Option<u32> {
        if let Some(n) = self.numbers.get(text) {
            return Some(*n);
        }
        let n = u32::try_from(self.texts.len()).ok()?;
        if !self.texts.push(text) {
            return None;
        }
        self.numbers.insert(text.into(), n);
        Some(n)
    }
}

#[derive(Debug)]
enum Data {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Float(Vec<f64>),
    Timestamp(Vec<i64>),
    Text(Texts),
    Coded(Vec<u32>, Interner),
    List { ends: Vec<u32>, codes: Vec<u32>, items: Interner },
}

impl Interner {
    /// Forgets many texts: what follows is gathered anew. Few are kept, because they are likely to come again.
    fn shrink(&mut self) {
        const FEW: usize = 4096;
        if self.texts.len() > FEW {
            *self = Self::default();
        }
    }
}

/// A column that grows.
#[derive(Debug)]
pub(crate) struct GrowingColumn {
    pub(crate) name: Arc<str>,
    data: Data,
    /// Which rows are known, where not all are.
    known: Option<Vec<bool>>,
}

/// Which rows of a column to encode, in which order.
#[derive(Debug, Clone)]
pub(crate) enum Pick<'a> {
    Range(Range<usize>),
    List(&'a [u32]),
}

impl Pick<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Range(r) => r.len(),
            Self::List(l) => l.len(),
        }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = usize> + '_> {
        match self {
            Self::Range(r) => Box::new(r.clone()),
            Self::List(l) => Box::new(l.iter().map(|i| *i as usize)),
        }
    }

    pub(crate) fn of<'v, T: Copy>(&self, values: &'v [T]) -> Cow<'v, [T]> {
        match self {
            Self::Range(r) => Cow::Borrowed(&values[r.clone()]),
            Self::List(l) => Cow::Owned(l.iter().map(|i| values[*i as usize]).collect()),
        }
    }
}

impl GrowingColumn {
    /// An empty column like `c`.
    pub(crate) fn like(c: &Column) -> Self {
        let data = match &c.data {
            ColumnData::Bool(_) => Data::Bool(Vec::new()),
            ColumnData::Int(_) => Data::Int(Vec::new()),
            ColumnData::Float(_) => Data::Float(Vec::new()),
            ColumnData::Timestamp(_) => Data::Timestamp(Vec::new()),
            ColumnData::Text(_) => Data::Text(Texts::new()),
            ColumnData::Coded { .. } => Data::Coded(Vec::new(), Interner::default()),
            ColumnData::TextList { .. } => {
                Data::List { ends: Vec::new(), codes: Vec::new(), items: Interner::default() }
            }
        };
        Self { name: c.name.clone(), data, known: None }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.data {
            Data::Bool(v) => v.len(),
            Data::Int(v) | Data::Timestamp(v) => v.len(),
            Data::Float(v) => v.len(),
            Data::Text(t) => t.len(),
            Data::Coded(v, _) => v.len(),
            Data::List { ends, .. } => ends.len(),
        }
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> usize {
        let known = self.known.as_ref().map_or(0, Vec::len);
        known
            + match &self.data {
                Data::Bool(v) => v.len(),
                Data::Int(v) | Data::Timestamp(v) => v.len() * 8,
                Data::Float(v) => v.len() * 8,
                Data::Text(t) => t.heap_bytes(),
                Data::Coded(v, i) => v.len() * 4 + i.texts.heap_bytes() * 3,
                Data::List { ends, codes, items } => (ends.len() + codes.len()) * 4 + items.texts.heap_bytes() * 3,
            }
    }

    /// Takes room for so many rows in all.
    pub(crate) fn reserve(&mut self, rows: usize) {
        let more = rows.saturating_sub(self.len());
        match &mut self.data {
            Data::Bool(v) => v.reserve_exact(more),
            Data::Int(v) | Data::Timestamp(v) => v.reserve_exact(more),
            Data::Float(v) => v.reserve_exact(more),
            Data::Coded(v, _) => v.reserve_exact(more),
            // How long their texts are isn't known.
            Data::Text(_) | Data::List { .. } => {}
        }
    }

    /// Appends rows of a slice's column. `false` where it has another type than before, or holds too much text.
    pub(crate) fn append(&mut self, c: &Column, range: Range<usize>) -> bool {
        let before = self.len();
        let fits = match (&mut self.data, &c.data) {
            (Data::Bool(v), ColumnData::Bool(w)) => append(v, w, &range),
            (Data::Int(v), ColumnData::Int(w)) | (Data::Timestamp(v), ColumnData::Timestamp(w)) => append(v, w, &range),
            (Data::Float(v), ColumnData::Float(w)) => append(v, w, &range),
            (Data::Text(v), ColumnData::Text(w)) => v.extend_from(w, range.clone()),
            (Data::Text(v), ColumnData::Coded { codes, dictionary }) => {
                codes[range.clone()].iter().all(|c| v.push(dictionary.get(*c as usize)))
            }
            (Data::Coded(v, interner), ColumnData::Coded { codes, dictionary }) => {
                match dictionary.iter().map(|t| interner.number(t)).collect::<Option<Vec<u32>>>() {
                    Some(map) => {
                        // What stands in a row that isn't known may be any number.
                        v.extend(codes[range.clone()].iter().map(|c| map.get(*c as usize).copied().unwrap_or(0)));
                        true
                    }
                    None => false,
                }
            }
            // A column that was coded at first and now isn't: texts one by one.
            (Data::Coded(v, interner), ColumnData::Text(w)) => {
                range.clone().all(|i| interner.number(w.get(i)).map(|n| v.push(n)).is_some())
            }
            (Data::List { ends, codes, items }, ColumnData::TextList { ends: more, items: texts }) => {
                range.clone().all(|row| {
                    let from = if row == 0 { 0 } else { more[row - 1] };
                    let fits =
                        (from..more[row]).all(|i| items.number(texts.get(i as usize)).map(|n| codes.push(n)).is_some());
                    let end = u32::try_from(codes.len());
                    ends.push(end.unwrap_or(u32::MAX));
                    fits && end.is_ok()
                })
            }
            _ => false,
        };
        if let Some(more) = &c.known
            && self.known.is_none()
            && more[range.clone()].contains(&false)
        {
            self.known = Some(vec![true; before]);
        }
        if let Some(known) = &mut self.known {
            match &c.known {
                Some(more) => known.extend_from_slice(&more[range]),
                None => known.extend(range.map(|_| true)),
            }
        }
        fits
    }

    /// Appends rows that aren't known.
    pub(crate) fn skip(&mut self, rows: usize) {
        if rows == 0 {
            return;
        }
        let before = self.len();
        self.known.get_or_insert_with(|| vec![true; before]).extend(std::iter::repeat_n(false, rows));
        let all = before + rows;
        match &mut self.data {
            Data::Bool(v) => v.resize(all, false),
            Data::Int(v) | Data::Timestamp(v) => v.resize(all, 0),
            Data::Float(v) => v.resize(all, 0.0),
            Data::Text(t) => (0..rows).for_each(|_| {
                t.push("");
            }),
            Data::Coded(v, interner) => {
                let nothing = interner.number("").unwrap_or(0);
                v.resize(all, nothing);
            }
            Data::List { ends, .. } => {
                let last = ends.last().copied().unwrap_or(0);
                ends.resize(all, last);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.known = None;
        match &mut self.data {
            Data::Bool(v) => v.clear(),
            Data::Int(v) | Data::Timestamp(v) => v.clear(),
            Data::Float(v) => v.clear(),
            Data::Text(t) => *t = Texts::new(),
            Data::Coded(v, interner) => {
                v.clear();
                interner.shrink();
            }
            Data::List { ends, codes, items } => {
                ends.clear();
                codes.clear();
                items.shrink();
            }
        }
    }

    /// The text in a row; `None` where it isn't known or the column isn't one of texts.
    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        if self.known.as_ref().is_some_and(|k| !k[row]) {
            return None;
        }
        match &self.data {
            Data::Text(t) => Some(t.get(row)),
            Data::Coded(v, i) => Some(i.texts.get(v[row] as usize)),
            _ => None,
        }
    }

    /// The numbers that the texts of a coded column stand for by `f`, a row each; `None` for another column.
    pub(crate) fn mapped(&self, pick: &Pick<'_>, f: &dyn Fn(Option<&str>) -> Option<i64>) -> Option<Vec<i64>> {
        if let (Data::Coded(v, interner), None) = (&self.data, &self.known) {
            let map: Vec<Option<i64>> = interner.texts.iter().map(|t| f(Some(t))).collect();
            return pick.iter().map(|i| map.get(v[i] as usize).copied().flatten()).collect();
        }
        pick.iter().map(|i| f(self.text(i))).collect()
    }

    /// The picked rows as a column; `None` where none of them is known.
    pub(crate) fn encode(&self, pick: &Pick<'_>) -> Option<Vec<u8>> {
        let known = self.known.as_ref().map(|k| pick.of(k));
        if pick.len() == 0 || known.as_ref().is_some_and(|k| !k.contains(&true)) {
            return None;
        }
        let mut b = Buffer::default();
        let is = |i: usize| self.known.as_ref().is_none_or(|k| k[i]);
        match &self.data {
            Data::Bool(v) => column::encode_bools(&mut b, known.as_deref(), &pick.of(v)),
            Data::Int(v) => column::encode_ints(&mut b, PropType::Int, known.as_deref(), &pick.of(v)),
            Data::Timestamp(v) => column::encode_ints(&mut b, PropType::Timestamp, known.as_deref(), &pick.of(v)),
            Data::Float(v) => column::encode_floats(&mut b, known.as_deref(), &pick.of(v)),
            Data::Text(t) => {
                let rows: Vec<Option<&str>> = pick.iter().map(|i| is(i).then(|| t.get(i))).collect();
                column::encode_texts(&mut b, rows.iter().copied());
            }
            Data::Coded(v, interner) => {
                let codes: Vec<u32> = pick.iter().map(|i| if is(i) { v[i] + 1 } else { 0 }).collect();
                let text = |n: u32| interner.texts.get(n as usize - 1);
                if column::are_many(&codes) {
                    // As any texts: how they came doesn't show.
                    column::encode_texts(&mut b, codes.iter().map(|n| (*n > 0).then(|| text(*n))));
                } else {
                    column::encode_numbered(&mut b, &codes, &text);
                }
            }
            Data::List { ends, codes, items } => {
                let rows = pick.iter().map(|i| {
                    let from = if i == 0 { 0 } else { ends[i - 1] };
                    is(i).then(|| codes[from as usize..ends[i] as usize].iter().map(|c| items.texts.get(*c as usize)))
                });
                column::encode_lists(&mut b, rows);
            }
        }
        Some(b.into_bytes())
    }

    /// The rows of each value, for a value index; `None` for a column that isn't one of few texts.
    pub(crate) fn value_index(&self) -> Option<(u32, Vec<u8>)> {
        let mut rows: Vec<Vec<u32>> = Vec::new();
        let mut put = |code: u32, row: usize| {
            let code = code as usize;
            if rows.len() <= code {
                rows.resize(code + 1, Vec::new());
            }
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            if rows[code].last() != Some(&row) {
                rows[code].push(row);
            }
        };
        let is = |i: usize| self.known.as_ref().is_none_or(|k| k[i]);
        match &self.data {
            Data::Coded(v, _) => v.iter().enumerate().filter(|(i, _)| is(*i)).for_each(|(i, c)| put(*c, i)),
            Data::List { ends, codes, .. } => {
                for row in (0..ends.len()).filter(|i| is(*i)) {
                    let from = if row == 0 { 0 } else { ends[row - 1] };
                    codes[from as usize..ends[row] as usize].iter().for_each(|c| put(*c, row));
                }
            }
            Data::Text(t) => {
                let mut own = Interner::default();
                let texts = t.iter().enumerate().filter(|(i, _)| is(*i));
                for (i, s) in texts {
                    put(own.number(s)?, i);
                    if own.texts.len() > encode::MOST_VALUES {
                        return None;
                    }
                }
                return encode::encode_value_rows(rows.iter().enumerate().map(|(c, r)| (own.texts.get(c), &r[..])));
            }
            _ => return None,
        }
        match &self.data {
            Data::Coded(_, own) | Data::List { items: own, .. } => {
                encode::encode_value_rows(rows.iter().enumerate().map(|(c, r)| (own.texts.get(c), &r[..])))
            }
            _ => None,
        }
    }

    /// The rows as a slice's column, for the spill.
    pub(crate) fn to_column(&self, pick: &Pick<'_>) -> Column {
        let data = match &self.data {
            Data::Bool(v) => ColumnData::Bool(pick.of(v).into_owned()),
            Data::Int(v) => ColumnData::Int(pick.of(v).into_owned()),
            Data::Timestamp(v) => ColumnData::Timestamp(pick.of(v).into_owned()),
            Data::Float(v) => ColumnData::Float(pick.of(v).into_owned()),
            Data::Text(t) => ColumnData::Text(pick.iter().map(|i| t.get(i)).collect()),
            Data::Coded(v, interner) => {
                let mut own = Interner::default();
                let codes = pick.iter().map(|i| own.number(interner.texts.get(v[i] as usize)).unwrap_or(0)).collect();
                ColumnData::Coded { codes, dictionary: own.texts }
            }
            Data::List { ends, codes, items } => {
                let (mut own_ends, mut own) = (Vec::new(), Texts::new());
                for i in pick.iter() {
                    let from = if i == 0 { 0 } else { ends[i - 1] };
                    for c in &codes[from as usize..ends[i] as usize] {
                        own.push(items.texts.get(*c as usize));
                    }
                    own_ends.push(u32::try_from(own.len()).unwrap_or(u32::MAX));
                }
                ColumnData::TextList { ends: own_ends, items: own }
            }
        };
        let known = self.known.as_ref().map(|k| pick.of(k).into_owned());
        Column { name: self.name.clone(), data, known }
    }
}

fn append<T: Copy>(to: &mut Vec<T>, from: &[T], range: &Range<usize>) -> bool {
    to.extend_from_slice(&from[range.clone()]);
    true
}
