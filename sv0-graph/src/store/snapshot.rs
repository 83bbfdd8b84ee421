//! An immutable snapshot: every section is read, checked and kept at its first touch.

mod values;
mod view;
mod warm;

pub use values::Codes;
pub(crate) use warm::Candidate;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::changes::ChangeSet;
use super::chunk::{Beside, Body, Bounds, Chunk};
use super::column::Origins;
use super::error::StoreError;
use super::format::{Kind, Manifest, PAGE, edge_column, key_parts, node_column, section};
use super::lookup::Lookup;
use super::map::Maps;
use super::media::Media;
use super::merged::{Merged, Rows};
use super::statistics::TypeStatistics;
use super::topology::Kept;
use crate::batch::{Evidence, SourceRecord, State};
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, Schema};
use crate::value::Value;
use crate::view::{Direction, EdgeId, EdgeRef};

/// A graph as it was at one commit. Cheap to clone; never disturbed by writers.
#[derive(Debug, Clone)]
pub struct Snapshot(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    media: Media,
    map: Option<Maps>,
    manifest: Manifest,
    schema: Arc<Schema>,
    bounds: Bounds,
    /// An error that an answer couldn't carry.
    swallowed: OnceLock<StoreError>,
    lookup: Lookup,
    kept: Kept,
    /// Boxed, so that a section that nobody touches costs two words.
    cells: Vec<OnceLock<Box<Result<Chunk, StoreError>>>>,
}

/// A snapshot's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its number, from 1.
    pub number: u32,
    /// The newest observation in it, microseconds since 1970, UTC.
    pub time: i64,
    /// Its name.
    pub name: String,
    /// Live nodes.
    pub nodes: u64,
    /// Edges.
    pub edges: u64,
    /// Live nodes by type.
    pub nodes_by_type: BTreeMap<NodeType, u64>,
    /// Edges by type.
    pub edges_by_type: BTreeMap<String, u64>,
    /// What is known of each source: name, system, records, what was observed completely.
    pub sources: Vec<SourceInfo>,
    /// How many identities the legacy classification would have counted, where the input used it.
    pub legacy_identities: u64,
}

/// A source of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// Its name.
    pub name: String,
    /// Its platform.
    pub system: String,
    /// When it was last observed.
    pub observed_at: i64,
    /// How many records (pages) it last had.
    pub records: u32,
    /// What was observed completely.
    pub complete: Vec<String>,
}

impl Snapshot {
    /// `before` is the snapshot that this one was committed on, if it was: what it has read needn't be read again.
    pub(crate) fn new(
        media: Media,
        map: Option<Maps>,
        manifest: Manifest,
        before: Option<&Self>,
    ) -> Result<Self, StoreError> {
        let bounds = Bounds {
            groups: manifest
                .group_rows
                .iter()
                .zip(&manifest.group_types)
                .filter_map(|(r, t)| Some((*r, NodeType::from_u8(*t)?)))
                .collect(),
            records: manifest.records as usize,
            bytes: manifest.chunks.iter().map(|c| c.offset.saturating_add(c.len)).max().unwrap_or(0),
        };
        let cells = manifest.chunks.iter().map(|_| OnceLock::new()).collect();
        let lookup = Lookup::new(&manifest.chunks);
        let mut inner = Inner {
            media,
            map,
            lookup,
            kept: Kept::default(),
            swallowed: OnceLock::new(),
            manifest,
            schema: Arc::new(Schema::empty()),
            bounds,
            cells,
        };
        if let Some(before) = before {
            inner.inherit(&before.0);
        }
        let schema = match inner.chunk(Kind::Schema.key(0, 0, 0))? {
            Some(Chunk { body: Body::Schema(s), .. }) => s.clone(),
            _ => return Err(StoreError::corrupt("schema", 0, "missing")),
        };
        if inner.manifest.edge_counts.len() != schema.edge_types().len() {
            return Err(StoreError::corrupt("manifest", 0, "another number of edge types than the schema has"));
        }
        inner.schema = schema;
        Ok(Self(Arc::new(inner)))
    }

    /// Its mapping, and where what a later commit appends begins at the earliest: a multiple of the page size.
    pub(crate) fn mapped(&self) -> Option<(&Maps, u64)> {
        Some((self.0.map.as_ref()?, self.0.bounds.bytes / PAGE * PAGE))
    }

    /// Its figures.
    #[must_use]
    pub fn info(&self) -> SnapshotInfo {
        let m = &self.0.manifest;
        SnapshotInfo {
            number: m.number,
            time: m.time,
            name: m.name.clone(),
            nodes: m.node_counts.iter().sum(),
            edges: m.edge_counts.iter().sum(),
            nodes_by_type: NodeType::ALL.into_iter().zip(m.node_counts.iter().copied()).collect(),
            edges_by_type: self
                .0
                .schema
                .edge_types()
                .iter()
                .map(|t| t.name.clone())
                .zip(m.edge_counts.iter().copied())
                .collect(),
            sources: m
                .sources
                .iter()
                .map(|s| SourceInfo {
                    name: s.name.clone(),
                    system: s.system.clone(),
                    observed_at: s.observed_at,
                    records: s.records,
                    complete: s.complete.clone(),
                })
                .collect(),
            legacy_identities: m.sources.iter().fold(0, |n, s| n.saturating_add(s.legacy)),
        }
    }

    /// One more than the greatest node id.
    #[must_use]
    pub fn id_bound(&self) -> usize {
        let rows = self.0.manifest.group_rows.iter().enumerate();
        rows.map(|(g, rows)| (g << 16) + *rows as usize).max().unwrap_or(0)
    }

    /// The snapshot's number, from 1; 0 is a store without a commit.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.manifest.number
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.manifest.name
    }

    /// The names of all sources.
    pub fn source_names(&self) -> impl Iterator<Item = &str> {
        self.0.manifest.sources.iter().map(|s| s.name.as_str())
    }

    /// BLAKE3 over the hashes of all sections that hold the graph: equal graphs in equal layout have equal hashes,
    /// before and after a compaction.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut h = blake3::Hasher::new();
        for c in self.0.manifest.chunks.iter().filter(|c| Kind::of(c.key) != Some(Kind::Changes)) {
            h.update(&c.key.to_le_bytes());
            h.update(&c.hash);
        }
        h.finalize().to_hex().to_string()
    }

    /// Counts of edges by type and ends, for planners. Estimates between rewrites of an edge type.
    ///
    /// # Errors
    /// What reading the section meets.
    pub fn statistics(&self) -> Result<&[TypeStatistics], StoreError> {
        match self.0.chunk(Kind::Statistics.key(0, 0, 0))? {
            Some(Chunk { body: Body::Statistics(list), .. }) => Ok(list),
            _ => Ok(&[]),
        }
    }

    /// What this commit changed of a node type: node ids.
    ///
    /// # Errors
    /// What reading the section meets.
    pub fn node_changes(&self, ty: NodeType) -> Result<ChangeSet, StoreError> {
        self.changes(0, ty as u16)
    }

    /// What this commit changed of an edge type: edge ids, those of the removed as in the snapshot before.
    ///
    /// # Errors
    /// What reading the section meets.
    pub fn edge_changes(&self, ty: EdgeTypeId) -> Result<ChangeSet, StoreError> {
        self.changes(1, ty.0)
    }

    fn changes(&self, edges: u16, ty: u16) -> Result<ChangeSet, StoreError> {
        match self.0.chunk(Kind::Changes.key(edges, ty, 0))? {
            Some(Chunk { body: Body::Changes(c), .. }) => Ok(c.clone()),
            _ => Ok(ChangeSet::default()),
        }
    }

    /// An edge's ends.
    ///
    /// # Errors
    /// What reading the sections meets.
    pub fn ends(&self, edge: EdgeId) -> Result<(u32, u32), StoreError> {
        self.0.ends(edge)
    }

    /// The edges of a type from one node to another, ascending.
    ///
    /// # Errors
    /// What reading the sections meets.
    pub fn edges_between(&self, from: u32, ty: EdgeTypeId, to: u32) -> Result<Vec<EdgeId>, StoreError> {
        let inner = &self.0;
        let rows = inner.rows(ty, Direction::Out, group(from))?;
        let mut out = Vec::new();
        if let Some((bytes, csr)) = rows.base {
            let span = csr.span(bytes, row(from));
            let others = csr.others(bytes).get(span.clone()).unwrap_or(&[]);
            let first = others.partition_point(|o| *o < to);
            let run = others.get(first..).unwrap_or(&[]).iter().take_while(|o| **o == to).count();
            for place in span.start + first..span.start + first + run {
                if !rows.patch.is_some_and(|(b, p)| p.is_removed(b, place)) {
                    out.push(edge_id(ty, group(from), csr.ordinal(bytes, place)));
                }
            }
        }
        if let Some((bytes, p)) = rows.patch {
            out.extend(p.row(bytes, row(from)).filter(|a| a.other == to).map(|a| edge_id(ty, group(from), a.ordinal)));
        }
        Ok(out)
    }

    /// The edge with this identity.
    pub(crate) fn find_edge(
        &self,
        ty: EdgeTypeId,
        from: u32,
        to: u32,
        key: &str,
    ) -> Result<Option<EdgeId>, StoreError> {
        for e in self.edges_between(from, ty, to)? {
            if self.0.edge_text(e, edge_column::KEY)? == key {
                return Ok(Some(e));
            }
        }
        Ok(None)
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.0.kept
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    pub(crate) fn schema_arc(&self) -> &Arc<Schema> {
        &self.0.schema
    }

    pub(crate) fn rows(&self, ty: EdgeTypeId, dir: Direction, group: u16) -> Result<Rows<'_>, StoreError> {
        self.0.rows(ty, dir, group)
    }

    /// A source record by its number.
    ///
    /// # Errors
    /// What reading the section meets; a number that isn't below [`Self::record_count`].
    pub fn record(&self, i: u32) -> Result<SourceRecord, StoreError> {
        self.0.record(i)
    }

    /// How many source records there are; they are numbered from 0.
    #[must_use]
    pub fn record_count(&self) -> u32 {
        self.0.manifest.records
    }

    pub(crate) fn chunk(&self, key: u64) -> Result<Option<&Chunk>, StoreError> {
        self.0.chunk(key)
    }

    /// Whether any node of a group is of this source (may say yes where it is hard to tell).
    pub(crate) fn group_may_hold_source(&self, group: u16, source: &str) -> Result<bool, StoreError> {
        Ok(self.0.node_column(node_column::SOURCE, group)?.may_hold(source))
    }

    /// Whether any edge of a type that starts in a group is of this source (may say yes where it is hard to tell).
    pub(crate) fn edges_may_hold_source(&self, ty: EdgeTypeId, group: u16, source: &str) -> Result<bool, StoreError> {
        Ok(self.0.edge_column(ty, edge_column::SOURCES, group)?.may_hold(source))
    }

    /// A fixed or declared column of a node.
    pub(crate) fn node_cell(&self, node: u32, column: u16) -> Result<Value, StoreError> {
        Ok(self.0.node_column(column, group(node))?.value(row(node)))
    }

    /// Where a node was found: numbers of records, and a JSON pointer into each.
    ///
    /// # Errors
    /// What reading the section meets.
    pub fn node_origins(&self, node: u32) -> Result<Vec<(u32, Arc<str>)>, StoreError> {
        Ok(self.0.node_column(node_column::ORIGINS, group(node))?.origins(row(node)))
    }

    /// A fixed or declared column of an edge.
    pub(crate) fn edge_cell(&self, edge: EdgeId, column: u16) -> Result<Value, StoreError> {
        let (ty, g, ordinal) = edge_parts(edge);
        Ok(self.0.edge_column(ty, column, g)?.value(ordinal as usize))
    }

    /// How an edge is known, its state and its condition.
    pub(crate) fn edge_claim(&self, edge: EdgeId) -> Result<(Evidence, State, Option<Arc<str>>), StoreError> {
        self.0.claim(edge)
    }

    /// Where an edge was found: numbers of records, and a JSON pointer into each.
    ///
    /// # Errors
    /// What reading the section meets.
    pub fn edge_origins(&self, edge: EdgeId) -> Result<Vec<(u32, Arc<str>)>, StoreError> {
        let (ty, g, ordinal) = edge_parts(edge);
        Ok(self.0.edge_column(ty, edge_column::ORIGINS, g)?.origins(ordinal as usize))
    }

    /// The columns that any node of the group has.
    pub(crate) fn node_columns(&self, group: u16) -> Vec<u16> {
        let declared = u16::try_from(self.0.schema.node_properties().len()).unwrap_or(u16::MAX);
        let fixed = [node_column::ORIGINS, node_column::SOURCE, node_column::EXTERNAL_ID];
        let has = |kind: Kind, c: u16| self.0.position(kind.key(c, 0, group)).is_some();
        (0..declared).chain(fixed).filter(|c| has(Kind::NodeColumn, *c) || has(Kind::NodePatch, *c)).collect()
    }

    /// The columns that any edge of the type that starts in the group has.
    pub(crate) fn edge_columns(&self, ty: EdgeTypeId, group: u16) -> Vec<u16> {
        let declared = u16::try_from(self.0.schema.edge_properties().len()).unwrap_or(u16::MAX);
        let has = |kind: Kind, c: u16| self.0.position(kind.key(ty.0, c, group)).is_some();
        let fixed = edge_column::STATE..=edge_column::KEY;
        (0..declared).chain(fixed).filter(|c| has(Kind::EdgeColumn, *c) || has(Kind::EdgePatch, *c)).collect()
    }

    /// How many edges of the type have ordinals in the group, removed ones included.
    pub(crate) fn next_ordinal(&self, ty: EdgeTypeId, group: u16) -> Result<u32, StoreError> {
        let base = self.0.position(Kind::Out.key(ty.0, 0, group)).map_or(0, |i| self.0.manifest.chunks[i].aux);
        Ok(match self.0.chunk(Kind::OutPatch.key(ty.0, 0, group))? {
            Some(Chunk { body: Body::CsrPatch(p), .. }) => p.next.max(base),
            _ => base,
        })
    }

    /// The live nodes of a group; `None` for a group that the snapshot doesn't have.
    pub(crate) fn alive_bits(&self, group: u16) -> Result<Option<&Chunk>, StoreError> {
        self.0.chunk(Kind::Alive.key(0, 0, group))
    }

    /// Touches every section; says which don't hold.
    pub(crate) fn check_all(&self) -> Vec<StoreError> {
        (0..self.0.cells.len()).filter_map(|i| self.0.chunk_at(i).err()).collect()
    }
}

pub(crate) fn group(node: u32) -> u16 {
    u16::try_from(node >> 16).unwrap_or(u16::MAX)
}

pub(crate) fn row(node: u32) -> usize {
    (node & 0xffff) as usize
}

pub(crate) fn edge_id(ty: EdgeTypeId, group: u16, ordinal: u32) -> EdgeId {
    EdgeId(u64::from(ty.0) << 48 | u64::from(group) << 32 | u64::from(ordinal))
}

pub(crate) fn edge_parts(e: EdgeId) -> (EdgeTypeId, u16, u32) {
    let part = |shift: u32| u16::try_from(e.0 >> shift & 0xffff).unwrap_or(0);
    (EdgeTypeId(part(48)), part(32), u32::try_from(e.0 & 0xffff_ffff).unwrap_or(0))
}

impl Inner {
    fn groups(&self) -> impl Iterator<Item = u16> + use<> {
        0..u16::try_from(self.manifest.group_types.len()).unwrap_or(u16::MAX)
    }

    fn position(&self, key: u64) -> Option<usize> {
        self.lookup.find(&self.manifest.chunks, key)
    }

    fn chunk_at(&self, i: usize) -> Result<&Chunk, StoreError> {
        if let Some(e) = self.swallowed.get() {
            return Err(e.clone());
        }
        let cell = &self.cells[i];
        let found = match cell.get() {
            Some(found) => found,
            None => {
                let loaded = self.load(i);
                // What the system refuses it may allow the next time; what is damaged stays so.
                if let Err(e) = &loaded
                    && !matches!(e, StoreError::Corrupt { .. } | StoreError::Truncated { .. })
                {
                    return Err(e.clone());
                }
                cell.get_or_init(|| Box::new(loaded))
            }
        };
        (**found).as_ref().map_err(Clone::clone)
    }

    fn load(&self, i: usize) -> Result<Chunk, StoreError> {
        let c = &self.manifest.chunks[i];
        let (a, _, g) = key_parts(c.key);
        let along = match Kind::of(c.key) {
            Some(Kind::EdgeColumn | Kind::OutPatch) => Some(Kind::Out),
            Some(Kind::InPatch) => Some(Kind::In),
            _ => None,
        };
        let edges = along.and_then(|k| self.position(k.key(a, 0, g))).map(|p| self.manifest.chunks[p].aux);
        let beside = Beside { edges: edges.unwrap_or(0) as usize };
        Chunk::load(&self.media, self.map.as_ref(), c, &self.schema, &self.bounds, &beside)
    }

    fn chunk(&self, key: u64) -> Result<Option<&Chunk>, StoreError> {
        self.position(key).map(|i| self.chunk_at(i)).transpose()
    }

    fn merged(&self, base: u64, patch: u64) -> Result<Merged<'_>, StoreError> {
        let wrong = |key: u64| StoreError::corrupt(section(key), 0, "another kind of section");
        let base = match self.chunk(base)? {
            None => None,
            Some(chunk) => match &chunk.body {
                Body::Column(c) => Some((chunk, c)),
                _ => return Err(wrong(base)),
            },
        };
        let patch = match self.chunk(patch)? {
            None => None,
            Some(chunk) => match &chunk.body {
                Body::Patch { rows, column } => Some((chunk, rows, column)),
                _ => return Err(wrong(patch)),
            },
        };
        Ok(Merged { base, patch })
    }

    fn node_column(&self, column: u16, group: u16) -> Result<Merged<'_>, StoreError> {
        self.merged(Kind::NodeColumn.key(column, 0, group), Kind::NodePatch.key(column, 0, group))
    }

    fn edge_column(&self, ty: EdgeTypeId, column: u16, group: u16) -> Result<Merged<'_>, StoreError> {
        self.merged(Kind::EdgeColumn.key(ty.0, column, group), Kind::EdgePatch.key(ty.0, column, group))
    }

    fn rows(&self, ty: EdgeTypeId, dir: Direction, group: u16) -> Result<Rows<'_>, StoreError> {
        let (base, patch) = match dir {
            Direction::Out => (Kind::Out, Kind::OutPatch),
            Direction::In => (Kind::In, Kind::InPatch),
        };
        let base = match self.chunk(base.key(ty.0, 0, group))? {
            Some(Chunk { body: Body::Csr(csr), bytes }) => Some((bytes.as_slice(), csr)),
            _ => None,
        };
        let patch = match self.chunk(patch.key(ty.0, 0, group))? {
            Some(Chunk { body: Body::CsrPatch(p), bytes }) => Some((bytes.as_slice(), p)),
            _ => None,
        };
        Ok(Rows { base, patch })
    }

    fn record(&self, i: u32) -> Result<SourceRecord, StoreError> {
        let all = self.manifest.chunks_of(Kind::Records);
        let at = all.partition_point(|c| c.aux <= i);
        let found = at.checked_sub(1).and_then(|at| all.get(at));
        if let Some(c) = found
            && let Some(Chunk { body: Body::Records(heap), bytes }) = self.chunk(c.key)?
        {
            return serde_json::from_str(heap.get(bytes.as_slice(), (i - c.aux) as usize))
                .map_err(|_| StoreError::corrupt(section(c.key), c.offset, "malformed record"));
        }
        Err(StoreError::corrupt("records", 0, "record out of range"))
    }

    fn live(&self, ty: Option<NodeType>) -> Result<Vec<u32>, StoreError> {
        let mut out = Vec::new();
        for (g, t) in self.groups().zip(&self.manifest.group_types) {
            if ty.is_some_and(|w| w as u8 != *t) {
                continue;
            }
            if let Some(c) = self.chunk(Kind::Alive.key(0, 0, g))? {
                let rows = self.manifest.group_rows[usize::from(g)];
                out.extend((0..rows).filter(|r| c.alive(*r as usize)).map(|r| u32::from(g) << 16 | r));
            }
        }
        Ok(out)
    }

    fn key(&self, node: u32) -> Result<NodeKey, StoreError> {
        let (g, r) = (group(node), row(node));
        let id = self.node_column(node_column::EXTERNAL_ID, g)?.text(r).unwrap_or("").into();
        let source = match self.node_column(node_column::SOURCE, g)?.value(r) {
            Value::Str(s) => s,
            _ => "".into(),
        };
        Ok(NodeKey { source, id })
    }

    fn has_key(&self, node: u32, key: &NodeKey) -> Result<bool, StoreError> {
        let (g, r) = (group(node), row(node));
        // An empty source is stored as none.
        Ok(self.node_column(node_column::EXTERNAL_ID, g)?.text(r) == Some(&key.id)
            && self.node_column(node_column::SOURCE, g)?.text(r).unwrap_or("") == &*key.source)
    }

    /// How many bits of a hash name the partition of the key index.
    fn partition_bits(&self) -> u32 {
        self.manifest.key_partitions.max(1).trailing_zeros()
    }

    fn key_sections(&self, hash: u64) -> [u64; 2] {
        let partition = hash.checked_shr(64 - self.partition_bits()).unwrap_or(0);
        let partition = u16::try_from(partition).unwrap_or(u16::MAX);
        [Kind::KeyDelta.key(0, 0, 0), Kind::KeyIndex.key(0, 0, partition)]
    }

    fn find(&self, key: &NodeKey) -> Result<Option<u32>, StoreError> {
        let hash = NodeKey::hash64(&key.source, &key.id);
        for section in self.key_sections(hash) {
            if let Some(Chunk { body: Body::Keys(keys), bytes }) = self.chunk(section)? {
                for id in keys.find(bytes.as_slice(), hash, self.partition_bits()) {
                    if self.alive(*id)? && self.has_key(*id, key)? {
                        return Ok(Some(*id));
                    }
                }
            }
        }
        Ok(None)
    }

    fn alive(&self, node: u32) -> Result<bool, StoreError> {
        // Every group has this section, and the kind is the first of all (both checked with the manifest).
        let g = usize::from(group(node));
        if g >= self.manifest.group_types.len() {
            return Ok(false);
        }
        Ok(self.chunk_at(g)?.alive(row(node)))
    }

    fn expand(
        &self,
        node: u32,
        ty: EdgeTypeId,
        dir: Direction,
        f: &mut dyn FnMut(u32, EdgeId),
    ) -> Result<(), StoreError> {
        let g = group(node);
        let rows = self.rows(ty, dir, g)?;
        let start = |other: u32| if dir == Direction::Out { g } else { group(other) };
        match (rows.base, rows.patch) {
            (Some((bytes, csr)), None) => {
                let span = csr.span(bytes, row(node));
                for (other, place) in csr.others(bytes).get(span.clone()).unwrap_or(&[]).iter().zip(span) {
                    f(*other, edge_id(ty, start(*other), csr.ordinal(bytes, place)));
                }
            }
            (None, None) => {}
            _ => rows.each(row(node), &mut |other, ordinal, _| f(other, edge_id(ty, start(other), ordinal))),
        }
        Ok(())
    }

    fn ends(&self, edge: EdgeId) -> Result<(u32, u32), StoreError> {
        let (ty, g, ordinal) = edge_parts(edge);
        let rows = self.rows(ty, Direction::Out, g)?;
        let first = u32::from(g) << 16;
        if let Some((bytes, csr)) = rows.base
            && let Some(to) = csr.others(bytes).get(ordinal as usize)
        {
            return Ok((first | u32::try_from(csr.row_of(bytes, ordinal as usize)).unwrap_or(0), *to));
        }
        match rows.patch.and_then(|(bytes, p)| p.with_ordinal(bytes, ordinal)) {
            Some(a) => Ok((first | a.row, a.other)),
            None => Err(StoreError::corrupt(section(Kind::Out.key(ty.0, 0, g)), 0, "edge ordinal out of range")),
        }
    }

    fn edge_text(&self, edge: EdgeId, column: u16) -> Result<&str, StoreError> {
        let (ty, g, ordinal) = edge_parts(edge);
        Ok(self.edge_column(ty, column, g)?.text(ordinal as usize).unwrap_or(""))
    }

    fn edge(&self, edge: EdgeId) -> Result<EdgeRef, StoreError> {
        let (ty, ..) = edge_parts(edge);
        let (from, to) = self.ends(edge)?;
        let key = self.edge_text(edge, edge_column::KEY)?.into();
        let (evidence, state, condition) = self.claim(edge)?;
        Ok(EdgeRef { ty, from, to, key, evidence, state, condition })
    }

    /// How an edge is known, its state and its condition.
    fn claim(&self, edge: EdgeId) -> Result<(Evidence, State, Option<Arc<str>>), StoreError> {
        let (ty, g, ordinal) = edge_parts(edge);
        let cell = |column: u16| Ok::<_, StoreError>(self.edge_column(ty, column, g)?.value(ordinal as usize));
        let number = |column: u16| {
            Ok::<_, StoreError>(match cell(column)? {
                Value::Int(n) => usize::try_from(n).unwrap_or(0),
                _ => 0,
            })
        };
        let condition = match cell(edge_column::CONDITION)? {
            Value::Str(s) => Some(s),
            _ => None,
        };
        Ok((
            Evidence::ALL.get(number(edge_column::EVIDENCE)?).copied().unwrap_or_default(),
            State::ALL.get(number(edge_column::STATE)?).copied().unwrap_or_default(),
            condition,
        ))
    }

    fn records(&self, origins: Origins) -> Result<Vec<(SourceRecord, String)>, StoreError> {
        origins.into_iter().map(|(r, p)| Ok((self.record(r)?, p.to_string()))).collect()
    }
}
