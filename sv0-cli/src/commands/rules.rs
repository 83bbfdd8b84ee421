//! `rules list|show|lint|test`.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;
use sv0_graph::Schema;
use sv0_rules::{Rule, RulePack, fixture};

use crate::args::{DocumentFormat, RuleArgs, RulesArgs};
use crate::failure::Failure;
use crate::{load, output};

fn format(f: Option<DocumentFormat>) -> DocumentFormat {
    f.unwrap_or(if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json })
}

/// The folders' rules, or the built-in ones.
fn pack(dirs: &[PathBuf], schema: &Schema) -> Result<RulePack, Failure> {
    if dirs.is_empty() {
        return load::rules(&[], schema);
    }
    let mut pack = RulePack::default();
    for d in dirs {
        pack = pack.extended_by(RulePack::from_dir(d, schema).map_err(|e| Failure::input(e.to_string()))?);
    }
    Ok(pack)
}

pub(crate) fn list(a: &RulesArgs) -> Result<ExitCode, Failure> {
    let pack = pack(&a.dirs, &Schema::canonical())?;
    if format(a.format) == DocumentFormat::Json {
        let all: Vec<_> = pack.rules.iter().map(document).collect();
        output::json(&json!({"rules": all}), true)?;
    } else {
        let rows = pack
            .rules
            .iter()
            .map(|r| vec![r.id.clone(), r.category.to_string(), r.severity.name().to_owned(), r.title.clone()])
            .collect();
        output::print(&output::table(&["rule", "category", "severity", "title"], rows))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn document(r: &Rule) -> serde_json::Value {
    let reducers: Vec<&str> = r.reducers.iter().map(|x| x.text.as_str()).collect();
    let parameters: serde_json::Map<_, _> =
        r.parameters.iter().map(|(n, p)| (n.clone(), json!({"default": p.default, "unit": p.unit}))).collect();
    json!({"id": r.id, "title": r.title, "version": r.version, "category": r.category, "severity": r.severity,
        "subject": r.subject, "path": r.path, "identity": r.identity, "baseline": r.baseline, "rationale": r.rationale,
        "queries": r.queries, "parameters": parameters, "reducers": reducers, "references": r.references,
        "tests": r.tests.len()})
}

pub(crate) fn show(a: &RuleArgs) -> Result<ExitCode, Failure> {
    let pack = load::rules(&a.rules, &Schema::canonical())?;
    let Some(r) = pack.rules.iter().find(|r| r.id == a.id) else {
        let near = Schema::nearest(&a.id, pack.rules.iter().map(|r| r.id.as_str()));
        let hint = if near.is_empty() {
            "`sv0 rules list` lists them".to_owned()
        } else {
            format!("did you mean `{}`?", near.join("`, `"))
        };
        return Err(Failure::input(format!("there is no rule `{}`; {hint}", a.id)));
    };
    if format(a.format) == DocumentFormat::Json {
        output::json(&document(r), true)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = format!(
        "{} (version {})\n{}\n\ncategory  {}\nseverity  {}\n",
        r.id,
        r.version,
        r.title,
        r.category,
        r.severity.name()
    );
    for e in &r.escalate {
        out += &format!("          {} when {}\n", e.severity.name(), e.when);
    }
    for (n, p) in &r.parameters {
        out += &format!("parameter {n} = {} ({})\n", p.default.to_string().trim_matches('"'), p.unit);
    }
    out += &format!("\nWhy\n{}\n", indent(&r.rationale));
    for q in &r.queries {
        out += &format!("\nQuery\n{}\n", indent(q.trim()));
    }
    for q in &r.requires {
        out += &format!("\nAbstains where {}\n", q.why);
    }
    out += "\nReduce\n";
    for (i, x) in r.reducers.iter().enumerate() {
        out += &format!("  {}. {}\n", i + 1, x.text);
    }
    for (k, v) in &r.references {
        out += &format!("{k}: {}\n", v.join(", "));
    }
    output::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn indent(s: &str) -> String {
    s.lines().map(|l| format!("  {l}")).collect::<Vec<_>>().join("\n")
}

pub(crate) fn lint(a: &RulesArgs) -> Result<ExitCode, Failure> {
    let pack = pack(&a.dirs, &Schema::canonical())?;
    let mut doubts = 0;
    for r in &pack.rules {
        for w in r.warnings() {
            doubts += 1;
            output::note(&format!("warning: {}: {}", output::clean(&r.id), output::clean(&w.to_string())));
        }
    }
    let found = match doubts {
        0 => "nothing to object to".to_owned(),
        1 => "1 warning".to_owned(),
        n => format!("{n} warnings"),
    };
    output::note(&format!("{} rules, {found}", pack.rules.len()));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn test(a: &RulesArgs) -> Result<ExitCode, Failure> {
    let schema = Schema::canonical();
    let pack = pack(&a.dirs, &schema)?;
    let (mut run, mut failed) = (0, Vec::new());
    for r in &pack.rules {
        run += r.tests.len();
        failed.extend(fixture::run_tests(r, &schema).into_iter().map(|(t, why)| (r.id.clone(), t, why)));
    }
    if format(a.format) == DocumentFormat::Json {
        let list: Vec<_> = failed.iter().map(|(r, t, w)| json!({"rule": r, "test": t, "why": w})).collect();
        output::json(&json!({"rules": pack.rules.len(), "tests": run, "failed": list}), true)?;
    } else {
        for (r, t, w) in &failed {
            output::print(&format!("FAILED {r}: {t}: {w}\n"))?;
        }
        output::print(&format!("{} passed, {} failed\n", run - failed.len(), failed.len()))?;
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
