//! A disk with a volatile cache before it: what is durable, what is pending, what a process sees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sv0_graph::vfs::{MemoryFile, MemoryVfs, OpenMode};

use super::recording::Op;

/// The files that a power cut left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Contents by name.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Image {
    /// As a file system in memory.
    #[must_use]
    pub fn to_memory(&self) -> MemoryVfs {
        let vfs = MemoryVfs::default();
        for (path, bytes) in &self.files {
            vfs.put(path, Arc::new(MemoryFile::new(bytes.clone())));
        }
        vfs
    }

    /// A hash over names and contents.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut h = blake3::Hasher::new();
        for (path, bytes) in &self.files {
            let name = path.as_os_str().as_encoded_bytes();
            for n in [name.len(), bytes.len()] {
                h.update(&(n as u64).to_le_bytes());
            }
            h.update(name);
            h.update(bytes);
        }
        *h.finalize().as_bytes()
    }
}

/// A change of a file's contents or length that a power cut may lose.
#[derive(Debug, Clone)]
pub enum FileOp {
    /// Bytes at an offset.
    Write(usize, Arc<[u8]>),
    /// A length.
    SetLen(usize),
}

impl FileOp {
    /// Applies it; of a write only the sectors for which `keep` says so.
    pub fn apply(&self, to: &mut Vec<u8>, keep: &mut dyn FnMut(usize) -> bool) {
        match self {
            Self::SetLen(len) => to.resize(*len, 0),
            Self::Write(offset, bytes) => {
                let end = offset + bytes.len();
                let mut at = *offset;
                while at < end {
                    let next = ((at / SECTOR + 1) * SECTOR).min(end);
                    if keep(at / SECTOR - offset / SECTOR) {
                        if to.len() < next {
                            to.resize(next, 0);
                        }
                        to[at..next].copy_from_slice(&bytes[at - offset..next - offset]);
                    }
                    at = next;
                }
            }
        }
    }

    /// How many sectors a write touches; 0 for a length.
    #[must_use]
    pub fn sectors(&self) -> usize {
        match self {
            Self::Write(offset, bytes) if !bytes.is_empty() => {
                (offset + bytes.len() - 1) / SECTOR - offset / SECTOR + 1
            }
            _ => 0,
        }
    }
}

/// What a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// A change of names that a power cut may lose.
#[derive(Debug, Clone)]
pub enum NameOp {
    /// A new file's name.
    Link(PathBuf, usize),
    /// Another name, replacing what had it.
    Rename(PathBuf, PathBuf),
    /// A name removed.
    Unlink(PathBuf),
}

impl NameOp {
    /// Applies it; one whose file isn't there does nothing.
    pub fn apply(&self, to: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, inode) => {
                to.insert(path.clone(), *inode);
            }
            Self::Rename(a, b) => {
                if let Some(inode) = to.remove(a) {
                    to.insert(b.clone(), inode);
                }
            }
            Self::Unlink(path) => {
                to.remove(path);
            }
        }
    }

    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Link(p, _) | Self::Unlink(p) | Self::Rename(_, p) => p.parent(),
        }
    }
}

/// A file's contents: durable, pending, seen.
#[derive(Debug, Clone, Default)]
pub struct Inode {
    /// What survives a power cut for sure.
    pub durable: Vec<u8>,
    /// What a process reads.
    pub view: Vec<u8>,
    /// What may survive, in the order in which it was asked for.
    pub pending: Vec<FileOp>,
}

/// Files and names, durable and pending.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// All files that ever were.
    pub inodes: Vec<Inode>,
    /// Names that survive a power cut for sure.
    pub durable: BTreeMap<PathBuf, usize>,
    /// Names as a process sees them.
    pub view: BTreeMap<PathBuf, usize>,
    /// Changes of names that may survive.
    pub pending: Vec<NameOp>,
    opened: Vec<usize>,
}

impl Disk {
    /// A disk with these files, durable.
    #[must_use]
    pub fn new(image: &Image) -> Self {
        let mut disk = Self::default();
        for (path, bytes) in &image.files {
            disk.view.insert(path.clone(), disk.inodes.len());
            disk.inodes.push(Inode { durable: bytes.clone(), view: bytes.clone(), pending: Vec::new() });
        }
        disk.durable = disk.view.clone();
        disk
    }

    /// The files as processes see them.
    #[must_use]
    pub fn seen(&self) -> Image {
        let files = self.view.iter().map(|(path, i)| (path.clone(), self.inodes[*i].view.clone())).collect();
        Image { files }
    }

    /// The process that had files open is gone; a log's opens count from 0 again.
    pub fn forget_handles(&mut self) {
        self.opened.clear();
    }

    /// Opens a file; `None` if it isn't there.
    pub fn open(&mut self, path: &Path, mode: OpenMode) -> Option<usize> {
        let inode = match self.view.get(path) {
            Some(i) => *i,
            None if mode == OpenMode::Read => return None,
            None => {
                self.inodes.push(Inode::default());
                self.name(NameOp::Link(path.to_owned(), self.inodes.len() - 1));
                self.inodes.len() - 1
            }
        };
        if mode == OpenMode::Truncate && !self.inodes[inode].view.is_empty() {
            self.change(inode, FileOp::SetLen(0));
        }
        self.opened.push(inode);
        Some(inode)
    }

    /// Changes names, pending.
    pub fn name(&mut self, op: NameOp) {
        op.apply(&mut self.view);
        self.pending.push(op);
    }

    /// Changes a file, pending.
    pub fn change(&mut self, inode: usize, op: FileOp) {
        let file = &mut self.inodes[inode];
        op.apply(&mut file.view, &mut |_| true);
        file.pending.push(op);
    }

    /// Makes a file durable.
    pub fn sync(&mut self, inode: usize) {
        let file = &mut self.inodes[inode];
        for op in std::mem::take(&mut file.pending) {
            op.apply(&mut file.durable, &mut |_| true);
        }
    }

    /// Makes a folder's names durable.
    pub fn sync_parent(&mut self, path: &Path) {
        let folder = path.parent();
        let durable = &mut self.durable;
        self.pending.retain(|op| {
            let mine = op.folder() == folder;
            if mine {
                op.apply(durable);
            }
            !mine
        });
    }

    /// What Linux does where a sync fails: the pages count as clean, processes see them still, and they never get to the
    /// disk.
    pub fn lose_pending(&mut self) {
        for file in &mut self.inodes {
            file.pending.clear();
        }
    }

    /// Replays a call of a log.
    pub fn replay(&mut self, op: &Op) {
        match op {
            Op::Open(path, mode) => {
                self.open(path, *mode);
            }
            Op::Write(f, offset, bytes) => {
                self.change(self.opened[*f], FileOp::Write(*offset as usize, bytes.clone()));
            }
            Op::SetLen(f, len) => self.change(self.opened[*f], FileOp::SetLen(*len as usize)),
            Op::Sync(f) => self.sync(self.opened[*f]),
            Op::Rename(a, b) => self.name(NameOp::Rename(a.clone(), b.clone())),
            Op::Unlink(path) => self.name(NameOp::Unlink(path.clone())),
            Op::SyncParent(path) => self.sync_parent(path),
            Op::Len(_) | Op::Read(..) | Op::TryLock(..) | Op::Unlock(_) | Op::IsCurrent(..) | Op::Mark(_) => {}
        }
    }
}
