//! Makes a message durable: its queue confirms it, or else the bucket does.

use crate::bucket::{Bucket, BucketError};
use crate::deadlines::{DeadlineExceeded, Deadlines};
use crate::error::error_chain;
use crate::message::{Message, Payload};
use crate::queue::{Queue, QueueError};
use crate::report::StageDurations;
use crate::spill;

/// Where the durable copy of an event is.
#[derive(Debug)]
pub enum Destination {
    /// In the queue of its entity.
    Queue {
        /// The message id that SQS returned.
        message_id: String,
    },
    /// In the bucket, until somebody sends it to its queue.
    Spill {
        /// The key of the spilled message.
        key: String,
        /// Why it is not in its queue.
        reason: QueueError,
    },
}

/// No durable copy of an event is confirmed: the sender has to send it again.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// SQS does not accept the body, and the bucket did not confirm that it stored it.
    #[error("the payload could not be stored")]
    PayloadNotStored(#[source] BucketError),
    /// Neither the queue nor the bucket confirmed the message.
    #[error("the event could not be stored: {}; nor could it be spilled", error_chain(.queue))]
    NotDurable {
        /// Why the message is not in its queue.
        queue: QueueError,
        /// Why it is not in the bucket.
        #[source]
        bucket: BucketError,
    },
}

/// Stores the payload, if there is one, and then sends the message; spills the message if its queue does not confirm it.
///
/// # Errors
/// If no durable copy is confirmed.
pub async fn deliver(
    bucket: &impl Bucket,
    queue: &impl Queue,
    message: &Message,
    payload: Option<Payload>,
    deadlines: Deadlines,
) -> (Result<Destination, DeliveryError>, StageDurations) {
    let mut durations = StageDurations::default();
    if let Some(Payload { key, bytes, .. }) = payload {
        let (stored, duration) = deadlines.payload.run(bucket.put(&key, bytes)).await;
        durations.payload = Some(duration);
        if let Err(error) = in_time(stored) {
            return (Err(DeliveryError::PayloadNotStored(error)), durations);
        }
    }
    let (sent, duration) = deadlines.queue.run(queue.send(message)).await;
    durations.queue = Some(duration);
    let reason = match sent.unwrap_or_else(|exceeded| Err(QueueError::NotSent(exceeded.into()))) {
        Ok(message_id) => return (Ok(Destination::Queue { message_id }), durations),
        Err(error) => error,
    };
    let key = spill::key(message);
    let stored = match spill::record(message) {
        Ok(json) => {
            let (stored, duration) = deadlines.response.run(bucket.put(&key, json)).await;
            durations.spill = Some(duration);
            in_time(stored)
        }
        Err(error) => Err(BucketError::NotStored(error.into())),
    };
    let destination = match stored {
        Ok(()) => Ok(Destination::Spill { key, reason }),
        Err(bucket) => Err(DeliveryError::NotDurable {
            queue: reason,
            bucket,
        }),
    };
    (destination, durations)
}

/// An object that the bucket has not confirmed in time counts as not stored.
fn in_time(stored: Result<Result<(), BucketError>, DeadlineExceeded>) -> Result<(), BucketError> {
    stored.unwrap_or_else(|exceeded| Err(BucketError::NotStored(exceeded.into())))
}
