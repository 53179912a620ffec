//! Handles HTTP requests: the order of the checks, the response, and the log line.

mod gateway;
mod request;
mod response;
mod route;

pub use gateway::{GatewayEvent, GatewayResponse};
pub use request::Request;
pub use route::Route;

use crate::authenticate::Authenticator;
use crate::bucket::Bucket;
use crate::config::{Config, MessageConfig, SourceAllowlist};
use crate::deadlines::Deadlines;
use crate::deliver::deliver;
use crate::event::Event;
use crate::message::{DeliveryMetadata, Message};
use crate::outcome::{ApiError, Outcome, Success};
use crate::queue::Queue;
use crate::report::{Report, StageDurations};
use crate::secrets::SecretStore;
use crate::signature::{InvalidSignature, SHA1_HEADER, SHA256_HEADER, Signatures, Unverified};
use crate::telemetry::{self, Log, RequestLog};
use crate::training::model_list;
use lambda_http::Context;
use lambda_http::http::header::CONTENT_TYPE;
use lambda_http::http::{Method, Response};
use response::into_response;
use std::time::{Duration, SystemTime};
use uuid::Uuid;

/// The header with the topic. Source: <https://docs.labelbox.com/reference/webhook>.
const TOPIC_HEADER: &str = "x-labelbox-event";

/// The header with the delivery id. Same source.
const DELIVERY_ID_HEADER: &str = "x-labelbox-id";

/// Longer header values count as missing.
const MAX_HEADER_BYTES: usize = 256;

/// Handles the requests of every route.
pub struct WebhookHandler<S, Q, B> {
    authenticator: Authenticator<S>,
    queue: Q,
    bucket: B,
    message_config: MessageConfig,
    archives_events: bool,
    sources: SourceAllowlist,
    models: String,
    log: Log,
    clock: fn() -> SystemTime,
}

impl<S: SecretStore, Q: Queue, B: Bucket> WebhookHandler<S, Q, B> {
    /// A handler that uses these services.
    pub fn new(
        config: &Config,
        store: S,
        queue: Q,
        bucket: B,
        log: Log,
        clock: fn() -> SystemTime,
    ) -> Self {
        Self {
            authenticator: Authenticator::new(store, config.secret_ttl),
            queue,
            bucket,
            message_config: config.message.clone(),
            archives_events: config.archives_events,
            sources: config.sources.clone(),
            models: model_list(&config.training_models),
            log,
            clock,
        }
    }

    /// Prepares for the first request. A failure is logged; the first request tries again.
    pub async fn warm_up(&self) {
        if let Err(error) = self.authenticator.warm_up((self.clock)()).await {
            telemetry::secret_not_fetched(&error);
        }
    }

    /// Handles an invocation, and writes its log line. Always returns a response.
    pub async fn handle(&self, event: GatewayEvent, context: &Context) -> GatewayResponse {
        let Some(request) = event.into_request(context) else {
            telemetry::not_an_http_request(&context.request_id);
            return into_response(&Err(ApiError::NoRoute)).into();
        };
        self.handle_request(request).await.into()
    }

    /// Handles a request, and writes its log line.
    pub async fn handle_request(&self, mut request: Request) -> Response<String> {
        let started = (self.clock)();
        let deadlines = Deadlines::starting_now(time_left(&request, started));
        let body = std::mem::take(&mut request.body);
        let body_bytes = body.as_ref().map_or(0, Vec::len);
        let route = Route::from_path(&request.path);
        let is_source_allowed = match &route {
            Some(route) if route.allows(&request.method) && *route != Route::Health => {
                self.sources.allows(request.source_ip)
            }
            _ => true,
        };
        let (outcome, report) = match self.check(&request, route.as_ref(), is_source_allowed) {
            Ok(route) => self.dispatch(&request, route, body, started, deadlines).await,
            Err(error) => {
                let report = Report {
                    refused_with_valid_signature: self.has_valid_signature(
                        &request,
                        route.as_ref(),
                        body,
                    ),
                    ..Report::default()
                };
                (Err(error), report)
            }
        };
        let ended = (self.clock)();
        self.log.write(&RequestLog {
            request_id: &request.request_id,
            route: route.as_ref().map(Route::name),
            webhook: route.as_ref().and_then(Route::webhook),
            source_ip: request.source_ip,
            is_source_allowed,
            body_bytes,
            outcome: &outcome,
            report: &report,
            ended,
            duration: ended.duration_since(started).unwrap_or_default(),
        });
        let mut response = into_response(&outcome);
        if request.method == Method::HEAD.as_str() {
            response.body_mut().clear();
        }
        response
    }

    /// Checks what does not need the body, in the order of `ARCHITECTURE.md`, step 3.
    fn check<'r>(
        &self,
        request: &Request,
        route: Option<&'r Route>,
        is_source_allowed: bool,
    ) -> Result<&'r Route, ApiError> {
        if request.is_malformed {
            return Err(ApiError::MalformedEvent);
        }
        let route = route.ok_or(ApiError::NoRoute)?;
        if !route.allows(&request.method) {
            let allow = route.allow_header();
            return Err(ApiError::MethodNotAllowed { allow });
        }
        if !is_source_allowed && self.sources.enforced {
            return Err(ApiError::SourceNotAllowed);
        }
        // Labelbox's training requests have no content type.
        if matches!(route, Route::Webhook(_)) && !is_json(request.values(CONTENT_TYPE.as_str())) {
            return Err(ApiError::UnsupportedMediaType);
        }
        Ok(route)
    }

    /// Authenticates a request, and makes its event durable or returns what it asks for.
    async fn dispatch(
        &self,
        request: &Request,
        route: &Route,
        body: Option<Vec<u8>>,
        now: SystemTime,
        deadlines: Deadlines,
    ) -> (Outcome, Report) {
        let Some(scope) = route.secret_scope() else {
            return (Ok(Success::Healthy), Report::default());
        };
        let Some(body) = signed_bytes(Some(route), body) else {
            return (Err(ApiError::MalformedBase64), Report::default());
        };
        let signatures = signatures_of(request);
        let (verified, mut report) =
            self.authenticator.authenticate(scope, signatures, body, now, deadlines.secret).await;
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => return (Err(error.into()), report),
        };
        let topic = valid_header(request.single_value(TOPIC_HEADER));
        let event = match route {
            // A health check has returned above.
            Route::Models | Route::Health => {
                return (Ok(Success::Models(self.models.clone())), report);
            }
            Route::ModelRun => Event::from_model_run(&verified),
            Route::Webhook(_) => Event::from_webhook(&verified, topic.as_deref()),
        };
        let metadata = DeliveryMetadata {
            delivery_id: valid_header(request.single_value(DELIVERY_ID_HEADER)),
            webhook: route.webhook().map(str::to_owned),
            request_id: request.request_id.clone(),
            trace: valid_header(request.trace.as_deref()).filter(|trace| has_root(trace)),
        };
        let (message, payload) = Message::build(
            verified,
            event,
            metadata,
            &self.message_config,
            now.into(),
            Uuid::new_v4,
        );
        let (delivered, durations) =
            deliver(&self.bucket, &self.queue, message, payload, self.archives_events, deadlines)
                .await;
        report.durations = StageDurations { secret: report.durations.secret, ..durations };
        let stored = delivered.map(|result| Success::Stored(Box::new(result)));
        (stored.map_err(ApiError::from), report)
    }

    /// Whether a request that is refused has a valid signature.
    fn has_valid_signature(
        &self,
        request: &Request,
        route: Option<&Route>,
        body: Option<Vec<u8>>,
    ) -> bool {
        let (Ok(signatures), Some(body)) = (signatures_of(request), signed_bytes(route, body))
        else {
            return false;
        };
        let scope = route.and_then(Route::secret_scope);
        self.authenticator.has_valid_signature(scope, &signatures, &body)
    }
}

/// The bytes that a request's signatures are over. Labelbox signs an empty body for the model list.
fn signed_bytes(route: Option<&Route>, body: Option<Vec<u8>>) -> Option<Unverified> {
    let body = body?;
    Some(Unverified::new(if route == Some(&Route::Models) { Vec::new() } else { body }))
}

fn signatures_of(request: &Request) -> Result<Signatures, InvalidSignature> {
    Signatures::parse(request.values(SHA1_HEADER), request.values(SHA256_HEADER))
}

/// The time until Lambda ends the invocation. A deadline in the past is ignored: Lambda starts no invocation whose time is
/// up, but `cargo lambda` sends a constant deadline in 1970.
fn time_left(request: &Request, now: SystemTime) -> Option<Duration> {
    let left = request.deadline?.duration_since(now).ok()?;
    Some(left).filter(|left| !left.is_zero())
}

/// Whether there is a content type and every value is `application/json`, with or without parameters. Proxies may repeat
/// a header, or join its values with commas (RFC 9110, section 5.3).
fn is_json<'r>(content_types: impl Iterator<Item = &'r str>) -> bool {
    let mut values = content_types.flat_map(split_at_commas).peekable();
    let is_json = |value: &str| {
        let media_type = value.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("application/json")
    };
    values.peek().is_some() && values.all(is_json)
}

/// Splits a header value at the commas outside of quoted strings.
fn split_at_commas(value: &str) -> impl Iterator<Item = &str> {
    let (mut in_quotes, mut is_escaped) = (false, false);
    value.split(move |character| {
        in_quotes ^= character == '"' && !is_escaped;
        is_escaped = in_quotes && character == '\\' && !is_escaped;
        character == ',' && !in_quotes
    })
}

/// Whether a header value is 1 to 256 visible ASCII characters. The relay takes any other for a missing one.
pub fn is_valid_header(value: &str) -> bool {
    (1..=MAX_HEADER_BYTES).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic())
}

fn valid_header(value: Option<&str>) -> Option<String> {
    value.filter(|value| is_valid_header(value)).map(str::to_owned)
}

/// Whether SQS accepts a trace header: it has a trace id as `Root`. Source:
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html>.
fn has_root(trace: &str) -> bool {
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let is_root = |part: &str| {
        let id = part.strip_prefix("Root=1-").and_then(|id| id.split_once('-'));
        id.is_some_and(|(time, unique)| is_hex(time, 8) && is_hex(unique, 24))
    };
    trace.split(';').any(is_root)
}
