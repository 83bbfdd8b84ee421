//! The store's own handle on its file: errors typed, the lock taken, a mapping made.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::error::StoreError;
use super::map::Maps;
use crate::vfs::{OpenMode, Vfs, VfsFile};

#[derive(Debug, Clone)]
pub(crate) struct Media(Arc<dyn VfsFile>);

impl Media {
    pub(crate) fn new(file: Arc<dyn VfsFile>) -> Self {
        Self(file)
    }

    pub(crate) fn open_read(vfs: &dyn Vfs, path: &Path) -> Result<Self, StoreError> {
        Ok(Self(vfs.open(path, OpenMode::Read).map_err(StoreError::io("open the store"))?))
    }

    /// Opens for writing and takes the writer's lock, which dies with the process.
    pub(crate) fn open_write(vfs: &dyn Vfs, path: &Path) -> Result<Self, StoreError> {
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            let file = vfs.open(path, OpenMode::Write).map_err(|e| match e.kind() {
                io::ErrorKind::PermissionDenied => StoreError::ReadOnly,
                _ => StoreError::io("open the store for writing")(e),
            })?;
            if !file.try_lock().map_err(StoreError::io("lock the store"))? {
                return Err(StoreError::Locked);
            }
            // A compaction that ended in between has put another file in this one's place.
            if vfs.is_current(path, &*file).map_err(StoreError::io("open the store for writing"))? {
                return Ok(Self(file));
            }
            file.unlock();
        }
        Err(StoreError::Locked)
    }

    /// Makes an empty file and takes its lock.
    pub(crate) fn create(vfs: &dyn Vfs, path: &Path) -> Result<Self, StoreError> {
        let file = vfs.open(path, OpenMode::Truncate).map_err(|e| match e.kind() {
            io::ErrorKind::PermissionDenied => StoreError::ReadOnly,
            _ => StoreError::io("open the compacted store")(e),
        })?;
        if !file.try_lock().map_err(StoreError::io("lock the compacted store"))? {
            return Err(StoreError::Locked);
        }
        Ok(Self(file))
    }

    /// Gives this file the other's permissions, and says whether the other has one name only.
    pub(crate) fn like(&self, other: &Self) -> Result<bool, StoreError> {
        let (Some(own), Some(other)) = (self.0.os_file(), other.0.os_file()) else { return Ok(true) };
        let meta = other.metadata().map_err(StoreError::io("read the store's permissions"))?;
        own.set_permissions(meta.permissions()).map_err(StoreError::io("set the compacted store's permissions"))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Ok(meta.nlink() <= 1)
        }
        #[cfg(not(unix))]
        Ok(true)
    }

    /// Whether a path still names this file.
    pub(crate) fn is_current(&self, vfs: &dyn Vfs, path: &Path) -> Result<bool, StoreError> {
        vfs.is_current(path, &*self.0).map_err(StoreError::io("find the store's path"))
    }

    /// Gives the writer's lock back: snapshots that are still open keep the file, not the lock.
    pub(crate) fn unlock(&self) {
        self.0.unlock();
    }

    pub(crate) fn len(&self) -> Result<u64, StoreError> {
        self.0.len().map_err(StoreError::io("read the store's length"))
    }

    pub(crate) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        self.0.read_at(offset, buf).map_err(|e| match e.kind() {
            // The length was checked at open: somebody has cut the file since.
            io::ErrorKind::UnexpectedEof => StoreError::Truncated {
                expected: offset.saturating_add(buf.len() as u64),
                found: self.0.len().unwrap_or(0),
            },
            _ => StoreError::io("read the store")(e),
        })
    }

    pub(crate) fn write_at(&self, offset: u64, buf: &[u8]) -> Result<(), StoreError> {
        self.0.write_at(offset, buf).map_err(StoreError::io("write the store"))
    }

    pub(crate) fn set_len(&self, len: u64) -> Result<(), StoreError> {
        self.0.set_len(len).map_err(StoreError::io("grow the store"))
    }

    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.0.sync().map_err(StoreError::io("make the store durable"))
    }

    /// # Safety
    /// As [`Maps::new`].
    #[allow(unsafe_code)]
    pub(crate) unsafe fn map(&self, before: Option<(&Maps, u64)>) -> Result<Option<Maps>, StoreError> {
        let Some(file) = self.0.os_file() else { return Ok(None) };
        // SAFETY: the caller's promise is the callee's.
        let maps = unsafe { Maps::new(file, before) };
        maps.map(Some).map_err(StoreError::io("map the store"))
    }
}

/// Whether a file can neither be written nor cut any more.
#[cfg(target_os = "linux")]
pub(crate) fn is_sealed(file: &std::fs::File) -> bool {
    use rustix::fs::SealFlags;
    let needed = SealFlags::SHRINK | SealFlags::WRITE | SealFlags::GROW;
    rustix::fs::fcntl_get_seals(file).is_ok_and(|s| s.contains(needed))
}

/// Whether a file can neither be written nor cut any more.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_sealed(_: &std::fs::File) -> bool {
    false
}
