//! Instructions that the hot loops take, counted by callgrind: free of the machine's noise. Beside the figures of the last time
//! (`benches/instructions.json`); `--keep` writes new ones.
//!
//! `cargo run --release -p sv0-benches --bin instructions [-- --keep]` (needs valgrind)
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a measuring program prints, starts programs and stops at what goes wrong"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};

use sv0_benches::{QUERIES, snapshot};
use sv0_graph::{GraphView, NodeKey};
use sv0_query::{Budget, CheckOptions, Query, RunOptions};

/// So much more than the last time is too much.
const TOLERANCE: f64 = 1.05;
const IDENTITIES: usize = 8_000;

/// What runs under callgrind: a loop, so often.
fn work(name: &str, rounds: usize) {
    let g = snapshot(IDENTITIES).unwrap();
    if name == "lookup by key" {
        let key = NodeKey::new("bench", "i7777");
        (0..rounds * 100).for_each(|_| _ = black_box(g.find(&key).unwrap()));
        return;
    }
    let (_, query) = QUERIES.iter().find(|(n, _)| *n == name).unwrap();
    let options = RunOptions { budget: Budget { max_work: None, ..Budget::default() }, ..RunOptions::default() };
    let prepared = Query::parse(query).unwrap().prepare(&g, &CheckOptions::default()).unwrap();
    // What the snapshot keeps is made before.
    black_box(prepared.run(&g, &options).unwrap());
    (0..rounds).for_each(|_| drop(black_box(prepared.run(&g, &options).unwrap())));
}

/// Instructions of a run with so many rounds.
fn count(name: &str, rounds: usize) -> u64 {
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["run", name, &rounds.to_string()])
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap_or_else(|e| panic!("valgrind: {e}"));
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{text}");
    let line = text.lines().find(|l| l.contains("Collected :")).unwrap();
    line.rsplit(':').next().unwrap().trim().parse().unwrap()
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [run, name, rounds] = args.as_slice()
        && run == "run"
    {
        work(name, rounds.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json");
    let before: BTreeMap<String, u64> =
        std::fs::read_to_string(&file).map_or_else(|_| BTreeMap::new(), |t| serde_json::from_str(&t).unwrap());
    let mut now = BTreeMap::new();
    let mut more = false;
    for name in QUERIES.iter().map(|(n, _)| *n).chain(["lookup by key"]) {
        let per_round = (count(name, 3) - count(name, 1)) / 2;
        let change = before.get(name).map(|b| per_round as f64 / *b as f64);
        more |= change.is_some_and(|c| c > TOLERANCE);
        println!("{name:28} {per_round:>14} {}", change.map_or(String::new(), |c| format!("{c:.3} x the last time")));
        now.insert(name.to_owned(), per_round);
    }
    if args.iter().any(|a| a == "--keep") {
        std::fs::write(&file, serde_json::to_string_pretty(&now).unwrap() + "\n").unwrap();
        return ExitCode::SUCCESS;
    }
    if more { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
