//! Tests of the log lines: level, message, fields and metrics.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::authenticate::AuthenticationError;
use crate::bucket::BucketError;
use crate::config::tests::offline;
use crate::deliver::{DeliveryError, DeliveryResult, Destination};
use crate::event::{Entity, UnroutedReason};
use crate::http::Route;
use crate::message::{Attribute, Message, OffloadReason, PAYLOAD_SIZE};
use crate::outcome::{ApiError, Outcome};
use crate::queue::QueueError;
use crate::report::{Report, StageDurations};
use crate::secrets::FetchError;
use crate::signature::InvalidSignature;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tracing::Dispatch;

/// Collects the output.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn subscriber<W>(level: Level, output: W) -> JsonSubscriber<W> {
    JsonSubscriber { level, clock: || UNIX_EPOCH, output }
}

/// The lines that `write` logs at `level`, without their timestamps.
fn lines_at(level: Level, write: impl FnOnce()) -> Vec<Value> {
    let sink = Sink::default();
    let writer = sink.clone();
    let dispatch = Dispatch::new(subscriber(level, move || writer.clone()));
    // With a single dispatcher, tracing may cache that another thread, which has none, is not interested in a line.
    let _second = Dispatch::new(subscriber(Level::ERROR, io::sink));
    tracing::dispatcher::with_default(&dispatch, write);
    let bytes = sink.0.lock().unwrap();
    let line = |text: &str| {
        let mut line: Value = serde_json::from_str(text).unwrap();
        let time = line.as_object_mut().unwrap().remove("timestamp");
        assert_eq!(time, Some(json!("1970-01-01T00:00:00.000Z")));
        line
    };
    std::str::from_utf8(&bytes).unwrap().lines().map(line).collect()
}

#[track_caller]
fn only_line(write: impl FnOnce()) -> Value {
    let lines = lines_at(Level::INFO, write);
    let [line] = lines.try_into().unwrap();
    line
}

const REQUEST_ID: &str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef";

/// What a log line contains besides the route and the outcome.
struct Context {
    report: Report,
    is_source_allowed: bool,
}

fn context() -> Context {
    Context { report: Report::default(), is_source_allowed: true }
}

fn stale_reason() -> Option<String> {
    Some("the secret store gave no usable response: timeout".to_owned())
}

/// The log line of a request at `level`, with its metrics.
fn document(
    level: Level,
    route: Option<&Route>,
    outcome: &Outcome,
    context: &Context,
) -> Map<String, Value> {
    let sink = Sink::default();
    let writer = sink.clone();
    let mut config = offline();
    config.log_level = level;
    config.metrics_namespace = "LabelboxRelay/mine".to_owned();
    let log = Log::new(&config, move |line| {
        writer.clone().write_all(line).unwrap();
    });
    let ended = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    log.write(&RequestLog {
        request_id: REQUEST_ID,
        route: route.map(Route::name),
        webhook: route.and_then(Route::webhook),
        source_ip: Some("192.0.2.1".parse().unwrap()),
        is_source_allowed: context.is_source_allowed,
        body_bytes: 498,
        outcome,
        report: &context.report,
        ended,
        duration: Duration::from_micros(12_500),
    });
    let bytes = sink.0.lock().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert_eq!(text.find('\n'), Some(text.len() - 1), "one line: {text}");
    serde_json::from_str(text).unwrap()
}

/// The fields of a log line that are neither metrics nor dimensions.
fn line_of(route: Option<&Route>, outcome: &Outcome) -> Value {
    line_in(&context(), route, outcome)
}

fn line_in(context: &Context, route: Option<&Route>, outcome: &Outcome) -> Value {
    let mut document = document(Level::INFO, route, outcome, context);
    let time = document.remove("timestamp");
    assert_eq!(time, Some(json!("2023-11-14T22:13:20.123Z")));
    let emitted = take_emitted(&mut document);
    assert!(!emitted.is_empty());
    document.into()
}

/// A metric as CloudWatch reads it: name, unit, dimensions with their values, and value.
type Emitted = (String, String, Vec<(String, String)>, f64);

/// Removes the metrics from a document as its directives define them.
fn take_emitted(document: &mut Map<String, Value>) -> Vec<Emitted> {
    let mut emitted = Vec::new();
    let mut used = Vec::new();
    let metadata = document.remove("_aws").unwrap();
    assert_eq!(metadata["Timestamp"], 1_700_000_000_123_u64);
    for directive in metadata["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "LabelboxRelay/mine");
        for definition in directive["Metrics"].as_array().unwrap() {
            let name = definition["Name"].as_str().unwrap();
            used.push(name.to_owned());
            for set in directive["Dimensions"].as_array().unwrap() {
                let mut dimensions = Vec::new();
                for key in set.as_array().unwrap() {
                    let key = key.as_str().unwrap();
                    let value = document[key].as_str().unwrap();
                    dimensions.push((key.to_owned(), value.to_owned()));
                    used.push(key.to_owned());
                }
                let value = document[name].as_f64().unwrap();
                let unit = definition["Unit"].as_str().unwrap().to_owned();
                emitted.push((name.to_owned(), unit, dimensions, value));
            }
        }
    }
    document.retain(|key, _| !used.contains(key));
    emitted
}

fn message(entity: Entity) -> Message {
    Message {
        entity,
        body: "private-body".to_owned(),
        attributes: vec![
            Attribute::string("event", "LABEL_UPDATED".to_owned()),
            Attribute::string("entity", entity.name().to_owned()),
            Attribute::string("entity_id", "cl0sjr9nb9tfi0zatagsq5zw1".to_owned()),
            Attribute::string("project_id", "ckm1qkb1v0bqx0797dvjt4wjt".to_owned()),
            Attribute::string("delivery_id", "ckmdi74ew57lq063553kuzekq".to_owned()),
            Attribute::string("webhook", "labelbox".to_owned()),
            Attribute::string("dedup_id", "4d96d4de".to_owned()),
        ],
        dedup_id: "4d96d4de".to_owned(),
        group_id: None,
        trace: None,
        received_at: std::time::UNIX_EPOCH.into(),
    }
}

fn received(message: Message) -> Outcome {
    received_with(message, None)
}

fn received_with(message: Message, offload_reason: Option<OffloadReason>) -> Outcome {
    Ok(Success::Stored(Box::new(queued(message, offload_reason))))
}

fn queued(message: Message, offload_reason: Option<OffloadReason>) -> DeliveryResult {
    DeliveryResult {
        message,
        destination: Destination::Queue { message_id: "8a1b9c52".to_owned() },
        offload_reason,
        archive_error: None,
    }
}

fn webhook() -> Route {
    Route::Webhook("labelbox".to_owned())
}

fn source(text: &str) -> Box<dyn Error + Send + Sync> {
    text.into()
}

#[test]
fn logs_a_queued_event_with_its_ids() {
    let line = line_of(Some(&webhook()), &received(message(Entity::Label)));
    let expected = json!({
        "level": "INFO",
        "message": "event queued",
        "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "route": "webhook",
        "webhook": "labelbox",
        "status": 200,
        "source_ip": "192.0.2.1",
        "body_bytes": 498,
        "duration_ms": 12.5,
        "entity": "label",
        "event": "LABEL_UPDATED",
        "entity_id": "cl0sjr9nb9tfi0zatagsq5zw1",
        "project_id": "ckm1qkb1v0bqx0797dvjt4wjt",
        "delivery_id": "ckmdi74ew57lq063553kuzekq",
        "dedup_id": "4d96d4de",
        "message_id": "8a1b9c52",
    });
    assert_eq!(line, expected);
}

#[test]
fn logs_a_spilled_event_as_an_error_with_its_reason_and_key() {
    let outcome = Ok(Success::Stored(Box::new(DeliveryResult {
        message: message(Entity::Unrouted(UnroutedReason::NoTopic)),
        destination: Destination::Spill {
            key: "spill/unrouted/2026/02/03/4d96d4de.json".to_owned(),
            reason: QueueError::NotSent(source("no such queue")),
        },
        offload_reason: None,
        archive_error: None,
    })));
    let line = line_of(Some(&webhook()), &outcome);
    assert_eq!((&line["level"], &line["message"]), (&json!("ERROR"), &json!("event spilled")));
    assert_eq!(line["message_id"], "spill/unrouted/2026/02/03/4d96d4de.json");
    assert_eq!(line["error"], "the queue did not accept the message: no such queue");
}

#[test]
fn logs_an_unrouted_event_as_a_warning_with_its_reason() {
    let mut message = message(Entity::Unrouted(UnroutedReason::UnknownTopic));
    message.attributes.push(Attribute::string("reason", "unknown_topic".to_owned()));
    let line = line_of(Some(&webhook()), &received(message));
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "event queued as unrouted");
    assert_eq!(line["entity"], "unrouted");
    assert_eq!(line["reason"], "unknown_topic");
    assert_eq!(line["message_id"], "8a1b9c52");
}

#[test]
fn logs_the_size_and_offload_reason_of_a_payload() {
    for (reason, name) in [
        (OffloadReason::Empty, "empty"),
        (OffloadReason::NotUtf8, "not_utf8"),
        (OffloadReason::ForbiddenCharacter, "forbidden_character"),
        (OffloadReason::TooLarge, "too_large"),
    ] {
        let mut message = message(Entity::Label);
        message.attributes.push(Attribute::string(PAYLOAD_SIZE, "4300000".to_owned()));
        let line = line_of(Some(&webhook()), &received_with(message, Some(reason)));
        assert_eq!(line["payload_bytes"], 4_300_000);
        assert_eq!(line["payload_reason"], name);
    }
}

#[test]
fn logs_a_warning_with_the_reason_if_the_archive_failed() {
    let archive_error = Some(BucketError::NotStored(source("access denied")));
    let result = DeliveryResult { archive_error, ..queued(message(Entity::Label), None) };
    let line = line_of(Some(&webhook()), &Ok(Success::Stored(Box::new(result))));
    assert_eq!((&line["level"], &line["message"]), (&json!("WARN"), &json!("event queued")));
    assert_eq!(line["archive_error"], "the bucket did not store the object: access denied");
}

#[test]
fn omits_unknown_fields() {
    let bare = Message {
        attributes: vec![Attribute::string("entity", "model_run".to_owned())],
        ..message(Entity::ModelRun)
    };
    let line = line_of(Some(&Route::ModelRun), &received(bare));
    let fields = line.as_object().unwrap();
    assert_eq!(line["route"], "model_run");
    assert_eq!(line["entity"], "model_run");
    for absent in ["webhook", "event", "reason", "entity_id", "project_id"] {
        assert!(!fields.contains_key(absent), "{absent}: {line}");
    }
}

/// Checks the fields of the line of a request that queued nothing.
#[track_caller]
fn check_fields(line: &Value, level: &str, message: &str, optional: &[&str]) {
    assert_eq!(line["level"], level, "{line}");
    assert_eq!(line["message"], message, "{line}");
    let mut names: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let always = [
        "level",
        "message",
        "request_id",
        "route",
        "status",
        "source_ip",
        "body_bytes",
        "duration_ms",
    ];
    let mut expected = [always.as_slice(), optional].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert!(!line.to_string().to_lowercase().contains("private"), "{line}");
}

#[test]
fn logs_request_for_the_model_list() {
    let success = Success::Models("private-models".to_owned());
    let line = line_of(Some(&Route::Models), &Ok(success));
    check_fields(&line, "INFO", "request answered", &[]);
    assert_eq!(line["route"], "models");
}

#[test]
fn logs_an_uptime_check_without_metrics_at_info_level() {
    let config = offline();
    let log = Log::new(&config, |line| panic!("{line:?}"));
    let write = || {
        log.write(&RequestLog {
            request_id: REQUEST_ID,
            route: Some("health"),
            webhook: None,
            source_ip: Some("192.0.2.1".parse().unwrap()),
            is_source_allowed: true,
            body_bytes: 0,
            outcome: &Ok(Success::Healthy),
            report: &Report::default(),
            ended: UNIX_EPOCH + Duration::from_secs(1),
            duration: Duration::from_micros(12_500),
        });
    };
    let expected = json!({
        "level": "INFO",
        "message": "request answered",
        "target": "labelbox_relay::telemetry",
        "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "route": "health",
        "status": 200,
        "source_ip": "192.0.2.1",
        "duration_ms": 12.5,
    });
    assert_eq!(only_line(write), expected);
    assert!(lines_at(Level::WARN, write).is_empty());
}

#[test]
fn logs_a_rejected_request_as_a_warning_without_its_content() {
    let cases = [
        (404, ApiError::NoRoute, "no such route"),
        (405, ApiError::MethodNotAllowed { allow: "POST" }, "method not allowed"),
        (403, ApiError::SourceNotAllowed, "source address not allowed"),
        (415, ApiError::UnsupportedMediaType, "content type is not application/json"),
        (400, ApiError::MalformedBase64, "body is not valid base64"),
        (401, AuthenticationError::InvalidSignature(InvalidSignature).into(), "signature rejected"),
        (404, AuthenticationError::NoEntry.into(), "the secret has no entry for this route"),
    ];
    for (status, api_error, error) in cases {
        let line = line_of(Some(&webhook()), &Err(api_error));
        check_fields(&line, "WARN", "request refused", &["error", "webhook"]);
        assert_eq!(line["error"], error);
        assert_eq!(line["status"], status);
    }
    let line = line_of(None, &Err(ApiError::NoRoute));
    check_fields(&line, "WARN", "request refused", &["error"]);
    assert_eq!(line["route"], "none");
}

#[test]
fn logs_that_a_rejected_request_has_a_valid_signature() {
    let mut context = context();
    context.report.refused_with_valid_signature = true;
    let outcome = Err(ApiError::UnsupportedMediaType);
    let line = line_in(&context, Some(&webhook()), &outcome);
    let optional = ["error", "webhook", "valid_signature"];
    check_fields(&line, "WARN", "request refused", &optional);
    assert_eq!(line["valid_signature"], "true");
}

#[test]
fn logs_invocation_that_is_not_http_without_metrics() {
    let line = only_line(|| not_an_http_request("request-1"));
    assert_eq!(line["message"], "invocation is not an HTTP request");
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["request_id"], "request-1");
    assert_eq!(line.get("_aws"), None);
}

#[test]
fn logs_a_server_error_with_its_chain_of_causes() {
    let cases = [
        (
            AuthenticationError::SecretUnavailable(FetchError::Denied(source("access denied")))
                .into(),
            "no secret is available: the secret store denied access: access denied",
        ),
        (
            AuthenticationError::SecretUnavailable(FetchError::Unavailable(source("timeout")))
                .into(),
            "no secret is available: the secret store gave no usable response: timeout",
        ),
        (
            DeliveryError::PayloadNotStored(BucketError::NotStored(source("no such bucket")))
                .into(),
            "the payload could not be stored: the bucket did not store the object: no such bucket",
        ),
        (
            DeliveryError::NotDurable {
                queue: QueueError::NotSent(source("no such queue")),
                bucket: BucketError::NotStored(source("no such bucket")),
            }
            .into(),
            "the event could not be stored: the queue did not accept the message: no such queue; nor could it be spilled: \
             the bucket did not store the object: no such bucket",
        ),
        (
            DeliveryError::NotDurable {
                queue: QueueError::Unconfirmed("MessageId is missing"),
                bucket: BucketError::Unconfirmed,
            }
            .into(),
            "the event could not be stored: the response does not confirm the message: MessageId is missing; \
             nor could it be spilled: the response does not confirm the object",
        ),
    ];
    for (failure, error) in cases {
        let line = line_of(Some(&webhook()), &Err(failure));
        check_fields(&line, "ERROR", "request failed", &["error", "webhook"]);
        assert_eq!(line["error"], error);
    }
}

#[test]
fn logs_a_failed_warm_up_as_a_warning() {
    let fetch_error = FetchError::Unavailable(source("timeout"));
    let error = "the secret store gave no usable response: timeout";
    assert_eq!(
        only_line(|| secret_not_fetched(&fetch_error)),
        json!({"level": "WARN", "message": "secret could not be fetched", "target": "labelbox_relay::telemetry", "error": error})
    );
}

#[test]
fn logs_a_failed_start_as_an_error() {
    let fetch_error = FetchError::Unavailable(source("timeout"));
    let error = "the secret store gave no usable response: timeout";
    assert_eq!(
        only_line(|| start_failed(&fetch_error)),
        json!({"level": "ERROR", "message": "start failed", "target": "labelbox_relay::telemetry", "error": error})
    );
}

#[test]
fn does_not_write_a_line_below_the_level() {
    let error = FetchError::Unavailable(source("timeout"));
    let write = || {
        secret_not_fetched(&error);
        start_failed(&error);
    };
    assert_eq!(lines_at(Level::WARN, write).len(), 2);
    let lines = lines_at(Level::ERROR, write);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["message"], "start failed");
}

/// With the hint, tracing does not evaluate the fields of lines below the level.
#[test]
fn max_level_hint_is_the_level() {
    for level in [Level::ERROR, Level::WARN, Level::INFO, Level::TRACE] {
        let subscriber = subscriber(level, io::sink);
        let hint = tracing::Subscriber::max_level_hint(&subscriber);
        assert_eq!(hint, Some(level.into()), "{level}");
    }
}

#[test]
fn writes_each_field_with_its_type() {
    let line = only_line(|| {
        tracing::info!(
            text = "a",
            positive = 1_u64,
            negative = -1_i64,
            part = 0.5,
            yes = true,
            what = ?Some(1),
            "kinds"
        );
    });
    for (field, expected) in [
        ("text", json!("a")),
        ("positive", json!(1)),
        ("negative", json!(-1)),
        ("part", json!(0.5)),
        ("yes", json!(true)),
        ("what", json!("Some(1)")),
    ] {
        assert_eq!(line[field], expected, "{field}");
    }
}

#[test]
fn writes_only_errors_of_other_crates_at_any_level() {
    let lines = lines_at(Level::TRACE, || {
        tracing::debug!(target: "aws_lite::client", "the value of a secret");
        tracing::warn!(target: "lambda_runtime", "a whole event");
        tracing::error!(target: "lambda_runtime", "a failure");
        tracing::trace!("a line of this crate");
    });
    let messages: Vec<_> = lines.iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["a failure", "a line of this crate"]);
}

#[test]
fn logs_a_warning_for_a_disallowed_source_or_a_stale_secret() {
    let outcome = received(message(Entity::Label));
    let mut observed = context();
    observed.is_source_allowed = false;
    let line = line_in(&observed, Some(&webhook()), &outcome);
    assert_eq!((&line["level"], &line["message"]), (&json!("WARN"), &json!("event queued")));
    let mut stale = context();
    stale.report.stale_reason = stale_reason();
    let line = line_in(&stale, Some(&webhook()), &outcome);
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["secret_error"], "the secret store gave no usable response: timeout");
}

/// A request, and its metrics other than `Received`, `BodyBytes` and `TotalTime`.
struct Case {
    name: &'static str,
    route: Option<Route>,
    outcome: Outcome,
    context: Context,
    metrics: &'static [&'static str],
}

fn case(name: &'static str, outcome: Outcome, metrics: &'static [&'static str]) -> Case {
    let (route, context) = (Some(webhook()), context());
    Case { name, route, outcome, context, metrics }
}

fn spilled(entity: Entity, offload_reason: Option<OffloadReason>) -> Outcome {
    Ok(Success::Stored(Box::new(DeliveryResult {
        message: message(entity),
        destination: Destination::Spill {
            key: "spill/label/2026/02/03/4d96d4de.json".to_owned(),
            reason: QueueError::NotSent(source("no such queue")),
        },
        offload_reason,
        archive_error: None,
    })))
}

fn cases() -> Vec<Case> {
    let large = Some(OffloadReason::TooLarge);
    let unrouted = Entity::Unrouted(UnroutedReason::NoTopic);
    let rejected = |error: ApiError| Err(error);
    fn failed(error: impl Into<ApiError>) -> Outcome {
        Err(error.into())
    }
    let unreachable = || FetchError::Unavailable(source("timeout"));
    let not_stored = || BucketError::NotStored(source("no such bucket"));
    let mut cases = vec![
        case("label", received(message(Entity::Label)), &["Queued 1", "Queued Entity=label 1"]),
        case(
            "workflow",
            received(message(Entity::Workflow)),
            &["Queued 1", "Queued Entity=workflow 1"],
        ),
        case("review", received(message(Entity::Review)), &["Queued 1", "Queued Entity=review 1"]),
        case(
            "model run",
            received(message(Entity::ModelRun)),
            &["Queued 1", "Queued Entity=model_run 1"],
        ),
        case(
            "unrouted",
            received(message(unrouted)),
            &["Queued 1", "Queued Entity=unrouted 1", "Unrouted 1"],
        ),
        case(
            "large",
            received_with(message(Entity::Label), large),
            &["Queued 1", "Queued Entity=label 1", "Pointer 1"],
        ),
        case("spilled", spilled(Entity::Label, None), &["Spilled 1"]),
        case(
            "unrouted and large and spilled",
            spilled(unrouted, large),
            &["Spilled 1", "Unrouted 1", "Pointer 1"],
        ),
        case("models", Ok(Success::Models("{}".to_owned())), &[]),
        case(
            "method",
            rejected(ApiError::MethodNotAllowed { allow: "POST" }),
            &["Refused 1", "Refused Reason=method_not_allowed 1"],
        ),
        case(
            "content type",
            rejected(ApiError::UnsupportedMediaType),
            &["Refused 1", "Refused Reason=unsupported_media_type 1"],
        ),
        case(
            "base64",
            rejected(ApiError::MalformedBase64),
            &["Refused 1", "Refused Reason=malformed_base64 1"],
        ),
        case(
            "signature",
            failed(AuthenticationError::InvalidSignature(InvalidSignature)),
            &["Refused 1", "Refused Reason=signature_rejected 1"],
        ),
        case(
            "webhook",
            failed(AuthenticationError::NoEntry),
            &["Refused 1", "Refused Reason=not_found 1"],
        ),
        case(
            "no secret",
            failed(AuthenticationError::SecretUnavailable(unreachable())),
            &["Failed 1"],
        ),
        case("no payload", failed(DeliveryError::PayloadNotStored(not_stored())), &["Failed 1"]),
        case(
            "not durable",
            failed(DeliveryError::NotDurable {
                queue: QueueError::Unconfirmed("MessageId is missing"),
                bucket: not_stored(),
            }),
            &["Failed 1"],
        ),
    ];
    let label = || received(message(Entity::Label));
    let mut rejected_source = case(
        "source",
        rejected(ApiError::SourceNotAllowed),
        &["Refused 1", "Refused Reason=source_not_allowed 1", "SourceNotAllowed 1"],
    );
    rejected_source.context.is_source_allowed = false;
    let mut observed = case(
        "observed source",
        label(),
        &["Queued 1", "Queued Entity=label 1", "SourceNotAllowed 1"],
    );
    observed.context.is_source_allowed = false;
    let mut stale =
        case("stale secret", label(), &["Queued 1", "Queued Entity=label 1", "SecretStale 1"]);
    stale.context.report.stale_reason = stale_reason();
    let mut unarchived = queued(message(Entity::Label), None);
    unarchived.archive_error = Some(not_stored());
    let unarchived = case(
        "not archived",
        Ok(Success::Stored(Box::new(unarchived))),
        &["Queued 1", "Queued Entity=label 1", "ArchiveFailed 1"],
    );
    let mut slow = case(
        "durations",
        spilled(Entity::Label, None),
        &["Spilled 1", "SecretTime 1.5", "PayloadTime 20", "QueueTime 300", "SpillTime 0.001"],
    );
    slow.context.report.durations = StageDurations {
        secret: Some(Duration::from_micros(1_500)),
        payload: Some(Duration::from_millis(20)),
        queue: Some(Duration::from_millis(300)),
        spill: Some(Duration::from_nanos(1_999)),
    };
    let mut valid_signature = case(
        "rejected with a valid signature",
        rejected(ApiError::UnsupportedMediaType),
        &["Refused 1", "Refused Reason=unsupported_media_type 1", "RefusedWithValidSignature 1"],
    );
    valid_signature.context.report.refused_with_valid_signature = true;
    cases.extend([rejected_source, observed, stale, unarchived, slow, valid_signature]);
    cases
}

fn describe((name, _, dimensions, value): &Emitted) -> String {
    let dimensions: String =
        dimensions.iter().map(|(key, value)| format!("{key}={value} ")).collect();
    format!("{name} {dimensions}{value}")
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

#[test]
fn emits_the_metrics_of_every_outcome_at_every_level() {
    for case in cases() {
        for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
            let mut document = document(level, case.route.as_ref(), &case.outcome, &case.context);
            let emitted = take_emitted(&mut document).iter().map(describe).collect::<Vec<_>>();
            let common = ["Received 1", "BodyBytes 498", "TotalTime 12.5"];
            let expected = common.into_iter().chain(case.metrics.iter().copied());
            assert_eq!(
                sorted(emitted),
                sorted(expected.map(str::to_owned)),
                "{} at {level}",
                case.name
            );
        }
    }
}

#[test]
fn emits_no_body_size_without_a_route() {
    for (outcome, route) in [
        (ApiError::NoRoute, None),
        (ApiError::MalformedEvent, None),
        (ApiError::MethodNotAllowed { allow: "GET" }, Some(Route::Health)),
    ] {
        let mut document = document(Level::INFO, route.as_ref(), &Err(outcome), &context());
        let emitted = take_emitted(&mut document);
        assert!(emitted.iter().any(|(name, ..)| name == "Received"));
        assert!(emitted.iter().all(|(name, ..)| name != "BodyBytes"));
    }
}

#[test]
fn emits_every_metric_with_its_unit_and_dimension() {
    let mut emitted = BTreeMap::new();
    for case in cases() {
        let mut document = document(Level::INFO, case.route.as_ref(), &case.outcome, &case.context);
        for (name, unit, dimensions, _) in take_emitted(&mut document) {
            let (_, keys): &mut (String, Vec<String>) =
                emitted.entry(name).or_insert_with(|| (unit, Vec::new()));
            keys.extend(dimensions.into_iter().map(|(key, _)| key));
            keys.dedup();
        }
    }
    let defined = Metric::ALL.into_iter().map(|metric| {
        let keys = metric.dimension.map(|dimension| dimension.name().to_owned());
        let unit = metric.unit.name().to_owned();
        (metric.name.to_owned(), (unit, keys.into_iter().collect()))
    });
    assert_eq!(emitted, defined.collect());
}

#[test]
fn line_below_the_level_has_only_metrics() {
    for case in cases() {
        let line_level = {
            let document =
                document(Level::TRACE, case.route.as_ref(), &case.outcome, &case.context);
            document["level"].as_str().unwrap().parse::<Level>().unwrap()
        };
        for level in [Level::ERROR, Level::WARN] {
            let mut document = document(level, case.route.as_ref(), &case.outcome, &case.context);
            take_emitted(&mut document);
            assert_eq!(document.is_empty(), level < line_level, "{} at {level}", case.name);
        }
    }
}

#[test]
fn metrics_contain_nothing_from_an_unauthenticated_request() {
    let api_error = ApiError::from(AuthenticationError::InvalidSignature(InvalidSignature));
    let document = document(Level::ERROR, Some(&webhook()), &Err(api_error), &context());
    let text = Value::from(document).to_string();
    assert!(!text.to_lowercase().contains("private"), "{text}");
    assert!(!text.contains("192.0.2.1") && !text.contains("c6af9ac6"), "{text}");
}
