//! A file system that fails the k-th call of a kind.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sv0_graph::vfs::{OpenMode, Vfs, VfsFile};

use super::disk::SECTOR;
use super::{Handles, held};

/// The kinds of calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Opening a file.
    Open,
    /// Asking for a length.
    Len,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Setting a length.
    SetLen,
    /// Making a file durable.
    Sync,
    /// Taking the lock.
    TryLock,
    /// Asking whether a path still names a file.
    IsCurrent,
    /// Renaming.
    Rename,
    /// Removing a name.
    Unlink,
    /// Making names durable.
    SyncParent,
}

/// Which call fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The kind of call.
    pub call: Call,
    /// Which of them, from 1.
    pub nth: u64,
    /// The system's error number.
    pub errno: i32,
    /// Whether all later calls of the kind fail too.
    pub stays: bool,
    /// Whether half of a write's sectors get through before the error: a system writes a sector whole or not at all.
    pub short: bool,
}

type Hook = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    calls: BTreeMap<Call, u64>,
    fired: u64,
    on_failed_sync: Option<Hook>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({:?}, {:?})", self.fault, self.calls)
    }
}

impl State {
    /// Counts a call; the error if this one fails, and whether half of it gets through.
    fn count(&mut self, call: Call) -> Option<(io::Error, bool)> {
        let n = self.calls.entry(call).or_default();
        *n += 1;
        let fault = self.fault.filter(|f| f.call == call && (*n == f.nth || f.stays && *n > f.nth))?;
        self.fired += 1;
        if let (Call::Sync, Some(hook)) = (call, &self.on_failed_sync) {
            hook();
        }
        Some((io::Error::from_raw_os_error(fault.errno), fault.short))
    }
}

/// Passes calls on to `inner`, but for the one that fails.
#[derive(Debug)]
pub struct FaultVfs {
    inner: Arc<dyn Vfs>,
    state: Arc<Mutex<State>>,
    handles: Handles<FaultFile>,
}

#[derive(Debug)]
struct FaultFile {
    inner: Arc<dyn VfsFile>,
    state: Arc<Mutex<State>>,
}

fn check(state: &Mutex<State>, call: Call) -> io::Result<()> {
    held(state).count(call).map_or(Ok(()), |(e, _)| Err(e))
}

impl FaultVfs {
    /// Over another file system; without a fault it only counts.
    #[must_use]
    pub fn new(inner: Arc<dyn Vfs>, fault: Option<Fault>) -> Self {
        let state = State { fault, ..State::default() };
        Self { inner, state: Arc::new(Mutex::new(state)), handles: Handles::default() }
    }

    /// What a failing sync does besides.
    pub fn on_failed_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        held(&self.state).on_failed_sync = Some(Box::new(hook));
    }

    /// No more faults.
    pub fn heal(&self) {
        held(&self.state).fault = None;
    }

    /// How many calls failed.
    #[must_use]
    pub fn fired(&self) -> u64 {
        held(&self.state).fired
    }

    /// How many calls of each kind came.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<Call, u64> {
        held(&self.state).calls.clone()
    }
}

impl Vfs for FaultVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        check(&self.state, Call::Open)?;
        let inner = self.inner.open(path, mode)?;
        Ok(self.handles.add(FaultFile { inner, state: self.state.clone() }))
    }

    fn is_current(&self, path: &Path, file: &dyn VfsFile) -> io::Result<bool> {
        check(&self.state, Call::IsCurrent)?;
        self.handles.find(file).map_or(Ok(false), |f| self.inner.is_current(path, &*f.inner))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        check(&self.state, Call::Rename)?;
        self.inner.rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        check(&self.state, Call::Unlink)?;
        self.inner.unlink(path)
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        check(&self.state, Call::SyncParent)?;
        self.inner.sync_parent(path)
    }
}

impl VfsFile for FaultFile {
    fn len(&self) -> io::Result<u64> {
        check(&self.state, Call::Len)?;
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        check(&self.state, Call::Read)?;
        self.inner.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, buf: &[u8]) -> io::Result<()> {
        let failed = held(&self.state).count(Call::Write);
        match failed {
            None => self.inner.write_at(offset, buf),
            Some((e, short)) => {
                if short {
                    self.inner.write_at(offset, &buf[..buf.len() / 2 / SECTOR * SECTOR])?;
                }
                Err(e)
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        check(&self.state, Call::SetLen)?;
        self.inner.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        check(&self.state, Call::Sync)?;
        self.inner.sync()
    }

    fn try_lock(&self) -> io::Result<bool> {
        check(&self.state, Call::TryLock)?;
        self.inner.try_lock()
    }

    fn unlock(&self) {
        self.inner.unlock();
    }

    fn os_file(&self) -> Option<&File> {
        self.inner.os_file()
    }
}
