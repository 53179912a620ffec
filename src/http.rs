//! Request to answer: the order of the checks, and one log line. Routes and statuses are in rooms of their own.

mod answer;
mod gateway;
mod request;
mod route;

pub use answer::{Refusal, Served};
pub use gateway::{GatewayAnswer, GatewayEvent};
pub use request::{MalformedBase64, RawBody, Request};
pub use route::Route;

use crate::bucket::Bucket;
use crate::config::{Config, Sources};
use crate::course::Course;
use crate::queue::Queue;
use crate::receive::{Delivery, Origin, Relay};
use crate::secrets::SecretStore;
use crate::signature::{Rejected, SHA1_HEADER, SHA256_HEADER, Signatures, Unverified};
use crate::telemetry::{Line, Log};
use crate::training::model_list;
use answer::reply;
use lambda_http::Context;
use lambda_http::http::Response;
use lambda_http::http::header::CONTENT_TYPE;
use std::time::{Duration, SystemTime};

/// Header with the topic. Source: <https://docs.labelbox.com/reference/webhook>.
const TOPIC_HEADER: &str = "x-labelbox-event";

/// Header with the delivery id. Same source.
const DELIVERY_ID_HEADER: &str = "x-labelbox-id";

/// The longest header value that is used, in bytes.
const MAX_HEADER_BYTES: usize = 256;

/// Where requests come in.
pub struct Door<S, Q, B> {
    relay: Relay<S, Q, B>,
    sources: Sources,
    models: String,
    log: Log,
    clock: fn() -> SystemTime,
}

impl<S: SecretStore, Q: Queue, B: Bucket> Door<S, Q, B> {
    /// Opens the door to a relay.
    pub fn new(
        config: &Config,
        relay: Relay<S, Q, B>,
        log: Log,
        clock: fn() -> SystemTime,
    ) -> Self {
        Self {
            relay,
            sources: config.sources.clone(),
            models: model_list(&config.training_models),
            log,
            clock,
        }
    }

    /// Does what is better done before the first request.
    pub async fn warm_up(&self) {
        self.relay.warm_up((self.clock)()).await;
    }

    /// Answers a gateway's event, whatever it is.
    pub async fn answer_event(&self, event: GatewayEvent, context: &Context) -> GatewayAnswer {
        let Some(request) = event.into_request(context) else {
            let unread = Request {
                request_id: context.request_id.clone(),
                ..Request::default()
            };
            let now = (self.clock)();
            return self
                .close(&Line {
                    request: &unread,
                    route: None,
                    body_bytes: 0,
                    outcome: &Err(Refusal::Unreadable),
                    course: &Course::starting_now(None),
                    started: now,
                    ended: now,
                })
                .into();
        };
        self.answer(request).await.into()
    }

    /// Answers a request, whatever it is, and writes its log line.
    pub async fn answer(&self, mut request: Request) -> Response<String> {
        let started = (self.clock)();
        let mut course = Course::starting_now(time_left(&request, started));
        let body = std::mem::take(&mut request.body);
        let body_bytes = body.byte_count();
        let route = Route::of_path(&request.path);
        let outcome = self
            .serve(&request, route.clone(), body, started, &mut course)
            .await;
        self.close(&Line {
            request: &request,
            route: route.as_ref(),
            body_bytes,
            outcome: &outcome,
            course: &course,
            started,
            ended: (self.clock)(),
        })
    }

    /// Writes the log line of a request, and gives the answer to it.
    fn close(&self, line: &Line<'_>) -> Response<String> {
        self.log.write(line);
        reply(line.outcome)
    }

    async fn serve(
        &self,
        request: &Request,
        route: Option<Route>,
        body: RawBody,
        now: SystemTime,
        course: &mut Course,
    ) -> Result<Served, Refusal> {
        let route = route.ok_or(Refusal::NoRoute)?;
        let allow = route.method();
        if request.method != allow {
            return Err(Refusal::MethodNotAllowed { allow });
        }
        let wants_models = route == Route::Models;
        let origin = match route {
            Route::Health => return Ok(Served::Healthy),
            Route::Models | Route::ModelRun => Origin::Training,
            Route::Webhook(webhook) => Origin::Webhook(webhook),
        };
        course.is_source_allowed = self.sources.allow(request.source);
        if !course.is_source_allowed && self.sources.enforced {
            return Err(Refusal::SourceNotAllowed);
        }
        // Labelbox's training calls name no content type.
        let is_webhook = matches!(origin, Origin::Webhook(_));
        if is_webhook && !is_json(request.only_value(CONTENT_TYPE.as_str())) {
            return Err(Refusal::UnsupportedMediaType);
        }
        let body = body.decode()?;
        let signatures =
            Signatures::read(request.values(SHA1_HEADER), request.values(SHA256_HEADER));
        if wants_models {
            return self.models(origin, signatures, now, course).await;
        }
        let delivery = Delivery {
            origin,
            signatures,
            body: Unverified::new(body),
            topic: usable(request.only_value(TOPIC_HEADER)),
            delivery_id: usable(request.only_value(DELIVERY_ID_HEADER)),
            trace: usable(request.trace.as_deref()).filter(|trace| has_root(trace)),
        };
        let receipt = self.relay.receive(delivery, now, course).await?;
        Ok(Served::Received(Box::new(receipt)))
    }

    /// Labelbox signs this call over the empty body, whatever comes with it.
    async fn models(
        &self,
        origin: Origin,
        signatures: Result<Signatures, Rejected>,
        now: SystemTime,
        course: &mut Course,
    ) -> Result<Served, Refusal> {
        let nothing = Unverified::new(Vec::new());
        let proof = self.relay.prove(&origin, signatures, nothing, now, course);
        proof.await?;
        Ok(Served::Models(self.models.clone()))
    }
}

/// How long Lambda lets us work on this request; nothing, when its time is over.
fn time_left(request: &Request, now: SystemTime) -> Option<Duration> {
    let deadline = request.deadline?;
    Some(deadline.duration_since(now).unwrap_or_default())
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

/// Whether SQS takes it as a trace header: that has the id of a trace as `Root`. Source:
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html>.
fn has_root(trace: &str) -> bool {
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let is_root = |part: &str| {
        let id = part
            .strip_prefix("Root=1-")
            .and_then(|id| id.split_once('-'));
        id.is_some_and(|(time, unique)| is_hex(time, 8) && is_hex(unique, 24))
    };
    trace.split(';').any(is_root)
}
