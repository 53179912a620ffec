//! The ids by which queues and consumers tell one event from another, and what belongs together.

use super::DeliveryMetadata;
use crate::event::{Entity, Event};
use crate::signature::Verified;
use sha2::{Digest, Sha256};

/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
const MAX_GROUP_ID_BYTES: usize = 128;

/// Lower-case hex SHA-256 of webhook, topic, discriminator and body, with a NUL after each of the first three. None of
/// them can contain a NUL, so two different events never hash the same bytes.
///
/// The webhook is part of it so that a holder of one webhook's secret cannot displace another webhook's events.
pub(super) fn dedup_id(verified: &Verified, event: &Event, metadata: &DeliveryMetadata) -> String {
    let mut hash = Sha256::new();
    for part in [
        metadata.webhook.as_deref(),
        event.topic.as_deref(),
        discriminator(event, metadata),
    ] {
        hash.update(part.unwrap_or_default());
        hash.update([0]);
    }
    hash.update(verified.body());
    hex::encode(hash.finalize())
}

/// Tells apart events with the same body. The same state of a label is the same event, however often it is delivered.
/// A row that moves from A to B and back may have the same body twice, so there the delivery counts; a training run has
/// no delivery id, so there the invocation does.
fn discriminator<'a>(event: &Event, metadata: &'a DeliveryMetadata) -> Option<&'a str> {
    if event.entity == Entity::Label && event.occurred_at.is_some() {
        return None;
    }
    Some(
        metadata
            .delivery_id
            .as_deref()
            .unwrap_or(&metadata.request_id),
    )
}

/// The FIFO group: one entity's events are never processed at the same time; an event of no entity waits for nobody.
pub fn group_id(entity_id: Option<&str>, dedup_id: &str) -> String {
    let Some(id) = entity_id else {
        return dedup_id.to_owned();
    };
    // SQS takes letters, digits and punctuation: the visible ASCII characters.
    if id.len() <= MAX_GROUP_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return id.to_owned();
    }
    hex::encode(Sha256::digest(id))
}
