//! Test support, for this workspace only.
//!
//! | room | holds |
//! |---|---|
//! | `graph` | small graphs from JSON, through the public builder and a store |
//! | `reference` | the naive evaluator: the language's specification |
//! | `adversarial` | queries that mean harm, and what they may use |
//! | `conformance` | cases in JSON lines, in four variants |
//! | `generate` | random graphs and queries |
//! | `fuzz` | what fuzz targets do with their bytes |
//! | `vfs` | file systems that record, fail, lose and lie |
//! | `reliability` | the lanes of the `reliability` binary (Linux) |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

pub mod adversarial;
pub mod conformance;
#[cfg(target_os = "linux")]
pub mod fuzz;
pub mod generate;
pub mod graph;
pub mod reference;
#[cfg(target_os = "linux")]
pub mod reliability;
pub mod vfs;
