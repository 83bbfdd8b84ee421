//! Edges that don't fit the memory cap: written to a file by the group of their start, read back group by group.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::load::{EdgeRows, Edges, LoadError, Numbering, Sealed, Shared, append, seal};
use super::rows::Pick;
use super::table::{Column, ColumnData, Texts};
use crate::schema::EdgeTypeId;
use crate::store::encode::{self, count};
use crate::store::{StoreError, TypeStatistics};
use crate::vfs::{OpenMode, Vfs, VfsFile};

/// A spill file of one edge type. It has no name while it is used (on systems that allow that).
pub(super) struct Spill<'a> {
    pub cap: usize,
    vfs: &'a dyn Vfs,
    path: PathBuf,
    file: Option<Arc<dyn VfsFile>>,
    at: u64,
    /// Blocks of rows by the group of their start: offset and length.
    rows: BTreeMap<u16, Vec<(u64, usize)>>,
    /// Blocks of (end, start, ordinal) by the group of the end.
    ends: BTreeMap<u16, Vec<(u64, usize)>>,
}

#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Block {
    from: Vec<u32>,
    to: Vec<u32>,
    records: Vec<u32>,
    columns: Vec<BlockColumn>,
}

#[derive(Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct BlockColumn {
    name: String,
    kind: u8,
    bools: Vec<bool>,
    numbers: Vec<i64>,
    floats: Vec<f64>,
    codes: Vec<u32>,
    text: String,
    ends: Vec<u32>,
    all_known: bool,
    known: Vec<bool>,
}

impl BlockColumn {
    fn of(c: Column) -> Self {
        let mut b = Self { name: c.name.to_string(), all_known: c.known.is_none(), ..Self::default() };
        b.known = c.known.unwrap_or_default();
        let mut texts = |t: Texts| {
            b.ends = t.ends().to_vec();
            b.text = String::from_utf8_lossy(t.bytes()).into_owned();
        };
        match c.data {
            ColumnData::Bool(v) => (b.kind, b.bools) = (0, v),
            ColumnData::Int(v) => (b.kind, b.numbers) = (1, v),
            ColumnData::Float(v) => (b.kind, b.floats) = (2, v),
            ColumnData::Timestamp(v) => (b.kind, b.numbers) = (3, v),
            ColumnData::Text(t) => {
                texts(t);
                b.kind = 4;
            }
            ColumnData::Coded { codes, dictionary } => {
                texts(dictionary);
                (b.kind, b.codes) = (5, codes);
            }
            ColumnData::TextList { ends, items } => {
                texts(items);
                (b.kind, b.codes) = (6, ends);
            }
        }
        b
    }

    fn into_column(self) -> Option<Column> {
        let texts = |text, ends| Texts::from_parts(text, ends);
        let data = match self.kind {
            0 => ColumnData::Bool(self.bools),
            1 => ColumnData::Int(self.numbers),
            2 => ColumnData::Float(self.floats),
            3 => ColumnData::Timestamp(self.numbers),
            4 => ColumnData::Text(texts(self.text, self.ends)?),
            5 => ColumnData::Coded { codes: self.codes, dictionary: texts(self.text, self.ends)? },
            _ => ColumnData::TextList { ends: self.codes, items: texts(self.text, self.ends)? },
        };
        Some(Column { name: self.name.into(), data, known: (!self.all_known).then_some(self.known) })
    }
}

impl<'a> Spill<'a> {
    pub(super) fn new(vfs: &'a dyn Vfs, path: PathBuf, cap: usize) -> Self {
        Self { cap, vfs, path, file: None, at: 0, rows: BTreeMap::new(), ends: BTreeMap::new() }
    }

    pub(super) fn is_used(&self) -> bool {
        self.file.is_some()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(u64, usize), StoreError> {
        let file = match &self.file {
            Some(f) => f.clone(),
            None => {
                let open = self.vfs.open(&self.path, OpenMode::Truncate);
                let f = open.map_err(StoreError::io("open the spill file"))?;
                // Where an open file can't lose its name the end of the load takes it away.
                let _ = self.vfs.unlink(&self.path);
                self.file = Some(f.clone());
                f
            }
        };
        file.write_at(self.at, bytes).map_err(StoreError::io("write the spill file"))?;
        let place = (self.at, bytes.len());
        self.at += bytes.len() as u64;
        Ok(place)
    }

    fn read(&self, place: (u64, usize)) -> Result<rkyv::util::AlignedVec<16>, StoreError> {
        let mut bytes = rkyv::util::AlignedVec::<16>::new();
        bytes.resize(place.1, 0);
        if let Some(f) = &self.file {
            f.read_at(place.0, &mut bytes).map_err(StoreError::io("read the spill file"))?;
        }
        Ok(bytes)
    }

    /// Puts rows away.
    pub(super) fn take(&mut self, rows: EdgeRows) -> Result<(), StoreError> {
        let mut by_group: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
        for (f, i) in rows.from.iter().zip(0u32..) {
            by_group.entry(u16::try_from(f >> 16).unwrap_or(u16::MAX)).or_default().push(i);
        }
        let mut record_of = Vec::with_capacity(rows.from.len());
        for (r, n) in &rows.records {
            record_of.extend(std::iter::repeat_n(*r, *n));
        }
        // In pieces that an archive can hold.
        const PIECE: usize = 1 << 20;
        let pieces = by_group.iter().flat_map(|(g, list)| list.chunks(PIECE).map(move |part| (*g, part)));
        for (g, list) in pieces {
            let pick = Pick::List(list);
            let block = Block {
                from: pick.of(&rows.from).into_owned(),
                to: pick.of(&rows.to).into_owned(),
                records: pick.of(&record_of).into_owned(),
                columns: rows.columns.iter().map(|c| BlockColumn::of(c.to_column(&pick))).collect(),
            };
            let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&block)
                .map_err(|_| StoreError::Limit { which: "a block of the spill file", max: 1 << 31 })?;
            let place = self.write(&bytes)?;
            self.rows.entry(g).or_default().push(place);
        }
        Ok(())
    }

    /// The rows of one group, as they were put away.
    fn group(&self, g: u16) -> Result<EdgeRows, StoreError> {
        let broken = || StoreError::corrupt("spill file", 0, "changed while it was used");
        let mut rows = EdgeRows::default();
        for place in self.rows.get(&g).into_iter().flatten() {
            let bytes = self.read(*place)?;
            let block = rkyv::from_bytes::<Block, rkyv::rancor::Error>(&bytes).map_err(|_| broken())?;
            let before = rows.from.len();
            let n = block.from.len();
            rows.from.extend(block.from);
            rows.to.extend(block.to);
            for r in block.records {
                match rows.records.last_mut() {
                    Some((last, n)) if *last == r => *n += 1,
                    _ => rows.records.push((r, 1)),
                }
            }
            let columns = block
                .columns
                .into_iter()
                .map(BlockColumn::into_column)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(broken)?;
            if !append(&mut rows.columns, &columns, before, &(0..n)) {
                return Err(StoreError::Limit { which: "the text of one group's edges", max: u64::from(u32::MAX) });
            }
        }
        Ok(rows)
    }

    /// The sections of everything that was put away.
    pub(super) fn finish(
        &mut self,
        s: &Shared<'_>,
        n: &Numbering<'_>,
        ty: EdgeTypeId,
        sink: &mut dyn FnMut(Sealed) -> Result<(), StoreError>,
    ) -> Result<Edges, LoadError> {
        let mut out = Edges { ty, statistics: Vec::new(), count: 0, read: 0, by_group: Vec::new() };
        let groups: Vec<u16> = self.rows.keys().copied().collect();
        for g in groups {
            let rows = self.group(g)?;
            self.rows.remove(&g);
            out.read += rows.from.len() as u64;
            let order = rows.order();
            let pick = match &order {
                Some(o) => Pick::List(o),
                None => Pick::Range(0..rows.from.len()),
            };
            let (from, to) = (pick.of(&rows.from), pick.of(&rows.to));
            let mut list: Sealed = encode::encode_out(ty.0, n.group_rows, &from, &to).into_iter().map(seal).collect();
            list.extend(rows.encode(s, ty, g, &pick)?);
            sink(list)?;
            merge(&mut out.statistics, encode::statistics_out(ty.0, n.group_types, &from, &to));
            out.count += from.len() as u64;
            out.by_group.push((g, count(from.len())));
            let mut by_end: BTreeMap<u16, Vec<[u32; 3]>> = BTreeMap::new();
            for ((f, t), ordinal) in from.iter().zip(&*to).zip(0u32..) {
                by_end.entry(u16::try_from(t >> 16).unwrap_or(u16::MAX)).or_default().push([*t, *f, ordinal]);
            }
            for (end, triples) in by_end {
                let place = self.write(bytemuck::cast_slice(&triples))?;
                self.ends.entry(end).or_default().push(place);
            }
        }
        for (g, places) in std::mem::take(&mut self.ends) {
            let mut triples: Vec<[u32; 3]> = Vec::new();
            for place in places {
                let bytes = self.read(place)?;
                triples.extend_from_slice(bytemuck::cast_slice(&bytes));
            }
            triples.sort_unstable();
            let (to, from): (Vec<u32>, Vec<u32>) = triples.iter().map(|[t, f, _]| (*t, *f)).unzip();
            let ordinals: Vec<u32> = triples.iter().map(|t| t[2]).collect();
            sink(vec![seal(encode::encode_in_group(ty.0, n.group_rows, g, &to, &from, &ordinals))])?;
            merge(&mut out.statistics, encode::statistics_in(ty.0, n.group_types, &from, &to));
        }
        self.file = None;
        self.at = 0;
        let _ = self.vfs.unlink(&self.path);
        Ok(out)
    }
}

/// Adds counts of other nodes to counts.
fn merge(all: &mut Vec<TypeStatistics>, more: Vec<TypeStatistics>) {
    for m in more {
        match all.iter_mut().find(|s| (s.from, s.to) == (m.from, m.to)) {
            Some(s) => {
                s.edges += m.edges;
                s.starts += m.starts;
                s.ends += m.ends;
                s.max_out = s.max_out.max(m.max_out);
                s.max_in = s.max_in.max(m.max_in);
            }
            None => all.push(m),
        }
    }
    all.sort_by_key(|s| (s.from, s.to));
}
