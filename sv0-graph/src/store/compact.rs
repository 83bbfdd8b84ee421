//! A new file with the snapshots that are kept, put in the old one's place.
//!
//! Sections are copied as they are: node ids, edge ids and content hashes stay. Readers that opened the old file keep it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::chunk::Bytes;
use super::encode::NewChunk;
use super::error::StoreError;
use super::format::{self, ChunkRef, Kind, Slot};
use super::media::Media;
use super::write::{Appender, change_sections};
use super::{Store, Target};
use crate::vfs::MemoryFile;

/// Which snapshots a compaction keeps. The newest is always kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// All of them: only what crashed or aborted commits left goes.
    All,
    /// So many of the newest.
    Newest(usize),
    /// These numbers.
    Numbers(Vec<u32>),
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Snapshots kept.
    pub kept: u64,
    /// Snapshots dropped.
    pub dropped: u64,
    /// The file's length before, bytes.
    pub before: u64,
    /// The file's length after, bytes.
    pub after: u64,
}

impl Store {
    /// Writes a new file beside the store's with the snapshots to keep and puts it in its place. Until the very last step
    /// the old file is the store; an error leaves it so.
    ///
    /// # Errors
    /// [`StoreError::UnknownSnapshot`], [`StoreError::ReadOnly`], [`StoreError::Poisoned`]; a section of a kept snapshot
    /// that is damaged; the system's.
    pub fn compact(&mut self, keep: &Keep) -> Result<Compacted, StoreError> {
        if !self.writable {
            return Err(StoreError::ReadOnly);
        }
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        let all: Vec<u32> = self.snapshots().iter().map(|s| s.0).collect();
        let newest = self.latest.number();
        let mut kept: BTreeSet<u32> = match keep {
            Keep::All => all.iter().copied().collect(),
            Keep::Newest(n) => all.iter().rev().take((*n).max(1)).copied().collect(),
            Keep::Numbers(list) => {
                for n in list {
                    self.snapshot(*n)?;
                }
                list.iter().copied().collect()
            }
        };
        kept.insert(newest);
        let before = self.slot.committed;
        let vfs = self.vfs.clone();
        let temporary = self.path.as_deref().map(|p| Target { vfs: &*vfs, path: Some(p) }.beside("compact"));
        let media = match &temporary {
            Some(path) => Media::create(&*self.vfs, path)?,
            None => Media::new(Arc::new(MemoryFile::default())),
        };
        let written = self.copy(&media, &kept).and_then(|w| {
            if !media.like(&self.media)? {
                return Err(StoreError::HardLinked);
            }
            if let Some(path) = &self.path
                && !self.media.is_current(&*self.vfs, path)?
            {
                // Somebody has put another file in this one's place: it isn't ours to replace.
                return Err(StoreError::Locked);
            }
            if let (Some(from), Some(to)) = (&temporary, &self.path) {
                // The new name first, so that the renaming has something to rename whatever of it survives a power cut.
                self.vfs.sync_parent(from).map_err(StoreError::io("make the compacted store durable"))?;
                self.vfs.rename(from, to).map_err(StoreError::io("put the compacted store in place"))?;
            }
            Ok(w)
        });
        let (slot, slot_index) = match written {
            Ok(w) => w,
            Err(e) => {
                media.unlock();
                if let Some(path) = &temporary {
                    // What can't be removed is removed by the next writer.
                    let _ = self.vfs.unlink(path);
                }
                // A renaming may have failed and still have been done: this handle's file has no name then.
                let mine = self.path.as_deref().map_or(Ok(true), |p| self.media.is_current(&*self.vfs, p));
                self.poisoned = !matches!(mine, Ok(true));
                return Err(e);
            }
        };
        // From here on the new file is the store, durable under its name or not yet.
        let old = std::mem::replace(&mut self.media, media);
        old.unlock();
        (self.slot, self.slot_index) = (slot, slot_index);
        let read = format::read_manifest(&self.media, slot.offset, slot.len, &slot.manifest_hash, slot.committed)
            .and_then(|m| super::snapshot(&self.media, self.mapped, m, None));
        self.latest = read.inspect_err(|_| self.poisoned = true)?;
        if let Some(path) = &self.path {
            let durable = self.vfs.sync_parent(path).map_err(StoreError::io("make the store's folder durable"));
            durable.inspect_err(|_| self.poisoned = true)?;
        }
        let kept = kept.iter().filter(|n| **n > 0).count() as u64;
        Ok(Compacted { kept, dropped: all.len() as u64 - kept, before, after: slot.committed })
    }

    fn copy(&self, media: &Media, kept: &BTreeSet<u32>) -> Result<(Slot, usize), StoreError> {
        media.set_len(format::DATA)?;
        let start = Slot { committed: format::DATA, offset: 0, len: 0, manifest_hash: [0; 32], ..self.slot };
        let mut a = Appender::new(media, start, 1, &[]);
        let mut moved: HashMap<(u64, u64), u64> = HashMap::new();
        let mut history = Vec::new();
        let mut previous: Option<u32> = None;
        let all: Vec<u32> = self.snapshots().iter().map(|s| s.0).collect();
        for number in kept {
            let snapshot = if *number == self.latest.number() { self.latest() } else { self.snapshot(*number)? };
            let mut manifest = snapshot.manifest().clone();
            let mut chunks: BTreeMap<u64, ChunkRef> = BTreeMap::new();
            // Change sets are against the snapshot before: if that one goes they are made anew.
            let before = all.iter().rev().find(|n| *n < number).copied();
            let same = before == previous;
            for c in &manifest.chunks {
                if !same && Kind::of(c.key) == Some(Kind::Changes) {
                    continue;
                }
                let offset = match moved.get(&(c.offset, c.len)) {
                    Some(o) => *o,
                    None => {
                        let bytes = Bytes::load(&self.media, None, c)?;
                        let o = a.append(bytes.as_slice())?;
                        moved.insert((c.offset, c.len), o);
                        o
                    }
                };
                chunks.insert(c.key, ChunkRef { offset, ..*c });
            }
            if let (false, Some(p)) = (same, previous) {
                let changes = self.diff(p, *number)?.change_sets();
                for NewChunk { key, rows, aux, bytes } in change_sections(&changes) {
                    let offset = a.append(&bytes)?;
                    let hash = *blake3::hash(&bytes).as_bytes();
                    chunks.insert(key, ChunkRef { key, offset, len: bytes.len() as u64, rows, aux, hash });
                }
            }
            manifest.history.clone_from(&history);
            if *number == self.latest.number() {
                a.chunks = chunks;
                let w = a.flip(manifest)?;
                // The header comes last, as with any new store.
                media.write_at(0, &format::header())?;
                media.sync()?;
                return Ok((w.slot, w.slot_index));
            }
            manifest.chunks = chunks.into_values().collect();
            history.push(a.put_manifest(&manifest)?);
            previous = Some(*number);
        }
        Err(StoreError::UnknownSnapshot { wanted: self.latest.number().to_string(), have: String::new() })
    }
}
