//! Runs the reliability lanes and keeps what they find in `RELIABILITY.json`.
//!
//! `cargo run --release -p sv0-testkit --bin reliability -- <lane> [--count N] [--seed S] [--long]`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports to whoever runs it")]

#[cfg(target_os = "linux")]
#[path = "reliability/cli.rs"]
mod cli;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("the reliability lanes run on Linux");
    std::process::ExitCode::FAILURE
}
