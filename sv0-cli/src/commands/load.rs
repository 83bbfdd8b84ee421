//! `load`.

use std::process::ExitCode;

use sv0_connectors::tables::{self, Inputs};
use sv0_graph::bulk::{LoadInput, LoadOptions, LoadProgress};
use sv0_graph::{GraphView, Schema};
use sv0_query::time;

use crate::args::{DocumentFormat, LoadArgs};
use crate::commands::assess::print_commits;
use crate::failure::Failure;
use crate::{clock, load, output};

pub(crate) fn load(a: &LoadArgs) -> Result<ExitCode, Failure> {
    let observed_at = match &a.observed_at {
        Some(t) => Some(
            time::parse_timestamp(t)
                .ok_or_else(|| Failure::input(format!("--observed-at: `{t}` isn't a timestamp; write 2026-05-14")))?,
        ),
        None => None,
    };
    if a.folders.is_empty() && a.nodes.is_empty() && a.edges.is_empty() {
        return Err(Failure::input("nothing to load; name a folder of tables, or --nodes and --edges"));
    }
    if let Some(f) = a.folders.iter().find(|f| f.is_file()) {
        let name = f.display();
        return Err(Failure::input(format!(
            "{name}: a file; say what it holds, `--nodes TYPE={name}` or `--edges TYPE:FROM:TO={name}`, or name its folder"
        )));
    }
    // What the tables say wrong is said before there is a store.
    let (mut store, new) =
        if a.store.exists() { (Some(load::open_for_writing(&a.store)?), false) } else { (None, true) };
    let schema = store.as_ref().map_or_else(Schema::canonical, |s| s.latest().schema().clone());
    let inputs =
        Inputs { nodes: a.nodes.clone(), edges: a.edges.clone(), folders: a.folders.clone(), spec: a.schema.clone() };
    let tables = tables::open(&inputs, schema).map_err(|e| Failure::input(e.to_string()))?;
    let input = LoadInput {
        source: a.source.as_str().into(),
        system: "".into(),
        observed_at,
        schema: tables.schema,
        nodes: tables.nodes,
        edges: tables.edges,
    };
    let bar = indicatif::ProgressBar::hidden();
    let style = indicatif::ProgressStyle::with_template("{msg} [{wide_bar}] {bytes}/{total_bytes} {eta}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    let watch = clock::stopwatch();
    let shown = std::sync::atomic::AtomicBool::new(false);
    let visible = output::stderr_is_terminal();
    let progress = |p: LoadProgress| {
        if !visible || watch() < 1_000_000 {
            return;
        }
        if !shown.swap(true, std::sync::atomic::Ordering::Relaxed) {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
        bar.set_length(p.all);
        bar.set_position(p.done);
        bar.set_message(p.phase);
    };
    let options = LoadOptions { memory: usize::try_from(a.memory).unwrap_or(usize::MAX), progress: Some(&progress) };
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(n) = a.threads {
        pool = pool.num_threads(n);
    }
    let pool = pool.build().map_err(|e| Failure::Run(format!("threads: {e}")))?;
    let date = observed_at.map(|t| time::format_timestamp(t).get(..10).unwrap_or("").to_owned());
    let name = a.name.clone().or(date).unwrap_or_else(|| "load".to_owned());
    let mut store = match store.take() {
        Some(s) => s,
        None => load::open_for_writing(&a.store)?,
    };
    let loaded = pool.install(|| store.load(&input, options, &name));
    bar.finish_and_clear();
    let loaded = loaded.map_err(|e| {
        drop(store);
        if new {
            // A store that holds nothing and wasn't there before helps nobody.
            let _ = std::fs::remove_file(&a.store);
        }
        match e {
            sv0_graph::bulk::LoadError::Store(e) => Failure::from(e),
            e => Failure::input(e.to_string()),
        }
    })?;
    if loaded.duplicates > 0 {
        let rows = if loaded.duplicates == 1 { "row" } else { "rows" };
        output::note(&format!(
            "{} {rows} of edges left out: an earlier row has the same type, ends and key (name a key column in the schema \
             file to tell parallel edges apart)",
            loaded.duplicates
        ));
    }
    if observed_at.is_none() && loaded.commit.snapshot.time() == 0 {
        output::note(
            "no node has a timestamp, so the snapshot's time is 1970-01-01; say when it was with --observed-at",
        );
    }
    let default = if output::stdout_is_terminal() { DocumentFormat::Table } else { DocumentFormat::Json };
    print_commits(&[loaded.commit], a.format.unwrap_or(default))?;
    Ok(ExitCode::SUCCESS)
}
