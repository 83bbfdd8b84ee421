//! A base and the patch beside it, put together for readers.

use super::adjacency::{Csr, CsrPatch};
use super::array::Packed;
use super::chunk::Chunk;
use super::column::{Column, Origins};
use crate::value::Value;

/// A column's base and the rows that later commits set.
pub(crate) struct Merged<'a> {
    pub(crate) base: Option<(&'a Chunk, &'a Column)>,
    pub(crate) patch: Option<(&'a Chunk, &'a Packed, &'a Column)>,
}

impl<'a> Merged<'a> {
    /// The chunk, the column and the row in it that decide.
    pub(crate) fn at(&self, row: usize) -> Option<(&'a Chunk, &'a Column, usize)> {
        if let Some((chunk, rows, column)) = self.patch {
            let bytes = chunk.slice();
            let v = i64::try_from(row).unwrap_or(i64::MAX);
            let at = rows.lower_bound(bytes, v);
            if at < rows.count && rows.get(bytes, at) == v {
                return Some((chunk, column, at));
            }
        }
        self.base.map(|(chunk, column)| (chunk, column, row))
    }

    pub(crate) fn value(&self, row: usize) -> Value {
        self.at(row).map_or(Value::Null, |(chunk, column, row)| column.value(chunk.slice(), row))
    }

    pub(crate) fn text(&self, row: usize) -> Option<&'a str> {
        self.at(row).and_then(|(chunk, column, row)| column.text(chunk.slice(), row))
    }

    pub(crate) fn origins(&self, row: usize) -> Origins {
        self.at(row).map_or_else(Vec::new, |(chunk, column, row)| column.origins(chunk.slice(), row))
    }

    pub(crate) fn may_hold(&self, text: &str) -> bool {
        self.base.is_some_and(|(chunk, c)| c.may_hold(chunk.slice(), text))
            || self.patch.is_some_and(|(chunk, _, c)| c.may_hold(chunk.slice(), text))
    }
}

/// The adjacency of one edge type in one group.
pub(crate) struct Rows<'a> {
    pub(crate) base: Option<(&'a [u8], &'a Csr)>,
    pub(crate) patch: Option<(&'a [u8], &'a CsrPatch)>,
}

impl Rows<'_> {
    /// Calls `f` with (other end, ordinal, whether the base holds it, place in the base) in ascending order.
    pub(crate) fn each(&self, row: usize, f: &mut dyn FnMut(u32, u32, Option<usize>)) {
        let mut added = self.patch.map(|(bytes, p)| p.row(bytes, row)).into_iter().flatten().peekable();
        if let Some((bytes, csr)) = self.base {
            let span = csr.span(bytes, row);
            let others = csr.others(bytes).get(span.clone()).unwrap_or(&[]);
            let gone = self.patch.filter(|(b, p)| p.removes_in(b, &span));
            for (other, place) in others.iter().zip(span) {
                if gone.is_some_and(|(b, p)| p.is_removed(b, place)) {
                    continue;
                }
                while let Some(a) = added.next_if(|a| a.other < *other) {
                    f(a.other, a.ordinal, None);
                }
                f(*other, csr.ordinal(bytes, place), Some(place));
            }
        }
        for a in added {
            f(a.other, a.ordinal, None);
        }
    }
}
