//! `relayctl redrive`: dead letters go back to their queue, and leave the dead-letter queue when they are there.

use crate::account::{Account, Outcome};
use crate::aws::{self, CALL_TIME_LIMIT, Clients};
use crate::command::Redrive;
use crate::dead_letter::{DeadLetter, by_group};
use crate::interrupt::Interrupt;
use crate::progress;
use crate::send::send;
use crate::stack::{Entity, Stack};
use crate::trouble::Trouble;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;
use std::collections::{HashMap, HashSet};

const AT_ONCE: usize = 8;
const BATCH: i32 = 10;
/// A receive that waits asks all servers of SQS, so that one without messages means that there are none. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>.
const WAIT_SECONDS: i32 = 1;
/// So many batches in a row with nothing new in them end a run: what it keeps may come back before what it has not seen.
const MOST_KNOWN_BATCHES: u32 = 3;
/// How long nobody else sees what we have received: enough for a whole batch of one group, of which each is sent and
/// deleted, one after the other, at the limit of time.
const INVISIBLE_SECONDS: u64 = BATCH as u64 * 2 * CALL_TIME_LIMIT.as_secs();

/// Redrives what is there now. Enters into the account what became of each message.
pub async fn run(
    command: &Redrive,
    clients: &Clients,
    stack: &Stack,
    interrupt: &Interrupt,
    account: &mut Account,
) -> Result<(), Trouble> {
    for entity in command.queue.entities() {
        let mut redrive = Run::new(entity, clients, stack)?;
        if command.how.dry_run {
            let count = redrive.count().await?;
            account.find(count);
            account.would_send(count);
            continue;
        }
        let bar = progress::bar(entity.name(), redrive.count().await?);
        let outcome = redrive.all(interrupt, account, &bar).await;
        redrive.release().await;
        bar.finish_and_clear();
        outcome?;
        if interrupt.is_pressed() {
            account.interrupt();
            break;
        }
    }
    Ok(())
}

/// One queue's run.
struct Run<'r> {
    sqs: &'r aws_sdk_sqs::Client,
    entity: Entity,
    queue_url: &'r str,
    dead_letter_queue_url: &'r str,
    /// What this run has received: each is tried once.
    tried: HashSet<String>,
    /// What it has moved. A standard queue may hand out a message once more after its deletion.
    moved: HashSet<String>,
    /// Groups of which something stays, each with the first letter that does: the later ones must not overtake it.
    held: HashMap<String, String>,
    /// What this run has sent, by its id in the queue, which it keeps when it dies again.
    sent: HashSet<String>,
    /// Handles of what stays, to be made visible again.
    stays: Vec<String>,
}

/// What became of a dead letter.
struct Fate {
    letter: String,
    group_id: Option<String>,
    handle: String,
    new_id: Option<String>,
    outcome: Outcome,
}

impl<'r> Run<'r> {
    fn new(entity: Entity, clients: &'r Clients, stack: &'r Stack) -> Result<Self, Trouble> {
        Ok(Self {
            sqs: &clients.sqs,
            entity,
            queue_url: stack.queue_url(entity)?,
            dead_letter_queue_url: stack.dead_letter_queue_url(entity)?,
            tried: HashSet::new(),
            moved: HashSet::new(),
            held: HashMap::new(),
            sent: HashSet::new(),
            stays: Vec::new(),
        })
    }

    /// How many dead letters SQS thinks there are. It is never far off, and changes nothing.
    async fn count(&self) -> Result<u64, Trouble> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.sqs.get_queue_attributes();
        let request = request.queue_url(self.dead_letter_queue_url);
        let answer = request.attribute_names(name.clone()).send().await;
        let answer = answer.map_err(|error| aws::trouble("sqs:GetQueueAttributes", &error))?;
        let count = answer.attributes().and_then(|them| them.get(&name));
        Ok(count.and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    async fn all(
        &mut self,
        interrupt: &Interrupt,
        account: &mut Account,
        bar: &ProgressBar,
    ) -> Result<(), Trouble> {
        let mut known_batches = 0;
        while !interrupt.is_pressed() {
            let letters = self.receive().await?;
            // What stays comes back when its time is over: with nothing new, we would go round for ever.
            if letters.is_empty() || known_batches == MOST_KNOWN_BATCHES {
                break;
            }
            let fresh = self.only_new(letters, account).await;
            known_batches = if fresh.is_empty() {
                known_batches + 1
            } else {
                0
            };
            account.find(fresh.len() as u64);
            for fate in self.move_all(fresh).await {
                bar.inc(1);
                self.enter(fate, account);
            }
        }
        Ok(())
    }

    async fn receive(&self) -> Result<Vec<DeadLetter>, Trouble> {
        let request = self.sqs.receive_message();
        let answer = request
            .queue_url(self.dead_letter_queue_url)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(i32::try_from(INVISIBLE_SECONDS).unwrap_or(i32::MAX))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|error| aws::trouble("sqs:ReceiveMessage", &error))?;
        let is_fifo = self.queue_url.ends_with(".fifo");
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages
            .filter_map(|message| DeadLetter::read(message, is_fifo))
            .collect())
    }

    /// Leaves out what this run has had in hand before.
    async fn only_new(
        &mut self,
        letters: Vec<DeadLetter>,
        account: &mut Account,
    ) -> Vec<DeadLetter> {
        let mut fresh = Vec::new();
        for letter in letters {
            let died_again = self.sent.remove(&letter.message_id);
            if died_again {
                let reason = "it went back and died again during this run";
                account.find(1);
                account.enter(
                    &self.name(&letter.message_id),
                    Outcome::Kept(reason.to_owned()),
                );
            }
            if self.moved.contains(&letter.message_id) {
                // If this fails it comes once more, to this run or to the next, which sends a duplicate then.
                let _ = self.delete(letter.receipt_handle).await;
            } else if self.tried.insert(letter.message_id.clone()) && !died_again {
                fresh.push(letter);
            } else {
                self.stays.push(letter.receipt_handle);
            }
        }
        fresh
    }

    fn name(&self, message_id: &str) -> String {
        format!("{} {message_id}", self.entity.name())
    }

    /// Moves a batch, some groups at once.
    async fn move_all(&self, letters: Vec<DeadLetter>) -> Vec<Fate> {
        let groups = stream::iter(by_group(letters)).map(|group| self.move_group(group));
        groups.buffer_unordered(AT_ONCE).concat().await
    }

    /// Moves a group in its order: what cannot be sent holds back what comes after it.
    async fn move_group(&self, group: Vec<DeadLetter>) -> Vec<Fate> {
        let mut fates = Vec::new();
        let group_id = group.first().and_then(|dead| dead.letter.group_id.clone());
        let mut failed = group_id.as_ref().and_then(|id| self.held.get(id).cloned());
        for dead in group {
            let letter = dead.message_id.clone();
            let handle = dead.receipt_handle.clone();
            let result = match &failed {
                None => self.move_one(dead).await,
                Some(first) => Err(format!(
                    "held back by {first}, which comes before it in its group"
                )),
            };
            let (new_id, outcome) = match result {
                Ok((new_id, outcome)) => (Some(new_id), outcome),
                Err(reason) => (None, Outcome::Kept(reason)),
            };
            if new_id.is_none() && failed.is_none() {
                failed = Some(letter.clone());
            }
            fates.push(Fate {
                letter,
                group_id: group_id.clone(),
                handle,
                new_id,
                outcome,
            });
        }
        fates
    }

    /// Sends first, then deletes. The error says why it was not sent.
    async fn move_one(&self, dead: DeadLetter) -> Result<(String, Outcome), String> {
        if !dead.is_intact {
            return Err("it did not arrive as SQS keeps it; repeat the command".to_owned());
        }
        let new_id = send(self.sqs, self.queue_url, dead.letter).await?;
        Ok((new_id, self.delete(dead.receipt_handle).await))
    }

    /// Deletes what was sent.
    async fn delete(&self, receipt_handle: String) -> Outcome {
        let request = self.sqs.delete_message();
        let request = request.queue_url(self.dead_letter_queue_url);
        match request.receipt_handle(receipt_handle).send().await {
            Ok(_) => Outcome::Moved,
            Err(error) if error.code() == Some("ReceiptHandleIsInvalid") => Outcome::SentAndGone,
            Err(error) => {
                Outcome::SentAndKept(format!("sent, but not deleted: {}", aws::said(&error)))
            }
        }
    }

    fn enter(&mut self, fate: Fate, account: &mut Account) {
        if matches!(fate.outcome, Outcome::Kept(_) | Outcome::SentAndKept(_)) {
            self.stays.push(fate.handle);
        } else {
            self.moved.insert(fate.letter.clone());
        }
        if let (Outcome::Kept(_), Some(group_id)) = (&fate.outcome, fate.group_id) {
            self.held
                .entry(group_id)
                .or_insert_with(|| fate.letter.clone());
        }
        self.sent.extend(fate.new_id);
        account.enter(&self.name(&fate.letter), fate.outcome);
    }

    /// Makes what stays visible again. Only now, so that it, and the rest of its group, is not received twice in a run; and
    /// what cannot be made visible becomes so by itself.
    async fn release(&mut self) {
        let handles = std::mem::take(&mut self.stays);
        let releases = stream::iter(handles).map(|handle| {
            let request = self.sqs.change_message_visibility();
            let request = request.queue_url(self.dead_letter_queue_url);
            request.receipt_handle(handle).visibility_timeout(0).send()
        });
        releases
            .buffer_unordered(AT_ONCE)
            .for_each(|_| async {})
            .await;
    }
}

#[cfg(test)]
mod tests;
