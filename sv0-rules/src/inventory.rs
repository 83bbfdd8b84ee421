//! What there is, and how many non-human identities.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sv0_query::sv0_graph::{Direction, GraphError, GraphView, NodeType};

/// Counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// Nodes by type.
    pub nodes: BTreeMap<&'static str, u64>,
    /// Nodes by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Edges by type.
    pub edges: BTreeMap<String, u64>,
    /// Non-human identities: what authenticates, once each.
    pub nhi: u64,
    /// What the legacy classification would have counted.
    pub legacy_identities: u64,
}

/// Counts a graph. The NHI count counts what authenticates and nothing else (ADR-006): not app registrations (their
/// service principals count), not stand-ins for foreign accounts or anyone, and what SAME_AS joins counts once.
///
/// # Errors
/// [`GraphError`] if the file under the graph can't be read.
pub fn inventory<G: GraphView>(g: &G, legacy: u64) -> Result<Inventory, GraphError> {
    let mut nodes: BTreeMap<&'static str, u64> = NodeType::ALL.iter().map(|t| (t.name(), 0)).collect();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut edges: BTreeMap<String, u64> = BTreeMap::new();
    let mut counted: BTreeSet<u32> = BTreeSet::new();
    for n in g.nodes(None)? {
        let Some(ty) = g.node_type(n) else { continue };
        *nodes.entry(ty.name()).or_default() += 1;
        let kind = g.text(n, "kind")?;
        if ty == NodeType::Identity && !stands_in(&kind) && &*g.text(n, "status")? != "deleted" {
            counted.insert(n);
        }
        *kinds.entry(kind.to_string()).or_default() += 1;
        for t in g.schema().edge_type_ids() {
            let mut count = 0;
            g.expand(n, t, Direction::Out, &mut |_, _| count += 1)?;
            if count > 0 {
                *edges.entry(g.schema().edge_type(t).name.clone()).or_default() += count;
            }
        }
    }
    // Joined identities are one.
    let mut nhi = 0;
    let mut seen: BTreeSet<u32> = BTreeSet::new();
    let same = g.schema().edge_type_id("SAME_AS");
    for n in &counted {
        if !seen.insert(*n) {
            continue;
        }
        nhi += 1;
        let mut stack = vec![*n];
        while let (Some(at), Some(t)) = (stack.pop(), same) {
            for dir in [Direction::Out, Direction::In] {
                g.expand(at, t, dir, &mut |o, _| {
                    if seen.insert(o) {
                        stack.push(o);
                    }
                })?;
            }
        }
    }
    Ok(Inventory { nodes, kinds, edges, nhi, legacy_identities: nhi + legacy })
}

fn stands_in(kind: &str) -> bool {
    kind == "anonymous" || kind == "entra.application" || kind == "aws.service" || kind.starts_with("external.")
}
