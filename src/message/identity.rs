//! The ids by which queues and consumers tell one event from another, and what belongs together.

use crate::event::Event;
use crate::signature::Verified;
use sha2::{Digest, Sha256};

/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
const MAX_GROUP_ID_BYTES: usize = 128;

/// The same event gives the same id however often it is delivered, as long as its body carries its own time. Without
/// one, two moves of a data row have the same body, so the delivery tells them apart.
pub(super) fn dedup_id(verified: &Verified, event: &Event, delivery_id: Option<&str>) -> String {
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
