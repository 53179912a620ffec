//! Request to answer: the order of the checks, and one log line. Routes and statuses are in rooms of their own.

mod answer;
mod gateway;
mod request;
mod route;

pub use answer::{Refusal, Served};
pub use gateway::{GatewayAnswer, GatewayEvent};
pub use request::{MalformedBase64, RawBody, Request};
pub use route::Route;

use crate::config::{Config, Sources};
use crate::queue::Queue;
use crate::receive::{Delivery, Origin, Relay};
use crate::secret;
use crate::secrets::SecretStore;
use crate::signature::{Rejected, SHA1_HEADER, SHA256_HEADER, Signatures, Unverified};
use crate::telemetry;
use crate::training::model_list;
use answer::reply;
use lambda_http::http::Response;
use lambda_http::http::header::CONTENT_TYPE;
use std::time::SystemTime;

/// Header with the topic. Source: <https://docs.labelbox.com/reference/webhook>.
const TOPIC_HEADER: &str = "x-labelbox-event";
/// Header with the delivery id. Same source.
const DELIVERY_ID_HEADER: &str = "x-labelbox-id";
/// The longest header value that is used, in bytes.
const MAX_HEADER_BYTES: usize = 256;
/// Where requests come in.
pub struct Door<S, Q> {
    relay: Relay<S, Q>,
    sources: Sources,
    models: String,
    clock: fn() -> SystemTime,
}

impl<S: SecretStore, Q: Queue> Door<S, Q> {
    /// Opens the door to a relay.
    pub fn new(config: &Config, relay: Relay<S, Q>, clock: fn() -> SystemTime) -> Self {
        Self {
            relay,
            sources: config.sources.clone(),
            models: model_list(&config.training_models),
            clock,
        }
    }

    /// Does what is better done before the first request.
    pub async fn warm_up(&self) {
        self.relay.warm_up((self.clock)()).await;
    }

    /// Answers a request, whatever it is, and writes its log line.
    pub async fn answer(&self, mut request: Request) -> Response<String> {
        let started = (self.clock)();
        let body = std::mem::take(&mut request.body);
        let body_bytes = body.byte_count();
        let route = Route::of_path(&request.path);
        let outcome = self.serve(&request, route.clone(), body, started).await;
        let answer = reply(&outcome);
        telemetry::answered(&telemetry::Line {
            request: &request,
            route: route.as_ref(),
            is_allowed_source: self.sources.allow(request.source),
            body_bytes,
            outcome: &outcome,
            status: answer.status().as_u16(),
            duration: (self.clock)().duration_since(started).unwrap_or_default(),
        });
        answer
    }

    async fn serve(
        &self,
        request: &Request,
        route: Option<Route>,
        body: RawBody,
        now: SystemTime,
    ) -> Result<Served, Refusal> {
        let route = route.ok_or(Refusal::NoRoute)?;
        let allow = route.method();
        if request.method != allow {
            return Err(Refusal::MethodNotAllowed { allow });
        }
        if route == Route::Health {
            return Ok(Served::Healthy);
        }
        if self.sources.enforced && !self.sources.allow(request.source) {
            return Err(Refusal::SourceNotAllowed);
        }
        // Labelbox's training calls name no content type.
        if matches!(route, Route::Webhook(_)) && !is_json(request.only_value(CONTENT_TYPE.as_str()))
        {
            return Err(Refusal::UnsupportedMediaType);
        }
        let body = body.decode()?;
        let signatures =
            Signatures::read(request.values(SHA1_HEADER), request.values(SHA256_HEADER));
        match route {
            Route::Health => Ok(Served::Healthy),
            Route::Models => self.models(signatures, now).await,
            Route::ModelRun => {
                self.event(request, Origin::Training, signatures, body, now)
                    .await
            }
            Route::Webhook(webhook) => {
                self.event(request, Origin::Webhook(webhook), signatures, body, now)
                    .await
            }
        }
    }

    async fn event(
        &self,
        request: &Request,
        origin: Origin,
        signatures: Result<Signatures, Rejected>,
        body: Vec<u8>,
        now: SystemTime,
    ) -> Result<Served, Refusal> {
        let delivery = Delivery {
            origin,
            signatures,
            body: Unverified::new(body),
            topic: usable(request.only_value(TOPIC_HEADER)),
            delivery_id: usable(request.only_value(DELIVERY_ID_HEADER)),
            trace: usable(request.trace.as_deref()),
        };
        let receipt = self.relay.receive(delivery, now).await?;
        Ok(Served::Received(Box::new(receipt)))
    }

    /// Labelbox signs this call over the empty body, whatever comes with it.
    async fn models(
        &self,
        signatures: Result<Signatures, Rejected>,
        now: SystemTime,
    ) -> Result<Served, Refusal> {
        let nothing = Unverified::new(Vec::new());
        self.relay
            .prove(secret::TRAINING, signatures, nothing, now)
            .await?;
        Ok(Served::Models(self.models.clone()))
    }
}

/// `application/json`, with or without parameters.
fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// A header's value, if it is 1 to 256 visible ASCII characters; any other counts as missing.
fn usable(value: Option<&str>) -> Option<String> {
    let is_usable = |value: &&str| {
        (1..=MAX_HEADER_BYTES).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_graphic())
    };
    value.filter(is_usable).map(str::to_owned)
}
