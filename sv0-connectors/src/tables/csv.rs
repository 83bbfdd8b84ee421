//! CSV: RFC 4180 with a header row. An empty cell isn't known.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use ::csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use sv0_graph::bulk::{Table, TableError, TableSlice};

use super::columns::{Kind, Layout, NEEDS_SEPARATOR, Rules, Target};
use super::convert::Rows;
use super::{SLICE_BYTES, Source};

/// A CSV file, its header understood.
pub(super) struct CsvTable {
    source: Source,
    layout: Layout,
}

/// A file that ends with an error where one row goes on and on: a quote that isn't closed would else be read into memory.
struct Bounded {
    file: File,
    left: usize,
}

impl Read for Bounded {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("a row of more than 64 MiB; is a quote not closed?"));
        }
        let n = buf.len().min(self.left);
        let got = self.file.read(buf.get_mut(..n).unwrap_or_default())?;
        self.left -= got;
        Ok(got)
    }
}

impl CsvTable {
    pub(super) fn open(source: Source, rules: &Arc<Rules>) -> Result<Self, TableError> {
        let mut reader = reader(&source)?;
        let header = reader.headers().map_err(|e| wrong(&source, &e))?;
        if header.is_empty() {
            return Err(source.error(None, "empty; its first line names the columns"));
        }
        let layout = rules.layout(header.iter()).map_err(|why| source.error(Some(1), why))?;
        match layout.columns.iter().find(|c| c.kind == Kind::List(None)) {
            Some(c) => Err(source.error(Some(1), format!("column `{}`: {NEEDS_SEPARATOR}", c.source))),
            None => Ok(Self { source, layout }),
        }
    }
}

fn reader(source: &Source) -> Result<Reader<Bounded>, TableError> {
    let bounded = Bounded { file: source.open()?, left: SLICE_BYTES };
    Ok(ReaderBuilder::new().buffer_capacity(1 << 18).from_reader(bounded))
}

fn wrong(source: &Source, e: &::csv::Error) -> TableError {
    let line = e.position().map(::csv::Position::line);
    let reason = match e.kind() {
        ErrorKind::Io(e) => e.to_string(),
        ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells, and the header has {expected_len} columns")
        }
        _ => e.to_string(),
    };
    source.error(line, reason)
}

impl Table for CsvTable {
    fn name(&self) -> String {
        self.source.name()
    }

    fn bytes(&self) -> u64 {
        self.source.bytes
    }

    fn read(&self, sink: &mut dyn FnMut(TableSlice) -> Result<(), TableError>) -> Result<(), TableError> {
        let mut reader = reader(&self.source)?;
        let header = reader.headers().map_err(|e| wrong(&self.source, &e))?;
        if header.len() != self.layout.targets.len() {
            return Err(self.source.error(Some(1), "the file has changed since it was opened"));
        }
        let mut record = StringRecord::new();
        let mut rows = Rows::new(&self.layout);
        loop {
            reader.get_mut().left = SLICE_BYTES;
            if !reader.read_record(&mut record).map_err(|e| wrong(&self.source, &e))? {
                break;
            }
            let line = record.position().map_or(0, ::csv::Position::line);
            rows.at(line);
            for (cell, target) in record.iter().zip(&self.layout.targets) {
                match *target {
                    Target::Key(i) => _ = rows.keys.get_mut(i).map(|k| k.push(cell)),
                    Target::Value(i) => {
                        if let Some(cells) = rows.cells.get_mut(i) {
                            cells.text(cell).map_err(|why| {
                                self.source.error(Some(line), format!("column `{}`: {why}", cells.wanted.source))
                            })?;
                        }
                    }
                    Target::Ignored => {}
                }
            }
            rows.end_row(record.as_slice().len()).map_err(|why| self.source.error(Some(line), why))?;
            if rows.is_full() {
                sink(rows.take())?;
            }
        }
        if rows.is_empty() { Ok(()) } else { sink(rows.take()) }
    }
}
