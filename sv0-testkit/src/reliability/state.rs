//! What a store holds, and whether a file holds what it must.

use std::path::Path;
use std::sync::Arc;

use sv0_graph::vfs::Vfs;
use sv0_graph::{Store, StoreError};

use super::no_panic;

/// The snapshots of a store: number and content hash of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The newest snapshot's number and hash; number 0 where nothing was committed.
    pub latest: (u32, String),
    /// All snapshots.
    pub snapshots: Vec<(u32, String)>,
}

impl State {
    /// What a store holds.
    ///
    /// # Errors
    /// What reading the snapshots meets.
    pub fn of(store: &Store) -> Result<Self, StoreError> {
        let latest = store.latest();
        let mut snapshots = Vec::new();
        for (number, ..) in store.snapshots() {
            snapshots.push((number, store.snapshot(number)?.content_hash()));
        }
        Ok(Self { latest: (latest.number(), latest.content_hash()), snapshots })
    }

    fn short(&self) -> String {
        let short = |(n, h): &(u32, String)| format!("{n}:{}", h.get(..8).unwrap_or(h));
        let all: Vec<String> = self.snapshots.iter().map(short).collect();
        format!("latest {} of [{}]", short(&self.latest), all.join(" "))
    }
}

/// What a path may hold; `None`: no store yet.
pub type MayHold = Option<State>;

/// A state in a few words.
#[must_use]
pub fn words(s: &MayHold) -> String {
    s.as_ref().map_or_else(|| "no store yet".to_owned(), State::short)
}

/// Opens a file, reads all of it and compares it with what it may hold; says which it is.
///
/// # Errors
/// What doesn't hold, in words.
pub fn judge(vfs: &Arc<dyn Vfs>, path: &Path, may: &[&MayHold]) -> Result<MayHold, String> {
    let found = no_panic(|| match Store::open_in(vfs.clone(), path) {
        Ok(store) => {
            let state = State::of(&store).map_err(|e| format!("a snapshot can't be read: {e}"))?;
            let report = store.verify().map_err(|e| format!("verify: {e}"))?;
            match report.problems.first() {
                Some(p) => Err(format!("verify: {} problems, the first: {p}", report.problems.len())),
                None => Ok(Some(state)),
            }
        }
        Err(StoreError::NotAStore) => Ok(None),
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("open: {e}")),
    })??;
    if may.contains(&&found) {
        return Ok(found);
    }
    let may: Vec<String> = may.iter().map(|m| words(m)).collect();
    Err(format!("found {}; expected {}", words(&found), may.join(", or ")))
}

impl State {
    /// What a file of the real system holds.
    ///
    /// # Errors
    /// What opening or reading it meets.
    pub fn of_file(path: &Path) -> Result<Self, StoreError> {
        Self::of(&Store::open(path)?)
    }
}
