//! Small graphs that somebody wrote down: `{"nodes": [{"id", "labels", "props"}], "edges": [{"id", "src", "dst", "type",
//! "props"}]}`, with any labels, types and properties. For trying queries out, fixtures and conformance suites.
//!
//! ```
//! use sv0_graph::{GraphView, Store, adhoc::AdhocGraph};
//! let text = r#"{"nodes": [{"id": "a", "labels": ["Bot", "New"], "props": {"n": 1}}, {"id": "b"}],
//!                "edges": [{"src": "a", "dst": "b", "type": "CALLS"}]}"#;
//! let graph = AdhocGraph::parse(text)?;
//! let mut store = Store::in_memory(graph.schema())?;
//! let mut txn = store.begin()?;
//! txn.stage(vec![graph.batch()])?;
//! assert_eq!(txn.commit("tried")?.snapshot.nodes(None)?.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::batch::{EdgeInput, GraphBatch, NodeInput};
use crate::key::NodeKey;
use crate::schema::{EdgeClass, EdgeType, Flow, NodeType, PropType, Property, Schema};
use crate::value::Value;

/// The source that the nodes belong to.
pub const SOURCE: &str = "graph";
/// All nodes are of this type; queries over an open schema never see it.
const TYPE: NodeType = NodeType::Resource;

/// What is wrong with a graph that was written down, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct AdhocError {
    /// JSON pointer into the text.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

fn wrong<T>(place: impl Into<String>, what: impl Into<String>) -> Result<T, AdhocError> {
    Err(AdhocError { place: place.into(), what: what.into() })
}

/// A node with any labels and properties.
#[derive(Debug, Clone, PartialEq)]
pub struct AdhocNode {
    /// Its id in the text.
    pub id: Arc<str>,
    /// Its labels.
    pub labels: Vec<Arc<str>>,
    /// Its properties; nulls are left out.
    pub props: Vec<(Arc<str>, Json)>,
}

/// An edge of any type.
#[derive(Debug, Clone, PartialEq)]
pub struct AdhocEdge {
    /// Its id in the text; what tells parallel edges apart.
    pub id: Arc<str>,
    /// Where it starts.
    pub src: Arc<str>,
    /// Where it ends.
    pub dst: Arc<str>,
    /// Its type.
    pub ty: Arc<str>,
    /// Its properties; nulls are left out.
    pub props: Vec<(Arc<str>, Json)>,
}

/// A graph that was written down.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AdhocGraph {
    /// Its nodes.
    pub nodes: Vec<AdhocNode>,
    /// Its edges.
    pub edges: Vec<AdhocEdge>,
}

impl AdhocGraph {
    /// Reads a graph from JSON text.
    ///
    /// # Errors
    /// [`AdhocError`] with the place of what is wrong.
    pub fn parse(text: &str) -> Result<Self, AdhocError> {
        match serde_json::from_str::<Json>(text) {
            Ok(j) => Self::from_json(&j),
            Err(e) => wrong(format!("line {}, column {}", e.line(), e.column()), e.to_string()),
        }
    }

    /// Reads a graph from JSON.
    ///
    /// # Errors
    /// [`AdhocError`] with the place of what is wrong.
    pub fn from_json(json: &Json) -> Result<Self, AdhocError> {
        let Json::Object(top) = json else { return wrong("/", "a graph is an object with `nodes` and `edges`") };
        if let Some(other) = top.keys().find(|k| !["nodes", "edges"].contains(&k.as_str())) {
            return wrong(format!("/{other}"), "a graph has `nodes` and `edges`, nothing else");
        }
        let mut out = Self::default();
        let mut ids: HashSet<Arc<str>> = HashSet::new();
        for (place, n) in items(top, "nodes")? {
            let n = object(n, &place, &["id", "labels", "props"])?;
            let id = identifier(n, "id", &place)?;
            if !ids.insert(id.clone()) {
                return wrong(format!("{place}/id"), format!("a second node `{id}`"));
            }
            let labels = match n.get("labels") {
                None | Some(Json::Null) => Vec::new(),
                Some(Json::Array(l)) => l
                    .iter()
                    .map(|l| match l {
                        Json::String(s) => Ok(s.as_str().into()),
                        _ => wrong(format!("{place}/labels"), "a label is a text"),
                    })
                    .collect::<Result<_, _>>()?,
                Some(_) => return wrong(format!("{place}/labels"), "labels are a list of texts"),
            };
            out.nodes.push(AdhocNode { id, labels, props: properties(n, &place)? });
        }
        let mut edge_ids: HashSet<Arc<str>> = HashSet::new();
        for (i, (place, e)) in items(top, "edges")?.into_iter().enumerate() {
            let e = object(e, &place, &["id", "src", "dst", "type", "props"])?;
            let id = if e.contains_key("id") { identifier(e, "id", &place)? } else { format!("#{i}").into() };
            if !edge_ids.insert(id.clone()) {
                return wrong(format!("{place}/id"), format!("a second edge `{id}`"));
            }
            let (src, dst) = (identifier(e, "src", &place)?, identifier(e, "dst", &place)?);
            for (name, end) in [("src", &src), ("dst", &dst)] {
                if !ids.contains(end) {
                    return wrong(format!("{place}/{name}"), format!("there is no node `{end}`"));
                }
            }
            let Some(Json::String(ty)) = e.get("type") else {
                return wrong(format!("{place}/type"), "an edge has a `type`, a text");
            };
            out.edges.push(AdhocEdge { id, src, dst, ty: ty.as_str().into(), props: properties(e, &place)? });
        }
        Ok(out)
    }

    /// The open schema with this graph's edge types and properties, in ascending order of their names.
    #[must_use]
    pub fn schema(&self) -> Schema {
        let mut schema = Schema::open();
        for name in self.edges.iter().map(|e| &*e.ty).collect::<BTreeSet<_>>() {
            schema.add_edge_type(EdgeType {
                name: name.to_owned(),
                class: EdgeClass::Reference,
                flow: Flow::Forward,
                pairs: vec![(TYPE, TYPE)],
                doc: String::new(),
            });
        }
        let any = |name: &str| Property { name: name.to_owned(), ty: PropType::Any, doc: String::new() };
        let names = |props: &mut dyn Iterator<Item = &(Arc<str>, Json)>| -> BTreeSet<Arc<str>> {
            props.map(|(n, _)| n.clone()).collect()
        };
        // The names are each there once, and of one type.
        for name in names(&mut self.nodes.iter().flat_map(|n| &n.props)) {
            let _ = schema.add_node_property(any(&name));
        }
        for name in names(&mut self.edges.iter().flat_map(|e| &e.props)) {
            let _ = schema.add_edge_property(any(&name));
        }
        schema
    }

    /// The graph as a batch for a store of [`AdhocGraph::schema`].
    #[must_use]
    pub fn batch(&self) -> GraphBatch {
        let mut batch = GraphBatch::new(SOURCE, 0);
        let values = |props: &[(Arc<str>, Json)]| -> Vec<(Arc<str>, Value)> {
            props.iter().map(|(n, v)| (n.clone(), Value::str(v.to_string()))).collect()
        };
        for n in &self.nodes {
            let mut props = values(&n.props);
            if !n.labels.is_empty() {
                props.push((Schema::open().labels_column().into(), Value::list(n.labels.iter().cloned())));
            }
            let key = NodeKey::new(SOURCE, n.id.clone());
            batch.nodes.push(NodeInput { key, ty: TYPE, props, origins: Vec::new() });
        }
        for e in &self.edges {
            let key = |id: &Arc<str>| NodeKey::new(SOURCE, id.clone());
            let mut edge = EdgeInput::new(&e.ty, key(&e.src), key(&e.dst));
            edge.key = e.id.clone();
            edge.props = values(&e.props);
            batch.edges.push(edge);
        }
        batch
    }
}

fn items<'j>(top: &'j Map<String, Json>, name: &str) -> Result<Vec<(String, &'j Json)>, AdhocError> {
    match top.get(name) {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Array(l)) => Ok(l.iter().enumerate().map(|(i, v)| (format!("/{name}/{i}"), v)).collect()),
        Some(_) => wrong(format!("/{name}"), "is a list"),
    }
}

fn object<'j>(j: &'j Json, place: &str, known: &[&str]) -> Result<&'j Map<String, Json>, AdhocError> {
    let Json::Object(o) = j else { return wrong(place, "is an object") };
    match o.keys().find(|k| !known.contains(&k.as_str())) {
        Some(k) => wrong(format!("{place}/{k}"), format!("unknown here; known are {}", known.join(", "))),
        None => Ok(o),
    }
}

/// An id: a text, or a number that stands for its text.
fn identifier(o: &Map<String, Json>, name: &str, place: &str) -> Result<Arc<str>, AdhocError> {
    match o.get(name) {
        Some(Json::String(s)) => Ok(s.as_str().into()),
        Some(Json::Number(n)) => Ok(n.to_string().into()),
        _ => wrong(format!("{place}/{name}"), "is a text or a number, and must be there"),
    }
}

fn properties(o: &Map<String, Json>, place: &str) -> Result<Vec<(Arc<str>, Json)>, AdhocError> {
    match o.get("props") {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(Json::Object(p)) => {
            let mut out = Vec::new();
            for (name, value) in p {
                if name.contains(':') {
                    return wrong(format!("{place}/props/{name}"), "a property's name has no colon");
                }
                if has_object(value) {
                    return wrong(format!("{place}/props/{name}"), "a value is a text, number, bool or list");
                }
                if !value.is_null() {
                    out.push((name.as_str().into(), value.clone()));
                }
            }
            Ok(out)
        }
        Some(_) => wrong(format!("{place}/props"), "is an object"),
    }
}

fn has_object(j: &Json) -> bool {
    match j {
        Json::Object(_) => true,
        Json::Array(l) => l.iter().any(has_object),
        _ => false,
    }
}
