//! A file with something to send: a body, byte for byte, or a gateway's event like those of `events/`.

use crate::error::Error;
use crate::relay::client::{Delivery, Route};
use labelbox_relay::http::{GatewayEvent, Request};
use lambda_http::Context;
use serde::Deserialize;
use std::io::Read;
use std::path::Path;

/// A gateway's event is known by what no body has.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "requestContext")]
    _request_context: serde_json::Map<String, serde_json::Value>,
}

/// What a file holds.
#[derive(Debug)]
pub enum Content {
    Body(Vec<u8>),
    /// What the event tells of: its signatures are those of another secret, perhaps.
    Delivery(Delivery),
}

/// Reads a file, or standard input where its name is `-`.
pub fn read(path: &Path) -> Result<Content, Error> {
    let unreadable = |error: std::io::Error| Error::File {
        file: path.display().to_string(),
        reason: error.to_string(),
    };
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    understand(bytes.map_err(unreadable)?)
        .map_err(|said| Error::File { file: path.display().to_string(), reason: said })
}

fn understand(bytes: Vec<u8>) -> Result<Content, String> {
    if serde_json::from_slice::<Event>(&bytes).is_err() {
        return Ok(Content::Body(bytes));
    }
    let event: Option<GatewayEvent> = serde_json::from_slice(&bytes).ok();
    let request = event.and_then(|event| event.into_request(&Context::default()));
    let request = request.filter(|request| !request.is_malformed);
    let request = request.ok_or("it looks like a gateway's event, and cannot be read as one")?;
    let route = route(&request)?;
    let header = |name| request.single_value(name).map(str::to_owned);
    let (topic, delivery_id) = (header("x-labelbox-event"), header("x-labelbox-id"));
    let body = request.body.ok_or("its body is not valid base64")?;
    Ok(Content::Delivery(Delivery { route, topic, delivery_id, body }))
}

fn route(request: &Request) -> Result<Route, String> {
    match request.path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "webhooks", name] => Ok(Route::Webhook((*name).to_owned())),
        ["", "training", "model_run"] => Ok(Route::ModelRun),
        _ => Err(format!(
            "it is an event for {} {}, which takes no payload",
            request.method, request.path
        )),
    }
}

#[cfg(test)]
mod tests;
