//! A body that SQS cannot carry as it is: why not, where it goes, and the pointer that travels in its place.

use super::{Attribute, DataType};
use serde_json::json;
use std::fmt;
use uuid::Uuid;

/// Attribute with the size of the body that a pointer stands for. This name, and the class below, are those of AWS's
/// Extended Client. Source: <https://github.com/awslabs/payload-offloading-java-common-lib-for-aws>.
pub const PAYLOAD_SIZE: &str = "ExtendedPayloadSize";
/// What a pointer begins with.
pub const POINTER_CLASS: &str = "software.amazon.payloadoffloading.PayloadS3Pointer";

/// Why SQS cannot carry a body as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffloadReason {
    /// SQS takes no empty messages.
    Empty,
    /// SQS takes text only.
    NotUtf8,
    /// The body has a character outside SQS's set.
    ForbiddenCharacter,
    /// Body and attributes together are over the limit.
    TooLarge,
}

impl OffloadReason {
    /// The name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::ForbiddenCharacter => "forbidden_character",
            Self::TooLarge => "too_large",
        }
    }
}

/// A body that goes to the bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload {
    /// Its key in the bucket, which no other delivery has: a consumer's library may delete the object with the message.
    pub key: String,
    /// The signed bytes, unchanged.
    pub bytes: Vec<u8>,
    /// Why SQS cannot carry it.
    pub reason: OffloadReason,
}

impl Payload {
    pub(super) fn new(dedup_id: &str, id: Uuid, bytes: Vec<u8>, reason: OffloadReason) -> Self {
        Self {
            key: format!("payloads/{dedup_id}/{id}"),
            bytes,
            reason,
        }
    }

    pub(super) fn pointer(&self, bucket: &str) -> String {
        json!([POINTER_CLASS, {"s3BucketName": bucket, "s3Key": self.key}]).to_string()
    }

    pub(super) fn size_attribute(&self) -> Attribute {
        Attribute {
            name: PAYLOAD_SIZE,
            data_type: DataType::Number,
            value: self.bytes.len().to_string(),
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (reason, length) = (self.reason.name(), self.bytes.len());
        write!(f, "Payload({}, {reason}, {length} bytes)", self.key)
    }
}

/// What becomes of a body.
pub(super) enum Placement {
    Inline(String),
    Not(Vec<u8>, OffloadReason),
}

/// Finds out whether SQS carries a body as it is, together with attributes of this size; copies nothing.
pub(super) fn carry(body: Vec<u8>, attribute_bytes: usize, limit: usize) -> Placement {
    if body.is_empty() {
        return Placement::Not(body, OffloadReason::Empty);
    }
    if body.len() + attribute_bytes > limit {
        return Placement::Not(body, OffloadReason::TooLarge);
    }
    match String::from_utf8(body) {
        Ok(text) if is_sqs_text(&text) => Placement::Inline(text),
        Ok(text) => Placement::Not(text.into_bytes(), OffloadReason::ForbiddenCharacter),
        Err(error) => Placement::Not(error.into_bytes(), OffloadReason::NotUtf8),
    }
}

/// `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
pub(super) fn is_sqs_text(text: &str) -> bool {
    let is_allowed = |byte: u8| byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r');
    // In one sweep without a way out, which compilers make wide instructions of. Bytes of longer characters pass.
    let no_control = text.bytes().fold(true, |ok, byte| ok & is_allowed(byte));
    no_control && !text.contains('\u{FFFE}') && !text.contains('\u{FFFF}')
}
