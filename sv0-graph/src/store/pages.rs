//! The pages that records speak of, kept in the store: compressed by the block (LZ4), a block a section.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use std::collections::BTreeMap;
use std::sync::Arc;

use super::array::{Buffer, Cursor, Packed};
use super::chunk::{Body, Chunk};
use super::encode::{NewChunk, RECORDS_PER_CHUNK, count};
use super::error::StoreError;
use super::format::{ChunkRef, Kind, section};
use super::snapshot::Snapshot;

/// A block holds pages of about this many bytes; a longer page has one of its own.
const BLOCK: usize = 1 << 20;
/// The longest page.
pub(crate) const LONGEST: usize = 64 << 20;
/// LZ4 makes of one byte at most this many: what a section says of its length is bounded by its own.
const RATIO: usize = 255;

/// A section of pages, parsed.
#[derive(Debug, Clone)]
pub(crate) struct Pages {
    /// Whose pages they are, ascending.
    records: Packed,
    /// Where each page ends in the block.
    ends: Packed,
    raw: usize,
    at: usize,
    len: usize,
}

/// Sections from number `section` on, of pages by their record.
pub(crate) fn encode(section: usize, pages: &BTreeMap<u32, Arc<str>>) -> Result<Vec<NewChunk>, StoreError> {
    let mut out = Vec::new();
    let mut block: Vec<(u32, &str)> = Vec::new();
    let mut size = 0usize;
    let mut flush = |block: &mut Vec<(u32, &str)>| -> Result<(), StoreError> {
        let Some((first, _)) = block.first() else { return Ok(()) };
        let number = u16::try_from(section.saturating_add(out.len()))
            .map_err(|_| StoreError::Limit { which: "the number of sections of pages", max: 65_536 })?;
        let raw: String = block.iter().map(|(_, p)| *p).collect();
        let mut b = Buffer::default();
        b.packed_u32(block.iter().map(|(r, _)| *r));
        let mut at = 0u32;
        b.packed_u32(block.iter().map(|(_, p)| {
            at = at.saturating_add(count(p.len()));
            at
        }));
        let packed = lz4_flex::block::compress(raw.as_bytes());
        b.u64s(&[packed.len() as u64]);
        b.bytes(&packed);
        let (key, rows) = (Kind::Pages.key(0, 0, number), count(block.len()));
        out.push(NewChunk { key, rows, aux: *first, bytes: b.into_bytes() });
        block.clear();
        Ok(())
    };
    for (record, page) in pages {
        if page.len() > LONGEST {
            return Err(StoreError::Limit { which: "the length of a page", max: LONGEST as u64 });
        }
        if size.saturating_add(page.len()) > BLOCK || block.len() == RECORDS_PER_CHUNK {
            flush(&mut block)?;
            size = 0;
        }
        size = size.saturating_add(page.len());
        block.push((*record, page));
    }
    flush(&mut block)?;
    Ok(out)
}

impl Snapshot {
    /// A source record's page, if the store keeps it and not only its hash.
    ///
    /// # Errors
    /// What reading the sections meets.
    pub fn page(&self, record: u32) -> Result<Option<String>, StoreError> {
        let Some((c, place)) = self.page_place(record)? else { return Ok(None) };
        let Some(Chunk { body: Body::Pages(pages), bytes }) = self.chunk(c.key)? else { return Ok(None) };
        pages.page(bytes.as_slice(), place).map(Some).map_err(|t| match t {
            Trouble::Damaged(reason) => StoreError::corrupt(section(c.key), c.offset, reason),
            Trouble::NoMemory(bytes) => StoreError::OutOfMemory { bytes },
        })
    }

    /// The section that has a record's page, and where in it.
    pub(crate) fn page_place(&self, record: u32) -> Result<Option<(&ChunkRef, usize)>, StoreError> {
        for c in self.manifest().chunks_of(Kind::Pages).iter().rev().filter(|c| c.aux <= record) {
            if let Some(Chunk { body: Body::Pages(p), bytes }) = self.chunk(c.key)?
                && let Some(place) = p.place(bytes.as_slice(), record)
            {
                return Ok(Some((c, place)));
            }
        }
        Ok(None)
    }
}

impl Pages {
    /// Parses a section of `rows` pages, the first of them record `first`'s, in a snapshot of `records` records.
    pub(crate) fn parse(c: &mut Cursor<'_>, rows: usize, first: u32, records: usize) -> Result<Self, &'static str> {
        if rows == 0 || rows > RECORDS_PER_CHUNK {
            return Err("row count");
        }
        let numbers = c.numbers(rows, records as u64, true)?;
        let mut last = -1;
        for r in numbers.iter(c.bytes()) {
            if r <= last {
                return Err("records don't ascend");
            }
            last = r;
        }
        if numbers.get(c.bytes(), 0) != i64::from(first) {
            return Err("first record");
        }
        let ends = c.numbers(rows, u64::from(u32::MAX), true)?;
        let raw = usize::try_from(ends.get(c.bytes(), rows.saturating_sub(1))).map_err(|_| "length")?;
        let (_, len) = c.u64s(1)?;
        let len = len.first().and_then(|l| usize::try_from(*l).ok()).ok_or("length")?;
        let (at, _) = c.raw(len)?;
        if raw > len.saturating_mul(RATIO) || raw > LONGEST.saturating_add(BLOCK) {
            return Err("length");
        }
        Ok(Self { records: numbers, ends, raw, at, len })
    }

    /// Whether it has this record's page.
    pub(crate) fn place(&self, bytes: &[u8], record: u32) -> Option<usize> {
        let at = self.records.lower_bound(bytes, i64::from(record));
        (at < self.records.count && self.records.get(bytes, at) == i64::from(record)).then_some(at)
    }

    /// The block, decompressed.
    fn block(&self, bytes: &[u8]) -> Result<String, Trouble> {
        let packed = bytes.get(self.at..self.at.saturating_add(self.len)).ok_or(Trouble::Damaged("length"))?;
        let mut out: Vec<u8> = Vec::new();
        out.try_reserve_exact(self.raw).map_err(|_| Trouble::NoMemory(self.raw as u64))?;
        out.resize(self.raw, 0);
        match lz4_flex::block::decompress_into(packed, &mut out) {
            Ok(n) if n == self.raw => String::from_utf8(out).map_err(|_| Trouble::Damaged("text isn't UTF-8")),
            _ => Err(Trouble::Damaged("malformed block of pages")),
        }
    }

    /// The page at a place.
    pub(crate) fn page(&self, bytes: &[u8], place: usize) -> Result<String, Trouble> {
        let block = self.block(bytes)?;
        let end = |i: usize| usize::try_from(self.ends.get(bytes, i)).unwrap_or(usize::MAX);
        let from = place.checked_sub(1).map_or(0, end);
        block.get(from..end(place)).map(str::to_owned).ok_or(Trouble::Damaged("text isn't UTF-8"))
    }

    /// Whether all of its pages can be read.
    pub(crate) fn is_sound(&self, bytes: &[u8]) -> bool {
        self.block(bytes)
            .is_ok_and(|b| self.ends.iter(bytes).all(|e| usize::try_from(e).is_ok_and(|e| b.is_char_boundary(e))))
    }
}

/// Why a page can't be read.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The section isn't what a writer writes.
    Damaged(&'static str),
    /// No room for so many bytes.
    NoMemory(u64),
}
