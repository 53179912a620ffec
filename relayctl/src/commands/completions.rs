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
    Ok(ExitStatus::Success)
}
