//! Integration tests of the query crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests are exempt"
)]

mod cases;
mod conformance;
mod hostile;
mod many;
mod print;
mod reference;
