//! The command line: lanes, and the hidden children of lanes.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use sv0_testkit::reliability::{Context, LANES, Report, child, report};
use sv0_testkit::vfs::Sabotage;

#[derive(Parser)]
#[command(about = "Runs the reliability lanes", long_about = None)]
struct Cli {
    /// crash, faults, bytes, kill, readers, system, memory, power, or all
    lane: Option<String>,
    /// How much; what is counted is the lane's
    #[arg(long)]
    count: Option<u64>,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Release figures instead of the gate's
    #[arg(long)]
    long: bool,
    /// How long the lanes run that run for a time
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Where results are kept
    #[arg(long, default_value = "RELIABILITY.json")]
    out: PathBuf,
    /// Where files are made
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The commit that is tried; `git rev-parse HEAD` else
    #[arg(long)]
    commit: Option<String>,
    /// A lie under the store, to see the lane notice
    #[arg(long)]
    sabotage: Option<Lie>,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Lie {
    NoSync,
    NoDataSync,
    NoNames,
    LateWrites,
    BitFlip,
    NoLock,
    NoErrors,
    EarlyAck,
}

impl Lie {
    fn sabotage(self) -> Sabotage {
        match self {
            Self::NoSync => Sabotage::NoSync,
            Self::NoDataSync => Sabotage::NoDataSync,
            Self::NoNames => Sabotage::NoNames,
            Self::LateWrites => Sabotage::LateWrites,
            Self::BitFlip => Sabotage::BitFlip,
            Self::NoLock => Sabotage::NoLock,
            Self::NoErrors => Sabotage::NoErrors,
            Self::EarlyAck => Sabotage::EarlyAck,
        }
    }
}

#[derive(Subcommand)]
enum Child {
    /// A process that a lane starts
    #[command(hide = true)]
    Child {
        what: What,
        path: PathBuf,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = u64::MAX)]
        commits: u64,
        #[arg(long, default_value_t = 0)]
        pause_ms: u64,
        #[arg(long)]
        fsize: Option<u64>,
        #[arg(long, default_value_t = 0)]
        headroom: u64,
        #[arg(long)]
        lie: Option<Lie>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Write,
    Read,
    TryWrite,
    Starve,
}

#[allow(clippy::disallowed_methods, reason = "a program that says how long it took")]
fn elapsed() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn note(text: &str) {
    eprintln!("{text}");
}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Child::Child { what, path, seed, commits, pause_ms, fsize, headroom, lie }) = cli.child {
        let pause = Duration::from_millis(pause_ms);
        let job = child::Job { path, seed, commits, pause, fsize, headroom, sabotage: lie.map(Lie::sabotage) };
        let mut out = std::io::stdout();
        return ExitCode::from(match what {
            What::Write => child::write(&job, &mut out),
            What::Read => child::read(&job, &mut out),
            What::TryWrite => child::try_write(&job, &mut out),
            What::Starve => child::starve(&job, &mut out),
        });
    }
    elapsed();
    let wanted = cli.lane.as_deref().unwrap_or("all");
    let lanes: Vec<_> = LANES.iter().filter(|(name, _)| wanted == "all" || *name == wanted).collect();
    if lanes.is_empty() {
        let names: Vec<&str> = LANES.iter().map(|l| l.0).collect();
        eprintln!("there is no lane `{wanted}`; lanes are {}, all", names.join(", "));
        return ExitCode::FAILURE;
    }
    let ctx = Context {
        seed: cli.seed,
        count: cli.count,
        long: cli.long,
        seconds: cli.seconds,
        threads: cli.threads.max(1),
        exe: std::env::current_exe().unwrap_or_default(),
        dir: cli.dir.unwrap_or_else(std::env::temp_dir),
        elapsed,
        note,
        sabotage: cli.sabotage.map(Lie::sabotage),
    };
    let commit = cli.commit.unwrap_or_else(head);
    let mut sound = true;
    for (name, lane) in lanes {
        let start = elapsed();
        let found = lane(&ctx);
        let seconds = (elapsed() - start).as_secs_f64();
        show(&found, seconds);
        sound &= found.failures() == 0;
        // What a sabotaged store does is nobody's figure.
        if ctx.sabotage.is_none()
            && let Err(e) = report::keep(Path::new(&cli.out), name, found.json(&commit, seconds))
        {
            eprintln!("{e}");
            sound = false;
        }
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(found: &Report, seconds: f64) {
    println!("{}: {} violations in {seconds:.1} s", found.lane, found.failures());
    for (what, n) in &found.counts {
        println!("  {n:>12} {what}");
    }
    for (what, outcome) in &found.controls {
        println!("  control: {what}: {outcome}");
    }
    for why in &found.skipped {
        eprintln!("SKIPPED in {}: {why}", found.lane);
    }
    for v in &found.violations {
        eprintln!("VIOLATION: {v}");
    }
}

fn head() -> String {
    let out = Command::new("git").args(["rev-parse", "HEAD"]).output();
    out.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}
