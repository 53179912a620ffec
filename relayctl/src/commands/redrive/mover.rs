//! Dead letters on their way back: each group in its order, and each letter sent before it is deleted.

use crate::aws::CALL_TIMEOUT;
use crate::aws::Clients;
use crate::aws::message::ReceivedMessage;
use crate::aws::queue::{BATCH, Queue};
use crate::aws::stack::{Entity, Stack};
use crate::error::Error;
use crate::summary::Outcome;
use futures_util::{StreamExt, stream};
use std::collections::HashMap;

const AT_ONCE: usize = 8;
/// How long nobody else sees what was received: enough for a batch of one group, of which each is sent and deleted, one after
/// the other, at the limit of time.
pub(super) const HIDDEN_SECONDS: u64 = BATCH as u64 * 2 * CALL_TIMEOUT.as_secs();

/// From a dead-letter queue to its queue.
pub(super) struct Mover<'r> {
    queue: Queue<'r>,
    pub(super) dead_letters: Queue<'r>,
}

/// What became of a dead letter.
pub(super) struct MoveResult {
    pub(super) message: String,
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
    ) -> Result<Self, Error> {
        Ok(Self {
            queue: Queue::new(clients, stack, entity, false)?,
            dead_letters: Queue::new(clients, stack, entity, true)?,
        })
    }

    /// Moves a batch, some groups at once. `held` has the groups of which a letter stays, with its id.
    pub(super) async fn move_all(
        &self,
        letters: Vec<ReceivedMessage>,
        blocked: &HashMap<String, String>,
    ) -> Vec<MoveResult> {
        let groups = stream::iter(by_group(letters)).map(|group| self.move_group(group, blocked));
        groups.buffer_unordered(AT_ONCE).concat().await
    }

    /// Moves a group in its order: what cannot be sent holds back what comes after it.
    async fn move_group(
        &self,
        group: Vec<ReceivedMessage>,
        blocked: &HashMap<String, String>,
    ) -> Vec<MoveResult> {
        let mut fates = Vec::new();
        let group_id = group.first().and_then(|dead| dead.message.group_id.clone());
        let mut failed = group_id.as_ref().and_then(|id| blocked.get(id).cloned());
        for dead in group {
            let message = dead.message_id.clone();
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
                failed = Some(message.clone());
            }
            fates.push(MoveResult { message, group_id: group_id.clone(), handle, new_id, outcome });
        }
        fates
    }

    /// Sends first, then deletes. The error says why it was not sent.
    async fn move_one(&self, dead: ReceivedMessage) -> Result<(String, Outcome), String> {
        if !dead.is_intact {
            return Err("it did not arrive as SQS keeps it; repeat the command".to_owned());
        }
        let new_id = self.queue.send(dead.to_resend(self.queue.is_fifo())).await?;
        let outcome = match self.dead_letters.delete(&dead.receipt_handle).await {
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
}

/// Dead letters by group, each group in the order received. One without a group is a group of its own.
fn by_group(messages: Vec<ReceivedMessage>) -> Vec<Vec<ReceivedMessage>> {
    let mut groups: Vec<Vec<ReceivedMessage>> = Vec::new();
    for received in messages {
        let group_id = &received.message.group_id;
        let is_same = |group: &&mut Vec<ReceivedMessage>| {
            group_id.is_some() && group.iter().any(|other| other.message.group_id == *group_id)
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(received),
            None => groups.push(vec![received]),
        }
    }
    groups
}
