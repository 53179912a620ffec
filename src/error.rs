//! Every way a request can fail, without a word of HTTP.

use crate::message::NotCarriable;
use crate::queue::QueueError;
use crate::secrets::FetchError;
use crate::signature::Rejected;

/// Why a request did not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The secret has no such webhook.
    #[error("unknown webhook")]
    UnknownWebhook,
    /// Nobody who holds a secret of this webhook signed this body.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// There is no secret to verify with.
    #[error("no secret to verify with")]
    NoSecret(#[source] FetchError),
    /// The queue cannot carry this event as it is.
    #[error("the queue cannot carry the event")]
    NotCarriable(#[from] NotCarriable),
    /// The queue did not confirm the event.
    #[error("the event is not durable")]
    NotQueued(#[source] QueueError),
}
