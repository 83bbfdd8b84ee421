//! Joins: the same thing seen by two sources. Structural and deterministic, with both records as evidence; a value that
//! fits several things makes no edge.

use std::collections::BTreeMap;
use std::sync::Arc;

use sv0_graph::{Direction, EdgeInput, Evidence, GraphError, GraphView, NodeType, Value};

use super::Output;

pub(super) fn run<G: GraphView>(view: &G, out: &mut Output) -> Result<(), GraphError> {
    // A managed identity and the service principal that its principal id names.
    let by = |p: &'static str| move |n: u32| view.text(n, p);
    same(view, out, NodeType::Identity, "principal-id", &by("principal_id"), &|n| {
        let oid = view.text(n, "object_id")?;
        Ok(if oid.is_empty() && &*view.text(n, "kind")? == "entra.service_principal" { view.key(n)?.id } else { oid })
    })?;
    // A ServiceNow OAuth client and the Entra application with its client id.
    same(
        view,
        out,
        NodeType::Identity,
        "client-id",
        &|n| if &*view.text(n, "system")? == "servicenow" { view.text(n, "app_id") } else { Ok("".into()) },
        &|n| if &*view.text(n, "kind")? == "entra.service_principal" { view.text(n, "app_id") } else { Ok("".into()) },
    )?;
    people(view, out)?;
    hosts(view, out)
}

type Field<'f> = &'f dyn Fn(u32) -> Result<Arc<str>, GraphError>;

/// SAME_AS where the left's field is the right's, and only one right has it.
fn same<G: GraphView>(
    view: &G,
    out: &mut Output,
    ty: NodeType,
    name: &str,
    left: Field<'_>,
    right: Field<'_>,
) -> Result<(), GraphError> {
    let nodes = view.nodes(Some(ty))?;
    let mut index: BTreeMap<Arc<str>, Vec<u32>> = BTreeMap::new();
    for n in &nodes {
        let v: Arc<str> = right(*n)?.to_lowercase().into();
        if !v.is_empty() {
            index.entry(v).or_default().push(*n);
        }
    }
    for n in nodes {
        let v = left(n)?.to_lowercase();
        if v.is_empty() {
            continue;
        }
        if let Some([one]) = index.get(&*v).map(Vec::as_slice)
            && *one != n
            && view.key(*one)?.source != view.key(n)?.source
        {
            edge(view, out, "SAME_AS", n, *one, name)?;
        }
    }
    Ok(())
}

/// People by e-mail address: each with the first source's record of them.
fn people<G: GraphView>(view: &G, out: &mut Output) -> Result<(), GraphError> {
    let mut index: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for n in view.nodes(Some(NodeType::Owner))? {
        let mail = view.text(n, "email")?.to_lowercase();
        if mail.contains('@') {
            index.entry(mail).or_default().push(n);
        }
    }
    for nodes in index.values() {
        let mut sources: Vec<Arc<str>> = Vec::new();
        for n in nodes {
            sources.push(view.key(*n)?.source);
        }
        let mut once = sources.clone();
        once.sort();
        once.dedup();
        // Two people of one source with one address: ambiguous.
        if once.len() != sources.len() {
            continue;
        }
        if let Some((first, rest)) = nodes.split_first() {
            for n in rest {
                edge(view, out, "SAME_AS", *n, *first, "e-mail")?;
            }
        }
    }
    Ok(())
}

/// A connection's host is a known resource's host.
fn hosts<G: GraphView>(view: &G, out: &mut Output) -> Result<(), GraphError> {
    let mut index: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for n in view.nodes(Some(NodeType::Resource))? {
        let host = view.text(n, "host")?.to_lowercase();
        if !host.is_empty() {
            index.entry(host).or_default().push(n);
        }
    }
    let Some(connects) = view.schema().edge_type_id("CONNECTS_TO") else { return Ok(()) };
    for n in view.nodes(Some(NodeType::Connection))? {
        let host = view.text(n, "host")?.to_lowercase();
        if host.is_empty() {
            continue;
        }
        if let Some([one]) = index.get(&host).map(Vec::as_slice) {
            let mut there = false;
            view.expand(n, connects, Direction::Out, &mut |o, _| there |= o == *one)?;
            if !there {
                edge(view, out, "CONNECTS_TO", n, *one, "host")?;
            }
        }
    }
    Ok(())
}

fn edge<G: GraphView>(view: &G, out: &mut Output, ty: &str, a: u32, b: u32, by: &str) -> Result<(), GraphError> {
    let mut e = EdgeInput::new(ty, view.key(a)?, view.key(b)?);
    // A key of its own: what a source states itself stays.
    e.key = format!("join.{by}").into();
    e.evidence = Evidence::Structural;
    e = e
        .with("derivation", Value::str(format!("join.{by}")))
        .with("premises", Value::list([view.key(a)?.to_string(), view.key(b)?.to_string()]));
    for n in [a, b] {
        for (r, pointer) in view.node_records(n)? {
            let i = out.record(&r);
            e = e.at(i, pointer);
        }
    }
    out.batch.edges.push(e);
    Ok(())
}
