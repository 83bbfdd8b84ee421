//! Searches from so many nodes that they go block by block, over value indexes and in parallel: the same rows as without any
//! of it, in the same order whatever the number of threads.

use std::sync::LazyLock;

use serde_json::{Value as Json, json};
use sv0_graph::Snapshot;
use sv0_query::{Budget, CheckOptions, Query, Rewrites, RunOptions, Val};

const NODES: usize = 3000;

/// A forest with some shortcuts: identities in groups in groups, roles at the top.
static GRAPH: LazyLock<Snapshot> = LazyLock::new(|| {
    let status = ["active", "disabled", "unknown"];
    let node = |i: usize| {
        let ty = if i.is_multiple_of(3) { "role" } else { "identity" };
        let kind = if i.is_multiple_of(3) { "aws.role" } else { "aws.user" };
        json!({"id": format!("n{i}"), "type": ty, "kind": kind, "name": format!("name {}", i % 50),
            "props": {"members": if i.is_multiple_of(7) { Json::Null } else { json!(i64::try_from(i % 23).unwrap() - 4) }, "status": status[i % 7 % 3], "system": format!("s{}", i % 5), "tags": if i.is_multiple_of(11) { json!(["tier_zero"]) } else { json!([]) }}})
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
        "MATCH (a:identity) WHERE NOT EXISTS { (a)-[:MEMBER_OF]->{1,2}(b:role WHERE b.members > 3) } RETURN a.id",
        "MATCH (b:role) WHERE EXISTS { (a:identity {status: 'active'})-[:MEMBER_OF]->{1,4}(b) } RETURN b.id",
        "MATCH (a:identity) WHERE EXISTS { (a)-[:MEMBER_OF]->(:role)-[:MEMBER_OF]->{0,2}(:role {system: 's2'}) } RETURN a.id",
        "MATCH (a) WHERE EXISTS { (a:identity)-[:MEMBER_OF]->+(b {status: 'unknown'}) } RETURN a.id",
        "MATCH (a) WHERE EXISTS { (a)-[:MEMBER_OF]->{0,2}(b:role WHERE b.members < 0) } RETURN a.id",
        "MATCH (a:identity)-[:MEMBER_OF]->(g) WHERE EXISTS { (g)-[:MEMBER_OF]->+(:role {id: 'n0'}) } RETURN a.id, g.id",
        "MATCH (a:identity)-[:MEMBER_OF]->{1,9}(b {id: 'n3'}) RETURN DISTINCT a.id",
        "MATCH (a:identity) RETURN a.system, a.status, count(*) AS n",
        "MATCH (a) RETURN a.kind AS k, a.data_domain AS d, count(a) AS n ORDER BY n",
        "MATCH (a:identity WHERE a.members > 3) RETURN a.status AS s, count(*) AS n",
        "MATCH (a:`aws.user` {status: 'active'}) RETURN a.system AS s, a.name AS m, count(*) AS n",
        "MATCH (a:identity) RETURN a.id AS i, count(*) AS n",
        "MATCH (a:identity)-[:MEMBER_OF]->+(b:role) RETURN a, COUNT { (a)-[:MEMBER_OF]->(c) } AS k, count(DISTINCT b) AS n",
    ];
    for q in queries {
        let with = rows(q, all, 1);
        assert!(!with.is_empty(), "{q}");
        assert_eq!(with, rows(q, all, 4), "threads: {q}");
        assert_eq!(sorted(with), sorted(rows(q, Rewrites::all(false), 1)), "{q}");
    }
}

/// A property of each end that is a whole number stands in for most that are asked of ends: null here and
/// there.
#[test]
fn ends_are_summed_up_as_rows_are() {
    let all = Rewrites::all(true);
    let hop = "(a:identity)-[:MEMBER_OF]->{1,4}(b:role)";
    let queries = [
        "MATCH {hop} RETURN DISTINCT a, b NEXT RETURN count(*) AS n, sum(b.members) AS s, min(b.members) AS x, max(b.members) AS y, avg(b.members) AS z",
        "MATCH {hop} RETURN DISTINCT a, b NEXT RETURN count(b.members) AS n, count(DISTINCT a) AS k, max(a.name) AS m",
        "MATCH {hop} WHERE a.system <> b.system RETURN DISTINCT a, b NEXT RETURN count(*) AS n, sum(b.members) AS s, count(DISTINCT a) AS k",
        "MATCH {hop} WHERE a.system = b.system AND a.status = 'active' RETURN DISTINCT a, b NEXT RETURN a.name AS name, count(*) AS n, sum(b.members) AS s",
        "MATCH {hop} RETURN a, count(DISTINCT b) AS n, max(b.members) AS m",
        "MATCH {hop} RETURN a.system AS s, a.status AS t, min(b.members) AS m, max(DISTINCT b.members) AS k",
        "MATCH (a)-[:MEMBER_OF]->{1,4}(b) WHERE a <> b RETURN DISTINCT a, b NEXT RETURN count(*) AS n, sum(b.members) AS s",
        "MATCH (a)-[:MEMBER_OF]->{0,4}(b) WHERE a <> b RETURN DISTINCT a, b NEXT RETURN a.system AS s, count(*) AS n ORDER BY s",
        "MATCH (a:identity)-[:MEMBER_OF]->(:role)-[:MEMBER_OF]->{0,2}(b:role {status: 'active'}) RETURN DISTINCT a, b NEXT RETURN count(*) AS n, sum(b.members) AS s",
        "MATCH {hop} WHERE a.members / b.members > 0 RETURN DISTINCT a, b NEXT RETURN count(*) AS n",
        "MATCH (a:role)<-[:MEMBER_OF]-{1,4}(b:identity) RETURN DISTINCT a, b NEXT RETURN count(*) AS n, sum(b.members) AS s, avg(b.members) AS z",
        "MATCH (a:identity)-[:MEMBER_OF]->+(b:role WHERE b.id = 'n0') RETURN DISTINCT a, b NEXT RETURN count(*) AS n, sum(b.members) AS s",
        "MATCH (a:identity WHERE a.members > 5)-[:MEMBER_OF]->+(b:role WHERE b.members > 5) RETURN DISTINCT a, b NEXT RETURN count(*) AS n, sum(b.members) AS s",
    ];
    let run = |q: &str, rewrites: Rewrites, threads: usize| {
        let options = CheckOptions { rewrites, ..CheckOptions::default() };
        let prepared = Query::parse(q).unwrap().prepare(&*GRAPH, &options).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let answer = pool.install(|| prepared.run(&*GRAPH, &RunOptions::default()));
        answer.map(|r| sorted(r.rows)).map_err(|e| e.code())
    };
    for q in queries {
        let q = q.replace("{hop}", hop);
        let with = run(&q, all, 1);
        assert!(with.as_ref().is_ok_and(|r| !r.is_empty()) || q.contains(" / "), "{q}");
        assert_eq!(with, run(&q, all, 4), "threads: {q}");
        assert_eq!(with, run(&q, Rewrites::all(false), 1), "{q}");
    }
}

/// Summed up, no row is made for an end.
#[test]
fn ends_that_are_summed_up_cost_no_rows() {
    let q = "MATCH (a:identity)-[:MEMBER_OF]->+(b:role) RETURN DISTINCT a, b NEXT RETURN count(*) AS n, sum(b.members) AS s";
    let listed = "MATCH (a:identity)-[:MEMBER_OF]->+(b:role) RETURN DISTINCT a, b";
    let options = RunOptions { budget: Budget { max_rows: 10, ..Budget::default() }, ..RunOptions::default() };
    let prepared = Query::parse(q).unwrap().prepare(&*GRAPH, &CheckOptions::default()).unwrap();
    let r = prepared.run(&*GRAPH, &options).unwrap();
    let pairs = Query::parse(listed).unwrap().prepare(&*GRAPH, &CheckOptions::default()).unwrap();
    let pairs = pairs.run(&*GRAPH, &RunOptions::default()).unwrap();
    assert_eq!(r.rows[0][0], Val::Int(i64::try_from(pairs.rows.len()).unwrap()));
    // Nor is a bound on work passed over.
    let few = RunOptions { budget: Budget { max_work: Some(500), ..Budget::default() }, ..RunOptions::default() };
    assert_eq!(prepared.run(&*GRAPH, &few).unwrap_err().code(), sv0_query::Code::WorkBudget);
}

/// What an index says of texts isn't asked of lists, nor the other way round, however often a station is asked.
#[test]
fn an_index_answers_what_was_asked() {
    for q in [
        "MATCH (a:identity)-[:MEMBER_OF]->+(b:role WHERE 'active' IN b.status) RETURN DISTINCT a.id, b.id",
        "MATCH (a:identity) WHERE EXISTS { (a)-[:MEMBER_OF]->+(b:role WHERE 'active' IN b.status) } RETURN a.id",
    ] {
        assert!(rows(q, Rewrites::all(true), 1).is_empty(), "{q}");
    }
}

/// Searches that come to no end are begun only until it is known from where one comes to an end.
#[test]
fn searches_without_an_end_are_not_begun() {
    let end = "(b:role WHERE b.members > 17 AND b.status = 'active' AND b.system = 's1')";
    let way = "(()-[:MEMBER_OF]->()|()-[:CAN_ASSUME|HAS_ROLE]->()){1,6}";
    for head in ["ANY SHORTEST", "ALL SHORTEST", "SHORTEST 2"] {
        let run = |q: &str| {
            let prepared = Query::parse(q).unwrap().prepare(&*GRAPH, &CheckOptions::default()).unwrap();
            prepared.run(&*GRAPH, &RunOptions::default()).unwrap()
        };
        let q = format!("MATCH p = {head} (a:identity){way}{end} RETURN a.id, b.id, PATH_LENGTH(p) AS n");
        let with = run(&q);
        assert!(!with.rows.is_empty() && with.rows.len() < 300, "{}", with.rows.len());
        // To all ends, of which those are kept that fit.
        let all = run(&format!(
            "MATCH p = {head} (a:identity){way}(b:role) RETURN a, b, p NEXT \
             FILTER b.members > 17 AND b.status = 'active' AND b.system = 's1' RETURN a.id, b.id, PATH_LENGTH(p) AS n"
        ));
        assert_eq!(sorted(with.rows), sorted(all.rows), "{q}");
        let (with, all) = (with.stats.adjacency_entries, all.stats.adjacency_entries);
        assert!(with < all / 2, "{q}: {with} of {all}");
    }
}

/// A subquery that reads one node runs once a node, however many rows ask it.
#[test]
fn a_subquery_is_asked_once_a_node() {
    let q = "MATCH (a:identity)-[:MEMBER_OF]->(b:role) WHERE EXISTS { (b)-[:MEMBER_OF]->{1,3}(:role {status: 'active'}) } RETURN count(*) AS n";
    let r = |rewrites| {
        let options = CheckOptions { rewrites, ..CheckOptions::default() };
        let prepared = Query::parse(q).unwrap().prepare(&*GRAPH, &options).unwrap();
        prepared.run(&*GRAPH, &RunOptions::default()).unwrap()
    };
    let (with, without) = (r(Rewrites::all(true)), r(Rewrites::all(false)));
    assert_eq!(with.rows, without.rows);
    let edges = "MATCH (a:identity)-[:MEMBER_OF]->(b:role) RETURN count(*) AS n, count(DISTINCT b) AS k";
    let prepared = Query::parse(edges).unwrap().prepare(&*GRAPH, &CheckOptions::default()).unwrap();
    let all = prepared.run(&*GRAPH, &RunOptions::default()).unwrap();
    let [Val::Int(rows), Val::Int(roles)] = all.rows[0].as_slice() else { panic!() };
    // Each role leads to a few; the edges to it are many more.
    let asked = with.stats.adjacency_entries - all.stats.adjacency_entries;
    assert!(roles * 3 < *rows && i64::try_from(asked).unwrap() < roles * 12, "{rows} {roles} {asked}");
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
