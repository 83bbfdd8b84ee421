//! The assessment: findings with inventory, exposures, ownership gaps, authority paths, reducers and coverage.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;
use sv0_query::sv0_graph::{GraphError, GraphView};
use sv0_query::{CheckOptions as QueryCheck, Query, RunOptions, Val, time};

use crate::RULES_VERSION;
use crate::eval::{CheckInput, CheckOptions, Checked, Coverage, RuleTiming, check};
use crate::inventory::{Inventory, inventory};
use crate::model::Finding;
use crate::rule::RulePack;
use sv0_query::json::{self, EdgeRefJson, NodeJson, PathJson};

/// The document that `assess` and `check` print.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct Assessment {
    pub sv0: Versions,
    pub as_of: String,
    pub snapshot: u32,
    pub sources: Vec<SourceLine>,
    pub inventory: Inventory,
    pub findings: Vec<Finding>,
    pub exposures: BTreeMap<String, BTreeMap<&'static str, u64>>,
    pub ownership_gaps: Vec<OwnershipGap>,
    pub authority_paths: Vec<AuthorityPath>,
    pub reducers: Vec<SharedReducer>,
    pub coverage: Vec<Coverage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

/// Versions of what made it.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct Versions {
    pub version: &'static str,
    pub schema_version: String,
    pub rules_version: &'static str,
}

/// A source that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct SourceLine {
    pub source: String,
    pub system: String,
    pub records: u32,
    pub complete: Vec<String>,
}

/// A thing without an accountable person.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct OwnershipGap {
    pub node: NodeJson,
    pub state: String,
    pub how: Vec<String>,
}

/// A way from an identity to a data domain.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct AuthorityPath {
    pub identity: NodeJson,
    pub automation: Option<NodeJson>,
    pub target_system: String,
    pub data_domain: String,
    pub path: PathJson,
    pub more: u64,
}

/// An edge whose removal clears findings.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct SharedReducer {
    pub removes: EdgeRefJson,
    pub clears: Vec<String>,
    pub breaks: Vec<NodeJson>,
}

/// What it took; only where it is asked for.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the command line's page explains them")]
pub struct Timing {
    pub total_us: u64,
    pub rules: Vec<RuleTiming>,
}

const AUTHORITY_PATHS: &str = "
MATCH p = ANY SHORTEST (i:identity)-[:RUNS_AS|CAN_ASSUME|SAME_AS|MEMBER_OF|HAS_ROLE|INCLUDES|HAS_PERMISSION|GRANTS|APPLIES_TO|CONTAINS|CLASSIFIED_AS]->{2,14}(d:data_domain)
OPTIONAL MATCH (a:automation)-[:RUNS_AS]->(i)
RETURN i, a, d, p, PATH_LENGTH(p) AS hops ORDER BY hops, i.id, d.id, a.id";

/// Runs the rules and gathers the document.
///
/// # Errors
/// [`GraphError`] if the file under the graph can't be read.
pub fn assess<G: GraphView>(
    pack: &RulePack,
    input: &CheckInput<'_, G>,
    options: &CheckOptions<'_>,
    snapshot: u32,
    sources: Vec<SourceLine>,
    legacy: u64,
) -> Result<Assessment, GraphError> {
    let Checked { findings, coverage, timing } = check(pack, input, options)?;
    let mut exposures: BTreeMap<String, BTreeMap<&'static str, u64>> = BTreeMap::new();
    for f in &findings {
        *exposures.entry(f.category.to_string()).or_default().entry(f.severity.name()).or_default() += 1;
    }
    let mut reducers: BTreeMap<EdgeRefJson, Vec<String>> = BTreeMap::new();
    for f in &findings {
        for r in f.reducers.iter().filter_map(|r| r.removes.clone()) {
            let clears = reducers.entry(r).or_default();
            if !clears.contains(&f.id) {
                clears.push(f.id.clone());
            }
        }
    }
    let mut reducers: Vec<SharedReducer> =
        reducers.into_iter().map(|(removes, clears)| SharedReducer { removes, clears, breaks: Vec::new() }).collect();
    reducers.sort_by(|a, b| b.clears.len().cmp(&a.clears.len()).then_with(|| a.removes.cmp(&b.removes)));
    let ownership_gaps = findings
        .iter()
        .filter_map(|f| {
            let state = f.columns.get("ownership")?.as_str()?.to_owned();
            let how = match f.columns.get("how") {
                Some(Json::Array(a)) => a.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
                _ => Vec::new(),
            };
            Some(OwnershipGap { node: f.subject.clone(), state, how })
        })
        .collect();
    Ok(Assessment {
        sv0: Versions {
            version: env!("CARGO_PKG_VERSION"),
            schema_version: input.graph.schema().version().to_owned(),
            rules_version: RULES_VERSION,
        },
        as_of: time::format_timestamp(input.as_of),
        snapshot,
        sources,
        inventory: inventory(input.graph, legacy)?,
        authority_paths: authority_paths(input.graph)?,
        findings,
        exposures,
        ownership_gaps,
        reducers,
        coverage,
        timing: options.timer.map(|_| Timing { total_us: timing.iter().map(|t| t.elapsed_us).sum(), rules: timing }),
    })
}

/// The shortest way of each (identity, automation, system, data domain), and how many others there are.
fn authority_paths<G: GraphView>(g: &G) -> Result<Vec<AuthorityPath>, GraphError> {
    let result = Query::parse(AUTHORITY_PATHS)
        .and_then(|q| q.prepare(g, &QueryCheck::default()))
        .and_then(|p| p.run(g, &RunOptions::default()));
    // The query is this crate's own and a test runs it; a budget is the one thing that may end it.
    let Ok(result) = result else { return Ok(Vec::new()) };
    let mut out: Vec<AuthorityPath> = Vec::new();
    let mut index: BTreeMap<(u32, Option<u32>, String, String), usize> = BTreeMap::new();
    for row in &result.rows {
        let [Val::Node(_, i), a, Val::Node(_, d), Val::Path(p), _] = row.as_slice() else { continue };
        let a = if let Val::Node(_, a) = a { Some(*a) } else { None };
        let last = p.nodes.iter().rev().nth(1).copied().unwrap_or(*d);
        let system = g.text(last, "system")?.to_string();
        let domain = match g.text(*d, "data_domain")? {
            s if s.is_empty() => g.text(*d, "name")?.to_string(),
            s => s.to_string(),
        };
        let key = (*i, a, system.clone(), domain.clone());
        if let Some(at) = index.get(&key) {
            out[*at].more += 1;
            continue;
        }
        index.insert(key, out.len());
        out.push(AuthorityPath {
            identity: json::node(g, *i, false)?,
            automation: a.map(|a| json::node(g, a, false)).transpose()?,
            target_system: system,
            data_domain: domain,
            path: json::path(g, p, true, false)?,
            more: 0,
        });
    }
    Ok(out)
}
