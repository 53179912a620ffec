//! Where events go: the need as a trait, and Amazon SQS, which fills it.

use crate::aws::{CallError, Operation, Service};
use crate::config::QueueUrls;
use crate::event::Entity;
use crate::message::{Attribute, Checksums, DataType, Message};
use aws_sdk_sqs::operation::send_message::{
    SendMessage, SendMessageError, SendMessageInput, SendMessageOutput,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde::{Serialize, Serializer};
use std::error::Error;
use std::future::Future;

/// What a request has beside the body of its message, about, in bytes.
const HEAD_BYTES: usize = 2048;

/// A place that keeps messages until somebody has worked on them.
pub trait Queue {
    /// Sends a message to the queue of its entity. Gives the message id of the stored copy.
    fn send(&self, message: &Message) -> impl Future<Output = Result<String, QueueError>> + Send;
}

/// Why there is no confirmed copy of a message in its queue. There may still be one: what counts is the confirmation.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue refused or did not answer in time, retries included.
    #[error("the queue did not take the message")]
    NotSent(#[source] Box<dyn Error + Send + Sync>),
    /// The confirmation is not for the message that was sent.
    #[error("the queue confirmed another message than the one sent: {0}")]
    ChecksumMismatch(&'static str),
}

/// One SQS queue for each entity.
pub struct Sqs {
    service: Service,
    send_message: Operation<SendMessageInput, SendMessageOutput, SendMessageError>,
    urls: QueueUrls,
}

impl Sqs {
    /// Sends to the queues with these URLs.
    pub fn new(service: Service, urls: QueueUrls) -> Self {
        Self {
            service,
            send_message: Operation::of(&SendMessage::new()),
            urls,
        }
    }

    fn url_of(&self, entity: Entity) -> &str {
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
        let not_sent = |error: CallError| QueueError::NotSent(error.into());
        let request = self.request(message).map_err(not_sent)?;
        let confirmation = self.send_message.send(request, &self.service).await;
        verify_response(confirmation.map_err(not_sent)?, &Checksums::of(message))
    }
}

impl Sqs {
    /// The SDK writes the head of the request. Its body is [`Written`] here: the SDK would look at each character of a
    /// message in three rounds, which takes most of the time of a large event.
    fn request(&self, message: &Message) -> Result<HttpRequest, CallError> {
        let queue_url = self.url_of(message.entity);
        let input = SendMessageInput::builder()
            .queue_url(queue_url)
            .message_body("");
        let input = input.build().map_err(CallError::malformed)?;
        let mut request = self.send_message.write(input)?;
        // A label has a quotation mark, which has to be escaped, in every sixth place or so.
        let mut json = Vec::with_capacity(message.body.len() * 5 / 4 + HEAD_BYTES);
        serde_json::to_writer(&mut json, &Written::of(message, queue_url))
            .map_err(CallError::malformed)?;
        let length = json.len().to_string();
        *request.body_mut() = SdkBody::from(json);
        let headers = request.headers_mut();
        headers
            .try_insert("content-length", length)
            .map_err(CallError::malformed)?;
        Ok(request)
    }
}

/// The input of `SendMessage` as JSON. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Written<'m> {
    queue_url: &'m str,
    message_body: &'m str,
    message_attributes: Values<'m>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_system_attributes: Option<Trace<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_group_id: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_deduplication_id: Option<&'m str>,
}

#[derive(Serialize)]
struct Trace<'m> {
    #[serde(rename = "AWSTraceHeader")]
    trace: Value<'m>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Value<'m> {
    data_type: &'static str,
    string_value: &'m str,
}

/// Attributes as an object, by their names.
struct Values<'m>(&'m [Attribute]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|attribute| {
            let value = Value {
                data_type: attribute.data_type.name(),
                string_value: &attribute.value,
            };
            (attribute.name, value)
        }))
    }
}

impl<'m> Written<'m> {
    fn of(message: &'m Message, queue_url: &'m str) -> Self {
        let trace = message.trace.as_deref().map(|trace| Trace {
            trace: Value {
                data_type: DataType::String.name(),
                string_value: trace,
            },
        });
        Self {
            queue_url,
            message_body: &message.body,
            message_attributes: Values(&message.attributes),
            message_system_attributes: trace,
            message_group_id: message.group_id.as_deref(),
            // Only a queue with groups takes one.
            message_deduplication_id: message.group_id.as_ref().map(|_| &*message.dedup_id),
        }
    }
}

/// The message id of a confirmation.
///
/// # Errors
/// When it is not for the message with these checksums.
pub fn verify_response(
    confirmation: SendMessageOutput,
    sent: &Checksums,
) -> Result<String, QueueError> {
    if confirmation.md5_of_message_body.as_deref() != Some(&sent.body) {
        return Err(QueueError::ChecksumMismatch("MD5OfMessageBody differs"));
    }
    if confirmation.md5_of_message_attributes != sent.attributes {
        return Err(QueueError::ChecksumMismatch(
            "MD5OfMessageAttributes differs",
        ));
    }
    confirmation
        .message_id
        .ok_or(QueueError::ChecksumMismatch("MessageId is missing"))
}

#[cfg(test)]
mod tests;
