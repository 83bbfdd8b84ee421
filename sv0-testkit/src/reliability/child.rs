//! What the other processes of a lane do. They say what they do, line by line, and stop when their input ends.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sv0_graph::vfs::OsVfs;
use sv0_graph::{GraphView, Schema, Snapshot, Store, StoreError};

use super::dump::dump_hash;
use super::no_panic;
use super::workload::{self, COMPACT, Session, Step};
use crate::generate::Rng;
use crate::vfs::{Sabotage, SabotageVfs};

/// A child's work.
#[derive(Debug, Clone)]
pub struct Job {
    /// The store.
    pub path: PathBuf,
    /// Its seed.
    pub seed: u64,
    /// Commits before it ends by itself.
    pub commits: u64,
    /// What it waits after each.
    pub pause: Duration,
    /// The largest file that it may write.
    pub fsize: Option<u64>,
    /// How many bytes of memory it may take beyond what it has once the store is open.
    pub headroom: u64,
    /// A lie under the store.
    pub sabotage: Option<Sabotage>,
}

/// The error's name.
#[must_use]
pub fn variant(e: &StoreError) -> String {
    let text = format!("{e:?}");
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

/// A writer's line: number, content hash and dump's hash of a snapshot.
fn line(word: &str, s: &Snapshot) -> Result<String, StoreError> {
    let dump = dump_hash(s).map_err(|e| (*e.0).clone())?;
    Ok(format!("{word} {} {} {dump}", s.number(), s.content_hash()))
}

/// Set when the input ends: the parent is done, or gone.
fn until_input_ends() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = stop.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        set.store(true, Ordering::Relaxed);
    });
    stop
}

/// Commits in a loop: `READY n` once open, `ACK n content dump` after each commit, `ERR variant message` at an error.
/// The exit code: 0, or 3 after an error.
pub fn write(job: &Job, out: &mut dyn Write) -> u8 {
    let stop = until_input_ends();
    if let Some(bytes) = job.fsize {
        let limit = rustix::process::Rlimit { current: Some(bytes), maximum: Some(bytes) };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    }
    match writes(job, out, &stop) {
        Ok(()) => 0,
        Err(e) => {
            say(out, &format!("ERR {} {e}", variant(&e)));
            3
        }
    }
}

fn writes(job: &Job, out: &mut dyn Write, stop: &AtomicBool) -> Result<(), StoreError> {
    let mut r = Rng::new(job.seed);
    let vfs = SabotageVfs::over(Arc::new(OsVfs), job.sabotage);
    let mut session = Session::new(vfs, &job.path);
    let failed = |t: workload::Trouble| t.error.unwrap_or(StoreError::Poisoned);
    session.step(&Step::Open).map_err(failed)?;
    say(out, &line("READY", &session.writer().latest())?);
    for i in 0..job.commits {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let number = session.writer().latest().number();
        if job.sabotage == Some(Sabotage::EarlyAck) {
            say(out, &format!("ACK {} - -", number + 1));
        }
        let step = Step::Commit(workload::batches(&mut r, number), format!("{i}"));
        session.step(&step).map_err(failed)?;
        say(out, &line("ACK", &session.writer().latest())?);
        if let Some(f) = COMPACT.filter(|_| r.one_in(16)) {
            session.step(&Step::Compact(f)).map_err(failed)?;
            say(out, &line("ACK", &session.writer().latest())?);
        }
        std::thread::sleep(job.pause);
    }
    Ok(())
}

fn say(out: &mut dyn Write, line: &str) {
    // Whoever doesn't listen any more has what he wants.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Opens the store, reads all of it with `headroom` bytes more than it has then, and once more without a limit:
/// `READ hash` or `ERR variant message` each time. The exit code: 0, or 3 if the second doesn't succeed.
///
/// # Panics
/// If the system doesn't say how much memory the process has, or takes no limit.
pub fn starve(job: &Job, out: &mut dyn Write) -> u8 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let mut code = 3;
    let store = match Store::open(&job.path) {
        Ok(s) => s,
        Err(e) => {
            say(out, &format!("ERR {} {e}", variant(&e)));
            return code;
        }
    };
    let s = store.latest();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let data = status.lines().find_map(|l| l.strip_prefix("VmData:")).unwrap();
    let data: u64 = data.trim().trim_end_matches(" kB").parse().unwrap();
    let all = getrlimit(Resource::Data);
    // What reading itself takes for its own small things.
    let own = 1 << 20;
    for limit in [Some(data * 1024 + own + job.headroom), all.current] {
        setrlimit(Resource::Data, Rlimit { current: limit, maximum: all.maximum }).unwrap();
        let read = names(&s);
        code = if read.is_ok() { 0 } else { 3 };
        say(
            out,
            &match read {
                Ok(hash) => format!("READ {hash}"),
                Err(e) => format!("ERR {} {e}", variant(&e)),
            },
        );
    }
    code
}

/// The hash of all names.
fn names(s: &Snapshot) -> Result<String, StoreError> {
    let plain = |e: sv0_graph::GraphError| (*e.0).clone();
    let mut h = blake3::Hasher::new();
    for n in s.nodes(None).map_err(plain)? {
        let name = s.prop(n, "name").map_err(plain)?;
        h.update(name.as_str().unwrap_or("").as_bytes());
    }
    Ok(h.finalize().to_hex().to_string())
}

/// Opens the store again and again, reads its newest snapshot several times and older ones from the file:
/// `READ n content dump times` for each opening, `CHANGED …` where a snapshot wasn't what it was before, `ERR …` at an
/// error. The exit code: 0, or 4 after a change; a panic is 101 as usual.
pub fn read(job: &Job, out: &mut dyn Write) -> u8 {
    let stop = until_input_ends();
    let mut r = Rng::new(job.seed);
    let mut code = 0;
    say(out, "READY");
    while !stop.load(Ordering::Relaxed) {
        match no_panic(|| reads(job, &mut r, &stop)) {
            Ok(Ok(line)) => {
                if line.starts_with("CHANGED") {
                    code = 4;
                }
                say(out, &line);
            }
            Ok(Err(e)) => say(out, &format!("ERR {} {e}", variant(&e))),
            Err(e) => {
                say(out, &format!("CHANGED {e}"));
                code = 4;
            }
        }
        std::thread::sleep(job.pause);
    }
    code
}

fn reads(job: &Job, r: &mut Rng, stop: &AtomicBool) -> Result<String, StoreError> {
    let store = Store::open(&job.path)?;
    let latest = store.latest();
    let first = line("READ", &latest)?;
    let older = store.snapshots();
    let old = older.get(r.below(older.len().max(1))).map(|s| s.0);
    let old_first = old.map(|n| store.snapshot(n).and_then(|s| line("OLD", &s))).transpose()?;
    let times = 1 + r.below(20);
    for _ in 0..times {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        std::thread::sleep(job.pause);
        let again = line("READ", &latest)?;
        if again != first {
            return Ok(format!("CHANGED {first} became {again}"));
        }
        // Another snapshot object: its sections come from the file again.
        let old_again = old.map(|n| store.snapshot(n).and_then(|s| line("OLD", &s))).transpose()?;
        if old_again != old_first {
            return Ok(format!("CHANGED {old_first:?} became {old_again:?}"));
        }
    }
    Ok(format!("{first} {times}"))
}

/// Opens for writing and commits once: `READY`, `ACK …` or `ERR …`. For what a user may not do.
pub fn try_write(job: &Job, out: &mut dyn Write) -> u8 {
    let opened = Store::open_or_create(&job.path, Schema::canonical());
    match opened {
        Ok(s) => {
            say(out, &format!("READY {}", s.latest().number()));
            0
        }
        Err(e) => {
            say(out, &format!("ERR {} {e}", variant(&e)));
            3
        }
    }
}
