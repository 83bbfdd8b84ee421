//! `generate`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use sv0_connectors::synthetic::{self, Options};

use crate::args::GenerateArgs;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(a: &GenerateArgs) -> Result<ExitCode, Failure> {
    if !(a.scale > 0.0 && a.scale <= 1000.0) {
        return Err(Failure::input("--scale takes a number above 0, up to 1000; 1 is about a hundred thousand nodes"));
    }
    let bad = |path: &Path| {
        let path = path.display().to_string();
        move |e: std::io::Error| Failure::input(format!("{path}: {e}"))
    };
    fs::create_dir_all(&a.out).map_err(bad(&a.out))?;
    if fs::read_dir(&a.out).map_err(bad(&a.out))?.next().is_some() {
        let m = format!("{}: the folder isn't empty; name another, or empty it", a.out.display());
        return Err(Failure::input(m));
    }
    let mut files: BTreeMap<String, BufWriter<File>> = BTreeMap::new();
    let made = synthetic::generate(Options { scale: a.scale, seed: a.seed }, &mut |name, line| {
        let path = a.out.join(format!("{name}.ndjson"));
        if !files.contains_key(name) {
            files.insert(name.to_owned(), BufWriter::new(File::create_new(&path).map_err(bad(&path))?));
        }
        match files.get_mut(name) {
            Some(f) => writeln!(f, "{line}").map_err(bad(&path)),
            None => Ok(()),
        }
    });
    let (made, truth) = made?;
    for (name, mut f) in files {
        f.flush().map_err(bad(&a.out.join(name)))?;
    }
    if let Some(t) = &a.truth {
        let text = serde_json::to_string_pretty(&truth).map_err(|e| Failure::Run(e.to_string()))?;
        fs::write(t, text + "\n").map_err(bad(t))?;
    }
    let sum = |all: &BTreeMap<&str, u64>| all.values().sum::<u64>();
    output::json(
        &json!({"scale": a.scale, "seed": a.seed, "nodes": sum(&made.nodes), "edges": sum(&made.edges),
            "nodes_by_type": made.nodes, "edges_by_type": made.edges, "planted": truth.found.len(), "healthy_twins": truth.healthy.len()}),
        true,
    )?;
    Ok(ExitCode::SUCCESS)
}
