//! Read access to a graph, the same for a snapshot, a staged view and a test's graph.

use crate::batch::{Evidence, SourceRecord, State};
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, PropId, Schema};
use crate::value::Value;

/// Names one edge of one view. Opaque; ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId(pub u64);

/// Which way to walk from a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Edges that start here.
    Out,
    /// Edges that end here.
    In,
}

/// What became of an element between two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Only the later one has it.
    Added,
    /// Only the earlier one has it.
    Removed,
    /// Both have it, with other properties.
    Changed,
    /// Both have it, alike.
    Same,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Added, Self::Removed, Self::Changed, Self::Same];

    /// The label that stands for it in queries.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Same => "same",
        }
    }
}

/// An edge's ends and fixed columns.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeRef {
    /// Its type.
    pub ty: EdgeTypeId,
    /// Where it starts.
    pub from: u32,
    /// Where it ends.
    pub to: u32,
    /// Its key.
    pub key: std::sync::Arc<str>,
    /// On what it stands.
    pub evidence: Evidence,
    /// Whether it holds now.
    pub state: State,
    /// The residual condition.
    pub condition: Option<std::sync::Arc<str>>,
}

/// Reading failed: the file under the view is damaged or can't be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct GraphError(pub std::sync::Arc<crate::store::StoreError>);

impl From<crate::store::StoreError> for GraphError {
    fn from(e: crate::store::StoreError) -> Self {
        Self(std::sync::Arc::new(e))
    }
}

/// Read access. Node ids are dense-ish `u32`s of this view; they are not stable outside one store.
pub trait GraphView {
    /// The schema.
    fn schema(&self) -> &Schema;
    /// All live nodes, ascending; of one type, or all.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn nodes(&self, ty: Option<NodeType>) -> Result<Vec<u32>, GraphError>;
    /// The node's type; `None` if there is no such node.
    fn node_type(&self, node: u32) -> Option<NodeType>;
    /// The node's key.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn key(&self, node: u32) -> Result<NodeKey, GraphError>;
    /// The node with this key.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn find(&self, key: &NodeKey) -> Result<Option<u32>, GraphError>;
    /// A node's property.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn node_prop(&self, node: u32, prop: PropId) -> Result<Value, GraphError>;
    /// Calls `f` with each neighbour over edges of type `ty`, in ascending order of (neighbour, edge).
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn expand(
        &self,
        node: u32,
        ty: EdgeTypeId,
        dir: Direction,
        f: &mut dyn FnMut(u32, EdgeId),
    ) -> Result<(), GraphError>;
    /// An edge's ends and fixed columns.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn edge(&self, edge: EdgeId) -> Result<EdgeRef, GraphError>;
    /// An edge's property.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn edge_prop(&self, edge: EdgeId, prop: PropId) -> Result<Value, GraphError>;
    /// The records that show a node, with where in each.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn node_records(&self, node: u32) -> Result<Vec<(SourceRecord, String)>, GraphError>;
    /// The records that show an edge, with where in each.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn edge_records(&self, edge: EdgeId) -> Result<Vec<(SourceRecord, String)>, GraphError>;
    /// The names of all sources, ascending.
    fn sources(&self) -> Vec<std::sync::Arc<str>>;
    /// The view's time (the newest observation), microseconds since 1970, UTC.
    fn time(&self) -> i64;

    /// The neighbours along some steps as arrays, where the view has them.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn topology(&self, _steps: &[(EdgeTypeId, Direction)]) -> Result<Option<crate::store::Topology<'_>>, GraphError> {
        Ok(None)
    }

    /// Whether a text property of a node is this text.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn text_is(&self, node: u32, prop: PropId, text: &str) -> Result<bool, GraphError> {
        Ok(self.node_prop(node, prop)?.as_str() == Some(text))
    }

    /// A whole number or a time (microseconds) that a property of a node holds; `None` for null and for anything else.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn number_of(&self, node: u32, prop: PropId) -> Result<Option<i64>, GraphError> {
        Ok(match self.node_prop(node, prop)? {
            Value::Int(n) | Value::Timestamp(n) => Some(n),
            _ => None,
        })
    }

    /// The neighbours along some steps in one array that all searches share, where the view keeps it: once it was visited
    /// often enough ([`GraphView::visited`]), or `now`.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn adjacency(
        &self,
        _steps: &[(EdgeTypeId, Direction)],
        _now: bool,
    ) -> Result<Option<std::sync::Arc<crate::store::Adjacency>>, GraphError> {
        Ok(None)
    }

    /// Notes that a search visited so many nodes along some steps.
    fn visited(&self, _steps: &[(EdgeTypeId, Direction)], _nodes: u64) {}

    /// The live nodes, of a type or of all, whose text property is `value` (or whose list property holds it), ascending,
    /// where the view has an index for it.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn indexed(&self, _ty: Option<NodeType>, _prop: PropId, _value: &str) -> Result<Option<Vec<u32>>, GraphError> {
        Ok(None)
    }

    /// About how many nodes [`GraphView::indexed`] finds, where that is known without a look at each.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn indexed_rows(&self, _ty: Option<NodeType>, _prop: PropId, _value: &str) -> Result<Option<u64>, GraphError> {
        Ok(None)
    }

    /// The values of a text property as codes, of one type's nodes or of all, where the view has them so.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn codes(&self, _ty: Option<NodeType>, _prop: PropId) -> Result<Option<crate::store::Codes>, GraphError> {
        Ok(None)
    }

    /// How many nodes of a type there are, or in all, where that is known without counting.
    fn node_count(&self, _ty: Option<NodeType>) -> Option<u64> {
        None
    }

    /// What became of a node, where the view compares two snapshots.
    fn node_change(&self, _node: u32) -> Option<Change> {
        None
    }

    /// What became of an edge, where the view compares two snapshots.
    fn edge_change(&self, _edge: EdgeId) -> Option<Change> {
        None
    }

    /// A node property by name; null where the schema has no such property.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn prop(&self, node: u32, name: &str) -> Result<Value, GraphError> {
        self.schema().node_prop(name).map_or(Ok(Value::Null), |p| self.node_prop(node, p))
    }

    /// A text property by name; empty where it is null.
    ///
    /// # Errors
    /// [`GraphError`] if the file under the view can't be read.
    fn text(&self, node: u32, name: &str) -> Result<std::sync::Arc<str>, GraphError> {
        Ok(match self.prop(node, name)? {
            Value::Str(s) => s,
            _ => "".into(),
        })
    }
}
