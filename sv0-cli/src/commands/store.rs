//! `info`, `verify`, `snapshots`.

use std::process::ExitCode;

use serde_json::json;
use sv0_query::time;

use crate::args::{DocumentFormat, StoreArgs};
use crate::failure::Failure;
use crate::{load, output};

fn is_json(a: &StoreArgs) -> bool {
    let default = if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json };
    a.format.unwrap_or(default) == DocumentFormat::Json
}

pub(crate) fn info(a: &StoreArgs) -> Result<ExitCode, Failure> {
    let store = load::open(&a.store)?;
    let (i, s) = (store.info(), store.latest().info());
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let per_edge = i.sections.values().map(|s| s.bytes).sum::<u64>() as f64 / s.edges.max(1) as f64;
    if is_json(a) {
        let sections: serde_json::Map<_, _> =
            i.sections.iter().map(|(k, v)| (k.clone(), json!({"chunks": v.chunks, "bytes": v.bytes}))).collect();
        output::json(
            &json!({"format_version": i.format_version, "file_bytes": i.file_bytes, "manifest_bytes": i.manifest_bytes,
                "snapshot": s.number, "name": s.name, "time": time::format_timestamp(s.time), "nodes": s.nodes,
                "edges": s.edges, "bytes_per_edge": (per_edge * 10.0).round() / 10.0, "sections": sections,
                "content_hash": store.latest().content_hash()}),
            true,
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = format!(
        "format {}, {} bytes; snapshot {} ({}) of {}: {} nodes, {} edges, {per_edge:.1} bytes per edge\n",
        i.format_version,
        i.file_bytes,
        s.number,
        output::clean(&s.name),
        time::format_timestamp(s.time),
        s.nodes,
        s.edges
    );
    let mut rows: Vec<Vec<String>> =
        i.sections.iter().map(|(k, v)| vec![format!("  {k}"), v.chunks.to_string(), v.bytes.to_string()]).collect();
    rows.push(vec!["  manifest".to_owned(), "1".to_owned(), i.manifest_bytes.to_string()]);
    out += &output::table(&["  section", "chunks", "bytes"], rows);
    output::print(&out)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn verify(a: &StoreArgs) -> Result<ExitCode, Failure> {
    // What is to be verified may be damaged: it isn't mapped.
    let store = match sv0_graph::Store::open(&a.store) {
        Ok(s) => s,
        Err(e @ (sv0_graph::StoreError::Truncated { .. } | sv0_graph::StoreError::Corrupt { .. })) => {
            output::error(&format!("{}: {e}", a.store.display()));
            return Ok(ExitCode::from(1));
        }
        Err(e) => return Err(e.into()),
    };
    let r = store.verify()?;
    if is_json(a) {
        output::json(
            &json!({"snapshots": r.snapshots, "sections": r.sections, "bytes": r.bytes, "problems": r.problems}),
            true,
        )?;
    } else {
        for p in &r.problems {
            output::print(&format!("{}\n", output::clean(p)))?;
        }
        let what = if r.problems.is_empty() { "whole".to_owned() } else { format!("{} problems", r.problems.len()) };
        output::print(&format!("{what}: {} snapshots, {} sections, {} bytes\n", r.snapshots, r.sections, r.bytes))?;
    }
    Ok(if r.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub(crate) fn snapshots(a: &StoreArgs) -> Result<ExitCode, Failure> {
    let store = load::open(&a.store)?;
    let all = store.snapshots();
    if is_json(a) {
        let list: Vec<_> = all
            .iter()
            .map(|(n, t, name)| json!({"snapshot": n, "time": time::format_timestamp(*t), "name": name}))
            .collect();
        output::json(&json!({"snapshots": list}), true)?;
    } else {
        let rows = all.into_iter().map(|(n, t, name)| vec![n.to_string(), time::format_timestamp(t), name]).collect();
        output::print(&output::table(&["snapshot", "time", "name"], rows))?;
    }
    Ok(ExitCode::SUCCESS)
}
