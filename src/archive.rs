//! The archive: a copy of every accepted event in the bucket, written while the event is delivered.

use crate::bucket::{Bucket, BucketError};
use crate::deadlines::Deadline;
use crate::event::timestamp;
use crate::message::{Message, Payload};
use crate::spill;
use aws_lite::BoxError;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

/// The prefix of the keys of all archived events.
pub const PREFIX: &str = "archive/";

/// How long the response waits for the archive after the event is durable. At most a second is promised; the rest is for
/// the work in between.
const MAX_WAIT: Duration = Duration::from_millis(900);

/// The key of an archived event without its ending: by entity and by the hour (UTC) in which it arrived. `.json` is its
/// record, and `.body` the body that a pointer points to.
pub fn key(message: &Message) -> String {
    let received_at = timestamp(message.received_at);
    let (day, hour) = (spill::day(message), message.received_at.hour());
    format!("{PREFIX}{}/{day}/{hour:02}/{received_at}-{}", message.entity.name(), message.dedup_id)
}

/// Archives an event: its record has the form of a spilled message. A body of its own comes first, so that no record lacks
/// it. It is a copy of the payload, because a consumer's library may delete that with the message.
///
/// # Errors
/// If the bucket does not confirm both.
pub async fn write(
    bucket: &impl Bucket,
    message: &Message,
    payload: Option<&Payload>,
) -> Result<(), BucketError> {
    let key = key(message);
    if let Some(payload) = payload {
        bucket.put(&format!("{key}.body"), payload.bytes.clone()).await?;
    }
    let record = spill::to_json(message).map_err(BoxError::from)?;
    bucket.put(&format!("{key}.json"), record.into()).await
}

/// Runs `delivery` and `archiving` at the same time. After a successful delivery, it waits for the archive a little longer,
/// but not beyond the deadline. After a failed one, it abandons the archive, which may have the event nevertheless.
///
/// Returns the result of the delivery, and why the event is not archived.
pub async fn write_during<T, E>(
    delivery: impl Future<Output = Result<T, E>>,
    archiving: impl Future<Output = Result<(), BucketError>>,
    deadline: Deadline,
) -> (Result<T, E>, Option<BucketError>) {
    let (mut delivery, mut archiving) = (pin!(delivery), pin!(archiving));
    tokio::select! {
        biased;
        delivered = &mut delivery => {
            if delivered.is_err() {
                return (delivered, None);
            }
            let archived = deadline.within(MAX_WAIT).run(&mut None, archiving).await;
            (delivered, archived.err())
        }
        archived = &mut archiving => (delivery.await, archived.err()),
    }
}

#[cfg(test)]
mod tests;
