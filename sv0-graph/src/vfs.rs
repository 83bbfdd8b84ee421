//! What lies under a store: one small trait, so that faults and power cuts can be simulated. Only this room (and `map`,
//! which maps a file) touches `std::fs`.
//!
//! | implementation | for |
//! |---|---|
//! | [`OsVfs`] | the real file system |
//! | [`MemoryVfs`] | stores in memory |
//!
//! The test kit holds two more: one that records and one that simulates crashes.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; the file must exist.
    Read,
    /// For reading and writing; it is created where it is missing.
    Write,
    /// For reading and writing, empty: what was there before is gone.
    Truncate,
}

/// An open file. Shared between threads; every call names its place.
pub trait VfsFile: Send + Sync + fmt::Debug {
    /// Its length, bytes.
    ///
    /// # Errors
    /// The system's.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    ///
    /// # Errors
    /// The system's.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `buf` from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` where the file is shorter; else the system's.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
    /// Writes all of `buf` at `offset`.
    ///
    /// # Errors
    /// The system's; how much was written is unknown then.
    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()>;
    /// Grows (with zeros) or shrinks the file.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes contents and length durable.
    ///
    /// # Errors
    /// The system's. What is durable after a failure is unknown, and a second call doesn't tell either.
    fn sync(&self) -> io::Result<()>;
    /// Takes the writer's lock if nobody holds it; `false` if somebody does. It dies with the process.
    ///
    /// # Errors
    /// The system's.
    fn try_lock(&self) -> io::Result<bool>;
    /// Gives the writer's lock back.
    fn unlock(&self);
    /// The operating system's file, if there is one to be mapped.
    fn os_file(&self) -> Option<&File> {
        None
    }
}

/// A file system.
pub trait Vfs: Send + Sync + fmt::Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>>;
    /// Whether `file` is what `path` names now: a compaction may have put another file in its place.
    ///
    /// # Errors
    /// The system's.
    fn is_current(&self, path: &Path, file: &dyn VfsFile) -> io::Result<bool>;
    /// The path that a path means, links followed and made absolute, so that it goes on meaning it. The file exists.
    ///
    /// # Errors
    /// The system's.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
    /// Gives a file another name, replacing what has that name.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    ///
    /// # Errors
    /// The system's.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a file's folder durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_parent(&self, path: &Path) -> io::Result<()>;
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsVfs;

impl VfsFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buf, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let n = std::os::windows::fs::FileExt::seek_read(self, buf, offset)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            offset += n as u64;
            buf = &mut buf[n..];
        }
        Ok(())
    }

    #[cfg(unix)]
    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, buf, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, mut offset: u64, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let n = std::os::windows::fs::FileExt::seek_write(self, buf, offset)?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset += n as u64;
            buf = &buf[n..];
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match File::try_lock(self) {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }

    fn unlock(&self) {
        // A lock that can't be given back goes with the handle.
        let _ = File::unlock(self);
    }

    fn os_file(&self) -> Option<&File> {
        Some(self)
    }
}

impl Vfs for OsVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        let write = mode != OpenMode::Read;
        let truncate = mode == OpenMode::Truncate;
        let mut options = OpenOptions::new();
        options.read(true).write(write).create(write).truncate(truncate);
        #[cfg(unix)]
        if truncate {
            // Helpers beside a store hold what the store holds: nobody else's business.
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        Ok(Arc::new(options.open(path)?))
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }

    fn is_current(&self, path: &Path, file: &dyn VfsFile) -> io::Result<bool> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let Some(file) = file.os_file() else { return Ok(false) };
            let (mine, named) = (file.metadata()?, std::fs::metadata(path)?);
            Ok((mine.dev(), mine.ino()) == (named.dev(), named.ino()))
        }
        #[cfg(not(unix))]
        {
            // An open file can't be replaced there.
            let _ = (path, file);
            Ok(true)
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if cfg!(unix) { File::open(parent)?.sync_all() } else { Ok(()) }
    }
}

/// Files in memory.
#[derive(Debug, Default)]
pub struct MemoryVfs {
    files: Mutex<HashMap<PathBuf, Arc<MemoryFile>>>,
}

/// A file of [`MemoryVfs`].
#[derive(Debug, Default)]
pub struct MemoryFile {
    bytes: RwLock<Vec<u8>>,
    locked: Mutex<bool>,
}

impl MemoryFile {
    /// A file with these contents.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: RwLock::new(bytes), locked: Mutex::new(false) }
    }

    /// A copy of its contents.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl MemoryVfs {
    /// Puts a file in place.
    pub fn put(&self, path: &Path, file: Arc<MemoryFile>) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), file);
    }

    /// The file of this name.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<Arc<MemoryFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }
}

impl VfsFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match bytes.get(from..from.saturating_add(buf.len())) {
            Some(src) => {
                buf.copy_from_slice(src);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()> {
        let mut bytes = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let end = from.checked_add(buf.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        if let Some(dst) = bytes.get_mut(from..end) {
            dst.copy_from_slice(buf);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.bytes.write().unwrap_or_else(PoisonError::into_inner).resize(len, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(!std::mem::replace(&mut *locked, true))
    }

    fn unlock(&self) {
        *self.locked.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

impl Vfs for MemoryVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match (files.get(path), mode) {
            (Some(f), OpenMode::Read | OpenMode::Write) => f.clone(),
            (None, OpenMode::Read) => return Err(io::ErrorKind::NotFound.into()),
            _ => {
                let f = Arc::new(MemoryFile::default());
                files.insert(path.to_owned(), f.clone());
                f
            }
        };
        Ok(file)
    }

    fn is_current(&self, path: &Path, file: &dyn VfsFile) -> io::Result<bool> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let named = files.get(path).map(|f| Arc::as_ptr(f).cast::<u8>());
        Ok(named == Some(std::ptr::from_ref(file).cast::<u8>()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_parent(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}
