//! `relayctl completions`: a shell's completion script.

use crate::context::Context;
use crate::error::{Error, ExitStatus};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  relayctl completions bash > ~/.local/share/bash-completion/completions/relayctl
  relayctl completions zsh > ~/.zfunc/_relayctl
  relayctl completions fish > ~/.config/fish/completions/relayctl.fish";

/// Print a completion script for a shell: commands, options, topics and queues
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    shell: Shell,
}

pub fn run(
    command: &Completions,
    line: &mut clap::Command,
    context: &Context,
) -> Result<ExitStatus, Error> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, line, "relayctl", &mut script);
    context.output.text(String::from_utf8_lossy(&script))?;
    if command.shell == Shell::Fish {
        context.output.text(fish_values(line))?;
    }
    Ok(ExitStatus::Success)
}

/// Fish's completion of topics and queues: `clap_complete` leaves out what is no option.
fn fish_values(line: &clap::Command) -> String {
    let mut script = String::new();
    for command in line.get_subcommands() {
        for argument in command.get_positionals() {
            let values = argument.get_possible_values();
            let values: Vec<_> = values.iter().map(|value| value.get_name()).collect();
            if !values.is_empty() {
                let (name, values) = (command.get_name(), values.join(" "));
                script += &format!(
                    "complete -c relayctl -n \"__fish_relayctl_using_subcommand {name}\" -f -a \"{values}\"\n"
                );
            }
        }
    }
    script
}
