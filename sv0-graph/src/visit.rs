//! `petgraph`'s visit traits on a snapshot, so that any algorithm of that crate runs on the file as it is.

use std::sync::{Mutex, PoisonError};

use fixedbitset::FixedBitSet;
use petgraph::visit::{
    Data, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges, IntoEdgesDirected, IntoNeighbors,
    IntoNeighborsDirected, IntoNodeIdentifiers, NodeCount, NodeIndexable, Visitable,
};
use petgraph::{Directed, Direction as Side};

use crate::schema::EdgeTypeId;
use crate::store::{Snapshot, StoreError};
use crate::view::{Direction, EdgeId, GraphError, GraphView};

/// A snapshot as `petgraph` sees it: the live nodes, and the edges of some types.
///
/// `petgraph`'s traits can't fail, reading can: a section that doesn't hold looks empty to the algorithm, and
/// [`Visit::finish`] then says so. Take no answer without it.
///
/// ```
/// use petgraph::algo::{has_path_connecting, tarjan_scc};
/// use sv0_graph::{EdgeInput, GraphBatch, GraphView, NodeInput, NodeKey, NodeType, Schema, Store};
/// let key = |id: &str| NodeKey::new("demo", id);
/// let mut batch = GraphBatch::new("demo", 0);
/// for id in ["a", "b", "c"] {
///     batch.nodes.push(NodeInput::new(key(id), NodeType::Identity, "aws.role"));
/// }
/// for (from, to) in [("a", "b"), ("b", "a"), ("b", "c")] {
///     batch.edges.push(EdgeInput::new("CAN_ASSUME", key(from), key(to)));
/// }
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("demo.sv0");
/// let mut store = Store::open_or_create(&path, Schema::canonical())?;
/// let mut txn = store.begin()?;
/// txn.stage(vec![batch])?;
/// txn.commit("first")?;
/// // SAFETY: nobody else has the file.
/// let mapped = unsafe { Store::map(&path)? };
/// let snapshot = mapped.latest();
/// let graph = snapshot.visit(snapshot.schema().edge_type_ids());
/// let (a, c) = (snapshot.find(&key("a"))?.unwrap(), snapshot.find(&key("c"))?.unwrap());
/// assert!(has_path_connecting(&graph, a, c, None));
/// assert!(!has_path_connecting(&graph, c, a, None));
/// assert_eq!(tarjan_scc(&graph).len(), 2);
/// graph.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Visit<'a> {
    snapshot: &'a Snapshot,
    types: Vec<EdgeTypeId>,
    failed: Mutex<Option<StoreError>>,
}

/// An edge as `petgraph` sees it; its weight is its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VisitEdge {
    from: u32,
    to: u32,
    id: EdgeId,
    ty: EdgeTypeId,
}

impl Snapshot {
    /// The snapshot with the edges of some types, for `petgraph`'s algorithms.
    #[must_use]
    pub fn visit(&self, types: impl IntoIterator<Item = EdgeTypeId>) -> Visit<'_> {
        Visit { snapshot: self, types: types.into_iter().collect(), failed: Mutex::new(None) }
    }
}

impl Visit<'_> {
    /// Whether all that was visited could be read.
    ///
    /// # Errors
    /// The first section that couldn't: what an algorithm said is worth nothing then.
    pub fn finish(self) -> Result<(), StoreError> {
        self.failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn note<T: Default>(&self, r: Result<T, GraphError>) -> T {
        r.unwrap_or_else(|e| {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| (*e.0).clone());
            T::default()
        })
    }

    fn edges_of(&self, node: u32, dir: Direction) -> Vec<VisitEdge> {
        let mut out = Vec::new();
        for ty in &self.types {
            let r = self.snapshot.expand(node, *ty, dir, &mut |other, id| {
                let (from, to) = if dir == Direction::Out { (node, other) } else { (other, node) };
                out.push(VisitEdge { from, to, id, ty: *ty });
            });
            self.note(r);
        }
        out
    }
}

fn side(s: Side) -> Direction {
    match s {
        Side::Outgoing => Direction::Out,
        Side::Incoming => Direction::In,
    }
}

impl EdgeRef for VisitEdge {
    type NodeId = u32;
    type EdgeId = EdgeId;
    type Weight = EdgeTypeId;

    fn source(&self) -> u32 {
        self.from
    }

    fn target(&self) -> u32 {
        self.to
    }

    fn weight(&self) -> &EdgeTypeId {
        &self.ty
    }

    fn id(&self) -> EdgeId {
        self.id
    }
}

impl GraphBase for Visit<'_> {
    type NodeId = u32;
    type EdgeId = EdgeId;
}

impl Data for Visit<'_> {
    type NodeWeight = u32;
    type EdgeWeight = EdgeTypeId;
}

impl GraphProp for Visit<'_> {
    type EdgeType = Directed;
}

impl NodeCount for Visit<'_> {
    fn node_count(&self) -> usize {
        usize::try_from(self.snapshot.info().nodes).unwrap_or(usize::MAX)
    }
}

impl NodeIndexable for Visit<'_> {
    fn node_bound(&self) -> usize {
        self.snapshot.id_bound()
    }

    fn to_index(&self, node: u32) -> usize {
        node as usize
    }

    fn from_index(&self, i: usize) -> u32 {
        u32::try_from(i).unwrap_or(u32::MAX)
    }
}

impl Visitable for Visit<'_> {
    type Map = FixedBitSet;

    fn visit_map(&self) -> FixedBitSet {
        FixedBitSet::with_capacity(self.node_bound())
    }

    fn reset_map(&self, map: &mut FixedBitSet) {
        map.clear();
        map.grow(self.node_bound());
    }
}

impl IntoNodeIdentifiers for &Visit<'_> {
    type NodeIdentifiers = std::vec::IntoIter<u32>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        self.note(self.snapshot.nodes(None)).into_iter()
    }
}

impl IntoNeighbors for &Visit<'_> {
    type Neighbors = std::vec::IntoIter<u32>;

    fn neighbors(self, node: u32) -> Self::Neighbors {
        self.neighbors_directed(node, Side::Outgoing)
    }
}

impl IntoNeighborsDirected for &Visit<'_> {
    type NeighborsDirected = std::vec::IntoIter<u32>;

    fn neighbors_directed(self, node: u32, s: Side) -> Self::NeighborsDirected {
        let other = |e: VisitEdge| if s == Side::Outgoing { e.to } else { e.from };
        self.edges_of(node, side(s)).into_iter().map(other).collect::<Vec<_>>().into_iter()
    }
}

impl IntoEdgeReferences for &Visit<'_> {
    type EdgeRef = VisitEdge;
    type EdgeReferences = std::vec::IntoIter<VisitEdge>;

    fn edge_references(self) -> Self::EdgeReferences {
        let all: Vec<VisitEdge> = self.node_identifiers().flat_map(|n| self.edges_of(n, Direction::Out)).collect();
        all.into_iter()
    }
}

impl IntoEdges for &Visit<'_> {
    type Edges = std::vec::IntoIter<VisitEdge>;

    fn edges(self, node: u32) -> Self::Edges {
        self.edges_of(node, Direction::Out).into_iter()
    }
}

impl IntoEdgesDirected for &Visit<'_> {
    type EdgesDirected = std::vec::IntoIter<VisitEdge>;

    fn edges_directed(self, node: u32, s: Side) -> Self::EdgesDirected {
        self.edges_of(node, side(s)).into_iter()
    }
}
