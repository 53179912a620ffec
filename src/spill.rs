//! Spilled messages: those that their queue did not confirm, stored in the bucket to be sent later.

use crate::message::{Message, SendMessageRequest};

/// The prefix of the keys of all spilled messages.
pub const PREFIX: &str = "spill/";

/// The key of a message: by entity and by the day (UTC) on which it arrived. Another delivery of the same event on the
/// same day replaces it.
pub fn key(message: &Message) -> String {
    format!("{PREFIX}{}/{}/{}.json", message.entity.name(), day(message), message.dedup_id)
}

/// The day (UTC) on which a message arrived, as in keys: `2026/02/03`.
pub(crate) fn day(message: &Message) -> String {
    message.received_at.date().to_string().replace('-', "/")
}

/// The JSON of a spilled message, which `aws sqs send-message --cli-input-json` accepts.
///
/// Its deduplication id differs from the event's: a FIFO queue may have stored something else under that, for this delivery
/// of the event or for another, and would drop the replayed message.
///
/// # Errors
/// None is known: strings and maps of strings are always valid JSON.
pub fn to_json(message: &Message) -> serde_json::Result<Vec<u8>> {
    let mut request = SendMessageRequest::from(message);
    if let Some(id) = &mut request.message_deduplication_id {
        id.to_mut().push_str("-replay");
    }
    serde_json::to_vec(&request)
}

#[cfg(test)]
mod tests;
