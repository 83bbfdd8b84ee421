//! Which nodes have a value: by the value index of a group, where it has one, else by its column.

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
