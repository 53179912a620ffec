//! A message that its queue did not take, as it waits in the bucket: its key, and all that is needed to send it later.
//!
//! The record is what `aws sqs send-message --cli-input-json` takes, so that one can also send it by hand.

use crate::message::{Attribute, Message};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// What the keys of all spilled messages begin with.
pub const PREFIX: &str = "spill/";
/// The system attribute that carries the trace.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// Where a message waits: by entity and by the day it came in. A repeated delivery of an event takes the place of the
/// first; both are the same event.
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

/// A spilled message: the input of SQS's `SendMessage` without its queue.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SpilledMessage<'m> {
    /// The body, which is a pointer where SQS cannot carry the event.
    pub message_body: Cow<'m, str>,
    /// All message attributes.
    pub message_attributes: BTreeMap<String, Value>,
    /// `AWSTraceHeader`, if there was a trace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub message_system_attributes: BTreeMap<String, Value>,
    /// FIFO only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_group_id: Option<String>,
    /// FIFO only. Not the event's own: the queue may have stored something else under that, for this delivery of the event or
    /// for another, and would drop the replayed message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_deduplication_id: Option<String>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Value {
    /// `String` or `Number`.
    pub data_type: String,
    /// The value as text.
    pub string_value: String,
}

impl<'m> SpilledMessage<'m> {
    /// Writes down a message.
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

    /// The record as JSON.
    ///
    /// # Errors
    /// None that is known: texts and maps of texts can be written.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}

/// Of the body, only its size.
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
