//! Spilled messages: those that their queue did not confirm, stored in the bucket to be sent later.

use crate::message::{Message, SendMessageRequest};
use std::fmt::Write;

/// The prefix of the keys of all spilled messages.
pub const PREFIX: &str = "spill/";

/// The key of a message: by entity and by the day on which it arrived. Another delivery of the same event replaces it.
pub fn key(message: &Message) -> String {
    let day = message.received_at.date();
    let mut key = format!("{PREFIX}{}/", message.entity.name());
    // Writing to a String never fails.
    let _ = write!(
        key,
        "{:04}/{:02}/{:02}/{}.json",
        day.year(),
        u8::from(day.month()),
        day.day(),
        message.dedup_id
    );
    key
}

/// The record of a spilled message as JSON.
///
/// A FIFO queue may have stored something else under the deduplication id of the event, for this delivery of it or for
/// another, and would drop the replayed message. So the record has an id of its own.
///
/// # Errors
/// None is known: strings and maps of strings are always valid JSON.
pub fn record(message: &Message) -> serde_json::Result<Vec<u8>> {
    let mut request = SendMessageRequest::from(message);
    if let Some(id) = &mut request.message_deduplication_id {
        id.to_mut().push_str("-replay");
    }
    serde_json::to_vec(&request)
}

#[cfg(test)]
mod tests;
