//! A file system that logs what is asked of another one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sv0_graph::vfs::{OpenMode, Vfs, VfsFile};

use super::{Handles, held};

/// One call that succeeded. `file` counts the opens of the log from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A file was opened; its number is the count of opens before.
    Open(PathBuf, OpenMode),
    /// Its length was asked for.
    Len(usize),
    /// Bytes were read: file, offset, length.
    Read(usize, u64, usize),
    /// Bytes were written: file, offset, bytes.
    Write(usize, u64, Arc<[u8]>),
    /// The length was set.
    SetLen(usize, u64),
    /// Contents and length were made durable.
    Sync(usize),
    /// The lock was asked for, and whether it was given.
    TryLock(usize, bool),
    /// The lock was given back.
    Unlock(usize),
    /// Whether a path still names a file.
    IsCurrent(PathBuf, usize),
    /// A file got another name.
    Rename(PathBuf, PathBuf),
    /// A name was removed.
    Unlink(PathBuf),
    /// The names of a file's folder were made durable.
    SyncParent(PathBuf),
    /// The workload's own: this step was acknowledged.
    Mark(usize),
}

impl Op {
    /// Whether it changes what a power cut may leave.
    #[must_use]
    pub fn changes_disk(&self) -> bool {
        !matches!(
            self,
            Self::Len(_)
                | Self::Read(..)
                | Self::TryLock(..)
                | Self::Unlock(_)
                | Self::IsCurrent(..)
                | Self::Open(_, OpenMode::Read)
        )
    }
}

#[derive(Debug, Default)]
struct Log {
    ops: Vec<Op>,
    opens: usize,
}

/// Logs each successful call to `inner`.
#[derive(Debug)]
pub struct RecordingVfs {
    inner: Arc<dyn Vfs>,
    log: Arc<Mutex<Log>>,
    handles: Handles<RecordedFile>,
}

#[derive(Debug)]
struct RecordedFile {
    inner: Arc<dyn VfsFile>,
    id: usize,
    log: Arc<Mutex<Log>>,
}

impl RecordingVfs {
    /// Over another file system.
    #[must_use]
    pub fn new(inner: Arc<dyn Vfs>) -> Self {
        Self { inner, log: Arc::default(), handles: Handles::default() }
    }

    /// Notes that the workload's step of this number was acknowledged.
    pub fn mark(&self, step: usize) {
        self.push(Op::Mark(step));
    }

    /// What was called so far, in order.
    #[must_use]
    pub fn log(&self) -> Vec<Op> {
        held(&self.log).ops.clone()
    }

    fn push(&self, op: Op) {
        held(&self.log).ops.push(op);
    }
}

impl Vfs for RecordingVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        let inner = self.inner.open(path, mode)?;
        let id = {
            let mut log = held(&self.log);
            log.ops.push(Op::Open(path.to_owned(), mode));
            log.opens += 1;
            log.opens - 1
        };
        Ok(self.handles.add(RecordedFile { inner, id, log: self.log.clone() }))
    }

    fn is_current(&self, path: &Path, file: &dyn VfsFile) -> io::Result<bool> {
        let Some(file) = self.handles.find(file) else { return Ok(false) };
        let is = self.inner.is_current(path, &*file.inner)?;
        self.push(Op::IsCurrent(path.to_owned(), file.id));
        Ok(is)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)?;
        self.push(Op::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.inner.unlink(path)?;
        self.push(Op::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_parent(path)?;
        self.push(Op::SyncParent(path.to_owned()));
        Ok(())
    }
}

impl RecordedFile {
    fn push(&self, op: Op) {
        held(&self.log).ops.push(op);
    }
}

impl VfsFile for RecordedFile {
    fn len(&self) -> io::Result<u64> {
        let n = self.inner.len()?;
        self.push(Op::Len(self.id));
        Ok(n)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(offset, buf)?;
        self.push(Op::Read(self.id, offset, buf.len()));
        Ok(())
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()> {
        self.inner.write_at(offset, buf)?;
        self.push(Op::Write(self.id, offset, buf.into()));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)?;
        self.push(Op::SetLen(self.id, len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()?;
        self.push(Op::Sync(self.id));
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let got = self.inner.try_lock()?;
        self.push(Op::TryLock(self.id, got));
        Ok(got)
    }

    fn unlock(&self) {
        self.inner.unlock();
        self.push(Op::Unlock(self.id));
    }

    fn os_file(&self) -> Option<&File> {
        self.inner.os_file()
    }
}
