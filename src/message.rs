//! Event to queue message: body, attributes, ids and size. Pure.

mod checksum;

pub use checksum::Checksums;

use crate::config::QueueType;
use crate::event::{Entity, Event, timestamp};
use crate::signature::Verified;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// The longest value that a message attribute takes, in bytes. Ours, so that no id can fill a message; Labelbox's ids
/// have 25 characters.
const MAX_VALUE_BYTES: usize = 1024;
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
const MAX_GROUP_ID_BYTES: usize = 128;

/// What came along with a verified body; none of it is covered by the signature.
#[derive(Debug, Default)]
pub struct Envelope {
    /// Labelbox's id of the delivery.
    pub delivery_id: Option<String>,
    /// The webhook name in the path.
    pub webhook: Option<String>,
    /// The X-Ray trace header of this invocation.
    pub trace: Option<String>,
}

/// A message as it goes to the queue of its entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whose queue it goes to.
    pub entity: Entity,
    /// The signed bytes, unchanged.
    pub body: String,
    /// Names and values of the message attributes, all of type String.
    pub attributes: Vec<(&'static str, String)>,
    /// Lower-case hex SHA-256 of what makes the event this event and no other.
    pub dedup_id: String,
    /// What must be processed one after the other (FIFO only).
    pub group_id: Option<String>,
    /// The system attribute `AWSTraceHeader`.
    pub trace: Option<String>,
}

/// SQS cannot carry this body as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCarriable {
    /// SQS takes no empty messages.
    #[error("the body is empty")]
    Empty,
    /// SQS takes text only.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The body has a character outside SQS's set.
    #[error("the body has a character that SQS does not take")]
    ForbiddenCharacter,
    /// Body and attributes together are over the limit.
    #[error("the message has {bytes} bytes with its attributes, the limit is {limit}")]
    TooLarge {
        /// Size of body and attributes, as SQS counts it.
        bytes: usize,
        /// The limit in force.
        limit: usize,
    },
}

impl Message {
    /// Composes the message for `event`, read from `verified`, received at `received_at`.
    ///
    /// `limit` is the largest message that may go inline, in bytes, attributes included.
    ///
    /// # Errors
    /// When SQS cannot carry the body as it is.
    pub fn compose(
        verified: Verified,
        event: Event,
        envelope: Envelope,
        queue_type: QueueType,
        received_at: OffsetDateTime,
        limit: usize,
    ) -> Result<Self, NotCarriable> {
        let dedup_id = dedup_id(&verified, &event, envelope.delivery_id.as_deref());
        let group_id = match queue_type {
            QueueType::Fifo => Some(group_id(event.entity_id.as_deref(), &dedup_id)),
            QueueType::Standard => None,
        };
        let reason = match event.entity {
            Entity::Unrouted(reason) => Some(reason.name().to_owned()),
            _ => None,
        };
        let attributes: Vec<_> = [
            ("event", event.topic),
            ("entity", Some(event.entity.name().to_owned())),
            ("entity_id", event.entity_id),
            ("project_id", event.project_id),
            ("delivery_id", envelope.delivery_id),
            ("webhook", envelope.webhook),
            ("occurred_at", event.occurred_at),
            ("received_at", Some(timestamp(received_at))),
            ("dedup_id", Some(dedup_id.clone())),
            ("reason", reason),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| is_attribute_value(value))?)))
        .collect();
        let body = carriable(verified.into_body(), &attributes, limit)?;
        Ok(Self {
            entity: event.entity,
            body,
            attributes,
            dedup_id,
            group_id,
            trace: envelope.trace,
        })
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The body as SQS takes it, without copying it.
fn carriable(
    body: Vec<u8>,
    attributes: &[(&str, String)],
    limit: usize,
) -> Result<String, NotCarriable> {
    if body.is_empty() {
        return Err(NotCarriable::Empty);
    }
    let bytes = body.len()
        + attributes
            .iter()
            .map(|(name, value)| attribute_bytes(name, value))
            .sum::<usize>();
    if bytes > limit {
        return Err(NotCarriable::TooLarge { bytes, limit });
    }
    let body = String::from_utf8(body).map_err(|_| NotCarriable::NotUtf8)?;
    if !is_sqs_text(&body) {
        return Err(NotCarriable::ForbiddenCharacter);
    }
    Ok(body)
}

/// SQS counts the name, the data type and the value of each attribute. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
fn attribute_bytes(name: &str, value: &str) -> usize {
    name.len() + "String".len() + value.len()
}

fn is_attribute_value(value: &str) -> bool {
    (1..=MAX_VALUE_BYTES).contains(&value.len()) && is_sqs_text(value)
}

/// `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
fn is_sqs_text(text: &str) -> bool {
    text.chars().all(|c| match c {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        c => c >= ' ',
    })
}

/// The same event gives the same id however often it is delivered, as long as its body carries its own time. Without
/// one, two moves of a data row have the same body, so the delivery tells them apart.
fn dedup_id(verified: &Verified, event: &Event, delivery_id: Option<&str>) -> String {
    let mut hash = Sha256::new();
    hash.update(event.topic.as_deref().unwrap_or_default());
    hash.update("\n");
    if event.occurred_at.is_none() {
        hash.update(delivery_id.unwrap_or_default());
        hash.update("\n");
    }
    hash.update(verified.body());
    hex::encode(hash.finalize())
}

/// One entity's events are never processed at the same time; an event of no entity waits for nobody.
fn group_id(entity_id: Option<&str>, dedup_id: &str) -> String {
    let Some(id) = entity_id else {
        return dedup_id.to_owned();
    };
    // SQS takes letters, digits and punctuation: the visible ASCII characters.
    if id.len() <= MAX_GROUP_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return id.to_owned();
    }
    hex::encode(Sha256::digest(id))
}

#[cfg(test)]
mod tests;
