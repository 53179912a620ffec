//! The commands, one file each.

mod backfill;
mod completions;
mod count;
mod doctor;
mod forward;
mod logs;
mod look;
mod open;
mod outputs;
mod peek;
mod redrive;
mod replay;
mod replay_spill;
mod secret;
mod send;
mod sign;
mod tail;
mod trigger;
mod webhook;
mod whoami;

use crate::cli::GlobalArgs;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use clap::{CommandFactory, Parser, Subcommand};

const EXIT_STATUS: &str = "\
Exit status:
  0    all done, or all healthy
  1    something was not done, or is not healthy; the output names it
  2    wrong usage, or a name that has no secret
  3    the command could not work: no such stack, queue, file, profile or id; no credentials, permission or network
  130  interrupted; what had begun is finished";

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
    pub args: GlobalArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Doctor(doctor::Doctor),
    Send(send::Send),
    Trigger(trigger::Trigger),
    Sign(sign::Sign),
    Tail(tail::Tail),
    Logs(logs::Logs),
    Peek(peek::Peek),
    Forward(forward::Forward),
    Count(count::Count),
    Outputs(outputs::Outputs),
    Open(open::Open),
    Whoami(whoami::Whoami),
    Replay(replay::Replay),
    ReplaySpill(replay_spill::ReplaySpill),
    Redrive(redrive::Redrive),
    Backfill(backfill::Backfill),
    Secret(secret::Secret),
    Webhook(webhook::Webhook),
    Completions(completions::Completions),
}

impl Command {
    pub async fn run(&self, context: &Context) -> Result<ExitStatus, Error> {
        match self {
            Self::Doctor(command) => doctor::run(command, context).await,
            Self::Send(command) => send::run(command, context).await,
            Self::Trigger(command) => trigger::run(command, context).await,
            Self::Sign(command) => sign::run(command, context).await,
            Self::Tail(command) => tail::run(command, context).await,
            Self::Logs(command) => logs::run(command, context).await,
            Self::Peek(command) => peek::run(command, context).await,
            Self::Forward(command) => forward::run(command, context).await,
            Self::Count(command) => count::run(command, context).await,
            Self::Outputs(command) => outputs::run(command, context).await,
            Self::Open(command) => open::run(command, context).await,
            Self::Whoami(command) => whoami::run(command, context).await,
            Self::Replay(command) => replay::run(command, context).await,
            Self::ReplaySpill(command) => replay_spill::run(command, context).await,
            Self::Redrive(command) => redrive::run(command, context).await,
            Self::Backfill(command) => backfill::run(command, context).await,
            Self::Secret(command) => secret::run(command, context).await,
            Self::Webhook(command) => webhook::run(command, context).await,
            Self::Completions(command) => {
                completions::run(command, &mut CommandLine::command(), context)
            }
        }
    }
}

#[cfg(test)]
mod tests;
