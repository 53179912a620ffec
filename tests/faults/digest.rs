//! The checksums that AWS says of what it stored.

use crate::queues::Attributes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// As S3 writes it.
pub(crate) fn crc32_of(content: &[u8]) -> String {
    STANDARD.encode(crc32fast::hash(content).to_be_bytes())
}

/// As SQS writes it.
pub(crate) fn md5_of(content: impl AsRef<[u8]>) -> String {
    hex::encode(Md5::digest(content))
}

/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
pub(crate) fn md5_of_attributes(attributes: &Attributes) -> String {
    let mut bytes = Vec::new();
    let add = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u32).to_be_bytes());
        bytes.extend(text.as_bytes());
    };
    for (name, (data_type, value)) in attributes {
        add(&mut bytes, name);
        add(&mut bytes, data_type);
        bytes.push(1);
        add(&mut bytes, value);
    }
    md5_of(bytes)
}
