//! A queue at the wire: what is asked, and what the answers mean.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use aws_smithy_http_client::test_util::StaticReplayClient;
use std::collections::HashMap;

fn stack() -> Stack {
    let output = |name: &str| (name.to_owned(), "https://sqs/queue".to_owned());
    let names = ["LabelQueueUrl", "LabelDeadLetterQueueUrl"];
    Stack::new("relay", HashMap::from(names.map(output)))
}

/// What was asked: the calls, each with its request.
fn asked(client: &StaticReplayClient) -> Vec<(String, serde_json::Value)> {
    let read = |request: &aws_sdk_sqs::config::http::HttpRequest| {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap();
        (target.replace("AmazonSQS.", ""), body)
    };
    client.actual_requests().map(read).collect()
}

async fn stats(attributes: &str) -> QueueStats {
    let answer = format!(r#"{{"Attributes": {attributes}}}"#);
    let (clients, _) = offline(&[(200, &answer)]);
    let stack = stack();
    let queue = Queue::new(&clients, &stack, Entity::Label, false).unwrap();
    queue.stats().await.unwrap()
}

#[tokio::test]
async fn the_standing_of_a_queue_is_what_sqs_says() {
    let full = r#"{"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "3",
        "RedrivePolicy": "{\"deadLetterTargetArn\":\"arn\",\"maxReceiveCount\":5}"}"#;
    let expected = QueueStats { waiting: 2, in_flight: 3, most_receives: Some(5) };
    assert_eq!(stats(full).await, expected);
    let as_text = r#"{"RedrivePolicy": "{\"maxReceiveCount\":\"5\"}"}"#;
    assert_eq!(stats(as_text).await.most_receives, Some(5));
    for odd in ["{}", r#"{"RedrivePolicy": ""}"#, r#"{"RedrivePolicy": "5"}"#] {
        assert_eq!(stats(odd).await, QueueStats::default(), "{odd}");
    }
}

#[tokio::test]
async fn what_is_received_is_hidden_for_a_short_time_only() {
    let (clients, client) = offline(&[(200, "{}")]);
    let stack = stack();
    let queue = Queue::new(&clients, &stack, Entity::Label, false).unwrap();
    assert!(queue.receive(MOST_AT_ONCE).await.unwrap().is_empty());
    let [(call, request)] = &asked(&client)[..] else { panic!("one call") };
    assert_eq!(call, "ReceiveMessage");
    assert_eq!(request.get("VisibilityTimeout"), Some(&20.into()));
    assert_eq!(request.get("WaitTimeSeconds"), Some(&1.into()));
}

async fn release(count: usize, answers: &[(u16, &str)]) -> (usize, Result<(), String>) {
    let (clients, client) = offline(answers);
    let stack = stack();
    let queue = Queue::new(&clients, &stack, Entity::Label, true).unwrap();
    let handles = (0..count).map(|number| format!("handle{number}"));
    let released = queue.release(handles.collect()).await;
    let mut entries = 0;
    for (call, request) in asked(&client) {
        assert_eq!(call, "ChangeMessageVisibilityBatch");
        let of_call = request.get("Entries").and_then(|it| it.as_array()).unwrap();
        assert!(of_call.iter().all(|it| it.get("VisibilityTimeout") == Some(&0.into())));
        assert!(of_call.len() <= 10);
        entries += of_call.len();
    }
    (entries, released)
}

const CHANGED: &str = r#"{"Successful": [], "Failed": []}"#;

#[tokio::test]
async fn messages_are_released_ten_at_a_time() {
    assert_eq!(release(0, &[]).await, (0, Ok(())));
    let released = release(23, &[(200, CHANGED); 3]).await;
    assert_eq!(released, (23, Ok(())));
}

#[tokio::test]
async fn only_what_is_still_ours_has_to_be_released() {
    let failed = |by_sender: bool| {
        format!(
            r#"{{"Successful": [], "Failed": [{{"Id": "0", "Code": "Odd", "SenderFault": {by_sender}}}]}}"#
        )
    };
    assert_eq!(release(1, &[(200, &failed(true))]).await.1, Ok(()));
    let (_, released) = release(1, &[(200, &failed(false))]).await;
    assert_eq!(released, Err("Odd".to_owned()));
    let denied = r#"{"__type": "AccessDenied", "message": "No."}"#;
    let (_, released) = release(1, &[(403, denied)]).await;
    assert_eq!(released, Err("AccessDenied: No.".to_owned()));
}
