//! Conformance suites: a graph, a query, what it must answer; in every variant that must not change the answer.
//!
//! A case's graph is loaded through the public builder into a store, which is closed and opened again from its file;
//! then the query runs in each [`Variant`]. `sv0-query/tests/it/conformance/README.md` describes the form of the files.
//!
//! | room | holds |
//! |---|---|
//! | `case` | a case, and files of them |
//! | `expect` | kinds of expectations, and whether they hold |
//! | `cells` | the TCK's notation of values |
//! | `errors` | the TCK's classes of errors |
//! | `skip` | cases that may fail |

mod case;
pub mod cells;
pub mod errors;
mod expect;
mod skip;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::Value as Json;
use sv0_graph::adhoc::AdhocGraph;
use sv0_graph::{Snapshot, Store};
use sv0_query::{Budget, CheckOptions, Query, QueryResult, RunOptions, Val};
use tempfile::TempDir;

pub use case::{Case, Named, Param, read};
pub use expect::{Expect, Part, Reduced};
pub use skip::SkipList;

use crate::generate::Rng;
use errors::{Phase, Refusal};

/// Adjacency entries that a case may touch: one that goes wrong ends.
const MAX_WORK: u64 = 100_000_000;
/// A deep literal is the parser's to refuse, not the thread's to die of.
const STACK: usize = 16 << 20;
/// Threads that run a file.
const WORKERS: usize = 2;
/// Cases of one graph that a worker takes at once.
const AT_ONCE: usize = 64;

/// A way to run a case that must not change its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// As it is written.
    AsIs,
    /// Nodes and edges inserted in another order.
    Permuted,
    /// Each path pattern written from its other end; left out where that would mean something else.
    Reversed,
    /// Loaded and run by one thread.
    OneThread,
    /// Loaded and run by four threads.
    FourThreads,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::AsIs, Self::Permuted, Self::Reversed, Self::OneThread, Self::FourThreads];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AsIs => "as is",
            Self::Permuted => "permuted",
            Self::Reversed => "reversed",
            Self::OneThread => "1 thread",
            Self::FourThreads => "4 threads",
        }
    }

    /// By name.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|v| v.name() == name);
        found.ok_or_else(|| format!("`{name}` is no variant: {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// What became of a file's cases.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// How many passed.
    pub passed: usize,
    /// How many failed as the skip list allows.
    pub skipped: usize,
    /// Cases that failed, and why.
    pub failed: Vec<(String, String)>,
    /// Cases that the skip list has, and that passed.
    pub surprising: Vec<String>,
    /// Cases that the skip list has, and the file hasn't.
    pub absent: Vec<String>,
}

impl Summary {
    /// How many cases there were.
    #[must_use]
    pub fn total(&self) -> usize {
        self.passed + self.skipped + self.failed.len() + self.surprising.len()
    }

    /// Nothing failed that may not, and nothing passed that is said to fail.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.surprising.is_empty()
    }

    /// The figures, and the first `most` of what is wrong.
    #[must_use]
    pub fn report(&self, most: usize) -> String {
        let mut out = format!(
            "{} cases: {} passed, {} skipped, {} failed, {} skipped but passing",
            self.total(),
            self.passed,
            self.skipped,
            self.failed.len(),
            self.surprising.len()
        );
        let failed = self.failed.iter().map(|(id, why)| format!("\n{id}\n   {why}"));
        let surprising = self.surprising.iter().map(|id| format!("\n{id}\n   passes: take it off the skip list"));
        let all: Vec<String> = failed.chain(surprising).collect();
        out.extend(all.iter().take(most).map(String::as_str));
        if all.len() > most {
            out.push_str(&format!("\n… and {} more", all.len() - most));
        }
        out
    }
}

/// What a query answered.
enum Outcome {
    Answered(QueryResult),
    Refused(Refusal),
}

/// Runs a query of a case; `None` where it can't be written from the other end.
///
/// # Errors
/// A parameter has no value.
fn answer(case: &Case, text: &str, reversed: bool, snapshot: &Snapshot) -> Result<Option<Outcome>, String> {
    let refused = |phase, error| Ok(Some(Outcome::Refused(Refusal { phase, error })));
    let query = match Query::parse(text) {
        Ok(q) if !reversed => q,
        Ok(q) => match q.reversed() {
            Some(q) => q,
            None => return Ok(None),
        },
        Err(_) if reversed => return Ok(None),
        Err(e) => return refused(Phase::Compile, e),
    };
    let options = CheckOptions { lenient: case.lenient, ..CheckOptions::default() };
    let prepared = match query.prepare(snapshot, &options) {
        Ok(p) => p,
        Err(e) => return refused(Phase::Compile, e),
    };
    let mut params: BTreeMap<Arc<str>, Val> = BTreeMap::new();
    for (name, value) in &case.params {
        // Suites give more of them than each query names.
        if prepared.parameters().iter().any(|p| **p == **name) {
            params.insert(name.as_str().into(), value.value(snapshot)?);
        }
    }
    let budget = Budget { max_work: Some(MAX_WORK), ..Budget::default() };
    match prepared.run(snapshot, &RunOptions { params, budget, ..RunOptions::default() }) {
        Ok(r) => Ok(Some(Outcome::Answered(r))),
        Err(e) => refused(Phase::Run, e),
    }
}

/// A graph's stores, one for each way to load it.
struct Graphs {
    as_is: Result<Snapshot, String>,
    permuted: Result<Snapshot, String>,
    one: Result<Snapshot, String>,
    four: Result<Snapshot, String>,
}

/// A worker's folder and threads.
struct Bench {
    dir: TempDir,
    stores: AtomicUsize,
    one: ThreadPool,
    four: ThreadPool,
}

impl Bench {
    fn new() -> Result<Self, String> {
        let pool = |n| ThreadPoolBuilder::new().num_threads(n).stack_size(STACK).build().map_err(|e| e.to_string());
        let dir = TempDir::new().map_err(|e| format!("no folder for stores: {e}"))?;
        Ok(Self { dir, stores: AtomicUsize::new(0), one: pool(1)?, four: pool(4)? })
    }

    /// Loads a graph in each way.
    fn load(&self, text: &str) -> Graphs {
        let read = |permuted: bool| {
            let json: Json = serde_json::from_str(text).map_err(|e| e.to_string())?;
            let mut graph = AdhocGraph::from_json(&json).map_err(|e| format!("the graph: {e}"))?;
            if permuted {
                let mut rng = Rng::new(text.len() as u64);
                shuffle(&mut graph.nodes, &mut rng);
                shuffle(&mut graph.edges, &mut rng);
            }
            self.store(&graph)
        };
        let safe = |f: &(dyn Fn() -> Result<Snapshot, String> + Sync)| {
            catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|p| Err(format!("loading panicked: {}", message(&*p))))
        };
        Graphs {
            as_is: safe(&|| read(false)),
            permuted: safe(&|| read(true)),
            one: safe(&|| self.one.install(|| read(false))),
            four: safe(&|| self.four.install(|| read(false))),
        }
    }

    /// Writes a graph into a store's file, closes it and opens it again.
    fn store(&self, graph: &AdhocGraph) -> Result<Snapshot, String> {
        let path: PathBuf = self.dir.path().join(format!("{}.sv0", self.stores.fetch_add(1, Ordering::Relaxed)));
        let write = || {
            let mut store = Store::open_or_create(&path, graph.schema())?;
            let mut txn = store.begin()?;
            txn.stage(vec![graph.batch()])?;
            txn.commit("conformance")?;
            drop(store);
            Store::open(&path).map(|s| s.latest())
        };
        let snapshot = write().map_err(|e| format!("the store: {e}"));
        // The snapshot has the file open; what has no name any more goes with it.
        #[cfg(unix)]
        let _ = std::fs::remove_file(&path);
        snapshot
    }

    /// Runs a case in all its variants.
    fn run(&self, case: &Case, graphs: &Graphs) -> Result<(), String> {
        let mut wrong: Vec<(Variant, String)> = Vec::new();
        for v in &case.variants {
            let judged = catch_unwind(AssertUnwindSafe(|| self.run_variant(case, graphs, *v)));
            let judged = judged.unwrap_or_else(|p| Err(format!("panic: {}", message(&*p))));
            wrong.extend(judged.err().map(|e| (*v, e)));
        }
        let Some((first, why)) = wrong.first() else { return Ok(()) };
        let also: Vec<&str> = wrong[1..].iter().map(|w| w.0.name()).collect();
        let also = if also.is_empty() { String::new() } else { format!(" (and {})", also.join(", ")) };
        Err(format!("{}{also}: {why}\n   query {}", first.name(), case.query))
    }

    fn run_variant(&self, case: &Case, graphs: &Graphs, variant: Variant) -> Result<(), String> {
        let graph = match variant {
            Variant::AsIs | Variant::Reversed => &graphs.as_is,
            Variant::Permuted => &graphs.permuted,
            Variant::OneThread => &graphs.one,
            Variant::FourThreads => &graphs.four,
        };
        let snapshot = graph.as_ref().map_err(String::clone)?;
        let reversed = variant == Variant::Reversed;
        let judge = || {
            let Some(outcome) = answer(case, &case.query, reversed, snapshot)? else { return Ok(()) };
            case.expect.iter().try_for_each(|e| e.judge(case, snapshot, &outcome)).map_err(|why| {
                let text = Query::parse(&case.query).ok().filter(|_| reversed).and_then(|q| q.reversed());
                text.map_or(why.clone(), |q| format!("{why}\n   reversed {}", q.text()))
            })
        };
        match variant {
            Variant::OneThread => self.one.install(judge),
            Variant::FourThreads => self.four.install(judge),
            _ => judge(),
        }
    }
}

/// What a panic said.
fn message(p: &(dyn Any + Send)) -> String {
    let text = p.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| p.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it says nothing".to_owned())
}

fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.below(i + 1));
    }
}

/// Runs one case in all its variants.
///
/// # Errors
/// The first variant that differs, and how.
pub fn run_case(case: &Case) -> Result<(), String> {
    let bench = Bench::new()?;
    bench.run(case, &bench.load(&case.graph))
}

/// Runs a file's cases.
#[must_use]
pub fn run_file(path: &Path, skip: &SkipList) -> Summary {
    match read(path) {
        Ok(cases) => run_cases(&cases, skip),
        Err(e) => Summary { failed: vec![(path.display().to_string(), e)], ..Summary::default() },
    }
}

/// Runs cases, those of one graph together.
#[must_use]
pub fn run_cases(cases: &[Named], skip: &SkipList) -> Summary {
    let mut by_graph: BTreeMap<&str, Vec<(usize, &Case)>> = BTreeMap::new();
    let mut results: Vec<(usize, Result<(), String>)> = Vec::new();
    for (i, (_, case)) in cases.iter().enumerate() {
        match case {
            Ok(c) => by_graph.entry(&c.graph).or_default().push((i, c)),
            Err(e) => results.push((i, Err(e.clone()))),
        }
    }
    let tasks: Vec<&[(usize, &Case)]> = by_graph.values().flat_map(|g| g.chunks(AT_ONCE)).collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(results));
    let work = || {
        let bench = Bench::new();
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let judged: Vec<(usize, Result<(), String>)> = match &bench {
                Ok(b) => {
                    let graphs = b.load(&task[0].1.graph);
                    task.iter().map(|(i, c)| (*i, b.run(c, &graphs))).collect()
                }
                Err(e) => task.iter().map(|(i, _)| (*i, Err(e.clone()))).collect(),
            };
            done.lock().unwrap().extend(judged);
        }
    };
    std::thread::scope(|s| {
        for _ in 0..WORKERS {
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(s, work).unwrap();
        }
    });
    let mut results = done.into_inner().unwrap();
    results.sort_by_key(|r| r.0);
    let mut summary = Summary::default();
    for (i, result) in results {
        let id = &cases[i].0;
        match (result, skip.reason(id)) {
            (Ok(()), None) => summary.passed += 1,
            (Ok(()), Some(_)) => summary.surprising.push(id.clone()),
            (Err(_), Some(_)) => summary.skipped += 1,
            (Err(why), None) => summary.failed.push((id.clone(), why)),
        }
    }
    let has = |id: &str| cases.iter().any(|(c, _)| c == id);
    summary.absent = skip.ids().filter(|id| !has(id)).map(str::to_owned).collect();
    summary
}
