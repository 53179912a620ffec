//! Builds the queue message of an event.

mod checksum;
mod identity;
mod payload;
mod send_message;

pub use checksum::{Checksums, md5_of};
pub use identity::{DedupId, dedup_id, group_id};
pub use payload::{OffloadReason, PAYLOAD_SIZE, POINTER_CLASS, Payload, payload_key};
pub use send_message::{AttributeValue, SendMessageRequest};

use crate::config::{MessageConfig, QueueType};
use crate::event::{Entity, Event, timestamp};
use crate::signature::Verified;
use payload::{Placement, is_sqs_text, place, pointer, size_attribute};
use std::fmt;
use time::OffsetDateTime;
use uuid::Uuid;

/// Longer attribute values are left out, so that no id can fill a message. Labelbox's ids have 25 characters.
const MAX_VALUE_BYTES: usize = 1024;

/// What arrived with a verified body. The signature covers none of it.
#[derive(Default)]
pub struct DeliveryMetadata {
    /// Labelbox's id of the delivery.
    pub delivery_id: Option<String>,
    /// The webhook's name in the path.
    pub webhook: Option<String>,
    /// The id of this invocation.
    pub request_id: String,
    /// The X-Ray trace header of this invocation.
    pub trace: Option<String>,
}

/// A message for the queue of an entity.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The entity, whose queue the message is for.
    pub entity: Entity,
    /// The signed bytes, unchanged, or a pointer to the object that holds them.
    pub body: String,
    /// The message attributes.
    pub attributes: Vec<Attribute>,
    /// Identifies the event: lower-case hex SHA-256.
    pub dedup_id: String,
    /// The message group (FIFO only).
    pub group_id: Option<String>,
    /// The system attribute `AWSTraceHeader`.
    pub trace: Option<String>,
    /// When the event arrived.
    pub received_at: OffsetDateTime,
}

/// A message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its data type: [`STRING`] or [`NUMBER`].
    pub data_type: &'static str,
    /// Its value, as text.
    pub value: String,
}

/// The data type of text.
pub const STRING: &str = "String";
/// The data type of a number, which is written as text.
pub const NUMBER: &str = "Number";

impl Attribute {
    /// A String attribute.
    pub fn string(name: &'static str, value: String) -> Self {
        Self { name, data_type: STRING, value }
    }

    /// SQS counts the name, data type and value of each attribute. Source:
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
    fn byte_count(&self) -> usize {
        self.name.len() + self.data_type.len() + self.value.len()
    }
}

impl Message {
    /// Builds the message of `event`, which was read from `verified` and arrived at `received_at`. If the body cannot
    /// be sent inline, the message is a pointer, and the payload has to be stored before the message is sent.
    ///
    /// `payload_id` makes an id that no other delivery has.
    pub fn build(
        verified: Verified,
        event: Event,
        metadata: DeliveryMetadata,
        config: &MessageConfig,
        received_at: OffsetDateTime,
        payload_id: impl FnOnce() -> Uuid,
    ) -> (Self, Option<Payload>) {
        let dedup_id = dedup_id(
            metadata.webhook.as_deref(),
            event.topic.as_deref(),
            identity::discriminator(&event, &metadata),
            verified.body(),
        );
        let mut message =
            Self::without_body(event, metadata, dedup_id, config.queue_type, received_at);
        let payload = message.set_body(verified.into_body(), config, payload_id);
        (message, payload)
    }

    /// A message that gets its body later: by [`Self::set_body`], or by [`Self::set_pointer`] if memory cannot hold it.
    pub fn without_body(
        event: Event,
        metadata: DeliveryMetadata,
        dedup_id: String,
        queue_type: QueueType,
        received_at: OffsetDateTime,
    ) -> Self {
        let group_id = match queue_type {
            QueueType::Fifo => Some(group_id(event.entity_id.as_deref(), &dedup_id)),
            QueueType::Standard => None,
        };
        Self {
            entity: event.entity,
            body: String::new(),
            attributes: attributes(
                event,
                metadata.delivery_id,
                metadata.webhook,
                received_at,
                &dedup_id,
            ),
            dedup_id,
            group_id,
            trace: metadata.trace,
            received_at,
        }
    }

    /// Sets the body. If it cannot be sent inline, the message is a pointer to the payload that is returned.
    pub fn set_body(
        &mut self,
        body: Vec<u8>,
        config: &MessageConfig,
        payload_id: impl FnOnce() -> Uuid,
    ) -> Option<Payload> {
        let size = self.attributes.iter().map(Attribute::byte_count).sum();
        match place(body, size, config.inline_limit) {
            Placement::Inline(body) => {
                self.body = body;
                None
            }
            Placement::Offloaded(bytes, reason) => {
                let payload = Payload::new(&self.dedup_id, payload_id(), bytes, reason);
                self.set_pointer(&config.bucket, &payload.key, payload.bytes.len() as u64);
                Some(payload)
            }
        }
    }

    /// Makes the message a pointer to a payload of this size.
    pub fn set_pointer(&mut self, bucket: &str, key: &str, byte_count: u64) {
        self.body = pointer(bucket, key);
        self.attributes.push(size_attribute(byte_count));
    }

    /// Returns the value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_str())
    }
}

/// Prints the size of the body instead of the body.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("entity", &self.entity)
            .field("body_bytes", &self.body.len())
            .field("attributes", &self.attributes)
            .field("group_id", &self.group_id)
            .field("trace", &self.trace)
            .finish_non_exhaustive()
    }
}

fn attributes(
    event: Event,
    delivery_id: Option<String>,
    webhook: Option<String>,
    received_at: OffsetDateTime,
    dedup_id: &str,
) -> Vec<Attribute> {
    let reason = match event.entity {
        Entity::Unrouted(reason) => Some(reason.name().to_owned()),
        _ => None,
    };
    [
        ("event", event.topic),
        ("entity", Some(event.entity.name().to_owned())),
        ("entity_id", event.entity_id),
        ("project_id", event.project_id),
        ("delivery_id", delivery_id),
        ("webhook", webhook),
        ("occurred_at", event.occurred_at),
        ("received_at", Some(timestamp(received_at))),
        ("dedup_id", Some(dedup_id.to_owned())),
        ("reason", reason),
    ]
    .into_iter()
    .filter_map(|(name, value)| {
        let value = value.filter(|value| is_attribute_value(value))?;
        Some(Attribute::string(name, value))
    })
    .collect()
}

fn is_attribute_value(value: &str) -> bool {
    (1..=MAX_VALUE_BYTES).contains(&value.len()) && is_sqs_text(value)
}

#[cfg(test)]
mod tests;
