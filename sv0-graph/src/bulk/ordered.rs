//! Sections from several threads, written in a fixed order: the type whose turn it is writes through, the others wait
//! in memory. The first type, the largest, comes last: the others are read one after the other while it is read.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::load::Sealed;
use crate::store::StoreError;
use crate::store::write::Appender;

pub(super) struct Ordered<'a, 'm> {
    state: Mutex<State<'a, 'm>>,
}

struct State<'a, 'm> {
    appender: &'a mut Appender<'m>,
    turn: usize,
    /// How many types there are.
    types: usize,
    waiting: BTreeMap<usize, Vec<Sealed>>,
    done: BTreeMap<usize, u16>,
    /// The groups of the types before the one whose turn it is.
    groups: u16,
    firsts: BTreeMap<usize, u16>,
}

impl<'a, 'm> Ordered<'a, 'm> {
    pub(super) fn new(appender: &'a mut Appender<'m>, types: usize) -> Self {
        Self {
            state: Mutex::new(State {
                appender,
                turn: 0,
                types,
                waiting: BTreeMap::new(),
                done: BTreeMap::new(),
                groups: 0,
                firsts: BTreeMap::new(),
            }),
        }
    }

    /// Writes sections of type number `index`, or keeps them until it is its turn. Their groups are numbered from 0.
    pub(super) fn put(&self, index: usize, sealed: Sealed) -> Result<(), StoreError> {
        let mut s = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if s.whose() == index {
            return s.write(sealed);
        }
        s.waiting.entry(index).or_default().push(sealed);
        Ok(())
    }

    /// Type number `index` has no more sections; it takes `groups` numbers.
    pub(super) fn finish(&self, index: usize, groups: u16) -> Result<(), StoreError> {
        let mut s = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        s.done.insert(index, groups);
        loop {
            let index = s.whose();
            for sealed in s.waiting.remove(&index).unwrap_or_default() {
                s.write(sealed)?;
            }
            let Some(groups) = s.done.remove(&index) else { return Ok(()) };
            let first = s.groups;
            s.firsts.insert(index, first);
            s.groups = first.saturating_add(groups);
            s.turn += 1;
        }
    }

    /// The first group of each type, in order of their numbers.
    pub(super) fn firsts(self) -> Vec<u16> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).firsts.into_values().collect()
    }
}

impl State<'_, '_> {
    /// The number of the type whose turn it is.
    fn whose(&self) -> usize {
        (self.turn + 1) % self.types.max(1)
    }

    fn write(&mut self, sealed: Sealed) -> Result<(), StoreError> {
        for (mut chunk, hash) in sealed {
            chunk.key += u64::from(self.groups);
            self.appender.put_hashed(&chunk, hash)?;
        }
        Ok(())
    }
}
