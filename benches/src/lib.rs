//! What the benchmarks share: an organisation to measure on, and the obvious way to search it.

use std::collections::HashSet;

use sv0_graph::{
    Direction, EdgeInput, EdgeTypeId, GraphBatch, GraphError, GraphView, NodeInput, NodeKey, NodeType, Schema,
    Snapshot, Store, StoreError, Value,
};

/// Identities in groups of ten, groups nested in groups of four, a grant at each twentieth group, each on eight resources.
#[must_use]
pub fn organisation(identities: usize) -> GraphBatch {
    let key = |k: String| NodeKey::new("bench", k);
    let mut b = GraphBatch::new("bench", 0);
    for i in 0..identities {
        b.nodes.push(NodeInput::new(key(format!("i{i}")), NodeType::Identity, "entra.service_principal"));
        b.edges.push(EdgeInput::new("MEMBER_OF", key(format!("i{i}")), key(format!("g{}", i / 10))));
    }
    let groups = identities.div_ceil(10);
    for g in 0..groups {
        b.nodes.push(NodeInput::new(key(format!("g{g}")), NodeType::Role, "entra.group"));
        if g > 0 {
            b.edges.push(EdgeInput::new("MEMBER_OF", key(format!("g{g}")), key(format!("g{}", g / 4))));
        }
        if g.is_multiple_of(20) {
            b.nodes.push(NodeInput::new(key(format!("p{g}")), NodeType::Permission, "azure.role_assignment"));
            b.edges.push(EdgeInput::new("HAS_PERMISSION", key(format!("g{g}")), key(format!("p{g}"))));
            for r in 0..8 {
                let mut n = NodeInput::new(key(format!("r{g}.{r}")), NodeType::Resource, "storage");
                n.props.push(("sensitivity".into(), Value::str(if r == 0 { "high" } else { "low" })));
                n.props.push(("members".into(), Value::Int(r)));
                b.nodes.push(n);
                b.edges.push(EdgeInput::new("APPLIES_TO", key(format!("p{g}")), key(format!("r{g}.{r}"))));
            }
        }
    }
    b
}

/// A snapshot of it, in memory.
///
/// # Errors
/// What the store says.
pub fn snapshot(identities: usize) -> Result<Snapshot, StoreError> {
    let mut store = Store::in_memory(Schema::canonical())?;
    let mut txn = store.begin()?;
    txn.stage(vec![organisation(identities)])?;
    Ok(txn.commit("bench")?.snapshot)
}

/// The baseline: how many nodes of a type each start reaches, node by node with a hash set.
///
/// # Errors
/// What the view says.
pub fn reach_plainly(
    g: &Snapshot,
    starts: &[u32],
    steps: &[EdgeTypeId],
    most: usize,
    ty: NodeType,
) -> Result<usize, GraphError> {
    let mut total = 0;
    for s in starts {
        let mut seen: HashSet<u32> = HashSet::new();
        let mut level = vec![*s];
        for _ in 0..most {
            let mut next = Vec::new();
            for n in level {
                for step in steps {
                    g.expand(n, *step, Direction::Out, &mut |o, _| {
                        if seen.insert(o) {
                            next.push(o);
                        }
                    })?;
                }
            }
            level = next;
        }
        total += seen.iter().filter(|n| g.node_type(**n) == Some(ty)).count();
    }
    Ok(total)
}

/// Queries over it, by name.
pub const QUERIES: &[(&str, &str)] = &[
    (
        "reach from one",
        "MATCH (i:identity {id: 'i7777'})-[:authority]->{1,20}(r:resource) RETURN count(DISTINCT r) AS n",
    ),
    (
        "reach from all, summed up",
        "MATCH (i:identity)-[:authority]->{1,8}(r:resource) RETURN DISTINCT i, r NEXT RETURN count(*) AS n, sum(r.members) AS s",
    ),
    (
        "reach from all, as rows",
        "MATCH (i:identity)-[:authority]->{1,8}(r:resource {sensitivity: 'high'}) RETURN DISTINCT i, r LIMIT 20000",
    ),
    (
        "exists, of all",
        "MATCH (i:identity) WHERE EXISTS { (i)-[:authority]->{1,8}(r:resource {sensitivity: 'high'}) } RETURN count(*) AS n",
    ),
    (
        "any shortest, one pair",
        "MATCH p = ANY SHORTEST (i:identity {id: 'i7777'})-[:authority]->{1,20}(r:resource {id: 'r0.0'}) RETURN PATH_LENGTH(p) AS n",
    ),
    (
        "all shortest, one pair",
        "MATCH ALL SHORTEST (i:identity {id: 'i7777'})-[:authority]->{1,20}(r:resource {id: 'r0.0'}) RETURN count(*) AS n",
    ),
    (
        "acyclic paths from one",
        "MATCH ACYCLIC (i:identity {id: 'i7777'})-[:authority]->{1,9}(r:resource) RETURN r.id LIMIT 100",
    ),
    ("group by a property", "MATCH (r:resource) RETURN r.sensitivity, count(*) AS n"),
    ("two hops", "MATCH (i:identity)-[:MEMBER_OF]->(g)-[:MEMBER_OF]->(h) RETURN count(*) AS n"),
];
