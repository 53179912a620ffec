//! The MD5 checksums with which SQS confirms a message.

use super::Message;
use md5::{Digest, Md5};

/// The bytes for String and Number values, and for Binary values, in the checksum of the attributes.
const TEXT_VALUE: u8 = 1;
const BINARY_VALUE: u8 = 2;

/// The checksums of a message, in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksums {
    /// `MD5OfMessageBody`.
    pub body: String,
    /// `MD5OfMessageAttributes`; `None` without attributes.
    pub attributes: Option<String>,
}

impl Checksums {
    /// The checksums of `message`.
    pub fn of_message(message: &Message) -> Self {
        let attributes = message.attributes.iter();
        Self::compute(
            &message.body,
            attributes
                .map(|attribute| (attribute.name, attribute.data_type, attribute.value.as_bytes())),
        )
    }

    /// The checksums of a body and of attributes, each with its name, data type and value.
    ///
    /// Source of the algorithm:
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
    pub fn compute<'a>(
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

/// The MD5 of `bytes`, in lower-case hex.
pub fn md5_of(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Md5::digest(bytes))
}

/// A data type may have a custom label after a dot, such as `Binary.png`.
fn type_byte(data_type: &str) -> u8 {
    if data_type.starts_with("Binary") { BINARY_VALUE } else { TEXT_VALUE }
}

fn update_with_length(hash: &mut Md5, bytes: &[u8]) {
    // An attribute is shorter than 4 GiB: SQS accepts messages of up to 1 MiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash.update(length.to_be_bytes());
    hash.update(bytes);
}
