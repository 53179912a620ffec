//! The search for the probe at the wire: what is deleted, and what is given back.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use crate::aws::stack::{Entity, Stack};
use std::collections::HashMap;

const NOTHING: &str = "{}";
const OURS: &str = r#"{"MessageId": "ours", "ReceiptHandle": "of ours", "Body": "body"}"#;

/// A thousand seconds after 1970.
fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000)
}

/// Another's message, sent so many seconds after 1970.
fn other(id: &str, event: &str, sent_at: u32, receives: u32) -> String {
    format!(
        r#"{{"MessageId": "{id}", "ReceiptHandle": "of {id}", "Body": "{id}",
        "Attributes": {{"SentTimestamp": "{sent_at}000", "ApproximateReceiveCount": "{receives}"}},
        "MessageAttributes": {{"event": {{"DataType": "String", "StringValue": "{event}"}}}}}}"#
    )
}

fn received(messages: &[&str]) -> String {
    format!(r#"{{"Messages": [{}]}}"#, messages.join(","))
}

/// Searches with these answers: the outcome, and what was asked, in short.
async fn search(id: Option<&str>, answers: &[&str]) -> (Result<Search, Error>, Vec<String>) {
    let answers: Vec<_> = answers.iter().map(|answer| (200, *answer)).collect();
    let (clients, asked) = offline(&answers);
    let url = ("UnroutedQueueUrl".to_owned(), "https://sqs/q".to_owned());
    let stack = Stack::new("relay", HashMap::from([url]));
    let queue = Queue::new(&clients, &stack, Entity::Unrouted, false).unwrap();
    let wanted = Wanted { message_id: id, body: b"body" };
    let outcome = take_out(queue, &wanted, clock).await;
    let short = |request: &aws_sdk_sqs::config::http::HttpRequest| {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        let handles: Vec<_> = body.split('"').filter(|it| it.starts_with("of ")).collect();
        let words = [target.trim_start_matches("AmazonSQS."), &handles.join(" ")];
        words.join(" ").trim().to_owned()
    };
    (outcome, asked.actual_requests().map(short).collect())
}

#[tokio::test]
async fn only_the_probe_is_deleted_and_the_others_are_given_back() {
    let (one, two) = (other("one", "NEW", 1, 1), other("two", "NEW", 1, WORN));
    let (first, second) = (received(&[&one]), received(&[&two, OURS]));
    let (outcome, asked) = search(Some("ours"), &[&first, &second, NOTHING, NOTHING]).await;
    let expected = [
        "ReceiveMessage",
        "ReceiveMessage",
        "DeleteMessage of ours",
        "ChangeMessageVisibilityBatch of one of two",
    ];
    assert_eq!(asked, expected);
    let found = Search { is_found: true, worn: 1 };
    assert_eq!(outcome.unwrap(), found);
}

#[tokio::test]
async fn a_probe_without_an_answer_is_known_by_its_body() {
    let (outcome, asked) = search(None, &[&received(&[OURS]), NOTHING]).await;
    assert!(outcome.unwrap().is_found);
    assert_eq!(asked, ["ReceiveMessage", "DeleteMessage of ours"]);
}

#[tokio::test]
async fn what_an_earlier_run_has_left_goes_and_what_another_doctor_has_just_sent_stays() {
    let (left, young) = (other("left", TOPIC, 900, 1), other("young", TOPIC, 990, 1));
    let messages = received(&[&left, &young, OURS]);
    let (outcome, asked) = search(Some("ours"), &[&messages, NOTHING, NOTHING, NOTHING]).await;
    assert!(outcome.unwrap().is_found);
    let expected = [
        "ReceiveMessage",
        "DeleteMessage of left",
        "DeleteMessage of ours",
        "ChangeMessageVisibilityBatch of young",
    ];
    assert_eq!(asked, expected);
}

#[tokio::test]
async fn an_empty_queue_is_asked_three_times() {
    let (outcome, asked) = search(Some("ours"), &[NOTHING; 9]).await;
    assert_eq!(outcome.unwrap(), Search::default());
    assert_eq!(asked, ["ReceiveMessage"; 3]);
}

#[tokio::test]
async fn the_others_are_given_back_even_if_the_search_fails() {
    let one = received(&[&other("one", "NEW", 1, 1)]);
    // A receive that makes no sense.
    let (outcome, asked) = search(Some("ours"), &[&one, "{", NOTHING]).await;
    assert!(outcome.is_err());
    let last = asked.last().map(String::as_str);
    assert_eq!(last, Some("ChangeMessageVisibilityBatch of one"));
}
