//! Faults of the real system: no space, read-only, forbidden, cut and overwritten under a reader, a second writer.
//! What can't be tried here is skipped, loudly.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sv0_graph::vfs::{OsVfs, Vfs};
use sv0_graph::{Schema, Store, StoreError};

use super::process::{Running, Said, command};
use super::state::{MayHold, State, judge};
use super::workload::{Session, Stage, Step, steps};
use super::{Context, Report, no_panic};
use crate::generate::Rng;

/// The lane; `--count` is the number of damages under a reader.
#[must_use]
pub fn run(ctx: &Context) -> Report {
    let mut report = Report::new("system");
    report.seeds = Some((ctx.seed, ctx.seed));
    type Part = fn(&Context, &Path, &mut Report) -> Result<(), String>;
    let parts: [(&str, Part); 6] = [
        ("file size limit", file_size_limit),
        ("full tmpfs", full),
        ("read-only file system", read_only),
        ("no permission", forbidden),
        ("a file damaged under a reader", damaged),
        ("a second writer", second_writer),
    ];
    for (name, part) in parts {
        let dir = tempfile::Builder::new().prefix("sv0-system").tempdir_in(&ctx.dir).unwrap();
        match no_panic(|| part(ctx, dir.path(), &mut report)) {
            Ok(Ok(())) => report.add(&format!("tried: {name}"), 1),
            Ok(Err(why)) => {
                (ctx.note)(&format!("SKIPPED: {name}: {why}"));
                report.skipped.push(format!("{name}: {why}"));
            }
            Err(panic) => report.violation(format!("{name}: {panic}")),
        }
    }
    report
}

/// A tmpfs on a folder, unmounted when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, bytes: u64) -> Result<Self, String> {
        shell(&["mount", "-t", "tmpfs", "-o", &format!("size={bytes}"), "sv0", &at.display().to_string()])?;
        Ok(Self(at.to_owned()))
    }

    fn again(&self, options: &str) -> Result<(), String> {
        shell(&["mount", "-o", &format!("remount,{options}"), &self.0.display().to_string()])
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = shell(&["umount", "-l", &self.0.display().to_string()]);
    }
}

/// Runs a command; its errors are the reason to skip.
pub(super) fn shell(args: &[&str]) -> Result<(), String> {
    let out = Command::new(args[0]).args(&args[1..]).output().map_err(|e| format!("{}: {e}", args[0]))?;
    if out.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", args.join(" "), String::from_utf8_lossy(&out.stderr).trim()))
}

fn os() -> Arc<dyn Vfs> {
    Arc::new(OsVfs)
}

/// The file may not grow beyond a limit: with the signal ignored an error, with its default the process ends; the store
/// is intact both times.
fn file_size_limit(ctx: &Context, dir: &Path, report: &mut Report) -> Result<(), String> {
    for (ignored, limits) in [(true, 12), (false, 12)] {
        for i in 1..=limits {
            let path = dir.join(format!("g{ignored}{i}.sv0"));
            let limit = (i * 12_288).to_string();
            let seed = (ctx.seed + i).to_string();
            let inner = command(ctx, "write", &path, &["--seed", &seed, "--fsize", &limit]);
            let trap = if ignored { "trap '' XFSZ; exec \"$@\"" } else { "trap - XFSZ; exec \"$@\"" };
            let mut sh = Command::new("sh");
            sh.args(["-c", trap, "sh"]).arg(inner.get_program()).args(inner.get_args());
            let mut child = Running::start(sh);
            let (said, status) = child.rest();
            let acked: Vec<Said> = said.iter().filter_map(|l| Said::parse(l)).collect();
            let what = format!("file size limit {limit}, signal ignored {ignored}");
            let error = said.iter().find(|l| l.starts_with("ERR"));
            let typed = error.is_some_and(|e| e.starts_with("ERR NoSpace"));
            // SIGXFSZ is 25.
            if (ignored && !(typed && status.code() == Some(3))) || (!ignored && status.signal() != Some(25)) {
                report.violation(format!("{what}: {error:?}, {status}"));
            }
            report.add("file size limits", 1);
            let ready = !acked.is_empty();
            match State::of_file(&path) {
                Ok(s) if !ready || acked.last().map(|a| a.number) == Some(s.latest.0) => {}
                Err(_) if !ready => {}
                other => report.violation(format!("{what}: {other:?} after {:?}", acked.last())),
            }
            if let Err(e) = later(&path, ctx.seed) {
                report.violation(format!("{what}: a later writer: {e}"));
            }
        }
    }
    Ok(())
}

/// A commit on what is there.
fn later(path: &Path, seed: u64) -> Result<MayHold, String> {
    let mut session = Session::new(os(), path);
    let commit = steps(seed ^ 7, 1).swap_remove(1);
    for step in [Step::Open, commit] {
        session.step(&step).map_err(|t| t.text)?;
    }
    let state = session.state().map_err(|e| e.to_string())?;
    drop(session);
    judge(&os(), path, &[&state])
}

/// A file system that is full after every number of pages.
fn full(ctx: &Context, dir: &Path, report: &mut Report) -> Result<(), String> {
    let path = dir.join("g.sv0");
    for pages in 1..200u64 {
        let tmpfs = Tmpfs::mount(dir, pages * 4096)?;
        let mut session = Session::new(os(), &path);
        let mut may: Vec<MayHold> = vec![None];
        let mut failed = None;
        for step in steps(ctx.seed, 4) {
            match no_panic(|| session.step(&step))? {
                Ok(()) => may.push(session.state().map_err(|e| e.to_string())?),
                Err(t) => {
                    failed = Some(t);
                    break;
                }
            }
        }
        report.add("sizes of a full file system", 1);
        let what = format!("tmpfs of {pages} pages");
        let Some(t) = failed else { return Ok(()) };
        if !matches!(t.error, Some(StoreError::NoSpace { .. })) {
            report.violation(format!("{what}: {}", t.text));
        }
        // A compaction that ran out of space left the old file as it was, and the handle goes on with it.
        let goes_on = t.at == Stage::Compact;
        if session.store.is_some() && !goes_on && !matches!(session.writer().begin(), Err(StoreError::Poisoned)) {
            report.violation(format!("{what}: the handle isn't poisoned"));
        }
        drop(session);
        let last = may.last().unwrap();
        if let Err(e) = judge(&os(), &path, &[last]) {
            report.violation(format!("{what}: {e}"));
        }
        tmpfs.again("size=64m")?;
        if let Err(e) = later(&path, ctx.seed) {
            report.violation(format!("{what}: with space again: {e}"));
        }
    }
    report.violation("the workload doesn't fit in 800 KiB");
    Ok(())
}

fn read_only(ctx: &Context, dir: &Path, report: &mut Report) -> Result<(), String> {
    let tmpfs = Tmpfs::mount(dir, 64 << 20)?;
    let path = dir.join("g.sv0");
    let state = later(&path, ctx.seed)?;
    tmpfs.again("ro")?;
    if let Err(e) = judge(&os(), &path, &[&state]) {
        report.violation(format!("read-only file system: {e}"));
    }
    let new = dir.join("new.sv0");
    for p in [&path, &new] {
        match Store::open_or_create(p, Schema::canonical()) {
            Err(StoreError::ReadOnly) => {}
            other => report.violation(format!("read-only file system, a writer: {other:?}")),
        }
    }
    tmpfs.again("rw")?;
    if let Err(e) = later(&path, ctx.seed + 1) {
        report.violation(format!("writable again: {e}"));
    }
    Ok(())
}

/// Another user: what root may do says nothing.
fn forbidden(ctx: &Context, dir: &Path, report: &mut Report) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can become another user".to_owned());
    }
    let path = dir.join("g.sv0");
    later(&path, ctx.seed)?;
    let exe = dir.join("exe");
    std::fs::copy(&ctx.exe, &exe).map_err(|e| e.to_string())?;
    let there = dir.display().to_string();
    let file = path.display().to_string();
    shell(&["chmod", "755", &there, &exe.display().to_string()])?;
    let other = Context { exe, ..ctx.clone() };
    let new = dir.join("new.sv0");
    let cases = [
        ("644", "try-write", &path, "ERR ReadOnly"),
        ("000", "try-write", &path, "ERR ReadOnly"),
        ("644", "try-write", &new, "ERR ReadOnly"),
        ("644", "read", &path, "READ 1 "),
        ("000", "read", &path, "ERR Io"),
    ];
    for (mode, what, at, wanted) in cases {
        shell(&["chmod", mode, &file])?;
        let mut c = command(&other, what, at, &[]);
        c.uid(65_534).gid(65_534);
        let mut child = Running::start(c);
        child.stop();
        let (mut said, status) = child.rest();
        said.retain(|l| l != "READY");
        if said.is_empty() && what == "read" {
            // It was told to stop before it began.
            let mut c = command(&other, what, at, &["--pause-ms", "50"]);
            c.uid(65_534).gid(65_534);
            let mut child = Running::start(c);
            said.extend((0..2).filter_map(|_| child.line()).filter(|l| l != "READY"));
        }
        report.add("permissions", 1);
        if !said.first().is_some_and(|l| l.starts_with(wanted)) {
            report.violation(format!("mode {mode}, {what}: {said:?}, {status}; wanted {wanted}"));
        }
    }
    Ok(())
}

/// A file cut or overwritten at random moments while a reader reads.
fn damaged(ctx: &Context, dir: &Path, report: &mut Report) -> Result<(), String> {
    let path = dir.join("g.sv0");
    later(&path, ctx.seed)?;
    later(&path, ctx.seed + 1)?;
    let good = std::fs::read(&path).map_err(|e| e.to_string())?;
    let expected = [line_of(&path)?];
    let mut r = Rng::new(ctx.seed);
    let mut reader = Running::start(command(ctx, "read", &path, &["--seed", "1"]));
    let n = ctx.amount(1_000, 10_000);
    for _ in 0..n {
        std::thread::sleep(Duration::from_micros(r.below(12_000) as u64));
        let file = std::fs::OpenOptions::new().write(true).open(&path).map_err(|e| e.to_string())?;
        let at = r.below(good.len());
        if r.one_in(2) {
            file.set_len(at as u64).map_err(|e| e.to_string())?;
        } else {
            let bytes: Vec<u8> = (0..1 + r.below(5_000)).map(|_| r.below(256) as u8).collect();
            std::os::unix::fs::FileExt::write_all_at(&file, &bytes, at as u64).map_err(|e| e.to_string())?;
        }
        std::thread::sleep(Duration::from_micros(r.below(2_000) as u64));
        std::os::unix::fs::FileExt::write_all_at(&file, &good, 0).map_err(|e| e.to_string())?;
        file.set_len(good.len() as u64).map_err(|e| e.to_string())?;
    }
    report.add("damages under a reader", n);
    reader.stop();
    let (said, status) = reader.rest();
    if status.code() != Some(0) {
        let changed = said.iter().find(|l| l.starts_with("CHANGED"));
        report.violation(format!("a reader ended with {status}: {changed:?}"));
    }
    for line in said.iter().filter(|l| *l != "READY" && !l.starts_with("CHANGED")) {
        if line.starts_with("ERR ") {
            let word = line.split(' ').nth(1).unwrap_or_default();
            report.add(&format!("reader's errors: {word}"), 1);
        } else if expected.iter().any(|e| line.starts_with(e.as_str())) {
            report.add("reader unaffected", 1);
        } else {
            report.violation(format!("a reader saw another graph: {line}"));
        }
    }
    Ok(())
}

fn line_of(path: &Path) -> Result<String, String> {
    let s = Store::open(path).map_err(|e| e.to_string())?.latest();
    let dump = super::dump::dump_hash(&s).map_err(|e| e.to_string())?;
    Ok(format!("READ {} {} {dump} ", s.number(), s.content_hash()))
}

fn second_writer(ctx: &Context, dir: &Path, report: &mut Report) -> Result<(), String> {
    let path = dir.join("g.sv0");
    for i in 0..20 {
        let mut child = Running::start(command(ctx, "write", &path, &["--pause-ms", "1000"]));
        if child.line().is_none() {
            report.violation("the first writer didn't open");
        }
        match Store::open_or_create(&path, Schema::canonical()) {
            Err(StoreError::Locked) => {}
            other => report.violation(format!("a second writer, round {i}: {other:?}")),
        }
        child.kill();
        child.rest();
        let mine = Store::open_or_create(&path, Schema::canonical());
        if let Err(e) = &mine {
            report.violation(format!("after kill -9, round {i}: {e}"));
        }
        match Store::open_or_create(&path, Schema::canonical()) {
            Err(StoreError::Locked) => {}
            other => report.violation(format!("a second writer in this process: {other:?}")),
        }
        report.add("second writers", 2);
    }
    Ok(())
}
