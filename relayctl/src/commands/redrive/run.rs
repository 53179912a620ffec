//! One dead-letter queue's run: what it has had in hand, what it has moved, and what stays.

use super::mover::HIDDEN_SECONDS;
use super::mover::{MoveResult, Mover};
use crate::aws::Clients;
use crate::aws::message::ReceivedMessage;
use crate::aws::queue::BATCH;
use crate::aws::stack::{Entity, Stack};
use crate::error::Error;
use crate::filter::Wanted;
use crate::interrupt::Interrupt;
use crate::summary::{Outcome, Summary};
use indicatif::ProgressBar;
use std::collections::{HashMap, HashSet};

/// So many batches in a row with nothing new in them end a run: what it keeps may come back before what it has not seen.
const MOST_KNOWN_BATCHES: u32 = 3;

/// One queue's run.
pub(super) struct Run<'r> {
    entity: Entity,
    mover: Mover<'r>,
    wanted: Wanted<'r>,
    dry_run: bool,
    /// What this run has received: each is tried once.
    tried: HashSet<String>,
    /// What it has moved. A standard queue may hand out a message once more after its deletion.
    moved: HashSet<String>,
    /// Groups of which something stays, each with the first letter that does: the later ones must not overtake it.
    blocked: HashMap<String, String>,
    /// What this run has sent, by its id in the queue, which it keeps when it dies again.
    sent: HashSet<String>,
    /// Handles of what stays, to be made visible again.
    stays: Vec<String>,
    /// How many letters of a group stay because of the filter, or because nothing is moved.
    left: HashMap<String, i32>,
}

impl<'r> Run<'r> {
    pub(super) fn new(
        entity: Entity,
        clients: &'r Clients,
        stack: &'r Stack,
        wanted: Wanted<'r>,
        dry_run: bool,
    ) -> Result<Self, Error> {
        Ok(Self {
            wanted,
            dry_run,
            left: HashMap::new(),
            entity,
            mover: Mover::new(entity, clients, stack)?,
            tried: HashSet::new(),
            moved: HashSet::new(),
            blocked: HashMap::new(),
            sent: HashSet::new(),
            stays: Vec::new(),
        })
    }

    /// How many dead letters there are, about; changes nothing.
    pub(super) async fn count(&self) -> Result<u64, Error> {
        Ok(self.mover.dead_letters.stats().await?.waiting)
    }

    /// Moves what there is, and makes visible again what stays.
    pub(super) async fn all(
        &mut self,
        interrupt: &Interrupt,
        summary: &mut Summary,
        bar: &ProgressBar,
    ) -> Result<(), Error> {
        loop {
            let before = (self.moved.len(), self.left.len());
            let outcome = self.pass(interrupt, summary, bar).await;
            // Only now, so that what stays, and the rest of its group, is not received twice in a pass.
            let stays = std::mem::take(&mut self.stays);
            // What cannot be released becomes visible by itself.
            let _ = self.mover.dead_letters.release(stays).await;
            outcome?;
            let has_moved = self.moved.len() > before.0;
            // What the filter leaves hides what comes after it in its group: now that it is visible, that can be had, too.
            if interrupt.is_pressed() || self.left.is_empty() || !has_moved {
                break;
            }
        }
        self.name_the_unseen(summary);
        Ok(())
    }

    /// SQS hands out ten letters of a group and no more until they are gone.
    fn name_the_unseen(&self, summary: &mut Summary) {
        let mut full: Vec<_> = (self.left.iter().filter(|(_, left)| **left >= BATCH)).collect();
        full.sort();
        for (group_id, _) in full {
            let reason = "what may come after its first ten letters, which stay, cannot be seen";
            summary.enter(
                &format!("{} group {group_id}", self.entity.name()),
                Outcome::Kept(reason.to_owned()),
            );
        }
    }

    /// Receives until nothing new comes.
    async fn pass(
        &mut self,
        interrupt: &Interrupt,
        summary: &mut Summary,
        bar: &ProgressBar,
    ) -> Result<(), Error> {
        let mut known_batches = 0;
        let mut in_pass = HashSet::new();
        // What stays comes back when its time is over: with nothing new, we would go round for ever.
        while !interrupt.is_pressed() && known_batches < MOST_KNOWN_BATCHES {
            let letters = self.mover.dead_letters.receive(BATCH, HIDDEN_SECONDS as i32).await?;
            if letters.is_empty() {
                break;
            }
            let ids = letters.iter().map(|message| message.message_id.clone());
            let known = ids.filter(|id| !in_pass.insert(id.clone())).count();
            known_batches = if known == letters.len() { known_batches + 1 } else { 0 };
            let fresh = self.only_new(letters, summary).await;
            summary.find(fresh.len() as u64);
            bar.inc(fresh.len() as u64);
            let wanted = self.only_wanted(fresh, summary);
            for result in self.mover.move_all(wanted, &self.blocked).await {
                self.enter(result, summary);
            }
        }
        Ok(())
    }

    /// Leaves out what is not to be moved.
    fn only_wanted(
        &mut self,
        letters: Vec<ReceivedMessage>,
        summary: &mut Summary,
    ) -> Vec<ReceivedMessage> {
        let mut wanted = Vec::new();
        for dead in letters {
            let is_wanted = self.wanted.takes(&dead.message);
            if is_wanted && !self.dry_run {
                wanted.push(dead);
                continue;
            }
            let outcome = if is_wanted { Outcome::Sendable } else { Outcome::Skipped };
            summary.enter(&self.name(&dead.message_id), outcome);
            if let Some(group_id) = dead.message.group_id {
                *self.left.entry(group_id).or_default() += 1;
            }
            self.stays.push(dead.receipt_handle);
        }
        wanted
    }

    /// Leaves out what this run has had in hand before.
    async fn only_new(
        &mut self,
        letters: Vec<ReceivedMessage>,
        summary: &mut Summary,
    ) -> Vec<ReceivedMessage> {
        let mut fresh = Vec::new();
        for message in letters {
            let died_again = self.sent.remove(&message.message_id);
            if died_again {
                let reason = "it went back and died again during this run";
                summary.find(1);
                summary.enter(&self.name(&message.message_id), Outcome::Kept(reason.to_owned()));
            }
            if self.moved.contains(&message.message_id) {
                // If this fails it comes once more, to this run or to the next, which sends a duplicate then.
                let _ = self.mover.dead_letters.delete(&message.receipt_handle).await;
            } else if self.tried.insert(message.message_id.clone()) && !died_again {
                fresh.push(message);
            } else {
                self.stays.push(message.receipt_handle);
            }
        }
        fresh
    }

    fn name(&self, message_id: &str) -> String {
        format!("{} {message_id}", self.entity.name())
    }

    fn enter(&mut self, result: MoveResult, summary: &mut Summary) {
        if matches!(result.outcome, Outcome::Kept(_) | Outcome::SentAndKept(_)) {
            self.stays.push(result.handle);
        } else {
            self.moved.insert(result.message.clone());
        }
        if let (Outcome::Kept(_), Some(group_id)) = (&result.outcome, result.group_id) {
            self.blocked.entry(group_id).or_insert_with(|| result.message.clone());
        }
        self.sent.extend(result.new_id);
        summary.enter(&self.name(&result.message), result.outcome);
    }
}
