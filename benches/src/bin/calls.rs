//! The peers' Q1 and Q2 through the Rust interface, prepared: what the engine takes without a client, and what parsing and
//! planning would add to each call.
//!
//! `cargo run --release -p sv0-benches --bin calls -- org.sv0 params.json`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program prints, reads the clock and stops at what goes wrong"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use sv0_graph::{Snapshot, Store};
use sv0_query::{CheckOptions, Prepared, Query, RunOptions, Val};

const TYPES: &[(&str, &str)] = &[
    ("idn", "identity"),
    ("aut", "automation"),
    ("con", "connection"),
    ("crd", "credential"),
    ("own", "owner"),
    ("rol", "role"),
    ("prm", "permission"),
    ("res", "resource"),
    ("evd", "execution_evidence"),
];
const Q2: &str = "MATCH (:permission {id: $id})-[e:applies_to WHERE e.weight >= 0.5]->(r:resource WHERE r.sensitivity = 'high') RETURN count(*) AS n, sum(r.nid) AS s";

#[allow(unsafe_code)]
fn map(path: &Path) -> Store {
    // SAFETY: nobody else is at the file while it is measured.
    unsafe { Store::map(path) }.unwrap()
}

fn prepare(g: &Snapshot, text: &str) -> Prepared {
    Query::parse(text).unwrap().prepare(g, &CheckOptions::default()).unwrap()
}

fn ask(p: &Prepared, g: &Snapshot, id: &str) -> i64 {
    let params = BTreeMap::from([("id".into(), Val::str(id))]);
    let r = p.run(g, &RunOptions { params, ..RunOptions::default() }).unwrap();
    r.rows.iter().map(|row| if let Some(Val::Int(n)) = row.first() { *n } else { 0 }).sum()
}

fn median(rounds: usize, mut f: impl FnMut()) -> Duration {
    let mut all: Vec<Duration> = (0..rounds)
        .map(|_| {
            let t = Instant::now();
            f();
            t.elapsed()
        })
        .collect();
    all.sort();
    all[rounds / 2]
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let g = map(Path::new(&args[0])).latest();
    let params: Json = serde_json::from_str(&std::fs::read_to_string(&args[1]).unwrap()).unwrap();
    let ids = |name: &str| -> Vec<String> {
        params[name].as_array().unwrap().iter().map(|k| k[0].as_str().unwrap().to_owned()).collect()
    };
    let point = |ty: &str| format!("MATCH (n:{ty} {{id: $id}}) RETURN n.nid, n.name, n.system, n.status");
    let ready: BTreeMap<&str, Prepared> = TYPES.iter().map(|(p, t)| (*p, prepare(&g, &point(t)))).collect();
    let (q1, q2) = (ids("q1"), ids("q2"));
    let sum: i64 = q1.iter().map(|id| ask(&ready[&id[..3]], &g, id)).sum();
    let t1 = median(21, || q1.iter().for_each(|id| _ = ask(&ready[&id[..3]], &g, id)));
    let p2 = prepare(&g, Q2);
    let n: i64 = q2.iter().map(|id| ask(&p2, &g, id)).sum();
    let t2 = median(21, || q2.iter().for_each(|id| _ = ask(&p2, &g, id)));
    println!("Q1, {} calls: {t1:?} ({:?} a call), sum {sum}", q1.len(), t1 / u32::try_from(q1.len()).unwrap());
    println!("Q2, {} calls: {t2:?} ({:?} a call), {n} edges", q2.len(), t2 / u32::try_from(q2.len()).unwrap());
    let text = point("identity");
    let plan = |text: &str| median(21, || (0..100).for_each(|_| drop(prepare(&g, text)))) / 100;
    println!("to parse and plan anew, each call: Q1 {:?}, Q2 {:?}", plan(&text), plan(Q2));
}
