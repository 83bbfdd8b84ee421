//! What can go wrong with a store.

use std::io;
use std::sync::Arc;

use crate::check::Violations;

/// Why a store operation failed. After any of these the last committed snapshot is intact.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("{op}: {source}")]
    Io {
        /// What was being done.
        op: &'static str,
        /// Its answer.
        source: Arc<io::Error>,
    },
    /// Not a store at all.
    #[error("not an sv0 store (its first bytes are something else)")]
    NotAStore,
    /// Written by a version that this one doesn't read.
    #[error("store format version {found}; this build reads {min} to {max}: {}", advice(*.found, *.max))]
    UnsupportedVersion {
        /// In the file.
        found: u32,
        /// The oldest that this build reads.
        min: u32,
        /// What this build reads.
        max: u32,
    },
    /// A feature flag that this build doesn't know.
    #[error("store uses features {unknown:#x} that this build doesn't know: use a newer sv0")]
    UnsupportedFeatures {
        /// The unknown bits.
        unknown: u32,
    },
    /// A machine with the other byte order.
    #[error("sv0 stores are little-endian and are read in place; this machine is big-endian: use another")]
    UnsupportedHost,
    /// The host has no memory for what is to be read.
    #[error("no memory for {bytes} bytes of the store: give the process more, or map the store instead of reading it")]
    OutOfMemory {
        /// How much was asked for.
        bytes: u64,
    },
    /// The file is shorter than its header says.
    #[error("store is truncated: {found} of {expected} bytes are there; copy it again from its source")]
    Truncated {
        /// The committed length.
        expected: u64,
        /// The file's length.
        found: u64,
    },
    /// Bytes that aren't what was written.
    #[error("store is corrupt: section `{section}` at offset {offset}: {reason}")]
    Corrupt {
        /// The section.
        section: String,
        /// Where it starts in the file.
        offset: u64,
        /// What doesn't hold.
        reason: &'static str,
    },
    /// Another writer, in this process or another, holds the store.
    #[error("store is locked: another process or handle is writing to it")]
    Locked,
    /// The file may only be read.
    #[error("store is read-only")]
    ReadOnly,
    /// The medium is full.
    #[error("{op}: no space left; the last snapshot is intact")]
    NoSpace {
        /// What was being done.
        op: &'static str,
    },
    /// An earlier I/O error; the outcome of that commit is unknown until the store is opened again.
    #[error("this writer saw an I/O error and refuses further work; open the store again")]
    Poisoned,
    /// The batches don't fit the schema.
    #[error("the input doesn't fit the schema: {0}")]
    Schema(Violations),
    /// A schema that isn't the store's with something added, or that no store can have.
    #[error(
        "the schema isn't the store's with something added (start from the store's own, keep `kind`, and name edge types in \
         groups that it has)"
    )]
    SchemaNotExtended,
    /// The file has several names; putting another in the place of one would leave the others behind.
    #[error("the store has several names (hard links): compact a copy, or remove the others first")]
    HardLinked,
    /// A stage of this transaction failed half-way: it can't be committed.
    #[error("an earlier stage of this transaction failed half-way: begin anew")]
    BrokenTransaction,
    /// No such snapshot.
    #[error("there is no snapshot {wanted}; the store has {have}")]
    UnknownSnapshot {
        /// What was asked for.
        wanted: String,
        /// What there is.
        have: String,
    },
    /// A fixed bound of the format.
    #[error("{which} is limited to {max}")]
    Limit {
        /// Which bound.
        which: &'static str,
        /// Its value.
        max: u64,
    },
}

fn advice(found: u32, max: u32) -> &'static str {
    if found > max { "use a newer sv0" } else { "it is older than the first release; make it again from its sources" }
}

impl StoreError {
    pub(crate) fn io(op: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |e| match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::NoSpace { op }
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io { op, source: Arc::new(e) },
        }
    }

    pub(crate) fn corrupt(section: impl Into<String>, offset: u64, reason: &'static str) -> Self {
        Self::Corrupt { section: section.into(), offset, reason }
    }
}
