//! Integration tests of the connectors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests are exempt"
)]

mod contract;
mod escalation;
mod labelled;
mod tables;
#[cfg(feature = "parquet")]
mod tables_parquet;
