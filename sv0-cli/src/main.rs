//! `sv0`: what a non-human identity can really do. The one crate that prints, reads the environment and the clock, and
//! exits.
//!
//! | room | holds |
//! |---|---|
//! | `args` | flags as data: help, manual page and completions come from here |
//! | `commands` | one room a command |
//! | `load` | opening stores, ingesting sources |
//! | `output` | printing: names are an attacker's |
//! | `failure` | what exit code an error means |
//! | `clock` | time limits |

mod args;
mod catalog;
mod clock;
mod commands;
mod failure;
mod load;
mod output;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, RulesCommand};
use commands::{assess, can, query, rules, schema, shell, store};
use failure::Failure;

/// Loads and queries take and free much memory on several threads; the system's allocator gives it back each time. Without
/// huge pages: a load's first touch of them costs more than they give.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Assess(a) => assess::assess(&a),
        Command::Ingest(a) => assess::ingest(&a),
        Command::Load(a) => commands::load::load(&a),
        Command::Generate(a) => commands::generate::run(&a),
        Command::Check(a) => assess::check(&a),
        Command::Query(a) => query::run(&a),
        Command::Shell(a) => shell::run(&a),
        Command::Show(a) => commands::node::show(&a),
        Command::Paths(a) => commands::node::paths(&a),
        Command::Schema(a) => schema::run(&a),
        Command::Rules { command } => match command {
            RulesCommand::List(a) => rules::list(&a),
            RulesCommand::Show(a) => rules::show(&a),
            RulesCommand::Lint(a) => rules::lint(&a),
            RulesCommand::Test(a) => rules::test(&a),
        },
        Command::Can(a) => can::can(&a),
        Command::WhoCan(a) => can::who_can(&a),
        Command::Info(a) => store::info(&a),
        Command::Verify(a) => store::verify(&a),
        Command::Snapshots(a) => store::snapshots(&a),
        Command::Diff(a) => commands::history::diff(&a),
        Command::Compact(a) => commands::history::compact(&a),
        Command::Completions { shell } => commands::completions(shell),
        Command::Man => commands::man(),
    };
    match result {
        Ok(code) => code,
        // Whoever closed the pipe has seen enough.
        Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(f) => {
            output::error(&f.to_string());
            f.exit_code()
        }
    }
}
