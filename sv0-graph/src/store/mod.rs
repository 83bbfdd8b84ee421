//! The store: one file, immutable snapshots, append-and-flip commits. The format is described in `FORMAT.md`.
//!
//! | room | holds |
//! |---|---|
//! | `media` | the file under the store |
//! | `map` | the one `unsafe` call |
//! | `format` | header, slots, manifest |
//! | `encode` | a staged graph as chunks |
//! | `chunk` | a chunk, checked at its first touch |
//! | `snapshot` | reading |
//! | `error` | what can go wrong |

mod chunk;
mod encode;
mod error;
mod format;
mod map;
mod media;
mod snapshot;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::StoreError;
pub use snapshot::{Snapshot, SnapshotInfo, SourceInfo};

use crate::batch::GraphBatch;
use crate::check::Violation;
use crate::schema::{NodeType, Schema};
use crate::vfs::{MemoryFile, MemoryVfs, OsVfs, Vfs};
use crate::working::Working;
use encode::Dictionary;
use format::{ChunkRef, History, Kind, Manifest, PAGE, SLOTS, Slot, SourceEntry};
use media::Media;

/// A store: a file (or memory) with its snapshots.
///
/// Opening reads one header and one manifest, whatever the graph's size; a query touches only the sections that it
/// needs.
#[derive(Debug)]
pub struct Store {
    #[expect(dead_code, reason = "compaction")]
    vfs: Arc<dyn Vfs>,
    media: Media,
    path: Option<PathBuf>,
    mapped: bool,
    writable: bool,
    slot: Slot,
    slot_index: usize,
    latest: Snapshot,
    poisoned: bool,
}

impl Store {
    /// Opens for reading; sections are read into memory at their first touch.
    ///
    /// # Errors
    /// [`StoreError`]: not a store, truncated, corrupt, of a newer version, or the system's.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_in(Arc::new(OsVfs), path)
    }

    /// As [`Store::open`], on a file system of the caller's.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_in(vfs: Arc<dyn Vfs>, path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let media = Media::open_read(&*vfs, path.as_ref())?;
        Self::with_media(vfs, media, Some(path.as_ref()), false, false)
    }

    /// Opens for reading through a mapping: nothing is copied.
    ///
    /// # Errors
    /// As [`Store::open`].
    ///
    /// # Safety
    /// Nobody may truncate or rewrite the file while the store or a snapshot of it lives. sv0 itself never does.
    #[allow(unsafe_code)]
    pub unsafe fn map(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let vfs: Arc<dyn Vfs> = Arc::new(OsVfs);
        let media = Media::open_read(&*vfs, path.as_ref())?;
        // SAFETY: the caller's promise covers the mapping that `with_media` makes.
        Self::with_media(vfs, media, Some(path.as_ref()), true, false)
    }

    /// Opens for writing, creating the file if it isn't there, and takes the writer's lock.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another writer holds it; else as [`Store::open`].
    pub fn open_or_create(path: impl AsRef<Path>, schema: Schema) -> Result<Self, StoreError> {
        Self::open_or_create_in(Arc::new(OsVfs), path, schema)
    }

    /// As [`Store::open_or_create`], on a file system of the caller's.
    ///
    /// # Errors
    /// As [`Store::open_or_create`].
    pub fn open_or_create_in(vfs: Arc<dyn Vfs>, path: impl AsRef<Path>, schema: Schema) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let media = Media::open_write(&*vfs, path)?;
        let made = if media.len()? == 0 || format::is_blank(&media)? {
            create(&media, schema)
                .and_then(|()| vfs.sync_parent(path).map_err(StoreError::io("make the store's folder durable")))
        } else {
            Ok(())
        };
        made.inspect_err(|_| media.unlock())?;
        Self::with_media(vfs, media, Some(path), false, true)
    }

    /// A store in memory, for tests and temporary work.
    ///
    /// # Errors
    /// [`StoreError::Limit`] if the schema can't be encoded.
    pub fn in_memory(schema: Schema) -> Result<Self, StoreError> {
        let media = Media::new(Arc::new(MemoryFile::default()));
        create(&media, schema)?;
        Self::with_media(Arc::new(MemoryVfs::default()), media, None, false, true)
    }

    fn with_media(
        vfs: Arc<dyn Vfs>,
        media: Media,
        path: Option<&Path>,
        mapped: bool,
        writable: bool,
    ) -> Result<Self, StoreError> {
        let (slot, slot_index) = format::read_head(&media, writable)?;
        let manifest = format::read_manifest(&media, slot.offset, slot.len, &slot.manifest_hash, slot.committed)?;
        let latest = snapshot(&media, mapped, manifest)?;
        Ok(Self {
            vfs,
            media,
            path: path.map(Path::to_owned),
            mapped,
            writable,
            slot,
            slot_index,
            latest,
            poisoned: false,
        })
    }

    /// The newest snapshot.
    #[must_use]
    pub fn latest(&self) -> Snapshot {
        self.latest.clone()
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// All snapshots, oldest first: (number, time, name).
    #[must_use]
    pub fn snapshots(&self) -> Vec<(u32, i64, String)> {
        let m = self.latest.manifest();
        let mut all: Vec<_> = m.history.iter().map(|h| (h.number, h.time, h.name.clone())).collect();
        if m.number > 0 {
            all.push((m.number, m.time, m.name.clone()));
        }
        all
    }

    /// The snapshot of this number.
    ///
    /// # Errors
    /// [`StoreError::UnknownSnapshot`], or what reading it meets.
    pub fn snapshot(&self, number: u32) -> Result<Snapshot, StoreError> {
        let m = self.latest.manifest();
        if number == m.number && number > 0 {
            return Ok(self.latest.clone());
        }
        let Some(h) = m.history.iter().find(|h| h.number == number) else {
            let have = self.snapshots().iter().map(|s| s.0.to_string()).collect::<Vec<_>>().join(", ");
            return Err(StoreError::UnknownSnapshot { wanted: number.to_string(), have });
        };
        let manifest = format::read_manifest(&self.media, h.offset, h.len, &h.hash, self.slot.committed)?;
        snapshot(&self.media, self.mapped, manifest)
    }

    /// Starts a transaction on the newest snapshot.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Poisoned`], or what reading the snapshot meets.
    pub fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        if !self.writable {
            return Err(StoreError::ReadOnly);
        }
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        let (working, dictionary) = self.latest.to_working()?;
        Ok(Transaction { base: working.clone(), working, dictionary, store: self })
    }

    /// Sizes by section, and what each edge costs.
    #[must_use]
    pub fn info(&self) -> StoreInfo {
        let m = self.latest.manifest();
        let mut sections: BTreeMap<&'static str, SectionSize> = BTreeMap::new();
        for c in &m.chunks {
            if let Some(k) = Kind::of(c.key) {
                let s = sections.entry(k.name()).or_insert(SectionSize { chunks: 0, bytes: 0 });
                s.chunks += 1;
                s.bytes += c.len;
            }
        }
        StoreInfo {
            format_version: format::VERSION,
            file_bytes: self.slot.committed,
            manifest_bytes: self.slot.len,
            sections: sections.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        }
    }

    /// Reads and checks everything in every snapshot: hashes, structure, references.
    ///
    /// # Errors
    /// The system's; what is wrong with the file is in the report.
    pub fn verify(&self) -> Result<VerifyReport, StoreError> {
        let mut report = VerifyReport::default();
        for (number, ..) in self.snapshots() {
            let s = match self.snapshot(number) {
                Ok(s) => s,
                Err(e) => {
                    report.problems.push(format!("snapshot {number}: {e}"));
                    continue;
                }
            };
            report.snapshots += 1;
            report.sections += s.manifest().chunks.len() as u64;
            report.bytes += s.manifest().chunks.iter().map(|c| c.len).sum::<u64>();
            let problems = s.check_all();
            if problems.is_empty() {
                match s.check_references() {
                    Ok(bad) => report.problems.extend(bad.into_iter().map(|b| format!("snapshot {number}: {b}"))),
                    Err(e) => report.problems.push(format!("snapshot {number}: {e}")),
                }
            }
            report.problems.extend(problems.into_iter().map(|p| format!("snapshot {number}: {p}")));
        }
        Ok(report)
    }
}

/// How many sections of one kind, and their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionSize {
    /// Sections.
    pub chunks: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A store's sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// The format's version.
    pub format_version: u32,
    /// The committed length.
    pub file_bytes: u64,
    /// The newest manifest's length.
    pub manifest_bytes: u64,
    /// The newest snapshot's sections by kind.
    pub sections: BTreeMap<String, SectionSize>,
}

/// What a full verification saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Snapshots read.
    pub snapshots: u64,
    /// Sections read.
    pub sections: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What doesn't hold; empty if all does.
    pub problems: Vec<String>,
}

#[allow(unsafe_code)]
fn snapshot(media: &Media, mapped: bool, manifest: Manifest) -> Result<Snapshot, StoreError> {
    let map = if mapped {
        // SAFETY: `mapped` is only set by `Store::map`, whose caller promised what a mapping needs.
        unsafe { media.map()? }
    } else {
        None
    };
    Snapshot::new(media.clone(), map, manifest)
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.writable {
            self.media.unlock();
        }
    }
}

fn create(media: &Media, schema: Schema) -> Result<(), StoreError> {
    let working = Working::new(Arc::new(schema));
    media.set_len(format::DATA)?;
    let slot = Slot { sequence: 0, offset: 0, len: 0, committed: format::DATA, manifest_hash: [0; 32] };
    write(media, &slot, 1, &working, &mut Dictionary::default(), None, 0, "")?;
    // The header comes last: a file without one was never a store and is begun anew.
    media.write_at(0, &format::header())?;
    media.sync()
}

struct Written {
    slot: Slot,
    slot_index: usize,
    bytes: u64,
}

/// Appends what is new, makes it durable, then flips the older header slot to it.
#[expect(clippy::too_many_arguments, reason = "one private call site each for create and commit")]
fn write(
    media: &Media,
    slot: &Slot,
    slot_index: usize,
    g: &Working,
    dictionary: &mut Dictionary,
    previous: Option<&Manifest>,
    number: u32,
    name: &str,
) -> Result<Written, StoreError> {
    let (chunks, partitions) = encode::encode(g, dictionary)?;
    let old: HashMap<u64, ChunkRef> =
        previous.map(|m| m.chunks.iter().map(|c| (c.key, *c)).collect()).unwrap_or_default();
    let mut at = format::align(slot.committed);
    let mut buffer: Vec<u8> = Vec::new();
    let start = at;
    let mut refs: Vec<ChunkRef> = Vec::new();
    for c in chunks {
        let hash = *blake3::hash(&c.bytes).as_bytes();
        let len = c.bytes.len() as u64;
        if let Some(o) = old.get(&c.key)
            && (o.hash, o.len, o.rows, o.aux) == (hash, len, c.rows, c.aux)
        {
            refs.push(*o);
            continue;
        }
        refs.push(ChunkRef { key: c.key, offset: at, len, rows: c.rows, aux: c.aux, hash });
        buffer.extend_from_slice(&c.bytes);
        at = format::align(at + len);
        buffer.resize(usize::try_from(at - start).unwrap_or(0), 0);
    }
    // Earlier strings are never encoded again; their sections stay.
    refs.extend(
        old.values()
            .filter(|c| Kind::of(c.key) == Some(Kind::Dictionary))
            .filter(|c| !refs_has(&refs, c.key))
            .copied()
            .collect::<Vec<_>>(),
    );
    refs.sort_by_key(|c| c.key);
    let mut history = previous.map(|m| m.history.clone()).unwrap_or_default();
    if let Some(m) = previous.filter(|m| m.number > 0) {
        history.push(History {
            number: m.number,
            time: m.time,
            name: m.name.clone(),
            offset: slot.offset,
            len: slot.len,
            hash: slot.manifest_hash,
        });
    }
    let mut node_counts = vec![0u64; NodeType::ALL.len()];
    for id in (0u32..).zip(&g.nodes).filter(|(_, n)| n.is_some()).map(|(id, _)| id) {
        node_counts[g.type_of(id) as usize] += 1;
    }
    let manifest = Manifest {
        number,
        time: g.time,
        name: name.to_owned(),
        group_types: g.group_types.iter().map(|t| *t as u8).collect(),
        group_rows: g.group_rows.clone(),
        node_counts,
        edge_counts: g.edges.iter().map(|t| t.out.len() as u64).collect(),
        records: u32::try_from(g.records.len()).unwrap_or(u32::MAX),
        dictionary: u32::try_from(dictionary.codes.len()).unwrap_or(u32::MAX),
        key_partitions: partitions,
        sources: g
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
        chunks: refs,
    };
    let encoded = manifest.encode()?;
    let offset = at;
    buffer.extend_from_slice(&encoded);
    let committed = format::align(offset + encoded.len() as u64);
    // To the end of the page, so that what a crashed commit left there goes.
    buffer.resize(usize::try_from(committed.next_multiple_of(PAGE) - start).unwrap_or(0), 0);
    // Growth first, data, durable; only then anything that refers to the new length.
    media.set_len(committed.next_multiple_of(PAGE))?;
    media.write_at(start, &buffer)?;
    media.sync()?;
    let next = Slot {
        sequence: slot.sequence + 1,
        offset,
        len: encoded.len() as u64,
        committed,
        manifest_hash: *blake3::hash(&encoded).as_bytes(),
    };
    let slot_index = 1 - slot_index;
    let mut page = vec![0u8; 4096];
    page[..96].copy_from_slice(&next.encode());
    page[format::SLOT_COPY as usize..][..96].copy_from_slice(&next.encode());
    media.write_at(SLOTS[slot_index], &page)?;
    media.sync()?;
    Ok(Written { slot: next, slot_index, bytes: buffer.len() as u64 })
}

fn refs_has(refs: &[ChunkRef], key: u64) -> bool {
    refs.iter().any(|c| c.key == key)
}

/// Batches staged on a snapshot; nothing is written before [`Transaction::commit`].
#[derive(Debug)]
pub struct Transaction<'a> {
    store: &'a mut Store,
    base: Working,
    working: Working,
    dictionary: Dictionary,
}

impl Transaction<'_> {
    /// The staged graph, for the enrichment step.
    #[must_use]
    pub fn view(&self) -> &Working {
        &self.working
    }

    /// Checks and stages batches; edges may go between them.
    ///
    /// # Errors
    /// [`StoreError::Schema`] with everything that doesn't fit; nothing is staged then.
    pub fn stage(&mut self, batches: Vec<GraphBatch>) -> Result<(), StoreError> {
        self.working.apply(batches, false).map(|_| ()).map_err(StoreError::Schema)
    }

    /// Stages what fits and returns what doesn't.
    ///
    /// # Errors
    /// None today; the signature leaves room for bounds.
    pub fn stage_lenient(&mut self, batches: Vec<GraphBatch>) -> Result<Vec<Violation>, StoreError> {
        self.working.apply(batches, true).map_err(StoreError::Schema)
    }

    /// What the staged batches add, change and remove, by node and edge type.
    #[must_use]
    pub fn changes(&self) -> BTreeMap<String, ChangeCounts> {
        changes(&self.base, &self.working)
    }

    /// Commits the staged graph as the next snapshot; returns after it is durable.
    ///
    /// # Errors
    /// An I/O error leaves the last snapshot intact and poisons this handle.
    pub fn commit(mut self, name: &str) -> Result<Commit, StoreError> {
        let changes = self.changes();
        let previous = self.store.latest.manifest().clone();
        let written = write(
            &self.store.media,
            &self.store.slot,
            self.store.slot_index,
            &self.working,
            &mut self.dictionary,
            Some(&previous),
            previous.number + 1,
            name,
        )
        .inspect_err(|_| self.store.poisoned = true)?;
        self.store.slot = written.slot;
        self.store.slot_index = written.slot_index;
        let read = format::read_manifest(
            &self.store.media,
            written.slot.offset,
            written.slot.len,
            &written.slot.manifest_hash,
            written.slot.committed,
        )
        .and_then(|m| snapshot(&self.store.media, self.store.mapped, m));
        self.store.latest = read.inspect_err(|_| self.store.poisoned = true)?;
        Ok(Commit { snapshot: self.store.latest.clone(), changes, bytes_written: written.bytes })
    }
}

/// A commit's outcome.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The new snapshot.
    pub snapshot: Snapshot,
    /// What changed, by node and edge type.
    pub changes: BTreeMap<String, ChangeCounts>,
    /// Bytes appended.
    pub bytes_written: u64,
}

/// How many of a type were added, changed, removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChangeCounts {
    /// New.
    pub added: u64,
    /// With other properties or another state.
    pub changed: u64,
    /// Gone.
    pub removed: u64,
}

fn changes(a: &Working, b: &Working) -> BTreeMap<String, ChangeCounts> {
    let mut out: BTreeMap<String, ChangeCounts> = BTreeMap::new();
    let none = None;
    for id in 0..a.nodes.len().max(b.nodes.len()) {
        let (old, new) = (a.nodes.get(id).unwrap_or(&none), b.nodes.get(id).unwrap_or(&none));
        let ty = b.type_of(u32::try_from(id).unwrap_or(u32::MAX)).name();
        let mut count = |f: fn(&mut ChangeCounts)| f(out.entry(ty.to_owned()).or_default());
        match (old, new) {
            (None, Some(_)) => count(|c| c.added += 1),
            (Some(_), None) => count(|c| c.removed += 1),
            (Some(o), Some(n)) if o.props != n.props => count(|c| c.changed += 1),
            _ => {}
        }
    }
    for (ty, (old, new)) in b.schema.edge_types().iter().zip(a.edges.iter().zip(&b.edges)) {
        let mut counts = ChangeCounts::default();
        for (id, slot) in &new.out {
            match old.out.get(id) {
                None => counts.added += 1,
                Some(o) => {
                    let (o, n) = (&old.slots[*o as usize].1, &new.slots[*slot as usize].1);
                    if (&o.props, o.state, &o.condition, o.evidence) != (&n.props, n.state, &n.condition, n.evidence) {
                        counts.changed += 1;
                    }
                }
            }
        }
        counts.removed = old.out.keys().filter(|id| !new.out.contains_key(*id)).count() as u64;
        if counts != ChangeCounts::default() {
            out.insert(ty.name.clone(), counts);
        }
    }
    out
}
