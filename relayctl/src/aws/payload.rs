//! The body of a message: in the message itself, or in the bucket if the message is a pointer.

use crate::aws::message::OutgoingMessage;
use crate::aws::spilled_message::{self, Payload};
use crate::aws::{CallResult, Clients};
use labelbox_relay::error::error_chain;
use labelbox_relay::message::PAYLOAD_SIZE;

#[derive(Debug, PartialEq, Eq)]
pub struct Content {
    /// The body, or its start. The error says why it cannot be read.
    pub bytes: Result<Vec<u8>, String>,
    /// Size of the whole body in bytes.
    pub size: u64,
    /// Where it is, if it is not in the message.
    pub payload: Option<Payload>,
}

/// Reads the body of a message: all of it, or its first `min_bytes` or more.
pub async fn read(
    clients: &Clients,
    message: &OutgoingMessage,
    min_bytes: Option<usize>,
) -> Content {
    let (bytes, payload) = match spilled_message::payload(message) {
        Ok(None) => (Ok(message.body.clone().into_bytes()), None),
        Ok(Some(payload)) => (get(clients, &payload, min_bytes).await, Some(payload)),
        Err(reason) => (Err(reason), None),
    };
    let size = message.attribute(PAYLOAD_SIZE).and_then(|size| size.parse().ok());
    Content { bytes, size: size.unwrap_or(message.body.len() as u64), payload }
}

async fn get(
    clients: &Clients,
    Payload { bucket, key }: &Payload,
    min_bytes: Option<usize>,
) -> Result<Vec<u8>, String> {
    let object = clients.s3.get_object().bucket(bucket).key(key).send().await;
    let object = object.action("s3:GetObject").map_err(|error| error.reason().into_owned())?;
    let mut body = object.body;
    let mut bytes = Vec::new();
    // A payload can have ten megabytes, of which one line of a terminal shows little.
    while min_bytes.is_none_or(|min| bytes.len() < min) {
        let Some(chunk) = body.next().await else { break };
        bytes.extend_from_slice(&chunk.map_err(|error| error_chain(&error))?);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
