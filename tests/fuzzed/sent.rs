//! A message that was stored, as its queue got it or as it waits in the bucket, and whether it is the right one.

use super::verdict::{Expected, is_sqs};
use super::world::{BUCKET, INLINE_LIMIT};
use labelbox_relay::message::Message;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// All that SQS is told of a message but its queue, under the names of its API.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Sent {
    message_body: String,
    message_attributes: BTreeMap<String, Value>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, Value>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Value {
    data_type: String,
    string_value: String,
}

impl Value {
    fn new(data_type: &str, string_value: String) -> Self {
        Self {
            data_type: data_type.to_owned(),
            string_value,
        }
    }
}

impl Sent {
    /// What the queue got.
    pub(crate) fn of(message: &Message) -> Self {
        let attributes = message.attributes.iter().map(|attribute| {
            let value = Value::new(attribute.data_type.name(), attribute.value.clone());
            (attribute.name.to_owned(), value)
        });
        Self {
            message_body: message.body.clone(),
            message_attributes: attributes.collect(),
            message_system_attributes: system(message.trace.clone()),
            message_deduplication_id: message.group_id.is_some().then(|| message.dedup_id.clone()),
            message_group_id: message.group_id.clone(),
        }
    }
}

fn system(trace: Option<String>) -> BTreeMap<String, Value> {
    let trace = trace.map(|trace| ("AWSTraceHeader".to_owned(), Value::new("String", trace)));
    trace.into_iter().collect()
}

/// Compares a message, and its payload, with what they must be, and both with the rules of SQS.
pub(crate) fn check_sent(sent: Sent, objects: &BTreeMap<String, Vec<u8>>, expected: Expected) {
    check_rules(&sent);
    let dedup_id = &expected.dedup_id;
    let texts = expected.attributes.into_iter();
    let mut attributes: BTreeMap<String, Value> = texts
        .map(|(name, value)| (name.to_owned(), Value::new("String", value)))
        .collect();
    let body = if expected.is_inline {
        assert!(objects.is_empty(), "a payload that nobody needs");
        String::from_utf8(expected.bytes).unwrap()
    } else {
        let size = Value::new("Number", expected.bytes.len().to_string());
        attributes.insert("ExtendedPayloadSize".to_owned(), size);
        let (key, payload) = objects.first_key_value().unwrap();
        assert!(
            objects.len() == 1 && *payload == expected.bytes,
            "not the signed bytes"
        );
        let id = key
            .strip_prefix("payloads/")
            .and_then(|key| key.strip_prefix(dedup_id.as_str()));
        assert!(id.is_some_and(is_uuid), "{key}");
        let place = json!({"s3BucketName": BUCKET, "s3Key": key});
        json!(["software.amazon.payloadoffloading.PayloadS3Pointer", place]).to_string()
    };
    let right = Sent {
        message_body: body,
        message_attributes: attributes,
        message_system_attributes: system(expected.trace),
        message_group_id: expected.group_id,
        message_deduplication_id: expected.deduplication_id,
    };
    assert_eq!(sent, right);
}

/// `/` and a UUID of version 4.
fn is_uuid(text: &str) -> bool {
    let is_hex = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [9, 4, 4, 4, 12]
        && text[1..].replace('-', "").chars().all(is_hex)
        && parts[2].starts_with('4')
}

/// What SQS refuses. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
fn check_rules(sent: &Sent) {
    let Sent {
        message_body,
        message_attributes,
        ..
    } = sent;
    assert!(!message_body.is_empty() && message_body.chars().all(is_sqs));
    assert!(message_attributes.len() <= 10, "more than ten attributes");
    let attribute_bytes = message_attributes.iter().map(|(name, value)| {
        assert!(
            !value.string_value.is_empty() && value.string_value.chars().all(is_sqs),
            "{name}"
        );
        name.len() + value.data_type.len() + value.string_value.len()
    });
    // A pointer's own attributes may take it over a limit of 1 KiB, which no queue has.
    let attribute_bytes: usize = attribute_bytes.sum();
    let is_pointer = message_attributes.contains_key("ExtendedPayloadSize");
    assert!(is_pointer || message_body.len() + attribute_bytes <= INLINE_LIMIT);
    for id in [&sent.message_group_id, &sent.message_deduplication_id] {
        let fits = |id: &String| super::gateway::is_visible(id, 128);
        assert!(id.as_ref().is_none_or(fits), "an id that SQS does not take");
    }
}
