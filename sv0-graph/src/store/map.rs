//! The one file of this crate with `unsafe`: mapping a file.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};

/// A file, mapped in pieces: what later commits appended is mapped beside what was there, so that pages which were read
/// stay mapped.
#[derive(Debug, Clone)]
pub(crate) struct Maps(Vec<(u64, Arc<Mmap>)>);

/// Pieces; then the file is mapped anew.
const MOST: usize = 64;

impl Maps {
    /// Maps a file for reading from `start` on: behind what `before` maps, or all of it.
    ///
    /// # Safety
    /// Nobody may truncate or rewrite the file while the mapping lives: a truncated mapping kills the process with SIGBUS,
    /// and changed bytes change under the reader. sv0 itself only ever appends to a store and flips its header slots.
    pub(crate) unsafe fn new(file: &File, before: Option<(&Self, u64)>) -> io::Result<Self> {
        let (mut pieces, start) = match before {
            Some((maps, start)) if maps.0.len() < MOST => (maps.0.clone(), start),
            _ => (Vec::new(), 0),
        };
        // SAFETY: the caller promises that the file is neither truncated nor rewritten while the mapping lives.
        let map = unsafe { MmapOptions::new().offset(start).map(file)? };
        pieces.push((start, Arc::new(map)));
        Ok(Self(pieces))
    }

    /// The piece that holds these bytes whole, and where in it; the other answer is how far the file is mapped.
    pub(crate) fn find(&self, offset: u64, len: u64) -> Result<(&Arc<Mmap>, Range<usize>), u64> {
        let within = |(start, map): &(u64, Arc<Mmap>)| {
            let from = usize::try_from(offset.checked_sub(*start)?).ok()?;
            let to = from.checked_add(usize::try_from(len).ok()?)?;
            (to <= map.len()).then_some(from..to)
        };
        let mut newest_first = self.0.iter().rev();
        newest_first
            .find_map(|piece| Some((&piece.1, within(piece)?)))
            .ok_or_else(|| self.0.iter().map(|(start, map)| start.saturating_add(map.len() as u64)).max().unwrap_or(0))
    }
}
