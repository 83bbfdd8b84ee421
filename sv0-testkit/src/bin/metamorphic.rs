//! `cargo run --release -p sv0-testkit --bin metamorphic`: on a graph of a million edges, where the reference evaluator is
//! out of reach, answers are compared with answers to related questions.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, reason = "a failing relation is a failing run")]

use std::process::ExitCode;

use sv0_graph::{EdgeInput, GraphBatch, NodeInput, NodeKey, NodeType, Schema, Snapshot, Store, Value};
use sv0_query::{Budget, CheckOptions, Query, RunOptions, Val};
use sv0_testkit::generate::Rng;

const NODES: usize = 200_000;
const EDGES: usize = 1_000_000;

/// Two halves that nothing connects, the same but for their ids; hubs, loops and parallel edges in each.
fn graph(shuffle: Option<u64>) -> Snapshot {
    let half = NODES / 2;
    let mut r = Rng::new(3);
    let mut ends = Vec::with_capacity(EDGES);
    for i in 0..EDGES / 2 {
        let from = r.below(half);
        let to = match r.below(20) {
            0 => from,
            1 | 2 => r.below(100),
            _ => r.below(half),
        };
        ends.push((i, from, to, r.below(4)));
    }
    let types = ["CAN_ASSUME", "SAME_AS", "INSTANCE_OF", "CAN_ASSUME"];
    let key = |side: usize, i: usize| NodeKey::new("org", format!("{side}-{i}"));
    let mut batch = GraphBatch::new("org", 0);
    for side in 0..2 {
        for i in 0..half {
            let n =
                NodeInput::new(key(side, i), NodeType::Identity, "aws.role").with("count", Value::Int((i % 5) as i64));
            batch.nodes.push(if i % 3 == 0 { n } else { n.with("status", Value::str(["active", "disabled"][i % 2])) });
        }
        for (i, from, to, ty) in &ends {
            let mut e = EdgeInput::new(types[*ty], key(side, *from), key(side, *to));
            e.key = format!("{i}").into();
            batch.edges.push(e);
        }
    }
    if let Some(seed) = shuffle {
        let mut r = Rng::new(seed);
        for i in (1..batch.nodes.len()).rev() {
            batch.nodes.swap(i, r.below(i + 1));
        }
        for i in (1..batch.edges.len()).rev() {
            batch.edges.swap(i, r.below(i + 1));
        }
    }
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let mut txn = store.begin().unwrap();
    txn.stage(vec![batch]).unwrap();
    txn.commit("million").unwrap().snapshot
}

fn rows(g: &Snapshot, q: &Query) -> Vec<String> {
    let budget = Budget { max_work: None, max_rows: 10_000_000, max_memory: 8 << 30, ..Budget::default() };
    let options = RunOptions { budget, ..RunOptions::default() };
    let answer = q.prepare(g, &CheckOptions::default()).and_then(|p| p.run(g, &options));
    let mut out: Vec<String> =
        answer.unwrap_or_else(|e| panic!("{}: {e}", q.text())).rows.iter().map(|r| format!("{r:?}")).collect();
    out.sort_unstable();
    out
}

fn ask(g: &Snapshot, text: &str) -> Vec<String> {
    rows(g, &Query::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")))
}

fn number(g: &Snapshot, text: &str) -> i64 {
    let q = Query::parse(text).unwrap();
    let budget = Budget { max_work: None, max_rows: 10_000_000, max_memory: 8 << 30, ..Budget::default() };
    let options = RunOptions { budget, ..RunOptions::default() };
    let r = q.prepare(g, &CheckOptions::default()).and_then(|p| p.run(g, &options));
    match r.unwrap_or_else(|e| panic!("{text}: {e}")).rows.first().and_then(|r| r.first()) {
        Some(Val::Int(n)) => *n,
        v => panic!("{text}: {v:?}"),
    }
}

fn main() -> ExitCode {
    let g = graph(None);
    let permuted = graph(Some(9));
    let starts = "['0-1', '0-77', '0-4242', '1-1', '1-99', '0-99999']";
    let from = format!("WHERE a.id IN {starts}");
    let (mut held, mut broken) = (0u32, 0u32);
    let mut relation = |name: &str, ok: bool| {
        if ok {
            held += 1;
        } else {
            broken += 1;
            println!("broken: {name}");
        }
    };
    let types = ["", ":CAN_ASSUME", ":SAME_AS|INSTANCE_OF", ":authority"];
    for t in types {
        for hops in ["{1,2}", "{2}", "{0,2}"] {
            let text = format!("MATCH (a)-[{t}]->{hops}(b) {from} RETURN a.id AS a, b.id AS b");
            let q = Query::parse(&text).unwrap();
            let want = rows(&g, &q);
            relation(&format!("permutation: {text}"), want == rows(&permuted, &q));
            let turned = q.reversed().unwrap();
            relation(&format!("reversal: {}", turned.text()), want == rows(&g, &turned));
        }
        // k hops, written as a quantifier and one by one.
        for (k, chain) in [(2, "-[T]->()-[T]->"), (3, "-[T]->()-[T]->()-[T]->")] {
            let chain = chain.replace('T', t);
            for mode in ["", "REPEATABLE ELEMENTS "] {
                let counted = number(&g, &format!("MATCH {mode}(a)-[{t}]->{{{k}}}(b) {from} RETURN count(*) AS n"));
                let written = number(&g, &format!("MATCH {mode}(a){chain}(b) {from} RETURN count(*) AS n"));
                relation(&format!("{mode}{k} hops of {t}: {counted}, {written}"), counted == written);
            }
        }
        // Bounds: what is reached within three hops is what one, two or three hops reach.
        let within = ask(&g, &format!("MATCH (a)-[{t}]->{{1,3}}(b) {from} RETURN DISTINCT a.id AS a, b.id AS b"));
        let part = |k: u32| format!("MATCH (a)-[{t}]->{{{k}}}(b) {from} RETURN a.id AS a, b.id AS b");
        let parts = ask(&g, &format!("{} UNION {} UNION {}", part(1), part(2), part(3)));
        relation(&format!("bounds of {t}"), within == parts);
        // A shortest path is as long as the first bound that reaches.
        let shortest = ask(
            &g,
            &format!(
                "MATCH p = ANY SHORTEST (a)-[{t}]->{{1,3}}(b) {from} RETURN a.id AS a, b.id AS b, PATH_LENGTH(p) AS n"
            ),
        );
        let first = ask(
            &g,
            &format!("MATCH p = (a)-[{t}]->{{1,3}}(b) {from} RETURN a.id AS a, b.id AS b, min(PATH_LENGTH(p)) AS n"),
        );
        relation(&format!("shortest of {t}"), shortest == first);
        // A condition holds, doesn't hold, or isn't known.
        for c in ["b.status = 'active'", "b.count > 2", "a.count = b.count"] {
            let whole = number(&g, &format!("MATCH (a)-[{t}]->{{1,2}}(b) {from} RETURN count(*) AS n"));
            let split: i64 = [c.to_owned(), format!("NOT ({c})"), format!("({c}) IS NULL")]
                .iter()
                .map(|c| number(&g, &format!("MATCH (a)-[{t}]->{{1,2}}(b) {from} AND {c} RETURN count(*) AS n")))
                .sum();
            relation(&format!("partition by {c} of {t}: {whole}, {split}"), whole == split);
        }
        // Two halves that nothing connects.
        let side =
            |s: usize| number(&g, &format!("MATCH (a)-[{t}]->(b) WHERE a.id STARTS WITH '{s}-' RETURN count(*) AS n"));
        let all = number(&g, &format!("MATCH (a)-[{t}]->(b) RETURN count(*) AS n"));
        relation(&format!("disjoint union of {t}: {all}"), side(0) == side(1) && side(0) + side(1) == all);
    }
    println!("{EDGES} edges: {held} relations held, {broken} broken");
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
