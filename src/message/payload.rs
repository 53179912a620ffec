//! Bodies that are not sent inline: why, where they are stored, and the pointer that is sent instead.

use super::{Attribute, NUMBER};
use bytes::Bytes;
use serde_json::json;
use std::fmt;
use uuid::Uuid;

/// The attribute with the size of the payload in bytes. This name and the class below are those of AWS's Extended Client.
/// Source: <https://github.com/awslabs/payload-offloading-java-common-lib-for-aws>.
pub const PAYLOAD_SIZE: &str = "ExtendedPayloadSize";
/// The class name in a pointer.
pub const POINTER_CLASS: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";

/// Why a body is stored in the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffloadReason {
    /// SQS accepts no empty bodies.
    Empty,
    /// SQS accepts only text.
    NotUtf8,
    /// The body has a character that SQS does not accept.
    ForbiddenCharacter,
    /// Body and attributes together are over the limit.
    TooLarge,
}

impl OffloadReason {
    /// Its name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::ForbiddenCharacter => "forbidden_character",
            Self::TooLarge => "too_large",
        }
    }
}

/// A body to be stored in the bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// Its key, which no other delivery has: a consumer's library may delete the object together with the message.
    pub key: String,
    /// The signed bytes, unchanged.
    pub bytes: Bytes,
    /// Why it is not sent inline.
    pub reason: OffloadReason,
}

impl Payload {
    pub(super) fn new(dedup_id: &str, id: Uuid, bytes: Vec<u8>, reason: OffloadReason) -> Self {
        Self { key: payload_key(dedup_id, id), bytes: bytes.into(), reason }
    }
}

/// The key of a payload. `id` is one that no other delivery has.
pub fn payload_key(dedup_id: &str, id: Uuid) -> String {
    format!("payloads/{dedup_id}/{id}")
}

pub(super) fn pointer(bucket: &str, key: &str) -> String {
    json!([POINTER_CLASS, {"s3BucketName": bucket, "s3Key": key}]).to_string()
}

pub(super) fn size_attribute(byte_count: u64) -> Attribute {
    Attribute { name: PAYLOAD_SIZE, data_type: NUMBER, value: byte_count.to_string() }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, length) = (self.reason.name(), self.bytes.len());
        write!(f, "Payload({}, {reason}, {length} bytes)", self.key)
    }
}

/// Where a body goes.
pub(super) enum Placement {
    Inline(String),
    Offloaded(Vec<u8>, OffloadReason),
}

/// Decides whether a body is sent inline with attributes of this size. Does not copy it.
pub(super) fn place(body: Vec<u8>, attribute_bytes: usize, limit: usize) -> Placement {
    if body.is_empty() {
        return Placement::Offloaded(body, OffloadReason::Empty);
    }
    if body.len() + attribute_bytes > limit {
        return Placement::Offloaded(body, OffloadReason::TooLarge);
    }
    match String::from_utf8(body) {
        Ok(text) if is_sqs_text(&text) => Placement::Inline(text),
        Ok(text) => Placement::Offloaded(text.into_bytes(), OffloadReason::ForbiddenCharacter),
        Err(error) => Placement::Offloaded(error.into_bytes(), OffloadReason::NotUtf8),
    }
}

/// `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
pub(super) fn is_sqs_text(text: &str) -> bool {
    let is_allowed = |byte: u8| byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r');
    // A fold without an early exit compiles to vector instructions. Bytes of multi-byte characters pass.
    let no_control = text.bytes().fold(true, |ok, byte| ok & is_allowed(byte));
    no_control && !text.contains('\u{FFFE}') && !text.contains('\u{FFFF}')
}
