//! A live file system over a simulated disk. A lock dies with the handle that holds it, as the system's does.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sv0_graph::vfs::{OpenMode, Vfs, VfsFile};

use super::disk::{Disk, FileOp, Image, NameOp};
use super::{Handles, held};

#[derive(Debug, Default)]
struct State {
    disk: Disk,
    /// Files that a handle holds the lock of.
    locked: Vec<usize>,
}

/// Files with a durable image and pending changes.
#[derive(Debug, Default)]
pub struct SimVfs {
    state: Arc<Mutex<State>>,
    handles: Handles<SimFile>,
}

#[derive(Debug)]
struct SimFile {
    inode: usize,
    holds: Mutex<bool>,
    state: Arc<Mutex<State>>,
}

impl SimVfs {
    /// A disk with these files.
    #[must_use]
    pub fn new(image: &Image) -> Self {
        Self::on(Disk::new(image))
    }

    /// A disk that was used before: what is pending on it stays pending.
    #[must_use]
    pub fn on(mut disk: Disk) -> Self {
        disk.forget_handles();
        let state = State { disk, locked: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)), handles: Handles::default() }
    }

    /// The disk as it is now.
    #[must_use]
    pub fn disk(&self) -> Disk {
        held(&self.state).disk.clone()
    }

    /// What a failed sync does: pending contents are seen still, and never become durable.
    pub fn lose_pending(&self) {
        held(&self.state).disk.lose_pending();
    }
}

impl Vfs for SimVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        let inode = held(&self.state).disk.open(path, mode).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handles.add(SimFile { inode, holds: Mutex::new(false), state: self.state.clone() }))
    }

    fn is_current(&self, path: &Path, file: &dyn VfsFile) -> io::Result<bool> {
        let named = held(&self.state).disk.view.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(self.handles.find(file).is_some_and(|f| f.inode == named))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let disk = &mut held(&self.state).disk;
        disk.view.get(from).ok_or(io::ErrorKind::NotFound)?;
        disk.name(NameOp::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let disk = &mut held(&self.state).disk;
        disk.view.get(path).ok_or(io::ErrorKind::NotFound)?;
        disk.name(NameOp::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        held(&self.state).disk.sync_parent(path);
        Ok(())
    }
}

impl VfsFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(held(&self.state).disk.inodes[self.inode].view.len() as u64)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let state = held(&self.state);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let view = &state.disk.inodes[self.inode].view;
        buf.copy_from_slice(view.get(from..from.saturating_add(buf.len())).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        held(&self.state).disk.change(self.inode, FileOp::Write(offset, buf.into()));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        held(&self.state).disk.change(self.inode, FileOp::SetLen(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        held(&self.state).disk.sync(self.inode);
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut holds = held(&self.holds);
        let locked = &mut held(&self.state).locked;
        let free = *holds || !locked.contains(&self.inode);
        if free && !*holds {
            locked.push(self.inode);
            *holds = true;
        }
        Ok(free)
    }

    fn unlock(&self) {
        if std::mem::take(&mut *held(&self.holds)) {
            held(&self.state).locked.retain(|i| *i != self.inode);
        }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.unlock();
    }
}
