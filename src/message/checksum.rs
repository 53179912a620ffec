//! The MD5 checksums that SQS returns for a stored message, computed from what was sent.

use super::Message;
use md5::{Digest, Md5};

/// Type byte of a String or Number value in the attributes' checksum.
const TEXT_VALUE: u8 = 1;

/// The checksums of one message, lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksums {
    /// `MD5OfMessageBody`.
    pub body: String,
    /// `MD5OfMessageAttributes`.
    pub attributes: String,
}

impl Checksums {
    /// Computes what SQS must confirm for `message`.
    ///
    /// Source of the attributes' form:
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.
    pub fn of(message: &Message) -> Self {
        let mut attributes: Vec<_> = message.attributes.iter().collect();
        attributes.sort_unstable_by_key(|attribute| attribute.name);
        let mut hash = Md5::new();
        for attribute in attributes {
            update_with_length(&mut hash, attribute.name);
            update_with_length(&mut hash, attribute.data_type.name());
            hash.update([TEXT_VALUE]);
            update_with_length(&mut hash, &attribute.value);
        }
        Self {
            body: hex::encode(Md5::digest(&message.body)),
            attributes: hex::encode(hash.finalize()),
        }
    }
}

fn update_with_length(hash: &mut Md5, text: &str) {
    // An attribute is far shorter than 4 GiB: Message::compose keeps none that is over 1 KiB.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    hash.update(length.to_be_bytes());
    hash.update(text);
}
