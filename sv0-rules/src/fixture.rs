//! Rule tests: a small graph in JSON, and what the rule must say of it.

use serde_json::Value as Json;
use sv0_query::sv0_graph::{
    Annotation, EdgeInput, Evidence, GraphBatch, NodeInput, NodeKey, NodeType, PropType, Schema, Snapshot, State,
    Store, Value,
};
use sv0_query::time;

use crate::eval::{CheckInput, CheckOptions, check};
use crate::rule::{Rule, RulePack};

/// The time that a fixture without one has.
const DEFAULT_TIME: &str = "2026-06-01T00:00:00Z";

/// A graph in JSON as a snapshot: `{"nodes": [{id, type, kind, name, props, derived}], "edges": [{type, from, to, key,
/// evidence, state, condition, props}]}`. `derived` are properties that enrichment would set.
///
/// # Errors
/// What is wrong with it, in words.
pub fn snapshot(g: &Json, schema: &Schema, observed_at: i64) -> Result<Snapshot, String> {
    let source = "t";
    let text = |v: &Json, name: &str| -> Result<String, String> {
        v.get(name).and_then(Json::as_str).map(str::to_owned).ok_or_else(|| format!("`{name}` is missing in {v}"))
    };
    let mut b = GraphBatch::new(source, observed_at);
    let mut annotations = Vec::new();
    for n in g.get("nodes").and_then(Json::as_array).into_iter().flatten() {
        let ty: NodeType = text(n, "type")?.parse().map_err(|()| format!("unknown type in {n}"))?;
        let key = NodeKey::new(source, text(n, "id")?);
        let mut node = NodeInput::new(key.clone(), ty, n.get("kind").and_then(Json::as_str).unwrap_or("k"));
        if let Some(name) = n.get("name").and_then(Json::as_str) {
            node = node.with("name", Value::str(name));
        }
        for (k, v) in n.get("props").and_then(Json::as_object).into_iter().flatten() {
            let p = schema.node_prop(k).ok_or_else(|| format!("unknown property `{k}`"))?;
            node = node.with(k, value(k, v, schema.node_properties()[usize::from(p.0)].ty)?);
        }
        for (k, v) in n.get("derived").and_then(Json::as_object).into_iter().flatten() {
            let p = schema.node_prop(k).ok_or_else(|| format!("unknown property `{k}`"))?;
            let value = value(k, v, schema.node_properties()[usize::from(p.0)].ty)?;
            annotations.push(Annotation { node: key.clone(), prop: k.as_str().into(), value, by: "fixture".into() });
        }
        b.nodes.push(node);
    }
    for e in g.get("edges").and_then(Json::as_array).into_iter().flatten() {
        let key = |name: &str| text(e, name).map(|id| NodeKey::new(source, id));
        let mut edge = EdgeInput::new(&text(e, "type")?, key("from")?, key("to")?);
        edge.key = e.get("key").and_then(Json::as_str).unwrap_or("").into();
        if let Some(s) = e.get("evidence").and_then(Json::as_str) {
            edge.evidence = Evidence::parse(s).ok_or_else(|| format!("unknown evidence `{s}`"))?;
        }
        if let Some(s) = e.get("state").and_then(Json::as_str) {
            edge.state = State::parse(s).ok_or_else(|| format!("unknown state `{s}`"))?;
        }
        edge.condition = e.get("condition").and_then(Json::as_str).map(Into::into);
        for (k, v) in e.get("props").and_then(Json::as_object).into_iter().flatten() {
            let p = schema.edge_prop(k).ok_or_else(|| format!("unknown edge property `{k}`"))?;
            edge = edge.with(k, value(k, v, schema.edge_properties()[usize::from(p.0)].ty)?);
        }
        b.edges.push(edge);
    }
    b.annotations = Some(annotations);
    let mut store = Store::in_memory(schema.clone()).map_err(|e| e.to_string())?;
    let mut t = store.begin().map_err(|e| e.to_string())?;
    t.stage(vec![b]).map_err(|e| e.to_string())?;
    Ok(t.commit("fixture").map_err(|e| e.to_string())?.snapshot)
}

fn value(name: &str, v: &Json, ty: PropType) -> Result<Value, String> {
    let wrong = || format!("property `{name}` is {v}, declared is {}", ty.name());
    Ok(match (ty, v) {
        (_, Json::Null) => Value::Null,
        (PropType::Bool, Json::Bool(b)) => Value::Bool(*b),
        (PropType::Int, Json::Number(n)) => Value::Int(n.as_i64().ok_or_else(wrong)?),
        (PropType::Float, Json::Number(n)) => Value::Float(n.as_f64().ok_or_else(wrong)?),
        (PropType::Str, Json::String(s)) => Value::str(s.as_str()),
        (PropType::Any, v) => Value::str(v.to_string()),
        (PropType::Timestamp, Json::String(s)) => Value::Timestamp(time::parse_timestamp(s).ok_or_else(wrong)?),
        (PropType::StrList, Json::Array(a)) => {
            let items: Option<Vec<&str>> = a.iter().map(Json::as_str).collect();
            Value::list(items.ok_or_else(wrong)?)
        }
        _ => return Err(wrong()),
    })
}

/// Runs a rule's tests; answers with what went wrong, by test.
#[must_use]
pub fn run_tests(rule: &Rule, schema: &Schema) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for t in &rule.tests {
        if let Err(e) = run_test(rule, t, schema) {
            wrong.push((t.name.clone(), e));
        }
    }
    wrong
}

fn run_test(rule: &Rule, t: &crate::rule::RuleTest, schema: &Schema) -> Result<(), String> {
    let at = t.as_of.as_deref().unwrap_or(DEFAULT_TIME);
    let as_of = time::parse_timestamp(at).ok_or_else(|| format!("`as_of` is `{at}`, not a timestamp"))?;
    let graph = snapshot(&t.graph, schema, as_of)?;
    let baseline = t.baseline.as_ref().map(|b| snapshot(b, schema, as_of)).transpose()?;
    let pack = RulePack { rules: vec![rule.clone()] };
    let input = CheckInput { graph: &graph, baseline: baseline.as_ref(), as_of };
    let c = check(&pack, &input, &CheckOptions::default()).map_err(|e| e.to_string())?;
    let abstained = c.coverage.iter().find(|c| c.status == "abstained");
    if abstained.is_some() != t.abstains {
        return Err(abstained.map_or("it ran where it must abstain".to_owned(), |a| format!("it abstained: {}", a.why)));
    }
    let mut found: Vec<&str> = c.findings.iter().map(|f| f.subject.key.id.as_str()).collect();
    found.sort_unstable();
    found.dedup();
    let mut want: Vec<&str> = t.found.iter().map(String::as_str).collect();
    want.sort_unstable();
    if found != want {
        return Err(format!("found {found:?}, expected {want:?}"));
    }
    for f in &c.findings {
        if let Some(s) = &t.state
            && f.state != s.as_str()
        {
            return Err(format!("`{}` is {}, expected {s}", f.subject.key.id, f.state));
        }
        if let Some(s) = t.severity
            && f.severity != s
        {
            return Err(format!("`{}` has severity {}, expected {}", f.subject.key.id, f.severity.name(), s.name()));
        }
    }
    Ok(())
}
