//! `relayctl replay-spill`: what waits in the bucket goes to its queue, and leaves the bucket when it is there.

use crate::account::{Account, Outcome};
use crate::aws::{self, Clients};
use crate::ending::Ending;
use crate::filter::{Filter, Wanted};
use crate::letter::{Letter, send};
use crate::progress;
use crate::session::Session;
use crate::spilled::{self, Key, Payload};
use crate::stack::{Entity, Stack};
use crate::trouble::Trouble;
use aws_sdk_s3::error::ProvideErrorMetadata;
use futures_util::{StreamExt, stream};
use labelbox_relay::spill::PREFIX;

const AT_ONCE: usize = 8;

const ABOUT: &str = "\
A message that its queue did not take waits as an object in the relay's bucket. Each goes to the queue of its \
entity, and the object is deleted only after SQS has confirmed the message with the right checksums. What cannot \
be read, or points to a payload that is gone, stays and is named; the others go on. So does what a filter leaves: it \
stays as it is, and is counted as skipped.

The command may be interrupted, repeated, and run by two people at once: no message is lost. A message may arrive \
twice, with the same dedup_id, if its queue had taken it after all: it is sent with a deduplication id of its own, since \
the queue may hold something else under that of the event. Messages go by entity and day, \
in no order within a day: consumers keep the newest occurred_at, and of two with the same time the one received later.";

const EXAMPLES: &str = "\
Examples:
  relayctl replay-spill --dry-run
  relayctl replay-spill --stack labelbox-relay-staging --entity label --entity review
  relayctl replay-spill --topic LABEL_DELETED --project cm8d4 --since 2h
  relayctl replay-spill --json | jq '.kept[].reason'";

/// Send the messages that wait in the bucket to their queues
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

/// Replays what is there now, and prints the account of it.
pub async fn run(command: &ReplaySpill, session: &Session<'_>) -> Result<Ending, Trouble> {
    let mut account = Account::new(command.dry_run);
    let outcome = replay(command, session, &mut account).await;
    account.close(outcome, session.printer)
}

async fn replay(
    command: &ReplaySpill,
    session: &Session<'_>,
    account: &mut Account,
) -> Result<(), Trouble> {
    let (clients, stack) = &session.find_stack().await?;
    let replay = Replay {
        clients,
        stack,
        bucket: stack.payload_bucket()?,
        wanted: command.filter.at(session.now()),
        dry_run: command.dry_run,
    };
    let mut keys = Vec::new();
    for prefix in prefixes(command) {
        keys.extend(replay.list(&prefix).await?);
    }
    account.find(keys.len() as u64);
    let bar = progress::bar("replay", keys.len() as u64);
    let outcomes = stream::iter(&keys)
        .take_until(session.interrupt.pressed())
        .map(async |key: &String| (key, replay.one(key).await))
        .buffer_unordered(AT_ONCE);
    tokio::pin!(outcomes);
    while let Some((key, outcome)) = outcomes.next().await {
        account.enter(key, outcome.unwrap_or_else(Outcome::Kept));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if session.interrupt.is_pressed() {
        account.interrupt();
    }
    Ok(())
}

fn prefixes(command: &ReplaySpill) -> Vec<String> {
    if command.entity.is_empty() {
        return vec![PREFIX.to_owned()];
    }
    let mut entities = command.entity.clone();
    entities.sort_unstable();
    entities.dedup();
    let prefix = |entity: Entity| format!("{PREFIX}{}/", entity.name());
    entities.into_iter().map(prefix).collect()
}

struct Replay<'r> {
    clients: &'r Clients,
    stack: &'r Stack,
    bucket: &'r str,
    wanted: Wanted<'r>,
    dry_run: bool,
}

/// An object as it was read.
struct Object {
    content: Vec<u8>,
    etag: Option<String>,
}

impl Replay<'_> {
    /// The keys in S3's order, which is that of their days.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Trouble> {
        let request = self.clients.s3.list_objects_v2();
        let request = request.bucket(self.bucket).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws::trouble("s3:ListBucket", &error))?;
            keys.extend(page.contents.into_iter().flatten().filter_map(|o| o.key));
        }
        // S3's console makes empty objects that it shows as folders.
        keys.retain(|key| !key.ends_with('/'));
        Ok(keys)
    }

    /// Replays one message. The error says why it stays.
    async fn one(&self, name: &str) -> Result<Outcome, String> {
        let key = Key::read(name).map_err(|error| error.to_string())?;
        let queue_url = self.stack.queue_url(key.entity);
        let queue_url = queue_url.map_err(|trouble| trouble.line())?;
        let Some(object) = self.get(name).await? else {
            return Ok(Outcome::Gone);
        };
        let letter = spilled::letter(key, &object.content, queue_url.ends_with(".fifo"))
            .map_err(|error| error.to_string())?;
        if !self.wanted.takes(&letter) {
            return Ok(Outcome::Skipped);
        }
        self.check_payload(&letter).await?;
        if self.dry_run {
            return Ok(Outcome::Sendable);
        }
        send(&self.clients.sqs, queue_url, letter).await?;
        Ok(self.delete(name, object.etag).await)
    }

    /// Reads an object; `None` if it is gone. The SDK compares the content with the checksum that S3 keeps of it.
    async fn get(&self, key: &str) -> Result<Option<Object>, String> {
        let request = self.clients.s3.get_object().bucket(self.bucket).key(key);
        let object = match request.send().await {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(format!("it cannot be read: {}", aws::said(&error))),
        };
        let content = object.body.collect().await;
        let content = content.map_err(|error| {
            let cause = labelbox_relay::error::error_chain(&error);
            format!("it cannot be read: {cause}")
        })?;
        Ok(Some(Object { content: content.to_vec(), etag: object.e_tag }))
    }

    /// A pointer to nothing would fail at its consumer, again and again.
    async fn check_payload(&self, letter: &Letter) -> Result<(), String> {
        let payload = spilled::payload(letter).map_err(|error| error.to_string())?;
        let Some(Payload { bucket, key }) = payload else {
            return Ok(());
        };
        let request = self.clients.s3.head_object().bucket(&bucket).key(&key);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(format!("its payload s3://{bucket}/{key} cannot be had: {}", aws::said(&error)))
            }
        }
    }

    /// Deletes just the object that was sent. A repeated delivery may have taken its place meanwhile: that is the same
    /// event, so nothing would be lost with it, but the next run sends it all the same and nobody has to argue.
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
                _ => Outcome::SentAndKept(format!("sent, but not deleted: {}", aws::said(&error))),
            },
        }
    }
}

#[cfg(test)]
mod tests;
