//! The log lines, read back: their level, their message and exactly their fields.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

use super::*;
use crate::bucket::BucketError;
use crate::error::Failure;
use crate::event::Reason;
use crate::http::MalformedBase64;
use crate::message::{Attribute, Message};
use crate::queue::QueueError;
use crate::receive::Receipt;
use crate::secrets::FetchError;
use crate::signature::Rejected;
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;
use tracing::Dispatch;

/// What is written, for reading it back.
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

/// The lines that `write` writes where [`init`] was told `level`, without their timestamps.
fn lines_at(level: Level, write: impl FnOnce()) -> Vec<Value> {
    let sink = Sink::default();
    let writer = sink.clone();
    let dispatch = Dispatch::new(lines(level, || UNIX_EPOCH, move || writer.clone()));
    // While there is just one, tracing may ask a thread that has none whether a line is wanted, and remember its no.
    let _second = Dispatch::new(lines(Level::ERROR, || UNIX_EPOCH, io::sink));
    tracing::dispatcher::with_default(&dispatch, write);
    let bytes = sink.0.lock().unwrap();
    let line = |text: &str| {
        let mut line: Value = serde_json::from_str(text).unwrap();
        let time = line.as_object_mut().unwrap().remove("timestamp");
        assert_eq!(time, Some(json!("1970-01-01T00:00:00.000Z")));
        line
    };
    std::str::from_utf8(&bytes)
        .unwrap()
        .lines()
        .map(line)
        .collect()
}

#[track_caller]
fn only_line(write: impl FnOnce()) -> Value {
    let lines = lines_at(Level::INFO, write);
    let [line] = lines.try_into().unwrap();
    line
}

/// A request whose every text but id and address must stay out of the log.
fn request() -> Request {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Request {
        method: "PRIVATE-METHOD".to_owned(),
        path: "/private-path".to_owned(),
        headers: vec![
            header("x-hub-signature", "sha1=private-signature"),
            header("x-hub-signature-256", "sha256=private-signature"),
            header("x-labelbox-event", "PRIVATE_TOPIC"),
            header("x-labelbox-id", "private-delivery-id"),
            header("authorization", "private-authorization"),
            header("cookie", "private-cookie"),
            header("user-agent", "private-agent"),
            header("private-name", "1"),
        ],
        source: Some("192.0.2.1".parse().unwrap()),
        trace: Some("Root=private-trace".to_owned()),
        request_id: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".to_owned(),
        ..Request::default()
    }
}

fn line_of(route: Option<&Route>, status: u16, outcome: &Result<Served, Refusal>) -> Value {
    let request = request();
    only_line(|| {
        answered(&Line {
            request: &request,
            route,
            body_bytes: 498,
            outcome,
            status,
            duration: Duration::from_micros(12_500),
        });
    })
}

fn message(entity: Entity) -> Message {
    Message {
        entity,
        body: "private-body".to_owned(),
        attributes: vec![
            Attribute::text("event", "LABEL_UPDATED".to_owned()),
            Attribute::text("entity", entity.name().to_owned()),
            Attribute::text("entity_id", "cl0sjr9nb9tfi0zatagsq5zw1".to_owned()),
            Attribute::text("project_id", "ckm1qkb1v0bqx0797dvjt4wjt".to_owned()),
            Attribute::text("delivery_id", "ckmdi74ew57lq063553kuzekq".to_owned()),
            Attribute::text("webhook", "labelbox".to_owned()),
            Attribute::text("dedup_id", "4d96d4de".to_owned()),
        ],
        dedup_id: "4d96d4de".to_owned(),
        group_id: None,
        trace: None,
        received_at: std::time::UNIX_EPOCH.into(),
    }
}

fn received(message: Message) -> Result<Served, Refusal> {
    received_with(message, None)
}

fn received_with(
    message: Message,
    payload_reason: Option<NotCarriable>,
) -> Result<Served, Refusal> {
    Ok(Served::Received(Box::new(Receipt {
        message,
        stored: Stored::Queued {
            message_id: "8a1b9c52".to_owned(),
        },
        payload_reason,
    })))
}

fn webhook() -> Route {
    Route::Webhook("labelbox".to_owned())
}

fn private(what: &str) -> Box<dyn Error + Send + Sync> {
    what.into()
}

#[test]
fn a_queued_event_is_told_with_its_ids() {
    let line = line_of(Some(&webhook()), 200, &received(message(Entity::Label)));
    let expected = json!({
        "level": "INFO",
        "message": "event queued",
        "target": "labelbox_relay::telemetry",
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
fn a_spilled_event_is_an_error_with_its_reason_and_its_place() {
    let outcome = Ok(Served::Received(Box::new(Receipt {
        message: message(Entity::Unrouted(Reason::NoTopic)),
        stored: Stored::Spilled {
            key: "spill/unrouted/2026/02/03/4d96d4de.json".to_owned(),
            reason: QueueError::NotSent(private("no such queue")),
        },
        payload_reason: None,
    })));
    let line = line_of(Some(&webhook()), 200, &outcome);
    assert_eq!(
        (&line["level"], &line["message"]),
        (&json!("ERROR"), &json!("event spilled"))
    );
    assert_eq!(
        line["message_id"],
        "spill/unrouted/2026/02/03/4d96d4de.json"
    );
    assert_eq!(
        line["cause"],
        "the queue did not take the message: no such queue"
    );
}

#[test]
fn an_unrouted_event_is_a_warning_with_its_reason() {
    let mut message = message(Entity::Unrouted(Reason::UnknownTopic));
    message
        .attributes
        .push(Attribute::text("reason", "unknown_topic".to_owned()));
    let line = line_of(Some(&webhook()), 200, &received(message));
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "event queued as unrouted");
    assert_eq!(line["entity"], "unrouted");
    assert_eq!(line["reason"], "unknown_topic");
    assert_eq!(line["message_id"], "8a1b9c52");
}

#[test]
fn a_payload_is_told_with_its_size_and_why_the_queue_cannot_carry_it() {
    for (reason, name) in [
        (NotCarriable::Empty, "empty"),
        (NotCarriable::NotUtf8, "not_utf8"),
        (NotCarriable::ForbiddenCharacter, "forbidden_character"),
        (NotCarriable::TooLarge, "too_large"),
    ] {
        let mut message = message(Entity::Label);
        message
            .attributes
            .push(Attribute::text(PAYLOAD_SIZE, "4300000".to_owned()));
        let line = line_of(Some(&webhook()), 200, &received_with(message, Some(reason)));
        assert_eq!(line["payload_bytes"], 4_300_000);
        assert_eq!(line["payload_reason"], name);
    }
}

#[test]
fn an_event_that_says_little_has_no_empty_fields() {
    let bare = Message {
        attributes: vec![Attribute::text("entity", "model_run".to_owned())],
        ..message(Entity::ModelRun)
    };
    let line = line_of(Some(&Route::ModelRun), 200, &received(bare));
    let fields = line.as_object().unwrap();
    assert_eq!(line["route"], "model_run");
    assert_eq!(line["entity"], "model_run");
    for absent in ["webhook", "event", "reason", "entity_id", "project_id"] {
        assert!(!fields.contains_key(absent), "{absent}: {line}");
    }
}

/// The line of a request that queued nothing has these fields and no other.
#[track_caller]
fn check_bare(line: &Value, level: &str, message: &str, optional: &[&str]) {
    assert_eq!(line["level"], level, "{line}");
    assert_eq!(line["message"], message, "{line}");
    let mut names: Vec<_> = line
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    let always = [
        "level",
        "message",
        "target",
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
    assert!(
        !line.to_string().to_lowercase().contains("private"),
        "{line}"
    );
}

#[test]
fn a_request_that_is_no_event_is_told_in_few_words() {
    for (route, name, served) in [
        (Route::Health, "health", Served::Healthy),
        (
            Route::Models,
            "models",
            Served::Models("private-models".to_owned()),
        ),
    ] {
        let line = line_of(Some(&route), 200, &Ok(served));
        check_bare(&line, "INFO", "request answered", &[]);
        assert_eq!(line["route"], name);
    }
}

#[test]
fn a_refused_request_is_a_warning_without_anything_that_it_brought() {
    let cases = [
        (404, Refusal::NoRoute, "no such route"),
        (
            405,
            Refusal::MethodNotAllowed { allow: "POST" },
            "method not allowed",
        ),
        (403, Refusal::SourceNotAllowed, "source address not allowed"),
        (
            415,
            Refusal::UnsupportedMediaType,
            "content type is not application/json",
        ),
        (
            400,
            MalformedBase64.into(),
            "body is not the base64 that it is said to be",
        ),
        (
            401,
            Failure::Rejected(Rejected).into(),
            "signature rejected",
        ),
        (404, Failure::UnknownWebhook.into(), "unknown webhook"),
    ];
    for (status, refusal, cause) in cases {
        let line = line_of(Some(&webhook()), status, &Err(refusal));
        check_bare(&line, "WARN", "request refused", &["cause", "webhook"]);
        assert_eq!(line["cause"], cause);
        assert_eq!(line["status"], status);
    }
    let line = line_of(None, 404, &Err(Refusal::NoRoute));
    check_bare(&line, "WARN", "request refused", &["cause"]);
    assert_eq!(line["route"], "none");
}

#[test]
fn a_failure_of_our_own_is_an_error_with_its_whole_chain_of_causes() {
    let cases = [
        (
            Failure::NoSecret(FetchError::Refused(private("access denied"))),
            "no secret to verify with: the secret store refused: access denied",
        ),
        (
            Failure::NoSecret(FetchError::Unreachable(private("timeout"))),
            "no secret to verify with: the secret store could not be reached: timeout",
        ),
        (
            Failure::PayloadNotStored(BucketError::NotStored(private("no such bucket"))),
            "the payload is not durable: the bucket did not take the object: no such bucket",
        ),
        (
            Failure::NotDurable {
                queue: QueueError::NotSent(private("no such queue")),
                bucket: BucketError::NotStored(private("no such bucket")),
            },
            "the event is not durable: the queue did not take the message: no such queue; nor can it spill: \
             the bucket did not take the object: no such bucket",
        ),
        (
            Failure::NotDurable {
                queue: QueueError::WrongConfirmation("MessageId is missing"),
                bucket: BucketError::WrongConfirmation,
            },
            "the event is not durable: the queue confirmed another message than the one sent: MessageId is missing; \
             nor can it spill: the bucket confirmed other bytes than those sent",
        ),
    ];
    for (failure, cause) in cases {
        let line = line_of(Some(&webhook()), 503, &Err(failure.into()));
        check_bare(&line, "ERROR", "request failed", &["cause", "webhook"]);
        assert_eq!(line["cause"], cause);
    }
}

#[test]
fn a_source_that_is_not_allowed_is_counted_whether_it_is_refused_or_not() {
    for is_refused in [true, false] {
        let line = only_line(|| source_not_allowed(&request(), is_refused));
        let expected = json!({
            "level": "WARN",
            "message": "source is not allowed",
            "target": COUNTED,
            "request_id": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "source_ip": "192.0.2.1",
            "is_refused": is_refused,
        });
        assert_eq!(line, expected);
    }
}

#[test]
fn a_secret_that_could_not_be_fetched_is_a_warning_and_counted_where_an_old_one_serves() {
    let error = FetchError::Unreachable(private("timeout"));
    let cause = "the secret store could not be reached: timeout";
    assert_eq!(
        only_line(|| secret_not_fetched(&error, true)),
        json!({"level": "WARN", "message": "secret is stale", "target": COUNTED, "cause": cause})
    );
    assert_eq!(
        only_line(|| secret_not_fetched(&error, false)),
        json!({"level": "WARN", "message": "secret could not be fetched", "target": "labelbox_relay::telemetry", "cause": cause})
    );
}

#[test]
fn a_failed_start_is_an_error() {
    let error = FetchError::Unreachable(private("timeout"));
    let cause = "the secret store could not be reached: timeout";
    assert_eq!(
        only_line(|| start_failed(&error)),
        json!({"level": "ERROR", "message": "start failed", "target": "labelbox_relay::telemetry", "cause": cause})
    );
}

#[test]
fn a_line_below_the_level_is_not_written_unless_it_is_counted() {
    let error = FetchError::Unreachable(private("timeout"));
    let write = || {
        secret_not_fetched(&error, true);
        secret_not_fetched(&error, false);
        source_not_allowed(&request(), false);
        start_failed(&error);
    };
    let messages = |level| -> Vec<_> {
        let lines = lines_at(level, write);
        lines
            .iter()
            .map(|line| line["message"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(messages(Level::WARN).len(), 4);
    assert_eq!(
        messages(Level::ERROR),
        ["secret is stale", "source is not allowed", "start failed"]
    );
}

#[test]
fn lines_of_the_libraries_are_not_written_however_talkative_we_are() {
    let lines = lines_at(Level::TRACE, || {
        tracing::debug!(target: "aws_smithy_runtime::client", "the value of a secret");
        tracing::warn!(target: "lambda_runtime", "a whole event");
        tracing::error!(target: "lambda_runtime", "a failure");
        tracing::trace!("a line of ours");
    });
    let messages: Vec<_> = lines.iter().map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["a failure", "a line of ours"]);
}
