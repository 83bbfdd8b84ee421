//! How fast tables are read: `cargo run --release --features parquet --example read_tables -- FOLDER SCHEMA.toml [THREADS]`.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example that measures")]

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use sv0_connectors::sv0_graph::Schema;
use sv0_connectors::sv0_graph::bulk::{ColumnData, Table, TableSlice};
use sv0_connectors::tables::{Inputs, open};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let usage = "FOLDER SCHEMA.toml [THREADS]";
    let folder = args.next().ok_or(usage)?;
    let spec = args.next().ok_or(usage)?;
    let threads = args.next().map_or(Ok(1), |t| t.parse())?;
    let begun = Instant::now();
    let inputs = Inputs { folders: vec![folder.into()], spec: Some(spec.into()), ..Inputs::default() };
    let tables = open(&inputs, Schema::canonical())?;
    println!("open      {:>9.1} ms", ms(begun.elapsed()));
    let mut all: Vec<&dyn Table> = tables.nodes.iter().map(|t| &*t.table).collect();
    all.extend(tables.edges.iter().map(|t| &*t.table));
    all.sort_by_key(|t| std::cmp::Reverse(t.bytes()));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    for round in 0..5 {
        let (rows, text, coded) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let begun = Instant::now();
        // One job at a time to each thread, the largest first.
        let times: Vec<Result<_, _>> = pool.install(|| {
            all.par_iter()
                .with_max_len(1)
                .map(|t| {
                    let begun = Instant::now();
                    t.read(&mut |slice| {
                        rows.fetch_add(slice.rows as u64, Ordering::Relaxed);
                        let (t, c) = count(&slice);
                        text.fetch_add(t, Ordering::Relaxed);
                        coded.fetch_add(c, Ordering::Relaxed);
                        Ok(())
                    })?;
                    Ok::<_, sv0_connectors::sv0_graph::bulk::TableError>((begun.elapsed(), t.name()))
                })
                .collect()
        });
        let took = begun.elapsed();
        println!(
            "round {round}   {:>9.1} ms   {threads} threads, {} rows, {} MB of text, {} coded columns",
            ms(took),
            rows.load(Ordering::Relaxed),
            text.load(Ordering::Relaxed) >> 20,
            coded.load(Ordering::Relaxed)
        );
        if round == 4 {
            let mut times: Vec<_> = times.into_iter().collect::<Result<_, _>>()?;
            times.sort();
            for (took, name) in times.iter().rev().take(8) {
                println!("  {:>9.1} ms   {name}", ms(*took));
            }
        }
    }
    Ok(())
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

fn count(slice: &TableSlice) -> (u64, u64) {
    let mut text: usize = slice.keys.iter().map(|k| k.heap_bytes()).sum();
    let mut coded = 0;
    for c in &slice.columns {
        match &c.data {
            ColumnData::Text(t) => text += t.heap_bytes(),
            ColumnData::Coded { .. } => coded += 1,
            _ => {}
        }
    }
    (text as u64, coded)
}
