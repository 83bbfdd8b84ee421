//! Integration tests of the graph crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests are exempt"
)]

mod arrays;
mod bulk;
mod format;
mod history;
mod host;
mod ingest;
mod model;
mod pages;
mod store;
mod traps;
