//! The one file of this crate with `unsafe`: mapping a file.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a whole file for reading.
///
/// # Safety
/// Nobody may truncate or rewrite the file while the mapping lives: a truncated mapping kills the process with SIGBUS,
/// and changed bytes change under the reader. sv0 itself only ever appends to a store and flips its header slots.
pub(crate) unsafe fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the caller promises that the file is neither truncated nor rewritten while the mapping lives.
    unsafe { Mmap::map(file) }
}
