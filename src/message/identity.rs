//! The ids that deduplicate and group messages.

use super::DeliveryMetadata;
use crate::event::{Entity, Event};
use sha2::{Digest, Sha256};

/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
const MAX_GROUP_ID_BYTES: usize = 128;

/// Computes a `dedup_id` of a body that comes in pieces: lower-case hex SHA-256 of webhook, topic, discriminator and body,
/// with a NUL after each of the first three. None of them can contain a NUL, so two different events never hash the same
/// bytes.
///
/// The webhook is part of it so that who holds the secret of one webhook cannot suppress the events of another.
pub struct DedupId(Sha256);

impl DedupId {
    /// Starts with what comes before the body. A part that is not there is empty.
    pub fn new(webhook: Option<&str>, topic: Option<&str>, discriminator: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        for part in [webhook, topic, discriminator] {
            hash.update(part.unwrap_or_default());
            hash.update([0]);
        }
        Self(hash)
    }

    /// Adds the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the id when the body is complete.
    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The `dedup_id` of a body; see [`DedupId`].
pub fn dedup_id(
    webhook: Option<&str>,
    topic: Option<&str>,
    discriminator: Option<&str>,
    body: &[u8],
) -> String {
    let mut id = DedupId::new(webhook, topic, discriminator);
    id.update(body);
    id.finish()
}

/// Distinguishes events with the same body. A label event with a time is a state of the label, so it has no discriminator:
/// every delivery of that state has the same id. A data row can move from A to B and back with the same body, so for other
/// events the delivery id counts, or Lambda's request id if there is none, as for a model run.
pub(super) fn discriminator<'a>(event: &Event, metadata: &'a DeliveryMetadata) -> Option<&'a str> {
    if event.entity == Entity::Label && event.occurred_at.is_some() {
        return None;
    }
    Some(metadata.delivery_id.as_deref().unwrap_or(&metadata.request_id))
}

/// Returns the FIFO group: events of one entity are processed one after the other, an event without one by itself.
pub fn group_id(entity_id: Option<&str>, dedup_id: &str) -> String {
    let Some(id) = entity_id else {
        return dedup_id.to_owned();
    };
    // SQS accepts letters, digits and punctuation: the visible ASCII characters.
    if id.len() <= MAX_GROUP_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return id.to_owned();
    }
    hex::encode(Sha256::digest(id))
}
