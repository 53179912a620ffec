//! Every way a request can fail, without a word of HTTP.

use crate::bucket::BucketError;
use crate::queue::QueueError;
use crate::secrets::FetchError;
use crate::signature::InvalidSignature;
use std::error::Error;

/// Why a request did not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The secret has no such webhook.
    #[error("unknown webhook")]
    UnknownWebhook,
    /// Nobody who holds a secret of this webhook signed this body.
    #[error(transparent)]
    InvalidSignature(#[from] InvalidSignature),
    /// There is no secret to verify with.
    #[error("no secret to verify with")]
    SecretUnavailable(#[source] FetchError),
    /// The secrets that we have do not verify it, and no newer ones could be fetched.
    #[error("no newer secret could be fetched")]
    NoNewerSecret(#[source] FetchError),
    /// The queue cannot carry the body, and the bucket did not confirm it.
    #[error("the payload is not durable")]
    PayloadNotStored(#[source] BucketError),
    /// Neither the queue nor the bucket confirmed the event.
    #[error("the event is not durable: {}; nor can it spill", error_chain(.queue))]
    DeliveryFailed {
        /// What the queue said.
        queue: QueueError,
        /// What the bucket said then.
        #[source]
        bucket: BucketError,
    },
}

/// An error with all its causes on one line: the SDK's own message is only "service error".
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Some errors of the SDK say the same as their source.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
