//! Which events a follower passes on.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use serde_json::json;

fn page(events: &[(&str, i64)]) -> String {
    let event = |(id, timestamp): &(&str, i64)| json!({"eventId": id, "timestamp": timestamp, "message": "{\"a\": 1}"});
    json!({"events": events.iter().map(event).collect::<Vec<_>>()}).to_string()
}

/// Follows these responses until event `last`. Returns the ids and the start times of the requests.
async fn ids_until(last: &str, pages: &[(u16, String)]) -> (Vec<String>, Vec<i64>) {
    let pages: Vec<_> = pages.iter().map(|(status, body)| (*status, body.as_str())).collect();
    let (clients, client) = offline(&pages);
    let mut ids = Vec::new();
    let each = |event: &LogEvent| {
        ids.push(event.id.clone());
        Ok(if event.id == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    follow(&clients, "group", 100_000, true, each, &Output::new(false), &Cell::new(None))
        .await
        .unwrap();
    let start = |request: &aws_sdk_sqs::config::http::HttpRequest| {
        let body: serde_json::Value =
            serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        body.get("startTime").and_then(serde_json::Value::as_i64).unwrap()
    };
    (ids, client.actual_requests().map(start).collect())
}

#[tokio::test(start_paused = true)]
async fn passes_on_each_event_once_and_late_ones_too() {
    let pages = [
        (200, page(&[("a", 150_000)])),
        (200, page(&[("late", 140_000), ("a", 150_000)])),
        (200, page(&[("late", 140_000), ("a", 150_000), ("b", 200_000)])),
        (200, page(&[("b", 200_000), ("c", 200_001)])),
    ];
    let (ids, starts) = ids_until("c", &pages).await;
    assert_eq!(ids, ["a", "late", "b", "c"]);
    assert_eq!(starts, [100_000, 130_000, 130_000, 180_000]);
}

#[tokio::test(start_paused = true)]
async fn never_starts_before_the_time_that_was_asked_for() {
    let pages = [(200, page(&[("a", 100_001)])), (200, page(&[("b", 100_002)]))];
    assert_eq!(ids_until("b", &pages).await.1, [100_000, 100_000]);
}

#[tokio::test]
async fn reads_events_in_order_of_time_with_the_fields_of_json_lines() {
    let lines = json!({"events": [
        {"eventId": "2", "timestamp": 2, "message": "START RequestId"},
        {"eventId": "1", "timestamp": 1, "message": "{\"level\":\"INFO\"}\n"},
    ]});
    let (clients, _) = offline(&[(200, &lines.to_string())]);
    let events = read(&clients, "group", 0, None).await.unwrap();
    let texts: Vec<_> = events.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(texts, ["{\"level\":\"INFO\"}\n", "START RequestId"]);
    let fields: Vec<_> = events.iter().map(|event| event.fields.len()).collect();
    assert_eq!(fields, [1, 0]);
}

#[tokio::test]
async fn a_missing_log_group_is_an_error() {
    let error = r#"{"__type": "ResourceNotFoundException", "message": "Gone."}"#;
    let (clients, _) = offline(&[(400, error)]);
    let each = |_: &LogEvent| Ok(ControlFlow::Continue(()));
    let error = follow(&clients, "group", 0, true, each, &Output::new(false), &Cell::new(None))
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error}");
}
