//! Running rules on a snapshot. The same input gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sv0_query::sv0_graph::{Evidence, GraphError, GraphView, State};
use sv0_query::{Budget, QueryError, RunOptions, Stop, Val};

use crate::model::{Finding, Reducer};
use crate::rule::{Rule, RulePack, Severity};
use sv0_query::json::{self, EdgeJson, NodeJson, PathJson};

/// What rules run on.
#[derive(Debug, Clone, Copy)]
pub struct CheckInput<'a, G> {
    /// The graph.
    pub graph: &'a G,
    /// The earlier graph that rules with a baseline compare with.
    pub baseline: Option<&'a G>,
    /// Now, microseconds since 1970, UTC.
    pub as_of: i64,
}

/// Makes the stop signal of a rule.
pub type StopFor<'a> = dyn Fn(&str) -> Box<dyn Fn() -> Option<Stop>> + 'a;

/// Is told how many rules are done, how many there are, and which comes.
pub type Progress<'a> = dyn Fn(usize, usize, &str) + 'a;

/// How they run.
#[derive(Clone, Copy, Default)]
pub struct CheckOptions<'a> {
    /// A new stop signal for each rule (the host keeps the time); a rule that exhausts its budget abstains, loudly.
    pub stop: Option<&'a StopFor<'a>>,
    /// The memory budget of a rule.
    pub max_memory: Option<u64>,
    /// Told before each rule: how many are done, how many there are, which comes.
    pub progress: Option<&'a Progress<'a>>,
    /// Tells the time that a rule took, if the host measures it.
    pub timer: Option<&'a dyn Fn() -> u64>,
}

/// Whether a rule said something.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Coverage {
    /// The rule.
    pub rule: String,
    /// `ran` or `abstained`.
    pub status: &'static str,
    /// Why it abstained.
    pub why: String,
}

/// What a rule cost.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RuleTiming {
    /// The rule.
    pub rule: String,
    /// Microseconds.
    pub elapsed_us: u64,
    /// Adjacency entries touched.
    pub adjacency_entries: u64,
}

/// What the rules said.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// Worst first, then by category, rule, subject, id.
    pub findings: Vec<Finding>,
    /// One entry a rule.
    pub coverage: Vec<Coverage>,
    /// One entry a rule that ran.
    pub timing: Vec<RuleTiming>,
}

/// Runs all rules.
///
/// # Errors
/// [`GraphError`] if the file under the graph can't be read. A query that fails makes its rule abstain.
pub fn check<G: GraphView>(
    pack: &RulePack,
    input: &CheckInput<'_, G>,
    options: &CheckOptions<'_>,
) -> Result<Checked, GraphError> {
    let mut out = Checked::default();
    for (i, rule) in pack.rules.iter().enumerate() {
        if let Some(p) = options.progress {
            p(i, pack.rules.len(), &rule.id);
        }
        let start = options.timer.map(|t| t());
        let mut work = 0;
        let (status, why) = match run(rule, input, options, &mut work, &mut out.findings) {
            Ok(None) => ("ran", String::new()),
            Ok(Some(why)) => ("abstained", why),
            Err(Failed::Query(e)) => ("abstained", e.to_string()),
            Err(Failed::Graph(e)) => return Err(e),
        };
        out.coverage.push(Coverage { rule: rule.id.clone(), status, why });
        let elapsed_us = match (options.timer, start) {
            (Some(t), Some(s)) => t().saturating_sub(s),
            _ => 0,
        };
        out.timing.push(RuleTiming { rule: rule.id.clone(), elapsed_us, adjacency_entries: work });
    }
    out.findings.sort_by(|a, b| {
        (std::cmp::Reverse(a.severity), a.category, &a.rule, &a.subject.key, &a.id).cmp(&(
            std::cmp::Reverse(b.severity),
            b.category,
            &b.rule,
            &b.subject.key,
            &b.id,
        ))
    });
    Ok(out)
}

enum Failed {
    Query(QueryError),
    Graph(GraphError),
}

impl From<QueryError> for Failed {
    fn from(e: QueryError) -> Self {
        Self::Query(e)
    }
}

impl From<GraphError> for Failed {
    fn from(e: GraphError) -> Self {
        Self::Graph(e)
    }
}

/// Runs one rule; answers why it abstained, if it did.
fn run<G: GraphView>(
    rule: &Rule,
    input: &CheckInput<'_, G>,
    options: &CheckOptions<'_>,
    work: &mut u64,
    findings: &mut Vec<Finding>,
) -> Result<Option<String>, Failed> {
    let mut graphs = vec![input.graph];
    if rule.baseline {
        match input.baseline {
            Some(b) => graphs.push(b),
            None => return Ok(Some("there is no earlier snapshot to compare with".to_owned())),
        }
    }
    let stop = options.stop.map(|s| s(&rule.id));
    // A rule may take more than an ad-hoc query: what bounds it is its host's clock.
    let mut budget =
        Budget { stop: stop.as_deref(), max_work: None, max_rows: 1_000_000, max_memory: 2 << 30, ..Budget::default() };
    if let Some(m) = options.max_memory {
        budget.max_memory = m;
    }
    let defaults = rule.defaults();
    let run_options = |params: &[Arc<str>]| RunOptions {
        params: params.iter().filter_map(|p| Some((p.clone(), defaults.get(p)?.clone()))).collect(),
        now: Some(input.as_of),
        budget,
    };
    for (r, p) in rule.requires.iter().zip(&rule.prepared_requires) {
        if p.run_on(&graphs, &run_options(p.parameters()))?.rows.is_empty() {
            return Ok(Some(r.why.clone()));
        }
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for p in &rule.prepared {
        let result = p.run_on(&graphs, &run_options(p.parameters()))?;
        *work += result.stats.adjacency_entries;
        let columns: Vec<&str> = p.columns().iter().map(|c| &**c).collect();
        for row in &result.rows {
            let get = |name: &str| columns.iter().position(|c| *c == name).and_then(|i| row.get(i));
            let Some(Val::Node(g, subject)) = get(&rule.subject) else { continue };
            let Some(graph) = graphs.get(usize::from(*g)).copied() else { continue };
            let subject = json::node(graph, *subject, false)?;
            let mut h = Sha256::new();
            let mut part = |s: &str| {
                h.update((s.len() as u64).to_le_bytes());
                h.update(s.as_bytes());
            };
            for s in [&rule.id, &subject.key.source, &subject.key.id] {
                part(s);
            }
            for c in &rule.identity {
                let v = get(c).cloned().unwrap_or_default();
                part(&identity_text(&graphs, &v)?);
            }
            let id = hex(&h.finalize(), 12);
            if !seen.insert(id.clone()) {
                continue;
            }
            findings.push(finding(rule, id, subject, &columns, row, &graphs)?);
        }
    }
    Ok(None)
}

/// A value as a part of a finding's identity: keys, not internal numbers.
fn identity_text<G: GraphView>(graphs: &[&G], v: &Val) -> Result<String, GraphError> {
    Ok(match v {
        Val::Node(g, n) => match graphs.get(usize::from(*g)) {
            Some(g) => g.key(*n)?.to_string(),
            None => String::new(),
        },
        v => json::value(graphs, v, false)?.to_string(),
    })
}

fn hex(bytes: &[u8], n: usize) -> String {
    bytes.iter().take(n).map(|b| format!("{b:02x}")).collect()
}

fn finding<G: GraphView>(
    rule: &Rule,
    id: String,
    subject: NodeJson,
    columns: &[&str],
    row: &[Val],
    graphs: &[&G],
) -> Result<Finding, GraphError> {
    let mut path: Option<PathJson> = None;
    let (mut severity, mut state, mut own) = (rule.severity, State::Unconditional, BTreeMap::new());
    for (c, v) in columns.iter().zip(row) {
        if rule.path.as_deref() == Some(*c) {
            if let Val::Path(p) = v
                && let Some(g) = graphs.get(usize::from(p.graph))
            {
                path = Some(json::path(*g, p, true, false)?);
            }
        } else if *c == "severity" {
            if let Val::Str(s) = v {
                severity = Severity::parse(s).unwrap_or(severity);
            }
        } else if *c == "state" {
            if let Val::Str(s) = v {
                state = State::parse(s).unwrap_or(state);
            }
        } else if *c != rule.subject {
            own.insert((*c).to_owned(), json::value(graphs, v, false)?);
        }
    }
    let mut confidence = Evidence::Direct;
    let mut conditions: Vec<String> = Vec::new();
    let mut route = Sha256::new();
    for e in path.iter().flat_map(|p| &p.edges) {
        state = state.max(State::parse(e.state).unwrap_or_default());
        confidence = confidence.max(Evidence::parse(e.evidence).unwrap_or_default());
        conditions.extend(e.condition.clone());
        for s in [&e.ty, &e.from.source, &e.from.id, &e.to.source, &e.to.id, &e.key] {
            route.update((s.len() as u64).to_le_bytes());
            route.update(s.as_bytes());
        }
    }
    conditions.dedup();
    let path_hash = if path.is_some() { hex(&route.finalize(), 12) } else { String::new() };
    let reducers = rule
        .reducers
        .iter()
        .map(|r| Reducer {
            text: r.text.clone(),
            removes: path
                .iter()
                .flat_map(|p| &p.edges)
                .find(|e| r.removes.iter().any(|t| *t == e.ty || *t == e.class))
                .map(EdgeJson::reference),
        })
        .collect();
    Ok(Finding {
        id,
        rule: rule.id.clone(),
        category: rule.category,
        title: rule.title.clone(),
        severity,
        state: state.name(),
        confidence: confidence.name(),
        subject,
        path,
        columns: own,
        condition: (!conditions.is_empty()).then(|| conditions.join("; ")),
        path_hash,
        lifecycle: None,
        reducers,
        references: rule.references.clone(),
    })
}
