//! Values, nodes, edges and paths in JSON, as other programs read them: by key, with what the graph says of them. Fields stand
//! in the order of the command line's page.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Value as Json, json};
use sv0_graph::{EdgeId, GraphError, GraphView, NodeKey, SourceRecord, Value};

use crate::val::{PathVal, Val};
use crate::{QueryResult, time};

/// A node's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct KeyJson {
    pub source: String,
    pub id: String,
}

impl From<NodeKey> for KeyJson {
    fn from(k: NodeKey) -> Self {
        Self { source: k.source.to_string(), id: k.id.to_string() }
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct NodeJson {
    pub key: KeyJson,
    #[serde(rename = "type")]
    pub ty: &'static str,
    pub kind: String,
    pub name: String,
    pub system: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<BTreeMap<String, Json>>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct RecordJson {
    pub sha256: String,
    pub file_sha256: String,
    pub connector: String,
    pub operation: String,
    pub params: String,
    pub account: String,
    pub region: String,
    pub fetched_at: String,
    pub pointer: String,
}

impl From<(SourceRecord, String)> for RecordJson {
    fn from((r, pointer): (SourceRecord, String)) -> Self {
        Self {
            sha256: r.sha256,
            file_sha256: r.file_sha256,
            connector: r.connector,
            operation: r.operation,
            params: r.params,
            account: r.account,
            region: r.region,
            fetched_at: r.fetched_at,
            pointer,
        }
    }
}

/// What a derived edge stands on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct PremiseJson {
    pub node: NodeJson,
    /// The policies or principals that give it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<NodeJson>,
    pub records: Vec<RecordJson>,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct EdgeJson {
    #[serde(rename = "type")]
    pub ty: String,
    pub class: &'static str,
    pub from: KeyJson,
    pub to: KeyJson,
    pub key: String,
    pub evidence: &'static str,
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    pub records: Vec<RecordJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub premises: Option<Vec<PremiseJson>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<BTreeMap<String, Json>>,
}

/// An edge's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct EdgeRefJson {
    #[serde(rename = "type")]
    pub ty: String,
    pub from: KeyJson,
    pub to: KeyJson,
    pub key: String,
}

impl EdgeJson {
    /// Its identity.
    #[must_use]
    pub fn reference(&self) -> EdgeRefJson {
        EdgeRefJson { ty: self.ty.clone(), from: self.from.clone(), to: self.to.clone(), key: self.key.clone() }
    }
}

/// A path.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct PathJson {
    pub nodes: Vec<NodeJson>,
    pub edges: Vec<EdgeJson>,
    pub length: usize,
}

/// A node as others read it; `full` adds its labels and properties.
///
/// # Errors
/// [`GraphError`] if the file under the graph can't be read.
pub fn node<G: GraphView>(g: &G, n: u32, full: bool) -> Result<NodeJson, GraphError> {
    let (mut labels, mut properties) = (None, None);
    // A graph that was written down has labels, and no type that means anything.
    let open = g.schema().is_open();
    let kind = if open { String::new() } else { g.text(n, "kind")?.to_string() };
    let ty = g.node_type(n).filter(|_| !open).map_or("", |t| t.name());
    if full {
        labels = Some(crate::labels(g, n)?.iter().map(|l| l.to_string()).collect());
        properties = Some(known(crate::node_properties(g, n)?));
    }
    Ok(NodeJson {
        key: g.key(n)?.into(),
        ty,
        kind,
        name: g.text(n, "name")?.to_string(),
        system: g.text(n, "system")?.to_string(),
        labels,
        properties,
    })
}

/// Properties in JSON.
fn known(properties: Vec<(Arc<str>, Val)>) -> BTreeMap<String, Json> {
    properties.into_iter().map(|(name, v)| (name.to_string(), plain(&v))).collect()
}

/// A value without elements of a graph in JSON.
fn plain(v: &Val) -> Json {
    match v {
        Val::Null | Val::Unset | Val::Node(..) | Val::Edge(..) | Val::Path(_) => Json::Null,
        Val::Bool(b) => json!(b),
        Val::Int(n) => json!(n),
        Val::Float(f) => json!(f),
        Val::Str(s) => json!(&**s),
        Val::Timestamp(t) => json!(time::format_timestamp(*t)),
        Val::Date(d) => json!(time::format_date(*d)),
        Val::Duration { months, micros } => json!(time::format_duration(*months, *micros)),
        Val::List(l) => l.iter().map(plain).collect(),
        Val::Record(r) => r.iter().map(|(k, v)| (k.to_string(), plain(v))).collect(),
    }
}

/// An edge as others read it; `evidence` adds records and premises, `full` its properties.
///
/// # Errors
/// [`GraphError`] if the file under the graph can't be read.
pub fn edge<G: GraphView>(g: &G, e: EdgeId, evidence: bool, full: bool) -> Result<EdgeJson, GraphError> {
    let r = g.edge(e)?;
    let ty = g.schema().edge_type(r.ty);
    let mut premises = None;
    let names = match g.schema().edge_prop("premises") {
        Some(p) => g.edge_prop(e, p)?,
        None => Value::Null,
    };
    if evidence && !names.as_list().is_empty() {
        let sources = g.sources();
        let mut out = Vec::new();
        for name in names.as_list() {
            let Some(k) = NodeKey::parse(name, sources.iter().map(|s| &**s)) else { continue };
            let Some(n) = g.find(&k)? else { continue };
            let mut of = Vec::new();
            for ty in ["GRANTS", "HAS_PERMISSION"] {
                if let Some(t) = g.schema().edge_type_id(ty) {
                    let mut found = Vec::new();
                    g.expand(n, t, sv0_graph::Direction::In, &mut |o, _| found.push(o))?;
                    for o in found {
                        of.push(node(g, o, false)?);
                    }
                }
            }
            let records = g.node_records(n)?.into_iter().map(RecordJson::from).collect();
            out.push(PremiseJson { node: node(g, n, false)?, of, records });
        }
        premises = Some(out);
    }
    let mut properties = None;
    if full {
        properties = Some(known(crate::edge_properties(g, e)?));
    }
    let records = if evidence { g.edge_records(e)?.into_iter().map(RecordJson::from).collect() } else { Vec::new() };
    Ok(EdgeJson {
        ty: ty.name.clone(),
        class: ty.class.name(),
        from: g.key(r.from)?.into(),
        to: g.key(r.to)?.into(),
        key: r.key.to_string(),
        evidence: r.evidence.name(),
        state: r.state.name(),
        condition: r.condition.map(|c| c.to_string()),
        records,
        premises,
        properties,
    })
}

/// A path as others read it.
///
/// # Errors
/// [`GraphError`] if the file under the graph can't be read.
pub fn path<G: GraphView>(g: &G, p: &PathVal, evidence: bool, full: bool) -> Result<PathJson, GraphError> {
    Ok(PathJson {
        nodes: p.nodes.iter().map(|n| node(g, *n, full)).collect::<Result<_, _>>()?,
        edges: p.edges.iter().map(|e| edge(g, *e, evidence, full)).collect::<Result<_, _>>()?,
        length: p.edges.len(),
    })
}

/// A value of a query in JSON. Nodes, edges and paths of graph `i` are read from `graphs[i]`.
///
/// # Errors
/// [`GraphError`] if the file under a graph can't be read.
pub fn value<G: GraphView>(graphs: &[&G], v: &Val, full: bool) -> Result<Json, GraphError> {
    let to = |x: Result<Json, serde_json::Error>| x.unwrap_or(Json::Null);
    let graph = |g: u8| graphs.get(usize::from(g)).copied();
    Ok(match v {
        Val::List(l) => Json::Array(l.iter().map(|v| value(graphs, v, full)).collect::<Result<_, _>>()?),
        Val::Node(g, n) => match graph(*g) {
            Some(g) => to(serde_json::to_value(node(g, *n, full)?)),
            None => Json::Null,
        },
        Val::Edge(g, e) => match graph(*g) {
            Some(g) => to(serde_json::to_value(edge(g, *e, full, full)?)),
            None => Json::Null,
        },
        Val::Path(p) => match graph(p.graph) {
            Some(g) => to(serde_json::to_value(path(g, p, full, full)?)),
            None => Json::Null,
        },
        Val::Record(r) => {
            let mut o = serde_json::Map::new();
            for (k, v) in r.iter() {
                o.insert(k.to_string(), value(graphs, v, full)?);
            }
            Json::Object(o)
        }
        v => plain(v),
    })
}

/// A result that can be serialized: `{"columns": […], "rows": [[…], …]}`, row by row. See [`QueryResult::serializable`].
#[derive(Debug)]
pub struct Serializable<'r, G> {
    result: &'r QueryResult,
    graphs: &'r [&'r G],
}

impl QueryResult {
    /// The result for any of serde's formats; the graphs are those that the query ran on. Nodes, edges and paths are
    /// written by key with their properties.
    ///
    /// ```
    /// use sv0_graph::{Schema, Store};
    /// use sv0_query::Query;
    /// let store = Store::in_memory(Schema::canonical())?;
    /// let snapshot = store.latest();
    /// let query = Query::parse("FOR n IN [1, 2] RETURN n, DATE '2026-05-14' AS day")?;
    /// let result = query.prepare(&snapshot, &Default::default())?.run(&snapshot, &Default::default())?;
    /// let text = serde_json::to_string(&result.serializable(&[&snapshot]))?;
    /// assert_eq!(text, r#"{"columns":["n","day"],"rows":[[1,"2026-05-14"],[2,"2026-05-14"]]}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn serializable<'r, G: GraphView>(&'r self, graphs: &'r [&'r G]) -> Serializable<'r, G> {
        Serializable { result: self, graphs }
    }
}

/// The cells of one row.
struct Cells<'r, G>(&'r [Val], &'r [&'r G]);
/// All rows.
struct Rows<'r, G>(&'r Serializable<'r, G>);

impl<G: GraphView> Serialize for Serializable<'_, G> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut m = s.serialize_map(Some(2))?;
        m.serialize_entry("columns", &self.result.columns.iter().map(|c| &**c).collect::<Vec<&str>>())?;
        m.serialize_entry("rows", &Rows(self))?;
        m.end()
    }
}

impl<G: GraphView> Serialize for Rows<'_, G> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.result.rows.iter().map(|r| Cells(r, self.0.graphs)))
    }
}

impl<G: GraphView> Serialize for Cells<'_, G> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(Some(self.0.len()))?;
        for v in self.0 {
            seq.serialize_element(&value(self.1, v, true).map_err(S::Error::custom)?)?;
        }
        seq.end()
    }
}
