//! Makes a message durable: its queue confirms it, or else the bucket does.

use crate::bucket::{Bucket, BucketError};
use crate::deadlines::Deadlines;
use crate::error::error_chain;
use crate::event::Entity;
use crate::message::{Message, OffloadReason, Payload};
use crate::queue::{Queue, QueueError};
use crate::report::StageDurations;
use crate::spill;
use aws_lite::BoxError;

/// A message that is durable.
#[derive(Debug)]
pub struct DeliveryResult {
    /// The message.
    pub message: Message,
    /// Where it was stored.
    pub destination: Destination,
    /// Why its body was offloaded, if it was.
    pub offload_reason: Option<OffloadReason>,
}

/// Where the durable copy of a message is.
#[derive(Debug)]
pub enum Destination {
    /// In the queue of its entity.
    Queue {
        /// The message id that SQS returned.
        message_id: String,
    },
    /// In the bucket, until it is sent to its queue.
    Spill {
        /// The key of the spilled message.
        key: String,
        /// Why it is not in its queue.
        reason: QueueError,
    },
}

/// Why no durable copy of a message is confirmed.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The body cannot be sent inline, and the bucket did not confirm that it stored it.
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

impl DeliveryResult {
    /// The `status` of the response.
    pub fn status(&self) -> &'static str {
        match (&self.destination, self.message.entity) {
            (Destination::Spill { .. }, _) => "spilled",
            (Destination::Queue { .. }, Entity::Unrouted(_)) => "unrouted",
            (Destination::Queue { .. }, _) => "queued",
        }
    }

    /// The id of the durable copy: SQS's message id, or the key of the spilled message.
    pub fn message_id(&self) -> &str {
        match &self.destination {
            Destination::Queue { message_id } => message_id,
            Destination::Spill { key, .. } => key,
        }
    }
}

/// Stores the payload, if there is one, and then sends the message; spills the message if its queue does not confirm it.
///
/// # Errors
/// If no durable copy is confirmed.
pub async fn deliver(
    bucket: &impl Bucket,
    queue: &impl Queue,
    message: Message,
    payload: Option<Payload>,
    deadlines: Deadlines,
) -> (Result<DeliveryResult, DeliveryError>, StageDurations) {
    let mut durations = StageDurations::default();
    let offload_reason = payload.as_ref().map(|payload| payload.reason);
    if let Some(Payload { key, bytes, .. }) = payload {
        let stored = bucket.put(&key, bytes);
        let stored = deadlines.payload.run(&mut durations.payload, stored).await;
        if let Err(error) = stored {
            return (Err(DeliveryError::PayloadNotStored(error)), durations);
        }
    }
    let sent = queue.send(&message);
    let destination = match deadlines.queue.run(&mut durations.queue, sent).await {
        Ok(message_id) => Destination::Queue { message_id },
        Err(reason) => {
            let key = spill::key(&message);
            let spilled = async {
                let json = spill::to_json(&message).map_err(BoxError::from)?;
                bucket.put(&key, json).await
            };
            let spilled = deadlines.spill.run(&mut durations.spill, spilled).await;
            if let Err(bucket) = spilled {
                let queue = reason;
                return (Err(DeliveryError::NotDurable { queue, bucket }), durations);
            }
            Destination::Spill { key, reason }
        }
    };
    let result = DeliveryResult { message, destination, offload_reason };
    (Ok(result), durations)
}
