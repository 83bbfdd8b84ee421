//! Test support, for this workspace only.
//!
//! | room | holds |
//! |---|---|
//! | `graph` | small graphs from JSON, through the public builder and a store |
//! | `reference` | the naive evaluator: the language's specification |
//! | `generate` | random graphs and queries |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

pub mod generate;
pub mod graph;
pub mod reference;
