//! A file system shut down under a writer, in numbers; and the same with a store that doesn't sync, which must lose.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sv0_graph::{Store, StoreError};

use super::process::{Running, Said, command};
use super::system::shell;
use super::{Context, Report};
use crate::generate::Rng;

/// `EXT4_IOC_SHUTDOWN`, `_IOR('X', 125, __u32)`.
const SHUTDOWN: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u32>(b'X', 125);
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: nothing more gets to the disk, not even the journal.
const NO_LOG_FLUSH: u32 = 2;

/// The lane; `--count` is the number of cycles. It runs where it was asked for: with `--long` or `--count`.
#[must_use]
pub fn run(ctx: &Context) -> Report {
    let mut report = Report::new("power");
    report.seeds = Some((ctx.seed, ctx.seed));
    if !ctx.long && ctx.count.is_none() {
        return skip(ctx, report, "only with --long or --count");
    }
    if !rustix::process::geteuid().is_root() {
        return skip(ctx, report, "only root can mount");
    }
    let dir = tempfile::Builder::new().prefix("sv0-power").tempdir_in(&ctx.dir).unwrap();
    let cycles = ctx.amount(50, 2_000);
    let sound = Rig::new(dir.path()).and_then(|rig| {
        let lost = rig.cycles(ctx, cycles, None, &mut report)?;
        report.add("cycles", cycles);
        report.add("acknowledged commits lost", lost);
        Ok(())
    });
    if let Err(why) = sound {
        return skip(ctx, report, &why);
    }
    // The control: without syncs something must be lost, or the lane proves nothing.
    let mut control = Report::new("power");
    let rig = Rig::new(dir.path());
    match rig.and_then(|rig| rig.cycles(ctx, cycles.min(20), Some("no-sync"), &mut control)) {
        Ok(0) => {
            report.controls.insert("no sync".into(), "lost nothing: the lane doesn't bite".into());
            report.violation("the negative control lost nothing");
        }
        Ok(n) => {
            report.controls.insert("no sync".into(), format!("lost acknowledged commits in {n} cycles, as it must"));
        }
        Err(e) => report.violation(format!("the negative control didn't run: {e}")),
    }
    report
}

fn skip(ctx: &Context, mut report: Report, why: &str) -> Report {
    (ctx.note)(&format!("SKIPPED: power: {why}"));
    report.skipped.push(why.to_owned());
    report
}

/// An ext4 in a file, and where it is mounted.
struct Rig {
    image: PathBuf,
    at: PathBuf,
}

impl Rig {
    fn new(dir: &Path) -> Result<Self, String> {
        let rig = Self { image: dir.join("ext4.img"), at: dir.join("mnt") };
        std::fs::create_dir_all(&rig.at).map_err(|e| e.to_string())?;
        rig.format()?;
        Ok(rig)
    }

    fn format(&self) -> Result<(), String> {
        let file = File::create(&self.image).map_err(|e| e.to_string())?;
        file.set_len(64 << 20).map_err(|e| e.to_string())?;
        shell(&["mkfs.ext4", "-q", "-F", &self.image.display().to_string()])
    }

    fn mount(&self) -> Result<(), String> {
        shell(&["mount", "-o", "loop", &self.image.display().to_string(), &self.at.display().to_string()])
    }

    fn unmount(&self) -> Result<(), String> {
        shell(&["umount", &self.at.display().to_string()])
    }

    #[allow(unsafe_code, reason = "the one way to cut a file system's power; rustix has no safe call for it")]
    fn shut_down(&self) -> Result<(), String> {
        let folder = File::open(&self.at).map_err(|e| e.to_string())?;
        // SAFETY: the opcode is ext4's shutdown, which reads one u32 through the pointer that `Setter` passes.
        unsafe {
            let call = rustix::ioctl::Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH);
            rustix::ioctl::ioctl(&folder, call).map_err(|e| format!("EXT4_IOC_SHUTDOWN: {e}"))
        }
    }

    /// In how many cycles something acknowledged was lost.
    fn cycles(&self, ctx: &Context, n: u64, lie: Option<&str>, report: &mut Report) -> Result<u64, String> {
        let path = self.at.join("g.sv0");
        let mut acked: Vec<Said> = Vec::new();
        let mut r = Rng::new(ctx.seed);
        let mut lost = 0;
        for i in 0..n {
            self.mount()?;
            if std::fs::metadata(&path).is_ok_and(|m| m.len() > 4 << 20) {
                let _ = std::fs::remove_file(&path);
                acked.clear();
            }
            let seed = r.below(1 << 30).to_string();
            let mut args = vec!["--seed", &seed];
            args.extend(lie.iter().flat_map(|l| ["--lie", l]));
            let mut child = Running::start(command(ctx, "write", &path, &args));
            std::thread::sleep(Duration::from_millis(20 + r.below(150) as u64));
            let cut = self.shut_down();
            child.kill();
            let (said, _) = child.rest();
            drop(child);
            self.unmount()?;
            cut?;
            self.mount()?;
            let ready = !acked.is_empty() || said.iter().any(|l| l.starts_with("READY"));
            let new = said.iter().filter_map(|l| Said::parse(l)).filter(|s| s.number > 0 && s.word == "ACK");
            let before = acked.len();
            acked.extend(new);
            report.add("acknowledged commits", (acked.len() - before) as u64);
            let outcome = check(&path, ready, &acked);
            if let Err(e) = outcome {
                lost += 1;
                report.violation(format!("cycle {i}: {e}\n    {}", ctx.repeat("power", ctx.seed, i + 1)));
                let _ = std::fs::remove_file(&path);
                acked.clear();
            } else if let Ok(store) = Store::open(&path) {
                acked.retain(|a| a.number <= store.latest().number());
            }
            self.unmount()?;
        }
        Ok(lost)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = shell(&["umount", "-l", &self.at.display().to_string()]);
    }
}

fn check(path: &Path, ready: bool, acked: &[Said]) -> Result<(), String> {
    match Store::open(path) {
        Ok(store) => {
            let verified = store.verify().map_err(|e| format!("verify: {e}"))?;
            if let Some(p) = verified.problems.first() {
                return Err(format!("verify: {p}"));
            }
            for a in acked.iter().filter(|a| !super::kill::compacted(&store, a.number)) {
                let s = store.snapshot(a.number).map_err(|e| format!("acknowledged snapshot {}: {e}", a.number))?;
                if s.content_hash() != a.hash {
                    return Err(format!("snapshot {} isn't what was acknowledged", a.number));
                }
            }
            Ok(())
        }
        Err(StoreError::NotAStore) if !ready => Ok(()),
        Err(StoreError::Io { source, .. }) if !ready && source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(format!("open: {e}")),
    }
}
