//! Request to answer: the order of the checks, and one log line. Routes and statuses are in rooms of their own.

mod gateway;
mod request;
mod response;
mod route;

pub use gateway::{EventError, GatewayEvent, GatewayResponse};
pub use request::{MalformedBase64, RawBody, Request};
pub use response::{ApiError, Success};
pub use route::Route;

use crate::bucket::Bucket;
use crate::config::{Config, SourceAllowlist};
use crate::queue::Queue;
use crate::receive::{Delivery, Relay, SecretScope};
use crate::request_context::RequestContext;
use crate::secrets::SecretStore;
use crate::signature::{InvalidSignature, SHA1_HEADER, SHA256_HEADER, Signatures, Unverified};
use crate::telemetry::{self, Log, RequestLog};
use crate::training::model_list;
use lambda_http::Context;
use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::http::{Method, Response};
use response::into_response;
use std::time::{Duration, SystemTime};

/// Header with the topic. Source: <https://docs.labelbox.com/reference/webhook>.
const TOPIC_HEADER: &str = "x-labelbox-event";

/// Header with the delivery id. Same source.
const DELIVERY_ID_HEADER: &str = "x-labelbox-id";

/// The longest header value that is used, in bytes.
const MAX_HEADER_BYTES: usize = 256;

/// Where requests come in.
pub struct WebhookHandler<S, Q, B> {
    relay: Relay<S, Q, B>,
    sources: SourceAllowlist,
    models: String,
    log: Log,
    clock: fn() -> SystemTime,
}

impl<S: SecretStore, Q: Queue, B: Bucket> WebhookHandler<S, Q, B> {
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
    pub async fn handle(&self, event: GatewayEvent, context: &Context) -> GatewayResponse {
        match event.into_request(context) {
            Ok(request) => self.answer(request).await.into(),
            Err(EventError::NotHttp) => {
                telemetry::not_an_http_request(&context.request_id);
                into_response(&Err(ApiError::NoRoute)).into()
            }
            Err(EventError::Unreadable) => {
                let now = (self.clock)();
                let unread = Request {
                    request_id: context.request_id.clone(),
                    ..Request::default()
                };
                self.respond(&RequestLog {
                    request: &unread,
                    route: None,
                    body_bytes: 0,
                    outcome: &Err(ApiError::Unreadable),
                    course: &RequestContext::starting_now(None),
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
        let mut course = RequestContext::starting_now(time_left(&request, started));
        let body = std::mem::take(&mut request.body);
        let body_bytes = body.byte_count();
        let route = Route::of_path(&request.path);
        let outcome = match self.check(&request, route.as_ref(), &mut course) {
            Ok(route) => {
                self.dispatch(&request, route, body, started, &mut course)
                    .await
            }
            Err(refusal) => {
                course.is_signed_but_refused = self.is_signed(&request, route.as_ref(), body);
                Err(refusal)
            }
        };
        self.respond(&RequestLog {
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
    fn respond(&self, line: &RequestLog<'_>) -> Response<String> {
        self.log.write(line);
        let mut answer = into_response(line.outcome);
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
        course: &mut RequestContext,
    ) -> Result<&'r Route, ApiError> {
        let route = route.ok_or(ApiError::NoRoute)?;
        if !route.takes(&request.method) {
            return Err(ApiError::MethodNotAllowed {
                allow: route.allow(),
            });
        }
        if *route == Route::Health {
            return Ok(route);
        }
        course.is_source_allowed = self.sources.allow(request.source);
        if !course.is_source_allowed && self.sources.enforced {
            return Err(ApiError::SourceNotAllowed);
        }
        // Labelbox's training calls name no content type.
        if matches!(route, Route::Webhook(_)) && !is_json(request.values(CONTENT_TYPE.as_str())) {
            return Err(ApiError::UnsupportedMediaType);
        }
        Ok(route)
    }

    async fn dispatch(
        &self,
        request: &Request,
        route: &Route,
        body: RawBody,
        now: SystemTime,
        course: &mut RequestContext,
    ) -> Result<Success, ApiError> {
        let Some(scope) = secret_scope(route) else {
            return Ok(Success::Healthy);
        };
        let body = body.decode()?;
        let signatures = signatures_of(request);
        if *route == Route::Models {
            return self.models(scope, signatures, now, course).await;
        }
        let delivery = Delivery {
            scope,
            signatures,
            body: Unverified::new(body),
            topic: valid_header(request.single_value(TOPIC_HEADER)),
            delivery_id: valid_header(request.single_value(DELIVERY_ID_HEADER)),
            trace: valid_header(request.trace.as_deref()).filter(|trace| has_root(trace)),
            request_id: request.request_id.clone(),
        };
        let receipt = self.relay.receive(delivery, now, course).await?;
        Ok(Success::Received(Box::new(receipt)))
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
        let scope = route.and_then(secret_scope);
        let body = Unverified::new(body);
        self.relay.is_signed(scope.as_ref(), &signatures, &body)
    }

    /// Labelbox signs this call over the empty body, whatever comes with it.
    async fn models(
        &self,
        scope: SecretScope,
        signatures: Result<Signatures, InvalidSignature>,
        now: SystemTime,
        course: &mut RequestContext,
    ) -> Result<Success, ApiError> {
        let nothing = Unverified::new(Vec::new());
        let proof = self
            .relay
            .authenticate(&scope, signatures, nothing, now, course);
        proof.await?;
        Ok(Success::Models(self.models.clone()))
    }
}

/// Whose secrets sign the requests to a route; `None` for the route that is not signed.
fn secret_scope(route: &Route) -> Option<SecretScope> {
    match route {
        Route::Health => None,
        Route::Models | Route::ModelRun => Some(SecretScope::Training),
        Route::Webhook(webhook) => Some(SecretScope::Webhook(webhook.clone())),
    }
}

fn signatures_of(request: &Request) -> Result<Signatures, InvalidSignature> {
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
fn valid_header(value: Option<&str>) -> Option<String> {
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
