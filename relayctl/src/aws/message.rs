//! A message as it is received from a queue, and as it is sent to one.

use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use labelbox_relay::message::Checksums;
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use time::OffsetDateTime;

/// What can be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct OutgoingMessage {
    pub body: String,
    pub attributes: HashMap<String, MessageAttributeValue>,
    /// System attribute `AWSTraceHeader`.
    pub trace: Option<String>,
    pub group_id: Option<String>,
    /// FIFO only.
    pub dedup_id: Option<String>,
}

impl OutgoingMessage {
    /// A message as the relay's library builds it.
    pub fn from_library(message: labelbox_relay::message::Message) -> Result<Self, BuildError> {
        let attributes = message.attributes.into_iter().map(|attribute| {
            let value = MessageAttributeValue::builder().data_type(attribute.data_type);
            let value = value.string_value(attribute.value).build()?;
            Ok((attribute.name.to_owned(), value))
        });
        Ok(Self {
            body: message.body,
            attributes: attributes.collect::<Result<_, BuildError>>()?,
            trace: message.trace,
            dedup_id: message.group_id.is_some().then_some(message.dedup_id),
            group_id: message.group_id,
        })
    }

    /// The value of a text attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.string_value()
    }

    /// All attributes as text, binary ones in base64.
    pub fn attribute_texts(&self) -> BTreeMap<String, String> {
        let attributes = self.attributes.iter().map(|(name, value)| {
            let text = match (value.string_value(), value.binary_value()) {
                (None, Some(bytes)) => STANDARD.encode(bytes.as_ref()),
                (text, _) => text.unwrap_or_default().to_owned(),
            };
            (name.clone(), text)
        });
        attributes.collect()
    }

    /// What SQS counts of it: the body, and names, types and values of the attributes.
    pub fn byte_count(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes =
            attributes.map(|(name, it)| name.len() + it.data_type().len() + value_bytes(it).len());
        self.body.len() + attributes.sum::<usize>()
    }

    /// The checksums with which SQS confirms the message.
    pub fn checksums(&self) -> Checksums {
        let attributes = self.attributes.iter();
        Checksums::compute(
            &self.body,
            attributes.map(|(name, it)| (name.as_str(), it.data_type(), value_bytes(it))),
        )
    }
}

fn value_bytes(value: &MessageAttributeValue) -> &[u8] {
    match (value.binary_value(), value.string_value()) {
        (Some(bytes), _) => bytes.as_ref(),
        (None, text) => text.unwrap_or_default().as_bytes(),
    }
}

/// A received message.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedMessage {
    pub message_id: String,
    /// Deletes the message, or changes for how long it is hidden.
    pub receipt_handle: String,
    pub message: OutgoingMessage,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    /// When it was sent to its queue.
    pub sent_at: Option<OffsetDateTime>,
    /// Whether it matches the checksums that SQS gives with it.
    pub is_intact: bool,
}

impl ReceivedMessage {
    /// Converts a message of `ReceiveMessage`. Returns `None` for one without an id or a receipt handle, which SQS never sends.
    pub fn from_sdk(message: Message) -> Option<Self> {
        let system = message.attributes.unwrap_or_default();
        let get = |name| system.get(&name).cloned();
        let sent_at = parse(get(MessageSystemAttributeName::SentTimestamp));
        let content = OutgoingMessage {
            body: message.body.unwrap_or_default(),
            attributes: message.message_attributes.unwrap_or_default(),
            trace: get(MessageSystemAttributeName::AwsTraceHeader),
            group_id: get(MessageSystemAttributeName::MessageGroupId),
            dedup_id: get(MessageSystemAttributeName::MessageDeduplicationId),
        };
        let expected = content.checksums();
        let receive_count = parse(get(MessageSystemAttributeName::ApproximateReceiveCount));
        Some(Self {
            message_id: message.message_id?,
            receipt_handle: message.receipt_handle?,
            receive_count: receive_count.unwrap_or(1),
            sent_at: sent_at.and_then(from_unix_ms),
            is_intact: message.md5_of_body.as_ref() == Some(&expected.body)
                && message.md5_of_message_attributes == expected.attributes,
            message: content,
        })
    }

    /// The message as it is sent to a queue once more.
    ///
    /// A FIFO queue drops a message whose deduplication id it has accepted within five minutes, even if that message was deleted
    /// since. So the new one is the message id, which no other message has: however often the same received message is sent,
    /// the queue accepts it once in five minutes. Source:
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html>.
    pub fn to_resend(&self, is_fifo: bool) -> OutgoingMessage {
        let dedup_id = is_fifo.then(|| self.message_id.clone());
        OutgoingMessage { dedup_id, ..self.message.clone() }
    }
}

fn parse<T: FromStr>(text: Option<String>) -> Option<T> {
    text?.parse().ok()
}

fn from_unix_ms(ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

#[cfg(test)]
mod tests;
