//! The command line: what one can type, and the help for it.

use crate::stack::Entity;
use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_STATUS: &str = "\
Exit status:
  0    all done
  1    something stayed where it was; the account names it
  2    wrong usage
  3    could not work: no such stack, no credentials, no permission, no network
  130  interrupted; what was in hand is done, and the same command does the rest";

const REPLAY_SPILL: &str = "\
A message that its queue did not take waits as an object in the relay's bucket. Each goes to the queue of its \
entity, and the object is deleted only after SQS has confirmed the message with the right checksums. What cannot \
be read, or points to a payload that is gone, stays and is named; the others go on.

The command may be interrupted, repeated, and run by two people at once: no message is lost. A FIFO queue drops \
an event that it has taken within the last five minutes; a standard queue, or a repetition later than that, may \
show a message twice, with the same dedup_id. Messages go by entity and day, in no order within a day: consumers \
keep the newest occurred_at.";

const REPLAY_SPILL_EXAMPLES: &str = "\
Examples:
  relayctl replay-spill --dry-run
  relayctl replay-spill --stack labelbox-relay-staging --entity label --entity review
  relayctl replay-spill --json | jq '.kept[].reason'";

const REDRIVE: &str = "\
Each dead letter goes back to its queue with its body, attributes, trace and group, in order within its group, \
and is deleted from the dead-letter queue only after SQS has confirmed it with the right checksums. Each is \
tried once; what fails stays, holds back the later ones of its group, and is named.

In its queue it is a new message: its age and its count of receives start anew (but the payload of a large one \
keeps its age in the bucket), and its deduplication id in a FIFO queue is its message id as a dead letter, so that \
the queue takes it even if it has seen the event minutes ago, and takes each dead letter once.

The command may be interrupted, repeated, and run by two people at once: no message is lost. A run that is \
killed leaves what it had in hand, and what it had to keep, invisible for up to five minutes: repeat it then. \
What it had sent and not deleted goes out again, with the same dedup_id.";

const REDRIVE_EXAMPLES: &str = "\
Examples:
  relayctl redrive all --dry-run
  relayctl redrive label
  relayctl redrive model_run --profile production --region eu-central-1 --json";

/// Repairs a Labelbox Relay in your AWS account.
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
}

/// Where the relay is.
#[derive(Debug, Args)]
pub struct Place {
    /// Name of the relay's CloudFormation stack
    #[arg(
        long,
        env = "RELAY_STACK",
        default_value = "labelbox-relay",
        global = true
    )]
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
    /// Send the messages that wait in the bucket to their queues
    #[command(long_about = REPLAY_SPILL, after_help = REPLAY_SPILL_EXAMPLES)]
    ReplaySpill(ReplaySpill),
    /// Move the messages of a dead-letter queue back to their queue
    #[command(long_about = REDRIVE, after_help = REDRIVE_EXAMPLES)]
    Redrive(Redrive),
}

#[derive(Debug, Args)]
pub struct ReplaySpill {
    /// Only messages of this entity; may be given more than once
    #[arg(long, value_name = "ENTITY")]
    pub entity: Vec<Entity>,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Args)]
pub struct Redrive {
    /// Whose dead-letter queue
    pub queue: Choice,
    #[command(flatten)]
    pub how: How,
}

/// What all repairs can be told.
#[derive(Debug, Args)]
pub struct How {
    /// Change nothing, say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Print the account as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl CommandLine {
    pub fn how(&self) -> &How {
        match &self.command {
            Command::ReplaySpill(command) => &command.how,
            Command::Redrive(command) => &command.how,
        }
    }
}

/// One queue or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    One(Entity),
    All,
}

impl Choice {
    pub fn entities(self) -> Vec<Entity> {
        match self {
            Self::One(entity) => vec![entity],
            Self::All => Entity::value_variants().to_vec(),
        }
    }
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::One(Entity::Label),
            Self::One(Entity::Workflow),
            Self::One(Entity::Review),
            Self::One(Entity::ModelRun),
            Self::One(Entity::Unrouted),
            Self::All,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::One(entity) => entity.to_possible_value(),
            Self::All => Some(PossibleValue::new("all")),
        }
    }
}

#[cfg(test)]
mod tests;
