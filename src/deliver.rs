//! When an event counts as durable: its queue has confirmed it, or else the bucket has.

use crate::bucket::{Bucket, BucketError};
use crate::deadlines::{DeadlineExceeded, Stopwatch};
use crate::error::IngestError;
use crate::message::{Message, Payload};
use crate::queue::{Queue, QueueError};
use crate::request_context::RequestContext;
use crate::spill;

/// Where the durable copy of an event is.
#[derive(Debug)]
pub enum Destination {
    /// In the queue of its entity.
    Queued {
        /// SQS's id of the message.
        message_id: String,
    },
    /// In the bucket, until somebody sends it to its queue.
    Spilled {
        /// The key of its record.
        key: String,
        /// Why it is not in its queue.
        reason: QueueError,
    },
}

/// Makes a message durable, its payload first.
///
/// # Errors
/// When there is no confirmed copy; the sender must try again.
pub async fn deliver(
    bucket: &impl Bucket,
    queue: &impl Queue,
    message: &Message,
    payload: Option<Payload>,
    course: &mut RequestContext,
) -> Result<Destination, IngestError> {
    if let Some(Payload { key, bytes, .. }) = payload {
        let watch = Stopwatch::start();
        let stored = course.schedule.payload(bucket.put(&key, bytes)).await;
        course.times.payload = Some(watch.time());
        in_time(stored).map_err(IngestError::PayloadNotStored)?;
    }
    let watch = Stopwatch::start();
    let sent = course.schedule.queue(queue.send(message)).await;
    course.times.queue = Some(watch.time());
    match sent.unwrap_or_else(|late| Err(QueueError::NotSent(late.into()))) {
        Ok(message_id) => Ok(Destination::Queued { message_id }),
        Err(reason) => spill(bucket, message, reason, course).await,
    }
}

async fn spill(
    bucket: &impl Bucket,
    message: &Message,
    reason: QueueError,
    course: &mut RequestContext,
) -> Result<Destination, IngestError> {
    let key = spill::key(message);
    let watch = Stopwatch::start();
    let stored = match spill::record(message) {
        Ok(record) => in_time(course.schedule.spill(bucket.put(&key, record)).await),
        Err(error) => Err(BucketError::NotStored(error.into())),
    };
    course.times.spill = Some(watch.time());
    match stored {
        Ok(()) => Ok(Destination::Spilled { key, reason }),
        Err(bucket) => Err(IngestError::DeliveryFailed {
            queue: reason,
            bucket,
        }),
    }
}

/// What the bucket has not confirmed in time counts as not stored.
fn in_time(stored: Result<Result<(), BucketError>, DeadlineExceeded>) -> Result<(), BucketError> {
    stored.unwrap_or_else(|late| Err(BucketError::NotStored(late.into())))
}
