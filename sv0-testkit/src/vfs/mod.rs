//! File systems under a store that aren't the real one.
//!
//! | room | holds |
//! |---|---|
//! | `recording` | wraps another one and logs each call with its arguments |
//! | `disk` | what is durable and what is pending, replayed from a log or live |
//! | `images` | what a power cut may leave of a disk |
//! | `sim` | a live file system over a disk |
//! | `fault` | fails the k-th call of a kind |
//! | `sabotage` | a file system that lies, to show that a lane bites |

pub mod disk;
pub mod fault;
pub mod images;
pub mod recording;
pub mod sabotage;
pub mod sim;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sv0_graph::vfs::VfsFile;

pub use disk::{Disk, Image};
pub use fault::{Call, Fault, FaultVfs};
pub use images::{Breadth, Family};
pub use recording::{Op, RecordingVfs};
pub use sabotage::{Sabotage, SabotageVfs};
pub use sim::SimVfs;

/// Locks, whatever a panicking thread left behind.
fn held<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The open files of a wrapper, so that it finds its own file behind a `&dyn VfsFile`.
#[derive(Debug)]
struct Handles<T>(Mutex<Vec<Weak<T>>>);

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T: VfsFile> Handles<T> {
    fn add(&self, file: T) -> Arc<T> {
        let file = Arc::new(file);
        let mut all = held(&self.0);
        all.retain(|w| w.strong_count() > 0);
        all.push(Arc::downgrade(&file));
        file
    }

    /// Which of them this is: the same place in memory.
    fn find(&self, file: &dyn VfsFile) -> Option<Arc<T>> {
        let place = std::ptr::from_ref(file).cast::<u8>();
        held(&self.0).iter().filter_map(Weak::upgrade).find(|f| Arc::as_ptr(f).cast::<u8>() == place)
    }
}
