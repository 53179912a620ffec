//! `relayctl redrive`: dead letters go back to their queue, and leave the dead-letter queue when they are there.

use crate::account::{Account, Outcome};
use crate::aws::Clients;
use crate::dead_letter::{DeadLetter, by_group};
use crate::dead_letter_queue::DeadLetterQueue;
use crate::ending::Ending;
use crate::interrupt::Interrupt;
use crate::letter::send;
use crate::progress;
use crate::queue_choice::Choice;
use crate::session::Session;
use crate::stack::{Entity, Stack};
use crate::trouble::Trouble;
use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;
use std::collections::{HashMap, HashSet};

const AT_ONCE: usize = 8;
/// So many batches in a row with nothing new in them end a run: what it keeps may come back before what it has not seen.
const MOST_KNOWN_BATCHES: u32 = 3;

const ABOUT: &str = "\
Each dead letter goes back to its queue with its body, attributes, trace and group, in order within its group, \
and is deleted from the dead-letter queue only after SQS has confirmed it with the right checksums. Each is \
tried once; what fails stays, holds back the later ones of its group, and is named.

In its queue it is a new message: its age and its count of receives start anew (but the payload of a large one \
keeps its age in the bucket), and its deduplication id in a FIFO queue is its message id as a dead letter, so that \
the queue takes it even if it has seen the event minutes ago, and takes each dead letter once.

The command may be interrupted, repeated, and run by two people at once: no message is lost. A run that is \
killed leaves what it had in hand, and what it had to keep, invisible for up to five minutes: repeat it then. \
What it had sent and not deleted goes out again, with the same dedup_id.";

const EXAMPLES: &str = "\
Examples:
  relayctl redrive all --dry-run
  relayctl redrive label
  relayctl redrive model_run --profile production --region eu-central-1 --json";

/// Move the messages of a dead-letter queue back to their queue
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Redrive {
    /// Whose dead-letter queue
    pub queue: Choice,
    /// Change nothing, say what would be done
    #[arg(long)]
    dry_run: bool,
}

/// Redrives what is there now, and prints the account of it.
pub async fn run(command: &Redrive, session: &Session<'_>) -> Result<Ending, Trouble> {
    let mut account = Account::new(command.dry_run);
    let outcome = match session.find_stack().await {
        Ok((clients, stack)) => {
            redrive(command, &clients, &stack, &session.interrupt, &mut account).await
        }
        Err(trouble) => Err(trouble),
    };
    account.close(outcome, session.printer)
}

async fn redrive(
    command: &Redrive,
    clients: &Clients,
    stack: &Stack,
    interrupt: &Interrupt,
    account: &mut Account,
) -> Result<(), Trouble> {
    for entity in command.queue.entities() {
        let mut redrive = Run::new(entity, clients, stack)?;
        if command.dry_run {
            let count = redrive.dead_letters.count().await?;
            account.find(count);
            account.would_send(count);
            continue;
        }
        let bar = progress::bar(entity.name(), redrive.dead_letters.count().await?);
        let outcome = redrive.all(interrupt, account, &bar).await;
        // Only now, so that what stays, and the rest of its group, is not received twice in a run.
        let stays = std::mem::take(&mut redrive.stays);
        redrive.dead_letters.release(stays).await;
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
    dead_letters: DeadLetterQueue<'r>,
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
            dead_letters: DeadLetterQueue::new(&clients.sqs, stack.dead_letter_queue_url(entity)?),
            tried: HashSet::new(),
            moved: HashSet::new(),
            held: HashMap::new(),
            sent: HashSet::new(),
            stays: Vec::new(),
        })
    }

    async fn all(
        &mut self,
        interrupt: &Interrupt,
        account: &mut Account,
        bar: &ProgressBar,
    ) -> Result<(), Trouble> {
        let mut known_batches = 0;
        // What stays comes back when its time is over: with nothing new, we would go round for ever.
        while !interrupt.is_pressed() && known_batches < MOST_KNOWN_BATCHES {
            let letters = self.dead_letters.receive().await?;
            if letters.is_empty() {
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
                let _ = self.dead_letters.delete(letter.receipt_handle).await;
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
        Ok((new_id, self.dead_letters.delete(dead.receipt_handle).await))
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
}

#[cfg(test)]
mod tests;
