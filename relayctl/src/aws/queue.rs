//! A queue, or a dead-letter queue: counts, receive, send, delete, and visibility.

use super::message::{OutgoingMessage, ReceivedMessage};
use super::stack::{Entity, Stack};
use super::{CallResult, Clients, error};
use crate::error::{AwsError, AwsErrorKind, Error};
use aws_sdk_sqs::error::{BuildError, SdkError};
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry as VisibilityEntry,
    MessageSystemAttributeName, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    QueueAttributeName, SendMessageBatchRequestEntry as BatchEntry,
};
use labelbox_relay::queue::{SendMessageOutput, verify_response};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::sleep;

/// The most messages of one receive, of which SQS gives no more of one FIFO group, and the most entries of a batch.
pub const BATCH: i32 = 10;
/// The most bytes of a batch, bodies and attributes together. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>.
pub const BATCH_BYTES: usize = 1 << 20;
/// How often the messages of a batch are sent that SQS could not accept through no fault of theirs.
const BATCH_ATTEMPTS: u32 = 5;
const BATCH_BACKOFF: Duration = Duration::from_millis(100);
/// A long poll asks all servers of SQS, so that no messages means that there are none. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>.
const WAIT_SECONDS: i32 = 1;
/// For how long a look hides messages if the tool is killed before it releases them.
pub const LOOK_SECONDS: i32 = 20;

/// One of the stack's queues, or another.
#[derive(Clone, Copy)]
pub struct Queue<'r> {
    sqs: &'r aws_sdk_sqs::Client,
    pub url: &'r str,
    /// The entity's name, or how messages call another queue.
    pub label: &'r str,
    pub is_dead_letter_queue: bool,
}

/// The client for a queue's URL: SQS knows a queue in its own region only.
pub fn client_of(sqs: &aws_sdk_sqs::Client, url: &str) -> aws_sdk_sqs::Client {
    let is_region = |label: &&str| {
        let parts: Vec<_> = label.split('-').collect();
        let number = parts.last().is_some_and(|last| last.parse::<u8>().is_ok());
        parts.len() > 2 && number
    };
    let host = url.split('/').nth(2).unwrap_or_default();
    let Some(region) = host.split('.').find(is_region).map(str::to_owned) else {
        return sqs.clone();
    };
    let config = sqs.config().to_builder().region(aws_sdk_sqs::config::Region::new(region));
    aws_sdk_sqs::Client::from_conf(config.build())
}

/// SQS's approximate counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStats {
    pub waiting: u64,
    pub in_flight: u64,
    /// After so many receives a message moves to the dead-letter queue; `None` in a queue without one.
    pub max_receive_count: Option<u32>,
}

impl<'r> Queue<'r> {
    pub fn new(
        clients: &'r Clients,
        stack: &'r Stack,
        entity: Entity,
        is_dead_letter_queue: bool,
    ) -> Result<Self, Error> {
        let url = if is_dead_letter_queue {
            stack.dead_letter_queue_url(entity)?
        } else {
            stack.queue_url(entity)?
        };
        Ok(Self { sqs: &clients.sqs, url, label: entity.name(), is_dead_letter_queue })
    }

    /// A queue that need not be the stack's.
    pub fn at(sqs: &'r aws_sdk_sqs::Client, url: &'r str, label: &'r str) -> Self {
        Self { sqs, url, label, is_dead_letter_queue: false }
    }

    pub fn name(&self) -> String {
        let suffix = if self.is_dead_letter_queue { " dead letters" } else { "" };
        format!("{}{suffix}", self.label)
    }

    pub fn is_fifo(&self) -> bool {
        self.url.ends_with(".fifo")
    }

    /// SQS's message about a missing queue does not say which.
    fn named(&self, error: AwsError) -> AwsError {
        match error.kind {
            AwsErrorKind::NotFound => {
                let message = format!("the queue of {} does not exist", self.name());
                AwsError { message, ..error }
            }
            _ => error,
        }
    }

    pub async fn attributes(&self) -> Result<HashMap<QueueAttributeName, String>, AwsError> {
        let request = self.sqs.get_queue_attributes().queue_url(self.url);
        let response = request.attribute_names(QueueAttributeName::All).send().await;
        let response = response.action("sqs:GetQueueAttributes").map_err(|it| self.named(it))?;
        Ok(response.attributes.unwrap_or_default())
    }

    pub async fn stats(&self) -> Result<QueueStats, AwsError> {
        let attributes = self.attributes().await?;
        let get = |name| attributes.get(&name);
        let count = |name| get(name).and_then(|text| text.parse().ok()).unwrap_or_default();
        Ok(QueueStats {
            waiting: count(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            max_receive_count: get(QueueAttributeName::RedrivePolicy)
                .and_then(|policy| max_receive_count(policy)),
        })
    }

    /// The same; `None` if the queue does not exist.
    pub async fn stats_if_exists(&self) -> Result<Option<QueueStats>, AwsError> {
        match self.stats().await {
            Err(error) if error.kind == AwsErrorKind::NotFound => Ok(None),
            result => result.map(Some),
        }
    }

    /// Receives up to `max` messages, and hides them for so many seconds. Returns none if there are none within a second.
    pub async fn receive(
        &self,
        max: i32,
        hidden_seconds: i32,
    ) -> Result<Vec<ReceivedMessage>, AwsError> {
        let request = self.sqs.receive_message().queue_url(self.url);
        let request = request
            .max_number_of_messages(max)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(hidden_seconds)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        let response = request.send().await.action("sqs:ReceiveMessage");
        let response = response.map_err(|it| self.named(it))?;
        let messages = response.messages.unwrap_or_default().into_iter();
        Ok(messages.filter_map(ReceivedMessage::from_sdk).collect())
    }

    /// Sends a message. Returns its message id, or why there is no confirmed copy: there may still be one.
    pub async fn send(&self, message: OutgoingMessage) -> Result<String, String> {
        let results = self.send_batch(&[message]).await;
        let mut results = results.map_err(|error| error.reason().into_owned())?;
        results.pop().unwrap_or_else(unanswered)
    }

    /// Sends up to [`BATCH`] messages of [`BATCH_BYTES`] together, in their order. Of each it returns the message id, or why it has no
    /// confirmed copy. The caller sees to it that they are of different groups: if one fails, those behind it are sent nevertheless.
    /// If the queue accepts no messages now, it may have accepted some of these.
    pub async fn send_batch(
        &self,
        messages: &[OutgoingMessage],
    ) -> Result<Vec<Result<String, String>>, AwsError> {
        let mut results: Vec<_> = messages.iter().map(|_| unanswered()).collect();
        let entries = messages.iter().enumerate().map(batch_entry);
        let entries = entries.collect::<Result<Vec<_>, BuildError>>();
        let mut entries = entries.map_err(|it| {
            error("sqs:SendMessage", &SdkError::<SendMessageBatchError>::construction_failure(it))
        })?;
        for attempt in 1.. {
            let request = self.sqs.send_message_batch().queue_url(self.url);
            let response = request.set_entries(Some(entries.clone())).send().await;
            let response = response.action("sqs:SendMessage").map_err(|it| self.named(it))?;
            for sent in response.successful {
                let number = sent.id.parse::<usize>().unwrap_or(usize::MAX);
                let pair = messages.get(number).zip(results.get_mut(number));
                let Some((message, result)) = pair else { continue };
                let output = SendMessageOutput {
                    message_id: Some(sent.message_id),
                    md5_of_message_body: Some(sent.md5_of_message_body),
                    md5_of_message_attributes: sent.md5_of_message_attributes,
                };
                *result = verify_response(output, &message.checksums())
                    .map_err(|error| error.to_string());
            }
            let (rejected, failed): (Vec<_>, Vec<_>) =
                response.failed.into_iter().partition(is_rejected);
            for failed in rejected {
                let number = failed.id.parse::<usize>().unwrap_or(usize::MAX);
                if let Some(result) = results.get_mut(number) {
                    *result = Err(batch_error(failed).reason().into_owned());
                }
            }
            entries.retain(|entry| failed.iter().any(|failed| failed.id() == entry.id()));
            match failed.into_iter().next() {
                Some(_) if attempt < BATCH_ATTEMPTS => {
                    sleep(BATCH_BACKOFF * 2_u32.pow(attempt)).await
                }
                Some(failed) => return Err(batch_error(failed)),
                None => break,
            }
        }
        Ok(results)
    }

    pub async fn delete(&self, receipt_handle: &str) -> Result<(), AwsError> {
        let request = self.sqs.delete_message().queue_url(self.url).receipt_handle(receipt_handle);
        request.send().await.action("sqs:DeleteMessage").map(|_| ())
    }

    /// Gives back messages that a look has received, so that it sends none to the dead-letter queue: a message whose last receive
    /// this was is sent again as a new message, with all its receives, and then deleted. Returns how many those are. One that cannot be
    /// given back becomes visible when its time is over.
    pub async fn give_back(
        &self,
        messages: &[ReceivedMessage],
        max_receive_count: Option<u32>,
    ) -> Result<u64, String> {
        let is_spent =
            |it: &&ReceivedMessage| max_receive_count.is_some_and(|max| it.receive_count >= max);
        let (spent, others): (Vec<_>, Vec<_>) = messages.iter().partition(is_spent);
        let handles = others.iter().map(|message| message.receipt_handle.clone());
        let released = self.release(handles.collect()).await;
        // In the order received, which is that of their groups.
        for message in &spent {
            self.send(message.to_resend(self.is_fifo())).await?;
            let deleted = self.delete(&message.receipt_handle).await;
            deleted.map_err(|error| error.reason().into_owned())?;
        }
        released.map(|()| spent.len() as u64)
    }

    /// Makes messages visible again.
    pub async fn release(&self, receipt_handles: Vec<String>) -> Result<(), String> {
        self.hide(receipt_handles, 0).await
    }

    /// Hides messages for so long from now.
    pub async fn hide(&self, receipt_handles: Vec<String>, seconds: i32) -> Result<(), String> {
        let mut result = Ok(());
        for batch in receipt_handles.chunks(BATCH as usize) {
            result = result.and(self.hide_batch(batch, seconds).await);
        }
        result
    }

    async fn hide_batch(&self, receipt_handles: &[String], seconds: i32) -> Result<(), String> {
        let entry = |(number, handle): (usize, &String)| {
            let entry = VisibilityEntry::builder().id(number.to_string());
            entry.receipt_handle(handle).visibility_timeout(seconds).build()
        };
        let entries: Result<Vec<_>, BuildError> =
            receipt_handles.iter().enumerate().map(entry).collect();
        let entries = entries.map_err(|error| error.to_string())?;
        let request = self.sqs.change_message_visibility_batch();
        let response = request.queue_url(self.url).set_entries(Some(entries)).send().await;
        let response = response.action("sqs:ChangeMessageVisibility");
        let response = response.map_err(|error| error.reason().into_owned())?;
        // A sender fault: somebody else has received or deleted the message meanwhile.
        let failed = response.failed().iter().find(|failed| !failed.sender_fault());
        failed.map_or(Ok(()), |failed| Err(failed.code().to_owned()))
    }
}

fn unanswered() -> Result<String, String> {
    Err("SQS does not say what became of it".to_owned())
}

fn batch_entry((number, message): (usize, &OutgoingMessage)) -> Result<BatchEntry, BuildError> {
    let mut entry = BatchEntry::builder()
        .id(number.to_string())
        .message_body(&message.body)
        .set_message_group_id(message.group_id.clone())
        .set_message_deduplication_id(message.dedup_id.clone())
        .set_message_attributes(Some(message.attributes.clone()));
    if let Some(trace) = &message.trace {
        let value = MessageSystemAttributeValue::builder().data_type("String").string_value(trace);
        let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
        entry = entry.message_system_attributes(name, value.build()?);
    }
    entry.build()
}

/// Whether the message will not be accepted later either. Throttling is not the message's fault, whatever SQS says.
fn is_rejected(failed: &BatchResultErrorEntry) -> bool {
    failed.sender_fault && !failed.code.contains("Throttl")
}

fn batch_error(failed: BatchResultErrorEntry) -> AwsError {
    AwsError {
        action: "sqs:SendMessage",
        kind: AwsErrorKind::Other,
        code: Some(failed.code),
        message: failed.message.unwrap_or_default(),
    }
}

/// Reads `maxReceiveCount`, which SQS accepts as a number or as a string.
fn max_receive_count(policy: &str) -> Option<u32> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let number = policy.get("maxReceiveCount")?;
    number.as_str().map_or_else(|| number.to_string(), str::to_owned).parse().ok()
}

#[cfg(test)]
mod tests;
