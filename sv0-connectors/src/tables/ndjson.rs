//! NDJSON: one JSON object a line, its keys the columns. A key that is absent or `null` isn't known.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use sv0_graph::bulk::{Table, TableError, TableSlice, Texts};

use super::columns::{Layout, Rules, Target};
use super::convert::{Cells, Rows, mismatch};
use super::{SLICE_BYTES, Source};

/// An NDJSON file whose keys are understood. They are gathered when it is opened, because all slices have the same columns.
pub(super) struct NdjsonTable {
    source: Source,
    layout: Layout,
    /// The file's keys, in the order of their first use.
    names: Vec<String>,
}

impl NdjsonTable {
    pub(super) fn open(source: Source, rules: &Arc<Rules>) -> Result<Self, TableError> {
        let mut names = Names::default();
        let mut lines = Lines::open(&source)?;
        while let Some(line) = lines.next(&source)? {
            let seen = names.list.len();
            one(line.bytes, Keys(&mut names)).map_err(|why| source.error(Some(line.number), why))?;
            // The line that has the unknown key is named.
            for new in names.list.iter().skip(seen) {
                rules.check(new).map_err(|why| source.error(Some(line.number), why))?;
            }
        }
        if names.list.is_empty() {
            rules.key_names().for_each(|k| _ = names.number(k));
        }
        let layout = rules.layout(names.list.iter().map(String::as_str)).map_err(|why| source.error(None, why))?;
        Ok(Self { source, layout, names: names.list })
    }
}

/// One line's value, the whole line.
fn one<'de, S: DeserializeSeed<'de>>(bytes: &'de [u8], seed: S) -> Result<S::Value, String> {
    let mut de = serde_json::Deserializer::from_slice(bytes);
    let value = seed.deserialize(&mut de).map_err(|e| reason(&e))?;
    de.end().map_err(|e| reason(&e))?;
    Ok(value)
}

/// What serde says, without its line, which is always the first.
fn reason(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let says = text.rsplit_once(" at line ").map_or(text.as_str(), |(says, _)| says);
    match e.classify() {
        serde_json::error::Category::Data => says.to_owned(),
        _ => format!("{says} at character {}; each line is one JSON object", e.column()),
    }
}

struct Line<'a> {
    number: u64,
    bytes: &'a [u8],
}

/// The lines of a file that aren't blank.
struct Lines {
    reader: BufReader<File>,
    buffer: Vec<u8>,
    number: u64,
}

impl Lines {
    fn open(source: &Source) -> Result<Self, TableError> {
        Ok(Self { reader: BufReader::with_capacity(1 << 18, source.open()?), buffer: Vec::new(), number: 0 })
    }

    fn next(&mut self, source: &Source) -> Result<Option<Line<'_>>, TableError> {
        loop {
            self.buffer.clear();
            self.number += 1;
            let mut bounded = self.reader.by_ref().take(SLICE_BYTES as u64);
            let n = bounded
                .read_until(b'\n', &mut self.buffer)
                .map_err(|e| source.error(Some(self.number), e.to_string()))?;
            if n == 0 {
                return Ok(None);
            }
            if n == SLICE_BYTES && self.buffer.last() != Some(&b'\n') {
                return Err(source.error(Some(self.number), "a line of more than 64 MiB; each line is one JSON object"));
            }
            if self.buffer.iter().any(|b| !b.is_ascii_whitespace()) {
                break;
            }
        }
        Ok(Some(Line { number: self.number, bytes: &self.buffer }))
    }
}

/// Numbers for names.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    index: HashMap<String, usize>,
}

impl Names {
    fn number(&mut self, name: &str) -> usize {
        if let Some(&i) = self.index.get(name) {
            return i;
        }
        self.list.push(name.to_owned());
        self.index.insert(name.to_owned(), self.list.len() - 1);
        self.list.len() - 1
    }
}

/// Gathers an object's keys.
struct Keys<'a>(&'a mut Names);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut guess = 0;
        while let Some(key) = map.next_key_seed(Key { names: &self.0.list, index: &self.0.index, guess })? {
            guess = key.unwrap_or_else(|new| self.0.number(&new)) + 1;
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// The number of an object's key; or the key, if it is new.
struct Key<'a> {
    names: &'a [String],
    index: &'a HashMap<String, usize>,
    /// Most objects have their keys in the same order.
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Result<usize, String>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Result<usize, String>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: Error>(self, s: &str) -> Result<Self::Value, E> {
        if self.names.get(self.guess).is_some_and(|n| n == s) {
            return Ok(Ok(self.guess));
        }
        Ok(self.index.get(s).copied().ok_or_else(|| s.to_owned()))
    }
}

/// Reads an object into a row.
struct Row<'a, 'b> {
    table: &'a NdjsonTable,
    index: &'a HashMap<String, usize>,
    rows: &'a mut Rows<'b>,
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let row = self.rows.rows();
        let mut guess = 0;
        while let Some(key) = map.next_key_seed(Key { names: &self.table.names, index: self.index, guess })? {
            let n = key.map_err(|_| A::Error::custom("the file has changed since it was opened"))?;
            guess = n + 1;
            let twice =
                || A::Error::custom(format!("key `{}` stands twice", self.table.names.get(n).map_or("", |n| n)));
            match self.table.layout.targets.get(n) {
                Some(&Target::Key(i)) => {
                    let Some(texts) = self.rows.keys.get_mut(i) else { continue };
                    if texts.len() > row {
                        return Err(twice());
                    }
                    map.next_value_seed(KeyText(texts))?;
                }
                Some(&Target::Value(i)) => {
                    let Some(cells) = self.rows.cells.get_mut(i) else { continue };
                    if cells.rows() > row {
                        return Err(twice());
                    }
                    map.next_value_seed(Cell(cells))?;
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

/// Reads a node's key: a text, or an integer as its digits.
struct KeyText<'a>(&'a mut Texts);

impl<'de> DeserializeSeed<'de> for KeyText<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl Visitor<'_> for KeyText<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or an integer as the key")
    }
    fn visit_str<E: Error>(self, s: &str) -> Result<(), E> {
        self.0.push(s);
        Ok(())
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<(), E> {
        self.visit_str(&n.to_string())
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<(), E> {
        self.visit_str(&n.to_string())
    }
}

/// Reads a value.
struct Cell<'a, 'b>(&'a mut Cells<'b>);

impl Cell<'_, '_> {
    fn wrong<E: Error>(&self, why: &str) -> E {
        E::custom(format!("column `{}`: {why}", self.0.wanted.source))
    }
}

impl<'de> DeserializeSeed<'de> for Cell<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "another value in column `{}`: {}", self.0.wanted.source, mismatch(&self.0.wanted.kind))
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.unknown();
        Ok(())
    }
    fn visit_bool<E: Error>(self, b: bool) -> Result<(), E> {
        self.0.truth(b).map_err(|why| self.wrong(why))
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<(), E> {
        self.0.integer(n).map_err(|why| self.wrong(why))
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<(), E> {
        match i64::try_from(n) {
            Ok(n) => self.visit_i64(n),
            Err(_) => Err(self.wrong("not a 64-bit integer")),
        }
    }
    fn visit_f64<E: Error>(self, n: f64) -> Result<(), E> {
        self.0.float(n).map_err(|why| self.wrong(why))
    }
    fn visit_str<E: Error>(self, s: &str) -> Result<(), E> {
        self.0.string(s).map_err(|why| self.wrong(why))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Item(self.0))?.is_some() {}
        self.0.end_list().map_err(|why| self.wrong(why))
    }
}

/// Reads an item of a list.
struct Item<'a, 'b>(&'a mut Cells<'b>);

impl<'de> DeserializeSeed<'de> for Item<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl Visitor<'_> for Item<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text as an item in column `{}`: {}", self.0.wanted.source, mismatch(&self.0.wanted.kind))
    }
    fn visit_str<E: Error>(self, s: &str) -> Result<(), E> {
        let Item(cells) = self;
        cells.item(s).map_err(|why| E::custom(format!("column `{}`: {why}", cells.wanted.source)))
    }
}

impl Table for NdjsonTable {
    fn name(&self) -> String {
        self.source.name()
    }

    fn bytes(&self) -> u64 {
        self.source.bytes
    }

    fn read(&self, sink: &mut dyn FnMut(TableSlice) -> Result<(), TableError>) -> Result<(), TableError> {
        let index: HashMap<String, usize> = self.names.iter().cloned().zip(0..).collect();
        let mut rows = Rows::new(&self.layout);
        let mut lines = Lines::open(&self.source)?;
        while let Some(line) = lines.next(&self.source)? {
            let wrong = |why: String| self.source.error(Some(line.number), why);
            rows.at(line.number);
            one(line.bytes, Row { table: self, index: &index, rows: &mut rows }).map_err(wrong)?;
            rows.end_row(line.bytes.len()).map_err(wrong)?;
            if rows.is_full() {
                sink(rows.take())?;
            }
        }
        if rows.is_empty() { Ok(()) } else { sink(rows.take()) }
    }
}
