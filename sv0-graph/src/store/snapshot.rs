//! An immutable snapshot: every section is read, checked and kept at its first touch.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;

use super::chunk::{Bounds, Chunk};
use super::encode::{Dictionary, RECORDS_PER_CHUNK};
use super::error::StoreError;
use super::format::{Kind, Manifest, key_parts, section};
use super::media::Media;
use crate::batch::{Evidence, SourceRecord, State};
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, PropId, Schema};
use crate::value::Value;
use crate::view::{Direction, EdgeId, EdgeRef, GraphError, GraphView};
use crate::working::{EdgeRec, GROUP, NodeRec, SourceState, Working};

/// A graph as it was at one commit. Cheap to clone; never disturbed by writers.
#[derive(Debug, Clone)]
pub struct Snapshot(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    media: Media,
    map: Option<Arc<Mmap>>,
    manifest: Manifest,
    schema: Arc<Schema>,
    bounds: Bounds,
    cells: Vec<OnceLock<Result<Chunk, StoreError>>>,
}

impl std::fmt::Debug for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bounds({}, {}, {})", self.groups.len(), self.codes, self.records)
    }
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
    pub(crate) fn new(media: Media, map: Option<Arc<Mmap>>, manifest: Manifest) -> Result<Self, StoreError> {
        let bounds = Bounds {
            groups: manifest
                .group_rows
                .iter()
                .zip(&manifest.group_types)
                .filter_map(|(r, t)| Some((*r, NodeType::from_u8(*t)?)))
                .collect(),
            codes: manifest.dictionary as usize + 1,
            records: manifest.records as usize,
        };
        let cells = manifest.chunks.iter().map(|_| OnceLock::new()).collect();
        let mut inner = Inner { media, map, manifest, schema: Arc::new(Schema::canonical()), bounds, cells };
        let key = Kind::Schema.key(0, 0, 0);
        if let Some(c) = inner.position(key) {
            let offset = inner.manifest.chunks[c].offset;
            let chunk = inner.chunk_at(c)?;
            let schema: Schema = serde_json::from_slice(chunk.bytes.as_slice())
                .map_err(|_| StoreError::corrupt("schema", offset, "malformed"))?;
            if schema.edge_types().is_empty() || schema.node_prop("kind").is_none() {
                return Err(StoreError::corrupt("schema", offset, "incomplete"));
            }
            inner.schema = Arc::new(schema);
        }
        Ok(Self(Arc::new(inner)))
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
            legacy_identities: m.sources.iter().map(|s| s.legacy).sum(),
        }
    }

    /// The snapshot's number, from 1; 0 is a store without a commit.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.manifest.number
    }

    /// The names of all sources.
    pub fn source_names(&self) -> impl Iterator<Item = &str> {
        self.0.manifest.sources.iter().map(|s| s.name.as_str())
    }

    /// BLAKE3 over the hashes of all sections: equal graphs in equal layout have equal hashes.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut h = blake3::Hasher::new();
        for c in &self.0.manifest.chunks {
            h.update(&c.key.to_le_bytes());
            h.update(&c.hash);
        }
        h.finalize().to_hex().to_string()
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// Touches every section; says which don't hold.
    pub(crate) fn check_all(&self) -> Vec<StoreError> {
        (0..self.0.cells.len()).filter_map(|i| self.0.chunk_at(i).err()).collect()
    }

    /// Checks across sections: ends of edges are live and of an allowed type, and both directions agree.
    pub(crate) fn check_references(&self) -> Result<Vec<String>, StoreError> {
        let inner = &self.0;
        let mut bad = Vec::new();
        for ty in inner.schema.edge_type_ids() {
            let (mut out, mut inward) = (0u64, 0u64);
            for node in inner.live(None)? {
                for dir in [Direction::Out, Direction::In] {
                    inner.expand(node, ty, dir, &mut |other, edge| {
                        let (from, to) = if dir == Direction::Out { (node, other) } else { (other, node) };
                        let (a, b) = (self.node_type(from), self.node_type(to));
                        let allowed = matches!((a, b), (Some(a), Some(b)) if inner.schema.edge_type(ty).allows(a, b));
                        if !allowed && bad.len() < 20 {
                            bad.push(format!("edge {} from {from} to {to}", inner.schema.edge_type(ty).name));
                        }
                        if dir == Direction::Out {
                            out += 1;
                        } else {
                            inward += 1;
                            if !inner.edge(edge).is_ok_and(|e| (e.from, e.to) == (from, to)) && bad.len() < 20 {
                                bad.push(format!("position of {} into {to}", inner.schema.edge_type(ty).name));
                            }
                        }
                    })?;
                }
            }
            let counted = inner.manifest.edge_counts.get(usize::from(ty.0)).copied().unwrap_or(0);
            if out != counted || inward != counted {
                bad.push(format!("count of {}", inner.schema.edge_type(ty).name));
            }
        }
        for node in inner.live(None)? {
            if inner.find(&inner.key(node)?)? != Some(node) && bad.len() < 20 {
                bad.push(format!("key index of node {node}"));
            }
        }
        Ok(bad)
    }

    /// Reads everything into a staged view that a transaction changes.
    pub(crate) fn to_working(&self) -> Result<(Working, Dictionary), StoreError> {
        let inner = &self.0;
        let m = &inner.manifest;
        let mut w = Working::new(inner.schema.clone());
        w.group_types = m.group_types.iter().filter_map(|t| NodeType::from_u8(*t)).collect();
        w.group_rows.clone_from(&m.group_rows);
        w.time = m.time;
        for s in &m.sources {
            let state = SourceState {
                system: s.system.clone(),
                observed_at: s.observed_at,
                complete: s.complete.clone(),
                records: s.records,
                legacy: s.legacy,
            };
            w.sources.insert(s.name.clone(), state);
        }
        w.legacy_identities = m.sources.iter().map(|s| s.legacy).sum();
        for i in 0..m.records {
            let r = inner.record(i)?;
            w.record_index.insert(r.clone(), i);
            w.records.push(r);
        }
        let last = m.group_rows.iter().zip(0usize..).map(|(rows, g)| g * GROUP + *rows as usize).max().unwrap_or(0);
        w.nodes.resize(last, None);
        for node in inner.live(None)? {
            let key = inner.key(node)?;
            let mut props = Vec::new();
            for p in 0..u16::try_from(inner.schema.node_properties().len()).unwrap_or(u16::MAX) {
                let v = inner.node_prop(node, PropId(p))?;
                if !v.is_null() {
                    props.push((PropId(p), v));
                }
            }
            let origins = inner.origins(Kind::NodeOrigin.key(0, 0, group(node)), row(node))?;
            w.index.insert(key.clone(), node);
            w.nodes[node as usize] = Some(NodeRec { key, props, origins });
        }
        for ty in inner.schema.edge_type_ids() {
            let edge_props = u16::try_from(inner.schema.edge_properties().len()).unwrap_or(u16::MAX);
            for node in inner.live(None)? {
                let mut found = Vec::new();
                inner.expand(node, ty, Direction::Out, &mut |_, e| found.push(e))?;
                for e in found {
                    let edge = inner.edge(e)?;
                    let (_, g, pos) = edge_parts(e);
                    let mut props = Vec::new();
                    for p in 0..edge_props {
                        let v = inner.edge_prop(e, PropId(p))?;
                        if !v.is_null() {
                            props.push((PropId(p), v));
                        }
                    }
                    let source = match inner.chunk(Kind::EdgeMeta.key(ty.0, 0, g))? {
                        Some(c) => inner.string(c.meta(3, pos))?,
                        None => "".into(),
                    };
                    let origins = inner.origins(Kind::EdgeOrigin.key(ty.0, 0, g), pos)?;
                    let rec = EdgeRec {
                        source,
                        evidence: edge.evidence,
                        state: edge.state,
                        condition: edge.condition,
                        props,
                        origins,
                    };
                    w.edges[usize::from(ty.0)].insert(edge.from, edge.to, edge.key, rec);
                }
            }
        }
        let mut dict = Dictionary::default();
        for c in m.chunks.iter().filter(|c| Kind::of(c.key) == Some(Kind::Dictionary)) {
            if let Some(chunk) = inner.chunk(c.key)? {
                for (i, code) in (0..chunk.rows).zip(c.aux + 1..) {
                    dict.codes.insert(chunk.text(i).into(), code);
                }
            }
            dict.chunks = dict.chunks.max(key_parts(c.key).2.saturating_add(1));
        }
        Ok((w, dict))
    }
}

fn group(node: u32) -> u16 {
    u16::try_from(node >> 16).unwrap_or(u16::MAX)
}

fn row(node: u32) -> usize {
    (node & 0xffff) as usize
}

fn edge_id(ty: EdgeTypeId, group: u16, pos: u32) -> EdgeId {
    EdgeId(u64::from(ty.0) << 48 | u64::from(group) << 32 | u64::from(pos))
}

fn edge_parts(e: EdgeId) -> (EdgeTypeId, u16, usize) {
    let part = |shift: u32| u16::try_from(e.0 >> shift & 0xffff).unwrap_or(0);
    (EdgeTypeId(part(48)), part(32), (e.0 & 0xffff_ffff) as usize)
}

impl Inner {
    fn position(&self, key: u64) -> Option<usize> {
        self.manifest.chunks.binary_search_by_key(&key, |c| c.key).ok()
    }

    fn chunk_at(&self, i: usize) -> Result<&Chunk, StoreError> {
        self.cells[i]
            .get_or_init(|| {
                let c = &self.manifest.chunks[i];
                let rows = self.expected_rows(c.key);
                if rows.is_some_and(|r| r != c.rows) {
                    return Err(StoreError::corrupt(section(c.key), c.offset, "row count"));
                }
                Chunk::load(&self.media, self.map.as_ref(), c, Some(&self.schema), &self.bounds)
            })
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Sections that run along a group's nodes have as many rows as the group.
    fn expected_rows(&self, key: u64) -> Option<u32> {
        match Kind::of(key)? {
            Kind::Alive
            | Kind::ExternalId
            | Kind::Source
            | Kind::NodeProp
            | Kind::NodeOrigin
            | Kind::Out
            | Kind::In => Some(self.manifest.group_rows.get(usize::from(key_parts(key).2)).copied().unwrap_or(0)),
            Kind::EdgeMeta | Kind::EdgeProp | Kind::EdgeOrigin => {
                let (a, _, g) = key_parts(key);
                let out = self.position(Kind::Out.key(a, 0, g))?;
                Some(self.manifest.chunks[out].aux)
            }
            _ => None,
        }
    }

    fn chunk(&self, key: u64) -> Result<Option<&Chunk>, StoreError> {
        self.position(key).map(|i| self.chunk_at(i)).transpose()
    }

    fn string(&self, code: u32) -> Result<Arc<str>, StoreError> {
        if code == 0 {
            return Ok("".into());
        }
        // Dictionary sections stand in order of their base.
        let first = Kind::Dictionary.key(0, 0, 0);
        let from = self.manifest.chunks.partition_point(|c| c.key < first);
        let to = self.manifest.chunks.partition_point(|c| c.key <= Kind::Dictionary.key(0, 0, u16::MAX));
        let at = from + self.manifest.chunks[from..to].partition_point(|c| c.aux < code);
        let Some(i) = at.checked_sub(1).filter(|i| *i >= from) else {
            return Err(StoreError::corrupt("dictionary", 0, "string code out of range"));
        };
        let base = self.manifest.chunks[i].aux;
        let chunk = self.chunk_at(i)?;
        let row = (code - base - 1) as usize;
        if row >= chunk.rows {
            return Err(StoreError::corrupt("dictionary", self.manifest.chunks[i].offset, "string code out of range"));
        }
        Ok(chunk.text(row).into())
    }

    fn record(&self, i: u32) -> Result<SourceRecord, StoreError> {
        let per = u32::try_from(RECORDS_PER_CHUNK).unwrap_or(1024);
        let key = Kind::Records.key(0, 0, u16::try_from(i / per).unwrap_or(u16::MAX));
        match self.chunk(key)? {
            Some(c) => serde_json::from_str(c.text((i % per) as usize))
                .map_err(|_| StoreError::corrupt("records", 0, "malformed record")),
            None => Err(StoreError::corrupt("records", 0, "record out of range")),
        }
    }

    fn origins(&self, key: u64, row: usize) -> Result<Vec<(u32, Arc<str>)>, StoreError> {
        match self.chunk(key)? {
            Some(c) => c.origins(row).iter().map(|[r, p]| Ok((*r, self.string(*p)?))).collect(),
            None => Ok(Vec::new()),
        }
    }

    fn live(&self, ty: Option<NodeType>) -> Result<Vec<u32>, StoreError> {
        let mut out = Vec::new();
        for (g, t) in (0u16..=u16::MAX).zip(&self.manifest.group_types) {
            if ty.is_some_and(|w| w as u8 != *t) {
                continue;
            }
            if let Some(c) = self.chunk(Kind::Alive.key(0, 0, g))? {
                out.extend((0u32..).take(c.rows).filter(|r| c.bit(*r as usize)).map(|r| u32::from(g) << 16 | r));
            }
        }
        Ok(out)
    }

    fn key(&self, node: u32) -> Result<NodeKey, StoreError> {
        let id = match self.chunk(Kind::ExternalId.key(0, 0, group(node)))? {
            Some(c) => c.text(row(node)).into(),
            None => "".into(),
        };
        let source = match self.chunk(Kind::Source.key(0, 0, group(node)))? {
            Some(c) => self.string(c.word(row(node)))?,
            None => "".into(),
        };
        Ok(NodeKey { source, id })
    }

    fn find(&self, key: &NodeKey) -> Result<Option<u32>, StoreError> {
        let partitions = self.manifest.key_partitions;
        if partitions == 0 {
            return Ok(None);
        }
        let hash = NodeKey::hash64(&key.source, &key.id);
        let shift = 64 - partitions.trailing_zeros();
        let p = if shift == 64 { 0 } else { u16::try_from(hash >> shift).unwrap_or(u16::MAX) };
        let Some(c) = self.chunk(Kind::KeyIndex.key(0, 0, p))? else { return Ok(None) };
        let hashes = c.key_hashes();
        let from = hashes.partition_point(|h| *h < hash);
        for (h, id) in hashes.iter().zip(c.key_ids()).skip(from) {
            if *h != hash {
                break;
            }
            if self.key(*id)? == *key && self.alive(*id)? {
                return Ok(Some(*id));
            }
        }
        Ok(None)
    }

    fn alive(&self, node: u32) -> Result<bool, StoreError> {
        Ok(self.chunk(Kind::Alive.key(0, 0, group(node)))?.is_some_and(|c| c.bit(row(node))))
    }

    fn node_prop(&self, node: u32, prop: PropId) -> Result<Value, StoreError> {
        match self.chunk(Kind::NodeProp.key(prop.0, 0, group(node)))? {
            Some(c) => c.value(row(node), &mut |code| self.string(code)),
            None => Ok(Value::Null),
        }
    }

    fn expand(
        &self,
        node: u32,
        ty: EdgeTypeId,
        dir: Direction,
        f: &mut dyn FnMut(u32, EdgeId),
    ) -> Result<(), StoreError> {
        let kind = if dir == Direction::Out { Kind::Out } else { Kind::In };
        let Some(c) = self.chunk(kind.key(ty.0, 0, group(node)))? else { return Ok(()) };
        let span = c.span(row(node));
        let Some(others) = c.neighbours().get(span.clone()) else { return Ok(()) };
        if dir == Direction::Out {
            for (other, pos) in others.iter().zip(span.start..) {
                f(*other, edge_id(ty, group(node), u32::try_from(pos).unwrap_or(u32::MAX)));
            }
        } else if let Some(positions) = c.positions().get(span) {
            for (other, pos) in others.iter().zip(positions) {
                f(*other, edge_id(ty, group(*other), *pos));
            }
        }
        Ok(())
    }

    fn edge(&self, edge: EdgeId) -> Result<EdgeRef, StoreError> {
        let (ty, g, pos) = edge_parts(edge);
        let missing = || StoreError::corrupt("adjacency_out", 0, "edge position out of range");
        let out = self.chunk(Kind::Out.key(ty.0, 0, g))?.ok_or_else(missing)?;
        let meta = self.chunk(Kind::EdgeMeta.key(ty.0, 0, g))?.ok_or_else(missing)?;
        let to = *out.neighbours().get(pos).ok_or_else(missing)?;
        let from = u32::from(g) << 16 | u32::try_from(out.row_of(pos)).unwrap_or(0);
        let flags = meta.meta(0, pos);
        Ok(EdgeRef {
            ty,
            from,
            to,
            key: self.string(meta.meta(1, pos))?,
            evidence: Evidence::ALL[(flags & 0xff).min(2) as usize],
            state: State::ALL[(flags >> 8).min(2) as usize],
            condition: match meta.meta(2, pos) {
                0 => None,
                code => Some(self.string(code)?),
            },
        })
    }

    fn edge_prop(&self, edge: EdgeId, prop: PropId) -> Result<Value, StoreError> {
        let (ty, g, pos) = edge_parts(edge);
        match self.chunk(Kind::EdgeProp.key(ty.0, prop.0, g))? {
            Some(c) => c.value(pos, &mut |code| self.string(code)),
            None => Ok(Value::Null),
        }
    }

    fn records(&self, origins: Vec<(u32, Arc<str>)>) -> Result<Vec<(SourceRecord, String)>, StoreError> {
        origins.into_iter().map(|(r, p)| Ok((self.record(r)?, p.to_string()))).collect()
    }
}

impl GraphView for Snapshot {
    fn schema(&self) -> &Schema {
        &self.0.schema
    }

    fn nodes(&self, ty: Option<NodeType>) -> Result<Vec<u32>, GraphError> {
        Ok(self.0.live(ty)?)
    }

    fn node_type(&self, node: u32) -> Option<NodeType> {
        // A damaged section isn't "no such node": what is read next says what is wrong.
        if matches!(self.0.alive(node), Ok(false)) {
            return None;
        }
        self.0.manifest.group_types.get(usize::from(group(node))).and_then(|t| NodeType::from_u8(*t))
    }

    fn key(&self, node: u32) -> Result<NodeKey, GraphError> {
        Ok(self.0.key(node)?)
    }

    fn find(&self, key: &NodeKey) -> Result<Option<u32>, GraphError> {
        Ok(self.0.find(key)?)
    }

    fn node_prop(&self, node: u32, prop: PropId) -> Result<Value, GraphError> {
        Ok(self.0.node_prop(node, prop)?)
    }

    fn expand(
        &self,
        node: u32,
        ty: EdgeTypeId,
        dir: Direction,
        f: &mut dyn FnMut(u32, EdgeId),
    ) -> Result<(), GraphError> {
        Ok(self.0.expand(node, ty, dir, f)?)
    }

    fn edge(&self, edge: EdgeId) -> Result<EdgeRef, GraphError> {
        Ok(self.0.edge(edge)?)
    }

    fn edge_prop(&self, edge: EdgeId, prop: PropId) -> Result<Value, GraphError> {
        Ok(self.0.edge_prop(edge, prop)?)
    }

    fn node_records(&self, node: u32) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        let origins = self.0.origins(Kind::NodeOrigin.key(0, 0, group(node)), row(node))?;
        Ok(self.0.records(origins)?)
    }

    fn edge_records(&self, edge: EdgeId) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        let (ty, g, pos) = edge_parts(edge);
        let origins = self.0.origins(Kind::EdgeOrigin.key(ty.0, 0, g), pos)?;
        Ok(self.0.records(origins)?)
    }

    fn sources(&self) -> Vec<Arc<str>> {
        self.source_names().map(Into::into).collect()
    }

    fn time(&self) -> i64 {
        self.0.manifest.time
    }
}
