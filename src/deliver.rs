//! Makes a message durable: its queue confirms it, or else the bucket does.

use crate::archive;
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
    /// Why it is not in the archive, if it should be.
    pub archive_error: Option<BucketError>,
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

/// Makes a message durable, and archives it at the same time if `archives_events`.
///
/// # Errors
/// If no durable copy is confirmed.
pub async fn deliver(
    bucket: &impl Bucket,
    queue: &impl Queue,
    message: Message,
    payload: Option<Payload>,
    archives_events: bool,
    deadlines: Deadlines,
) -> (Result<DeliveryResult, DeliveryError>, StageDurations) {
    let mut durations = StageDurations::default();
    let payload = payload.as_ref();
    let (destination, archive_error) = {
        let delivery = store(bucket, queue, &message, payload, deadlines, &mut durations);
        if archives_events {
            let archiving = archive::write(bucket, &message, payload);
            archive::write_during(delivery, archiving, deadlines.spill).await
        } else {
            (delivery.await, None)
        }
    };
    let offload_reason = payload.map(|payload| payload.reason);
    let result = destination.map(|destination| DeliveryResult {
        message,
        destination,
        offload_reason,
        archive_error,
    });
    (result, durations)
}

/// Stores the payload, if there is one, and then sends the message; spills the message if its queue does not confirm it.
async fn store(
    bucket: &impl Bucket,
    queue: &impl Queue,
    message: &Message,
    payload: Option<&Payload>,
    deadlines: Deadlines,
    durations: &mut StageDurations,
) -> Result<Destination, DeliveryError> {
    if let Some(Payload { key, bytes, .. }) = payload {
        let stored = bucket.put(key, bytes.clone());
        let stored = deadlines.payload.run(&mut durations.payload, stored).await;
        stored.map_err(DeliveryError::PayloadNotStored)?;
    }
    let sent = queue.send(message);
    let reason = match deadlines.queue.run(&mut durations.queue, sent).await {
        Ok(message_id) => return Ok(Destination::Queue { message_id }),
        Err(reason) => reason,
    };
    let key = spill::key(message);
    let spilled = async {
        let json = spill::to_json(message).map_err(BoxError::from)?;
        bucket.put(&key, json.into()).await
    };
    match deadlines.spill.run(&mut durations.spill, spilled).await {
        Ok(()) => Ok(Destination::Spill { key, reason }),
        Err(bucket) => Err(DeliveryError::NotDurable { queue: reason, bucket }),
    }
}
