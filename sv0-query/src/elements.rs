//! Nodes and edges as queries see them: labels and properties, whatever schema the graph has.

use std::sync::Arc;

use sv0_graph::{EdgeId, GraphError, GraphView, PropId, Value};

use crate::val::Val;

/// A stored value as a value of the language. In an open schema it is the JSON text of any value.
pub(crate) fn stored(open: bool, v: Value) -> Val {
    match v {
        Value::Str(s) if open => serde_json::from_str(&s).map_or(Val::Str(s), from_json),
        v => v.into(),
    }
}

fn from_json(j: serde_json::Value) -> Val {
    use serde_json::Value as Json;
    match j {
        Json::Null | Json::Object(_) => Val::Null,
        Json::Bool(b) => Val::Bool(b),
        Json::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(i), _) => Val::Int(i),
            (None, f) => f.map_or(Val::Null, Val::Float),
        },
        Json::String(s) => Val::str(s),
        Json::Array(l) => Val::List(l.into_iter().map(from_json).collect()),
    }
}

/// A node's labels: its type, its kind and its tags; over an open schema its labels alone.
///
/// # Errors
/// [`GraphError`] if the file under the graph can't be read.
pub fn labels<G: GraphView>(graph: &G, node: u32) -> Result<Vec<Arc<str>>, GraphError> {
    let schema = graph.schema();
    let mut out: Vec<Arc<str>> = Vec::new();
    if !schema.is_open() {
        out.extend(graph.node_type(node).map(|t| Arc::from(t.name())));
        if let Value::Str(k) = graph.prop(node, "kind")? {
            out.push(k);
        }
    }
    out.extend(graph.prop(node, schema.labels_column())?.as_list().iter().cloned());
    out.extend(graph.node_change(node).map(|c| Arc::from(c.name())));
    Ok(out)
}

/// A node's properties that are known, by name.
///
/// # Errors
/// [`GraphError`] if the file under the graph can't be read.
pub fn node_properties<G: GraphView>(graph: &G, node: u32) -> Result<Vec<(Arc<str>, Val)>, GraphError> {
    let schema = graph.schema();
    let mut out = Vec::new();
    for (p, i) in schema.node_properties().iter().zip(0u16..).filter(|(p, _)| !p.name.starts_with(':')) {
        let v = stored(schema.is_open(), graph.node_prop(node, PropId(i))?);
        if !v.is_null() {
            out.push((p.name.as_str().into(), v));
        }
    }
    out.sort_by(|a: &(Arc<str>, Val), b| a.0.cmp(&b.0));
    Ok(out)
}

/// An edge's properties that are known, by name.
///
/// # Errors
/// [`GraphError`] if the file under the graph can't be read.
pub fn edge_properties<G: GraphView>(graph: &G, edge: EdgeId) -> Result<Vec<(Arc<str>, Val)>, GraphError> {
    let schema = graph.schema();
    let mut out = Vec::new();
    for (p, i) in schema.edge_properties().iter().zip(0u16..) {
        let v = stored(schema.is_open(), graph.edge_prop(edge, PropId(i))?);
        if !v.is_null() {
            out.push((p.name.as_str().into(), v));
        }
    }
    out.sort_by(|a: &(Arc<str>, Val), b| a.0.cmp(&b.0));
    Ok(out)
}
