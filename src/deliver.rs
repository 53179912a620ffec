//! When an event counts as durable: its queue has confirmed it.

use crate::error::Failure;
use crate::message::Message;
use crate::queue::Queue;

/// Makes a message durable and gives the id of the stored copy.
///
/// # Errors
/// When there is no confirmed copy; the sender must try again.
pub async fn deliver(queue: &impl Queue, message: &Message) -> Result<String, Failure> {
    queue.send(message).await.map_err(Failure::NotQueued)
}
