//! Spilled messages: those that their queue did not confirm, stored in the bucket to be sent later.
//!
//! `aws sqs send-message --cli-input-json` accepts their JSON, so that one can also be sent by hand.

use crate::message::{Attribute, Message};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// The prefix of the keys of all spilled messages.
pub const PREFIX: &str = "spill/";
/// The system attribute with the X-Ray trace header.
const TRACE_HEADER: &str = "AWSTraceHeader";

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

/// A spilled message: the input of SQS's `SendMessage` without its queue URL.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SpilledMessage<'m> {
    /// The body, or the pointer to it.
    pub message_body: Cow<'m, str>,
    /// The message attributes.
    pub message_attributes: BTreeMap<String, Value>,
    /// `AWSTraceHeader`, if there was a trace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub message_system_attributes: BTreeMap<String, Value>,
    /// FIFO only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_group_id: Option<String>,
    /// FIFO only. It differs from the event's own: the queue may have stored something else under that, and would drop this
    /// message as its duplicate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_deduplication_id: Option<String>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Value {
    /// `String` or `Number`.
    pub data_type: String,
    /// The value as a string.
    pub string_value: String,
}

impl<'m> SpilledMessage<'m> {
    /// The spilled form of a message.
    pub fn of(message: &'m Message) -> Self {
        let attribute = |attribute: &Attribute| {
            let value = Value {
                data_type: attribute.data_type.name().to_owned(),
                string_value: attribute.value.clone(),
            };
            (attribute.name.to_owned(), value)
        };
        let trace = message.trace.iter().map(|trace| {
            let value = Value {
                data_type: "String".to_owned(),
                string_value: trace.clone(),
            };
            (TRACE_HEADER.to_owned(), value)
        });
        Self {
            message_body: Cow::Borrowed(&message.body),
            message_attributes: message.attributes.iter().map(attribute).collect(),
            message_system_attributes: trace.collect(),
            message_group_id: message.group_id.clone(),
            message_deduplication_id: message
                .group_id
                .is_some()
                .then(|| format!("{}-replay", message.dedup_id)),
        }
    }

    /// Serializes it as JSON.
    ///
    /// # Errors
    /// None are known.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// Prints the size of the body instead of the body.
impl fmt::Debug for SpilledMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpilledMessage")
            .field("body_bytes", &self.message_body.len())
            .field("attributes", &self.message_attributes)
            .field("group_id", &self.message_group_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
