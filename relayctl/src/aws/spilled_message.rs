//! Messages in the bucket, spilled or archived: the message that an object holds, and the keys of the spilled ones.

use crate::aws::message::OutgoingMessage;
use crate::aws::stack::{Entity, Stack};
use crate::aws::{self, Clients, error};
use crate::error::{AwsError, AwsErrorKind, Error};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::MessageAttributeValue;
use labelbox_relay::error::error_chain;
use labelbox_relay::message::{
    AttributeValue, PAYLOAD_SIZE, POINTER_CLASS, SendMessageRequest, group_id,
};
use labelbox_relay::spill;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashMap;

/// Why a message in the bucket cannot be sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    #[error("its key is not spill/<entity>/<yyyy>/<mm>/<dd>/<dedup_id>.json")]
    ForeignKey,
    #[error("it is not a stored message: {0}")]
    NotARecord(String),
    #[error("its key and its attribute {0} differ")]
    Contradiction(&'static str),
    #[error("its body is not the pointer that it should be")]
    NotAPointer,
    #[error("the archived body beside it is missing, or not whole")]
    NoBody,
}

/// What the key of an object says about its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'k> {
    pub entity: Entity,
    pub dedup_id: &'k str,
}

impl<'k> Key<'k> {
    pub fn read(key: &'k str) -> Result<Self, Unsendable> {
        let parts: Vec<_> = key
            .strip_prefix(spill::PREFIX)
            .and_then(|key| key.strip_suffix(".json"))
            .map(|key| key.split('/').collect())
            .unwrap_or_default();
        let [entity, _year, _month, _day, dedup_id] = *parts else {
            return Err(Unsendable::ForeignKey);
        };
        let entity = Entity::of_name(entity).ok_or(Unsendable::ForeignKey)?;
        Ok(Self { entity, dedup_id })
    }
}

/// The keys of all objects under a prefix, in S3's order, which is that of their days.
pub async fn list(clients: &Clients, stack: &Stack, prefix: &str) -> Result<Vec<String>, Error> {
    let request = clients.s3.list_objects_v2().bucket(stack.payload_bucket()?).prefix(prefix);
    let mut pages = request.into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|it| error("s3:ListBucket", &it))?;
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
) -> Result<HashMap<Option<Entity>, u64>, Error> {
    let mut counts = HashMap::new();
    for key in list(clients, stack, spill::PREFIX).await? {
        *counts.entry(Key::read(&key).ok().map(|key| key.entity)).or_default() += 1;
    }
    Ok(counts)
}

/// An object as it was read.
pub struct Object {
    pub content: Vec<u8>,
    pub etag: Option<String>,
}

/// Reads an object; `None` if it is gone. The SDK compares the content with the checksum that S3 keeps of it.
///
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
/// group and the deduplication id that the function would have given, a standard queue neither.
pub fn message(key: Key<'_>, object: &[u8], is_fifo: bool) -> Result<OutgoingMessage, Unsendable> {
    let not_a_record = |error: &dyn std::error::Error| Unsendable::NotARecord(error.to_string());
    let mut record: SendMessageRequest<'static> =
        serde_json::from_slice(object).map_err(|error| not_a_record(&error))?;
    let trace = record.message_system_attributes.remove("AWSTraceHeader");
    let attributes: HashMap<_, _> = record
        .message_attributes
        .into_iter()
        .map(|(name, value)| {
            Ok((name.into_owned(), attribute(value).map_err(|error| not_a_record(&error))?))
        })
        .collect::<Result<_, Unsendable>>()?;
    let mut message = OutgoingMessage {
        body: record.message_body.into_owned(),
        attributes,
        trace: trace.map(|trace| trace.string_value.into_owned()),
        group_id: None,
        dedup_id: None,
    };
    check(key, &message)?;
    if is_fifo {
        let computed = || group_id(message.attribute("entity_id"), key.dedup_id);
        message.group_id = Some(record.message_group_id.map_or_else(computed, Cow::into_owned));
        // The record's own id: the queue may hold something else under the event's.
        let dedup_id = record.message_deduplication_id;
        message.dedup_id = Some(dedup_id.map_or_else(|| key.dedup_id.to_owned(), Cow::into_owned));
    }
    Ok(message)
}

fn attribute(value: AttributeValue<'_>) -> Result<MessageAttributeValue, impl std::error::Error> {
    MessageAttributeValue::builder()
        .data_type(value.data_type)
        .string_value(value.string_value)
        .build()
}

/// An object that was moved or edited by hand must not end in another queue, or pass for another event.
fn check(key: Key<'_>, message: &OutgoingMessage) -> Result<(), Unsendable> {
    if message.attribute("entity") != Some(key.entity.name()) {
        return Err(Unsendable::Contradiction("entity"));
    }
    if message.attribute("dedup_id") != Some(key.dedup_id) {
        return Err(Unsendable::Contradiction("dedup_id"));
    }
    Ok(())
}

/// Where the payload of a large message is.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Payload {
    #[serde(rename = "s3BucketName")]
    pub bucket: String,
    #[serde(rename = "s3Key")]
    pub key: String,
}

/// The payload that a message points to, if its body is a pointer.
pub fn payload(message: &OutgoingMessage) -> Result<Option<Payload>, Unsendable> {
    if message.attribute(PAYLOAD_SIZE).is_none() {
        return Ok(None);
    }
    match serde_json::from_str(&message.body) {
        Ok((class, payload)) if POINTER_CLASS == String::as_str(&class) => Ok(Some(payload)),
        _ => Err(Unsendable::NotAPointer),
    }
}

/// The body of a message whose payload is this object.
pub fn pointer(bucket: &str, key: &str) -> String {
    serde_json::json!([POINTER_CLASS, {"s3BucketName": bucket, "s3Key": key}]).to_string()
}

#[cfg(test)]
mod tests;
