//! Checked batches to staged nodes and edges; what a completely observed scope no longer shows goes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{EdgeRec, GROUP, Identity, NodeRec, Working, edges, unwrap};
use crate::batch::{EdgeInput, GraphBatch, NodeInput, SourceRecord};
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, PropId};
use crate::store::{StoreError, node_column};
use crate::value::Value;
use crate::view::{Direction, EdgeId, GraphView};

/// What one source was observed completely to hold.
#[derive(Debug, Default)]
struct Complete {
    /// Node types, in the whole source.
    types: u16,
    /// Node types inside of containers, with the nodes that they held.
    within: Vec<(u16, HashSet<u32>)>,
}

impl Complete {
    fn types(&self) -> u16 {
        self.within.iter().fold(self.types, |m, (t, _)| m | t)
    }

    fn covers(&self, node: u32, ty: NodeType) -> bool {
        self.types & ty.bit() != 0 || self.within.iter().any(|(t, nodes)| t & ty.bit() != 0 && nodes.contains(&node))
    }
}

/// What a batch says of an edge.
type Claim = ((EdgeTypeId, Identity), EdgeRec);

impl Working {
    /// Applies batches that were checked; `kept` and `kept_edges` are what a lenient check refused and what therefore stays as
    /// it is.
    pub(super) fn apply_checked(
        &mut self,
        mut batches: Vec<GraphBatch>,
        kept: &[NodeKey],
        kept_edges: &[(Arc<str>, EdgeInput)],
    ) -> Result<(), StoreError> {
        let record_maps = batches.iter().map(|b| self.add_records(b)).collect::<Result<Vec<_>, _>>()?;
        let complete = self.complete(&batches)?;
        // What a source was seen to hold, over all its batches of this call; and what an edge of any of them names.
        let mut seen: HashSet<u32> = HashSet::new();
        for (batch, records) in batches.iter_mut().zip(&record_maps) {
            self.apply_nodes(batch, records, &mut seen)?;
        }
        if !complete.is_empty() {
            let named = batches.iter().flat_map(|b| &b.edges).chain(kept_edges.iter().map(|(_, e)| e));
            for k in kept.iter().chain(named.flat_map(|e| [&e.from, &e.to])) {
                seen.extend(self.lookup(k)?);
            }
        }
        // Removal inside what was observed completely; after all nodes of all batches are in.
        for (source, scope) in &complete {
            for id in self.nodes_of(source, scope)? {
                if !seen.contains(&id) {
                    self.remove_node(id)?;
                }
            }
        }
        self.apply_edges(&mut batches, &record_maps, &complete, kept_edges)?;
        for annotations in batches.iter_mut().filter_map(|b| b.annotations.take()) {
            self.annotate(annotations)?;
        }
        for batch in &batches {
            self.time = self.time.max(batch.observed_at);
            let state = self.sources.entry(batch.source.to_string()).or_default();
            state.legacy = batch.legacy_identities;
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
        Ok(())
    }

    /// What each source was observed completely to hold, on the graph as it was before.
    fn complete(&self, batches: &[GraphBatch]) -> Result<BTreeMap<Arc<str>, Complete>, StoreError> {
        let mut out: BTreeMap<Arc<str>, Complete> = BTreeMap::new();
        for batch in batches {
            for scope in &batch.complete {
                let types = scope.types.iter().fold(0, |m, t| m | t.bit());
                let entry = out.entry(batch.source.clone()).or_default();
                match &scope.within {
                    None => entry.types |= types,
                    Some(id) => {
                        let nodes = self.contained(&NodeKey::new(batch.source.clone(), id.clone()))?;
                        entry.within.push((types, nodes));
                    }
                }
            }
        }
        Ok(out)
    }

    /// The nodes inside of a container, however deep. An unknown container holds nothing.
    fn contained(&self, container: &NodeKey) -> Result<HashSet<u32>, StoreError> {
        let mut out = HashSet::new();
        let (Some(top), Some(ty)) = (self.lookup(container)?, self.schema.edge_type_id("CONTAINS")) else {
            return Ok(out);
        };
        let mut open = vec![top];
        while let Some(n) = open.pop() {
            self.expand(n, ty, Direction::Out, &mut |other, _| {
                if other != top && out.insert(other) {
                    open.push(other);
                }
            })
            .map_err(unwrap)?;
        }
        Ok(out)
    }

    /// The live nodes of a source that a scope covers.
    fn nodes_of(&self, source: &str, scope: &Complete) -> Result<Vec<u32>, StoreError> {
        let mut out = Vec::new();
        let types = scope.types();
        for (g, ty) in (0u16..).zip(&self.group_types) {
            if types & ty.bit() == 0 {
                continue;
            }
            if let Some(base) = &self.base
                && usize::from(g) < base.manifest().group_types.len()
                && base.group_may_hold_source(g, source)?
            {
                for row in 0..base.manifest().group_rows[usize::from(g)] {
                    let id = u32::from(g) << 16 | row;
                    if !self.staged.contains_key(&id)
                        && base.node_type(id).is_some()
                        && base.node_cell(id, node_column::SOURCE)?.as_str() == Some(source)
                        && scope.covers(id, *ty)
                    {
                        out.push(id);
                    }
                }
            }
            let first = u32::from(g) << 16;
            for (id, n) in self.staged.range(first..=first | 0xffff) {
                if n.as_ref().is_some_and(|n| &*n.key.source == source) && scope.covers(*id, *ty) {
                    out.push(*id);
                }
            }
        }
        Ok(out)
    }

    fn add_records(&mut self, batch: &GraphBatch) -> Result<Vec<u32>, StoreError> {
        if batch.records.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.base_records();
        let mut index = match self.record_index.take() {
            Some(i) => i,
            None => {
                let mut index = HashMap::new();
                if let Some(base) = &self.base {
                    for i in 0..first {
                        index.insert(base.record(i)?, i);
                    }
                }
                index
            }
        };
        let mut sorted: Vec<&SourceRecord> = batch.records.iter().collect();
        sorted.sort();
        for r in sorted {
            if !index.contains_key(r) {
                let id = first + u32::try_from(self.records.len()).unwrap_or(u32::MAX);
                self.records.push(r.clone());
                index.insert(r.clone(), id);
            }
        }
        let map: Vec<u32> = batch.records.iter().map(|r| index.get(r).copied().unwrap_or(0)).collect();
        self.record_index = Some(index);
        for (i, page) in &batch.pages {
            let Some(record) = map.get(*i as usize) else { continue };
            let kept = match &self.base {
                Some(base) if *record < first => base.page_place(*record)?.is_some(),
                _ => false,
            };
            // Two pages of one record in one input: the same one, whatever their order.
            if !kept && self.pages.get(record).is_none_or(|p| p < page) {
                self.pages.insert(*record, page.clone());
            }
        }
        Ok(map)
    }

    /// What several batches say of one node becomes one, as within a batch; `seen` are the nodes of this call.
    fn apply_nodes(
        &mut self,
        batch: &mut GraphBatch,
        records: &[u32],
        seen: &mut HashSet<u32>,
    ) -> Result<(), StoreError> {
        let mut nodes: Vec<NodeInput> = std::mem::take(&mut batch.nodes);
        nodes.sort_by(|a, b| (a.ty, &a.key).cmp(&(b.ty, &b.key)));
        let schema = self.schema.clone();
        for node in nodes {
            let id = self.id_for(&node.key, node.ty)?;
            let again = !seen.insert(id);
            let mut props: BTreeMap<PropId, Value> = BTreeMap::new();
            let mut origins: Vec<(u32, Arc<str>)> =
                node.origins.iter().map(|o| (records[o.record as usize], o.pointer.clone())).collect();
            if again && let Some(Some(old)) = self.staged.remove(&id) {
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
            self.staged.insert(id, Some(NodeRec { key: node.key, props, origins }));
        }
        Ok(())
    }

    fn apply_edges(
        &mut self,
        batches: &mut [GraphBatch],
        record_maps: &[Vec<u32>],
        complete: &BTreeMap<Arc<str>, Complete>,
        kept: &[(Arc<str>, EdgeInput)],
    ) -> Result<(), StoreError> {
        let mut stated: HashSet<(Arc<str>, EdgeTypeId, Identity)> = HashSet::new();
        for (source, e) in kept {
            if let (Some(ty), Some(from), Some(to)) =
                (self.schema.edge_type_id(&e.ty), self.lookup(&e.from)?, self.lookup(&e.to)?)
            {
                stated.insert((source.clone(), ty, (from, to, e.key.clone())));
            }
        }
        let mut claims: Vec<Claim> = Vec::with_capacity(batches.iter().map(|b| b.edges.len()).sum());
        for (batch, records) in batches.iter_mut().zip(record_maps) {
            self.claims(batch, records, &mut claims)?;
        }
        // What several batches say of one edge becomes one, whatever their order.
        claims.sort_by(|a, b| a.0.cmp(&b.0));
        let mut incoming: Vec<Claim> = Vec::with_capacity(claims.len());
        let mut rest = claims.into_iter().peekable();
        while let Some((edge, rec)) = rest.next() {
            let mut same = vec![rec];
            while let Some((_, rec)) = rest.next_if(|(e, _)| *e == edge) {
                same.push(rec);
            }
            incoming.extend(merge_edges(same).map(|rec| (edge, rec)));
        }
        let schema = self.schema.clone();
        for ty in schema.edge_type_ids() {
            for (source, scope) in complete {
                self.withdraw(ty, source, scope, &incoming, &stated)?;
            }
        }
        for ((ty, identity), rec) in incoming {
            self.put_edge(ty, identity, rec)?;
        }
        Ok(())
    }

    /// A source no longer states the edges of its complete scope that aren't among the incoming.
    fn withdraw(
        &mut self,
        ty: EdgeTypeId,
        source: &Arc<str>,
        scope: &Complete,
        incoming: &[Claim],
        refused: &HashSet<(Arc<str>, EdgeTypeId, Identity)>,
    ) -> Result<(), StoreError> {
        let types = scope.types();
        let stated = |rec: &[Arc<str>]| rec.contains(source);
        // Whether an edge is among the incoming, and this source states it there.
        let comes = |identity: &Identity| {
            let found = incoming.binary_search_by(|((t, i), _)| (t, i).cmp(&(&ty, identity)));
            found.is_ok_and(|at| stated(&incoming[at].1.sources))
        };
        let kept = |id: &Identity| !refused.is_empty() && refused.contains(&(source.clone(), ty, id.clone()));
        let table = &self.edges[usize::from(ty.0)];
        let mut staged: Vec<(Identity, Vec<Arc<str>>)> = Vec::new();
        for slot in table.standing() {
            let from = slot.identity.0;
            if stated(&slot.rec.sources)
                && scope.covers(from, self.type_of(from))
                && !comes(&slot.identity)
                && !kept(&slot.identity)
            {
                staged.push((slot.identity.clone(), slot.rec.sources.clone()));
            }
        }
        let mut below: Vec<(EdgeId, Identity)> = Vec::new();
        if let Some(base) = &self.base {
            for (g, group_type) in (0u16..).zip(&base.manifest().group_types) {
                if NodeType::from_u8(*group_type).is_none_or(|t| types & t.bit() == 0)
                    || !base.edges_may_hold_source(ty, g, source)?
                {
                    continue;
                }
                let rows = base.rows(ty, Direction::Out, g)?;
                for row in 0..base.manifest().group_rows[usize::from(g)] {
                    let from = u32::from(g) << 16 | row;
                    let mut found = Vec::new();
                    rows.each(row as usize, &mut |to, ordinal, _| {
                        found.push((crate::store::edge_id(ty, g, ordinal), to));
                    });
                    for (edge, to) in found {
                        if table.hidden.contains(&edge)
                            || !scope.covers(from, self.type_of(from))
                            || !stated(base.edge_cell(edge, crate::store::edge_column::SOURCES)?.as_list())
                        {
                            continue;
                        }
                        let identity = (from, to, base.edge(edge).map_err(unwrap)?.key);
                        if !comes(&identity) && !kept(&identity) {
                            below.push((edge, identity));
                        }
                    }
                }
            }
        }
        for (identity, sources) in staged {
            let table = &mut self.edges[usize::from(ty.0)];
            match table.out.get(&identity).and_then(|s| table.slots.get_mut(*s as usize)) {
                Some(slot) if sources.len() > 1 => slot.rec.sources.retain(|s| s != source),
                _ => table.remove(&identity),
            }
        }
        for (edge, identity) in below {
            let Some(base) = &self.base else { break };
            let mut rec = Self::base_edge(base, edge)?;
            let table = &mut self.edges[usize::from(ty.0)];
            if rec.sources.len() > 1 {
                let old = rec.clone();
                rec.sources.retain(|s| s != source);
                table.insert(identity, rec, Some((edge, old)));
            } else {
                table.hidden.insert(edge);
            }
        }
        Ok(())
    }

    fn put_edge(&mut self, ty: EdgeTypeId, mut identity: Identity, rec: EdgeRec) -> Result<(), StoreError> {
        let table = &self.edges[usize::from(ty.0)];
        let staged = table.get(&identity).map(|slot| &slot.rec);
        let mut below: Option<(EdgeId, EdgeRec)> = None;
        if let (None, Some(base)) = (staged, &self.base) {
            let key = (ty, identity);
            below = match self.read.edges.remove(&key) {
                Some(found) => found,
                None => match base.find_edge(ty, key.1.0, key.1.1, &key.1.2)? {
                    Some(e) => Some((e, Self::base_edge(base, e)?)),
                    None => None,
                },
            };
            identity = key.1;
        }
        // Not where it was taken away before in this transaction, and comes back.
        let standing = below.as_ref().filter(|(e, _)| !table.hidden.contains(e)).map(|(_, rec)| rec);
        let known = staged.is_none() && standing.is_some();
        let new = match staged.or(standing) {
            Some(old) if old.sources.iter().all(|s| rec.sources.contains(s)) => {
                if known && *old == rec {
                    return Ok(());
                }
                rec
            }
            // Others state it too: the strongest claim, and the records of all.
            Some(old) => {
                let merged = merge_edges(vec![old.clone(), rec.clone()]).unwrap_or(rec);
                if known && *old == merged {
                    return Ok(());
                }
                merged
            }
            None => rec,
        };
        self.edges[usize::from(ty.0)].insert(identity, new, below);
        Ok(())
    }

    fn claims(&self, batch: &mut GraphBatch, records: &[u32], claims: &mut Vec<Claim>) -> Result<(), StoreError> {
        let schema = self.schema.clone();
        for edge in std::mem::take(&mut batch.edges) {
            let (Some(ty), Some(from), Some(to)) =
                (schema.edge_type_id(&edge.ty), self.lookup(&edge.from)?, self.lookup(&edge.to)?)
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
            let mut origins: Vec<(u32, Arc<str>)> =
                edge.origins.iter().map(|o| (records[o.record as usize], o.pointer.clone())).collect();
            origins.sort();
            origins.dedup();
            let rec = EdgeRec {
                sources: vec![batch.source.clone()],
                evidence: edge.evidence,
                state: edge.state,
                condition: edge.condition,
                props: props.into_iter().collect(),
                origins,
            };
            claims.push(((ty, (from, to, edge.key)), rec));
        }
        Ok(())
    }

    /// Gives out an id in the newest group of the type that has room.
    fn id_for(&mut self, key: &NodeKey, ty: NodeType) -> Result<u32, StoreError> {
        if let Some(id) = self.lookup(key)? {
            return Ok(id);
        }
        let group = (0..self.group_types.len())
            .rev()
            .find(|&g| self.group_types[g] == ty && (self.group_rows[g] as usize) < GROUP)
            .unwrap_or_else(|| {
                self.group_types.push(ty);
                self.group_rows.push(0);
                self.group_types.len() - 1
            });
        // The last group's number is kept free: it marks staged edges.
        if group >= usize::from(u16::MAX) {
            return Err(StoreError::Limit { which: "the number of groups of nodes", max: u64::from(u16::MAX) });
        }
        let row = self.group_rows[group] as usize;
        self.group_rows[group] += 1;
        let id = u32::try_from(group * GROUP + row).unwrap_or(u32::MAX);
        self.index.insert(key.clone(), id);
        Ok(id)
    }

    fn remove_node(&mut self, id: u32) -> Result<(), StoreError> {
        if let Some(rec) = self.node_rec(id)? {
            self.index.remove(&rec.key);
        }
        self.staged.insert(id, None);
        for ty in self.schema.clone().edge_type_ids() {
            let table = &mut self.edges[usize::from(ty.0)];
            let mut gone: Vec<Identity> = table.out.range(edges::of(id)).map(|(k, _)| k.clone()).collect();
            gone.extend(table.inward.range(edges::of(id)).map(|(k, _)| (k.1, k.0, k.2.clone())));
            for e in gone {
                table.remove(&e);
            }
            if let Some(base) = &self.base {
                for dir in [Direction::Out, Direction::In] {
                    base.expand(id, ty, dir, &mut |_, e| {
                        table.hidden.insert(e);
                    })
                    .map_err(unwrap)?;
                }
            }
        }
        Ok(())
    }
}

/// The strongest claim, whole; the sources and records of all.
fn merge_edges(mut claims: Vec<EdgeRec>) -> Option<EdgeRec> {
    claims.sort_by(|a, b| {
        (a.state, a.evidence, &a.condition, &a.sources).cmp(&(b.state, b.evidence, &b.condition, &b.sources))
    });
    let mut rest = claims.into_iter();
    let mut first = rest.next()?;
    for c in rest {
        first.sources.extend(c.sources);
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
    first.sources.sort();
    first.sources.dedup();
    first.origins.sort();
    first.origins.dedup();
    Some(first)
}
