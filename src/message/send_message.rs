//! The input of SQS's `SendMessage` as JSON, for sending, spilling and replaying a message.
//!
//! Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.

use super::{Message, STRING};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// The system attribute that carries the trace.
const TRACE_HEADER: &str = "AWSTraceHeader";

/// The input of `SendMessage` without the queue's URL. As JSON, it is what `aws sqs send-message --cli-input-json` takes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendMessageRequest<'m> {
    /// The body of the event, or a pointer to it.
    pub message_body: Cow<'m, str>,
    /// The message attributes by name.
    pub message_attributes: BTreeMap<Cow<'m, str>, AttributeValue<'m>>,
    /// `AWSTraceHeader`, if there was a trace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub message_system_attributes: BTreeMap<Cow<'m, str>, AttributeValue<'m>>,
    /// FIFO only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_group_id: Option<Cow<'m, str>>,
    /// FIFO only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_deduplication_id: Option<Cow<'m, str>>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AttributeValue<'m> {
    /// `String` or `Number`.
    pub data_type: Cow<'m, str>,
    /// The value as text.
    pub string_value: Cow<'m, str>,
}

impl<'m> AttributeValue<'m> {
    fn new(data_type: &'m str, value: &'m str) -> Self {
        Self { data_type: data_type.into(), string_value: value.into() }
    }
}

impl<'m> From<&'m Message> for SendMessageRequest<'m> {
    fn from(message: &'m Message) -> Self {
        let attributes = message.attributes.iter().map(|attribute| {
            let value = AttributeValue::new(attribute.data_type, &attribute.value);
            (attribute.name.into(), value)
        });
        let trace = message
            .trace
            .iter()
            .map(|trace| (TRACE_HEADER.into(), AttributeValue::new(STRING, trace)));
        let group_id = message.group_id.as_deref();
        Self {
            message_body: (&message.body).into(),
            message_attributes: attributes.collect(),
            message_system_attributes: trace.collect(),
            message_group_id: group_id.map(Cow::Borrowed),
            // Only a FIFO queue accepts one.
            message_deduplication_id: group_id.map(|_| (&message.dedup_id).into()),
        }
    }
}

/// Prints the size of the body instead of the body.
impl fmt::Debug for SendMessageRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMessageRequest")
            .field("body_bytes", &self.message_body.len())
            .field("attributes", &self.message_attributes)
            .field("group_id", &self.message_group_id)
            .finish_non_exhaustive()
    }
}
