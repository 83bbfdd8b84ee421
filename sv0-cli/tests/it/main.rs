//! Integration tests of the command line.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests are exempt"
)]

mod commands;
mod generate;
mod pages;
mod refusals;
mod sample;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The binary, run in the workspace's root.
fn sv0(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sv0")).args(args).current_dir(root()).stdin(Stdio::null()).output().unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(o: &[u8]) -> String {
    String::from_utf8(o.to_vec()).unwrap()
}
