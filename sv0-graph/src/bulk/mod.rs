//! Bulk load: typed tables, one per node type and per edge type, straight into a store.
//!
//! | room | holds |
//! |---|---|
//! | `table` | what a reader of tables hands over: columns of values |

mod table;

pub use table::{Column, ColumnData, Table, TableError, TableSlice, Texts};
