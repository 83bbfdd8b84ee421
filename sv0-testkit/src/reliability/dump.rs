//! All of a snapshot in text, through the view alone.

use std::fmt::Write;

use sv0_graph::{Direction, GraphError, GraphView, PropId, Snapshot};

/// Every node, property, edge and origin.
///
/// # Errors
/// What reading meets.
pub fn dump(s: &Snapshot) -> Result<String, GraphError> {
    let mut out = format!("snapshot {} time {} sources {:?}\n", s.number(), s.time(), s.sources());
    let props = |n: usize| (0..n).filter_map(|p| u16::try_from(p).ok()).map(PropId);
    let node_props = s.schema().node_properties().len();
    let edge_props = s.schema().edge_properties().len();
    for r in 0..s.record_count() {
        if let Some(page) = s.page(r)? {
            let _ = writeln!(out, "page {r} {page}");
        }
    }
    for n in s.nodes(None)? {
        let key = s.key(n)?;
        let found = s.find(&key)?;
        let _ = writeln!(out, "{n} {key} {:?} {:?} {:?}", s.node_type(n), found, s.node_records(n)?);
        for p in props(node_props) {
            let v = s.node_prop(n, p)?;
            if !v.is_null() {
                let _ = writeln!(out, "  {} = {v:?}", p.0);
            }
        }
        for t in s.schema().edge_type_ids() {
            let mut edges = Vec::new();
            s.expand(n, t, Direction::Out, &mut |o, e| edges.push((o, e)))?;
            for (o, e) in edges {
                let _ = writeln!(out, "  -> {o} {:?} {:?}", s.edge(e)?, s.edge_records(e)?);
                for p in props(edge_props) {
                    let v = s.edge_prop(e, p)?;
                    if !v.is_null() {
                        let _ = writeln!(out, "    {} = {v:?}", p.0);
                    }
                }
            }
            let mut edges = Vec::new();
            s.expand(n, t, Direction::In, &mut |o, e| edges.push((o, e)))?;
            if !edges.is_empty() {
                let _ = writeln!(out, "  <- {edges:?}");
            }
        }
    }
    Ok(out)
}

/// The text's hash.
///
/// # Errors
/// What reading meets.
pub fn dump_hash(s: &Snapshot) -> Result<String, GraphError> {
    Ok(blake3::hash(dump(s)?.as_bytes()).to_hex().to_string())
}
