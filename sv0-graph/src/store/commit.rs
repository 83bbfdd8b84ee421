//! A transaction's changes as sections: what changed little gets a patch beside its base, what changed much is written
//! anew. Everything else stays where it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rayon::prelude::*;

use super::adjacency::{Added, PatchContent};
use super::changes::{AllChanges, ChangeSet};
use super::chunk::{Body, Chunk, edge_column_type, node_column_type};
use super::column::Cell;
use super::encode::{self, NewChunk, count};
use super::error::StoreError;
use super::format::{ChunkRef, Kind, edge_column, key_parts, node_column};
use super::pages;
use super::snapshot::{Snapshot, edge_id, edge_parts, group, row};
use super::statistics::TypeStatistics;
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, PropId};
use crate::value::Value;
use crate::view::{Direction, EdgeId, GraphView};
use crate::working::{EdgeRec, NodeRec, Slot, Working, base_node, lookup, unwrap};

/// A patch may hold one row in this many; then its base is written anew.
const PATCH_SHARE: usize = 32;
/// Below this many rows a base is written anew at once.
const SMALL: usize = 1024;

/// How a commit lays out what it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// Patches for few changes, sections anew for many.
    #[default]
    Auto,
    /// Patches wherever there is something to patch: the smallest commit.
    Patches,
    /// Every section that changes anew: the fastest to read.
    Fresh,
}

impl Layout {
    fn patches(self, patched: usize, rows: usize) -> bool {
        match self {
            Self::Auto => rows >= SMALL && patched.saturating_mul(PATCH_SHARE) <= rows,
            Self::Patches => true,
            Self::Fresh => false,
        }
    }
}

/// What a commit writes, and the counts that the manifest carries.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub put: Vec<NewChunk>,
    pub dropped: HashSet<u64>,
    pub node_counts: Vec<u64>,
    pub edge_counts: Vec<u64>,
    pub key_partitions: u32,
    pub changes: AllChanges,
    pub layout: Layout,
}

/// What a commit writes of one edge type.
struct TypePart {
    ty: EdgeTypeId,
    put: Vec<NewChunk>,
    dropped: HashSet<u64>,
    count: u64,
    changes: Option<(u16, ChangeSet)>,
    statistics: Vec<TypeStatistics>,
}

/// Encodes what `w` changes of its base.
pub(crate) fn encode(base: &Snapshot, w: &Working, layout: Layout) -> Result<Encoded, StoreError> {
    let m = base.manifest();
    let mut out = Encoded {
        node_counts: m.node_counts.clone(),
        edge_counts: m.edge_counts.clone(),
        key_partitions: m.key_partitions,
        layout,
        ..Encoded::default()
    };
    out.node_counts.resize(NodeType::ALL.len(), 0);
    out.edge_counts.resize(w.schema.edge_types().len(), 0);
    let statistics = base.statistics()?;
    let types: Vec<EdgeTypeId> = w.schema.edge_type_ids().collect();
    let (new_keys, by_type) = rayon::join(
        || nodes(base, w, &mut out),
        || {
            let one = |ty: &EdgeTypeId| {
                let of_type = statistics.iter().filter(|s| s.edge_type == ty.0).copied().collect();
                edges(base, w, *ty, layout, of_type)
            };
            types.par_iter().with_max_len(1).map(one).collect::<Vec<_>>()
        },
    );
    let new_keys = new_keys?;
    let mut statistics = Vec::new();
    for part in by_type {
        let part = part?;
        out.put.extend(part.put);
        out.dropped.extend(part.dropped);
        out.changes.edges.extend(part.changes);
        out.edge_counts[usize::from(part.ty.0)] = part.count;
        statistics.extend(part.statistics);
    }
    statistics.sort_by_key(|s: &TypeStatistics| (s.edge_type, s.from, s.to));
    keys(base, w, new_keys, &mut out)?;
    records(base, w, &mut out)?;
    out.put.push(encode::encode_schema(&w.schema));
    out.put.push(encode::encode_statistics(&statistics));
    // The change sets of the snapshot before belong to that one.
    out.dropped.extend(m.chunks_of(Kind::Changes).iter().map(|c| c.key));
    out.put.extend(super::write::change_sections(&out.changes));
    Ok(out)
}

fn node_cell(n: &NodeRec, column: u16) -> Cell {
    match column {
        node_column::EXTERNAL_ID => Cell::Value(Value::Str(n.key.id.clone())),
        node_column::SOURCE => encode::text_cell(&n.key.source),
        node_column::ORIGINS => Cell::Origins(n.origins.clone()),
        c => Cell::Value(lookup(&n.props, PropId(c))),
    }
}

/// Writes node sections; returns the keys of new nodes.
fn nodes(base: &Snapshot, w: &Working, out: &mut Encoded) -> Result<Vec<(u64, u32)>, StoreError> {
    let m = base.manifest();
    // A node's id, what it was and what it is.
    type Change<'a> = (u32, Option<NodeRec>, &'a Option<NodeRec>);
    let mut by_group: BTreeMap<u16, Vec<Change<'_>>> = BTreeMap::new();
    let mut new_keys = Vec::new();
    for (id, new) in &w.staged {
        let old = match w.read.nodes.get(id) {
            Some(rec) => Some(rec.clone()),
            None => base_node(base, *id)?,
        };
        if old == *new {
            continue;
        }
        let ty = w.type_of(*id);
        let set = out.changes.nodes.entry(ty as u16).or_default();
        let counted = &mut out.node_counts[ty as usize];
        match (&old, new) {
            (None, Some(n)) => {
                set.added.insert(u64::from(*id));
                *counted += 1;
                new_keys.push((NodeKey::hash64(&n.key.source, &n.key.id), *id));
            }
            (Some(_), None) => {
                set.removed.insert(u64::from(*id));
                *counted = counted.saturating_sub(1);
            }
            (Some(o), Some(n)) if o.props != n.props => {
                set.changed.insert(u64::from(*id));
            }
            _ => {}
        }
        by_group.entry(group(*id)).or_default().push((*id, old, new));
    }
    // Ids that were given out and aren't used make a group longer, too.
    for (g, rows) in (0u16..).zip(&w.group_rows) {
        if m.group_rows.get(usize::from(g)) != Some(rows) {
            by_group.entry(g).or_default();
        }
    }
    for (g, list) in by_group {
        let rows = w.group_rows[usize::from(g)];
        let gone: BTreeMap<u32, bool> = list.iter().map(|(id, _, new)| (*id, new.is_some())).collect();
        let first = u32::from(g) << 16;
        let before = base.alive_bits(g)?;
        let mut changes = gone.iter().peekable();
        let alive = (0..rows).map(|r| match changes.next_if(|(id, _)| **id == (first | r)) {
            Some((_, alive)) => *alive,
            None => before.is_some_and(|c| c.alive(r as usize)),
        });
        out.put.push(encode::encode_alive(g, rows, alive));
        let mut columns: BTreeSet<u16> = base.node_columns(g).into_iter().collect();
        for n in list.iter().filter_map(|(_, _, n)| n.as_ref()) {
            columns.extend(n.props.iter().map(|(p, _)| p.0));
            columns.extend([node_column::EXTERNAL_ID, node_column::SOURCE, node_column::ORIGINS]);
        }
        for c in columns {
            let Some(ty) = node_column_type(&w.schema, c) else { continue };
            let null = if ty.is_some() { Cell::Value(Value::Null) } else { Cell::Origins(Vec::new()) };
            let mut updates: BTreeMap<u32, Cell> = BTreeMap::new();
            for (id, old, new) in &list {
                // What is gone keeps its cells: nobody reads them.
                let Some(new) = new else { continue };
                let cell = node_cell(new, c);
                if old.as_ref().map_or_else(|| null.clone(), |o| node_cell(o, c)) != cell {
                    updates.insert(id & 0xffff, cell);
                }
            }
            let read = |r: u32| -> Result<Cell, StoreError> {
                Ok(match ty {
                    Some(_) => Cell::Value(base.node_cell(first | r, c)?),
                    None => Cell::Origins(base.node_origins(first | r)?),
                })
            };
            let column =
                ColumnPlace { base: Kind::NodeColumn.key(c, 0, g), patch: Kind::NodePatch.key(c, 0, g), rows, ty };
            let index = encode::indexed(&w.schema, c).then(|| Kind::ValueIndex.key(c, 0, g));
            write_column(base, &column, updates, index, &read, out)?;
        }
    }
    Ok(new_keys)
}

struct ColumnPlace {
    base: u64,
    patch: u64,
    rows: u32,
    ty: Option<crate::schema::PropType>,
}

/// Writes a column's updates: a patch, or the whole of it.
fn write_column(
    base: &Snapshot,
    place: &ColumnPlace,
    mut updates: BTreeMap<u32, Cell>,
    index: Option<u64>,
    read: &dyn Fn(u32) -> Result<Cell, StoreError>,
    out: &mut Encoded,
) -> Result<(), StoreError> {
    if updates.is_empty() {
        return Ok(());
    }
    let mut patched: Vec<u32> = Vec::new();
    if let Some(Chunk { body: Body::Patch { rows, .. }, bytes }) = base.chunk(place.patch)? {
        patched = rows.iter(bytes.as_slice()).filter_map(|r| u32::try_from(r).ok()).collect();
    }
    let all: BTreeSet<u32> = patched.iter().chain(updates.keys()).copied().collect();
    if out.layout.patches(all.len(), place.rows as usize) {
        for r in patched {
            if let std::collections::btree_map::Entry::Vacant(e) = updates.entry(r) {
                e.insert(read(r)?);
            }
        }
        let bytes = encode::encode_patch(place.ty, &updates);
        out.put.push(NewChunk { key: place.patch, rows: count(updates.len()), aux: 0, bytes });
        return Ok(());
    }
    let cells = (0..place.rows)
        .map(|r| updates.remove(&r).map_or_else(|| read(r), Ok))
        .collect::<Result<Vec<Cell>, StoreError>>()?;
    out.dropped.extend([place.base, place.patch]);
    out.dropped.extend(index);
    if let Some(bytes) = encode::encode_column(place.ty, &cells) {
        out.put.push(NewChunk { key: place.base, rows: place.rows, aux: 0, bytes });
        if let Some(key) = index
            && let Some((rows, bytes)) = encode::index_cells(&cells)
        {
            out.put.push(NewChunk { key, rows, aux: 0, bytes });
        }
    }
    Ok(())
}

fn edge_cell(key: &std::sync::Arc<str>, r: &EdgeRec, column: u16) -> Cell {
    let number = |n: u8| Cell::Value(Value::Int(i64::from(n)));
    match column {
        edge_column::KEY => encode::text_cell(key),
        edge_column::SOURCES => Cell::Value(Value::List(r.sources.clone().into())),
        edge_column::ORIGINS => Cell::Origins(r.origins.clone()),
        edge_column::CONDITION => Cell::Value(r.condition.as_ref().map_or(Value::Null, |c| Value::Str(c.clone()))),
        edge_column::EVIDENCE => number(r.evidence as u8),
        edge_column::STATE => number(r.state as u8),
        c => Cell::Value(lookup(&r.props, PropId(c))),
    }
}

const FIXED: [u16; 6] = [
    edge_column::KEY,
    edge_column::SOURCES,
    edge_column::ORIGINS,
    edge_column::CONDITION,
    edge_column::EVIDENCE,
    edge_column::STATE,
];

fn base_cell(base: &Snapshot, e: EdgeId, column: u16) -> Result<Cell, StoreError> {
    Ok(if column == edge_column::ORIGINS {
        Cell::Origins(base.edge_origins(e)?)
    } else {
        Cell::Value(base.edge_cell(e, column)?)
    })
}

/// What really changes of one edge type.
struct EdgeChanges<'a> {
    added: Vec<&'a Slot>,
    /// The edge, its slot, and whether it says something else: new records alone are no change.
    changed: Vec<(EdgeId, &'a Slot, bool)>,
    removed: Vec<EdgeId>,
}

fn edges(
    base: &Snapshot,
    w: &Working,
    ty: EdgeTypeId,
    layout: Layout,
    statistics: Vec<TypeStatistics>,
) -> Result<TypePart, StoreError> {
    let m = base.manifest();
    let count = m.edge_counts.get(usize::from(ty.0)).copied().unwrap_or(0);
    let mut out = TypePart { ty, put: Vec::new(), dropped: HashSet::new(), count, changes: None, statistics };
    let table = &w.edges[usize::from(ty.0)];
    if table.is_empty() {
        return Ok(out);
    }
    let mut c = EdgeChanges { added: Vec::new(), changed: Vec::new(), removed: Vec::new() };
    let mut kept: HashSet<EdgeId> = HashSet::new();
    for slot in table.standing() {
        match &slot.base {
            Some((e, old)) => {
                kept.insert(*e);
                if *old != slot.rec {
                    c.changed.push((*e, slot, !old.says_the_same(&slot.rec)));
                }
            }
            None => c.added.push(slot),
        }
    }
    c.removed = table.hidden.iter().filter(|e| !kept.contains(e)).copied().collect();
    c.removed.sort_unstable();
    if c.added.is_empty() && c.changed.is_empty() && c.removed.is_empty() {
        return Ok(out);
    }
    out.count = (out.count + c.added.len() as u64).saturating_sub(c.removed.len() as u64);
    let all = usize::try_from(out.count).unwrap_or(usize::MAX);
    let patched: usize = m
        .chunks_of(Kind::OutPatch)
        .iter()
        .filter(|p| key_parts(p.key).0 == ty.0)
        .map(|p| p.rows as usize + p.aux as usize)
        .sum();
    // Changed edges leave the adjacency alone: what their columns' patches hold counts, too.
    let mut columns: BTreeMap<u16, u32> = BTreeMap::new();
    for p in m.chunks_of(Kind::EdgePatch).iter().filter(|p| key_parts(p.key).0 == ty.0) {
        let rows = columns.entry(key_parts(p.key).2).or_default();
        *rows = p.rows.max(*rows);
    }
    let patched = patched.max(columns.values().map(|r| *r as usize).sum());
    if layout.patches(patched + c.added.len() + c.changed.len() + c.removed.len(), all) {
        patch_edges(base, w, ty, &c, &mut out)?;
        adjust(&mut out.statistics, base, w, ty, &c)?;
    } else {
        rewrite_edges(base, w, ty, &c, &mut out)?;
    }
    Ok(out)
}

/// The number of edges by ends; the rest stays an estimate.
fn adjust(
    statistics: &mut Vec<TypeStatistics>,
    base: &Snapshot,
    w: &Working,
    ty: EdgeTypeId,
    c: &EdgeChanges<'_>,
) -> Result<(), StoreError> {
    let mut by = |from: u32, to: u32, more: bool| {
        let (from, to) = (w.type_of(from) as u8, w.type_of(to) as u8);
        let found = statistics.iter_mut().find(|s| (s.edge_type, s.from, s.to) == (ty.0, from, to));
        match found {
            Some(s) if more => s.edges = s.edges.saturating_add(1),
            Some(s) => s.edges = s.edges.saturating_sub(1),
            None if more => statistics.push(TypeStatistics {
                edge_type: ty.0,
                from,
                to,
                edges: 1,
                starts: 1,
                ends: 1,
                max_out: 1,
                max_in: 1,
            }),
            None => {}
        }
    };
    for s in &c.added {
        by(s.identity.0, s.identity.1, true);
    }
    for e in &c.removed {
        let (from, to) = base.ends(*e)?;
        by(from, to, false);
    }
    statistics.sort_by_key(|s| (s.edge_type, s.from, s.to));
    Ok(())
}

/// All sections of the type, anew.
fn rewrite_edges(
    base: &Snapshot,
    w: &Working,
    ty: EdgeTypeId,
    c: &EdgeChanges<'_>,
    out: &mut TypePart,
) -> Result<(), StoreError> {
    #[derive(Clone, Copy)]
    enum From<'a> {
        Base(EdgeId),
        /// New, or old and whether it says something else.
        Slot(&'a Slot, Option<bool>),
    }
    let m = base.manifest();
    let gone: HashSet<EdgeId> = c.removed.iter().copied().chain(c.changed.iter().map(|(e, ..)| *e)).collect();
    let mut all: Vec<(u32, u32, std::sync::Arc<str>, From<'_>)> = Vec::new();
    for g in 0..count(m.group_types.len()) {
        let g = u16::try_from(g).unwrap_or(u16::MAX);
        let rows = base.rows(ty, Direction::Out, g)?;
        if rows.base.is_none() && rows.patch.is_none() {
            continue;
        }
        let mut found = Vec::new();
        for r in 0..m.group_rows[usize::from(g)] {
            rows.each(r as usize, &mut |to, ordinal, _| {
                let e = edge_id(ty, g, ordinal);
                if !gone.contains(&e) {
                    found.push((u32::from(g) << 16 | r, to, e));
                }
            });
        }
        for (from, to, e) in found {
            let key = match base.edge_cell(e, edge_column::KEY)? {
                Value::Str(s) => s,
                _ => "".into(),
            };
            all.push((from, to, key, From::Base(e)));
        }
    }
    let of = |s: &Slot| (s.identity.0, s.identity.1, s.identity.2.clone());
    for s in &c.added {
        let (from, to, key) = of(s);
        all.push((from, to, key, From::Slot(s, None)));
    }
    for (_, s, real) in &c.changed {
        let (from, to, key) = of(s);
        all.push((from, to, key, From::Slot(s, Some(*real))));
    }
    all.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
    let from: Vec<u32> = all.iter().map(|e| e.0).collect();
    let to: Vec<u32> = all.iter().map(|e| e.1).collect();
    for kind in [Kind::Out, Kind::OutPatch, Kind::In, Kind::InPatch, Kind::EdgeColumn, Kind::EdgePatch] {
        out.dropped.extend(m.chunks_of(kind).iter().map(|r| r.key).filter(|k| key_parts(*k).0 == ty.0));
    }
    let order = encode::by_end(&to);
    out.put.extend(encode::encode_out(ty.0, &w.group_rows, &from, &to));
    out.put.extend(encode::encode_in(ty.0, &w.group_rows, &from, &to, &order));
    out.statistics = encode::statistics(ty.0, &w.group_types, &from, &to, &order);
    let mut set = ChangeSet::default();
    for (g, range) in encode::by_group(&from) {
        let part = &all[range];
        let mut columns: BTreeSet<u16> = base.edge_columns(ty, g).into_iter().collect();
        columns.extend(FIXED);
        for (ordinal, (.., origin)) in (0u32..).zip(part) {
            if let From::Slot(slot, old) = origin {
                let id = edge_id(ty, g, ordinal).0;
                match old {
                    Some(true) => _ = set.changed.insert(id),
                    Some(false) => {}
                    None => _ = set.added.insert(id),
                }
                columns.extend(slot.rec.props.iter().map(|(p, _)| p.0));
            }
        }
        for column in columns {
            let Some(prop) = edge_column_type(&w.schema, column) else { continue };
            let cells = part
                .iter()
                .map(|(_, _, key, origin)| match origin {
                    From::Base(e) => base_cell(base, *e, column),
                    From::Slot(s, _) => Ok(edge_cell(key, &s.rec, column)),
                })
                .collect::<Result<Vec<Cell>, StoreError>>()?;
            if let Some(bytes) = encode::encode_column(prop, &cells) {
                let key = Kind::EdgeColumn.key(ty.0, column, g);
                out.put.push(NewChunk { key, rows: count(cells.len()), aux: 0, bytes });
            }
        }
    }
    set.removed.extend(c.removed.iter().map(|e| e.0));
    out.changes = Some((ty.0, set));
    Ok(())
}

/// Patches beside the sections of the type.
fn patch_edges(
    base: &Snapshot,
    w: &Working,
    ty: EdgeTypeId,
    c: &EdgeChanges<'_>,
    out: &mut TypePart,
) -> Result<(), StoreError> {
    let mut outward: BTreeMap<u16, PatchContent> = BTreeMap::new();
    let mut inward: BTreeMap<u16, PatchContent> = BTreeMap::new();
    let mut cells: BTreeMap<(u16, u16), BTreeMap<u32, Cell>> = BTreeMap::new();
    let mut set = ChangeSet::default();
    for e in &c.removed {
        let (from, to) = base.ends(*e)?;
        let (_, g, ordinal) = edge_parts(*e);
        let rows = base.rows(ty, Direction::Out, g)?;
        let patch = content(&mut outward, base, ty, Direction::Out, g)?;
        if rows.base.is_some_and(|(_, csr)| (ordinal as usize) < csr.edges) {
            patch.removed.push(ordinal);
        } else {
            patch.added.retain(|a| a.ordinal != ordinal);
        }
        let end = group(to);
        let place = base.rows(ty, Direction::In, end)?.base.and_then(|(bytes, csr)| {
            let span = csr.span(bytes, row(to));
            let others = csr.others(bytes).get(span.clone())?;
            let at = span.start + others.partition_point(|o| *o < from);
            (at..span.end)
                .take_while(|p| csr.others(bytes).get(*p) == Some(&from))
                .find(|p| csr.ordinal(bytes, *p) == ordinal)
        });
        let patch = content(&mut inward, base, ty, Direction::In, end)?;
        match place {
            Some(p) => patch.removed.push(count(p)),
            None => {
                let gone = Added { row: count(row(to)), other: from, ordinal };
                patch.added.retain(|a| *a != gone);
            }
        }
        set.removed.insert(e.0);
    }
    let mut put = |g: u16, ordinal: u32, slot: &Slot, old: Option<&EdgeRec>| {
        let own = slot.rec.props.iter().map(|(p, _)| p.0);
        let before = old.iter().flat_map(|o| o.props.iter().map(|(p, _)| p.0));
        let columns: BTreeSet<u16> = own.chain(before).chain(FIXED).collect();
        for column in columns {
            let cell = edge_cell(&slot.identity.2, &slot.rec, column);
            let was = old.map(|o| edge_cell(&slot.identity.2, o, column));
            if was.as_ref() != Some(&cell) {
                cells.entry((g, column)).or_default().insert(ordinal, cell);
            }
        }
    };
    for slot in &c.added {
        let (from, to, _) = slot.identity;
        let g = group(from);
        let patch = content(&mut outward, base, ty, Direction::Out, g)?;
        let ordinal = patch.next;
        patch.next = patch
            .next
            .checked_add(1)
            .ok_or(StoreError::Limit { which: "the edges of a group", max: u64::from(u32::MAX) })?;
        patch.added.push(Added { row: count(row(from)), other: to, ordinal });
        let added = Added { row: count(row(to)), other: from, ordinal };
        content(&mut inward, base, ty, Direction::In, group(to))?.added.push(added);
        put(g, ordinal, slot, None);
        set.added.insert(edge_id(ty, g, ordinal).0);
    }
    for (e, slot, real) in &c.changed {
        let (_, g, ordinal) = edge_parts(*e);
        put(g, ordinal, slot, slot.base.as_ref().map(|(_, old)| old));
        if *real {
            set.changed.insert(e.0);
        }
    }
    for (kind, contents) in [(Kind::OutPatch, outward), (Kind::InPatch, inward)] {
        for (g, mut p) in contents {
            p.removed.sort_unstable();
            p.added.sort_unstable();
            let key = kind.key(ty.0, 0, g);
            // A group whose last change was taken back still remembers the ordinals that it gave out.
            if p.size() == 0 && kind == Kind::InPatch {
                out.dropped.insert(key);
                continue;
            }
            let (rows, aux) = (count(p.added.len()), count(p.removed.len()));
            out.put.push(NewChunk { key, rows, aux, bytes: p.encode() });
        }
    }
    for ((g, column), updates) in cells {
        let Some(prop) = edge_column_type(&w.schema, column) else { continue };
        let patch = Kind::EdgePatch.key(ty.0, column, g);
        let mut merged = updates;
        if let Some(Chunk { body: Body::Patch { rows, .. }, bytes }) = base.chunk(patch)? {
            for r in rows.iter(bytes.as_slice()).filter_map(|r| u32::try_from(r).ok()) {
                if let std::collections::btree_map::Entry::Vacant(v) = merged.entry(r) {
                    v.insert(base_cell(base, edge_id(ty, g, r), column)?);
                }
            }
        }
        // A column that says nothing of these rows and has no base needs no patch.
        let nothing = |c: &Cell| match c {
            Cell::Value(v) => v.is_null(),
            Cell::Origins(o) => o.is_empty(),
        };
        let bare = base.chunk(Kind::EdgeColumn.key(ty.0, column, g))?.is_none();
        if bare && merged.values().all(nothing) {
            out.dropped.insert(patch);
            continue;
        }
        let bytes = encode::encode_patch(prop, &merged);
        out.put.push(NewChunk { key: patch, rows: count(merged.len()), aux: 0, bytes });
    }
    out.changes = Some((ty.0, set));
    Ok(())
}

/// The patch of a group as it is, to be changed.
fn content<'a>(
    all: &'a mut BTreeMap<u16, PatchContent>,
    base: &Snapshot,
    ty: EdgeTypeId,
    dir: Direction,
    g: u16,
) -> Result<&'a mut PatchContent, StoreError> {
    match all.entry(g) {
        std::collections::btree_map::Entry::Occupied(e) => Ok(e.into_mut()),
        std::collections::btree_map::Entry::Vacant(e) => {
            // The base itself isn't read: an addition needs to know how many edges it holds, no more.
            let (kind, next) = match dir {
                Direction::Out => (Kind::OutPatch, base.next_ordinal(ty, g)?),
                Direction::In => (Kind::InPatch, u32::MAX),
            };
            let mut c = match base.chunk(kind.key(ty.0, 0, g))? {
                Some(Chunk { body: Body::CsrPatch(p), bytes }) => p.content(bytes.as_slice()),
                _ => PatchContent::default(),
            };
            c.next = next;
            Ok(e.insert(c))
        }
    }
}

/// The key index: new keys beside it, or all of it anew.
fn keys(base: &Snapshot, w: &Working, mut new_keys: Vec<(u64, u32)>, out: &mut Encoded) -> Result<(), StoreError> {
    if new_keys.is_empty() {
        return Ok(());
    }
    let delta = Kind::KeyDelta.key(0, 0, 0);
    if let Some(Chunk { body: Body::Keys(k), bytes }) = base.chunk(delta)? {
        // What is gone stays in no list: a key that comes and goes would fill it.
        new_keys.extend(k.wide(bytes.as_slice()).filter(|(_, id)| w.is_live(*id)));
    }
    let all: u64 = out.node_counts.iter().sum();
    if base.manifest().key_partitions > 0 && new_keys.len().saturating_mul(16) <= usize::try_from(all).unwrap_or(0) {
        out.put.push(encode::encode_delta(new_keys));
        return Ok(());
    }
    let mut every = Vec::new();
    for id in w.nodes(None).map_err(unwrap)? {
        let key = w.key(id).map_err(unwrap)?;
        every.push((NodeKey::hash64(&key.source, &key.id), id));
    }
    out.dropped.insert(delta);
    out.dropped.extend(base.manifest().chunks_of(Kind::KeyIndex).iter().map(|c| c.key));
    let (chunks, partitions) = encode::encode_keys(every);
    out.put.extend(chunks);
    out.key_partitions = partitions;
    Ok(())
}

/// New records, with the last section if there is room in it.
fn records(base: &Snapshot, w: &Working, out: &mut Encoded) -> Result<(), StoreError> {
    out.put.extend(pages::encode(base.manifest().chunks_of(Kind::Pages).len(), &w.pages)?);
    if w.records.is_empty() {
        return Ok(());
    }
    let old = base.manifest().chunks_of(Kind::Records);
    let mut texts: Vec<String> = w.records.iter().map(encode::record_text).collect();
    let limit = StoreError::Limit { which: "the number of sections of records", max: 65_535 };
    let (mut section, mut first) = (u16::try_from(old.len()).map_err(|_| limit)?, w.base_records());
    if let Some(ChunkRef { rows, aux, key, .. }) = old.last()
        && *rows as usize + texts.len() <= encode::RECORDS_PER_CHUNK
    {
        let mut all = (0..*rows)
            .map(|i| Ok(encode::record_text(&base.record(aux + i)?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        all.append(&mut texts);
        (texts, first, section) = (all, *aux, key_parts(*key).2);
    }
    out.put.extend(encode::encode_records(section, first, &texts)?);
    Ok(())
}
