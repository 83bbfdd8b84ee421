//! One room a command.

pub(crate) mod assess;
pub(crate) mod can;
pub(crate) mod generate;
pub(crate) mod history;
pub(crate) mod load;
pub(crate) mod node;
pub(crate) mod query;
pub(crate) mod rules;
pub(crate) mod schema;
pub(crate) mod shell;
pub(crate) mod store;

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output;

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sv0", &mut out);
    output::print(&String::from_utf8_lossy(&out))?;
    Ok(ExitCode::SUCCESS)
}

/// One page for the command and, behind it, one section a subcommand.
pub(crate) fn man() -> Result<ExitCode, Failure> {
    let mut out = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut out)?;
    let mut stack: Vec<(String, clap::Command)> =
        command.get_subcommands().map(|c| (format!("sv0 {}", c.get_name()), c.clone())).collect();
    stack.reverse();
    while let Some((name, c)) = stack.pop() {
        if c.get_name() == "help" {
            continue;
        }
        out.extend(format!(".SH {}\n", name.to_uppercase()).bytes());
        let man = clap_mangen::Man::new(c.clone().bin_name(name.clone()));
        man.render_synopsis_section(&mut out)?;
        man.render_description_section(&mut out)?;
        man.render_options_section(&mut out)?;
        man.render_extra_section(&mut out)?;
        let below: Vec<_> = c.get_subcommands().map(|s| (format!("{name} {}", s.get_name()), s.clone())).collect();
        stack.extend(below.into_iter().rev());
    }
    output::print(&String::from_utf8_lossy(&out))?;
    Ok(ExitCode::SUCCESS)
}
