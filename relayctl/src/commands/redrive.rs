//! `relayctl redrive`: dead letters go back to their queue, and leave the dead-letter queue when they are there.

mod mover;
mod run;

use crate::aws::Clients;
use crate::aws::stack::{Entity, Stack};
use crate::cli::QueueSelection;
use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::filter::{Filter, Wanted};
use crate::summary::{Outcome, Summary};
use run::Run;

const ABOUT: &str = "\
Each dead message goes back to its queue with its body, attributes, trace and group, in order within its group, \
and is deleted from the dead-message queue only after SQS has confirmed it with the right checksums. Each is \
tried once; what fails stays, holds back the later ones of its group, and is named.

In its queue it is a new message: its age and its count of receives start anew (but the payload of a large one \
keeps its age in the bucket), and its deduplication id in a FIFO queue is its message id as a dead message, so that \
the queue takes it even if it has seen the event minutes ago, and takes each dead message once.

With a filter, what does not match stays, and is counted as skipped. In a FIFO group, what is moved keeps its order, but \
overtakes what the filter leaves; and where ten or more of a group stay, SQS shows nothing that comes after them. A dry run \
without a filter only asks for counts; with one, it has to receive the dead letters and give them back, which hides them \
while it runs, and costs them nothing, since nothing moves on from a dead-message queue.

With `all`, a queue that cannot be worked on is named, and the others go on.

The command may be interrupted, repeated, and run by two people at once: no message is lost. A run that is \
killed leaves what it had in hand, and what it had to keep, invisible for up to five minutes: repeat it then. \
What it had sent and not deleted goes out again, with the same dedup_id.";

const EXAMPLES: &str = "\
Examples:
  relayctl redrive all --dry-run
  relayctl redrive label
  relayctl redrive label --topic LABEL_UPDATED --project cm8d4 --since 2h --dry-run
  relayctl redrive model_run --profile production --region eu-central-1 --json";

/// Move the messages of a dead-letter queue back to their queue
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Redrive {
    /// Whose dead-letter queue
    pub queue: QueueSelection,
    /// Change nothing, say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    filter: Filter,
}

/// Redrives what is there now, and prints the account of it.
pub async fn run(command: &Redrive, context: &Context) -> Result<ExitStatus, Error> {
    let mut summary = Summary::new(command.dry_run);
    let outcome = match context.find_stack_to_change().await {
        Ok((clients, stack)) => {
            let redriving = Redriving {
                context,
                clients: &clients,
                stack: &stack,
                wanted: command.filter.at(context.now()),
                dry_run: command.dry_run,
            };
            let entities = command.queue.entities();
            redriving.all(&entities, &mut summary).await
        }
        Err(error) => Err(error),
    };
    summary.close(outcome, &context.output)
}

/// What is redriven, and how.
struct Redriving<'r> {
    context: &'r Context,
    clients: &'r Clients,
    stack: &'r Stack,
    wanted: Wanted<'r>,
    dry_run: bool,
}

impl Redriving<'_> {
    /// Redrives queue after queue. One that is broken is named and the others go on, unless none can be had.
    async fn all(&self, entities: &[Entity], summary: &mut Summary) -> Result<(), Error> {
        let mut broken = Vec::new();
        for entity in entities {
            match self.one(*entity, summary).await {
                Ok(()) => {}
                Err(error) if error.is_global() => return Err(error),
                Err(error) => broken.push((entity, error)),
            }
            if self.context.interrupt.is_pressed() {
                summary.interrupt();
                break;
            }
        }
        if broken.len() == entities.len() {
            return broken.pop().map_or(Ok(()), |(_, error)| Err(error));
        }
        for (entity, error) in broken {
            summary.enter(entity.name(), Outcome::Kept(error.line(&self.context.args)));
        }
        Ok(())
    }

    async fn one(&self, entity: Entity, summary: &mut Summary) -> Result<(), Error> {
        let mut run = Run::new(entity, self.clients, self.stack, self.wanted, self.dry_run)?;
        let count = run.count().await?;
        if self.dry_run && self.wanted.is_all() {
            summary.find(count);
            summary.would_send(count);
            return Ok(());
        }
        let bar = self.context.output.progress(entity.name(), count);
        let outcome = run.all(&self.context.interrupt, summary, &bar).await;
        bar.finish_and_clear();
        outcome
    }
}

#[cfg(test)]
mod tests;
