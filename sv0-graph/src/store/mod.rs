//! The store: one file, immutable snapshots, append-and-flip commits. The format is described in `FORMAT.md`.
//!
//! | room | holds |
//! |---|---|
//! | `media` | the file under the store |
//! | `map` | the one `unsafe` call |
//! | `format` | header, slots, manifest |
//! | `array` | packed integers, texts, bitmaps |
//! | `column` | a property's values in a group's rows |
//! | `adjacency` | sparse rows of an edge type, and patches |
//! | `statistics`, `changes` | counts for the planner, a commit's change sets |
//! | `encode` | sections from sorted data |
//! | `commit` | a transaction's changes as sections |
//! | `write` | the order of writes |
//! | `compact`, `diff` | fewer snapshots; what differs between two |
//! | `chunk` | a section, checked at its first touch |
//! | `merged` | a base and its patch, put together |
//! | `snapshot`, `lookup` | reading; sections by key |
//! | `verify` | everything checked |
//! | `error` | what can go wrong |

mod adjacency;
pub(crate) mod array;
pub(crate) mod changes;
mod chunk;
pub(crate) mod column;
pub(crate) mod commit;
mod compact;
mod diff;
pub(crate) mod encode;
mod error;
pub(crate) mod format;
mod lookup;
mod map;
pub(crate) mod media;
mod merged;
mod pages;
mod snapshot;
mod statistics;
mod topology;
mod verify;
pub(crate) mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use changes::{ChangeCounts, ChangeSet};
pub use commit::Layout;
pub use compact::{Compacted, Keep};
pub use diff::{Diff, EdgeChange, NodeChanges};
pub use error::StoreError;
pub(crate) use format::{edge_column, node_column};
pub(crate) use snapshot::{Candidate, edge_id, edge_parts, group, row};
pub use snapshot::{Codes, Snapshot, SnapshotInfo, SourceInfo};
pub use statistics::TypeStatistics;
pub use topology::{Adjacency, Topology};
pub use verify::VerifyReport;

use crate::batch::GraphBatch;
use crate::check::Violation;
use crate::schema::{NodeType, Schema};
use crate::vfs::{MemoryFile, MemoryVfs, OsVfs, Vfs};
use crate::working::Working;
use changes::AllChanges;
use format::{Kind, Manifest, Slot};
use media::Media;

/// A store: a file (or memory) with its snapshots.
///
/// Opening reads one header and one manifest, whatever the graph's size; a query touches only the sections that it
/// needs.
#[derive(Debug)]
pub struct Store {
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

    /// Checks all of a store that was opened, as [`Trust`] says; with [`Trust::Lazy`] nothing is left to do.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for the first thing that doesn't hold.
    pub fn trusted(self, trust: Trust) -> Result<Self, StoreError> {
        if trust == Trust::Full {
            for (number, ..) in self.snapshots() {
                let s = self.snapshot(number)?;
                if let Some(e) = s.check_all().into_iter().next() {
                    return Err(e);
                }
                if !s.check_references()?.is_empty() {
                    let section = format!("references of snapshot {number}");
                    return Err(StoreError::corrupt(section, 0, "sections disagree; `verify` says which"));
                }
            }
        }
        Ok(self)
    }

    /// Opens through a mapping what nobody can change any more: a memory file that is sealed against writing and
    /// shrinking. Anything else is read as [`Store::open`] does.
    ///
    /// # Errors
    /// As [`Store::open`].
    #[allow(unsafe_code)]
    pub fn map_if_safe(file: std::fs::File) -> Result<Self, StoreError> {
        let sealed = media::is_sealed(&file);
        let media = Media::new(Arc::new(file));
        // SAFETY: `mapped` makes `with_media` map the file only where its seals forbid what would make that unsafe.
        Self::with_media(Arc::new(OsVfs), media, None, sealed, false)
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

    /// As [`Store::open_or_create`], reading through a mapping.
    ///
    /// # Errors
    /// As [`Store::open_or_create`].
    ///
    /// # Safety
    /// As [`Store::map`].
    #[allow(unsafe_code)]
    pub unsafe fn map_or_create(path: impl AsRef<Path>, schema: Schema) -> Result<Self, StoreError> {
        let mut store = Self::open_or_create(path, schema)?;
        store.mapped = true;
        // SAFETY: the caller's promise covers the mapping that `snapshot` makes.
        store.latest = snapshot(&store.media, true, store.latest.manifest().clone(), None)?;
        Ok(store)
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
        let media = Media::open_write(&*vfs, path.as_ref())?;
        // What a link names, whatever the working folder will be: a compaction renames over it.
        let path = &*vfs.canonical(path.as_ref()).map_err(StoreError::io("find the store's path"))?;
        let made = if format::is_blank(&media)? {
            create(&media, schema)
                .and_then(|()| vfs.sync_parent(path).map_err(StoreError::io("make the store's folder durable")))
        } else {
            reaffirm(&media)
                .and_then(|()| vfs.sync_parent(path).map_err(StoreError::io("make the store's folder durable")))
        };
        made.inspect_err(|_| media.unlock())?;
        // What a compaction that was killed left beside the store: nobody else can be at it while the lock is ours.
        let leftover = Target { vfs: &*vfs, path: Some(path) }.beside("compact");
        let _ = vfs.unlink(&leftover);
        let lock = media.clone();
        Self::with_media(vfs, media, Some(path), false, true).inspect_err(|_| lock.unlock())
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
        let latest = snapshot(&media, mapped, manifest, None)?;
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
        if manifest.number != number {
            return Err(StoreError::corrupt("manifest", h.offset, "another snapshot's number"));
        }
        snapshot(&self.media, self.mapped, manifest, None)
    }

    /// The newest snapshot that isn't later than a time (microseconds since 1970, UTC); `None`: all are later.
    ///
    /// # Errors
    /// What reading it meets.
    pub fn at_time(&self, time: i64) -> Result<Option<Snapshot>, StoreError> {
        let found = self.snapshots().into_iter().rev().find(|s| s.1 <= time);
        found.map(|s| self.snapshot(s.0)).transpose()
    }

    /// The newest snapshot with a name.
    ///
    /// # Errors
    /// What reading it meets.
    pub fn named(&self, name: &str) -> Result<Option<Snapshot>, StoreError> {
        let found = self.snapshots().into_iter().rev().find(|s| s.2 == name);
        found.map(|s| self.snapshot(s.0)).transpose()
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
        let working = Working::over(&self.latest);
        Ok(Transaction { working, store: self })
    }

    /// Appends a snapshot and reads it back.
    fn append(&mut self, w: &Working, encoded: &commit::Encoded, name: &str) -> Result<u64, StoreError> {
        let previous = self.latest.manifest();
        let a = write::Appender::new(&self.media, self.slot, self.slot_index, &previous.chunks);
        let written = write::finish(a, &self.slot, previous, w, encoded, name).inspect_err(|_| self.poisoned = true)?;
        self.advance(written)
    }

    /// Appends a snapshot whose sections `f` makes and, in part, puts itself. An error of its own leaves the handle as it
    /// was: nothing refers to what was appended.
    pub(crate) fn write_with<E: From<StoreError>>(
        &mut self,
        name: &str,
        f: impl FnOnce(&mut write::Appender<'_>, &Target<'_>) -> Result<(Working, commit::Encoded), E>,
    ) -> Result<Commit, E> {
        let previous = self.latest.manifest();
        let mut a = write::Appender::new(&self.media, self.slot, self.slot_index, &previous.chunks);
        let target = Target { vfs: &*self.vfs, path: self.path.as_deref() };
        let (working, encoded) = f(&mut a, &target)?;
        let changes = counts(&working.schema, &encoded.changes);
        let written =
            write::finish(a, &self.slot, previous, &working, &encoded, name).inspect_err(|_| self.poisoned = true)?;
        let bytes_written = self.advance(written)?;
        Ok(Commit { snapshot: self.latest.clone(), changes, bytes_written })
    }

    /// Goes on to what was written.
    fn advance(&mut self, w: write::Written) -> Result<u64, StoreError> {
        (self.slot, self.slot_index) = (w.slot, w.slot_index);
        let read =
            format::read_manifest(&self.media, w.slot.offset, w.slot.len, &w.slot.manifest_hash, w.slot.committed)
                .and_then(|m| snapshot(&self.media, self.mapped, m, Some(&self.latest)));
        self.latest = read.inspect_err(|_| self.poisoned = true)?;
        Ok(w.bytes)
    }

    /// Where the newest snapshot's manifest and sections lie, the manifest first.
    #[must_use]
    pub fn sections(&self) -> Vec<SectionPlace> {
        let s = &self.slot;
        let manifest =
            SectionPlace { name: "manifest".to_owned(), offset: s.offset, bytes: s.len, hash: s.manifest_hash };
        let chunks = self.latest.manifest().chunks.iter().map(|c| SectionPlace {
            name: format::section(c.key),
            offset: c.offset,
            bytes: c.len,
            hash: c.hash,
        });
        std::iter::once(manifest).chain(chunks).collect()
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
}

/// Where a store lies.
pub(crate) struct Target<'a> {
    pub vfs: &'a dyn Vfs,
    pub path: Option<&'a Path>,
}

impl Target<'_> {
    /// The path of a helper's file beside the store.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        let path = self.path.unwrap_or(Path::new("store"));
        // A hidden name that nobody gives a file of his own.
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".sv0-{suffix}~"));
        path.with_file_name(name)
    }
}

/// Where a section lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionPlace {
    /// Its kind and number, as errors name it.
    pub name: String,
    /// Bytes from the beginning of the file.
    pub offset: u64,
    /// Its length, bytes.
    pub bytes: u64,
    /// Its BLAKE3 hash.
    pub hash: [u8; 32],
}

/// How much of a file is checked before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Header and manifest at open; each section's hash and structure at its first touch.
    #[default]
    Lazy,
    /// Everything at open, also what sections say of each other. For files from elsewhere.
    Full,
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

#[allow(unsafe_code)]
fn snapshot(
    media: &Media,
    mapped: bool,
    manifest: Manifest,
    before: Option<&Snapshot>,
) -> Result<Snapshot, StoreError> {
    let map = if mapped {
        // SAFETY: `mapped` is only set by `Store::map` and `Store::map_or_create`, whose callers promised what a mapping
        // needs, and by `Store::map_if_safe`, which has seen the seals that make it safe.
        unsafe { media.map(before.and_then(Snapshot::mapped))? }
    } else {
        None
    };
    Snapshot::new(media.clone(), map, manifest, before)
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.writable {
            self.media.unlock();
        }
    }
}

/// Makes durable what a writer before may have left written and not durable: one that died, or whose last `sync` failed.
/// The same bytes are written again, because a page that failed to reach the disk may count as clean.
fn reaffirm(media: &Media) -> Result<(), StoreError> {
    let (slot, index) = format::read_head(media, true)?;
    media.write_at(0, &format::read_header(media)?)?;
    media.write_at(format::SLOTS[index], &slot.page())?;
    media.sync()
}

fn create(media: &Media, schema: Schema) -> Result<(), StoreError> {
    format::host()?;
    let working = Working::new(Arc::new(schema));
    if Schema::from_archive(&working.schema.to_archive()).is_none() {
        return Err(StoreError::SchemaNotExtended);
    }
    // Whose file it is comes first, and is durable before anything else is written.
    media.set_len(format::DATA)?;
    media.write_at(0, &format::begun())?;
    media.sync()?;
    let slot = Slot { sequence: 0, offset: 0, len: 0, committed: format::DATA, manifest_hash: [0; 32] };
    let encoded = commit::Encoded {
        node_counts: vec![0; NodeType::ALL.len()],
        edge_counts: vec![0; working.schema.edge_types().len()],
        ..commit::Encoded::default()
    };
    let mut a = write::Appender::new(media, slot, 1, &[]);
    a.put(&encode::encode_schema(&working.schema))?;
    a.flip(write::manifest(&working, &encoded, None, ""))?;
    // The header comes last: a file without one was never a store and is begun anew.
    media.write_at(0, &format::header())?;
    media.sync()
}

/// Batches staged on a snapshot; nothing is written before [`Transaction::commit`].
#[derive(Debug)]
pub struct Transaction<'a> {
    store: &'a mut Store,
    working: Working,
}

impl Transaction<'_> {
    /// The staged graph alone.
    pub(crate) fn into_working(self) -> Working {
        self.working
    }

    /// The staged graph, for the enrichment step.
    #[must_use]
    pub fn view(&self) -> &Working {
        &self.working
    }

    /// Declares edge types, properties, kinds, tags or type groups of your own; they are stored with the snapshot. The nine
    /// node types are closed (ADR-006).
    ///
    /// # Errors
    /// [`StoreError::SchemaNotExtended`] if `schema` lacks something that the store's has, or numbers it differently.
    pub fn extend_schema(&mut self, schema: &Schema) -> Result<(), StoreError> {
        self.working.extend(schema).map_err(|()| StoreError::SchemaNotExtended)
    }

    /// Checks and stages batches; edges may go between them.
    ///
    /// # Errors
    /// [`StoreError::Schema`] with everything that doesn't fit, nothing being staged then; or what reading the snapshot
    /// meets.
    pub fn stage(&mut self, batches: Vec<GraphBatch>) -> Result<(), StoreError> {
        self.working.apply(batches, false).map(|_| ())
    }

    /// Stages what fits and returns what doesn't.
    ///
    /// # Errors
    /// What reading the snapshot meets.
    pub fn stage_lenient(&mut self, batches: Vec<GraphBatch>) -> Result<Vec<Violation>, StoreError> {
        self.working.apply(batches, true)
    }

    /// Commits the staged graph as the next snapshot; returns after it is durable.
    ///
    /// # Errors
    /// An I/O error leaves the last snapshot intact and poisons this handle.
    pub fn commit(self, name: &str) -> Result<Commit, StoreError> {
        self.commit_as(name, Layout::Auto)
    }

    /// As [`Transaction::commit`], with a say in how what changes is laid out.
    ///
    /// # Errors
    /// As [`Transaction::commit`].
    pub fn commit_as(self, name: &str, layout: Layout) -> Result<Commit, StoreError> {
        if self.working.broken {
            return Err(StoreError::BrokenTransaction);
        }
        let encoded = commit::encode(&self.store.latest, &self.working, layout)?;
        let changes = counts(&self.working.schema, &encoded.changes);
        let bytes_written = self.store.append(&self.working, &encoded, name)?;
        Ok(Commit { snapshot: self.store.latest.clone(), changes, bytes_written })
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

/// Change sets by the names of their types; types without a change are left out.
fn counts(schema: &Schema, all: &AllChanges) -> BTreeMap<String, ChangeCounts> {
    let mut out = BTreeMap::new();
    for (ty, set) in all.nodes.iter().filter(|(_, s)| !s.is_empty()) {
        if let Some(t) = u8::try_from(*ty).ok().and_then(NodeType::from_u8) {
            out.insert(t.name().to_owned(), set.counts());
        }
    }
    for (ty, set) in all.edges.iter().filter(|(_, s)| !s.is_empty()) {
        if let Some(t) = schema.edge_types().get(usize::from(*ty)) {
            out.insert(t.name.clone(), set.counts());
        }
    }
    out
}
