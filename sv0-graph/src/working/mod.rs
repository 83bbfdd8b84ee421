//! The staged view: a snapshot and, over it, what the batches of a transaction change. The enrichment step reads it,
//! the writer encodes it. What isn't changed is never read into memory.
//!
//! | room | holds |
//! |---|---|
//! | `edges` | staged edges of one type |
//! | `apply` | batches to staged nodes and edges |
//! | `annotate` | what enrichment sets |

mod annotate;
mod apply;
mod edges;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use rayon::prelude::*;

pub(crate) use edges::{EdgeRec, EdgeTable, Identity, Slot};

use crate::batch::{EdgeInput, GraphBatch, SourceRecord};
use crate::check::{self, Violation, Violations};
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, PropId, Schema};
use crate::store::format::{Kind, edge_column, node_column};
use crate::store::{Candidate, Snapshot, StoreError, group};
use crate::value::Value;
use crate::view::{Direction, EdgeId, EdgeRef, GraphError, GraphView};

/// How many ids a group has; a group holds nodes of one type only.
pub(crate) const GROUP: usize = 1 << 16;

/// The group part of a staged edge's id: no group has this number.
const STAGED: u64 = 0xffff;

/// All that is stored of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeRec {
    pub key: NodeKey,
    pub props: Vec<(PropId, Value)>,
    pub origins: Vec<(u32, Arc<str>)>,
}

/// A graph that batches are applied to. See [`crate::Transaction`].
#[derive(Debug, Clone)]
pub struct Working {
    pub(crate) base: Option<Snapshot>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) group_types: Vec<NodeType>,
    /// How many ids each group has given out.
    pub(crate) group_rows: Vec<u32>,
    /// Nodes that differ from the snapshot's; `None` is gone.
    pub(crate) staged: BTreeMap<u32, Option<NodeRec>>,
    /// The keys of staged nodes that the snapshot doesn't have.
    pub(crate) index: HashMap<NodeKey, u32>,
    /// What was read of the snapshot.
    pub(crate) read: Read,
    /// A stage failed half-way.
    pub(crate) broken: bool,
    pub(crate) edges: Vec<EdgeTable>,
    /// Records that the snapshot doesn't have; their numbers go on from its own.
    pub(crate) records: Vec<SourceRecord>,
    /// Pages that the snapshot doesn't have, by record.
    pub(crate) pages: BTreeMap<u32, Arc<str>>,
    record_index: Option<HashMap<SourceRecord, u32>>,
    pub(crate) time: i64,
    pub(crate) sources: BTreeMap<String, SourceState>,
}

/// What a transaction read of the snapshot that it is going to compare with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Read {
    keys: HashMap<NodeKey, u32, FixedState>,
    pub(crate) nodes: HashMap<u32, NodeRec, FixedState>,
    /// `None`: the snapshot has no such edge.
    pub(crate) edges: HashMap<(EdgeTypeId, Identity), Option<(EdgeId, EdgeRec)>, FixedState>,
}

impl Read {
    /// Nothing yet. The tables are keyed by all keys of the first batches together: whoever chooses keys that collide
    /// changes the seed by doing so.
    fn seeded(keys: &[&NodeKey]) -> Self {
        let mut h = blake3::Hasher::new();
        for k in keys {
            h.update(k.source.as_bytes()).update(k.id.as_bytes());
        }
        let seed = h.finalize().as_bytes().first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let state = FixedState::with_seed(seed);
        Self {
            keys: HashMap::with_capacity_and_hasher(keys.len(), state.clone()),
            nodes: HashMap::with_hasher(state.clone()),
            edges: HashMap::with_hasher(state),
        }
    }
}

/// What is known of a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SourceState {
    pub system: String,
    pub observed_at: i64,
    pub complete: Vec<String>,
    pub records: u32,
    pub legacy: u64,
}

impl Working {
    /// An empty graph.
    #[must_use]
    pub fn new(schema: Arc<Schema>) -> Self {
        Self {
            base: None,
            edges: vec![EdgeTable::default(); schema.edge_types().len()],
            schema,
            group_types: Vec::new(),
            group_rows: Vec::new(),
            staged: BTreeMap::new(),
            index: HashMap::new(),
            read: Read::default(),
            broken: false,
            records: Vec::new(),
            pages: BTreeMap::new(),
            record_index: None,
            time: 0,
            sources: BTreeMap::new(),
        }
    }

    /// A view of a snapshot with nothing staged.
    #[must_use]
    pub fn over(base: &Snapshot) -> Self {
        let m = base.manifest();
        let mut w = Self::new(base.schema_arc().clone());
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
        w.base = Some(base.clone());
        w
    }

    /// Goes on with a schema that adds to the present one.
    pub(crate) fn extend(&mut self, schema: &Schema) -> Result<(), ()> {
        if !schema.extends(&self.schema) || Schema::from_archive(&schema.to_archive()).is_none() {
            return Err(());
        }
        self.schema = Arc::new(schema.clone());
        self.edges.resize(schema.edge_types().len(), EdgeTable::default());
        Ok(())
    }

    /// Checks batches and applies them together (edges may go between them). With `lenient`, what the schema refuses is
    /// left out and returned; otherwise anything refused leaves the graph as it was.
    ///
    /// # Errors
    /// [`StoreError::Schema`] with all violations, unless `lenient`; or what reading the snapshot meets, after which
    /// the view is of no use.
    pub fn apply(&mut self, batches: Vec<GraphBatch>, lenient: bool) -> Result<Vec<Violation>, StoreError> {
        if self.broken {
            return Err(StoreError::BrokenTransaction);
        }
        let done = self.try_apply(batches, lenient);
        // What the schema refuses leaves the view as it was; anything else may have come half-way.
        self.broken = matches!(&done, Err(e) if !matches!(e, StoreError::Schema(_)));
        done
    }

    fn try_apply(&mut self, batches: Vec<GraphBatch>, lenient: bool) -> Result<Vec<Violation>, StoreError> {
        self.touch(&batches);
        let mut checked = self.check(&batches)?;
        if checked.violations.is_empty() {
            self.apply_checked(batches, &[], &[])?;
            return Ok(Vec::new());
        }
        if !lenient {
            return Err(StoreError::Schema(Violations(checked.violations)));
        }
        // A refused node takes the edges with it that then have no end; find them by checking once more.
        let refused: Vec<NodeKey> =
            checked.bad_nodes.iter().filter_map(|(b, n)| Some(batches.get(*b)?.nodes.get(*n)?.key.clone())).collect();
        let mut kept = batches;
        let mut refused_edges = Vec::new();
        for (b, batch) in kept.iter_mut().enumerate() {
            let mut i = 0;
            batch.nodes.retain(|_| {
                i += 1;
                !checked.bad_nodes.contains(&(b, i - 1))
            });
            let mut i = 0;
            let source = batch.source.clone();
            batch.edges.retain(|e| {
                i += 1;
                let good = !checked.bad_edges.contains(&(b, i - 1));
                if !good {
                    refused_edges.push((source.clone(), e.clone()));
                }
                good
            });
        }
        let again = self.check(&kept)?;
        for (b, batch) in kept.iter_mut().enumerate() {
            let mut i = 0;
            let source = batch.source.clone();
            batch.edges.retain(|e| {
                i += 1;
                let good = !again.bad_edges.contains(&(b, i - 1));
                if !good {
                    refused_edges.push((source.clone(), e.clone()));
                }
                good
            });
        }
        checked.violations.extend(again.violations);
        self.apply_checked(kept, &refused, &refused_edges)?;
        Ok(checked.violations)
    }

    /// Reads, on all of rayon's threads, what many nodes and edges are going to be compared with (sections are checked at
    /// their first touch, and that is most of the time: each by one thread, before anything waits for it), and keeps whose
    /// keys the snapshot has. What can't be read says so again where it is needed.
    fn touch(&mut self, batches: &[GraphBatch]) {
        const MANY: usize = 512;
        let Some(base) = &self.base else { return };
        if base.number() == 0 || batches.iter().map(|b| b.nodes.len() + b.edges.len()).sum::<usize>() < MANY {
            return;
        }
        let nodes: Vec<&NodeKey> = batches.iter().flat_map(|b| &b.nodes).map(|n| &n.key).collect();
        let edges: Vec<&EdgeInput> = batches.iter().flat_map(|b| &b.edges).collect();
        let ends = edges.iter().flat_map(|e| [&e.from, &e.to]);
        let keys: Vec<&NodeKey> = nodes.iter().copied().chain(ends).collect();
        let found = base.candidates(&keys);
        let groups = |found: &[Candidate]| found.iter().flat_map(Candidate::groups).collect::<BTreeSet<u16>>();
        let (all, whole) = (groups(&found), groups(&found[..nodes.len()]));
        base.warm(base.sections_where(|kind, a, _, g| match kind {
            Kind::Alive => all.contains(&g),
            Kind::NodeColumn | Kind::NodePatch => {
                let keys = a == node_column::EXTERNAL_ID || a == node_column::SOURCE;
                whole.contains(&g) || keys && all.contains(&g)
            }
            _ => false,
        }));
        let ids: Vec<Option<u32>> =
            keys.par_iter().zip(&found).map(|(k, c)| base.confirm(k, c).ok().flatten()).collect();
        let (own, ends) = ids.split_at(nodes.len());
        let columns: BTreeMap<u16, Vec<u16>> = whole.into_iter().map(|g| (g, base.node_columns(g))).collect();
        let nodes: Vec<_> = own
            .par_iter()
            .flatten()
            .filter_map(|id| Some((*id, node_rec(base, *id, columns.get(&group(*id))?).ok()?)))
            .collect();
        let ends: Vec<_> = edges
            .iter()
            .zip(ends.chunks_exact(2))
            .filter_map(|(e, ends)| Some((self.schema.edge_type_id(&e.ty)?, ends[0]?, ends[1]?, *e)))
            .collect();
        let starts: BTreeSet<(u16, u16)> = ends.iter().map(|(ty, from, ..)| (ty.0, group(*from))).collect();
        base.warm(base.sections_where(|kind, ty, column, g| match kind {
            Kind::Out | Kind::OutPatch => starts.contains(&(ty, g)),
            Kind::EdgeColumn | Kind::EdgePatch => column == edge_column::KEY && starts.contains(&(ty, g)),
            _ => false,
        }));
        let found: Vec<_> = ends
            .par_iter()
            .map(|(ty, from, to, e)| {
                let edge = base.find_edge(*ty, *from, *to, &e.key).ok()?;
                Some((edge, (*ty, (*from, *to, e.key.clone()))))
            })
            .flatten()
            .collect();
        let there = found.iter().filter(|(edge, _)| edge.is_some());
        let starts: BTreeSet<(u16, u16)> = there.map(|(_, (ty, (from, ..)))| (ty.0, group(*from))).collect();
        base.warm(base.sections_where(|kind, ty, _, g| {
            matches!(kind, Kind::EdgeColumn | Kind::EdgePatch) && starts.contains(&(ty, g))
        }));
        let columns: BTreeMap<(u16, u16), Vec<u16>> =
            starts.iter().map(|(ty, g)| ((*ty, *g), base.edge_columns(EdgeTypeId(*ty), *g))).collect();
        let found: Vec<_> = found
            .into_par_iter()
            .filter_map(|(edge, identity)| {
                let Some(e) = edge else { return Some((identity, None)) };
                let (ty, g, _) = crate::store::edge_parts(e);
                Some((identity, Some((e, Self::edge_rec(base, e, columns.get(&(ty.0, g))?).ok()?))))
            })
            .collect();
        if self.read.keys.is_empty() {
            self.read = Read::seeded(&keys);
        }
        self.read.nodes.extend(nodes);
        self.read.keys.extend(keys.iter().zip(ids).filter_map(|(k, id)| Some(((*k).clone(), id?))));
        self.read.edges.extend(found);
    }

    fn check(&self, batches: &[GraphBatch]) -> Result<check::Checked, StoreError> {
        let failed = std::cell::RefCell::new(None);
        let checked = check::check(&self.schema, batches, |k| match self.lookup(k) {
            Ok(found) => found.map(|id| self.type_of(id)),
            Err(e) => {
                failed.borrow_mut().get_or_insert(e);
                None
            }
        });
        failed.into_inner().map_or(Ok(checked), Err)
    }

    /// The live node with this key.
    pub(crate) fn lookup(&self, key: &NodeKey) -> Result<Option<u32>, StoreError> {
        if let Some(id) = self.index.get(key) {
            return Ok(Some(*id));
        }
        let Some(base) = &self.base else { return Ok(None) };
        let found = match self.read.keys.get(key) {
            Some(id) => Some(*id),
            None => base.find(key).map_err(unwrap)?,
        };
        Ok(found.filter(|id| self.staged.get(id).is_none_or(Option::is_some)))
    }

    pub(crate) fn is_live(&self, node: u32) -> bool {
        match self.staged.get(&node) {
            Some(rec) => rec.is_some(),
            None => self.base.as_ref().is_some_and(|b| b.node_type(node).is_some()),
        }
    }

    /// All that is known of a live node.
    pub(crate) fn node_rec(&self, node: u32) -> Result<Option<NodeRec>, StoreError> {
        match (self.staged.get(&node), &self.base) {
            (Some(rec), _) => Ok(rec.clone()),
            (None, Some(base)) => base_node(base, node),
            (None, None) => Ok(None),
        }
    }

    /// All that is known of an edge of the snapshot below.
    pub(crate) fn base_edge(base: &Snapshot, edge: EdgeId) -> Result<EdgeRec, StoreError> {
        let (ty, group, _) = crate::store::edge_parts(edge);
        Self::edge_rec(base, edge, &base.edge_columns(ty, group))
    }

    /// As [`Self::base_edge`], with the columns of the edge's type and group.
    fn edge_rec(base: &Snapshot, edge: EdgeId, columns: &[u16]) -> Result<EdgeRec, StoreError> {
        let declared = base.schema().edge_properties().len();
        let mut props = Vec::new();
        for c in columns.iter().copied().filter(|c| usize::from(*c) < declared) {
            let v = base.edge_cell(edge, c)?;
            if !v.is_null() {
                props.push((PropId(c), v));
            }
        }
        let (evidence, state, condition) = base.edge_claim(edge)?;
        Ok(EdgeRec {
            sources: base.edge_cell(edge, edge_column::SOURCES)?.as_list().to_vec(),
            evidence,
            state,
            condition,
            props,
            origins: base.edge_origins(edge)?,
        })
    }

    pub(crate) fn type_of(&self, id: u32) -> NodeType {
        self.group_types.get(id as usize / GROUP).copied().unwrap_or(NodeType::Resource)
    }

    /// The names of all sources.
    pub fn source_names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// How many records the snapshot below has.
    pub(crate) fn base_records(&self) -> u32 {
        self.base.as_ref().map_or(0, |b| b.manifest().records)
    }

    fn record(&self, i: u32) -> Result<SourceRecord, StoreError> {
        match (i.checked_sub(self.base_records()), &self.base) {
            (Some(own), _) => Ok(self.records.get(own as usize).cloned().unwrap_or_default()),
            (None, Some(base)) => base.record(i),
            (None, None) => Ok(SourceRecord::default()),
        }
    }

    fn cite(&self, origins: &[(u32, Arc<str>)]) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        origins.iter().map(|(r, p)| Ok((self.record(*r)?, p.to_string()))).collect()
    }

    fn slot(&self, edge: EdgeId) -> Option<(EdgeTypeId, &Slot)> {
        let ty = EdgeTypeId(u16::try_from(edge.0 >> 48).unwrap_or(u16::MAX));
        if edge.0 >> 32 & 0xffff != STAGED {
            return None;
        }
        let slot = usize::try_from(edge.0 & 0xffff_ffff).unwrap_or(usize::MAX);
        Some((ty, self.edges.get(usize::from(ty.0))?.slots.get(slot)?))
    }
}

/// All that is known of a node of a snapshot; `None` where it isn't live.
pub(crate) fn base_node(base: &Snapshot, node: u32) -> Result<Option<NodeRec>, StoreError> {
    if base.node_type(node).is_none() {
        return Ok(None);
    }
    node_rec(base, node, &base.node_columns(group(node))).map(Some)
}

/// All that is known of a node, with the columns of its group.
fn node_rec(base: &Snapshot, node: u32, columns: &[u16]) -> Result<NodeRec, StoreError> {
    let declared = base.schema().node_properties().len();
    let mut props = Vec::new();
    for c in columns.iter().copied().filter(|c| usize::from(*c) < declared) {
        let v = base.node_cell(node, c)?;
        if !v.is_null() {
            props.push((PropId(c), v));
        }
    }
    Ok(NodeRec { key: base.key(node).map_err(unwrap)?, props, origins: base.node_origins(node)? })
}

/// The store's error behind a view's.
pub(crate) fn unwrap(e: GraphError) -> StoreError {
    (*e.0).clone()
}

impl GraphView for Working {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn nodes(&self, ty: Option<NodeType>) -> Result<Vec<u32>, GraphError> {
        let mut all = match &self.base {
            Some(b) => b.nodes(ty)?,
            None => Vec::new(),
        };
        all.retain(|n| self.staged.get(n).is_none_or(Option::is_some));
        let below = all.len();
        let new = self.staged.iter().filter(|(id, n)| n.is_some() && ty.is_none_or(|t| t == self.type_of(**id)));
        all.extend(new.map(|(id, _)| *id).filter(|id| all[..below].binary_search(id).is_err()).collect::<Vec<_>>());
        all.sort_unstable();
        Ok(all)
    }

    fn node_type(&self, node: u32) -> Option<NodeType> {
        self.is_live(node).then(|| self.type_of(node))
    }

    fn key(&self, node: u32) -> Result<NodeKey, GraphError> {
        match (self.staged.get(&node), &self.base) {
            (Some(Some(n)), _) => Ok(n.key.clone()),
            (None, Some(b)) => b.key(node),
            _ => Ok(NodeKey::new("", "")),
        }
    }

    fn find(&self, key: &NodeKey) -> Result<Option<u32>, GraphError> {
        Ok(self.lookup(key)?)
    }

    fn node_prop(&self, node: u32, prop: PropId) -> Result<Value, GraphError> {
        match (self.staged.get(&node), &self.base) {
            (Some(Some(n)), _) => Ok(lookup(&n.props, prop)),
            (None, Some(b)) => b.node_prop(node, prop),
            _ => Ok(Value::Null),
        }
    }

    fn expand(
        &self,
        node: u32,
        ty: EdgeTypeId,
        dir: Direction,
        f: &mut dyn FnMut(u32, EdgeId),
    ) -> Result<(), GraphError> {
        let Some(table) = self.edges.get(usize::from(ty.0)) else { return Ok(()) };
        let staged = |slot: u32| EdgeId(u64::from(ty.0) << 48 | STAGED << 32 | u64::from(slot));
        let map = if dir == Direction::Out { &table.out } else { &table.inward };
        let mut own = map.range(edges::of(node)).map(|((_, other, _), slot)| (*other, staged(*slot))).peekable();
        let mut below = Ok(());
        if let Some(b) = &self.base {
            below = b.expand(node, ty, dir, &mut |other, e| {
                if !table.hidden.contains(&e) {
                    while let Some((o, s)) = own.next_if(|(o, _)| *o < other) {
                        f(o, s);
                    }
                    f(other, e);
                }
            });
        }
        below?;
        own.for_each(|(o, s)| f(o, s));
        Ok(())
    }

    fn edge(&self, edge: EdgeId) -> Result<EdgeRef, GraphError> {
        match (self.slot(edge), &self.base) {
            (Some((ty, Slot { identity: (from, to, key), rec, .. })), _) => Ok(EdgeRef {
                ty,
                from: *from,
                to: *to,
                key: key.clone(),
                evidence: rec.evidence,
                state: rec.state,
                condition: rec.condition.clone(),
            }),
            (None, Some(b)) => b.edge(edge),
            (None, None) => Err(StoreError::corrupt("staged edges", 0, "no such edge").into()),
        }
    }

    fn edge_prop(&self, edge: EdgeId, prop: PropId) -> Result<Value, GraphError> {
        match (self.slot(edge), &self.base) {
            (Some((_, slot)), _) => Ok(lookup(&slot.rec.props, prop)),
            (None, Some(b)) => b.edge_prop(edge, prop),
            (None, None) => Ok(Value::Null),
        }
    }

    fn node_records(&self, node: u32) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        match self.node_rec(node)? {
            Some(n) => self.cite(&n.origins),
            None => Ok(Vec::new()),
        }
    }

    fn edge_records(&self, edge: EdgeId) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        match (self.slot(edge), &self.base) {
            (Some((_, slot)), _) => self.cite(&slot.rec.origins),
            (None, Some(b)) => b.edge_records(edge),
            (None, None) => Ok(Vec::new()),
        }
    }

    fn sources(&self) -> Vec<Arc<str>> {
        self.sources.keys().map(|s| s.as_str().into()).collect()
    }

    fn time(&self) -> i64 {
        self.time
    }
}

/// Sets or, with null, takes away a property of a sorted list.
pub(crate) fn set_prop(props: &mut Vec<(PropId, Value)>, p: PropId, v: Value) {
    match (props.binary_search_by_key(&p, |(q, _)| *q), v.is_null()) {
        (Ok(i), true) => {
            props.remove(i);
        }
        (Ok(i), false) => props[i].1 = v,
        (Err(_), true) => {}
        (Err(i), false) => props.insert(i, (p, v)),
    }
}

/// A property of a sorted list; null where it isn't there.
pub(crate) fn lookup(props: &[(PropId, Value)], p: PropId) -> Value {
    props.binary_search_by_key(&p, |(q, _)| *q).ok().map_or(Value::Null, |i| props[i].1.clone())
}
