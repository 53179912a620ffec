//! Messages in the bucket, spilled or archived: the message that an object holds, and the keys of the spilled ones.

use crate::aws::message::OutgoingMessage;
use crate::aws::stack::{Entity, Stack};
use crate::aws::{self, CallResult, Clients};
use crate::error::{self, AwsError, AwsErrorKind};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::MessageAttributeValue;
use labelbox_relay::error::error_chain;
use labelbox_relay::message::{PAYLOAD_SIZE, POINTER_CLASS, SendMessageRequest, group_id};
use labelbox_relay::spill;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;

/// What the key of an object says about its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'k> {
    pub entity: Entity,
    pub dedup_id: &'k str,
}

impl<'k> Key<'k> {
    /// Returns `None` if it is not the key of a spilled message.
    pub fn read(key: &'k str) -> Option<Self> {
        let parts: Vec<_> =
            key.strip_prefix(spill::PREFIX)?.strip_suffix(".json")?.split('/').collect();
        let [entity, _year, _month, _day, dedup_id] = *parts else { return None };
        Some(Self { entity: Entity::of_name(entity)?, dedup_id })
    }
}

/// The keys of all objects under a prefix, in S3's order, which is that of their days.
pub async fn list(
    clients: &Clients,
    stack: &Stack,
    prefix: &str,
) -> Result<Vec<String>, error::Error> {
    let request = clients.s3.list_objects_v2().bucket(stack.payload_bucket()?).prefix(prefix);
    let mut pages = request.into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.action("s3:ListBucket")?;
        keys.extend(page.contents.into_iter().flatten().filter_map(|object| object.key));
    }
    // S3's console makes empty objects that it shows as folders.
    keys.retain(|key| !key.ends_with('/'));
    Ok(keys)
}

/// Counts the spilled messages by entity; `None` stands for objects that are not spilled messages.
pub async fn count(
    clients: &Clients,
    stack: &Stack,
) -> Result<HashMap<Option<Entity>, u64>, error::Error> {
    let mut counts = HashMap::new();
    for key in list(clients, stack, spill::PREFIX).await? {
        *counts.entry(Key::read(&key).map(|key| key.entity)).or_default() += 1;
    }
    Ok(counts)
}

/// An object as it was read.
pub struct Object {
    pub content: Vec<u8>,
    pub etag: Option<String>,
}

/// Reads an object; `None` if it is gone. The SDK compares the content with the checksum that S3 keeps of it.
pub async fn get(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
) -> Result<Option<Object>, AwsError> {
    let object = match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(object) => object,
        Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
        Err(error) => return Err(aws::error("s3:GetObject", &error)),
    };
    let content = object.body.collect().await;
    let content = content.map_err(|error| AwsError {
        action: "s3:GetObject",
        kind: AwsErrorKind::NoResponse,
        code: None,
        message: error_chain(&error),
    })?;
    Ok(Some(Object { content: content.to_vec(), etag: object.e_tag }))
}

/// The message for a queue of this kind. The kind may have changed since the message was stored: a FIFO queue gets the
/// group and the deduplication id that the function would have given, a standard queue neither. The error says why it cannot be sent.
pub fn message(key: Key<'_>, object: &[u8], is_fifo: bool) -> Result<OutgoingMessage, String> {
    let not_a_record = |error: &dyn Error| format!("it is not a stored message: {error}");
    let mut record: SendMessageRequest<'static> =
        serde_json::from_slice(object).map_err(|error| not_a_record(&error))?;
    let trace = record.message_system_attributes.remove("AWSTraceHeader");
    let attributes = record.message_attributes.into_iter().map(|(name, value)| {
        let attribute = MessageAttributeValue::builder().data_type(value.data_type);
        Ok((name.into_owned(), attribute.string_value(value.string_value).build()?))
    });
    let attributes: Result<_, BuildError> = attributes.collect();
    let mut message = OutgoingMessage {
        body: record.message_body.into_owned(),
        attributes: attributes.map_err(|error| not_a_record(&error))?,
        trace: trace.map(|trace| trace.string_value.into_owned()),
        group_id: None,
        dedup_id: None,
    };
    // An object that was moved or edited by hand must not end in another queue, or pass for another event.
    for (name, in_key) in [("entity", key.entity.name()), ("dedup_id", key.dedup_id)] {
        if message.attribute(name) != Some(in_key) {
            return Err(format!("its key and its attribute {name} differ"));
        }
    }
    if is_fifo {
        let computed = || group_id(message.attribute("entity_id"), key.dedup_id);
        message.group_id = Some(record.message_group_id.map_or_else(computed, Cow::into_owned));
        // The record's own id: the queue may hold something else under the event's.
        let dedup_id = record.message_deduplication_id;
        message.dedup_id = Some(dedup_id.map_or_else(|| key.dedup_id.to_owned(), Cow::into_owned));
    }
    Ok(message)
}

/// Where the payload of a large message is.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Payload {
    #[serde(rename(deserialize = "s3BucketName"))]
    pub bucket: String,
    #[serde(rename(deserialize = "s3Key"))]
    pub key: String,
}

/// The payload that a message points to, if its body is a pointer, or should be one.
pub fn payload(message: &OutgoingMessage) -> Result<Option<Payload>, String> {
    if message.attribute(PAYLOAD_SIZE).is_none() {
        return Ok(None);
    }
    match serde_json::from_str(&message.body) {
        Ok((class, payload)) if POINTER_CLASS == String::as_str(&class) => Ok(Some(payload)),
        _ => Err("its body is not the pointer that it should be".to_owned()),
    }
}

/// The body of a message whose payload is this object.
pub fn pointer(bucket: &str, key: &str) -> String {
    serde_json::json!([POINTER_CLASS, {"s3BucketName": bucket, "s3Key": key}]).to_string()
}

#[cfg(test)]
mod tests;
