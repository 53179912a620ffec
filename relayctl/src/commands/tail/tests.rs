//! Lines of requests, and which requests are shown.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use clap::Parser;
use serde_json::json;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    tail: Tail,
}

fn read(words: &str) -> Result<Tail, clap::Error> {
    Line::try_parse_from(format!("x {words}").split_whitespace()).map(|line| line.tail)
}

fn queued() -> Value {
    json!({
        "timestamp": "2026-11-23T13:00:00.123Z", "level": "INFO", "message": "event queued", "request_id": "r",
        "route": "webhook", "webhook": "labelbox", "status": 200, "source_ip": "192.0.2.1", "duration_ms": 12.4,
        "entity": "label", "event": "LABEL_CREATED", "entity_id": "label1", "project_id": "p1", "delivery_id": "d1",
        "message_id": "m1",
    })
}

fn refused() -> Value {
    json!({
        "timestamp": "2026-11-23T13:00:00.123Z", "message": "request refused", "route": "webhook", "webhook": "labelbox",
        "status": 401, "error": "the signature is missing\u{1b}[2J", "source_ip": "192.0.2.1", "duration_ms": 0.6,
    })
}

/// The log event of a line.
fn event(line: &Value) -> LogEvent {
    let fields = line.as_object().unwrap().clone();
    LogEvent { id: "e".to_owned(), timestamp_ms: 0, text: line.to_string(), fields }
}

fn text(line: &Value, is_terminal: bool) -> String {
    let event = event(line);
    let request = Request::from_event(&event).unwrap();
    anstream::adapter::strip_str(&request.line(is_terminal)).to_string()
}

#[test]
fn prints_an_accepted_request() {
    let (line, ids) = (
        "2026-11-23T13:00:00.123Z 200 queued   label     LABEL_CREATED      label1 12 ms",
        "project p1 message m1 delivery d1",
    );
    assert_eq!(text(&queued(), false), format!("{line} {ids}"));
    assert_eq!(text(&queued(), true), format!("{line}\n  {ids}"));
    let mut without_id = queued();
    without_id.as_object_mut().unwrap().remove("entity_id");
    assert!(text(&without_id, false).contains("LABEL_CREATED      - 12 ms"));
}

#[test]
fn prints_why_a_request_was_refused_and_sanitizes_it() {
    assert_eq!(
        text(&refused(), false),
        "2026-11-23T13:00:00.123Z 401 refused  webhook labelbox 1 ms: the signature is missing\u{fffd}[2J from 192.0.2.1"
    );
}

#[test]
fn skips_lines_that_are_no_requests() {
    for line in
        [json!({}), json!({"level": "WARN", "target": "x"}), json!({"_aws": {}, "Queued": 1})]
    {
        assert!(Request::from_event(&event(&line)).is_none(), "{line}");
    }
}

#[test]
fn filters_by_queue_topic_project_and_status() {
    for (words, is_queued, is_refused) in [
        ("", true, true),
        ("label", true, false),
        ("review workflow", false, false),
        ("review label", true, false),
        ("--topic label_*", true, false),
        ("--topic MOVE", false, false),
        ("--project p1", true, false),
        ("--project p2", false, false),
        ("--status queued", true, false),
        ("--status refused", false, true),
        ("--status 401 --status 200", true, true),
        ("--status 503", false, false),
    ] {
        let tail = read(words).unwrap();
        let matches = |line: Value| {
            let event = event(&line);
            tail.matches(&Request::from_event(&event).unwrap())
        };
        assert_eq!((matches(queued()), matches(refused())), (is_queued, is_refused), "{words}");
    }
}

#[test]
fn rejects_unknown_statuses() {
    for words in ["--status done", "--status 99", "--status 600", "--since yesterday", "--count 0"]
    {
        assert_eq!(read(words).unwrap_err().exit_code(), 2, "{words}");
    }
}

#[test]
fn outcomes_have_words_for_the_messages_of_the_function() {
    let source = include_str!("../../../../src/telemetry/request_log.rs");
    for (message, ..) in OUTCOMES {
        assert!(source.contains(&format!("\"{message}\"")), "{message}");
    }
}
