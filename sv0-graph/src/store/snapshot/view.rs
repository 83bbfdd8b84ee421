//! A snapshot as a view, for everything that reads a graph.

use std::sync::Arc;

use super::super::{Adjacency, Topology};
use super::{Snapshot, group};
use crate::batch::SourceRecord;
use crate::key::NodeKey;
use crate::schema::{EdgeTypeId, NodeType, PropId, Schema};
use crate::value::Value;
use crate::view::{Direction, EdgeId, EdgeRef, GraphError, GraphView};

impl GraphView for Snapshot {
    fn schema(&self) -> &Schema {
        &self.0.schema
    }

    fn nodes(&self, ty: Option<NodeType>) -> Result<Vec<u32>, GraphError> {
        Ok(self.0.live(ty)?)
    }

    fn node_type(&self, node: u32) -> Option<NodeType> {
        match self.0.alive(node) {
            Ok(false) => return None,
            Ok(true) => {}
            // What can't be read isn't "no such node", and this answer can't say so: everything that is read next does.
            Err(e) => _ = self.0.swallowed.set(e),
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
        Ok(self.node_cell(node, prop.0)?)
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

    fn codes(&self, ty: Option<NodeType>, prop: PropId) -> Result<Option<super::Codes>, GraphError> {
        Ok(Snapshot::codes(self, ty, prop)?)
    }

    fn text_is(&self, node: u32, prop: PropId, text: &str) -> Result<bool, GraphError> {
        Ok(self.0.node_column(prop.0, group(node))?.text(super::row(node)) == Some(text))
    }

    fn indexed(&self, ty: Option<NodeType>, prop: PropId, value: &str) -> Result<Option<Vec<u32>>, GraphError> {
        if !super::super::encode::indexed(&self.0.schema, prop.0) {
            return Ok(None);
        }
        Ok(Some(self.nodes_of_type_where(ty, prop, value)?))
    }

    fn indexed_rows(&self, ty: Option<NodeType>, prop: PropId, value: &str) -> Result<Option<u64>, GraphError> {
        if !super::super::encode::indexed(&self.0.schema, prop.0) {
            return Ok(None);
        }
        Ok(Snapshot::indexed_rows(self, ty, prop, value)?)
    }

    fn topology(&self, steps: &[(EdgeTypeId, Direction)]) -> Result<Option<Topology<'_>>, GraphError> {
        Ok(Some(Snapshot::topology(self, steps)?))
    }

    fn adjacency(&self, steps: &[(EdgeTypeId, Direction)], now: bool) -> Result<Option<Arc<Adjacency>>, GraphError> {
        Ok(Snapshot::adjacency(self, steps, now)?)
    }

    fn visited(&self, steps: &[(EdgeTypeId, Direction)], nodes: u64) {
        Snapshot::visited(self, steps, nodes);
    }

    fn edge(&self, edge: EdgeId) -> Result<EdgeRef, GraphError> {
        Ok(self.0.edge(edge)?)
    }

    fn edge_prop(&self, edge: EdgeId, prop: PropId) -> Result<Value, GraphError> {
        Ok(self.edge_cell(edge, prop.0)?)
    }

    fn node_records(&self, node: u32) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        Ok(self.0.records(self.node_origins(node)?)?)
    }

    fn edge_records(&self, edge: EdgeId) -> Result<Vec<(SourceRecord, String)>, GraphError> {
        Ok(self.0.records(self.edge_origins(edge)?)?)
    }

    fn sources(&self) -> Vec<Arc<str>> {
        self.source_names().map(Into::into).collect()
    }

    fn time(&self) -> i64 {
        self.0.manifest.time
    }

    fn node_count(&self, ty: Option<NodeType>) -> Option<u64> {
        let counts = &self.0.manifest.node_counts;
        Some(match ty {
            Some(t) => counts.get(t as usize).copied().unwrap_or(0),
            None => counts.iter().sum(),
        })
    }
}
