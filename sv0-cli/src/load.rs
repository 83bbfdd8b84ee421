//! Opening stores and ingesting sources.

use std::path::{Path, PathBuf};

use sv0_connectors::enrich::{self, Pack};
use sv0_connectors::sources::{self, ReadOptions};
use sv0_graph::{Commit, GraphView, Schema, Snapshot, Store};
use sv0_query::time;
use sv0_rules::RulePack;

use crate::args::SourceArgs;
use crate::failure::Failure;
use crate::output;

/// Opens a store for reading: one's own through a mapping, a file from elsewhere piece by piece, because a mapping of a
/// file that its owner cuts meanwhile would kill this process.
#[allow(unsafe_code, reason = "the one call of `Store::map` outside of sv0-graph")]
pub(crate) fn open(path: &Path) -> Result<Store, Failure> {
    if !is_own(path) {
        return Store::open(path).map_err(|e| named(path, e));
    }
    // SAFETY: the command line maps stores for the length of one command. sv0 itself only appends to a store; that
    // nobody else truncates or rewrites the file meanwhile is what the user of a database file promises.
    unsafe { Store::map(path) }.map_err(|e| named(path, e))
}

/// Whether the file belongs to the user and nobody else may write it.
fn is_own(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).is_ok_and(|m| m.uid() == rustix::process::geteuid().as_raw() && m.mode() & 0o022 == 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Opens a store for writing; it is made if it isn't there.
pub(crate) fn open_for_writing(path: &Path) -> Result<Store, Failure> {
    Store::open_or_create(path, Schema::canonical()).map_err(|e| named(path, e))
}

fn named(path: &Path, e: sv0_graph::StoreError) -> Failure {
    match Failure::from(e) {
        Failure::Input(m) => Failure::Input(format!("{}: {m}", path.display())),
        Failure::Run(m) => Failure::Run(format!("{}: {m}", path.display())),
        f => f,
    }
}

/// A snapshot by number, date or name; the newest where nothing is said.
pub(crate) fn snapshot(store: &Store, which: Option<&str>) -> Result<Snapshot, Failure> {
    let Some(w) = which else { return Ok(store.latest()) };
    let all = store.snapshots();
    let by_number = w.parse::<u32>().ok().filter(|n| all.iter().any(|s| s.0 == *n));
    let by_name = || all.iter().rev().find(|s| s.2 == w).map(|s| s.0);
    let by_time = || {
        // A date means its whole day.
        let t = time::parse_timestamp(w)?;
        let end = if w.len() == 10 { t + 86_400_000_000 - 1 } else { t };
        all.iter().rev().find(|s| s.1 <= end).map(|s| s.0)
    };
    match by_number.or_else(by_name).or_else(by_time) {
        Some(n) => Ok(store.snapshot(n)?),
        None => {
            let have: Vec<String> =
                all.iter().map(|s| format!("{} ({}, {})", s.0, s.2, time::format_timestamp(s.1))).collect();
            Err(Failure::input(format!("there is no snapshot `{w}`; the store has {}", have.join(", "))))
        }
    }
}

/// A time given on the command line.
pub(crate) fn as_of(text: Option<&str>) -> Result<Option<i64>, Failure> {
    text.map(|t| time::parse_timestamp(t).ok_or_else(|| Failure::input(format!("--as-of: `{t}` isn't a timestamp"))))
        .transpose()
}

/// The built-in rules and the caller's.
pub(crate) fn rules(dirs: &[PathBuf], schema: &Schema) -> Result<RulePack, Failure> {
    let mut pack = RulePack::built_in(schema).map_err(|e| Failure::Run(e.to_string()))?;
    for d in dirs {
        pack = pack.extended_by(RulePack::from_dir(d, schema).map_err(|e| Failure::input(e.to_string()))?);
    }
    Ok(pack)
}

/// Reads sources and commits a snapshot for each observation time, the earliest first.
pub(crate) fn ingest(args: &SourceArgs, store: &mut Store, name: Option<&str>) -> Result<Vec<Commit>, Failure> {
    let mut pack = Pack::built_in().map_err(|e| Failure::Run(e.to_string()))?;
    for f in &args.classify {
        let text = std::fs::read_to_string(f).map_err(|e| Failure::input(format!("{}: {e}", f.display())))?;
        let more = Pack::parse(&text).map_err(|e| Failure::input(format!("{}: {e}", f.display())))?;
        pack = pack.extended_by(more);
    }
    let as_of = as_of(args.as_of.as_deref())?;
    let options = ReadOptions { connector: args.connector.clone(), observed_at: None };
    let schema = store.latest().schema().clone();
    let read = sources::read(&args.sources, &schema, &options)?;
    for line in &read.understood {
        output::note(&format!("read {}", output::clean(line)));
    }
    for line in read.skipped.iter().filter(|s| !s.contains("README")) {
        output::note(&format!("left out {}", output::clean(line)));
    }
    for line in &read.notes {
        output::note(&format!("note: {}", output::clean(line)));
    }
    let mut commits = Vec::new();
    for (at, batches) in read.observations {
        let known: Vec<_> = store.latest().sources();
        let mut t = store.begin()?;
        let batches = sources::link(batches, &known);
        if args.lenient {
            for v in t.stage_lenient(batches)? {
                output::note(&format!("refused: {}", output::clean(&v.to_string())));
            }
        } else {
            t.stage(batches)?;
        }
        let now = as_of.unwrap_or_else(|| t.view().time());
        let derived = enrich::run(t.view(), &pack, now)?;
        t.stage(vec![derived])?;
        let date = time::format_timestamp(at).get(..10).unwrap_or("").to_owned();
        commits.push(t.commit(name.unwrap_or(&date))?);
    }
    Ok(commits)
}
