//! Parquet: columns that aren't wanted are never decoded, texts are handed over buffer by buffer, and texts of few
//! distinct values as numbers into their dictionary.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use ::parquet::basic::{Compression, Encoding};
use ::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema, SchemaRef};
use sv0_graph::bulk::{Column, Table, TableError, TableSlice, Texts};

use super::arrow::{self, Wrong};
use super::columns::{Kind, Layout, Rules, Target};
use super::{SLICE_BYTES, SLICE_ROWS, Source};

/// A dictionary of more bytes than this isn't repeated in each slice.
const DICTIONARY_BYTES: i64 = 256 << 10;

/// A Parquet file, its columns understood.
pub(super) struct ParquetTable {
    source: Source,
    layout: Layout,
    meta: Arc<ParquetMetaData>,
    schema: SchemaRef,
    mask: ProjectionMask,
    /// Of the columns that are read.
    targets: Vec<Target>,
}

impl ParquetTable {
    pub(super) fn open(source: Source, rules: &Arc<Rules>) -> Result<Self, TableError> {
        let file = source.open()?;
        let wrong = |e: String| source.error(None, format!("not Parquet that can be read: {e}"));
        // What an embedded Arrow schema says isn't needed: the file's own types do.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let meta = guarded(|| ArrowReaderMetadata::load(&file, options)).map_err(wrong)?;
        let fields = meta.schema().fields();
        let layout = rules.layout(fields.iter().map(|f| f.name().as_str())).map_err(|why| source.error(None, why))?;
        for (field, target) in fields.iter().zip(&layout.targets) {
            let fits = match *target {
                Target::Ignored => Ok(()),
                Target::Key(_) => arrow::fits_key(field.data_type()),
                Target::Value(i) => layout.columns.get(i).map_or(Ok(()), |w| arrow::fits(field.data_type(), &w.kind)),
            };
            fits.map_err(|why| source.error(None, format!("column `{}`: {why}", field.name())))?;
        }
        let roots = layout.targets.iter().enumerate().filter(|(_, t)| **t != Target::Ignored).map(|(i, _)| i);
        let mask = ProjectionMask::roots(meta.parquet_schema(), roots);
        for group in meta.metadata().row_groups() {
            let read = group.columns().iter().enumerate().filter(|(i, _)| mask.leaf_included(*i));
            for (_, chunk) in read {
                if !matches!(chunk.compression(), Compression::UNCOMPRESSED | Compression::SNAPPY) {
                    let why = format!(
                        "column `{}` is compressed with {}; write the file with Snappy, or without compression",
                        chunk.column_path().string(),
                        chunk.compression()
                    );
                    return Err(source.error(None, why));
                }
            }
        }
        let targets = layout.targets.iter().copied().filter(|t| *t != Target::Ignored).collect();
        Ok(Self { layout, meta: meta.metadata().clone(), schema: meta.schema().clone(), mask, targets, source })
    }

    /// The types to read a row group in: texts that all stand in one small dictionary as numbers into it.
    fn types(&self, group: &RowGroupMetaData) -> Schema {
        let schema = self.meta.file_metadata().schema_descr();
        let fields = self.schema.fields().iter().zip(&self.layout.targets).enumerate();
        let fields = fields.map(|(root, (field, target))| {
            let coded = match *target {
                Target::Value(i) => self.layout.columns.get(i).is_some_and(|w| w.kind == Kind::Str),
                _ => false,
            };
            let mut leaves = (0..schema.num_columns()).filter(|c| schema.get_column_root_idx(*c) == root);
            match leaves.next().filter(|leaf| coded && has_small_dictionary(group, *leaf)) {
                Some(_) => {
                    let ty = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
                    Arc::new(field.as_ref().clone().with_data_type(ty))
                }
                None => field.clone(),
            }
        });
        Schema::new(fields.collect::<Vec<_>>())
    }

    /// So many rows at a time that a slice has about [`SLICE_BYTES`] at most.
    fn batch_rows(&self, group: &RowGroupMetaData) -> usize {
        let bytes = group.columns().iter().enumerate().filter(|(i, _)| self.mask.leaf_included(*i));
        let bytes: i64 = bytes.map(|(_, c)| c.uncompressed_size()).sum();
        let rows = group.num_rows().max(1);
        let fit = (SLICE_BYTES as i64).saturating_mul(rows) / bytes.max(1);
        usize::try_from(fit).unwrap_or(SLICE_ROWS).clamp(1, SLICE_ROWS)
    }

    fn slice(&self, batch: RecordBatch, first_line: u64) -> Result<TableSlice, TableError> {
        let rows = batch.num_rows();
        let names: Vec<String> = batch.schema_ref().fields().iter().map(|f| f.name().clone()).collect();
        let (_, arrays, _) = batch.into_parts();
        let mut keys = vec![Texts::new(); self.layout.keys.len()];
        let mut columns: Vec<Option<Column>> = vec![None; self.layout.columns.len()];
        for ((array, target), name) in arrays.into_iter().zip(&self.targets).zip(&names) {
            let wrong = |w: Wrong| {
                let line = w.row.map(|r| first_line.saturating_add(r as u64));
                self.source.error(line, format!("column `{name}`: {}", w.why))
            };
            match *target {
                Target::Key(i) => {
                    if let Some(place) = keys.get_mut(i) {
                        *place = arrow::key(array).map_err(wrong)?;
                    }
                }
                Target::Value(i) => {
                    if let (Some(wanted), Some(place)) = (self.layout.columns.get(i), columns.get_mut(i)) {
                        let known = arrow::known(&array);
                        let data = arrow::values(array, wanted).map_err(wrong)?;
                        *place = Some(Column { name: wanted.name.clone(), data, known });
                    }
                }
                Target::Ignored => {}
            }
        }
        Ok(TableSlice { rows, keys, columns: columns.into_iter().flatten().collect(), first_line })
    }
}

/// What `f` gives. The crates that read Parquet assert what a damaged file doesn't keep; that is an error here.
fn guarded<T, E: Display>(f: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(t)) => Ok(t),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err("its parts contradict each other".to_owned()),
    }
}

fn has_small_dictionary(group: &RowGroupMetaData, leaf: usize) -> bool {
    let Some(chunk) = group.columns().get(leaf) else { return false };
    let size = chunk.dictionary_page_offset().map(|d| chunk.data_page_offset() - d);
    size.is_some_and(|s| (0..=DICTIONARY_BYTES).contains(&s))
        && chunk
            .page_encoding_stats_mask()
            .is_some_and(|m| m.is_only(Encoding::RLE_DICTIONARY) || m.is_only(Encoding::PLAIN_DICTIONARY))
}

impl Table for ParquetTable {
    fn name(&self) -> String {
        self.source.name()
    }

    fn bytes(&self) -> u64 {
        self.source.bytes
    }

    fn rows(&self) -> Option<u64> {
        u64::try_from(self.meta.file_metadata().num_rows()).ok()
    }

    fn read(&self, sink: &mut dyn FnMut(TableSlice) -> Result<(), TableError>) -> Result<(), TableError> {
        let file = self.source.open()?;
        let mut row = 1u64;
        // One row group at a time, for a dictionary is a row group's own.
        for (number, group) in self.meta.row_groups().iter().enumerate() {
            let damaged = |row: u64, e: String| self.source.error(Some(row), format!("damaged: {e}"));
            let file = file.try_clone().map_err(|e| self.source.error(None, e.to_string()))?;
            let mut batches = guarded(|| {
                let options = ArrowReaderOptions::new().with_schema(Arc::new(self.types(group)));
                let meta = ArrowReaderMetadata::try_new(self.meta.clone(), options)?;
                ParquetRecordBatchReaderBuilder::new_with_metadata(file, meta)
                    .with_row_groups(vec![number])
                    .with_projection(self.mask.clone())
                    .with_batch_size(self.batch_rows(group))
                    .build()
            })
            .map_err(|e| damaged(row, e))?;
            while let Some(batch) = guarded(|| batches.next().transpose()).map_err(|e| damaged(row, e))? {
                let slice = self.slice(batch, row)?;
                row += slice.rows as u64;
                sink(slice)?;
            }
        }
        Ok(())
    }
}
