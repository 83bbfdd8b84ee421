//! The order of writes: append, make durable, flip.

use std::collections::BTreeMap;

use super::changes::AllChanges;
use super::commit::Encoded;
use super::encode::NewChunk;
use super::error::StoreError;
use super::format::{self, ChunkRef, History, Kind, Manifest, PAGE, SLOT_COPY, SLOTS, Slot, SourceEntry};
use super::media::Media;
use crate::working::Working;

/// How many bytes are gathered before they are written.
const BUFFER: usize = 8 << 20;

/// Appends sections behind what is committed; nothing refers to them before [`Appender::flip`].
pub(crate) struct Appender<'a> {
    media: &'a Media,
    slot: Slot,
    slot_index: usize,
    start: u64,
    buffer: Vec<u8>,
    /// Where the buffer's first byte goes.
    at: u64,
    grown: u64,
    pub(crate) chunks: BTreeMap<u64, ChunkRef>,
}

/// A commit's new head.
#[derive(Debug)]
pub(crate) struct Written {
    pub slot: Slot,
    pub slot_index: usize,
    pub bytes: u64,
}

impl<'a> Appender<'a> {
    /// `chunks` are those of the snapshot before.
    pub(crate) fn new(media: &'a Media, slot: Slot, slot_index: usize, chunks: &[ChunkRef]) -> Self {
        let start = format::align(slot.committed);
        let chunks = chunks.iter().map(|c| (c.key, *c)).collect();
        Self { media, slot, slot_index, start, buffer: Vec::new(), at: start, grown: 0, chunks }
    }

    fn end(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    pub(crate) fn forget(&mut self, key: u64) {
        self.chunks.remove(&key);
    }

    /// Appends a section, unless the snapshot before has the very same.
    pub(crate) fn put(&mut self, c: &NewChunk) -> Result<(), StoreError> {
        self.put_hashed(c, *blake3::hash(&c.bytes).as_bytes())
    }

    /// As [`Appender::put`], where the hash is known.
    pub(crate) fn put_hashed(&mut self, c: &NewChunk, hash: [u8; 32]) -> Result<(), StoreError> {
        let len = c.bytes.len() as u64;
        if let Some(o) = self.chunks.get(&c.key)
            && (o.hash, o.len, o.rows, o.aux) == (hash, len, c.rows, c.aux)
        {
            return Ok(());
        }
        let offset = self.append(&c.bytes)?;
        self.chunks.insert(c.key, ChunkRef { key: c.key, offset, len, rows: c.rows, aux: c.aux, hash });
        Ok(())
    }

    /// Appends bytes at an aligned place.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<u64, StoreError> {
        let offset = self.end();
        self.buffer.extend_from_slice(bytes);
        let padded = usize::try_from(format::align(self.end()) - self.at).unwrap_or(self.buffer.len());
        self.buffer.resize(padded, 0);
        if self.buffer.len() >= BUFFER {
            self.drain()?;
        }
        Ok(offset)
    }

    /// Growth first, then data.
    fn drain(&mut self) -> Result<(), StoreError> {
        let end = self.end();
        if self.grown < end {
            self.grown = end.next_multiple_of(PAGE);
            self.media.set_len(self.grown)?;
        }
        self.media.write_at(self.at, &self.buffer)?;
        self.at = end;
        self.buffer.clear();
        Ok(())
    }

    /// Appends a manifest that no slot will point at: that of an older snapshot.
    pub(crate) fn put_manifest(&mut self, m: &Manifest) -> Result<History, StoreError> {
        let encoded = m.encode()?;
        let offset = self.append(&encoded)?;
        Ok(History {
            number: m.number,
            time: m.time,
            name: m.name.clone(),
            offset,
            len: encoded.len() as u64,
            hash: *blake3::hash(&encoded).as_bytes(),
        })
    }

    /// Writes the manifest, makes all of it durable, then flips the older header slot to it.
    pub(crate) fn flip(mut self, mut manifest: Manifest) -> Result<Written, StoreError> {
        manifest.chunks = std::mem::take(&mut self.chunks).into_values().collect();
        let encoded = manifest.encode()?;
        let offset = self.append(&encoded)?;
        let committed = self.end();
        // What a reader would refuse is refused before anything points at it.
        Manifest::decode_copy(&encoded, offset, committed)?;
        // To the end of the page, so that what a crashed commit left there goes.
        let page = usize::try_from(committed.next_multiple_of(PAGE) - self.at).unwrap_or(0);
        self.buffer.resize(page, 0);
        if self.grown != committed.next_multiple_of(PAGE) {
            self.grown = committed.next_multiple_of(PAGE);
            self.media.set_len(self.grown)?;
        }
        self.media.write_at(self.at, &self.buffer)?;
        self.media.sync()?;
        let next = Slot {
            sequence: self
                .slot
                .sequence
                .checked_add(1)
                .ok_or(StoreError::Limit { which: "the number of commits", max: u64::MAX })?,
            offset,
            len: encoded.len() as u64,
            committed,
            manifest_hash: *blake3::hash(&encoded).as_bytes(),
        };
        let slot_index = 1 - self.slot_index;
        // One copy after the other: whatever a crash makes of the one that is being written, the other is whole.
        let page = next.page();
        let (first, second) = page.split_at(usize::try_from(SLOT_COPY).unwrap_or(512));
        self.media.write_at(SLOTS[slot_index], first)?;
        self.media.sync()?;
        self.media.write_at(SLOTS[slot_index].saturating_add(SLOT_COPY), second)?;
        self.media.sync()?;
        Ok(Written { slot: next, slot_index, bytes: self.grown - self.start })
    }
}

/// The sections of a commit's change sets.
pub(crate) fn change_sections(all: &AllChanges) -> Vec<NewChunk> {
    let mut out = Vec::new();
    for (edges, sets) in [(0u16, &all.nodes), (1, &all.edges)] {
        for (ty, set) in sets.iter().filter(|(_, s)| !s.is_empty()) {
            let all = set.added.len() + set.changed.len() + set.removed.len();
            let key = Kind::Changes.key(edges, *ty, 0);
            out.push(NewChunk { key, rows: u32::try_from(all).unwrap_or(u32::MAX), aux: 0, bytes: set.encode() });
        }
    }
    out
}

/// Everything of a manifest but its chunks.
pub(crate) fn manifest(w: &Working, e: &Encoded, previous: Option<(&Manifest, &Slot)>, name: &str) -> Manifest {
    let mut history = previous.map(|(m, _)| m.history.clone()).unwrap_or_default();
    if let Some((m, slot)) = previous.filter(|(m, _)| m.number > 0) {
        history.push(History {
            number: m.number,
            time: m.time,
            name: m.name.clone(),
            offset: slot.offset,
            len: slot.len,
            hash: slot.manifest_hash,
        });
    }
    Manifest {
        number: previous.map_or(0, |(m, _)| m.number + 1),
        time: w.time,
        name: name.to_owned(),
        group_types: w.group_types.iter().map(|t| *t as u8).collect(),
        group_rows: w.group_rows.clone(),
        node_counts: e.node_counts.clone(),
        edge_counts: e.edge_counts.clone(),
        records: w.base_records() + u32::try_from(w.records.len()).unwrap_or(u32::MAX),
        key_partitions: e.key_partitions,
        sources: w
            .sources
            .iter()
            .map(|(n, s)| SourceEntry {
                name: n.clone(),
                system: s.system.clone(),
                observed_at: s.observed_at,
                complete: s.complete.clone(),
                records: s.records,
                legacy: s.legacy,
            })
            .collect(),
        history,
        chunks: Vec::new(),
    }
}

/// Writes what changed as the next snapshot. `a` holds the sections of the snapshot before, and what was put already.
pub(crate) fn finish(
    mut a: Appender<'_>,
    slot: &Slot,
    previous: &Manifest,
    w: &Working,
    e: &Encoded,
    name: &str,
) -> Result<Written, StoreError> {
    let manifest = manifest(w, e, Some((previous, slot)), name);
    let put: std::collections::HashSet<u64> = e.put.iter().map(|c| c.key).collect();
    for key in e.dropped.iter().filter(|k| !put.contains(k)) {
        a.forget(*key);
    }
    let mut order: Vec<&NewChunk> = e.put.iter().collect();
    order.sort_by_key(|c| c.key);
    for c in order {
        a.put(c)?;
    }
    a.flip(manifest)
}
