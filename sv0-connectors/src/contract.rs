//! The ingestion contract: NDJSON, a header, then one node or edge a line.

use std::io::{BufRead, Read};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;
use sv0_graph::{
    EdgeInput, Evidence, GraphBatch, NodeInput, NodeKey, NodeType, Origin, PropType, Schema, Scope, SourceRecord,
    State, Value, contract,
};

use crate::text;

/// A longer line isn't read.
pub const MAX_LINE: u64 = 16 << 20;
/// How many problems of one file are collected before reading stops.
const MAX_PROBLEMS: usize = 100;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// From 1.
    pub line: u64,
    /// Why, in one line.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    sv0: u32,
    source: String,
    #[serde(default)]
    system: Option<String>,
    observed_at: String,
    #[serde(default)]
    complete: Vec<CompleteScope>,
    #[serde(default)]
    records: Vec<RecordLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompleteScope {
    types: Vec<String>,
    scope: String,
    /// The container that was observed completely; absent: the whole source.
    #[serde(default)]
    within: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    #[serde(rename = "ref")]
    name: String,
    operation: String,
    #[serde(default)]
    params: Json,
    #[serde(default)]
    fetched_at: String,
    sha256: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    region: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeLine {
    id: String,
    #[serde(rename = "type")]
    ty: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    props: serde_json::Map<String, Json>,
    #[serde(default)]
    record: Vec<String>,
    #[serde(default, rename = "identitySubtype")]
    subtype: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EdgeLine {
    #[serde(rename = "type")]
    ty: String,
    from: String,
    to: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    evidence: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    condition: Option<String>,
    #[serde(default)]
    props: serde_json::Map<String, Json>,
    #[serde(default)]
    record: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyLine {
    #[serde(default)]
    node: Option<NodeLine>,
    #[serde(default)]
    edge: Option<EdgeLine>,
}

/// Whether a file's beginning is the contract's header.
#[must_use]
pub fn looks_like(start: &[u8]) -> bool {
    let line = start.split(|b| *b == b'\n').next().unwrap_or(start);
    let text = String::from_utf8_lossy(line);
    let t = text.trim_start_matches('\u{feff}').trim_start();
    t.starts_with('{') && t.contains("\"sv0\"") && t.contains("\"source\"")
}

/// Reads a contract file. `file_sha256` is noted in its records.
///
/// # Errors
/// Every line that can't be read, with its number (up to a hundred).
pub fn read<R: BufRead>(input: &mut R, file_sha256: &str, schema: &Schema) -> Result<GraphBatch, Vec<LineError>> {
    let mut problems: Vec<LineError> = Vec::new();
    let mut reader: Option<Reader<'_>> = None;
    let mut number = 0u64;
    let mut buf = Vec::new();
    loop {
        buf.clear();
        number += 1;
        let n = match input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut buf) {
            Ok(n) => n,
            Err(e) => {
                problems.push(LineError { line: number, reason: format!("can't be read: {e}") });
                break;
            }
        };
        if n == 0 {
            break;
        }
        if n as u64 > MAX_LINE {
            problems.push(LineError {
                line: number,
                reason: format!("longer than {} MiB; one node or edge a line is expected", MAX_LINE >> 20),
            });
            break;
        }
        let line = match std::str::from_utf8(&buf) {
            Ok(s) => s.trim_start_matches('\u{feff}').trim(),
            Err(e) => {
                problems.push(LineError { line: number, reason: format!("isn't UTF-8 (at byte {})", e.valid_up_to()) });
                continue;
            }
        };
        if line.is_empty() {
            continue;
        }
        let result = match &mut reader {
            None => Reader::open(line, file_sha256, schema).map(|r| reader = Some(r)),
            Some(r) => r.line(line),
        };
        if let Err(reason) = result {
            problems.push(LineError { line: number, reason });
            if reader.is_none() || problems.len() >= MAX_PROBLEMS {
                break;
            }
        }
    }
    match (reader, problems.is_empty()) {
        (Some(r), true) => Ok(r.batch),
        (None, true) => {
            Err(vec![LineError { line: 1, reason: "the file is empty; a header line is expected".to_owned() }])
        }
        (_, false) => Err(problems),
    }
}

struct Reader<'s> {
    schema: &'s Schema,
    batch: GraphBatch,
    refs: Vec<String>,
}

fn json_error(e: &serde_json::Error) -> String {
    let t = e.to_string();
    // serde_json counts within the line; its line number would mislead.
    match t.rfind(" at line ") {
        Some(i) => format!("{} (column {})", t.get(..i).unwrap_or(&t), e.column()),
        None => t,
    }
}

impl<'s> Reader<'s> {
    fn open(line: &str, file_sha256: &str, schema: &'s Schema) -> Result<Self, String> {
        let h: Header = serde_json::from_str(line).map_err(|e| format!("header: {}", json_error(&e)))?;
        if h.sv0 != 1 {
            return Err(format!("contract version {}; this build reads version 1", h.sv0));
        }
        if h.source.is_empty() {
            return Err("header: `source` is empty".to_owned());
        }
        let at = text::timestamp(&h.observed_at)
            .ok_or_else(|| format!("header: `observed_at` is `{}`, not a timestamp", h.observed_at))?;
        let mut batch = GraphBatch::new(h.source.as_str(), at);
        batch.system = h.system.unwrap_or_else(|| h.source.split(':').next().unwrap_or("").to_owned()).into();
        for c in h.complete {
            let types: Result<Vec<NodeType>, String> =
                c.types.iter().map(|t| contract::resolve(t, None).map(|r| r.ty).map_err(|e| e.to_string())).collect();
            let types = types.map_err(|e| format!("header: `complete`: {e}"))?;
            batch.complete.push(Scope { types, scope: c.scope, within: c.within.map(Into::into) });
        }
        let mut refs = Vec::new();
        for r in h.records {
            if refs.contains(&r.name) {
                return Err(format!("header: two records are named `{}`", r.name));
            }
            refs.push(r.name);
            batch.records.push(SourceRecord {
                sha256: r.sha256,
                file_sha256: file_sha256.to_owned(),
                connector: "contract".to_owned(),
                operation: r.operation,
                params: if r.params.is_null() { String::new() } else { r.params.to_string() },
                account: r.account,
                region: r.region,
                fetched_at: r.fetched_at,
            });
        }
        Ok(Self { schema, batch, refs })
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let b: BodyLine = serde_json::from_str(line).map_err(|e| json_error(&e))?;
        match (b.node, b.edge) {
            (Some(n), None) => self.node(n),
            (None, Some(e)) => self.edge(e),
            _ => Err("a line holds one `node` or one `edge`".to_owned()),
        }
    }

    fn node(&mut self, n: NodeLine) -> Result<(), String> {
        let mut props = n.props;
        let subtype = n.subtype.or_else(|| match props.remove("identitySubtype") {
            Some(Json::String(s)) => Some(s),
            _ => None,
        });
        let r = contract::resolve(&n.ty, subtype.as_deref()).map_err(|e| format!("node `{}`: {e}", n.id))?;
        if n.id.is_empty() {
            return Err("a node with an empty `id`".to_owned());
        }
        let key = NodeKey::new(self.batch.source.clone(), n.id.as_str());
        let kind = n.kind.or(r.default_kind.map(str::to_owned));
        let mut out = NodeInput { key, ty: r.ty, props: Vec::new(), origins: self.origin(&n.record)? };
        if let Some(k) = kind {
            out.props.push(("kind".into(), Value::str(k)));
        }
        if let Some(name) = n.name {
            out.props.push(("name".into(), Value::str(name)));
        }
        if r.legacy {
            self.batch.legacy_identities += u64::from(r.ty != NodeType::Identity);
            out.props.push((
                "legacy_type".into(),
                Value::str(format!("autonomous_identity/{}", subtype.unwrap_or_default())),
            ));
        }
        let on = format!("node `{}`", n.id);
        for (name, v) in props {
            let ty = self.schema.node_prop(&name).map(|p| self.schema.node_properties()[usize::from(p.0)].ty);
            if let Some(v) = value(&name, v, ty, &on)? {
                out.props.push((name.into(), v));
            }
        }
        if !out.props.iter().any(|(n, _)| &**n == "system") && !self.batch.system.is_empty() {
            out.props.push(("system".into(), Value::Str(self.batch.system.clone())));
        }
        self.batch.nodes.push(out);
        Ok(())
    }

    fn edge(&mut self, e: EdgeLine) -> Result<(), String> {
        let on = format!("edge {} from `{}` to `{}`", e.ty, e.from, e.to);
        let pick = |what: &str, s: Option<&str>, names: Vec<&str>| -> Result<Option<usize>, String> {
            let Some(s) = s else { return Ok(None) };
            match names.iter().position(|n| *n == s) {
                Some(i) => Ok(Some(i)),
                None => Err(format!("{on}: `{what}` is `{s}`; known are {}", names.join(", "))),
            }
        };
        let evidence = pick("evidence", e.evidence.as_deref(), Evidence::ALL.iter().map(|e| e.name()).collect())?;
        let state = pick("state", e.state.as_deref(), State::ALL.iter().map(|e| e.name()).collect())?;
        let mut out = EdgeInput::new(&e.ty, self.key(&e.from), self.key(&e.to));
        out.key = e.key.into();
        out.evidence = evidence.map_or(Evidence::Direct, |i| Evidence::ALL[i]);
        out.state = state.map_or(State::Unconditional, |i| State::ALL[i]);
        out.condition = e.condition.map(Arc::from);
        out.origins = self.origin(&e.record)?;
        for (name, v) in e.props {
            let ty = self.schema.edge_prop(&name).map(|p| self.schema.edge_properties()[usize::from(p.0)].ty);
            if let Some(v) = value(&name, v, ty, &on)? {
                out.props.push((name.into(), v));
            }
        }
        self.batch.edges.push(out);
        Ok(())
    }

    /// Ends are resolved once all sources are read; until then the text is the id.
    fn key(&self, text: &str) -> NodeKey {
        NodeKey::new(self.batch.source.clone(), text)
    }

    fn origin(&self, record: &[String]) -> Result<Vec<Origin>, String> {
        let Some(name) = record.first() else { return Ok(Vec::new()) };
        match self.refs.iter().position(|r| r == name) {
            Some(i) => Ok(vec![Origin {
                record: u32::try_from(i).unwrap_or(u32::MAX),
                pointer: record.get(1).map_or("", String::as_str).into(),
            }]),
            None => Err(format!("record `{name}` isn't among the header's records")),
        }
    }
}

fn value(name: &str, v: Json, ty: Option<PropType>, on: &str) -> Result<Option<Value>, String> {
    let kind = match &v {
        Json::Null => return Ok(None),
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    };
    let expected = ty.map_or("", PropType::name);
    let wrong = || format!("{on}: property `{name}` is {kind}, declared is {expected}");
    Ok(Some(match (ty, v) {
        // Undeclared: kept as it stands, so that the schema's check names it with the others.
        (None, Json::Bool(b)) | (Some(PropType::Bool), Json::Bool(b)) => Value::Bool(b),
        (Some(PropType::Int), Json::Number(n)) => Value::Int(n.as_i64().ok_or_else(wrong)?),
        (Some(PropType::Float), Json::Number(n)) => Value::Float(n.as_f64().ok_or_else(wrong)?),
        (Some(PropType::Str), Json::String(s)) => Value::str(s),
        (Some(PropType::Timestamp), Json::String(s)) => Value::Timestamp(
            text::timestamp(&s).ok_or_else(|| format!("{on}: property `{name}` isn't an RFC 3339 timestamp"))?,
        ),
        (Some(PropType::StrList), Json::Array(a)) => {
            let items: Option<Vec<Arc<str>>> = a.iter().map(|x| x.as_str().map(Into::into)).collect();
            Value::list(items.ok_or_else(wrong)?)
        }
        (Some(PropType::StrList), Json::String(s)) => Value::list([s]),
        (None | Some(PropType::Any), v) => Value::str(v.to_string()),
        _ => return Err(wrong()),
    }))
}

/// Resolves the ends of edges against all sources that are known: `source:id` where the text begins with another
/// source's name and isn't an id of the batch's own source.
pub fn resolve_ends(batches: &mut [GraphBatch], known_sources: &[Arc<str>]) {
    let mut sources: Vec<Arc<str>> = known_sources.to_vec();
    sources.extend(batches.iter().map(|b| b.source.clone()));
    sources.sort();
    sources.dedup();
    for b in batches {
        let own: std::collections::HashSet<Arc<str>> = b.nodes.iter().map(|n| n.key.id.clone()).collect();
        let source = b.source.clone();
        for e in &mut b.edges {
            for end in [&mut e.from, &mut e.to] {
                if end.source == source
                    && !own.contains(&end.id)
                    && let Some(k) = NodeKey::parse(&end.id, sources.iter().map(|s| &**s))
                {
                    *end = k;
                }
            }
        }
    }
}
