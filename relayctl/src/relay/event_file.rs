//! A file to send: a body, byte for byte, or a gateway's event like those of `events/`.

use crate::error::Error;
use crate::output::Output;
use crate::relay::client::{Delivery, Route, new_id};
use crate::relay::sample_event::{header_value, other_topic, topic_parser};
use crate::sanitize::one_line;
use crate::secret::{DEFAULT_NAME, check_webhook_name};
use labelbox_relay::http::{GatewayEvent, Request};
use lambda_http::Context;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// API Gateway rejects larger requests. Source:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>.
const GATEWAY_LIMIT: usize = 10 * 1024 * 1024;
/// Lambda accepts events of up to 6 MB, in which the body is a JSON string. Source:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const LAMBDA_LIMIT: usize = 6_000_000;

/// Only a gateway's event has this field.
#[derive(Deserialize)]
struct GatewayEventMark {
    #[serde(rename = "requestContext")]
    _request_context: serde_json::Map<String, serde_json::Value>,
}

/// Route and headers of a file that is not a gateway's event.
#[derive(Debug, clap::Args)]
pub struct Address {
    /// Topic, as Labelbox's header names it; without it the event is unrouted
    #[arg(long, conflicts_with = "training", value_parser = topic_parser(), ignore_case = true)]
    topic: Option<String>,
    /// A topic that Labelbox does not have yet, to see where it goes
    #[arg(long, conflicts_with_all = ["training", "topic"], value_name = "TOPIC", value_parser = other_topic)]
    any_topic: Option<String>,
    /// Delivery id, as Labelbox's header has it [default: a new one for each]
    #[arg(long, conflicts_with = "training", value_parser = header_value)]
    delivery_id: Option<String>,
    /// Name of the webhook, which selects its secret [default: labelbox]
    #[arg(long, conflicts_with = "training", value_parser = webhook_name)]
    webhook: Option<String>,
    /// Send it as a request for a training run
    #[arg(long)]
    training: bool,
}

/// Accepts what can be the name of a webhook.
pub fn webhook_name(text: &str) -> Result<String, Error> {
    check_webhook_name(text).map(|()| text.to_owned())
}

impl Address {
    /// Reads a file as it will be sent.
    pub fn read(&self, file: &Path, output: &Output) -> Result<Delivery, Error> {
        let error = |reason| Error::File { file: file.display().to_string(), reason };
        let body = read(file, output).map_err(|it| error(it.to_string()))?;
        if is_gateway_event(&body) {
            let delivery = from_gateway_event(&body).map_err(error)?;
            let Self { topic, any_topic, delivery_id, webhook, training } = self;
            let given = [topic, any_topic, delivery_id, webhook];
            if *training || given.into_iter().any(Option::is_some) {
                let name = one_line(&file.display().to_string());
                output.warn(format_args!(
                    "warning: {name} is a gateway's event, whose own topic, delivery id and route are used; the options do not count"
                ));
            }
            return Ok(delivery);
        }
        if self.training {
            let route = Route::ModelRun;
            return Ok(Delivery { route, topic: None, delivery_id: None, body });
        }
        let topic = self.topic.as_ref().or(self.any_topic.as_ref()).cloned();
        if topic.is_none() {
            let name = one_line(&file.display().to_string());
            output.warn(format_args!(
                "{name}: no topic, so the event will be unrouted; --topic names one"
            ));
        }
        Ok(Delivery {
            route: Route::Webhook(self.webhook.as_deref().unwrap_or(DEFAULT_NAME).to_owned()),
            topic,
            delivery_id: Some(self.delivery_id.clone().unwrap_or_else(new_id)),
            body,
        })
    }
}

/// Reads a file, or standard input if its name is `-`, but never more than API Gateway accepts.
fn read(path: &Path, output: &Output) -> io::Result<Vec<u8>> {
    let bytes = match path.as_os_str() == "-" {
        true => read_limited(io::stdin().lock())?,
        false => read_limited(File::open(path)?)?,
    };
    if bytes.len() > LAMBDA_LIMIT {
        let name = one_line(&path.display().to_string());
        output.warn(format_args!(
            "warning: {name} is over 6 MB, the limit of Lambda's events: the relay may not get it"
        ));
    }
    Ok(bytes)
}

fn read_limited(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(GATEWAY_LIMIT as u64 + 1).read_to_end(&mut bytes)?;
    match bytes.len() > GATEWAY_LIMIT {
        true => Err(io::Error::other("it is over 10 MB, which API Gateway does not accept")),
        false => Ok(bytes),
    }
}

fn is_gateway_event(bytes: &[u8]) -> bool {
    serde_json::from_slice::<GatewayEventMark>(bytes).is_ok()
}

/// Takes everything but the signatures, which may be those of another secret.
fn from_gateway_event(bytes: &[u8]) -> Result<Delivery, String> {
    let event: Option<GatewayEvent> = serde_json::from_slice(bytes).ok();
    let request = event.and_then(|event| event.into_request(&Context::default()));
    let request = request.filter(|request| !request.is_malformed);
    let request = request.ok_or("it looks like a gateway's event, and cannot be read as one")?;
    let route = route(&request)?;
    let header = |name| request.single_value(name).map(str::to_owned);
    let (topic, delivery_id) = (header("x-labelbox-event"), header("x-labelbox-id"));
    let body = request.body.ok_or("its body is not valid base64")?;
    Ok(Delivery { route, topic, delivery_id, body })
}

fn route(request: &Request) -> Result<Route, String> {
    match request.path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "webhooks", name] => {
            webhook_name(name).map(Route::Webhook).map_err(|error| error.to_string())
        }
        ["", "training", "model_run"] => Ok(Route::ModelRun),
        _ => Err(format!(
            "it is an event for {} {}, which takes no payload",
            request.method, request.path
        )),
    }
}

#[cfg(test)]
mod tests;
