//! A graph of differences: what stands in either of two snapshots, each element marked by what became of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::batch::SourceRecord;
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, PropId, Schema};
use crate::store::{Diff, Snapshot};
use crate::value::Value;
use crate::view::{Change, Direction, EdgeId, EdgeRef, GraphError, GraphView};

/// Marks an edge of the earlier snapshot.
const OLD: u64 = 1 << 63;

/// What stands in either of two snapshots. A removed element shows what the earlier snapshot says of it, any other what the
/// later one says.
///
/// ```
/// use sv0_graph::{Change, Compared, GraphBatch, GraphView, NodeInput, NodeKey, NodeType, Schema, Store};
/// let mut store = Store::in_memory(Schema::canonical())?;
/// for id in ["a", "b"] {
///     let mut batch = GraphBatch::new("demo", 0);
///     batch.nodes.push(NodeInput::new(NodeKey::new("demo", id), NodeType::Identity, "aws.user"));
///     let mut txn = store.begin()?;
///     txn.stage(vec![batch])?;
///     txn.commit(id)?;
/// }
/// let all: Vec<u32> = store.snapshots().iter().map(|s| s.0).collect();
/// let both = Compared::new(store.diff(all[0], all[1])?);
/// let b = both.find(&NodeKey::new("demo", "b"))?.expect("it is in the later one");
/// assert_eq!(both.node_change(b), Some(Change::Added));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Compared {
    from: Snapshot,
    to: Snapshot,
    nodes: HashMap<u32, Change>,
    /// By edge of the later snapshot: added or changed.
    edges: HashMap<EdgeId, Change>,
    /// Removed edges, by the node at which they are met: other end and marked id, ascending.
    removed: BTreeMap<(EdgeTypeId, bool, u32), Vec<(u32, EdgeId)>>,
    gone: HashSet<EdgeId>,
}

impl Compared {
    /// The graph of what differs and what doesn't.
    #[must_use]
    pub fn new(diff: Diff) -> Self {
        let mut out = Self {
            from: diff.from,
            to: diff.to,
            nodes: HashMap::new(),
            edges: HashMap::new(),
            removed: BTreeMap::new(),
            gone: HashSet::new(),
        };
        for n in diff.nodes.into_values() {
            out.nodes.extend(n.added.into_iter().map(|i| (i, Change::Added)));
            out.nodes.extend(n.changed.into_iter().map(|i| (i, Change::Changed)));
            out.nodes.extend(n.removed.into_iter().map(|i| (i, Change::Removed)));
        }
        for (ty, list) in diff.edges {
            for e in list {
                match (e.old, e.new) {
                    (Some(_), Some(new)) => _ = out.edges.insert(new, Change::Changed),
                    (None, Some(new)) => _ = out.edges.insert(new, Change::Added),
                    (Some(old), None) => {
                        let id = EdgeId(old.0 | OLD);
                        out.gone.insert(id);
                        out.removed.entry((ty, true, e.from)).or_default().push((e.to, id));
                        out.removed.entry((ty, false, e.to)).or_default().push((e.from, id));
                    }
                    (None, None) => {}
                }
            }
        }
        out.removed.values_mut().for_each(|l| l.sort_unstable());
        out
    }

    /// The snapshot that says what a node is.
    fn of_node(&self, node: u32) -> &Snapshot {
        if self.nodes.get(&node) == Some(&Change::Removed) { &self.from } else { &self.to }
    }

    fn of_edge(&self, edge: EdgeId) -> (&Snapshot, EdgeId) {
        if edge.0 & OLD == 0 { (&self.to, edge) } else { (&self.from, EdgeId(edge.0 & !OLD)) }
    }
}

impl GraphView for Compared {
    fn schema(&self) -> &Schema {
        self.to.schema()
    }

    fn nodes(&self, ty: Option<NodeType>) -> Result<Vec<u32>, GraphError> {
        let mut all = self.to.nodes(ty)?;
        let gone = self.nodes.iter().filter(|(_, c)| **c == Change::Removed).map(|(n, _)| *n);
        all.extend(gone.filter(|n| ty.is_none_or(|t| self.from.node_type(*n) == Some(t))));
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    fn node_type(&self, node: u32) -> Option<NodeType> {
        self.of_node(node).node_type(node)
    }

    fn key(&self, node: u32) -> Result<NodeKey, GraphError> {
        self.of_node(node).key(node)
    }

    fn find(&self, key: &NodeKey) -> Result<Option<u32>, GraphError> {
        match self.to.find(key)? {
            Some(n) => Ok(Some(n)),
            None => self.from.find(key),
        }
    }

    fn node_prop(&self, node: u32, prop: PropId) -> Result<Value, GraphError> {
        let of = self.of_node(node);
        // The earlier schema may lack what was declared since.
        let known = usize::from(prop.0) < of.schema().node_properties().len();
        if known { of.node_prop(node, prop) } else { Ok(Value::Null) }
    }

    fn expand(
        &self,
        node: u32,
        ty: EdgeTypeId,
        dir: Direction,
        f: &mut dyn FnMut(u32, EdgeId),
    ) -> Result<(), GraphError> {
        let none = Vec::new();
        let gone = self.removed.get(&(ty, dir == Direction::Out, node)).unwrap_or(&none);
        let mut gone = gone.iter().copied().peekable();
        if self.to.node_type(node).is_some() {
            self.to.expand(node, ty, dir, &mut |other, e| {
                while let Some((o, old)) = gone.next_if(|(o, _)| *o < other) {
                    f(o, old);
                }
                f(other, e);
            })?;
        }
        gone.for_each(|(o, old)| f(o, old));
        Ok(())
    }

    fn edge(&self, edge: EdgeId) -> Result<EdgeRef, GraphError> {
        let (s, e) = self.of_edge(edge);
        s.edge(e)
    }

    fn edge_prop(&self, edge: EdgeId, prop: PropId) -> Result<Value, GraphError> {
        let (s, e) = self.of_edge(edge);
        let known = usize::from(prop.0) < s.schema().edge_properties().len();
        if known { s.edge_prop(e, prop) } else { Ok(Value::Null) }
    }

    fn node_records(&self, node: u32) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        self.of_node(node).node_records(node)
    }

    fn edge_records(&self, edge: EdgeId) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        let (s, e) = self.of_edge(edge);
        s.edge_records(e)
    }

    fn sources(&self) -> Vec<Arc<str>> {
        let mut all = self.to.sources();
        all.extend(self.from.sources());
        all.sort();
        all.dedup();
        all
    }

    fn time(&self) -> i64 {
        self.to.time()
    }

    fn node_change(&self, node: u32) -> Option<Change> {
        Some(self.nodes.get(&node).copied().unwrap_or(Change::Same))
    }

    fn edge_change(&self, edge: EdgeId) -> Option<Change> {
        if self.gone.contains(&edge) {
            return Some(Change::Removed);
        }
        Some(self.edges.get(&edge).copied().unwrap_or(Change::Same))
    }
}

/// A snapshot, or the difference of two: what a query may read beside its default graph.
#[derive(Debug, Clone)]
pub enum Graph {
    /// A snapshot.
    Snapshot(Snapshot),
    /// The difference of two.
    Compared(Arc<Compared>),
}

impl From<Snapshot> for Graph {
    fn from(s: Snapshot) -> Self {
        Self::Snapshot(s)
    }
}

impl From<Compared> for Graph {
    fn from(c: Compared) -> Self {
        Self::Compared(Arc::new(c))
    }
}

macro_rules! either {
    ($self:ident, $g:ident => $e:expr) => {
        match $self {
            Graph::Snapshot($g) => $e,
            Graph::Compared($g) => $e,
        }
    };
}

impl GraphView for Graph {
    fn schema(&self) -> &Schema {
        either!(self, g => g.schema())
    }

    fn nodes(&self, ty: Option<NodeType>) -> Result<Vec<u32>, GraphError> {
        either!(self, g => g.nodes(ty))
    }

    fn topology(&self, steps: &[(EdgeTypeId, Direction)]) -> Result<Option<crate::store::Topology<'_>>, GraphError> {
        match self {
            Self::Snapshot(s) => GraphView::topology(s, steps),
            Self::Compared(_) => Ok(None),
        }
    }

    fn text_is(&self, node: u32, prop: PropId, text: &str) -> Result<bool, GraphError> {
        either!(self, g => g.text_is(node, prop, text))
    }

    fn codes(&self, ty: Option<NodeType>, prop: PropId) -> Result<Option<crate::store::Codes>, GraphError> {
        match self {
            Self::Snapshot(s) => GraphView::codes(s, ty, prop),
            Self::Compared(_) => Ok(None),
        }
    }

    fn number_of(&self, node: u32, prop: PropId) -> Result<Option<i64>, GraphError> {
        either!(self, g => g.number_of(node, prop))
    }

    fn indexed(&self, ty: Option<NodeType>, prop: PropId, value: &str) -> Result<Option<Vec<u32>>, GraphError> {
        either!(self, g => g.indexed(ty, prop, value))
    }

    fn indexed_rows(&self, ty: Option<NodeType>, prop: PropId, value: &str) -> Result<Option<u64>, GraphError> {
        match self {
            Self::Snapshot(s) => GraphView::indexed_rows(s, ty, prop, value),
            Self::Compared(_) => Ok(None),
        }
    }

    fn adjacency(
        &self,
        steps: &[(EdgeTypeId, Direction)],
        now: bool,
    ) -> Result<Option<std::sync::Arc<crate::store::Adjacency>>, GraphError> {
        match self {
            Self::Snapshot(s) => GraphView::adjacency(s, steps, now),
            Self::Compared(_) => Ok(None),
        }
    }

    fn visited(&self, steps: &[(EdgeTypeId, Direction)], nodes: u64) {
        if let Self::Snapshot(s) = self {
            s.visited(steps, nodes);
        }
    }

    fn node_type(&self, node: u32) -> Option<NodeType> {
        either!(self, g => g.node_type(node))
    }

    fn key(&self, node: u32) -> Result<NodeKey, GraphError> {
        either!(self, g => g.key(node))
    }

    fn find(&self, key: &NodeKey) -> Result<Option<u32>, GraphError> {
        either!(self, g => g.find(key))
    }

    fn node_prop(&self, node: u32, prop: PropId) -> Result<Value, GraphError> {
        either!(self, g => g.node_prop(node, prop))
    }

    fn expand(
        &self,
        node: u32,
        ty: EdgeTypeId,
        dir: Direction,
        f: &mut dyn FnMut(u32, EdgeId),
    ) -> Result<(), GraphError> {
        either!(self, g => g.expand(node, ty, dir, f))
    }

    fn edge(&self, edge: EdgeId) -> Result<EdgeRef, GraphError> {
        either!(self, g => g.edge(edge))
    }

    fn edge_prop(&self, edge: EdgeId, prop: PropId) -> Result<Value, GraphError> {
        either!(self, g => g.edge_prop(edge, prop))
    }

    fn node_records(&self, node: u32) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        either!(self, g => g.node_records(node))
    }

    fn edge_records(&self, edge: EdgeId) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        either!(self, g => g.edge_records(edge))
    }

    fn sources(&self) -> Vec<Arc<str>> {
        either!(self, g => g.sources())
    }

    fn time(&self) -> i64 {
        either!(self, g => g.time())
    }

    fn node_count(&self, ty: Option<NodeType>) -> Option<u64> {
        either!(self, g => g.node_count(ty))
    }

    fn node_change(&self, node: u32) -> Option<Change> {
        either!(self, g => g.node_change(node))
    }

    fn edge_change(&self, edge: EdgeId) -> Option<Change> {
        either!(self, g => g.edge_change(edge))
    }
}
