//! The staged view: a snapshot plus the batches of a transaction, in memory. The enrichment step reads it, the writer
//! encodes it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::batch::{Annotation, Evidence, GraphBatch, NodeInput, SourceRecord, State};
use crate::check::{self, Violation, Violations};
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, PropId, Schema};
use crate::value::Value;
use crate::view::{Direction, EdgeId, EdgeRef, GraphError, GraphView};

/// How many ids a group has; a group holds nodes of one type only.
pub(crate) const GROUP: usize = 1 << 16;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeRec {
    pub key: NodeKey,
    pub props: Vec<(PropId, Value)>,
    pub origins: Vec<(u32, Arc<str>)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EdgeRec {
    pub source: Arc<str>,
    pub evidence: Evidence,
    pub state: State,
    pub condition: Option<Arc<str>>,
    pub props: Vec<(PropId, Value)>,
    pub origins: Vec<(u32, Arc<str>)>,
}

type EdgeIdentity = (u32, u32, Arc<str>);

/// The edges of one type: slots that are never reused, an index by start and one by end.
#[derive(Debug, Clone, Default)]
pub(crate) struct EdgeTable {
    pub slots: Vec<(EdgeIdentity, EdgeRec)>,
    pub out: BTreeMap<EdgeIdentity, u32>,
    pub inward: BTreeMap<EdgeIdentity, u32>,
}

impl EdgeTable {
    pub(crate) fn insert(&mut self, from: u32, to: u32, key: Arc<str>, rec: EdgeRec) {
        if let Some(&slot) = self.out.get(&(from, to, key.clone())) {
            self.slots[slot as usize].1 = rec;
            return;
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.out.insert((from, to, key.clone()), slot);
        self.inward.insert((to, from, key.clone()), slot);
        self.slots.push(((from, to, key), rec));
    }

    fn remove(&mut self, id: &EdgeIdentity) -> bool {
        self.inward.remove(&(id.1, id.0, id.2.clone()));
        self.out.remove(id).is_some()
    }
}

/// A graph in memory that batches are applied to. See [`crate::Transaction`].
#[derive(Debug, Clone)]
pub struct Working {
    pub(crate) schema: Arc<Schema>,
    pub(crate) group_types: Vec<NodeType>,
    /// By id; a hole is a deleted id or one that isn't given out yet.
    pub(crate) nodes: Vec<Option<NodeRec>>,
    /// How many ids each group has given out.
    pub(crate) group_rows: Vec<u32>,
    pub(crate) index: HashMap<NodeKey, u32>,
    pub(crate) edges: Vec<EdgeTable>,
    pub(crate) records: Vec<SourceRecord>,
    pub(crate) record_index: HashMap<SourceRecord, u32>,
    pub(crate) time: i64,
    pub(crate) sources: BTreeMap<String, SourceState>,
    pub(crate) legacy_identities: u64,
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
            edges: vec![EdgeTable::default(); schema.edge_types().len()],
            schema,
            group_types: Vec::new(),
            nodes: Vec::new(),
            group_rows: Vec::new(),
            index: HashMap::new(),
            records: Vec::new(),
            record_index: HashMap::new(),
            time: 0,
            sources: BTreeMap::new(),
            legacy_identities: 0,
        }
    }

    /// Checks batches and applies them together (edges may go between them). With `lenient`, what the schema refuses is
    /// left out and returned; otherwise anything refused leaves the graph as it was.
    ///
    /// # Errors
    /// All [`Violations`], unless `lenient`.
    pub fn apply(&mut self, batches: Vec<GraphBatch>, lenient: bool) -> Result<Vec<Violation>, Violations> {
        let mut checked = check::check(&self.schema, &batches, |k| self.index.get(k).map(|&i| self.type_of(i)));
        if !checked.violations.is_empty() {
            if !lenient {
                return Err(Violations(checked.violations));
            }
            // A refused node takes the edges with it that then have no end; find them by checking once more.
            let mut kept = batches.clone();
            for (b, batch) in kept.iter_mut().enumerate() {
                let mut i = 0;
                batch.nodes.retain(|_| {
                    i += 1;
                    !checked.bad_nodes.contains(&(b, i - 1))
                });
                let mut i = 0;
                batch.edges.retain(|_| {
                    i += 1;
                    !checked.bad_edges.contains(&(b, i - 1))
                });
            }
            let again = check::check(&self.schema, &kept, |k| self.index.get(k).map(|&i| self.type_of(i)));
            for (b, batch) in kept.iter_mut().enumerate() {
                let mut i = 0;
                batch.edges.retain(|_| {
                    i += 1;
                    !again.bad_edges.contains(&(b, i - 1))
                });
            }
            checked.violations.extend(again.violations);
            let refused: Vec<NodeKey> = checked
                .bad_nodes
                .iter()
                .filter_map(|(b, n)| Some(batches.get(*b)?.nodes.get(*n)?.key.clone()))
                .collect();
            self.apply_checked(kept, &refused);
            return Ok(checked.violations);
        }
        self.apply_checked(batches, &[]);
        Ok(Vec::new())
    }

    /// Applies batches that were checked; `kept` are keys that a lenient check refused and that therefore stay as they are.
    fn apply_checked(&mut self, mut batches: Vec<GraphBatch>, kept: &[NodeKey]) {
        let record_maps: Vec<Vec<u32>> = batches.iter_mut().map(|b| self.add_records(b)).collect();
        // What a source was seen to hold, over all its batches of this call; and what an edge of any of them names.
        let mut seen: HashSet<u32> = HashSet::new();
        for (batch, records) in batches.iter_mut().zip(&record_maps) {
            seen.extend(self.apply_nodes(batch, records));
        }
        for k in kept.iter().chain(batches.iter().flat_map(|b| b.edges.iter().flat_map(|e| [&e.from, &e.to]))) {
            seen.extend(self.index.get(k));
        }
        // Removal inside what was observed completely; after all nodes of all batches are in.
        for batch in &batches {
            let types = complete_types(batch);
            let gone: Vec<u32> = (0u32..)
                .zip(&self.nodes)
                .filter(|(id, n)| {
                    n.as_ref().is_some_and(|n| n.key.source == batch.source)
                        && types & self.type_of(*id).bit() != 0
                        && !seen.contains(id)
                })
                .map(|(id, _)| id)
                .collect();
            for id in gone {
                self.remove_node(id);
            }
        }
        self.apply_edges(&mut batches, &record_maps);
        for annotations in batches.iter_mut().filter_map(|b| b.annotations.take()) {
            self.annotate(annotations);
        }
        for batch in &batches {
            self.time = self.time.max(batch.observed_at);
            let legacy = batch.legacy_identities;
            let state = self.sources.entry(batch.source.to_string()).or_default();
            state.legacy = legacy;
            if !batch.system.is_empty() {
                state.system = batch.system.to_string();
            }
            state.observed_at = state.observed_at.max(batch.observed_at);
            state.records = u32::try_from(batch.records.len()).unwrap_or(u32::MAX);
            state.complete =
                batch.complete.iter().flat_map(|s| s.types.iter().map(move |t| format!("{t} ({})", s.scope))).collect();
            state.complete.sort();
            state.complete.dedup();
        }
        self.legacy_identities = self.sources.values().map(|s| s.legacy).sum();
    }

    /// Replaces everything that enrichment set before.
    fn annotate(&mut self, mut annotations: Vec<Annotation>) {
        let schema = self.schema.clone();
        let (Some(classified), Some(tags)) = (schema.node_prop("classified"), schema.node_prop("tags")) else { return };
        for n in self.nodes.iter_mut().flatten() {
            let Value::List(set) = lookup(&n.props, classified) else { continue };
            for entry in set.iter() {
                let what = entry.split('=').next().unwrap_or("");
                match what.strip_prefix("tag:") {
                    Some(tag) => {
                        let kept: Vec<Arc<str>> =
                            lookup(&n.props, tags).as_list().iter().filter(|t| &***t != tag).cloned().collect();
                        set_prop(
                            &mut n.props,
                            tags,
                            if kept.is_empty() { Value::Null } else { Value::List(kept.into()) },
                        );
                    }
                    None => {
                        if let Some(p) = schema.node_prop(what) {
                            set_prop(&mut n.props, p, Value::Null);
                        }
                    }
                }
            }
            set_prop(&mut n.props, classified, Value::Null);
        }
        annotations.sort_by(|a, b| {
            (&a.node, &a.prop, &a.by).cmp(&(&b.node, &b.prop, &b.by)).then_with(|| a.value.total_cmp(&b.value))
        });
        for a in annotations {
            let (Some(&id), Some(p)) = (self.index.get(&a.node), schema.node_prop(&a.prop)) else { continue };
            let Some(n) = self.nodes.get_mut(id as usize).and_then(Option::as_mut) else { continue };
            let mut set: Vec<Arc<str>> = lookup(&n.props, classified).as_list().to_vec();
            if p == tags {
                let mut all: Vec<Arc<str>> = lookup(&n.props, tags).as_list().to_vec();
                for t in a.value.as_list() {
                    if !all.contains(t) {
                        all.push(t.clone());
                        set.push(format!("tag:{t}={}", a.by).into());
                    }
                }
                all.sort();
                set_prop(&mut n.props, tags, Value::List(all.into()));
            } else if a.value.fits(schema.node_properties()[usize::from(p.0)].ty) {
                // A source's own word stays.
                let own = lookup(&n.props, p);
                if !(own.is_null() || own.as_str() == Some("unknown")) {
                    continue;
                }
                set_prop(&mut n.props, p, a.value);
                set.push(format!("{}={}", a.prop, a.by).into());
            }
            set_prop(&mut n.props, classified, Value::List(set.into()));
        }
    }

    fn add_records(&mut self, batch: &mut GraphBatch) -> Vec<u32> {
        let mut sorted: Vec<&SourceRecord> = batch.records.iter().collect();
        sorted.sort();
        for r in sorted {
            if !self.record_index.contains_key(r) {
                let id = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
                self.records.push(r.clone());
                self.record_index.insert(r.clone(), id);
            }
        }
        batch.records.iter().map(|r| self.record_index[r]).collect()
    }

    fn apply_nodes(&mut self, batch: &mut GraphBatch, records: &[u32]) -> HashSet<u32> {
        let mut seen = HashSet::new();
        let mut nodes: Vec<NodeInput> = std::mem::take(&mut batch.nodes);
        nodes.sort_by(|a, b| (a.ty, &a.key).cmp(&(b.ty, &b.key)));
        let schema = self.schema.clone();
        for node in nodes {
            let id = self.id_for(&node.key, node.ty);
            let again = !seen.insert(id);
            let mut props: BTreeMap<PropId, Value> = BTreeMap::new();
            let mut origins: Vec<(u32, Arc<str>)> =
                node.origins.iter().map(|o| (records[o.record as usize], o.pointer.clone())).collect();
            if again && let Some(old) = self.nodes[id as usize].take() {
                props.extend(old.props);
                origins.extend(old.origins);
            }
            for (name, value) in node.props {
                let Some(p) = schema.node_prop(&name) else { continue };
                props
                    .entry(p)
                    .and_modify(|v| {
                        if v.total_cmp(&value).is_lt() {
                            *v = value.clone();
                        }
                    })
                    .or_insert(value);
            }
            origins.sort();
            origins.dedup();
            let props = props.into_iter().filter(|(_, v)| !v.is_null()).collect();
            self.nodes[id as usize] = Some(NodeRec { key: node.key, props, origins });
        }
        seen
    }

    fn apply_edges(&mut self, batches: &mut [GraphBatch], record_maps: &[Vec<u32>]) {
        let schema = self.schema.clone();
        let mut claims: BTreeMap<(EdgeTypeId, EdgeIdentity), Vec<EdgeRec>> = BTreeMap::new();
        let mut complete: BTreeMap<Arc<str>, u16> = BTreeMap::new();
        for (batch, records) in batches.iter_mut().zip(record_maps) {
            *complete.entry(batch.source.clone()).or_default() |= complete_types(batch);
            self.claims(batch, records, &mut claims);
        }
        // What several batches say of one edge becomes one, whatever their order.
        let incoming: BTreeMap<(EdgeTypeId, EdgeIdentity), EdgeRec> =
            claims.into_iter().filter_map(|(k, c)| Some((k, merge_edges(c)?))).collect();
        for ty in schema.edge_type_ids() {
            let group_types = &self.group_types;
            let table = &mut self.edges[usize::from(ty.0)];
            let gone: Vec<EdgeIdentity> = table
                .out
                .iter()
                .filter(|(id, slot)| {
                    let types = complete.get(&table.slots[**slot as usize].1.source).copied().unwrap_or(0);
                    group_types.get(id.0 as usize / GROUP).is_some_and(|t| types & t.bit() != 0)
                        && !incoming.contains_key(&(ty, (*id).clone()))
                })
                .map(|(id, _)| id.clone())
                .collect();
            for id in gone {
                table.remove(&id);
            }
        }
        for ((ty, (from, to, key)), rec) in incoming {
            self.edges[usize::from(ty.0)].insert(from, to, key, rec);
        }
    }

    fn claims(
        &self,
        batch: &mut GraphBatch,
        records: &[u32],
        claims: &mut BTreeMap<(EdgeTypeId, EdgeIdentity), Vec<EdgeRec>>,
    ) {
        let schema = self.schema.clone();
        for edge in std::mem::take(&mut batch.edges) {
            let (Some(ty), Some(&from), Some(&to)) =
                (schema.edge_type_id(&edge.ty), self.index.get(&edge.from), self.index.get(&edge.to))
            else {
                continue;
            };
            let mut props: BTreeMap<PropId, Value> = BTreeMap::new();
            for (name, value) in edge.props {
                if let Some(p) = schema.edge_prop(&name)
                    && !value.is_null()
                {
                    props.insert(p, value);
                }
            }
            let rec = EdgeRec {
                source: batch.source.clone(),
                evidence: edge.evidence,
                state: edge.state,
                condition: edge.condition,
                props: props.into_iter().collect(),
                origins: edge.origins.iter().map(|o| (records[o.record as usize], o.pointer.clone())).collect(),
            };
            claims.entry((ty, (from, to, edge.key))).or_default().push(rec);
        }
    }

    /// Gives out an id in the newest group of the type that has room.
    pub(crate) fn id_for(&mut self, key: &NodeKey, ty: NodeType) -> u32 {
        if let Some(&id) = self.index.get(key) {
            return id;
        }
        let group = (0..self.group_types.len())
            .rev()
            .find(|&g| self.group_types[g] == ty && (self.group_rows[g] as usize) < GROUP)
            .unwrap_or_else(|| {
                self.group_types.push(ty);
                self.group_rows.push(0);
                self.group_types.len() - 1
            });
        let row = self.group_rows[group] as usize;
        self.group_rows[group] += 1;
        let id = group * GROUP + row;
        if self.nodes.len() <= id {
            self.nodes.resize(id + 1, None);
        }
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        self.index.insert(key.clone(), id);
        id
    }

    fn remove_node(&mut self, id: u32) {
        if let Some(rec) = self.nodes[id as usize].take() {
            self.index.remove(&rec.key);
        }
        for table in &mut self.edges {
            let range = (id, 0, Arc::from(""))..(id.saturating_add(1), 0, Arc::from(""));
            let mut gone: Vec<EdgeIdentity> = table.out.range(range.clone()).map(|(k, _)| k.clone()).collect();
            gone.extend(table.inward.range(range).map(|(k, _)| (k.1, k.0, k.2.clone())));
            for e in gone {
                table.remove(&e);
            }
        }
    }

    pub(crate) fn type_of(&self, id: u32) -> NodeType {
        self.group_types.get(id as usize / GROUP).copied().unwrap_or(NodeType::Resource)
    }

    /// The names of all sources.
    pub fn source_names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The record behind an id of this view's origins (for derivations that cite what they read).
    ///
    /// # Errors
    /// Never for this view; the signature is the trait's.
    pub fn node_origins(&self, node: u32) -> Vec<(SourceRecord, Arc<str>)> {
        self.nodes
            .get(node as usize)
            .and_then(Option::as_ref)
            .map(|n| n.origins.iter().map(|(r, p)| (self.records[*r as usize].clone(), p.clone())).collect())
            .unwrap_or_default()
    }
}

fn complete_types(batch: &GraphBatch) -> u16 {
    batch.complete.iter().flat_map(|s| &s.types).fold(0, |m, t| m | t.bit())
}

/// The strongest claim, whole; the records of all.
fn merge_edges(mut claims: Vec<EdgeRec>) -> Option<EdgeRec> {
    claims.sort_by(|a, b| {
        (a.state, a.evidence, &a.condition, &a.source).cmp(&(b.state, b.evidence, &b.condition, &b.source))
    });
    let mut rest = claims.into_iter();
    let mut first = rest.next()?;
    for c in rest {
        first.origins.extend(c.origins);
        for (p, v) in c.props {
            match first.props.iter_mut().find(|(q, _)| *q == p) {
                Some((_, old)) if old.total_cmp(&v).is_lt() => *old = v,
                Some(_) => {}
                None => first.props.push((p, v)),
            }
        }
    }
    first.props.sort_by_key(|(p, _)| *p);
    first.origins.sort();
    first.origins.dedup();
    Some(first)
}

impl GraphView for Working {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn nodes(&self, ty: Option<NodeType>) -> Result<Vec<u32>, GraphError> {
        Ok((0u32..)
            .zip(&self.nodes)
            .filter(|(id, n)| n.is_some() && ty.is_none_or(|t| t == self.type_of(*id)))
            .map(|(id, _)| id)
            .collect())
    }

    fn node_type(&self, node: u32) -> Option<NodeType> {
        self.nodes.get(node as usize)?.as_ref().map(|_| self.type_of(node))
    }

    fn key(&self, node: u32) -> Result<NodeKey, GraphError> {
        Ok(self
            .nodes
            .get(node as usize)
            .and_then(Option::as_ref)
            .map_or_else(|| NodeKey::new("", ""), |n| n.key.clone()))
    }

    fn find(&self, key: &NodeKey) -> Result<Option<u32>, GraphError> {
        Ok(self.index.get(key).copied())
    }

    fn node_prop(&self, node: u32, prop: PropId) -> Result<Value, GraphError> {
        Ok(self.nodes.get(node as usize).and_then(Option::as_ref).map_or(Value::Null, |n| lookup(&n.props, prop)))
    }

    fn expand(
        &self,
        node: u32,
        ty: EdgeTypeId,
        dir: Direction,
        f: &mut dyn FnMut(u32, EdgeId),
    ) -> Result<(), GraphError> {
        let Some(table) = self.edges.get(usize::from(ty.0)) else { return Ok(()) };
        let map = if dir == Direction::Out { &table.out } else { &table.inward };
        let range = (node, 0, Arc::from(""))..(node.saturating_add(1), 0, Arc::from(""));
        for ((_, other, _), slot) in map.range(range) {
            f(*other, EdgeId(u64::from(ty.0) << 48 | u64::from(*slot)));
        }
        Ok(())
    }

    fn edge(&self, edge: EdgeId) -> Result<EdgeRef, GraphError> {
        let (ty, slot) = split(edge);
        let ((from, to, key), rec) = &self.edges[usize::from(ty.0)].slots[slot];
        Ok(EdgeRef {
            ty,
            from: *from,
            to: *to,
            key: key.clone(),
            evidence: rec.evidence,
            state: rec.state,
            condition: rec.condition.clone(),
        })
    }

    fn edge_prop(&self, edge: EdgeId, prop: PropId) -> Result<Value, GraphError> {
        let (ty, slot) = split(edge);
        Ok(lookup(&self.edges[usize::from(ty.0)].slots[slot].1.props, prop))
    }

    fn node_records(&self, node: u32) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        Ok(self.node_origins(node).into_iter().map(|(r, p)| (r, p.to_string())).collect())
    }

    fn edge_records(&self, edge: EdgeId) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        let (ty, slot) = split(edge);
        let origins = &self.edges[usize::from(ty.0)].slots[slot].1.origins;
        Ok(origins.iter().map(|(r, p)| (self.records[*r as usize].clone(), p.to_string())).collect())
    }

    fn sources(&self) -> Vec<Arc<str>> {
        self.sources.keys().map(|s| s.as_str().into()).collect()
    }

    fn time(&self) -> i64 {
        self.time
    }
}

fn split(e: EdgeId) -> (EdgeTypeId, usize) {
    let ty = EdgeTypeId(u16::try_from(e.0 >> 48).unwrap_or(u16::MAX));
    (ty, usize::try_from(e.0 & 0xffff_ffff_ffff).unwrap_or(usize::MAX))
}

fn set_prop(props: &mut Vec<(PropId, Value)>, p: PropId, v: Value) {
    match (props.binary_search_by_key(&p, |(q, _)| *q), v.is_null()) {
        (Ok(i), true) => {
            props.remove(i);
        }
        (Ok(i), false) => props[i].1 = v,
        (Err(_), true) => {}
        (Err(i), false) => props.insert(i, (p, v)),
    }
}

fn lookup(props: &[(PropId, Value)], p: PropId) -> Value {
    props.binary_search_by_key(&p, |(q, _)| *q).ok().map_or(Value::Null, |i| props[i].1.clone())
}
