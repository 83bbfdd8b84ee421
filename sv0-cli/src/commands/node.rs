//! `show` and `paths`: the two questions that are asked most, without a query.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use serde_json::{Value as Json, json};
use sv0_graph::{Direction, EdgeClass, EdgeId, EdgeTypeId, Flow, GraphView, Snapshot};
use sv0_query::Val;
use sv0_query::json::value as json_value;

use super::query::{Asked, Params, answer};
use crate::args::{DocumentFormat, PathsArgs, ShowArgs};
use crate::catalog::Catalog;
use crate::failure::{self, Failure};
use crate::output;

/// Neighbours that the table names for each edge type.
const NAMED: usize = 5;

pub(crate) fn show(a: &ShowArgs) -> Result<ExitCode, Failure> {
    let catalog = Catalog::open(&a.store, a.at.as_deref())?;
    let doc = document(catalog.snapshot(), catalog.node(&a.key)?)?;
    let default = if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json };
    match a.format.unwrap_or(default) {
        DocumentFormat::Json => output::json(&doc, true)?,
        DocumentFormat::Table => output::print(&page(&doc))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn document(s: &Snapshot, n: u32) -> Result<Json, Failure> {
    let node = |n: u32| json_value(&[s], &Val::Node(0, n), false);
    let mut edges = Vec::new();
    let mut owners = Vec::new();
    for ty in s.schema().edge_type_ids() {
        for (dir, name) in [(Direction::Out, "out"), (Direction::In, "in")] {
            let mut found: Vec<(u32, EdgeId)> = Vec::new();
            s.expand(n, ty, dir, &mut |o, e| found.push((o, e)))?;
            if found.is_empty() {
                continue;
            }
            let t = s.schema().edge_type(ty);
            let mut others = Vec::new();
            for (o, e) in found.iter().take(100) {
                let r = s.edge(*e)?;
                others.push(
                    json!({"node": node(*o)?, "key": &*r.key, "state": r.state.name(), "evidence": r.evidence.name(),
                    "condition": r.condition.as_deref()}),
                );
            }
            if t.name == "OWNED_BY" && dir == Direction::Out {
                owners.extend(others.iter().map(|o| o["node"].clone()));
            }
            edges.push(json!({"type": t.name, "class": t.class.name(), "direction": name, "count": found.len(),
                "edges": others}));
        }
    }
    let (reach, more) = reach(s, n)?;
    let mut records = Vec::new();
    for (r, pointer) in s.node_records(n)? {
        records.push(json!({"sha256": r.sha256, "file_sha256": r.file_sha256, "connector": r.connector,
            "operation": r.operation, "params": r.params, "account": r.account, "region": r.region,
            "fetched_at": r.fetched_at, "pointer": pointer}));
    }
    Ok(json!({"node": json_value(&[s], &Val::Node(0, n), true)?, "owners": owners, "edges": edges,
        "reach": {"nodes": reach, "resources_by_sensitivity": more}, "records": records}))
}

/// Counts by a name.
type Counts = BTreeMap<String, u64>;

/// What a node reaches along the flow of authority: nodes by type, resources by sensitivity. Conditional and latent edges
/// are walked, too: unknown isn't no.
fn reach(s: &Snapshot, start: u32) -> Result<(Counts, Counts), Failure> {
    let flowing = [EdgeClass::Authority, EdgeClass::Hierarchy];
    let steps: Vec<(EdgeTypeId, Direction)> = s
        .schema()
        .edge_type_ids()
        .filter(|t| flowing.contains(&s.schema().edge_type(*t).class))
        .flat_map(|t| match s.schema().edge_type(t).flow {
            Flow::Forward => vec![(t, Direction::Out)],
            Flow::Backward => vec![(t, Direction::In)],
            Flow::Both => vec![(t, Direction::Out), (t, Direction::In)],
        })
        .collect();
    let mut seen = BTreeSet::from([start]);
    let mut queue = vec![start];
    let mut counts: (Counts, Counts) = Default::default();
    while let Some(n) = queue.pop() {
        for (ty, dir) in &steps {
            s.expand(n, *ty, *dir, &mut |o, _| {
                if seen.insert(o) {
                    queue.push(o);
                }
            })?;
        }
    }
    seen.remove(&start);
    for n in seen {
        let ty = s.node_type(n).map_or("", |t| t.name());
        *counts.0.entry(ty.to_owned()).or_default() += 1;
        if ty == "resource" {
            let sensitivity = s.text(n, "sensitivity")?;
            let name = if sensitivity.is_empty() { "unknown".to_owned() } else { sensitivity.to_string() };
            *counts.1.entry(name).or_default() += 1;
        }
    }
    Ok(counts)
}

fn page(doc: &Json) -> String {
    let node = &doc["node"];
    let labels = node["labels"].as_array().map(|l| l.iter().map(output::cell).collect::<Vec<_>>().join(", "));
    let mut out = format!(
        "{}  ({})\n{}\n",
        output::clean(&output::cell(node)),
        labels.unwrap_or_default(),
        output::clean(&output::key(&node["key"]))
    );
    let rows = |o: &Json| -> Vec<Vec<String>> {
        o.as_object().into_iter().flatten().map(|(k, v)| vec![k.clone(), output::cell(v)]).collect()
    };
    out += &format!("\n{}", output::table(&["property", "value"], rows(&node["properties"])));
    let owners: Vec<String> = doc["owners"].as_array().into_iter().flatten().map(output::cell).collect();
    let owners = if owners.is_empty() { "nobody, as far as is known".to_owned() } else { owners.join(", ") };
    out += &format!("\nowned by {}\n", output::clean(&owners));
    let edges = doc["edges"].as_array().into_iter().flatten().map(|e| {
        let others = e["edges"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = others.iter().take(NAMED).map(|o| output::cell(&o["node"])).collect();
        let count = e["count"].as_u64().unwrap_or(0);
        if count > NAMED as u64 {
            names.push("…".to_owned());
        }
        vec![output::cell(&e["type"]), output::cell(&e["direction"]), count.to_string(), names.join(", ")]
    });
    out += &format!("\n{}", output::table(&["edge", "way", "count", "nodes"], edges.collect()));
    out += &format!(
        "\nreaches, along the flow of authority\n{}",
        output::table(&["type", "nodes"], rows(&doc["reach"]["nodes"]))
    );
    if doc["reach"]["resources_by_sensitivity"].as_object().is_some_and(|o| !o.is_empty()) {
        let rows = rows(&doc["reach"]["resources_by_sensitivity"]);
        out += &format!("\n{}", output::table(&["resources by sensitivity", "nodes"], rows));
    }
    let records = doc["records"].as_array().into_iter().flatten().map(|r| {
        ["operation", "account", "pointer", "sha256"].iter().map(|k| output::short(&output::cell(&r[*k]), 48)).collect()
    });
    out += &format!("\n{}", output::table(&["evidence", "account", "at", "sha-256"], records.collect()));
    out
}

pub(crate) fn paths(a: &PathsArgs) -> Result<ExitCode, Failure> {
    let catalog = Catalog::open(&a.store, a.at.as_deref())?;
    let (from, to) = (catalog.node(&a.from)?, catalog.node(&a.to)?);
    let words = a.along.chars().all(|c| c.is_alphanumeric() || "_|&!%()".contains(c));
    if !words || a.along.is_empty() {
        return Err(Failure::input("--along takes edge types, classes or groups, such as `authority|CAN_ASSUME`"));
    }
    if a.count == 0 || a.max_hops == 0 {
        return Err(Failure::input("--count and --max-hops are 1 at least"));
    }
    let text = format!(
        "MATCH p = SHORTEST {} (a WHERE a.source = $from_source AND a.id = $from)-[:{}]->{{1,{}}}(b WHERE b.source = $to_source AND b.id = $to) RETURN p ORDER BY PATH_LENGTH(p)",
        a.count, a.along, a.max_hops
    );
    let mut params = Params::new();
    for (n, id, source) in [(from, "from", "from_source"), (to, "to", "to_source")] {
        let key = catalog.default_graph().key(n)?;
        params.insert(id.into(), Val::Str(key.id));
        params.insert(source.into(), Val::Str(key.source));
    }
    let r = answer(&catalog, &text, &params, &a.limits, Asked::default()).map_err(|e| failure::query(&e, &text))?;
    let paths: Vec<&Json> = r.rows.iter().flatten().collect();
    let default = if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json };
    match a.format.unwrap_or(default) {
        DocumentFormat::Json => {
            output::json(&json!({"from": a.from, "to": a.to, "query": text, "paths": paths}), true)?;
        }
        DocumentFormat::Table => {
            for p in &paths {
                let list = |k: &str| p[k].as_array().cloned().unwrap_or_default();
                let edges = list("edges");
                let states: BTreeSet<String> =
                    edges.iter().map(|e| output::cell(&e["state"])).filter(|s| s != "unconditional").collect();
                let note = if states.is_empty() {
                    String::new()
                } else {
                    format!("  ({})", states.into_iter().collect::<Vec<_>>().join(", "))
                };
                output::print(&format!("{}{note}\n", output::clean(&output::path(&list("nodes"), &edges))))?;
            }
            if paths.is_empty() {
                output::print(&format!("no path of at most {} edges\n", a.max_hops))?;
            }
        }
    }
    Ok(if paths.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
