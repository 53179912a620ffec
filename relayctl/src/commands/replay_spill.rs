//! `relayctl replay-spill`: moves spilled messages from the bucket to their queues.

use crate::aws::message::OutgoingMessage;
use crate::aws::queue::Queue;
use crate::aws::spilled_message::{self, Key, Object, Payload};
use crate::aws::stack::{Entity, Stack};
use crate::aws::{self, Clients};
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::{Filter, or_all};
use crate::summary::{Outcome, Summary};
use aws_sdk_s3::error::ProvideErrorMetadata;
use futures_util::{StreamExt, stream};
use labelbox_relay::spill::PREFIX;
use time::OffsetDateTime;

const CONCURRENT_MESSAGES: usize = 8;

const ABOUT: &str = "\
A message that its queue did not accept is an object in the relay's bucket. Each goes to the queue of its \
entity, and the object is deleted only after SQS has confirmed the message. One that cannot \
be read, or points to a payload that is gone, stays and is named; the others go on.

The command may be interrupted, repeated, and run by two people at once: no message is lost. A message may arrive \
twice, with the same dedup_id, if its queue had accepted it after all. Messages go by entity and day, \
in no order within a day.";

const EXAMPLES: &str = "\
Examples:
  relayctl replay-spill --dry-run
  relayctl replay-spill --stack labelbox-relay-staging --entity label --entity review
  relayctl replay-spill --topic LABEL_DELETED --project cm8d4 --since 2h
  relayctl replay-spill --json | jq '.kept[].reason'";

/// Send spilled messages from the bucket to their queues
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct ReplaySpill {
    /// Only messages of this entity; may be given more than once
    #[arg(long, value_name = "ENTITY")]
    entity: Vec<Entity>,
    #[command(flatten)]
    filter: Filter,
    /// Change nothing, say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Replays what is there now, and prints the summary.
pub async fn run(command: &ReplaySpill, context: &Context) -> Result<ExitStatus, Error> {
    let mut summary = Summary::new(command.dry_run);
    let outcome = replay(command, context, &mut summary).await;
    summary.close(outcome, &context.output)
}

async fn replay(
    command: &ReplaySpill,
    context: &Context,
    summary: &mut Summary,
) -> Result<(), Error> {
    command.filter.window(context.now())?;
    let (clients, stack) = &context.find_stack_for(command.dry_run).await?;
    let replay = Replay {
        clients,
        stack,
        bucket: stack.payload_bucket()?,
        filter: &command.filter,
        now: context.now(),
        dry_run: command.dry_run,
    };
    let mut keys = Vec::new();
    if command.entity.is_empty() {
        // With objects that are not spilled messages, to report them.
        keys = spilled_message::list(clients, stack, PREFIX).await?;
    } else {
        for entity in or_all(&command.entity) {
            let prefix = format!("{PREFIX}{}/", entity.name());
            keys.extend(spilled_message::list(clients, stack, &prefix).await?);
        }
    }
    summary.found = keys.len() as u64;
    let bar = context.output.progress("replay", keys.len() as u64);
    let outcomes = stream::iter(&keys)
        .take_until(context.interrupt.pressed())
        .map(async |key: &String| (key, replay.one(key).await))
        .buffer_unordered(CONCURRENT_MESSAGES);
    tokio::pin!(outcomes);
    while let Some((key, outcome)) = outcomes.next().await {
        summary.add(key, outcome.unwrap_or_else(Outcome::Kept));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if context.interrupt.is_pressed() {
        summary.interrupt(command.filter.is_relative());
    }
    Ok(())
}

struct Replay<'r> {
    clients: &'r Clients,
    stack: &'r Stack,
    bucket: &'r str,
    filter: &'r Filter,
    now: OffsetDateTime,
    dry_run: bool,
}

impl Replay<'_> {
    /// Replays one message. The error says why it stays.
    async fn one(&self, name: &str) -> Result<Outcome, String> {
        let key = Key::read(name).ok_or("its key is not that of a spilled message")?;
        let queue = Queue::new(self.clients, self.stack, key.entity, false);
        let queue = queue.map_err(|error| error.to_string())?;
        let object = spilled_message::get(&self.clients.s3, self.bucket, name).await;
        let object = object.map_err(|error| format!("cannot be read: {}", error.reason()))?;
        let Some(Object { content, etag }) = object else {
            return Ok(Outcome::Gone);
        };
        let message = spilled_message::message(key, &content, queue.is_fifo())?;
        if !self.filter.matches(&message, self.now) {
            return Ok(Outcome::Skipped);
        }
        self.check_payload(&message).await?;
        if self.dry_run {
            let stats = queue.stats().await;
            return stats.map(|_| Outcome::Sendable).map_err(|error| error.reason().into_owned());
        }
        queue.send(message).await?;
        Ok(self.delete(name, etag).await)
    }

    /// A pointer to nothing would fail at its consumer, again and again.
    async fn check_payload(&self, message: &OutgoingMessage) -> Result<(), String> {
        let Some(Payload { bucket, key }) = spilled_message::payload(message)? else {
            return Ok(());
        };
        let request = self.clients.s3.head_object().bucket(&bucket).key(&key);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(format!(
                "its payload s3://{bucket}/{key} cannot be read: {}",
                aws::error("s3:GetObject", &error).reason()
            )),
        }
    }

    /// Deletes just the object that was sent. A repeated delivery may have taken its place meanwhile: that is the same
    /// event, so nothing would be lost with it, but the next run sends it all the same.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>.
    async fn delete(&self, key: &str, etag: Option<String>) -> Outcome {
        let request = self.clients.s3.delete_object().bucket(self.bucket).key(key);
        match request.set_if_match(etag).send().await {
            Ok(_) => Outcome::Moved,
            Err(error) => match error.code() {
                Some("NoSuchKey") => Outcome::SentAndGone,
                // The second is what S3 says when another request for the same object is under way.
                Some("PreconditionFailed" | "ConditionalRequestConflict") => Outcome::SentAndKept(
                    "sent, but the event was spilled again meanwhile; repeat the command"
                        .to_owned(),
                ),
                _ => Outcome::SentAndKept(format!(
                    "sent, but not deleted: {}",
                    aws::error("s3:DeleteObject", &error).reason()
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests;
