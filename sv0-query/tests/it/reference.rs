//! The engine against the reference evaluator, on generated graphs and queries. `SV0_SEED=n` runs one pair,
//! `SV0_PAIRS=n` sets how many.

use serde_json::json;
use sv0_graph::Snapshot;
use sv0_query::{Budget, CheckOptions, Query, Rewrites, RunOptions, Val};
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
    // A product that outgrows its budget is no answer to compare.
    let bound = |e: &sv0_query::QueryError| ["SV-Q420", "SV-Q421", "SV-Q422"].contains(&e.code().text());
    let options = RunOptions { budget: Budget { max_rows: 2_000_000, ..Budget::default() }, ..RunOptions::default() };
    let got = match prepared.run(&s, &options) {
        Ok(r) => r,
        Err(e) if bound(&e) => return Ok(()),
        Err(e) => return Err(format!("{e}")),
    };
    let want = Reference::new(&s).run(q.ast());
    // Whatever the planner does, it changes no answer.
    let plain = CheckOptions { rewrites: Rewrites::all(false), ..CheckOptions::default() };
    let plain = q.prepare(&s, &plain).map_err(|e| format!("without rewrites: {e}"))?;
    let plain = plain.run(&s, &options).map_err(|e| format!("without rewrites: {e}"))?;
    // What is printed asks the same.
    let printed = Query::parse(&q.canonical()).map_err(|e| format!("{}: {e}", q.canonical()))?;
    let printed = printed.prepare(&s, &CheckOptions::default()).map_err(|e| format!("{}: {e}", q.canonical()))?;
    let printed = printed.run(&s, &options).map_err(|e| format!("{}: {e}", q.canonical()))?;
    let collected = text.contains("collect(");
    let mut a: Vec<String> = got.rows.iter().map(|r| normal(r, collected)).collect();
    let mut b: Vec<String> = want.iter().map(|r| normal(r, collected)).collect();
    if q.ast().rest.is_empty() && text.ends_with("ORDER BY c DESC, a") {
        // Both order by the same keys; rows that are alike in them may stand either way.
        let keys =
            |rows: &[Vec<Val>]| rows.iter().map(|r| format!("{:?} {:?}", r.last(), r.first())).collect::<Vec<_>>();
        if keys(&got.rows) != keys(&want) {
            return Err(format!("another order\nengine {:?}\nreference {:?}", got.rows, want));
        }
    }
    a.sort();
    b.sort();
    for (how, rows) in [("without rewrites", &plain.rows), ("printed", &printed.rows)] {
        let mut c: Vec<String> = rows.iter().map(|r| normal(r, collected)).collect();
        c.sort();
        if c != b {
            return Err(format!("{how}: {}\n{}\nreference {}\n{}", c.len(), c.join("\n"), b.len(), b.join("\n")));
        }
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
    let pairs: u64 = std::env::var("SV0_PAIRS").ok().and_then(|p| p.parse().ok()).unwrap_or(20_000);
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
