//! A chunk in memory or in the mapped file, checked at its first touch.
//!
//! Every accessor stays bounds-checked after the check: under a mapping the bytes may change later, and a wrong answer
//! is the worst that may come of it.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use std::ops::Range;
use std::sync::Arc;

use memmap2::Mmap;

use super::error::StoreError;
use super::format::{ChunkRef, Kind, key_parts, section};
use super::media::Media;
use crate::schema::{NodeType, PropType, Schema};
use crate::value::Value;

/// The bytes of a chunk, aligned to 8 at least.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    Heap(Arc<[u64]>, usize),
    Map(Arc<Mmap>, Range<usize>),
}

impl Bytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Heap(words, len) => bytemuck::cast_slice::<u64, u8>(words).get(..*len).unwrap_or(&[]),
            Self::Map(map, range) => map.get(range.clone()).unwrap_or(&[]),
        }
    }

    fn range<T: bytemuck::Pod>(&self, from: usize, count: usize) -> &[T] {
        let size = size_of::<T>();
        let end = from.saturating_add(count.saturating_mul(size));
        let bytes = self.as_slice().get(from..end).unwrap_or(&[]);
        bytemuck::try_cast_slice(bytes).unwrap_or(&[])
    }
}

/// A chunk whose hash and structure hold.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub bytes: Bytes,
    pub rows: usize,
    pub aux: usize,
    layout: Layout,
    /// Of an adjacency: the types that may stand at the other end.
    ends: u16,
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    Bits,
    Heap,
    Words,
    Column(PropType),
    Csr { positions: bool },
    Meta,
    Origins,
    Keys,
    Raw,
}

fn layout(c: &ChunkRef, schema: Option<&Schema>) -> Option<Layout> {
    let (a, b, _) = key_parts(c.key);
    Some(match Kind::of(c.key)? {
        Kind::Alive => Layout::Bits,
        Kind::ExternalId | Kind::Dictionary | Kind::Records => Layout::Heap,
        Kind::Source => Layout::Words,
        Kind::NodeProp => Layout::Column(schema?.node_properties().get(usize::from(a))?.ty),
        Kind::EdgeProp => Layout::Column(schema?.edge_properties().get(usize::from(b))?.ty),
        Kind::NodeOrigin | Kind::EdgeOrigin => Layout::Origins,
        Kind::Out => Layout::Csr { positions: false },
        Kind::In => Layout::Csr { positions: true },
        Kind::EdgeMeta => Layout::Meta,
        Kind::KeyIndex => Layout::Keys,
        Kind::Schema => Layout::Raw,
    })
}

/// The bounds that a chunk's contents are checked against.
pub(crate) struct Bounds {
    /// How many ids each group has given out, and its type.
    pub groups: Vec<(u32, NodeType)>,
    /// One more than the greatest string code.
    pub codes: usize,
    /// How many records there are.
    pub records: usize,
}

impl Bounds {
    /// The type of an id that has been given out.
    pub(crate) fn type_of(&self, id: u32) -> Option<NodeType> {
        let (rows, ty) = self.groups.get(idx(id >> 16))?;
        (id & 0xffff < *rows).then_some(*ty)
    }
}

/// The types at the other end that the edge type allows from the group's type.
fn allowed_ends(schema: &Schema, key: u64, bounds: &Bounds) -> u16 {
    let (ty, _, group) = key_parts(key);
    let Some((_, own)) = bounds.groups.get(usize::from(group)) else { return 0 };
    let Some(ty) = schema.edge_types().get(usize::from(ty)) else { return 0 };
    let out = Kind::of(key) == Some(Kind::Out);
    let ends = ty.pairs.iter().map(|(a, b)| if out { (a, b) } else { (b, a) });
    ends.filter(|(a, _)| *a == own).fold(0, |m, (_, b)| m | b.bit())
}

fn idx(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

impl Chunk {
    /// Reads a chunk, checks its hash, then its structure.
    pub(crate) fn load(
        media: &Media,
        map: Option<&Arc<Mmap>>,
        c: &ChunkRef,
        schema: Option<&Schema>,
        bounds: &Bounds,
    ) -> Result<Self, StoreError> {
        let bad = |reason| StoreError::corrupt(section(c.key), c.offset, reason);
        let len = usize::try_from(c.len).map_err(|_| bad("length"))?;
        let bytes = match map {
            Some(m) => {
                let from = usize::try_from(c.offset).map_err(|_| bad("offset"))?;
                if from.checked_add(len).is_none_or(|end| end > m.len()) {
                    return Err(StoreError::Truncated {
                        expected: c.offset.saturating_add(c.len),
                        found: m.len() as u64,
                    });
                }
                Bytes::Map(m.clone(), from..from.saturating_add(len))
            }
            None => {
                // The committed length was checked against the file's at open, so this allocation is bounded by it.
                let mut words: Vec<u64> = Vec::new();
                words.try_reserve_exact(len.div_ceil(8)).map_err(|_| bad("length"))?;
                words.resize(len.div_ceil(8), 0);
                if let Some(buf) = bytemuck::cast_slice_mut::<u64, u8>(&mut words).get_mut(..len) {
                    media.read_at(c.offset, buf)?;
                }
                Bytes::Heap(words.into(), len)
            }
        };
        if blake3::hash(bytes.as_slice()).as_bytes() != &c.hash {
            return Err(bad("hash"));
        }
        let layout = layout(c, schema).ok_or_else(|| bad("unknown property"))?;
        let ends = schema.map_or(0, |s| allowed_ends(s, c.key, bounds));
        let chunk = Self { bytes, rows: idx(c.rows), aux: idx(c.aux), layout, ends };
        chunk.check(bounds).map_err(bad)?;
        Ok(chunk)
    }

    fn check(&self, bounds: &Bounds) -> Result<(), &'static str> {
        let len = self.bytes.as_slice().len();
        let rows = self.rows;
        let exact = |want: usize| if len == want { Ok(()) } else { Err("length") };
        let ends = |from: usize| -> Result<usize, &'static str> {
            let ends: &[u32] = self.bytes.range(from, rows.saturating_add(1));
            if ends.len() != rows.saturating_add(1) || ends.first() != Some(&0) || !ends.is_sorted() {
                return Err("offsets aren't monotone");
            }
            Ok(ends.last().map_or(0, |e| idx(*e)))
        };
        let below = |from: usize, count: usize, bound: usize, what: &'static str| {
            let items: &[u32] = self.bytes.range(from, count);
            if items.len() == count && items.iter().all(|i| idx(*i) < bound) { Ok(()) } else { Err(what) }
        };
        let bits = rows.div_ceil(64).saturating_mul(8);
        match self.layout {
            Layout::Raw => Ok(()),
            Layout::Bits => exact(bits),
            Layout::Words => {
                exact(rows.saturating_mul(4))?;
                below(0, rows, bounds.codes, "string code out of range")
            }
            Layout::Heap => {
                let text = ends(0)?;
                let start = rows.saturating_add(1).saturating_mul(4);
                exact(start.saturating_add(text))?;
                let bytes = self.bytes.as_slice().get(start..).unwrap_or(&[]);
                let text = std::str::from_utf8(bytes).map_err(|_| "text isn't UTF-8")?;
                let ends: &[u32] = self.bytes.range(0, rows.saturating_add(1));
                if ends.iter().all(|e| text.is_char_boundary(idx(*e))) { Ok(()) } else { Err("text isn't UTF-8") }
            }
            Layout::Column(PropType::Str) => {
                exact(rows.saturating_mul(4))?;
                below(0, rows, bounds.codes, "string code out of range")
            }
            Layout::Column(PropType::Bool) => exact(bits.saturating_mul(2)),
            Layout::Column(PropType::Int | PropType::Float | PropType::Timestamp) => {
                exact(bits.saturating_add(rows.saturating_mul(8)))
            }
            Layout::Column(PropType::StrList) => {
                let items = ends(bits)?;
                let start = bits.saturating_add(rows.saturating_add(1).saturating_mul(4));
                exact(start.saturating_add(items.saturating_mul(4)))?;
                below(start, items, bounds.codes, "string code out of range")
            }
            Layout::Csr { positions } => {
                let head: &[u32] = self.bytes.range(0, 2);
                if head.first().map(|n| idx(*n)) != Some(rows) || head.get(1).map(|n| idx(*n)) != Some(self.aux) {
                    return Err("row count");
                }
                if ends(8)? != self.aux {
                    return Err("edge count");
                }
                let start = self.csr_start();
                let arrays = if positions { 2 } else { 1 };
                exact(start.saturating_add(self.aux.saturating_mul(4).saturating_mul(arrays)))?;
                let ok = |id: &u32| bounds.type_of(*id).is_some_and(|t| self.ends & t.bit() != 0);
                if !self.neighbours().iter().all(ok) {
                    return Err("node id out of range or of a type that the edge type doesn't allow");
                }
                let sorted = |r: usize| self.neighbours().get(self.span(r)).is_some_and(<[u32]>::is_sorted);
                if (0..rows).all(sorted) { Ok(()) } else { Err("neighbours aren't sorted") }
            }
            Layout::Meta => {
                exact(rows.saturating_mul(16))?;
                let flags: &[u32] = self.bytes.range(0, rows);
                if flags.iter().any(|f| f & 0xff > 2 || f >> 8 > 2) {
                    return Err("evidence or state out of range");
                }
                below(rows.saturating_mul(4), rows.saturating_mul(3), bounds.codes, "string code out of range")
            }
            Layout::Origins => {
                let items = ends(0)?;
                let start = rows.saturating_add(1).saturating_mul(4);
                exact(start.saturating_add(items.saturating_mul(8)))?;
                let pairs: &[[u32; 2]] = self.bytes.range(start, items);
                let fine = |p: &[u32; 2]| {
                    let [record, code] = *p;
                    idx(record) < bounds.records && idx(code) < bounds.codes
                };
                if pairs.iter().all(fine) { Ok(()) } else { Err("record out of range") }
            }
            Layout::Keys => {
                exact(rows.saturating_mul(12))?;
                if !self.key_hashes().is_sorted() {
                    return Err("key order");
                }
                let known = self.key_ids().iter().all(|id| bounds.type_of(*id).is_some());
                if self.key_ids().len() == rows && known { Ok(()) } else { Err("node id out of range") }
            }
        }
    }

    /// Bit `row` of the first bitmap.
    pub(crate) fn bit(&self, row: usize) -> bool {
        self.bit_at(0, row)
    }

    fn bit_at(&self, from: usize, row: usize) -> bool {
        let words: &[u64] = self.bytes.range(from, self.rows.div_ceil(64));
        row < self.rows && words.get(row / 64).is_some_and(|w| w >> (row % 64) & 1 == 1)
    }

    /// Text `row` of a heap.
    pub(crate) fn text(&self, row: usize) -> &str {
        let ends: &[u32] = self.bytes.range(0, self.rows.saturating_add(1));
        let start = self.rows.saturating_add(1).saturating_mul(4);
        let (Some(from), Some(to)) = (ends.get(row), ends.get(row.saturating_add(1))) else { return "" };
        let bytes = self.bytes.as_slice().get(start.saturating_add(idx(*from))..start.saturating_add(idx(*to)));
        bytes.and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("")
    }

    /// Word `row`.
    pub(crate) fn word(&self, row: usize) -> u32 {
        let words: &[u32] = self.bytes.range(0, self.rows);
        words.get(row).copied().unwrap_or(0)
    }

    /// One of the four arrays of an edge-meta chunk.
    pub(crate) fn meta(&self, array: usize, row: usize) -> u32 {
        let words: &[u32] = self.bytes.range(self.rows.saturating_mul(4).saturating_mul(array), self.rows);
        words.get(row).copied().unwrap_or(0)
    }

    /// The range of edges of a row.
    pub(crate) fn span(&self, row: usize) -> Range<usize> {
        let ends: &[u32] = self.bytes.range(8, self.rows.saturating_add(1));
        match (ends.get(row), ends.get(row.saturating_add(1))) {
            (Some(a), Some(b)) => idx(*a)..idx(*b),
            _ => 0..0,
        }
    }

    /// The row that edge `i` belongs to.
    pub(crate) fn row_of(&self, i: usize) -> usize {
        let ends: &[u32] = self.bytes.range(8, self.rows.saturating_add(1));
        ends.partition_point(|e| idx(*e) <= i).saturating_sub(1)
    }

    fn csr_start(&self) -> usize {
        self.rows.saturating_add(1).saturating_mul(4).saturating_add(8)
    }

    /// The neighbours, all rows.
    pub(crate) fn neighbours(&self) -> &[u32] {
        self.bytes.range(self.csr_start(), self.aux)
    }

    /// The positions in the starts' chunks, all rows (inward adjacency only).
    pub(crate) fn positions(&self) -> &[u32] {
        self.bytes.range(self.csr_start().saturating_add(self.aux.saturating_mul(4)), self.aux)
    }

    /// Records and pointer codes of a row.
    pub(crate) fn origins(&self, row: usize) -> &[[u32; 2]] {
        let ends: &[u32] = self.bytes.range(0, self.rows.saturating_add(1));
        let start = self.rows.saturating_add(1).saturating_mul(4);
        let (Some(a), Some(b)) = (ends.get(row), ends.get(row.saturating_add(1))) else { return &[] };
        let count = idx(*b).saturating_sub(idx(*a));
        self.bytes.range(start.saturating_add(idx(*a).saturating_mul(8)), count)
    }

    pub(crate) fn key_hashes(&self) -> &[u64] {
        self.bytes.range(0, self.rows)
    }

    pub(crate) fn key_ids(&self) -> &[u32] {
        self.bytes.range(self.rows.saturating_mul(8), self.rows)
    }

    /// The value in `row` of a column; texts come through `string`.
    pub(crate) fn value(
        &self,
        row: usize,
        string: &mut dyn FnMut(u32) -> Result<Arc<str>, StoreError>,
    ) -> Result<Value, StoreError> {
        let Layout::Column(ty) = self.layout else { return Ok(Value::Null) };
        if ty == PropType::Str {
            return Ok(match self.word(row) {
                0 => Value::Null,
                code => Value::Str(string(code)?),
            });
        }
        if !self.bit(row) {
            return Ok(Value::Null);
        }
        let bits = self.rows.div_ceil(64).saturating_mul(8);
        let number = || {
            let numbers: &[i64] = self.bytes.range(bits, self.rows);
            numbers.get(row).copied().unwrap_or(0)
        };
        Ok(match ty {
            PropType::Bool => Value::Bool(self.bit_at(bits, row)),
            PropType::Int => Value::Int(number()),
            PropType::Timestamp => Value::Timestamp(number()),
            PropType::Float => Value::Float(f64::from_le_bytes(number().to_le_bytes())),
            PropType::Str => Value::Null,
            PropType::StrList => {
                let ends: &[u32] = self.bytes.range(bits, self.rows.saturating_add(1));
                let start = bits.saturating_add(self.rows.saturating_add(1).saturating_mul(4));
                let (from, to) = match (ends.get(row), ends.get(row.saturating_add(1))) {
                    (Some(a), Some(b)) => (idx(*a), idx(*b)),
                    _ => (0, 0),
                };
                let codes: &[u32] =
                    self.bytes.range(start.saturating_add(from.saturating_mul(4)), to.saturating_sub(from));
                let items: Result<Vec<Arc<str>>, StoreError> =
                    codes.iter().map(|c| if *c == 0 { Ok("".into()) } else { string(*c) }).collect();
                Value::List(items?.into())
            }
        })
    }
}
