//! The body of a message wherever it is: in the message itself, or in the bucket, where a pointer leads to it.

use crate::aws::message::OutgoingMessage;
use crate::aws::spilled_message::{self, Payload};
use crate::aws::{self, Clients};
use labelbox_relay::error::error_chain;
use labelbox_relay::message::PAYLOAD_SIZE;
use serde::Serialize;

/// What a message carries.
#[derive(Debug, PartialEq, Eq)]
pub struct Content {
    /// The body, or its beginning. The error says why it cannot be had.
    pub bytes: Result<Vec<u8>, String>,
    /// Size of the whole body.
    pub size: u64,
    /// Where it is, if it is not in the message.
    pub place: Option<Place>,
}

/// Where the body of a pointer is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    pub bucket: String,
    pub key: String,
    /// In bytes.
    pub size: u64,
}

/// Reads the body of a message: all of it, or as much as `enough` bytes need.
pub async fn content(
    clients: &Clients,
    message: &OutgoingMessage,
    enough: Option<usize>,
) -> Content {
    let said = message.attribute(PAYLOAD_SIZE);
    let size = said.and_then(|size| size.parse().ok()).unwrap_or_default();
    match spilled_message::payload(message) {
        Ok(None) => Content {
            bytes: Ok(message.body.clone().into_bytes()),
            size: message.body.len() as u64,
            place: None,
        },
        Err(error) => Content { bytes: Err(error.to_string()), size, place: None },
        Ok(Some(Payload { bucket, key })) => Content {
            bytes: get(clients, &bucket, &key, enough).await,
            size,
            place: Some(Place { bucket, key, size }),
        },
    }
}

async fn get(
    clients: &Clients,
    bucket: &str,
    key: &str,
    enough: Option<usize>,
) -> Result<Vec<u8>, String> {
    let request = clients.s3.get_object().bucket(bucket).key(key);
    let object = request.send().await;
    let object = object.map_err(|error| {
        format!("it cannot be had: {}", aws::error("s3:GetObject", &error).reason())
    })?;
    let mut body = object.body;
    let mut bytes = Vec::new();
    // What is not read stays where it is: a payload may have ten megabytes, and a line of a terminal has none of it.
    while enough.is_none_or(|enough| bytes.len() < enough) {
        let Some(more) = body.next().await else { break };
        let more = more.map_err(|error| format!("it cannot be had: {}", error_chain(&error)))?;
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
