//! A queue that others work on while we look: what it hands out, how that stays hidden or comes back, and its counts.

use crate::aws::{self, Clients};
use crate::received::Received;
use crate::stack::{Entity, Stack};
use crate::trouble::Trouble;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry as Change, MessageSystemAttributeName,
    QueueAttributeName,
};
use futures_util::{StreamExt, stream};
use serde::Deserialize;

/// The most that one receive gives.
pub const MOST_AT_ONCE: i32 = 10;
/// The most that one call changes.
const BATCH: usize = 10;
const CHANGES_AT_ONCE: usize = 8;
/// A receive that waits asks all servers of SQS, so that one without messages means that there are none. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>.
const WAIT_SECONDS: i32 = 1;
/// How long what we have received stays hidden if we say no more: not for long, should the tool be killed.
pub const HIDDEN_SECONDS: i32 = 20;

/// A queue, or its dead-letter queue.
#[derive(Clone, Copy)]
pub struct LiveQueue<'r> {
    sqs: &'r aws_sdk_sqs::Client,
    url: &'r str,
    pub entity: Entity,
    pub is_of_dead_letters: bool,
}

/// What SQS says of a queue, which is never far off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub waiting: u64,
    pub in_flight: u64,
    /// The receives after which a message moves on to the dead-letter queue; none in a queue without one.
    pub most_receives: Option<u32>,
}

impl<'r> LiveQueue<'r> {
    pub fn new(
        clients: &'r Clients,
        stack: &'r Stack,
        entity: Entity,
        is_of_dead_letters: bool,
    ) -> Result<Self, Trouble> {
        let url = if is_of_dead_letters {
            stack.dead_letter_queue_url(entity)?
        } else {
            stack.queue_url(entity)?
        };
        Ok(Self { sqs: &clients.sqs, url, entity, is_of_dead_letters })
    }

    /// What people call it.
    pub fn name(&self) -> String {
        let name = self.entity.name();
        if self.is_of_dead_letters { format!("{name} dead letters") } else { name.to_owned() }
    }

    /// Changes nothing.
    pub async fn standing(&self) -> Result<Standing, Trouble> {
        let request = self.sqs.get_queue_attributes().queue_url(self.url);
        let request = request
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(QueueAttributeName::RedrivePolicy);
        let answer = request.send().await;
        let answer = answer.map_err(|error| aws::trouble("sqs:GetQueueAttributes", &error))?;
        let get = |name| answer.attributes().and_then(|them| them.get(&name));
        let count = |name| get(name).and_then(|text| text.parse().ok());
        Ok(Standing {
            waiting: count(QueueAttributeName::ApproximateNumberOfMessages).unwrap_or_default(),
            in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
                .unwrap_or_default(),
            most_receives: get(QueueAttributeName::RedrivePolicy)
                .and_then(|policy| most_receives(policy)),
        })
    }

    /// Up to so many messages, hidden from others for [`HIDDEN_SECONDS`]; none where there are none within a second.
    pub async fn receive(self, most: i32) -> Result<Vec<Received>, Trouble> {
        let request = self.sqs.receive_message();
        let answer = request
            .queue_url(self.url)
            .max_number_of_messages(most)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(HIDDEN_SECONDS)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|error| aws::trouble("sqs:ReceiveMessage", &error))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages.filter_map(Received::read).collect())
    }

    /// Takes a message out for good.
    pub async fn delete(&self, receipt_handle: String) -> Result<(), Trouble> {
        let request = self.sqs.delete_message().queue_url(self.url);
        let answer = request.receipt_handle(receipt_handle).send().await;
        answer.map_err(|error| aws::trouble("sqs:DeleteMessage", &error))?;
        Ok(())
    }

    /// Makes messages visible again. Says why not, if not all are; what is not comes back by itself.
    pub async fn release(&self, receipt_handles: Vec<String>) -> Result<(), String> {
        self.hide(receipt_handles, 0).await
    }

    /// Keeps messages hidden for so long from now.
    pub async fn hide(&self, receipt_handles: Vec<String>, seconds: i32) -> Result<(), String> {
        let batches: Vec<Vec<String>> = receipt_handles.chunks(BATCH).map(<[_]>::to_vec).collect();
        let changes = stream::iter(batches)
            .map(|batch| self.change(batch, seconds))
            .buffer_unordered(CHANGES_AT_ONCE);
        let results: Vec<_> = changes.collect().await;
        results.into_iter().collect()
    }

    async fn change(&self, receipt_handles: Vec<String>, seconds: i32) -> Result<(), String> {
        let entry = |(number, handle): (usize, String)| {
            let entry = Change::builder().id(number.to_string());
            let entry = entry.receipt_handle(handle).visibility_timeout(seconds);
            entry.build()
        };
        let entries = receipt_handles.into_iter().enumerate().map(entry);
        let entries: Result<Vec<_>, BuildError> = entries.collect();
        let entries = entries.map_err(|error| error.to_string())?;
        let request = self.sqs.change_message_visibility_batch();
        let request = request.queue_url(self.url).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| aws::said(&error))?;
        // Whoever has taken or deleted the message meanwhile is welcome: its handle is ours no more.
        let failed = answer.failed().iter().find(|failed| !failed.sender_fault());
        failed.map_or(Ok(()), |failed| Err(failed.code().to_owned()))
    }
}

/// The form that SQS keeps a redrive policy in. The number may be written as a text.
fn most_receives(policy: &str) -> Option<u32> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        max_receive_count: serde_json::Value,
    }
    let policy: Policy = serde_json::from_str(policy).ok()?;
    let number = policy.max_receive_count;
    let text = number.as_str().map_or(number.to_string(), str::to_owned);
    text.parse().ok()
}

#[cfg(test)]
mod tests;
