//! A chunk in memory or in the mapped file, checked at its first touch.
//!
//! Every accessor stays bounds-checked after the check: under a mapping the bytes may change later, and a wrong answer
//! is the worst that may come of it.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation)]

use std::ops::Range;
use std::sync::Arc;

use memmap2::Mmap;
use roaring::{RoaringBitmap, RoaringTreemap};

use super::adjacency::{Csr, CsrPatch};
use super::array::{Cursor, Heap, Packed, bit, idx};
use super::changes::ChangeSet;
use super::column::Column;
use super::encode::RECORDS_PER_CHUNK;
use super::error::StoreError;
use super::format::{ChunkRef, Kind, edge_column, key_parts, node_column, section};
use super::map::Maps;
use super::media::Media;
use super::pages::Pages;
use super::statistics::TypeStatistics;
use crate::schema::{NodeType, PropType, Schema};

/// The bytes of a chunk, aligned to 8 at least.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    Heap(Arc<Vec<u64>>, usize),
    Map(Arc<Mmap>, Range<usize>),
}

impl Bytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Heap(words, len) => bytemuck::cast_slice::<u64, u8>(words).get(..*len).unwrap_or(&[]),
            Self::Map(map, range) => map.get(range.clone()).unwrap_or(&[]),
        }
    }

    /// Reads a chunk; its hash holds then.
    pub(crate) fn load(media: &Media, map: Option<&Maps>, c: &ChunkRef) -> Result<Self, StoreError> {
        let bad = |reason| StoreError::corrupt(section(c.key), c.offset, reason);
        let len = usize::try_from(c.len).map_err(|_| bad("length"))?;
        let bytes = match map {
            Some(maps) => {
                let expected = c.offset.saturating_add(c.len);
                let (map, range) =
                    maps.find(c.offset, c.len).map_err(|found| StoreError::Truncated { expected, found })?;
                Self::Map(map.clone(), range)
            }
            None => {
                // The committed length was checked against the file's at open, so this allocation is bounded by it.
                let mut words: Vec<u64> = Vec::new();
                words.try_reserve_exact(len.div_ceil(8)).map_err(|_| StoreError::OutOfMemory { bytes: c.len })?;
                words.resize(len.div_ceil(8), 0);
                if let Some(buf) = bytemuck::cast_slice_mut::<u64, u8>(&mut words).get_mut(..len) {
                    media.read_at(c.offset, buf)?;
                }
                Self::Heap(Arc::new(words), len)
            }
        };
        if blake3::hash(bytes.as_slice()).as_bytes() == &c.hash { Ok(bytes) } else { Err(bad("hash")) }
    }
}

/// A chunk whose hash and structure hold.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub bytes: Bytes,
    pub body: Body,
}

/// What a chunk holds, parsed.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Alive {
        rows: usize,
        at: usize,
    },
    Column(Column),
    /// Some rows, and their values.
    Patch {
        rows: Packed,
        column: Column,
    },
    Csr(Csr),
    CsrPatch(CsrPatch),
    ValueIndex {
        values: Heap,
        rows: Arc<[RoaringBitmap]>,
    },
    Keys(Keys),
    Records(Heap),
    Schema(Arc<Schema>),
    Statistics(Vec<TypeStatistics>),
    Changes(ChangeSet),
    Pages(Pages),
}

/// Sorted hashes of keys, and their nodes.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    hashes: usize,
    ids: usize,
    count: usize,
    /// Hashes whole (of a delta), or the 32 bits behind those that name the partition.
    wide: bool,
}

/// The bounds that a chunk's contents are checked against.
#[derive(Debug)]
pub(crate) struct Bounds {
    /// How many ids each group has given out, and its type.
    pub groups: Vec<(u32, NodeType)>,
    /// How many records there are.
    pub records: usize,
    /// Where the last section ends: nothing counts more than this.
    pub bytes: u64,
}

impl Bounds {
    /// The type of an id that has been given out.
    pub(crate) fn type_of(&self, id: u32) -> Option<NodeType> {
        let (rows, ty) = self.groups.get(idx(id >> 16))?;
        (id & 0xffff < *rows).then_some(*ty)
    }

    fn rows(&self, group: u16) -> usize {
        self.groups.get(usize::from(group)).map_or(0, |(rows, _)| idx(*rows))
    }
}

/// The types at the other end that the edge type allows from the group's type.
fn allowed_ends(schema: &Schema, key: u64, bounds: &Bounds, out: bool) -> u16 {
    let (ty, _, group) = key_parts(key);
    let Some((_, own)) = bounds.groups.get(usize::from(group)) else { return 0 };
    let Some(ty) = schema.edge_types().get(usize::from(ty)) else { return 0 };
    let ends = ty.pairs.iter().map(|(a, b)| if out { (a, b) } else { (b, a) });
    ends.filter(|(a, _)| *a == own).fold(0, |m, (_, b)| m | b.bit())
}

/// The type of a node column; `None` inside is origins.
pub(crate) fn node_column_type(schema: &Schema, column: u16) -> Option<Option<PropType>> {
    match column {
        node_column::EXTERNAL_ID | node_column::SOURCE => Some(Some(PropType::Str)),
        node_column::ORIGINS => Some(None),
        _ => schema.node_properties().get(usize::from(column)).map(|p| Some(p.ty)),
    }
}

/// The type of an edge column; `None` inside is origins.
pub(crate) fn edge_column_type(schema: &Schema, column: u16) -> Option<Option<PropType>> {
    match column {
        edge_column::KEY | edge_column::CONDITION => Some(Some(PropType::Str)),
        edge_column::SOURCES => Some(Some(PropType::StrList)),
        edge_column::EVIDENCE | edge_column::STATE => Some(Some(PropType::Int)),
        edge_column::ORIGINS => Some(None),
        _ => schema.edge_properties().get(usize::from(column)).map(|p| Some(p.ty)),
    }
}

/// What the manifest says of the chunks beside this one.
pub(crate) struct Beside {
    /// Edges in the base adjacency that an edge column or a patch runs along.
    pub edges: usize,
}

impl Chunk {
    /// Reads a chunk, checks its hash, then its structure.
    pub(crate) fn load(
        media: &Media,
        map: Option<&Maps>,
        c: &ChunkRef,
        schema: &Schema,
        bounds: &Bounds,
        beside: &Beside,
    ) -> Result<Self, StoreError> {
        let bytes = Bytes::load(media, map, c)?;
        let body = parse(bytes.as_slice(), c, schema, bounds, beside)
            .map_err(|reason| StoreError::corrupt(section(c.key), c.offset, reason))?;
        Ok(Self { bytes, body })
    }

    pub(crate) fn slice(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// Bit `row` of the live nodes.
    pub(crate) fn alive(&self, row: usize) -> bool {
        matches!(self.body, Body::Alive { rows, at } if row < rows && bit(self.slice(), at, row))
    }
}

fn parse(bytes: &[u8], c: &ChunkRef, schema: &Schema, bounds: &Bounds, beside: &Beside) -> Result<Body, &'static str> {
    let (a, b, group) = key_parts(c.key);
    let kind = Kind::of(c.key).ok_or("unknown section")?;
    let rows = idx(c.rows);
    let mut cur = Cursor::new(bytes);
    let group_rows = bounds.rows(group);
    let allowed = allowed_ends(schema, c.key, bounds, matches!(kind, Kind::Out | Kind::OutPatch));
    // By group, how many rows a neighbour may stand in: none in a group whose type the edge type doesn't allow.
    let adjacency = matches!(kind, Kind::Out | Kind::In | Kind::OutPatch | Kind::InPatch);
    let limits: Vec<u32> = bounds
        .groups
        .iter()
        .take(if adjacency { usize::MAX } else { 0 })
        .map(|(rows, t)| if allowed & t.bit() == 0 { 0 } else { *rows })
        .collect();
    let fits = |ids: &[u32]| {
        // Most often all are in a run of groups that are full, but for the last: then the least and the greatest tell.
        let (low, high) = ids.iter().fold((u32::MAX, 0), |(low, high), id| (low.min(*id), high.max(*id)));
        let run = limits.get(idx(low >> 16)..=idx(high >> 16)).and_then(<[u32]>::split_last);
        if run.is_some_and(|(last, full)| high & 0xffff < *last && full.iter().all(|rows| *rows == 1 << 16)) {
            return true;
        }
        // Without an early way out, so that the loop is straight.
        ids.iter().fold(true, |good, id| good & (id & 0xffff < limits.get(idx(id >> 16)).copied().unwrap_or(0)))
    };
    let same = |n: usize| if n == rows { Ok(()) } else { Err("row count") };
    let body = match kind {
        Kind::Alive => {
            same(group_rows)?;
            Body::Alive { rows, at: cur.bits(rows)? }
        }
        Kind::NodeColumn => {
            let ty = node_column_type(schema, a).ok_or("unknown property")?;
            if rows > group_rows {
                return Err("row count");
            }
            let column = Column::parse(&mut cur, ty, bounds.records, rows)?;
            Body::Column(column)
        }
        Kind::EdgeColumn => {
            let ty = edge_column_type(schema, b).ok_or("unknown property")?;
            same(beside.edges)?;
            let column = Column::parse(&mut cur, ty, bounds.records, rows)?;
            Body::Column(column)
        }
        Kind::NodePatch | Kind::EdgePatch => {
            let (ty, below) = if kind == Kind::NodePatch {
                (node_column_type(schema, a), group_rows as u64)
            } else {
                (edge_column_type(schema, b), 1 << 32)
            };
            let at = cur.bounded(0)?;
            same(at.count)?;
            let mut last = -1;
            for r in at.iter(bytes) {
                if r <= last || u64::try_from(r).is_ok_and(|r| r >= below) {
                    return Err("patched row out of range");
                }
                last = r;
            }
            let column = Column::parse(&mut cur, ty.ok_or("unknown property")?, bounds.records, rows)?;
            Body::Patch { rows: at, column }
        }
        Kind::Out | Kind::In => {
            let csr = Csr::parse(&mut cur, kind == Kind::In, &fits)?;
            same(csr.rows)?;
            if rows > group_rows || csr.edges != idx(c.aux) {
                return Err("row count");
            }
            Body::Csr(csr)
        }
        Kind::OutPatch | Kind::InPatch => {
            let patch = CsrPatch::parse(&mut cur, group_rows, beside.edges, &fits)?;
            if (patch.added_count(), patch.removed_count()) != (rows, idx(c.aux)) {
                return Err("row count");
            }
            Body::CsrPatch(patch)
        }
        Kind::ValueIndex => {
            let values = cur.dictionary(Some(rows))?;
            let ends = cur.numbers(rows, u64::from(u32::MAX), true)?;
            let all = usize::try_from(if rows == 0 { 0 } else { ends.get(bytes, rows.saturating_sub(1)) })
                .map_err(|_| "length")?;
            let (_, maps) = cur.raw(all)?;
            let mut from = 0usize;
            let mut list = Vec::new();
            for end in ends.iter(bytes) {
                let end = usize::try_from(end).map_err(|_| "length")?;
                let part = maps.get(from..end).ok_or("length")?;
                let map = RoaringBitmap::deserialize_from(part).map_err(|_| "malformed bitmap")?;
                if map.serialized_size() != part.len() || map.max().is_some_and(|m| idx(m) >= group_rows) {
                    return Err("row out of range");
                }
                list.push(map);
                from = end;
            }
            Body::ValueIndex { values, rows: list.into() }
        }
        Kind::KeyIndex | Kind::KeyDelta => {
            let wide = kind == Kind::KeyDelta;
            // Equal hashes are looked through one by one.
            const RUN: usize = 64;
            let (hashes, sorted, long) = if wide {
                let (at, w) = cur.u64s(rows)?;
                (at, w.is_sorted(), w.windows(RUN).any(|r| r.first() == r.last()))
            } else {
                let (at, w) = cur.u32s(rows)?;
                (at, w.is_sorted(), w.windows(RUN).any(|r| r.first() == r.last()))
            };
            if !sorted {
                return Err("key order");
            }
            if long {
                return Err("too many keys with one hash");
            }
            let (ids, list) = cur.u32s(rows)?;
            if list.iter().any(|id| bounds.type_of(*id).is_none()) {
                return Err("node id out of range");
            }
            Body::Keys(Keys { hashes, ids, count: rows, wide })
        }
        Kind::Records => {
            if rows > RECORDS_PER_CHUNK {
                return Err("row count");
            }
            Body::Records(cur.texts(Some(rows))?)
        }
        Kind::Pages => Body::Pages(Pages::parse(&mut cur, rows, c.aux, bounds.records)?),
        Kind::Schema => {
            let schema = Schema::from_archive(bytes).ok_or("malformed schema")?;
            cur = Cursor::new(&[]);
            Body::Schema(Arc::new(schema))
        }
        Kind::Statistics => {
            let list = super::statistics::decode(bytes).ok_or("malformed statistics")?;
            cur = Cursor::new(&[]);
            Body::Statistics(list)
        }
        Kind::Changes => {
            let mut maps = Vec::new();
            for _ in 0..3 {
                let (_, len) = cur.u64s(1)?;
                let len = len.first().and_then(|l| usize::try_from(*l).ok()).ok_or("length")?;
                let (_, part) = cur.raw(len)?;
                let map = RoaringTreemap::deserialize_from(part).map_err(|_| "malformed bitmap")?;
                // Runs are short however long they are: no more can have changed than the file has bytes for.
                if map.serialized_size() != part.len() || map.len() > bounds.bytes {
                    return Err("malformed bitmap");
                }
                maps.push(map);
            }
            let [added, changed, removed] = <[RoaringTreemap; 3]>::try_from(maps).map_err(|_| "length")?;
            Body::Changes(ChangeSet { added, changed, removed })
        }
    };
    cur.end()?;
    Ok(body)
}

impl Keys {
    fn hashes<'a>(&self, bytes: &'a [u8]) -> (&'a [u32], &'a [u64]) {
        let size = if self.wide { 8 } else { 4 };
        let all = bytes.get(self.hashes..self.hashes.saturating_add(self.count.saturating_mul(size))).unwrap_or(&[]);
        if self.wide {
            (&[], bytemuck::try_cast_slice(all).unwrap_or(&[]))
        } else {
            (bytemuck::try_cast_slice(all).unwrap_or(&[]), &[])
        }
    }

    fn ids<'a>(&self, bytes: &'a [u8]) -> &'a [u32] {
        let end = self.ids.saturating_add(self.count.saturating_mul(4));
        bytes.get(self.ids..end).and_then(|b| bytemuck::try_cast_slice(b).ok()).unwrap_or(&[])
    }

    /// The nodes whose key may have this hash. `partition` is how many bits name the partition.
    pub(crate) fn find<'a>(&self, bytes: &'a [u8], hash: u64, partition: u32) -> &'a [u32] {
        let (narrow, wide) = self.hashes(bytes);
        let ids = self.ids(bytes);
        let range = if self.wide {
            wide.partition_point(|h| *h < hash)..wide.partition_point(|h| *h <= hash)
        } else {
            let h = narrow_hash(hash, partition);
            let from = narrow.partition_point(|o| *o < h);
            let run = narrow.get(from..).unwrap_or(&[]).iter().take_while(|o| **o == h).count();
            from..from.saturating_add(run)
        };
        ids.get(range).unwrap_or(&[])
    }

    /// Whole hashes with their nodes, of a delta.
    pub(crate) fn wide<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = (u64, u32)> + use<'a> {
        self.hashes(bytes).1.iter().copied().zip(self.ids(bytes).iter().copied())
    }
}

/// The 32 bits behind those that name the partition.
pub(crate) fn narrow_hash(hash: u64, partition: u32) -> u32 {
    u32::try_from(hash.checked_shl(partition).unwrap_or(0) >> 32).unwrap_or(0)
}
