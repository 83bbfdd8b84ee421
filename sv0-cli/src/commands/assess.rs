//! `assess`, `ingest`, `check`.

use std::process::ExitCode;
use std::time::Duration;

use sv0_graph::{Commit, GraphView, Schema, Snapshot, Store};
use sv0_query::time;
use sv0_rules::{Assessment, CheckInput, CheckOptions, SourceLine, assess as run_assessment};

use crate::args::{AssessArgs, CheckArgs, DocumentFormat, IngestArgs, RuleOptions};
use crate::failure::Failure;
use crate::{clock, load, output};

/// A rule's own budget.
const RULE_TIME: Duration = Duration::from_secs(60);
const RULE_MEMORY: u64 = 2 << 30;

pub(crate) fn assess(a: &AssessArgs) -> Result<ExitCode, Failure> {
    let mut store = match &a.store {
        Some(p) => load::open_for_writing(p)?,
        None => Store::in_memory(Schema::canonical())?,
    };
    load::ingest(&a.source, &mut store, None)?;
    let snapshot = store.latest();
    report(&store, &snapshot, a.source.as_of.as_deref(), &a.rules)
}

pub(crate) fn check(a: &CheckArgs) -> Result<ExitCode, Failure> {
    let store = load::open(&a.store)?;
    let snapshot = load::snapshot(&store, a.at.as_deref())?;
    report(&store, &snapshot, a.as_of.as_deref(), &a.rules)
}

fn report(store: &Store, snapshot: &Snapshot, as_of: Option<&str>, o: &RuleOptions) -> Result<ExitCode, Failure> {
    let as_of = load::as_of(as_of)?.unwrap_or_else(|| snapshot.time());
    let pack = load::rules(&o.rules, snapshot.schema())?;
    let baseline = match &o.baseline {
        Some(b) => Some(load::snapshot(store, Some(b))?),
        None => {
            let before = store.snapshots().into_iter().rev().find(|s| s.0 < snapshot.number());
            before.map(|s| store.snapshot(s.0)).transpose()?
        }
    };
    let info = snapshot.info();
    let sources = info
        .sources
        .iter()
        .filter(|s| s.name != sv0_connectors::enrich::SOURCE)
        .map(|s| SourceLine {
            source: s.name.clone(),
            system: s.system.clone(),
            records: s.records,
            complete: s.complete.clone(),
        })
        .collect();
    let watch = clock::stopwatch();
    let bar = indicatif::ProgressBar::hidden();
    let show = clock::stopwatch();
    let progress = |done: usize, all: usize, rule: &str| {
        if output::stderr_is_terminal() && show() > 1_000_000 {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            bar.set_message(rule.to_owned());
        }
    };
    let stop = |_: &str| clock::deadline(RULE_TIME);
    let timer = || watch();
    let options = CheckOptions {
        stop: Some(&stop),
        max_memory: Some(RULE_MEMORY),
        progress: Some(&progress),
        timer: if o.timing { Some(&timer) } else { None },
    };
    let input = CheckInput { graph: snapshot, baseline: baseline.as_ref(), as_of };
    let assessment = run_assessment(&pack, &input, &options, info.number, sources, info.legacy_identities)?;
    bar.finish_and_clear();
    let default = if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json };
    match o.format.unwrap_or(default) {
        DocumentFormat::Json => output::json(&assessment, true)?,
        DocumentFormat::Table => output::print(&table(&assessment))?,
    }
    let bad = o.fail_on.is_some_and(|s| assessment.findings.iter().any(|f| f.severity >= s.into()));
    Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The overview first, then each finding with its path.
fn table(a: &Assessment) -> String {
    let mut out = format!("Snapshot {} as of {}\n\n", a.snapshot, a.as_of);
    let abstained: Vec<_> = a.coverage.iter().filter(|c| c.status == "abstained").collect();
    if !abstained.is_empty() {
        out += "Not judged:\n";
        for c in &abstained {
            out += &format!("  {}: {}\n", c.rule, output::clean(&c.why));
        }
        out.push('\n');
    }
    out += &format!("{} non-human identities", a.inventory.nhi);
    if a.inventory.legacy_identities != a.inventory.nhi {
        out += &format!(" (the legacy classification would have counted {})", a.inventory.legacy_identities);
    }
    out += "\n";
    let counts: Vec<String> =
        a.inventory.nodes.iter().filter(|(_, n)| **n > 0).map(|(t, n)| format!("{n} {t}")).collect();
    out += &format!("{}\n", counts.join(", "));
    for s in &a.sources {
        let complete = if s.complete.is_empty() { "nothing listed completely" } else { "complete" };
        out += &format!("  {} ({} records, {complete})\n", output::clean(&s.source), s.records);
    }
    out.push('\n');
    let mut by_severity = Vec::new();
    for s in sv0_rules::Severity::ALL {
        let n = a.findings.iter().filter(|f| f.severity == s).count();
        if n > 0 {
            by_severity.push(format!("{n} {}", s.name()));
        }
    }
    if by_severity.is_empty() {
        out += "No findings.\n";
        return out;
    }
    out += &format!("{} findings: {}\n", a.findings.len(), by_severity.join(", "));
    let rows = a
        .exposures
        .iter()
        .map(|(c, by)| {
            let all: u64 = by.values().sum();
            let detail: Vec<String> = sv0_rules::Severity::ALL
                .iter()
                .filter_map(|s| by.get(s.name()).map(|n| format!("{n} {}", s.name())))
                .collect();
            vec![format!("  {c}"), all.to_string(), detail.join(", ")]
        })
        .collect();
    out += &output::table(&["  category", "findings", "severity"], rows);
    for f in &a.findings {
        let name = if f.subject.name.is_empty() { &f.subject.key.id } else { &f.subject.name };
        out += &format!("\n{} {} [{}]\n", f.severity.name().to_uppercase(), output::clean(&f.title), f.rule);
        out += &format!(
            "  subject    {} ({}) {}:{}\n",
            output::short(name, 80),
            output::clean(&f.subject.kind),
            output::clean(&f.subject.key.source),
            output::clean(&f.subject.key.id)
        );
        out += &format!("  state      {}, {} evidence\n", f.state, f.confidence);
        if let Some(c) = &f.condition {
            out += &format!("  if         {}\n", output::short(c, 400));
        }
        if let Some(p) = &f.path {
            let nodes: Vec<_> = p.nodes.iter().filter_map(|n| serde_json::to_value(n).ok()).collect();
            let edges: Vec<_> = p.edges.iter().filter_map(|e| serde_json::to_value(e).ok()).collect();
            out += &format!("  path       {}\n", output::clean(&output::path(&nodes, &edges)));
            for e in &p.edges {
                for premise in e.premises.iter().flatten() {
                    let of: Vec<&str> = premise.of.iter().map(|o| o.name.as_str()).collect();
                    let of = if of.is_empty() { String::new() } else { format!(" in {}", of.join(", ")) };
                    out += &format!(
                        "  because    {}{}\n",
                        output::short(&premise.node.name, 100),
                        output::short(&of, 100)
                    );
                }
            }
            let record = p.edges.iter().flat_map(|e| &e.records).next();
            if let Some(r) = record {
                out +=
                    &format!("  evidence   {} {}\n", output::short(&r.operation, 80), output::short(&r.pointer, 120));
            }
        }
        for r in &f.reducers {
            out += &format!("  reduce     {}\n", output::clean(&r.text));
        }
        out += &format!("  id         {}\n", f.id);
    }
    out
}

pub(crate) fn ingest(a: &IngestArgs) -> Result<ExitCode, Failure> {
    let mut store = load::open_for_writing(&a.store)?;
    let commits = load::ingest(&a.source, &mut store, a.name.as_deref())?;
    let default = if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json };
    print_commits(&commits, a.format.unwrap_or(default))?;
    Ok(ExitCode::SUCCESS)
}

/// What each commit added, changed and removed.
pub(crate) fn print_commits(commits: &[Commit], format: DocumentFormat) -> Result<(), Failure> {
    if format == DocumentFormat::Json {
        let list: Vec<_> = commits
            .iter()
            .map(|c| {
                let changes: serde_json::Map<String, serde_json::Value> = c
                    .changes
                    .iter()
                    .map(|(t, n)| {
                        let v = serde_json::json!({"added": n.added, "changed": n.changed, "removed": n.removed});
                        (t.clone(), v)
                    })
                    .collect();
                let info = c.snapshot.info();
                serde_json::json!({"snapshot": info.number, "name": info.name, "time": time::format_timestamp(info.time),
                    "nodes": info.nodes, "edges": info.edges, "bytes_written": c.bytes_written, "changes": changes})
            })
            .collect();
        output::json(&serde_json::json!({"snapshots": list}), true)?;
        return Ok(());
    }
    for c in commits {
        let info = c.snapshot.info();
        output::print(&format!(
            "Snapshot {} ({}): {} nodes, {} edges, {} bytes written\n",
            info.number,
            output::clean(&info.name),
            info.nodes,
            info.edges,
            c.bytes_written
        ))?;
        let rows = c
            .changes
            .iter()
            .map(|(t, n)| vec![format!("  {t}"), n.added.to_string(), n.changed.to_string(), n.removed.to_string()])
            .collect();
        output::print(&output::table(&["  type", "added", "changed", "removed"], rows))?;
    }
    Ok(())
}
