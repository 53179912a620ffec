//! `relayctl redrive`: moves dead letters back to their queue.

use crate::aws::message::ReceivedMessage;
use crate::aws::queue::{BATCH, Queue};
use crate::aws::stack::{Entity, Stack};
use crate::aws::{CALL_TIMEOUT, Clients};
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::{Filter, or_all};
use crate::summary::{Outcome, Summary};
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use futures_util::{StreamExt, stream};
use indexmap::IndexMap;
use indicatif::ProgressBar;
use std::collections::{HashMap, HashSet};
use time::OffsetDateTime;

const CONCURRENT_GROUPS: usize = 8;
/// For how long received messages are hidden: enough for a batch of one group, whose messages are sent and deleted one after
/// the other, if each call takes its full time and none is repeated.
const HIDDEN_SECONDS: i32 = BATCH * 2 * CALL_TIMEOUT.as_secs() as i32;
/// A pass ends after so many batches in a row with nothing new: messages that it keeps may come back before those it has not seen.
const MAX_KNOWN_BATCHES: u32 = 3;

const ABOUT: &str = "\
Each dead letter goes back to its queue with its body, attributes, trace and group, in order within its group, and is deleted \
only after SQS has confirmed the copy. Each is tried once; one that fails stays, holds back the later \
ones of its group, and is named.

In its queue it is a new message: age and receives start anew.

With a filter, messages that do not match stay. In a FIFO group, what is moved overtakes them, and where ten or more stay, SQS shows \
nothing that comes after them. A dry run with a filter receives the dead letters and releases them, which hides them while it runs.

It may be interrupted, repeated, and run by two people at once: no message is lost. A run that is killed leaves what it had \
received invisible for up to five minutes.";

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
    /// Whose dead-letter queue, or all
    #[arg(value_parser = queue_parser())]
    pub queue: Queues,
    /// Change nothing, say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    filter: Filter,
}

/// One queue or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queues(pub Vec<Entity>);

fn queue_parser() -> impl TypedValueParser<Value = Queues> {
    let names = Entity::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let names = PossibleValuesParser::new(names.chain([PossibleValue::new("all")]));
    names.map(|name| Queues(or_all(Entity::from_str(&name, false).ok().as_slice())))
}

/// Redrives what is there now, and prints the summary.
pub async fn run(command: &Redrive, context: &Context) -> Result<ExitStatus, Error> {
    command.filter.window(context.now())?;
    let (clients, stack) = context.find_stack_for(command.dry_run).await?;
    let mut summary = Summary::new(command.dry_run);
    let result = redrive(command, context, &clients, &stack, &mut summary).await;
    summary.close(result, &context.output)
}

/// Redrives queue after queue. One that fails is named and the others go on, unless no other call would succeed either.
async fn redrive(
    command: &Redrive,
    context: &Context,
    clients: &Clients,
    stack: &Stack,
    summary: &mut Summary,
) -> Result<(), Error> {
    let (filter, now) = (&command.filter, context.now());
    let Queues(entities) = &command.queue;
    let mut failed = Vec::new();
    for entity in entities {
        let mut mover = Mover {
            queue: Queue::new(clients, stack, *entity, false)?,
            dead_letters: Queue::new(clients, stack, *entity, true)?,
            context,
            filter,
            now,
            summary,
            seen: HashMap::new(),
            blocked: HashMap::new(),
            left: HashMap::new(),
            to_release: Vec::new(),
        };
        match mover.run().await {
            Ok(()) => {}
            Err(error) if error.is_global() => return Err(error),
            Err(error) => failed.push((entity, error)),
        }
        if context.interrupt.is_pressed() {
            summary.interrupt(filter.is_relative());
            break;
        }
    }
    if failed.len() == entities.len() {
        return failed.pop().map_or(Ok(()), |(_, error)| Err(error));
    }
    for (entity, error) in failed {
        summary.add(entity.name(), Outcome::Kept(error.line(&context.args)));
    }
    Ok(())
}

/// Moves the messages of one dead-letter queue.
struct Mover<'r> {
    queue: Queue<'r>,
    dead_letters: Queue<'r>,
    context: &'r Context,
    filter: &'r Filter,
    now: OffsetDateTime,
    summary: &'r mut Summary,
    /// What this run knows of a message, by its id.
    seen: HashMap<String, Seen>,
    /// Groups of which a message could not be sent, with its id: later ones must not overtake it.
    blocked: HashMap<String, String>,
    /// How many messages of a group stay because of the filter or the dry run.
    left: HashMap<String, i32>,
    /// Receipt handles of the messages that stay.
    to_release: Vec<String>,
}

enum Seen {
    /// It stays: each dead letter is tried once.
    Left,
    /// It is moved. A standard queue may deliver it once more after its deletion.
    Moved,
    /// It is the new message, and keeps its id if it dies again.
    New,
}

/// The new message's id and the outcome, or why the message was not sent.
type MoveResult = Result<(String, Outcome), String>;

impl Mover<'_> {
    async fn run(&mut self) -> Result<(), Error> {
        let count = self.dead_letters.stats().await?.waiting;
        if self.summary.dry_run && self.filter.is_all() {
            self.summary.found += count;
            self.summary.would_send += count;
            return Ok(());
        }
        let bar = self.context.output.progress("", count);
        let bar = bar.with_message(self.queue.label.to_owned());
        let result = loop {
            let result = self.pass(&bar).await;
            // Not before the end of the pass, or it would receive them again. If it fails, they become visible by themselves.
            let _ = self.dead_letters.release(std::mem::take(&mut self.to_release)).await;
            match result {
                // Messages that the filter excludes hide those behind them in their group until they are visible again.
                Ok(true) if !self.left.is_empty() && !self.context.interrupt.is_pressed() => {}
                result => break result,
            }
        };
        bar.finish_and_clear();
        result?;
        // SQS delivers no more than ten messages of a group at a time.
        let mut full: Vec<_> = self.left.iter().filter(|(_, left)| **left >= BATCH).collect();
        full.sort();
        for (group_id, _) in full {
            let name = format!("{} group {group_id}", self.queue.label);
            let reason = "SQS does not show what may come after its first ten messages, which stay";
            self.summary.add(&name, Outcome::Kept(reason.to_owned()));
        }
        Ok(())
    }

    /// Receives until nothing new comes. Returns whether it has moved a message.
    async fn pass(&mut self, bar: &ProgressBar) -> Result<bool, Error> {
        let (mut known_batches, mut has_moved) = (0, false);
        let mut received = HashSet::new();
        while !self.context.interrupt.is_pressed() && known_batches < MAX_KNOWN_BATCHES {
            let messages = self.dead_letters.receive(BATCH, HIDDEN_SECONDS).await?;
            if messages.is_empty() {
                break;
            }
            let ids = messages.iter().map(|message| message.message_id.clone());
            let new = ids.filter(|id| received.insert(id.clone())).count();
            known_batches = if new == 0 { known_batches + 1 } else { 0 };
            let selected = self.select(messages, bar).await;
            let groups = stream::iter(by_group(selected)).map(|group| self.move_group(group));
            let results: Vec<_> = groups.buffer_unordered(CONCURRENT_GROUPS).concat().await;
            for (message, result) in results {
                has_moved |= self.record(message, result);
            }
        }
        Ok(has_moved)
    }

    /// Returns the messages to move.
    async fn select(
        &mut self,
        messages: Vec<ReceivedMessage>,
        bar: &ProgressBar,
    ) -> Vec<ReceivedMessage> {
        let mut selected = Vec::new();
        for message in messages {
            let id = &message.message_id;
            match self.seen.get(id) {
                Some(Seen::Moved) => {
                    // If this fails it comes once more, to this run or to the next, which then sends a duplicate.
                    let _ = self.dead_letters.delete(&message.receipt_handle).await;
                    continue;
                }
                Some(Seen::Left) => {}
                Some(Seen::New) => {
                    self.summary.found += 1;
                    let reason = "it went back and died again during this run";
                    self.add(id, Outcome::Kept(reason.to_owned()));
                    self.seen.insert(id.clone(), Seen::Left);
                }
                None => {
                    self.summary.found += 1;
                    bar.inc(1);
                    self.seen.insert(id.clone(), Seen::Left);
                    let is_wanted = self.filter.matches(&message.message, self.now);
                    if is_wanted && !self.summary.dry_run {
                        selected.push(message);
                        continue;
                    }
                    self.add(id, if is_wanted { Outcome::Sendable } else { Outcome::Skipped });
                    if let Some(group_id) = message.message.group_id {
                        *self.left.entry(group_id).or_default() += 1;
                    }
                }
            }
            self.to_release.push(message.receipt_handle);
        }
        selected
    }

    /// Moves a group in its order: a message that cannot be sent holds back the later ones.
    async fn move_group(&self, group: Vec<ReceivedMessage>) -> Vec<(ReceivedMessage, MoveResult)> {
        let group_id = group.first().and_then(|first| first.message.group_id.as_ref());
        let mut failed = group_id.and_then(|id| self.blocked.get(id).cloned());
        let mut results = Vec::new();
        for message in group {
            let result = match &failed {
                None => self.move_one(&message).await,
                Some(first) => {
                    Err(format!("held back by {first}, which comes before it in its group"))
                }
            };
            if result.is_err() {
                failed.get_or_insert_with(|| message.message_id.clone());
            }
            results.push((message, result));
        }
        results
    }

    /// Sends first, then deletes.
    async fn move_one(&self, message: &ReceivedMessage) -> MoveResult {
        if !message.is_intact {
            return Err("its checksums do not match what arrived; repeat the command".to_owned());
        }
        let new_id = self.queue.send(message.to_resend(self.queue.is_fifo())).await?;
        let outcome = match self.dead_letters.delete(&message.receipt_handle).await {
            Ok(()) => Outcome::Moved,
            Err(error) if error.code.as_deref() == Some("ReceiptHandleIsInvalid") => {
                Outcome::SentAndGone
            }
            Err(error) => {
                Outcome::SentAndKept(format!("sent, but not deleted: {}", error.reason()))
            }
        };
        Ok((new_id, outcome))
    }

    /// Returns whether the message is moved.
    fn record(&mut self, message: ReceivedMessage, result: MoveResult) -> bool {
        let ReceivedMessage { message_id, receipt_handle, message, .. } = message;
        let outcome = match result {
            Ok((new_id, outcome)) => {
                self.seen.insert(new_id, Seen::New);
                outcome
            }
            Err(reason) => {
                if let Some(group_id) = message.group_id {
                    self.blocked.entry(group_id).or_insert_with(|| message_id.clone());
                }
                Outcome::Kept(reason)
            }
        };
        let is_moved = matches!(outcome, Outcome::Moved | Outcome::SentAndGone);
        self.add(&message_id, outcome);
        if is_moved {
            self.seen.insert(message_id, Seen::Moved);
        } else {
            self.to_release.push(receipt_handle);
        }
        is_moved
    }

    fn add(&mut self, message_id: &str, outcome: Outcome) {
        self.summary.add(&format!("{} {message_id}", self.queue.label), outcome);
    }
}

/// Messages by group, each group in the order received. One without a group is a group of its own.
fn by_group(messages: Vec<ReceivedMessage>) -> Vec<Vec<ReceivedMessage>> {
    let mut groups: IndexMap<String, Vec<ReceivedMessage>> = IndexMap::new();
    for message in messages {
        let group_id = message.message.group_id.as_ref().unwrap_or(&message.message_id);
        groups.entry(group_id.clone()).or_default().push(message);
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests;
