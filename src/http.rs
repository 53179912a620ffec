//! Request to answer: the order of the checks, and one log line. Routes and statuses are in rooms of their own.

mod answer;
mod gateway;
mod request;
mod route;

pub use answer::{Refusal, Served};
pub use gateway::{EventError, GatewayAnswer, GatewayEvent};
pub use request::{MalformedBase64, RawBody, Request};
pub use route::Route;

use crate::bucket::Bucket;
use crate::config::{Config, Sources};
use crate::course::Course;
use crate::queue::Queue;
use crate::receive::{Delivery, Origin, Relay};
use crate::secrets::SecretStore;
use crate::signature::{Rejected, SHA1_HEADER, SHA256_HEADER, Signatures, Unverified};
use crate::telemetry::{self, Line, Log};
use crate::training::model_list;
use answer::reply;
use lambda_http::Context;
use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::http::{Method, Response};
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
        match event.into_request(context) {
            Ok(request) => self.answer(request).await.into(),
            Err(EventError::NotHttp) => {
                telemetry::not_an_http_request(&context.request_id);
                reply(&Err(Refusal::NoRoute)).into()
            }
            Err(EventError::Unreadable) => {
                let now = (self.clock)();
                let unread = Request {
                    request_id: context.request_id.clone(),
                    ..Request::default()
                };
                self.close(&Line {
                    request: &unread,
                    route: None,
                    body_bytes: 0,
                    outcome: &Err(Refusal::Unreadable),
                    course: &Course::starting_now(None),
                    started: now,
                    ended: now,
                })
                .into()
            }
        }
    }

    /// Answers a request, whatever it is, and writes its log line.
    pub async fn answer(&self, mut request: Request) -> Response<String> {
        let started = (self.clock)();
        let mut course = Course::starting_now(time_left(&request, started));
        let body = std::mem::take(&mut request.body);
        let body_bytes = body.byte_count();
        let route = Route::of_path(&request.path);
        let outcome = match self.check(&request, route.as_ref(), &mut course) {
            Ok(route) => {
                self.serve(&request, route, body, started, &mut course)
                    .await
            }
            Err(refusal) => {
                course.is_signed_but_refused = self.is_signed(&request, route.as_ref(), body);
                Err(refusal)
            }
        };
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
        let mut answer = reply(line.outcome);
        if line.request.method == Method::HEAD.as_str() {
            answer.body_mut().clear();
        }
        answer
    }

    /// Checks all that can be checked without the body, in the order of the contract.
    fn check<'r>(
        &self,
        request: &Request,
        route: Option<&'r Route>,
        course: &mut Course,
    ) -> Result<&'r Route, Refusal> {
        let route = route.ok_or(Refusal::NoRoute)?;
        if !route.takes(&request.method) {
            return Err(Refusal::MethodNotAllowed {
                allow: route.allow(),
            });
        }
        if *route == Route::Health {
            return Ok(route);
        }
        course.is_source_allowed = self.sources.allow(request.source);
        if !course.is_source_allowed && self.sources.enforced {
            return Err(Refusal::SourceNotAllowed);
        }
        // Labelbox's training calls name no content type.
        if matches!(route, Route::Webhook(_)) && !is_json(request.values(CONTENT_TYPE.as_str())) {
            return Err(Refusal::UnsupportedMediaType);
        }
        Ok(route)
    }

    async fn serve(
        &self,
        request: &Request,
        route: &Route,
        body: RawBody,
        now: SystemTime,
        course: &mut Course,
    ) -> Result<Served, Refusal> {
        let Some(origin) = origin_of(route) else {
            return Ok(Served::Healthy);
        };
        let body = body.decode()?;
        let signatures = signatures_of(request);
        if *route == Route::Models {
            return self.models(origin, signatures, now, course).await;
        }
        let delivery = Delivery {
            origin,
            signatures,
            body: Unverified::new(body),
            topic: usable(request.only_value(TOPIC_HEADER)),
            delivery_id: usable(request.only_value(DELIVERY_ID_HEADER)),
            trace: usable(request.trace.as_deref()).filter(|trace| has_root(trace)),
            request_id: request.request_id.clone(),
        };
        let receipt = self.relay.receive(delivery, now, course).await?;
        Ok(Served::Received(Box::new(receipt)))
    }

    /// Whether a refused request is signed with one of our secrets: an event that is lost, and no noise.
    fn is_signed(&self, request: &Request, route: Option<&Route>, body: RawBody) -> bool {
        let body = if route == Some(&Route::Models) {
            Ok(Vec::new())
        } else {
            body.decode()
        };
        let (Ok(signatures), Ok(body)) = (signatures_of(request), body) else {
            return false;
        };
        let origin = route.and_then(origin_of);
        let body = Unverified::new(body);
        self.relay.is_signed(origin.as_ref(), &signatures, &body)
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

/// Whose secrets sign the requests to a route; `None` for the route that is not signed.
fn origin_of(route: &Route) -> Option<Origin> {
    match route {
        Route::Health => None,
        Route::Models | Route::ModelRun => Some(Origin::Training),
        Route::Webhook(webhook) => Some(Origin::Webhook(webhook.clone())),
    }
}

fn signatures_of(request: &Request) -> Result<Signatures, Rejected> {
    Signatures::read(request.values(SHA1_HEADER), request.values(SHA256_HEADER))
}

/// How long Lambda lets us work on this request. A deadline that is over when the request arrives is none: Lambda starts
/// no invocation whose time is up, but `cargo lambda` sends a constant deadline in 1970.
fn time_left(request: &Request, now: SystemTime) -> Option<Duration> {
    let left = request.deadline?.duration_since(now).ok()?;
    Some(left).filter(|left| !left.is_zero())
}

/// Whether there is a content type, and each that is there is `application/json`, with or without parameters. Proxies
/// repeat headers, and join the values with a comma (RFC 9110, section 5.3).
fn is_json<'r>(mut content_types: impl Iterator<Item = &'r str>) -> bool {
    let Some(first) = content_types.next() else {
        return false;
    };
    let is_json = |content_type: &str| {
        let (mut in_quotes, mut is_escaped) = (false, false);
        let mut values = content_type.split(|character| {
            in_quotes ^= character == '"' && !is_escaped;
            is_escaped = in_quotes && character == '\\' && !is_escaped;
            character == ',' && !in_quotes
        });
        values.all(|value| {
            let media_type = value.split(';').next().unwrap_or_default();
            media_type.trim().eq_ignore_ascii_case("application/json")
        })
    };
    is_json(first) && content_types.all(is_json)
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
