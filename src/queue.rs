//! The `Queue` trait, and its implementation for Amazon SQS.

use crate::config::{Config, QueueUrls};
use crate::event::Entity;
use crate::message::{Checksums, Message, SendMessageRequest};
use aws_lite::{AwsConfig, BoxError, JsonClient, JsonService};
use serde::{Deserialize, Serialize};
use std::future::Future;

/// About how many bytes a request has beside the body of its message.
const OVERHEAD_BYTES: usize = 2048;

/// Stores messages until a consumer has processed them.
pub trait Queue {
    /// Sends a message to the queue of its entity. Returns the message id of the stored copy.
    fn send(&self, message: &Message) -> impl Future<Output = Result<String, QueueError>> + Send;
}

/// Why a queue has no confirmed copy of a message. An unconfirmed copy may exist.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue rejected the message or did not respond in time, retries included.
    #[error("the queue did not accept the message")]
    NotSent(#[from] BoxError),
    /// The response does not confirm the message that was sent.
    #[error("the response does not confirm the message: {0}")]
    Unconfirmed(&'static str),
}

/// The SQS queues of all entities.
pub struct Sqs {
    client: JsonClient,
    urls: QueueUrls,
}

impl Sqs {
    /// Sends to the queues in the settings.
    pub fn new(config: &Config, aws: &AwsConfig) -> Self {
        let endpoint = config.aws.sqs_endpoint.as_deref();
        Self {
            client: JsonClient::new(JsonService::SQS, aws, endpoint),
            urls: config.queue_urls.clone(),
        }
    }

    /// The URL that messages are sent to.
    pub fn endpoint(&self) -> &str {
        self.client.endpoint()
    }

    fn queue_url(&self, entity: Entity) -> &str {
        match entity {
            Entity::Label => &self.urls.label,
            Entity::Workflow => &self.urls.workflow,
            Entity::Review => &self.urls.review,
            Entity::ModelRun => &self.urls.model_run,
            Entity::Unrouted(_) => &self.urls.unrouted,
        }
    }
}

impl Queue for Sqs {
    async fn send(&self, message: &Message) -> Result<String, QueueError> {
        let input = RequestWithQueueUrl {
            queue_url: self.queue_url(message.entity),
            message: message.into(),
        };
        // About every sixth character of a label is a quotation mark, which is escaped; this leaves room for more.
        let mut json = Vec::with_capacity(message.body.len() * 5 / 4 + OVERHEAD_BYTES);
        serde_json::to_writer(&mut json, &input).map_err(BoxError::from)?;
        let response = self.client.call("AmazonSQS.SendMessage", json).await;
        verify_response(response.map_err(BoxError::from)?, &Checksums::of_message(message))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RequestWithQueueUrl<'m> {
    queue_url: &'m str,
    #[serde(flatten)]
    message: SendMessageRequest<'m>,
}

/// The response of `SendMessage`. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
#[derive(Debug, Deserialize)]
pub struct SendMessageOutput {
    /// The message id of the stored copy.
    #[serde(rename = "MessageId")]
    pub message_id: Option<String>,
    /// The checksum of the body, lower-case hex.
    #[serde(rename = "MD5OfMessageBody")]
    pub md5_of_message_body: Option<String>,
    /// The checksum of the attributes, lower-case hex.
    #[serde(rename = "MD5OfMessageAttributes")]
    pub md5_of_message_attributes: Option<String>,
}

/// Returns the message id of a response.
///
/// # Errors
/// When the response does not confirm a message with these checksums.
pub fn verify_response(
    response: SendMessageOutput,
    sent: &Checksums,
) -> Result<String, QueueError> {
    if response.md5_of_message_body.as_deref() != Some(&sent.body) {
        return Err(QueueError::Unconfirmed("MD5OfMessageBody differs"));
    }
    if response.md5_of_message_attributes != sent.attributes {
        return Err(QueueError::Unconfirmed("MD5OfMessageAttributes differs"));
    }
    response.message_id.ok_or(QueueError::Unconfirmed("MessageId is missing"))
}

#[cfg(test)]
mod tests;
