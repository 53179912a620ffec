//! The MD5 checksums that SQS returns for a stored message, computed from what was sent.

use super::Message;
use md5::{Digest, Md5};

/// Type bytes in the attributes' checksum: of String and Number values, and of Binary ones.
const TEXT_VALUE: u8 = 1;
const BINARY_VALUE: u8 = 2;

/// The checksums of one message, lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksums {
    /// `MD5OfMessageBody`.
    pub body: String,
    /// `MD5OfMessageAttributes`, which a message without attributes does not have.
    pub attributes: Option<String>,
}

impl Checksums {
    /// Computes what SQS must confirm for `message`.
    pub fn of(message: &Message) -> Self {
        let attributes = message.attributes.iter();
        Self::over(
            &message.body,
            attributes.map(|it| (it.name, it.data_type.name(), it.value.as_bytes())),
        )
    }

    /// Computes what SQS must confirm for a body and attributes: of each, name, data type and value.
    ///
    /// Source of the attributes' form:
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
    pub fn over<'a>(
        body: &str,
        attributes: impl Iterator<Item = (&'a str, &'a str, &'a [u8])>,
    ) -> Self {
        let mut attributes: Vec<_> = attributes.collect();
        attributes.sort_unstable_by_key(|(name, ..)| *name);
        let mut hash = Md5::new();
        for (name, data_type, value) in &attributes {
            update_with_length(&mut hash, name.as_bytes());
            update_with_length(&mut hash, data_type.as_bytes());
            hash.update([type_byte(data_type)]);
            update_with_length(&mut hash, value);
        }
        Self {
            body: md5_of(body),
            attributes: (!attributes.is_empty()).then(|| hex::encode(hash.finalize())),
        }
    }
}

/// The MD5 of some bytes, lower-case hex.
pub fn md5_of(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Md5::digest(bytes))
}

/// A data type may have a label of its own after a point, such as `Binary.png`.
fn type_byte(data_type: &str) -> u8 {
    if data_type.starts_with("Binary") {
        BINARY_VALUE
    } else {
        TEXT_VALUE
    }
}

fn update_with_length(hash: &mut Md5, bytes: &[u8]) {
    // An attribute is far shorter than 4 GiB: SQS takes messages of up to 1 MiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash.update(length.to_be_bytes());
    hash.update(bytes);
}
