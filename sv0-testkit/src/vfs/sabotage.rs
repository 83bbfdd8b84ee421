//! A file system that lies. A lane that doesn't notice proves nothing.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sv0_graph::vfs::{OpenMode, Vfs, VfsFile};

use super::{Handles, held};

/// The lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Syncs do nothing.
    NoSync,
    /// Every other sync does nothing, beginning with the first: the header flips before the data is durable.
    NoDataSync,
    /// A folder's names aren't made durable.
    NoNames,
    /// A write gets through with the next call only: it is acknowledged before it is made.
    LateWrites,
    /// A write gets through but for one bit.
    BitFlip,
    /// A second writer gets the lock too.
    NoLock,
    /// Errors of writes and syncs are swallowed.
    NoErrors,
    /// Not of the file system: a writer says that it committed before it does.
    EarlyAck,
}

/// Passes calls on to `inner`, with a lie.
#[derive(Debug)]
pub struct SabotageVfs {
    inner: Arc<dyn Vfs>,
    how: Sabotage,
    handles: Handles<LyingFile>,
}

#[derive(Debug)]
struct LyingFile {
    inner: Arc<dyn VfsFile>,
    how: Sabotage,
    syncs: AtomicU64,
    writes: AtomicU64,
    late: Mutex<Option<(u64, Vec<u8>)>>,
}

impl SabotageVfs {
    /// Over another file system.
    #[must_use]
    pub fn new(inner: Arc<dyn Vfs>, how: Sabotage) -> Self {
        Self { inner, how, handles: Handles::default() }
    }

    /// Over another file system if there is a lie.
    #[must_use]
    pub fn over(inner: Arc<dyn Vfs>, how: Option<Sabotage>) -> Arc<dyn Vfs> {
        match how {
            None => inner,
            Some(how) => Arc::new(Self::new(inner, how)),
        }
    }
}

impl Vfs for SabotageVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        Ok(self.handles.add(LyingFile {
            inner: self.inner.open(path, mode)?,
            how: self.how,
            syncs: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            late: Mutex::new(None),
        }))
    }

    fn is_current(&self, path: &Path, file: &dyn VfsFile) -> io::Result<bool> {
        self.handles.find(file).map_or(Ok(false), |f| self.inner.is_current(path, &*f.inner))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.inner.unlink(path)
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        if self.how == Sabotage::NoNames { Ok(()) } else { self.inner.sync_parent(path) }
    }
}

impl LyingFile {
    fn flush(&self) -> io::Result<()> {
        match held(&self.late).take() {
            Some((offset, bytes)) => self.inner.write_at(offset, &bytes),
            None => Ok(()),
        }
    }

    fn told(&self, result: io::Result<()>) -> io::Result<()> {
        if self.how == Sabotage::NoErrors { Ok(()) } else { result }
    }
}

impl VfsFile for LyingFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.flush()?;
        self.inner.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()> {
        match self.how {
            Sabotage::LateWrites => {
                self.flush()?;
                *held(&self.late) = Some((offset, buf.to_vec()));
                Ok(())
            }
            Sabotage::BitFlip if self.writes.fetch_add(1, Ordering::Relaxed) % 3 == 2 => {
                let mut bytes = buf.to_vec();
                bytes[buf.len() / 3] ^= 4;
                self.inner.write_at(offset, &bytes)
            }
            _ => self.told(self.inner.write_at(offset, buf)),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.flush()?;
        self.inner.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        let n = self.syncs.fetch_add(1, Ordering::Relaxed);
        match self.how {
            Sabotage::NoSync => Ok(()),
            Sabotage::NoDataSync if n.is_multiple_of(2) => Ok(()),
            _ => self.told(self.inner.sync()),
        }
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(self.inner.try_lock()? || self.how == Sabotage::NoLock)
    }

    fn unlock(&self) {
        self.inner.unlock();
    }

    fn os_file(&self) -> Option<&File> {
        self.inner.os_file()
    }
}
