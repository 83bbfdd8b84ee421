//! Which nodes have a value: by the value index of a group, where it has one, else by its column.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::super::chunk::{Body, Chunk};
use super::super::format::Kind;
use super::{Snapshot, StoreError};
use crate::schema::{NodeType, PropId};
use crate::value::Value;

impl Snapshot {
    /// The live nodes whose text property is `value`, or whose list property holds it.
    ///
    /// # Errors
    /// What reading the sections meets.
    pub fn nodes_where(&self, prop: PropId, value: &str) -> Result<RoaringBitmap, StoreError> {
        Ok(self.nodes_of_type_where(None, prop, value)?.into_iter().collect())
    }

    /// As [`Self::nodes_where`], of one type or of all; ascending.
    ///
    /// # Errors
    /// What reading the sections meets.
    pub fn nodes_of_type_where(&self, ty: Option<NodeType>, prop: PropId, value: &str) -> Result<Vec<u32>, StoreError> {
        let mut out = Vec::new();
        let types = &self.0.manifest.group_types;
        for (g, _) in (0u16..).zip(types).filter(|(_, t)| ty.is_none_or(|ty| ty as u8 == **t)) {
            self.rows_where(g, prop, value, &mut out)?;
        }
        Ok(out)
    }

    /// How many rows the value indexes have for a value, of one type's nodes or of all: about as many as
    /// [`Self::nodes_of_type_where`] finds, without a look at each. `None` where a group has no index.
    ///
    /// # Errors
    /// What reading the sections meets.
    pub fn indexed_rows(&self, ty: Option<NodeType>, prop: PropId, value: &str) -> Result<Option<u64>, StoreError> {
        let mut out = 0;
        let types = &self.0.manifest.group_types;
        for (g, _) in (0u16..).zip(types).filter(|(_, t)| ty.is_none_or(|ty| ty as u8 == **t)) {
            if self.0.node_column(prop.0, g)?.base.is_none() {
                continue;
            }
            match self.0.chunk(Kind::ValueIndex.key(prop.0, 0, g))? {
                Some(Chunk { body: Body::ValueIndex { values, rows }, bytes }) => {
                    out += values.find(bytes.as_slice(), value).and_then(|i| rows.get(i)).map_or(0, |r| r.len());
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(out))
    }

    /// The values of a text property as codes, of one type's nodes or of all, where every group's column has a dictionary.
    ///
    /// # Errors
    /// What reading the sections meets.
    pub fn codes(&self, ty: Option<NodeType>, prop: PropId) -> Result<Option<Codes>, StoreError> {
        let manifest = &self.0.manifest;
        let mut out = Codes { groups: vec![Vec::new(); manifest.group_types.len()], count: 1 };
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut number = |text: &str| match numbers.get(text) {
            Some(n) => *n,
            None => {
                let n = out.count;
                numbers.insert(text.to_owned(), n);
                out.count += 1;
                n
            }
        };
        for (g, t) in (0u16..).zip(&manifest.group_types) {
            if ty.is_some_and(|ty| ty as u8 != *t) {
                continue;
            }
            let merged = self.0.node_column(prop.0, g)?;
            let mut codes: Vec<u32> = Vec::new();
            if let Some((c, column)) = merged.base {
                let Some((packed, heap)) = column.coded() else { return Ok(None) };
                let own: Vec<u32> =
                    std::iter::once(0).chain((0..heap.len()).map(|i| number(heap.get(c.slice(), i)))).collect();
                let code = |v: i64| usize::try_from(v).ok().and_then(|v| own.get(v).copied()).unwrap_or(0);
                codes.extend(packed.iter(c.slice()).map(code));
            }
            if let Some((c, rows, _)) = merged.patch {
                for row in rows.iter(c.slice()).filter_map(|r| usize::try_from(r).ok()) {
                    if codes.len() <= row {
                        codes.resize(row + 1, 0);
                    }
                    codes[row] = merged.text(row).map_or(0, &mut number);
                }
            }
            out.groups[usize::from(g)] = codes;
        }
        Ok(Some(out))
    }

    fn rows_where(&self, g: u16, prop: PropId, value: &str, out: &mut Vec<u32>) -> Result<(), StoreError> {
        let inner = &self.0;
        let merged = inner.node_column(prop.0, g)?;
        let Some(alive) = inner.chunk(Kind::Alive.key(0, 0, g))? else { return Ok(()) };
        if !merged.may_hold(value) {
            return Ok(());
        }
        let holds = |v: &Value| match v {
            Value::Str(s) => **s == *value,
            Value::List(l) => l.iter().any(|s| **s == *value),
            _ => false,
        };
        let patched = |row: u32| {
            merged.patch.is_some_and(|(c, rows, _)| {
                let at = rows.lower_bound(c.slice(), i64::from(row));
                at < rows.count && rows.get(c.slice(), at) == i64::from(row)
            })
        };
        let (first, from) = (u32::from(g) << 16, out.len());
        let mut add = |row: u32| {
            if alive.alive(row as usize) {
                out.push(first | row);
            }
        };
        match inner.chunk(Kind::ValueIndex.key(prop.0, 0, g))? {
            Some(Chunk { body: Body::ValueIndex { values, rows }, bytes }) => {
                let found = values.find(bytes.as_slice(), value).and_then(|i| rows.get(i));
                found.into_iter().flatten().filter(|r| !patched(*r)).for_each(&mut add);
            }
            _ => {
                let n = merged.base.map_or(0, |(_, c)| c.rows);
                (0u32..).take(n).filter(|r| !patched(*r) && holds(&merged.value(*r as usize))).for_each(&mut add);
            }
        }
        if let Some((c, rows, _)) = merged.patch {
            rows.iter(c.slice())
                .filter_map(|r| u32::try_from(r).ok())
                .filter(|r| holds(&merged.value(*r as usize)))
                .for_each(&mut add);
            out[from..].sort_unstable();
        }
        Ok(())
    }
}

/// A property's values as small numbers: equal numbers, equal values.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    /// By group of ids, by row.
    groups: Vec<Vec<u32>>,
    count: u32,
}

impl Codes {
    /// A node's; 0 is null.
    #[must_use]
    #[inline]
    pub fn of(&self, node: u32) -> u32 {
        let group = self.groups.get((node >> 16) as usize);
        group.and_then(|g| g.get((node & 0xffff) as usize)).copied().unwrap_or(0)
    }

    /// All are below this.
    #[must_use]
    pub fn bound(&self) -> u32 {
        self.count
    }

    /// How many bytes they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.groups.iter().map(|g| size_of_val(&**g)).sum()
    }
}
