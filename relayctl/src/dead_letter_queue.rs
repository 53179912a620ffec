//! A dead-letter queue at work: what it hands out, what is deleted from it, and what becomes visible again.

use crate::account::Outcome;
use crate::aws::{self, CALL_TIME_LIMIT};
use crate::dead_letter::DeadLetter;
use crate::trouble::Trouble;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use futures_util::{StreamExt, stream};

const RELEASED_AT_ONCE: usize = 8;
/// The most that one receive gives, and the most of one group that SQS hands out.
pub const BATCH: i32 = 10;
/// A receive that waits asks all servers of SQS, so that one without messages means that there are none. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>.
const WAIT_SECONDS: i32 = 1;
/// How long nobody else sees what we have received: enough for a whole batch of one group, of which each is sent and
/// deleted, one after the other, at the limit of time.
const INVISIBLE_SECONDS: u64 = BATCH as u64 * 2 * CALL_TIME_LIMIT.as_secs();

/// One dead-letter queue.
pub struct DeadLetterQueue<'r> {
    sqs: &'r aws_sdk_sqs::Client,
    url: &'r str,
}

impl<'r> DeadLetterQueue<'r> {
    pub fn new(sqs: &'r aws_sdk_sqs::Client, url: &'r str) -> Self {
        Self { sqs, url }
    }

    /// How many dead letters SQS thinks there are. It is never far off, and changes nothing.
    pub async fn count(&self) -> Result<u64, Trouble> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let request = self.sqs.get_queue_attributes();
        let request = request.queue_url(self.url);
        let answer = request.attribute_names(name.clone()).send().await;
        let answer = answer.map_err(|error| aws::trouble("sqs:GetQueueAttributes", &error))?;
        let count = answer.attributes().and_then(|them| them.get(&name));
        Ok(count.and_then(|text| text.parse().ok()).unwrap_or_default())
    }

    /// Some dead letters; none where there are none.
    pub async fn receive(&self) -> Result<Vec<DeadLetter>, Trouble> {
        let request = self.sqs.receive_message();
        let answer = request
            .queue_url(self.url)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(i32::try_from(INVISIBLE_SECONDS).unwrap_or(i32::MAX))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|error| aws::trouble("sqs:ReceiveMessage", &error))?;
        let is_fifo = self.url.ends_with(".fifo");
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages.filter_map(|message| DeadLetter::read(message, is_fifo)).collect())
    }

    /// Deletes what was sent.
    pub async fn delete(&self, receipt_handle: String) -> Outcome {
        let request = self.sqs.delete_message();
        let request = request.queue_url(self.url);
        match request.receipt_handle(receipt_handle).send().await {
            Ok(_) => Outcome::Moved,
            Err(error) if error.code() == Some("ReceiptHandleIsInvalid") => Outcome::SentAndGone,
            Err(error) => {
                Outcome::SentAndKept(format!("sent, but not deleted: {}", aws::said(&error)))
            }
        }
    }

    /// Makes messages visible again; what cannot be made so becomes so by itself.
    pub async fn release(&self, receipt_handles: Vec<String>) {
        let releases = stream::iter(receipt_handles).map(|handle| {
            let request = self.sqs.change_message_visibility().queue_url(self.url);
            request.receipt_handle(handle).visibility_timeout(0).send()
        });
        releases.buffer_unordered(RELEASED_AT_ONCE).for_each(|_| async {}).await;
    }
}
