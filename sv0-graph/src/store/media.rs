//! Where a store's bytes live: a file, or memory. Only `map` beside it touches `std::fs`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use memmap2::Mmap;

use super::error::StoreError;

#[derive(Debug, Clone)]
pub(crate) enum Media {
    File(Arc<File>),
    Memory(Arc<RwLock<Vec<u8>>>),
}

impl Media {
    pub(crate) fn memory() -> Self {
        Self::Memory(Arc::default())
    }

    pub(crate) fn open_read(path: &Path) -> Result<Self, StoreError> {
        Ok(Self::File(Arc::new(File::open(path).map_err(StoreError::io("open the store"))?)))
    }

    /// Opens for writing and takes the writer's lock, which dies with the process.
    pub(crate) fn open_write(path: &Path, create: bool) -> Result<Self, StoreError> {
        let file =
            OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path).map_err(|e| match e
                .kind()
            {
                io::ErrorKind::PermissionDenied => StoreError::ReadOnly,
                _ => StoreError::io("open the store for writing")(e),
            })?;
        match file.try_lock() {
            Ok(()) => Ok(Self::File(Arc::new(file))),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
            Err(TryLockError::Error(e)) => Err(StoreError::io("lock the store")(e)),
        }
    }

    /// Gives the writer's lock back: snapshots that are still open keep the file, not the lock.
    pub(crate) fn unlock(&self) {
        if let Self::File(f) = self {
            let _ = f.unlock();
        }
    }

    pub(crate) fn len(&self) -> Result<u64, StoreError> {
        match self {
            Self::File(f) => Ok(f.metadata().map_err(StoreError::io("read the store's length"))?.len()),
            Self::Memory(m) => Ok(m.read().unwrap_or_else(PoisonError::into_inner).len() as u64),
        }
    }

    pub(crate) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), StoreError> {
        match self {
            #[cfg(unix)]
            Self::File(f) => {
                std::os::unix::fs::FileExt::read_exact_at(&**f, buf, offset).map_err(StoreError::io("read the store"))
            }
            #[cfg(not(unix))]
            Self::File(f) => {
                use std::io::{Read, Seek};
                let mut f = f.try_clone().map_err(StoreError::io("read the store"))?;
                f.seek(io::SeekFrom::Start(offset)).map_err(StoreError::io("read the store"))?;
                f.read_exact(buf).map_err(StoreError::io("read the store"))
            }
            Self::Memory(m) => {
                let m = m.read().unwrap_or_else(PoisonError::into_inner);
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                match m.get(from..from.saturating_add(buf.len())) {
                    Some(src) => {
                        buf.copy_from_slice(src);
                        Ok(())
                    }
                    None => Err(StoreError::io("read the store")(io::ErrorKind::UnexpectedEof.into())),
                }
            }
        }
    }

    pub(crate) fn write_at(&self, offset: u64, buf: &[u8]) -> Result<(), StoreError> {
        match self {
            #[cfg(unix)]
            Self::File(f) => {
                std::os::unix::fs::FileExt::write_all_at(&**f, buf, offset).map_err(StoreError::io("write the store"))
            }
            #[cfg(not(unix))]
            Self::File(f) => {
                use std::io::{Seek, Write};
                let mut f = f.try_clone().map_err(StoreError::io("write the store"))?;
                f.seek(io::SeekFrom::Start(offset)).map_err(StoreError::io("write the store"))?;
                f.write_all(buf).map_err(StoreError::io("write the store"))
            }
            Self::Memory(m) => {
                let mut m = m.write().unwrap_or_else(PoisonError::into_inner);
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = from.saturating_add(buf.len());
                if m.len() < end {
                    m.resize(end, 0);
                }
                m[from..end].copy_from_slice(buf);
                Ok(())
            }
        }
    }

    pub(crate) fn set_len(&self, len: u64) -> Result<(), StoreError> {
        match self {
            Self::File(f) => f.set_len(len).map_err(StoreError::io("grow the store")),
            Self::Memory(m) => {
                let mut m = m.write().unwrap_or_else(PoisonError::into_inner);
                m.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
                Ok(())
            }
        }
    }

    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        match self {
            Self::File(f) => f.sync_all().map_err(StoreError::io("make the store durable")),
            Self::Memory(_) => Ok(()),
        }
    }

    /// # Safety
    /// As [`super::map::map`].
    #[allow(unsafe_code)]
    pub(crate) unsafe fn map(&self) -> Result<Option<Arc<Mmap>>, StoreError> {
        match self {
            Self::File(f) => {
                // SAFETY: the caller's promise is the callee's.
                let map = unsafe { super::map::map(f) };
                Ok(Some(Arc::new(map.map_err(StoreError::io("map the store"))?)))
            }
            Self::Memory(_) => Ok(None),
        }
    }
}

/// Makes a new file durable in its folder.
pub(crate) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[cfg(unix)]
    File::open(parent).and_then(|d| d.sync_all()).map_err(StoreError::io("make the store's folder durable"))?;
    #[cfg(not(unix))]
    let _ = parent;
    Ok(())
}
