//! Searches from so many nodes that they go block by block, over value indexes and in parallel: the same rows as without any
//! of it, in the same order whatever the number of threads.

use std::sync::LazyLock;

use serde_json::{Value as Json, json};
use sv0_graph::Snapshot;
use sv0_query::{CheckOptions, Query, Rewrites, RunOptions, Val};

const NODES: usize = 3000;

/// A forest with some shortcuts: identities in groups in groups, roles at the top.
static GRAPH: LazyLock<Snapshot> = LazyLock::new(|| {
    let status = ["active", "disabled", "unknown"];
    let node = |i: usize| {
        let ty = if i.is_multiple_of(3) { "role" } else { "identity" };
        let kind = if i.is_multiple_of(3) { "aws.role" } else { "aws.user" };
        json!({"id": format!("n{i}"), "type": ty, "kind": kind, "name": format!("name {}", i % 50),
            "props": {"status": status[i % 7 % 3], "system": format!("s{}", i % 5), "tags": if i.is_multiple_of(11) { json!(["tier_zero"]) } else { json!([]) }}})
    };
    let nodes: Vec<Json> = (0..NODES).map(node).collect();
    let edge = |ty: &str, a: usize, b: usize| json!({"type": ty, "from": format!("n{a}"), "to": format!("n{b}")});
    let mut edges = Vec::new();
    for i in 0..NODES {
        // To a group with a smaller number; some have two ways.
        for (k, div) in [(1, 4), (2, 9)] {
            let to = i / div / 3 * 3;
            if to < i && i.is_multiple_of(k) {
                edges.push(edge("MEMBER_OF", i, to));
            }
        }
    }
    sv0_testkit::graph::snapshot(&json!({"nodes": nodes, "edges": edges}), 0)
});

fn rows(query: &str, rewrites: Rewrites, threads: usize) -> Vec<Vec<Val>> {
    let options = CheckOptions { rewrites, ..CheckOptions::default() };
    let prepared = Query::parse(query).unwrap().prepare(&*GRAPH, &options).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| prepared.run(&*GRAPH, &RunOptions::default()).unwrap().rows)
}

fn sorted(mut rows: Vec<Vec<Val>>) -> Vec<Vec<Val>> {
    rows.sort_by(|a, b| {
        a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    rows
}

#[test]
fn blocks_give_what_single_searches_give() {
    let all = Rewrites::all(true);
    let queries = [
        "MATCH (a:identity)-[:MEMBER_OF]->{1,3}(b:role) RETURN DISTINCT a, b",
        "MATCH (a:identity)-[:MEMBER_OF]->{0,3}(b) RETURN DISTINCT a, b",
        "MATCH (a:identity)-[:MEMBER_OF]->+(b:role WHERE b.status = 'active') RETURN DISTINCT a.id, b.id",
        "MATCH (a:identity {status: 'disabled'})-[:MEMBER_OF]->+(b {system: 's3'}) RETURN DISTINCT a.id, b.id",
        "MATCH (a:identity WHERE 'tier_zero' IN a.tags)-[:MEMBER_OF]->+(b) RETURN DISTINCT a.id, b.id",
        "MATCH (a:identity)-[:MEMBER_OF]-{1,2}(b) RETURN DISTINCT a.id, b.id",
        "MATCH (a:identity)-[:MEMBER_OF]-{0,2}(b:role) RETURN a, count(DISTINCT b) AS n",
        "MATCH (a)-[:MEMBER_OF]->{1,2}(b:role) WHERE a.system <> b.system RETURN DISTINCT a, b",
        "MATCH (a:identity)-[:MEMBER_OF]->+(b:role) RETURN a, count(DISTINCT b) AS n",
        "MATCH (a:identity)-[:MEMBER_OF]->+(b:role) RETURN b, count(DISTINCT a) AS n",
        "MATCH (a:identity)-[:MEMBER_OF]->+(b:role) RETURN a.system AS s, count(DISTINCT b) AS n",
        "MATCH (a:identity)-[:MEMBER_OF]->+(b:role {status: 'active'}) RETURN DISTINCT a, b NEXT RETURN count(*) AS n",
        "MATCH (a:identity) WHERE EXISTS { (a)-[:MEMBER_OF]->+(b:role {status: 'disabled'}) } RETURN a.id",
        "MATCH (a:identity)-[:MEMBER_OF]->+(b:role) RETURN a, COUNT { (a)-[:MEMBER_OF]->(c) } AS k, count(DISTINCT b) AS n",
    ];
    for q in queries {
        let with = rows(q, all, 1);
        assert!(!with.is_empty(), "{q}");
        assert_eq!(with, rows(q, all, 4), "threads: {q}");
        assert_eq!(sorted(with), sorted(rows(q, Rewrites::all(false), 1)), "{q}");
    }
}

#[test]
fn a_bound_holds_in_blocks_too() {
    let q = "MATCH (a:identity)-[:MEMBER_OF]->+(b:role) RETURN DISTINCT a, b";
    let prepared = Query::parse(q).unwrap().prepare(&*GRAPH, &CheckOptions::default()).unwrap();
    let budget = |work, memory| sv0_query::Budget { max_work: Some(work), max_memory: memory, ..Default::default() };
    let run = |b| prepared.run(&*GRAPH, &RunOptions { budget: b, ..RunOptions::default() });
    let all = run(budget(u64::MAX, u64::MAX)).unwrap();
    let work = all.stats.adjacency_entries;
    assert_eq!(run(budget(work, u64::MAX)).unwrap().rows, all.rows);
    assert_eq!(run(budget(work / 2, u64::MAX)).unwrap_err().code(), sv0_query::Code::WorkBudget);
    assert_eq!(run(budget(u64::MAX, 1000)).unwrap_err().code(), sv0_query::Code::MemoryBudget);
    // A few rows take a few searches.
    let few = Query::parse(&format!("{q} LIMIT 3")).unwrap().prepare(&*GRAPH, &CheckOptions::default()).unwrap();
    let few = few.run(&*GRAPH, &RunOptions::default()).unwrap();
    assert_eq!(few.rows, all.rows[..3]);
    assert!(few.stats.adjacency_entries < work / 20, "{} of {work}", few.stats.adjacency_entries);
}
