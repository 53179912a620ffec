//! `relayctl completions`: what a shell has to know to complete our words.

use crate::command::CommandLine;
use crate::ending::Ending;
use crate::session::Session;
use crate::trouble::Trouble;
use clap::CommandFactory;
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  relayctl completions bash > ~/.local/share/bash-completion/completions/relayctl
  relayctl completions zsh > ~/.zfunc/_relayctl
  relayctl completions fish > ~/.config/fish/completions/relayctl.fish";

/// Print a script by which a shell completes relayctl's commands and options
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    shell: Shell,
}

pub fn run(command: &Completions, session: &Session<'_>) -> Result<Ending, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut CommandLine::command(), "relayctl", &mut script);
    session.printer.text(String::from_utf8_lossy(&script))?;
    Ok(Ending::Done)
}
