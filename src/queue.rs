//! Where events go: the need as a trait, and Amazon SQS, which fills it.

use crate::config::QueueUrls;
use crate::event::Entity;
use crate::message::{Attribute, Checksums, Message};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::send_message::SendMessageOutput;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};
use std::collections::HashMap;
use std::error::Error;
use std::future::Future;

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
    WrongConfirmation(&'static str),
}

/// One SQS queue for each entity.
pub struct Sqs {
    client: Client,
    urls: QueueUrls,
}

impl Sqs {
    /// Sends to the queues with these URLs.
    pub fn new(client: Client, urls: QueueUrls) -> Self {
        Self { client, urls }
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
        let request = self
            .client
            .send_message()
            .queue_url(self.url_of(message.entity))
            .message_body(&message.body)
            .set_message_attributes(Some(attributes(message)?))
            .set_message_system_attributes(system_attributes(message)?)
            .set_message_deduplication_id(
                message.group_id.is_some().then(|| message.dedup_id.clone()),
            )
            .set_message_group_id(message.group_id.clone());
        let confirmation = request
            .send()
            .await
            .map_err(|error| QueueError::NotSent(error.into()))?;
        confirmed_id(confirmation, &Checksums::of(message))
    }
}

fn attributes(message: &Message) -> Result<HashMap<String, MessageAttributeValue>, QueueError> {
    let attribute = |attribute: &Attribute| {
        let value = MessageAttributeValue::builder()
            .data_type(attribute.data_type.name())
            .string_value(&attribute.value)
            .build();
        Ok((
            attribute.name.to_owned(),
            value.map_err(|error| QueueError::NotSent(error.into()))?,
        ))
    };
    message.attributes.iter().map(attribute).collect()
}

fn system_attributes(
    message: &Message,
) -> Result<
    Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>>,
    QueueError,
> {
    let Some(trace) = &message.trace else {
        return Ok(None);
    };
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(trace)
        .build();
    let value = value.map_err(|error| QueueError::NotSent(error.into()))?;
    Ok(Some(HashMap::from([(
        MessageSystemAttributeNameForSends::AwsTraceHeader,
        value,
    )])))
}

/// The message id of a confirmation.
///
/// # Errors
/// When it is not for the message with these checksums.
pub fn confirmed_id(
    confirmation: SendMessageOutput,
    sent: &Checksums,
) -> Result<String, QueueError> {
    if confirmation.md5_of_message_body.as_deref() != Some(&sent.body) {
        return Err(QueueError::WrongConfirmation("MD5OfMessageBody differs"));
    }
    if confirmation.md5_of_message_attributes != sent.attributes {
        return Err(QueueError::WrongConfirmation(
            "MD5OfMessageAttributes differs",
        ));
    }
    confirmation
        .message_id
        .ok_or(QueueError::WrongConfirmation("MessageId is missing"))
}

#[cfg(test)]
mod tests;
