//! `schema`.

use std::process::ExitCode;

use serde_json::{Value as Json, json};
use sv0_graph::{EdgeClass, GraphView, NodeType, PropType, Schema, check};

use crate::args::{SchemaArgs, SchemaFormat};
use crate::failure::Failure;
use crate::{load, output};

pub(crate) fn run(a: &SchemaArgs) -> Result<ExitCode, Failure> {
    let schema = match &a.store {
        Some(p) => load::open(p)?.latest().schema().clone(),
        None => Schema::canonical(),
    };
    match a.format {
        SchemaFormat::Table => output::print(&text(&schema))?,
        SchemaFormat::Json => output::json(&document(&schema), true)?,
        SchemaFormat::JsonSchema => output::json(&contract(&schema), true)?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn text(s: &Schema) -> String {
    let mut out = format!("Schema version {}\n\nNode types\n", s.version());
    for t in NodeType::ALL {
        out += &format!("  {:<19}{}\n", t.name(), t.doc());
        let kinds: Vec<&str> =
            s.kinds().iter().filter(|(x, _)| *x == t).flat_map(|(_, k)| k.iter().map(String::as_str)).collect();
        out += &format!("  {:<19}kinds: {}\n", "", kinds.join(", "));
    }
    for c in EdgeClass::ALL {
        out += &format!("\nEdges of class {}\n", c.name());
        for e in s.edge_types().iter().filter(|e| e.class == c) {
            out += &format!("  {:<22}{}\n  {:<22}{}\n", e.name, e.doc, "", check::pairs_text(&e.pairs));
        }
    }
    for (title, props) in [("Node properties", s.node_properties()), ("Edge properties", s.edge_properties())] {
        out += &format!("\n{title}\n");
        for p in props {
            out += &format!("  {:<22}{:<16}{}\n", p.name, p.ty.name(), p.doc);
        }
    }
    out += &format!("\nTags: {}\n", s.tags().join(", "));
    out
}

fn document(s: &Schema) -> Json {
    let edges: Vec<Json> = s
        .edge_types()
        .iter()
        .map(|e| json!({"type": e.name, "class": e.class.name(), "flow": e.flow, "doc": e.doc, "pairs": e.pairs}))
        .collect();
    let types: Vec<Json> = NodeType::ALL
        .iter()
        .map(|t| {
            let kinds: Vec<&str> =
                s.kinds().iter().filter(|(x, _)| x == t).flat_map(|(_, k)| k.iter().map(String::as_str)).collect();
            json!({"type": t.name(), "doc": t.doc(), "kinds": kinds})
        })
        .collect();
    json!({"version": s.version(), "node_types": types, "edge_types": edges, "node_properties": s.node_properties(),
        "edge_properties": s.edge_properties(), "tags": s.tags()})
}

/// The ingestion contract as a JSON Schema: one of these is a line.
fn contract(s: &Schema) -> Json {
    let value = |t: PropType| match t {
        PropType::Bool => json!({"type": "boolean"}),
        PropType::Int => json!({"type": "integer"}),
        PropType::Float => json!({"type": "number"}),
        PropType::Str => json!({"type": "string"}),
        PropType::Timestamp => json!({"type": "string", "format": "date-time"}),
        PropType::StrList => json!({"type": "array", "items": {"type": "string"}}),
        PropType::Any => json!({}),
    };
    let props = |list: &[sv0_graph::schema::Property]| {
        let p: serde_json::Map<String, Json> = list
            .iter()
            .map(|p| {
                let mut v = value(p.ty);
                v["description"] = json!(p.doc);
                (p.name.clone(), v)
            })
            .collect();
        json!({"type": "object", "properties": p, "additionalProperties": false})
    };
    let record = json!({"type": "array", "prefixItems": [{"type": "string", "description": "a record's ref"},
        {"type": "string", "description": "JSON pointer into it"}], "maxItems": 2});
    let mut types: Vec<&str> = NodeType::ALL.iter().map(|t| t.name()).collect();
    types.extend(["human_identity", "autonomous_identity"]);
    let edge_types: Vec<&str> = s.edge_types().iter().map(|e| e.name.as_str()).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sv0 ingestion contract: a line",
        "oneOf": [
            {"title": "header, the first line", "type": "object", "required": ["sv0", "source", "observed_at"],
                "additionalProperties": false, "properties": {
                "sv0": {"const": 1}, "source": {"type": "string", "minLength": 1}, "system": {"type": "string"},
                "observed_at": {"type": "string", "format": "date-time"},
                "complete": {"type": "array", "items": {"type": "object", "required": ["types", "scope"], "properties": {
                    "types": {"type": "array", "items": {"enum": types}}, "scope": {"type": "string"},
                    "within": {"type": "string", "description": "id of the container that was observed completely; absent: the whole source"}}}},
                "records": {"type": "array", "items": {"type": "object", "required": ["ref", "operation", "sha256"],
                    "properties": {"ref": {"type": "string"}, "operation": {"type": "string"}, "params": {},
                    "fetched_at": {"type": "string"}, "sha256": {"type": "string"}, "account": {"type": "string"},
                    "region": {"type": "string"}}}}}},
            {"title": "a node", "type": "object", "required": ["node"], "additionalProperties": false, "properties": {
                "node": {"type": "object", "required": ["id", "type"], "additionalProperties": false, "properties": {
                "id": {"type": "string", "minLength": 1}, "type": {"enum": types}, "kind": {"type": "string"},
                "name": {"type": "string"}, "identitySubtype": {"type": "string"},
                "props": props(s.node_properties()), "record": record}}}},
            {"title": "an edge", "type": "object", "required": ["edge"], "additionalProperties": false, "properties": {
                "edge": {"type": "object", "required": ["type", "from", "to"], "additionalProperties": false, "properties": {
                "type": {"enum": edge_types}, "from": {"type": "string"}, "to": {"type": "string"},
                "key": {"type": "string"}, "evidence": {"enum": ["direct", "structural", "temporal"]},
                "state": {"enum": ["unconditional", "conditional", "latent"]}, "condition": {"type": "string"},
                "props": props(s.edge_properties()), "record": record}}}}
        ]
    })
}
