//! One writer and eight readers, each a process: a snapshot that is open stays as it is, and what readers see was
//! published.

use std::collections::BTreeSet;
use std::time::Duration;

use super::process::{Running, Said, command};
use super::{Context, Report};

const READERS: u64 = 8;

/// The lane; it runs for `--seconds`.
#[must_use]
pub fn run(ctx: &Context) -> Report {
    let mut report = Report::new("readers");
    report.seeds = Some((ctx.seed, ctx.seed));
    let dir = tempfile::Builder::new().prefix("sv0-readers").tempdir_in(&ctx.dir).unwrap();
    let path = dir.path().join("g.sv0");
    let seed = ctx.seed.to_string();
    let mut writer = Running::start(command(ctx, "write", &path, &["--seed", &seed, "--pause-ms", "20"]));
    let mut published: BTreeSet<(u32, String, String)> = BTreeSet::new();
    let Some(first) = writer.line() else {
        report.violation("the writer didn't start");
        return report;
    };
    let forgets = ctx.sabotage.is_some();
    let mut publish = |line: &str| match Said::parse(line) {
        // The control: what isn't known as published must be reported.
        Some(s) if forgets && s.number % 5 == 4 => {}
        Some(s) => drop(published.insert((s.number, s.hash, s.dump))),
        None => report.violation(format!("the writer says: {line}")),
    };
    publish(&first);
    let mut readers: Vec<Running> = (0..READERS)
        .map(|i| {
            let seed = (ctx.seed + i).to_string();
            Running::start(command(ctx, "read", &path, &["--seed", &seed, "--pause-ms", "5"]))
        })
        .collect();
    let end = (ctx.elapsed)() + Duration::from_secs(ctx.seconds);
    // Readers are heard on threads of their own, so that none waits for its pipe.
    let heard = std::thread::scope(|s| {
        let listening: Vec<_> = readers.iter_mut().map(|r| s.spawn(move || listen(r, ctx, end))).collect();
        while (ctx.elapsed)() < end {
            match writer.line() {
                Some(line) => publish(&line),
                None => break,
            }
        }
        // Readers end first: what they saw last is published by a writer that goes on until then.
        let heard: Vec<Heard> = listening.into_iter().map(|h| h.join().unwrap()).collect();
        writer.stop();
        for line in writer.rest().0 {
            publish(&line);
        }
        heard
    });
    report.add("snapshots published", published.len() as u64);
    for (lines, code) in heard {
        report.add("readers", 1);
        if code != Some(0) {
            report.violation(format!("a reader ended with {code:?}"));
        }
        for line in lines {
            if line == "READY" {
                continue;
            }
            let Some(s) = Said::parse(&line).filter(|s| s.word == "READ") else {
                report.violation(format!("a reader says: {line}"));
                continue;
            };
            report.add("openings", 1);
            report.add("rereadings", line.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0));
            if !published.contains(&(s.number, s.hash.clone(), s.dump.clone())) {
                report.violation(format!("snapshot {} of a reader was never published: {line}", s.number));
            }
        }
    }
    report
}

/// What a reader said, and its exit code.
type Heard = (Vec<String>, Option<i32>);

fn listen(reader: &mut Running, ctx: &Context, end: Duration) -> Heard {
    let mut lines = Vec::new();
    while (ctx.elapsed)() < end {
        match reader.line() {
            Some(l) => lines.push(l),
            None => break,
        }
    }
    reader.stop();
    let (rest, status) = reader.rest();
    lines.extend(rest);
    (lines, status.code())
}
