//! The command line: the commands, what all of them can be told, and the help for it.

use crate::completions::{self, Completions};
use crate::count::{self, Count};
use crate::doctor::{self, Doctor};
use crate::ending::Ending;
use crate::peek::{self, Peek};
use crate::redrive::{self, Redrive};
use crate::replay_spill::{self, ReplaySpill};
use crate::secret::{self, Secret};
use crate::send::{self, Send};
use crate::session::Session;
use crate::sign::{self, Sign};
use crate::tail::{self, Tail};
use crate::trigger::{self, Trigger};
use crate::trouble::Trouble;
use crate::webhook::{self, Webhook};
use clap::{Args, Parser, Subcommand};

const EXIT_STATUS: &str = "\
Exit status:
  0    all done, or all well
  1    something was not done, or is not well: what is printed names it
  2    wrong usage
  3    could not work: no such stack, no credentials, no permission, no network
  130  interrupted; what was in hand is done, and the same command does the rest";

/// Operates a Labelbox Relay in your AWS account.
///
/// It finds everything from the name of the relay's CloudFormation stack, with the credentials, profiles and AWS_ variables
/// that the AWS CLI uses.
#[derive(Debug, Parser)]
#[command(name = "relayctl", version, after_help = EXIT_STATUS)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub place: Place,
    /// Print JSON for scripts, one value on a line
    #[arg(long, global = true)]
    pub json: bool,
}

/// Where the relay is.
#[derive(Debug, Args)]
pub struct Place {
    /// Name of the relay's CloudFormation stack
    #[arg(long, env = "RELAY_STACK", default_value = "labelbox-relay", global = true)]
    pub stack: String,
    /// Profile of your AWS configuration
    #[arg(long, global = true)]
    pub profile: Option<String>,
    /// AWS region of the stack
    #[arg(long, global = true)]
    pub region: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Doctor(Doctor),
    Send(Send),
    Trigger(Trigger),
    Sign(Sign),
    Tail(Tail),
    Peek(Peek),
    Count(Count),
    ReplaySpill(ReplaySpill),
    Redrive(Redrive),
    Secret(Secret),
    Webhook(Webhook),
    Completions(Completions),
}

impl Command {
    pub async fn run(&self, session: &Session<'_>) -> Result<Ending, Trouble> {
        match self {
            Self::Doctor(command) => doctor::run(command, session).await,
            Self::Send(command) => send::run(command, session).await,
            Self::Trigger(command) => trigger::run(command, session).await,
            Self::Sign(command) => sign::run(command, session).await,
            Self::Tail(command) => tail::run(command, session).await,
            Self::Peek(command) => peek::run(command, session).await,
            Self::Count(command) => count::run(command, session).await,
            Self::ReplaySpill(command) => replay_spill::run(command, session).await,
            Self::Redrive(command) => redrive::run(command, session).await,
            Self::Secret(command) => secret::run(command, session).await,
            Self::Webhook(command) => webhook::run(command, session).await,
            Self::Completions(command) => completions::run(command, session),
        }
    }
}

#[cfg(test)]
mod tests;
