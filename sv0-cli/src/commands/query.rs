//! `query`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use sv0_graph::Graph;
use sv0_query::json::value as json_value;
use sv0_query::{Budget, CheckOptions, Explain, Prepared, Query, QueryError, RunOptions, Truncated, Val};

use crate::args::{Format, Limits, QueryArgs};
use crate::catalog::{self, Catalog};
use crate::failure::{self, Failure};
use crate::{clock, output};

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
    pub truncated: Option<Truncated>,
    /// What each operator did, where it was asked for.
    pub profile: Option<Explain>,
    /// An Arrow IPC stream, where it was asked for.
    #[cfg(feature = "arrow")]
    pub arrow: Option<Vec<u8>>,
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

/// A checked query and the graphs that it reads.
pub(crate) fn prepare(catalog: &Catalog, text: &str) -> Result<(Prepared, Vec<Graph>), QueryError> {
    let query = Query::parse(text)?;
    let refs = query.graphs();
    let mut graphs = vec![catalog.default_graph()];
    for g in &refs {
        graphs.push(catalog.graph(g)?);
    }
    let options = CheckOptions {
        graphs: catalog::names(&refs),
        compared: refs.iter().filter(|g| catalog.is_difference(g)).map(|g| g.name().into()).collect(),
        ..CheckOptions::default()
    };
    let [default, ..] = graphs.as_slice() else { return Err(QueryError { diagnostics: Vec::new() }) };
    Ok((query.prepare(default, &options)?, graphs))
}

/// How a query is asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// Parameters that it doesn't name may be set: they are for others.
    pub spare_params: bool,
    pub profile: bool,
    pub arrow: bool,
}

/// Runs a query.
pub(crate) fn answer(
    catalog: &Catalog,
    text: &str,
    params: &Params,
    limits: &Limits,
    asked: Asked,
) -> Result<Answer, QueryError> {
    let watch = clock::stopwatch();
    let (prepared, graphs) = prepare(catalog, text)?;
    run_prepared(&prepared, &graphs, params, limits, asked, watch)
}

/// Runs a query that was prepared; `watch` tells how long it took since it was asked.
pub(crate) fn run_prepared(
    prepared: &Prepared,
    graphs: &[Graph],
    params: &Params,
    limits: &Limits,
    asked: Asked,
    watch: impl Fn() -> u64,
) -> Result<Answer, QueryError> {
    let graphs: Vec<&Graph> = graphs.iter().collect();
    let stop = clock::deadline(limits.timeout);
    let progress = clock::progress();
    let budget = Budget {
        max_work: limits.max_work,
        max_rows: limits.max_rows,
        max_memory: limits.memory,
        stop: Some(&*stop),
        truncate: limits.truncate,
        progress: output::stderr_is_terminal().then_some(&*progress),
        clock: Some(&watch),
    };
    let named = |k: &Arc<str>| !asked.spare_params || prepared.parameters().contains(k);
    let params = params.iter().filter(|(k, _)| named(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let options = RunOptions { params, now: None, budget };
    let (r, profile) = if asked.profile {
        let (r, p) = prepared.profile(&graphs, &options)?;
        (r, Some(p))
    } else {
        (prepared.run_on(&graphs, &options)?, None)
    };
    #[cfg(feature = "arrow")]
    let stream = if asked.arrow { Some(stream(&r, &graphs)?) } else { None };
    let mut rows = Vec::with_capacity(if asked.arrow { 0 } else { r.rows.len() });
    let mut types = vec!["null"; r.columns.len()];
    for row in &r.rows {
        for (t, v) in types.iter_mut().zip(row) {
            if *t == "null" {
                *t = v.kind();
            } else if !v.is_null() && *t != v.kind() {
                *t = "any";
            }
        }
        if asked.arrow {
            continue;
        }
        let cells: Result<Vec<Json>, _> = row.iter().map(|v| json_value(&graphs, v, true)).collect();
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
        truncated: r.truncated,
        profile,
        #[cfg(feature = "arrow")]
        arrow: stream,
    })
}

/// A result as an Arrow IPC stream of one batch.
#[cfg(feature = "arrow")]
fn stream(r: &sv0_query::QueryResult, graphs: &[&Graph]) -> Result<Vec<u8>, QueryError> {
    let written = r.record_batch(graphs).and_then(|batch| {
        let mut out = Vec::new();
        let mut w = arrow_ipc::writer::StreamWriter::try_new(&mut out, batch.schema_ref())?;
        w.write(&batch)?;
        w.finish()?;
        Ok(out)
    });
    written.map_err(|e| {
        let d =
            sv0_query::Diagnostic { code: sv0_query::Code::Storage, message: e.to_string(), span: None, help: None };
        QueryError { diagnostics: vec![d] }
    })
}

impl Answer {
    /// The document of `--format json`.
    pub(crate) fn document(&self) -> Json {
        let columns: Vec<Json> =
            self.columns.iter().zip(&self.types).map(|(n, t)| json!({"name": n, "type": t})).collect();
        let truncated = self.truncated.as_ref().map(
            |t| json!({"reason": format!("{}: {}", t.reason.text(), t.message), "at": t.at.map(|(a, b)| json!([a, b]))}),
        );
        json!({"columns": columns, "rows": self.rows, "truncated": truncated,
            "stats": {"elapsed_us": self.elapsed, "rows": self.rows.len(), "adjacency_entries": self.entries, "peak_bytes": self.peak}})
    }

    pub(crate) fn table(&self) -> String {
        let head: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let rows = self.rows.iter().map(|r| r.iter().map(output::cell).collect()).collect();
        let mut t = output::table(&head, rows);
        t += &format!("{} row{}", self.rows.len(), if self.rows.len() == 1 { "" } else { "s" });
        if let Some(cut) = &self.truncated {
            t += &format!(", truncated: {}", cut.message);
        }
        t.push('\n');
        t
    }
}

pub(crate) fn run(a: &QueryArgs) -> Result<ExitCode, Failure> {
    // With --graph there is no store: the first argument is the query.
    let (store, query) = match (&a.graph, &a.store, &a.query) {
        (Some(_), Some(q), None) => (None, Some(q.to_string_lossy().into_owned())),
        (Some(_), Some(_), Some(_)) => return Err(Failure::input("give a store or --graph, not both")),
        (_, store, query) => (store.clone(), query.clone()),
    };
    let text = match (query, &a.file) {
        (Some(q), _) => q,
        (None, Some(f)) => std::fs::read_to_string(f).map_err(|e| Failure::input(format!("{}: {e}", f.display())))?,
        (None, None) => return Err(Failure::input("give a query, or --file")),
    };
    if a.canonical {
        let query = Query::parse(&text).map_err(|e| failure::query(&e, &text))?;
        output::print(&format!("{}\n", query.pretty()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut catalog = match (&a.graph, &store) {
        (Some(g), _) => Catalog::written_down(g)?,
        (None, Some(s)) => Catalog::open(s, a.at.as_deref())?,
        (None, None) => return Err(Failure::input("give a store, or --graph")),
    };
    let mut params = Params::new();
    let mut written: BTreeMap<Arc<str>, &str> = BTreeMap::new();
    for p in &a.params {
        let Some((k, v)) = p.split_once('=') else {
            return Err(Failure::input(format!("--param: `{p}` has no `=`; write name=value")));
        };
        if let Some(graph) = k.strip_prefix("$$") {
            catalog.params.insert(graph.to_owned(), v.to_owned());
            continue;
        }
        let name: Arc<str> = k.trim_start_matches('$').into();
        let read = serde_json::from_str(v).unwrap_or_else(|_| Json::String(v.to_owned()));
        params.insert(name.clone(), parameter(&read));
        written.insert(name, v);
    }
    // `--param id=007` is a text where the query needs one.
    if let Ok((prepared, _)) = prepare(&catalog, &text) {
        let texts = prepared.parameter_kinds().filter(|(_, kind)| *kind == Some("string"));
        for (name, raw) in texts.filter_map(|(n, _)| Some((n, written.get(n)?))) {
            if let Some(v @ (Val::Int(_) | Val::Float(_) | Val::Bool(_))) = params.get_mut(name) {
                *v = Val::str(*raw);
            }
        }
    }
    if a.explain {
        let (prepared, _) = prepare(&catalog, &text).map_err(|e| failure::query(&e, &text))?;
        output::print(&output::clean_lines(&prepared.explain(&catalog.default_graph()).to_string()))?;
        return Ok(ExitCode::SUCCESS);
    }
    #[cfg(feature = "arrow")]
    let arrow = a.format == Some(Format::Arrow);
    #[cfg(not(feature = "arrow"))]
    let arrow = false;
    if arrow && output::stdout_is_terminal() {
        return Err(Failure::input(
            "an Arrow stream isn't for a terminal; write it to a file: `… --format arrow > rows.arrows`",
        ));
    }
    let asked = Asked { spare_params: false, profile: a.profile, arrow };
    let r = answer(&catalog, &text, &params, &a.limits, asked).map_err(|e| failure::query(&e, &text))?;
    if let Some(p) = &r.profile {
        output::note(&output::clean_lines(p.to_string().trim_end()));
    }
    for w in &r.warnings {
        output::note(&format!("warning: {}", output::clean(w)));
    }
    let default = if output::stdout_is_terminal() { Format::Table } else { Format::Json };
    match a.format.unwrap_or(default) {
        Format::Table => output::print(&r.table())?,
        Format::Json => output::json(&r.document(), true)?,
        #[cfg(feature = "arrow")]
        Format::Arrow => output::bytes(r.arrow.as_deref().unwrap_or_default())?,
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
