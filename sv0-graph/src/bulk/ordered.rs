//! Sections from several threads, written in a fixed order: the type whose turn it is writes through, the others wait
//! in memory.

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
    waiting: BTreeMap<usize, Vec<Sealed>>,
    done: BTreeMap<usize, u16>,
    /// The groups of the types before the one whose turn it is.
    groups: u16,
    firsts: Vec<u16>,
}

impl<'a, 'm> Ordered<'a, 'm> {
    pub(super) fn new(appender: &'a mut Appender<'m>) -> Self {
        Self {
            state: Mutex::new(State {
                appender,
                turn: 0,
                waiting: BTreeMap::new(),
                done: BTreeMap::new(),
                groups: 0,
                firsts: Vec::new(),
            }),
        }
    }

    /// Writes sections of type number `index`, or keeps them until it is its turn. Their groups are numbered from 0.
    pub(super) fn put(&self, index: usize, sealed: Sealed) -> Result<(), StoreError> {
        let mut s = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if s.turn == index {
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
            let turn = s.turn;
            for sealed in s.waiting.remove(&turn).unwrap_or_default() {
                s.write(sealed)?;
            }
            let Some(groups) = s.done.remove(&turn) else { return Ok(()) };
            let first = s.groups;
            s.firsts.push(first);
            s.groups = first.saturating_add(groups);
            s.turn += 1;
        }
    }

    /// The first group of each type, in order of their numbers.
    pub(super) fn firsts(self) -> Vec<u16> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).firsts
    }
}

impl State<'_, '_> {
    fn write(&mut self, sealed: Sealed) -> Result<(), StoreError> {
        for (mut chunk, hash) in sealed {
            chunk.key += u64::from(self.groups);
            self.appender.put_hashed(&chunk, hash)?;
        }
        Ok(())
    }
}
