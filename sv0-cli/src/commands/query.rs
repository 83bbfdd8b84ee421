//! `query`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use sv0_graph::Snapshot;
use sv0_query::{Budget, CheckOptions, Query, QueryError, RunOptions, Val};
use sv0_rules::json_value;

use crate::args::{Format, Limits, QueryArgs};
use crate::failure::{self, Failure};
use crate::{clock, load, output};

pub(crate) type Params = BTreeMap<Arc<str>, Val>;

/// A result as others read it.
pub(crate) struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Json>>,
    pub types: Vec<&'static str>,
    pub entries: u64,
    pub peak: u64,
    pub elapsed: u64,
    pub warnings: Vec<String>,
}

pub(crate) fn parameter(v: &Json) -> Val {
    match v {
        Json::Null => Val::Null,
        Json::Bool(b) => Val::Bool(*b),
        Json::Number(n) => n.as_i64().map_or_else(|| Val::Float(n.as_f64().unwrap_or(f64::NAN)), Val::Int),
        Json::String(s) => Val::str(s.as_str()),
        Json::Array(a) => Val::List(a.iter().map(parameter).collect()),
        Json::Object(_) => Val::str(v.to_string()),
    }
}

/// Runs a query on a snapshot.
pub(crate) fn answer(s: &Snapshot, text: &str, params: &Params, limits: &Limits) -> Result<Answer, QueryError> {
    let watch = clock::stopwatch();
    let prepared = Query::parse(text)?.prepare(s, &CheckOptions::default())?;
    let stop = clock::deadline(limits.timeout);
    let budget =
        Budget { max_work: limits.max_work, max_rows: limits.max_rows, max_memory: limits.memory, stop: Some(&*stop) };
    let options = RunOptions { params: params.clone(), now: None, budget };
    let r = prepared.run(s, &options)?;
    let mut rows = Vec::with_capacity(r.rows.len());
    let mut types = vec!["null"; r.columns.len()];
    for row in &r.rows {
        for (t, v) in types.iter_mut().zip(row) {
            if *t == "null" {
                *t = v.kind();
            } else if !v.is_null() && *t != v.kind() {
                *t = "any";
            }
        }
        let cells: Result<Vec<Json>, _> = row.iter().map(|v| json_value(&[s], v, true)).collect();
        rows.push(cells?);
    }
    Ok(Answer {
        columns: r.columns.iter().map(|c| c.to_string()).collect(),
        rows,
        types,
        entries: r.stats.adjacency_entries,
        peak: r.stats.peak_bytes,
        elapsed: watch(),
        warnings: prepared.warnings.iter().map(|w| w.to_string()).collect(),
    })
}

impl Answer {
    /// The document of `--format json`.
    pub(crate) fn document(&self) -> Json {
        let columns: Vec<Json> =
            self.columns.iter().zip(&self.types).map(|(n, t)| json!({"name": n, "type": t})).collect();
        json!({"columns": columns, "rows": self.rows, "truncated": Json::Null,
            "stats": {"elapsed_us": self.elapsed, "rows": self.rows.len(), "adjacency_entries": self.entries, "peak_bytes": self.peak}})
    }

    pub(crate) fn table(&self) -> String {
        let head: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let rows = self.rows.iter().map(|r| r.iter().map(output::cell).collect()).collect();
        let mut t = output::table(&head, rows);
        t += &format!("{} row{}\n", self.rows.len(), if self.rows.len() == 1 { "" } else { "s" });
        t
    }
}

pub(crate) fn run(a: &QueryArgs) -> Result<ExitCode, Failure> {
    let store = load::open(&a.store)?;
    let snapshot = load::snapshot(&store, a.at.as_deref())?;
    let text = match (&a.query, &a.file) {
        (Some(q), _) => q.clone(),
        (None, Some(f)) => std::fs::read_to_string(f).map_err(|e| Failure::input(format!("{}: {e}", f.display())))?,
        (None, None) => return Err(Failure::input("give a query, or --file")),
    };
    let mut params = Params::new();
    for p in &a.params {
        let Some((k, v)) = p.split_once('=') else {
            return Err(Failure::input(format!("--param: `{p}` has no `=`; write name=value")));
        };
        let v = serde_json::from_str(v).unwrap_or_else(|_| Json::String(v.to_owned()));
        params.insert(k.trim_start_matches('$').into(), parameter(&v));
    }
    let r = answer(&snapshot, &text, &params, &a.limits).map_err(|e| failure::query(&e, &text))?;
    for w in &r.warnings {
        output::note(&format!("warning: {}", output::clean(w)));
    }
    let default = if output::stdout_is_terminal() { Format::Table } else { Format::Json };
    match a.format.unwrap_or(default) {
        Format::Table => output::print(&r.table())?,
        Format::Json => output::json(&r.document(), true)?,
        Format::Ndjson => {
            for row in &r.rows {
                let o: serde_json::Map<String, Json> = r.columns.iter().cloned().zip(row.iter().cloned()).collect();
                output::json(&o, false)?;
            }
        }
        Format::Csv => {
            let line = |cells: Vec<String>| cells.iter().map(|c| csv(c)).collect::<Vec<_>>().join(",") + "\r\n";
            let mut text = line(r.columns.clone());
            for row in &r.rows {
                text += &line(row.iter().map(output::cell).collect());
            }
            output::print(&text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// RFC 4180, and nothing that a spreadsheet takes for a formula.
fn csv(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\0', '＝', '＋', '－', '＠']);
    let c = if formula { format!("'{cell}") } else { cell.to_owned() };
    if c.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", c.replace('"', "\"\"")) } else { c }
}

#[cfg(test)]
mod tests {
    use super::csv;

    #[test]
    fn no_formulas() {
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
