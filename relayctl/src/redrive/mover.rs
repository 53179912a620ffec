//! Dead letters on their way back: each group in its order, and each letter sent before it is deleted.

use crate::account::Outcome;
use crate::aws::Clients;
use crate::dead_letter::{DeadLetter, by_group};
use crate::dead_letter_queue::DeadLetterQueue;
use crate::letter::send;
use crate::stack::{Entity, Stack};
use crate::trouble::Trouble;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;

const AT_ONCE: usize = 8;

/// From a dead-letter queue to its queue.
pub(super) struct Mover<'r> {
    sqs: &'r aws_sdk_sqs::Client,
    queue_url: &'r str,
    pub(super) dead_letters: DeadLetterQueue<'r>,
}

/// What became of a dead letter.
pub(super) struct Fate {
    pub(super) letter: String,
    pub(super) group_id: Option<String>,
    pub(super) handle: String,
    pub(super) new_id: Option<String>,
    pub(super) outcome: Outcome,
}

impl<'r> Mover<'r> {
    pub(super) fn new(
        entity: Entity,
        clients: &'r Clients,
        stack: &'r Stack,
    ) -> Result<Self, Trouble> {
        Ok(Self {
            sqs: &clients.sqs,
            queue_url: stack.queue_url(entity)?,
            dead_letters: DeadLetterQueue::new(&clients.sqs, stack.dead_letter_queue_url(entity)?),
        })
    }

    /// Moves a batch, some groups at once. `held` has the groups of which a letter stays, with its id.
    pub(super) async fn move_all(
        &self,
        letters: Vec<DeadLetter>,
        held: &HashMap<String, String>,
    ) -> Vec<Fate> {
        let groups = stream::iter(by_group(letters)).map(|group| self.move_group(group, held));
        groups.buffer_unordered(AT_ONCE).concat().await
    }

    /// Moves a group in its order: what cannot be sent holds back what comes after it.
    async fn move_group(
        &self,
        group: Vec<DeadLetter>,
        held: &HashMap<String, String>,
    ) -> Vec<Fate> {
        let mut fates = Vec::new();
        let group_id = group.first().and_then(|dead| dead.letter.group_id.clone());
        let mut failed = group_id.as_ref().and_then(|id| held.get(id).cloned());
        for dead in group {
            let letter = dead.message_id.clone();
            let handle = dead.receipt_handle.clone();
            let result = match &failed {
                None => self.move_one(dead).await,
                Some(first) => {
                    Err(format!("held back by {first}, which comes before it in its group"))
                }
            };
            let (new_id, outcome) = match result {
                Ok((new_id, outcome)) => (Some(new_id), outcome),
                Err(reason) => (None, Outcome::Kept(reason)),
            };
            if new_id.is_none() && failed.is_none() {
                failed = Some(letter.clone());
            }
            fates.push(Fate { letter, group_id: group_id.clone(), handle, new_id, outcome });
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
}
