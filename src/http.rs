//! Request to answer: the routes, the order of the checks, the statuses, one log line.

mod gateway;
mod request;

pub use gateway::{GatewayAnswer, GatewayEvent};
pub use request::{MalformedBase64, RawBody, Request};

use crate::config::{Config, Sources};
use crate::error::Failure;
use crate::queue::Queue;
use crate::receive::{Delivery, Origin, Receipt, Relay};
use crate::secret;
use crate::secrets::SecretStore;
use crate::signature::{Rejected, SHA1_HEADER, SHA256_HEADER, Signatures, Unverified};
use crate::telemetry;
use crate::training::model_list;
use lambda_http::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use lambda_http::http::{HeaderName, HeaderValue, Response, StatusCode};
use std::time::SystemTime;

/// Header with the topic. Source: <https://docs.labelbox.com/reference/webhook>.
const TOPIC_HEADER: &str = "x-labelbox-event";
/// Header with the delivery id. Same source.
const DELIVERY_ID_HEADER: &str = "x-labelbox-id";
/// The longest header value that is used, in bytes.
const MAX_HEADER_BYTES: usize = 256;
/// The longest webhook name, in bytes.
const MAX_WEBHOOK_BYTES: usize = 64;
/// What a sender should wait before it tries again, in seconds: long enough for a short outage to be over.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Where requests come in.
pub struct Door<S, Q> {
    relay: Relay<S, Q>,
    sources: Sources,
    models: String,
    clock: fn() -> SystemTime,
}

/// The four routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `POST /webhooks/{webhook}`.
    Webhook(String),
    /// `GET /training/models`.
    Models,
    /// `POST /training/model_run`.
    ModelRun,
    /// `GET /health`.
    Health,
}

/// A request that got what it asked for.
#[derive(Debug)]
pub enum Served {
    /// The relay is up.
    Healthy,
    /// The model list, as JSON.
    Models(String),
    /// An event is durable.
    Received(Box<Receipt>),
}

/// A request that did not.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No such path.
    #[error("no such route")]
    NoRoute,
    /// The path has another method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// The only method that the path takes.
        allow: &'static str,
    },
    /// The source address is not in the list.
    #[error("source address not allowed")]
    SourceNotAllowed,
    /// A webhook that is not JSON.
    #[error("content type is not application/json")]
    UnsupportedMediaType,
    /// The gateway said base64, and it is not.
    #[error(transparent)]
    MalformedBase64(#[from] MalformedBase64),
    /// The relay itself said no.
    #[error(transparent)]
    Failed(#[from] Failure),
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

impl Route {
    /// The route of a path; `None` for any other path.
    pub fn of_path(path: &str) -> Option<Self> {
        match path {
            "/health" => Some(Self::Health),
            "/training/models" => Some(Self::Models),
            "/training/model_run" => Some(Self::ModelRun),
            _ => path
                .strip_prefix("/webhooks/")
                .filter(|name| is_webhook_name(name))
                .map(|name| Self::Webhook(name.to_owned())),
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Webhook(_) | Self::ModelRun => "POST",
            Self::Models | Self::Health => "GET",
        }
    }
}

/// What to answer, and so whether the sender should try again: for every 503 it should, for nothing else.
fn reply(outcome: &Result<Served, Refusal>) -> Response<String> {
    let refusal = match outcome {
        Ok(Served::Healthy) => return json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
        Ok(Served::Models(models)) => return json(StatusCode::OK, models.clone()),
        Ok(Served::Received(receipt)) => return json(StatusCode::OK, receipt_json(receipt)),
        Err(refusal) => refusal,
    };
    match refusal {
        Refusal::NoRoute | Refusal::Failed(Failure::UnknownWebhook) => {
            error(StatusCode::NOT_FOUND, "not_found")
        }
        Refusal::MethodNotAllowed { allow } => {
            let answer = error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
            with_header(answer, ALLOW, HeaderValue::from_static(allow))
        }
        Refusal::SourceNotAllowed => error(StatusCode::FORBIDDEN, "source_not_allowed"),
        Refusal::UnsupportedMediaType => {
            error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
        }
        Refusal::MalformedBase64(_) => error(StatusCode::BAD_REQUEST, "malformed_base64"),
        Refusal::Failed(Failure::Rejected(_)) => {
            error(StatusCode::UNAUTHORIZED, "signature_rejected")
        }
        Refusal::Failed(
            Failure::NoSecret(_)
            | Failure::SecretTimeout
            | Failure::NotCarriable(_)
            | Failure::NotQueued(_),
        ) => with_header(
            error(StatusCode::SERVICE_UNAVAILABLE, "try_again"),
            RETRY_AFTER,
            RETRY_AFTER_SECONDS,
        ),
    }
}

fn receipt_json(receipt: &Receipt) -> String {
    let (status, entity) = (receipt.status(), receipt.message.entity.name());
    serde_json::json!({"status": status, "entity": entity, "message_id": receipt.message_id})
        .to_string()
}

fn error(status: StatusCode, code: &str) -> Response<String> {
    json(status, format!(r#"{{"error":"{code}"}}"#))
}

fn json(status: StatusCode, body: String) -> Response<String> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let answer = with_header(
        answer,
        CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    with_header(answer, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn with_header(
    mut answer: Response<String>,
    name: HeaderName,
    value: HeaderValue,
) -> Response<String> {
    answer.headers_mut().insert(name, value);
    answer
}

fn is_webhook_name(name: &str) -> bool {
    (1..=MAX_WEBHOOK_BYTES).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
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
