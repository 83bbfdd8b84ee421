//! What a lane found, and the file that keeps it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

/// Violations that are kept in words; the others are counted.
const KEPT: usize = 20;

/// What a lane did and found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The lane.
    pub lane: String,
    /// The first and the last seed.
    pub seeds: Option<(u64, u64)>,
    /// What was counted.
    pub counts: BTreeMap<String, u64>,
    /// What doesn't hold, with the command that shows it.
    pub violations: Vec<String>,
    /// What couldn't be tried here, and why.
    pub skipped: Vec<String>,
    /// The negative controls: what was sabotaged, and whether the lane noticed.
    pub controls: BTreeMap<String, String>,
    failures: u64,
}

impl Report {
    /// An empty one.
    #[must_use]
    pub fn new(lane: &str) -> Self {
        Self { lane: lane.to_owned(), ..Self::default() }
    }

    /// Adds to a count.
    pub fn add(&mut self, what: &str, n: u64) {
        *self.counts.entry(what.to_owned()).or_default() += n;
    }

    /// A count.
    #[must_use]
    pub fn get(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// Notes a violation.
    pub fn violation(&mut self, what: impl Into<String>) {
        self.failures += 1;
        if self.violations.len() < KEPT {
            self.violations.push(what.into());
        }
    }

    /// How many violations there were.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Takes in what another part of the lane found.
    pub fn merge(&mut self, other: Self) {
        for (k, n) in other.counts {
            *self.counts.entry(k).or_default() += n;
        }
        self.failures += other.failures;
        self.violations.extend(other.violations);
        self.violations.truncate(KEPT);
        self.skipped.extend(other.skipped);
        self.controls.extend(other.controls);
        self.seeds = match (self.seeds, other.seeds) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
    }

    /// As it stands in the file.
    #[must_use]
    pub fn json(&self, commit: &str, seconds: f64) -> Json {
        json!({
            "lane": self.lane,
            "commit": commit,
            "seeds": self.seeds.map(|(a, b)| json!([a, b])),
            "counts": self.counts,
            "failures": self.failures,
            "violations": self.violations,
            "skipped": self.skipped,
            "controls": self.controls,
            "seconds": (seconds * 10.0).round() / 10.0,
        })
    }
}

/// Puts a lane's object into the file; other lanes' stay as they are.
///
/// # Errors
/// The system's, or that the file holds something else.
pub fn keep(file: &Path, lane: &str, found: Json) -> Result<(), String> {
    let mut all: Map<String, Json> = match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", file.display()))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(e) => return Err(format!("{}: {e}", file.display())),
    };
    all.insert(lane.to_owned(), found);
    let text = serde_json::to_string_pretty(&all).map_err(|e| e.to_string())?;
    std::fs::write(file, text + "\n").map_err(|e| format!("{}: {e}", file.display()))
}
