//! Sections from sorted data: adjacency of an edge type, columns, value indexes, keys, records.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::adjacency::encode_csr;
use super::array::Buffer;
use super::chunk::narrow_hash;
use super::column::{self, Cell};
use super::error::StoreError;
use super::format::Kind;
use super::statistics::TypeStatistics;
use crate::batch::SourceRecord;
use crate::schema::{NodeType, PropType, Schema};
use crate::value::Value;

/// A section to be written.
#[derive(Debug)]
pub(crate) struct NewChunk {
    pub key: u64,
    pub rows: u32,
    pub aux: u32,
    pub bytes: Vec<u8>,
}

/// Node columns that have a value index: few values, often asked for.
pub(crate) const INDEXED: &[&str] = &["kind", "system", "status", "environment", "sensitivity", "data_domain", "tags"];

/// A value index holds at most this many values; a column with more has none.
pub(crate) const MOST_VALUES: usize = 256;

pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn group_of(id: u32) -> usize {
    (id >> 16) as usize
}

fn number(group: usize) -> u16 {
    u16::try_from(group).unwrap_or(u16::MAX)
}

/// The runs of sorted ids that lie in one group each.
pub(crate) fn by_group(ids: &[u32]) -> Vec<(u16, std::ops::Range<usize>)> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(first) = ids.get(at) {
        let g = group_of(*first);
        let end = at + ids[at..].partition_point(|id| group_of(*id) == g);
        out.push((number(g), at..end));
        at = end;
    }
    out
}

fn starts(rows: u32, ids: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut counts = vec![0u32; rows as usize + 1];
    for id in ids {
        counts[(id & 0xffff) as usize + 1] += 1;
    }
    for i in 1..counts.len() {
        counts[i] += counts[i - 1];
    }
    counts
}

/// The outward adjacency of edges sorted by (from, to).
pub(crate) fn encode_out(ty: u16, group_rows: &[u32], from: &[u32], to: &[u32]) -> Vec<NewChunk> {
    by_group(from)
        .into_iter()
        .map(|(g, range)| {
            let rows = group_rows[usize::from(g)];
            let others = &to[range.clone()];
            let bytes = encode_csr(&starts(rows, from[range].iter().copied()), others, None);
            NewChunk { key: Kind::Out.key(ty, 0, g), rows, aux: count(others.len()), bytes }
        })
        .collect()
}

/// Edges by their end: for each its index in the order by start. Stable, so that starts ascend for each end.
pub(crate) fn by_end(to: &[u32]) -> Vec<u32> {
    // Few edges among many nodes: a sort is cheaper than an array by node.
    if to.len() < (1 << 16) {
        let mut order: Vec<u32> = (0..count(to.len())).collect();
        order.sort_by_key(|i| to[*i as usize]);
        return order;
    }
    let last = to.iter().copied().max().unwrap_or(0) as usize;
    let mut at = vec![0u32; last + 2];
    for t in to {
        at[*t as usize + 1] += 1;
    }
    for i in 1..at.len() {
        at[i] += at[i - 1];
    }
    let mut order = vec![0u32; to.len()];
    for (t, i) in to.iter().zip(0u32..) {
        let slot = &mut at[*t as usize];
        order[*slot as usize] = i;
        *slot += 1;
    }
    order
}

/// The inward adjacency of edges sorted by (from, to); `order` is [`by_end`] of them.
pub(crate) fn encode_in(ty: u16, group_rows: &[u32], from: &[u32], to: &[u32], order: &[u32]) -> Vec<NewChunk> {
    // Where each start's group begins: an ordinal counts from there.
    let mut first = vec![0u32; group_rows.len()];
    for (g, range) in by_group(from) {
        first[usize::from(g)] = count(range.start);
    }
    let ends: Vec<u32> = order.iter().map(|i| to[*i as usize]).collect();
    by_group(&ends)
        .into_iter()
        .map(|(g, range)| {
            let part = &order[range.clone()];
            let others: Vec<u32> = part.iter().map(|i| from[*i as usize]).collect();
            let ordinals: Vec<u32> = part.iter().zip(&others).map(|(i, from)| i - first[group_of(*from)]).collect();
            encode_in_group(ty, group_rows, g, &ends[range], &others, &ordinals)
        })
        .collect()
}

/// The inward adjacency of one group, of edges sorted by (to, from, ordinal).
pub(crate) fn encode_in_group(
    ty: u16,
    group_rows: &[u32],
    g: u16,
    to: &[u32],
    from: &[u32],
    ordinals: &[u32],
) -> NewChunk {
    let rows = group_rows[usize::from(g)];
    let bytes = encode_csr(&starts(rows, to.iter().copied()), from, Some(ordinals));
    NewChunk { key: Kind::In.key(ty, 0, g), rows, aux: count(from.len()), bytes }
}

/// Counts of edges sorted by (from, to), by the types of their ends.
pub(crate) fn statistics(
    ty: u16,
    group_types: &[NodeType],
    from: &[u32],
    to: &[u32],
    order: &[u32],
) -> Vec<TypeStatistics> {
    let mut all = statistics_out(ty, group_types, from, to);
    let pick = |ids: &[u32]| -> Vec<u32> { order.iter().map(|i| ids[*i as usize]).collect() };
    for m in statistics_in(ty, group_types, &pick(from), &pick(to)) {
        if let Some(s) = all.iter_mut().find(|s| (s.from, s.to) == (m.from, m.to)) {
            (s.ends, s.max_in) = (m.ends, m.max_in);
        }
    }
    all
}

/// Edges, starts and the most out of one node, of edges sorted by start.
pub(crate) fn statistics_out(ty: u16, group_types: &[NodeType], from: &[u32], to: &[u32]) -> Vec<TypeStatistics> {
    let mut all = runs(group_types, from, to);
    all.iter_mut().for_each(|s| s.edge_type = ty);
    all
}

/// Ends and the most into one node, of edges sorted by end.
pub(crate) fn statistics_in(ty: u16, group_types: &[NodeType], from: &[u32], to: &[u32]) -> Vec<TypeStatistics> {
    let turn = |s: TypeStatistics| TypeStatistics {
        edge_type: ty,
        from: s.to,
        to: s.from,
        edges: 0,
        starts: 0,
        ends: s.starts,
        max_out: 0,
        max_in: s.max_out,
    };
    let mut all: Vec<TypeStatistics> = runs(group_types, to, from).into_iter().map(turn).collect();
    all.sort_by_key(|s| (s.from, s.to));
    all
}

/// Runs of one first id, by the types of both.
fn runs(group_types: &[NodeType], first: &[u32], second: &[u32]) -> Vec<TypeStatistics> {
    let type_of = |id: u32| group_types.get(group_of(id)).map_or(0, |t| *t as u8);
    let nobody = u32::MAX;
    let mut by_pair: BTreeMap<(u8, u8), (TypeStatistics, u32, u32)> = BTreeMap::new();
    let mut at = 0;
    while at < first.len() {
        // A run within one group of the second: its type is one look-up.
        let (f, g) = (first[at], group_of(second[at]));
        let run = first[at..].iter().zip(&second[at..]).take_while(|(a, b)| **a == f && group_of(**b) == g).count();
        let pair = (type_of(f), type_of(second[at]));
        let (s, last, length) = by_pair
            .entry(pair)
            .or_insert_with(|| (TypeStatistics { from: pair.0, to: pair.1, ..TypeStatistics::default() }, nobody, 0));
        if *last != f {
            (*last, *length) = (f, 0);
            s.starts += 1;
        }
        s.edges += run as u64;
        *length += count(run);
        s.max_out = s.max_out.max(*length);
        at += run;
    }
    by_pair.into_values().map(|(s, ..)| s).collect()
}

/// A column of cells; `None` is origins. `None` where no row says anything.
pub(crate) fn encode_column(ty: Option<PropType>, cells: &[Cell]) -> Option<Vec<u8>> {
    let mut b = Buffer::default();
    put_column(&mut b, ty, cells).then(|| b.into_bytes())
}

fn put_column(b: &mut Buffer, ty: Option<PropType>, cells: &[Cell]) -> bool {
    match ty {
        Some(ty) => {
            let values = cells.iter().map(|c| if let Cell::Value(v) = c { Some(v) } else { None });
            let some = values.clone().flatten().any(|v| !v.is_null());
            column::encode_cells(b, ty, values);
            some
        }
        None => {
            let rows = cells.iter().map(|c| if let Cell::Origins(o) = c { &o[..] } else { &[] });
            let some = rows.clone().any(|o| !o.is_empty());
            column::encode_origins(b, rows);
            some
        }
    }
}

/// Some rows of a column.
pub(crate) fn encode_patch(ty: Option<PropType>, rows: &BTreeMap<u32, Cell>) -> Vec<u8> {
    let mut b = Buffer::default();
    b.packed_bits(&rows.keys().map(|r| i64::from(*r)).collect::<Vec<_>>());
    let cells: Vec<Cell> = rows.values().cloned().collect();
    put_column(&mut b, ty, &cells);
    b.into_bytes()
}

/// The rows of each value; `None` where there are too many values or none. Values without rows are left out.
pub(crate) fn encode_value_rows<'a>(values: impl Iterator<Item = (&'a str, &'a [u32])>) -> Option<(u32, Vec<u8>)> {
    let mut sorted: Vec<(&str, &[u32])> = values.filter(|(_, rows)| !rows.is_empty()).collect();
    if sorted.is_empty() || sorted.len() > MOST_VALUES {
        return None;
    }
    sorted.sort_unstable();
    let mut maps = Vec::new();
    let mut ends = Vec::new();
    for (_, rows) in &sorted {
        let mut map = RoaringBitmap::from_sorted_iter(rows.iter().copied()).unwrap_or_default();
        map.optimize();
        // Writing to memory doesn't fail.
        let _ = map.serialize_into(&mut maps);
        ends.push(count(maps.len()));
    }
    let mut b = Buffer::default();
    b.texts(sorted.iter().map(|(s, _)| *s));
    b.packed_u32(ends.into_iter());
    b.bytes(&maps);
    Some((count(sorted.len()), b.into_bytes()))
}

/// A value index over cells of texts or lists of texts.
pub(crate) fn index_cells(cells: &[Cell]) -> Option<(u32, Vec<u8>)> {
    let mut by_value: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (c, row) in cells.iter().zip(0u32..) {
        let texts: &[Arc<str>] = match c {
            Cell::Value(Value::Str(s)) => std::slice::from_ref(s),
            Cell::Value(Value::List(l)) => l,
            _ => &[],
        };
        for s in texts {
            let rows = by_value.entry(s).or_default();
            if rows.last() != Some(&row) {
                rows.push(row);
            }
        }
        if by_value.len() > MOST_VALUES {
            return None;
        }
    }
    encode_value_rows(by_value.iter().map(|(v, r)| (*v, &r[..])))
}

/// How many keys a partition of the key index holds, about.
const PARTITION: usize = 16_384;

/// The key index of all live nodes: its partitions, and how many.
pub(crate) fn encode_keys(mut keys: Vec<(u64, u32)>) -> (Vec<NewChunk>, u32) {
    let partitions = keys.len().div_ceil(PARTITION).next_power_of_two().min(1 << 16);
    let bits = partitions.trailing_zeros();
    keys.sort_unstable();
    let of = |h: u64| usize::try_from(h.checked_shr(64 - bits).unwrap_or(0)).unwrap_or(0);
    let mut out = Vec::new();
    let mut at = 0;
    for p in 0..partitions {
        let end = at + keys[at..].partition_point(|(h, _)| of(*h) <= p);
        let part = &keys[at..end];
        at = end;
        if part.is_empty() {
            continue;
        }
        let mut b = Buffer::default();
        b.u32s(&part.iter().map(|(h, _)| narrow_hash(*h, bits)).collect::<Vec<_>>());
        b.u32s(&part.iter().map(|(_, id)| *id).collect::<Vec<_>>());
        let key = Kind::KeyIndex.key(0, 0, number(p));
        out.push(NewChunk { key, rows: count(part.len()), aux: 0, bytes: b.into_bytes() });
    }
    (out, count(partitions))
}

/// Keys beside the index.
pub(crate) fn encode_delta(mut keys: Vec<(u64, u32)>) -> NewChunk {
    keys.sort_unstable();
    let mut b = Buffer::default();
    b.u64s(&keys.iter().map(|(h, _)| *h).collect::<Vec<_>>());
    b.u32s(&keys.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    NewChunk { key: Kind::KeyDelta.key(0, 0, 0), rows: count(keys.len()), aux: 0, bytes: b.into_bytes() }
}

/// Records stand in sections of at most this many.
pub(crate) const RECORDS_PER_CHUNK: usize = 1024;

/// Records from number `base` on, in sections from number `section` on.
pub(crate) fn encode_records(section: u16, base: u32, texts: &[String]) -> Result<Vec<NewChunk>, StoreError> {
    let mut out = Vec::new();
    for (i, part) in texts.chunks(RECORDS_PER_CHUNK).enumerate() {
        let number = u16::try_from(usize::from(section) + i)
            .map_err(|_| StoreError::Limit { which: "the number of sections of records", max: 65_536 })?;
        let mut b = Buffer::default();
        b.texts(part.iter().map(String::as_str));
        out.push(NewChunk {
            key: Kind::Records.key(0, 0, number),
            rows: count(part.len()),
            aux: base + count(i * RECORDS_PER_CHUNK),
            bytes: b.into_bytes(),
        });
    }
    Ok(out)
}

pub(crate) fn record_text(r: &SourceRecord) -> String {
    serde_json::to_string(r).unwrap_or_default()
}

pub(crate) fn encode_alive(group: u16, rows: u32, alive: impl Iterator<Item = bool>) -> NewChunk {
    let mut b = Buffer::default();
    b.bits(alive);
    NewChunk { key: Kind::Alive.key(0, 0, group), rows, aux: 0, bytes: b.into_bytes() }
}

pub(crate) fn encode_schema(schema: &Schema) -> NewChunk {
    NewChunk { key: Kind::Schema.key(0, 0, 0), rows: 1, aux: 0, bytes: schema.to_archive() }
}

pub(crate) fn encode_statistics(list: &[TypeStatistics]) -> NewChunk {
    let bytes = super::statistics::encode(list);
    NewChunk { key: Kind::Statistics.key(0, 0, 0), rows: count(list.len()), aux: 0, bytes }
}

/// Whether a node property has a value index.
pub(crate) fn indexed(schema: &Schema, column: u16) -> bool {
    schema.node_properties().get(usize::from(column)).is_some_and(|p| INDEXED.contains(&p.name.as_str()))
}

/// A text as a cell; an empty one is null.
pub(crate) fn text_cell(s: &Arc<str>) -> Cell {
    Cell::Value(if s.is_empty() { Value::Null } else { Value::Str(s.clone()) })
}
