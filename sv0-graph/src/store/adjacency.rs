//! Adjacency: compressed sparse rows of one edge type, by the group of the start or of the end, and patches on them.
//!
//! An edge's ordinal is its place among the edges of its type that start in its group; it stays while the chunk it
//! stands in isn't written anew. Edges that a later commit added have ordinals behind the base's.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use std::ops::Range;

use super::array::{Buffer, Cursor, Packed, idx};

/// Rows of neighbours, sorted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Csr {
    pub(crate) rows: usize,
    pub(crate) edges: usize,
    ends: usize,
    others: usize,
    ordinals: Option<Packed>,
}

/// Writes rows: `starts` has one more entry than rows. `ordinals` only where rows are ends.
pub(crate) fn encode_csr(starts: &[u32], others: &[u32], ordinals: Option<&[u32]>) -> Vec<u8> {
    let mut b = Buffer::default();
    let n = |l: usize| u32::try_from(l).unwrap_or(u32::MAX);
    b.u32s(&[n(starts.len().saturating_sub(1)), n(others.len())]);
    b.u32s(starts);
    b.u32s(others);
    if let Some(o) = ordinals {
        b.packed_u32(o.iter().copied());
    }
    b.into_bytes()
}

impl Csr {
    /// `fits` says whether a node may stand at the other end.
    pub(crate) fn parse(c: &mut Cursor<'_>, inward: bool, fits: &dyn Fn(&[u32]) -> bool) -> Result<Self, &'static str> {
        let (_, head) = c.u32s(2)?;
        let [rows, edges] = *head else { return Err("length") };
        let (rows, edges) = (idx(rows), idx(edges));
        let (ends_at, ends) = c.u32s(rows.saturating_add(1))?;
        if ends.first() != Some(&0) || !ends.is_sorted() || ends.last().map(|e| idx(*e)) != Some(edges) {
            return Err("offsets aren't monotone");
        }
        let (others_at, others) = c.u32s(edges)?;
        if !fits(others) {
            return Err("node id out of range or of a type that the edge type doesn't allow");
        }
        // Descents may only stand where a row begins: as many are there as in the whole, if none is inside of a row.
        let descends = |w: &[u32]| matches!(*w, [a, b] if a > b);
        let next = others.get(1..).unwrap_or(&[]);
        let all = others.iter().zip(next).fold(0u32, |n, (a, b)| n.wrapping_add(u32::from(a > b)));
        let mut last = 0;
        let at_starts = ends.iter().filter(|e| {
            let i = idx(**e);
            let first = **e != last && i < edges;
            last = **e;
            first && others.get(i.saturating_sub(1)..i.saturating_add(1)).is_some_and(descends)
        });
        if at_starts.count() != idx(all) {
            return Err("neighbours aren't sorted");
        }
        let ordinals = if inward { Some(c.numbers(edges, 1 << 32, false)?) } else { None };
        Ok(Self { rows, edges, ends: ends_at, others: others_at, ordinals })
    }

    fn words(bytes: &[u8], at: usize, count: usize) -> &[u32] {
        let end = at.saturating_add(count.saturating_mul(4));
        bytes.get(at..end).and_then(|b| bytemuck::try_cast_slice(b).ok()).unwrap_or(&[])
    }

    /// Where each row's neighbours begin, and after the last where they end.
    pub(crate) fn starts<'a>(&self, bytes: &'a [u8]) -> &'a [u32] {
        Self::words(bytes, self.ends, self.rows.saturating_add(1))
    }

    /// All rows' neighbours.
    pub(crate) fn others<'a>(&self, bytes: &'a [u8]) -> &'a [u32] {
        Self::words(bytes, self.others, self.edges)
    }

    /// The places of a row's neighbours.
    pub(crate) fn span(&self, bytes: &[u8], row: usize) -> Range<usize> {
        let starts = self.starts(bytes);
        match (starts.get(row), starts.get(row.saturating_add(1))) {
            (Some(a), Some(b)) => idx(*a)..idx(*b),
            _ => 0..0,
        }
    }

    /// The row that place `i` belongs to.
    pub(crate) fn row_of(&self, bytes: &[u8], i: usize) -> usize {
        self.starts(bytes).partition_point(|e| idx(*e) <= i).saturating_sub(1)
    }

    /// The ordinal of the edge at place `i`: itself, where rows are starts.
    pub(crate) fn ordinal(&self, bytes: &[u8], i: usize) -> u32 {
        match &self.ordinals {
            Some(p) => p.small(bytes, i),
            None => u32::try_from(i).unwrap_or(u32::MAX),
        }
    }
}

/// An edge that a patch adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Added {
    pub(crate) row: u32,
    pub(crate) other: u32,
    pub(crate) ordinal: u32,
}

/// What later commits took from a chunk and added to it.
#[derive(Debug, Clone)]
pub(crate) struct CsrPatch {
    removed: Packed,
    added: usize,
    count: usize,
    by_ordinal: usize,
    /// The first ordinal that was never given out.
    pub(crate) next: u32,
}

/// A patch's content, unpacked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PatchContent {
    /// Places in the base, ascending.
    pub(crate) removed: Vec<u32>,
    /// Ascending.
    pub(crate) added: Vec<Added>,
    pub(crate) next: u32,
}

impl PatchContent {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut b = Buffer::default();
        b.u32s(&[u32::try_from(self.added.len()).unwrap_or(u32::MAX), self.next]);
        b.packed_bits(&self.removed.iter().map(|r| i64::from(*r)).collect::<Vec<_>>());
        let flat: Vec<u32> = self.added.iter().flat_map(|a| [a.row, a.other, a.ordinal]).collect();
        b.u32s(&flat);
        let mut order: Vec<(u32, u32)> = self.added.iter().map(|a| a.ordinal).zip(0u32..).collect();
        order.sort_unstable();
        b.u32s(&order.iter().map(|(_, i)| *i).collect::<Vec<_>>());
        b.into_bytes()
    }

    pub(crate) fn size(&self) -> usize {
        self.removed.len() + self.added.len()
    }
}

impl CsrPatch {
    pub(crate) fn parse(
        c: &mut Cursor<'_>,
        rows: usize,
        base_edges: usize,
        fits: &dyn Fn(&[u32]) -> bool,
    ) -> Result<Self, &'static str> {
        let (_, head) = c.u32s(2)?;
        let [count, next] = *head else { return Err("length") };
        let count = idx(count);
        let removed = c.bounded(0)?;
        let mut last = -1;
        for r in removed.iter(c.bytes()) {
            if r <= last || usize::try_from(r).is_ok_and(|r| r >= base_edges) {
                return Err("removed edge out of range");
            }
            last = r;
        }
        let (added, flat) = c.u32s(count.checked_mul(3).ok_or("length")?)?;
        let items: Vec<Added> = entries(flat).collect();
        let others: Vec<u32> = items.iter().map(|a| a.other).collect();
        if !items.is_sorted_by(|a, b| a < b) || items.iter().any(|a| idx(a.row) >= rows || a.ordinal >= next) {
            return Err("added edge out of range");
        }
        if !fits(&others) {
            return Err("node id out of range or of a type that the edge type doesn't allow");
        }
        let (by_ordinal, order) = c.u32s(count)?;
        let ordinal = |i: &u32| items.get(idx(*i)).map(|a| a.ordinal);
        if order.iter().any(|i| idx(*i) >= count) || !order.is_sorted_by(|a, b| ordinal(a) <= ordinal(b)) {
            return Err("order of added edges");
        }
        Ok(Self { removed, added, count, by_ordinal, next })
    }

    fn entries<'a>(&self, bytes: &'a [u8]) -> &'a [u32] {
        Csr::words(bytes, self.added, self.count.saturating_mul(3))
    }

    fn entry(words: &[u32], i: usize) -> Option<Added> {
        let at = i.saturating_mul(3);
        match words.get(at..at.saturating_add(3)) {
            Some(&[row, other, ordinal]) => Some(Added { row, other, ordinal }),
            _ => None,
        }
    }

    pub(crate) fn added_count(&self) -> usize {
        self.count
    }

    pub(crate) fn removed_count(&self) -> usize {
        self.removed.count
    }

    /// The edges added to a row.
    pub(crate) fn row<'a>(&self, bytes: &'a [u8], row: usize) -> impl Iterator<Item = Added> + use<'a> {
        let words = self.entries(bytes);
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let mid = low.midpoint(high);
            if Self::entry(words, mid).is_some_and(|a| idx(a.row) < row) {
                low = mid.saturating_add(1)
            } else {
                high = mid
            }
        }
        (low..self.count).map_while(move |i| Self::entry(words, i).filter(|a| idx(a.row) == row))
    }

    /// The added edge with this ordinal.
    pub(crate) fn with_ordinal(&self, bytes: &[u8], ordinal: u32) -> Option<Added> {
        let (words, order) = (self.entries(bytes), Csr::words(bytes, self.by_ordinal, self.count));
        let at = |i: &u32| Self::entry(words, idx(*i));
        let found = order.partition_point(|i| at(i).is_some_and(|a| a.ordinal < ordinal));
        order.get(found).and_then(at).filter(|a| a.ordinal == ordinal)
    }

    /// Whether the base's place `i` is gone.
    pub(crate) fn is_removed(&self, bytes: &[u8], i: usize) -> bool {
        let v = i64::try_from(i).unwrap_or(i64::MAX);
        let at = self.removed.lower_bound(bytes, v);
        at < self.removed.count && self.removed.get(bytes, at) == v
    }

    /// Whether any of a span of the base's places is gone.
    pub(crate) fn removes_in(&self, bytes: &[u8], span: &Range<usize>) -> bool {
        let v = i64::try_from(span.start).unwrap_or(i64::MAX);
        let at = self.removed.lower_bound(bytes, v);
        at < self.removed.count && usize::try_from(self.removed.get(bytes, at)).is_ok_and(|r| r < span.end)
    }

    pub(crate) fn content(&self, bytes: &[u8]) -> PatchContent {
        PatchContent {
            removed: self.removed.iter(bytes).filter_map(|r| u32::try_from(r).ok()).collect(),
            added: entries(self.entries(bytes)).collect(),
            next: self.next,
        }
    }
}

fn entries(flat: &[u32]) -> impl Iterator<Item = Added> + '_ {
    flat.chunks_exact(3).filter_map(|c| CsrPatch::entry(c, 0))
}
