//! Requests to SQS, and what its responses mean.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_smithy_http_client::test_util::StaticReplayClient;
use serde_json::json;
use std::collections::HashMap;

fn stack() -> Stack {
    let output = |name: &str| (name.to_owned(), "https://sqs/queue".to_owned());
    let names = ["LabelQueueUrl", "LabelDeadLetterQueueUrl"];
    Stack::new("relay", HashMap::from(names.map(output)))
}

/// The actions that were called, with their parameters.
fn requests(client: &StaticReplayClient) -> Vec<(String, serde_json::Value)> {
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
async fn reads_counts_and_receive_limit() {
    let full = r#"{"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "3",
        "RedrivePolicy": "{\"deadLetterTargetArn\":\"arn\",\"maxReceiveCount\":5}"}"#;
    let expected = QueueStats { waiting: 2, in_flight: 3, max_receive_count: Some(5) };
    assert_eq!(stats(full).await, expected);
    let as_text = r#"{"RedrivePolicy": "{\"maxReceiveCount\":\"5\"}"}"#;
    assert_eq!(stats(as_text).await.max_receive_count, Some(5));
    for odd in ["{}", r#"{"RedrivePolicy": ""}"#, r#"{"RedrivePolicy": "5"}"#] {
        assert_eq!(stats(odd).await, QueueStats::default(), "{odd}");
    }
}

#[tokio::test]
async fn receives_with_a_long_poll_and_a_short_visibility_timeout() {
    let (clients, client) = offline(&[(200, "{}")]);
    let stack = stack();
    let queue = Queue::new(&clients, &stack, Entity::Label, false).unwrap();
    assert!(queue.receive(BATCH, LOOK_SECONDS).await.unwrap().is_empty());
    let [(call, request)] = &requests(&client)[..] else { panic!("one call") };
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
    for (call, request) in requests(&client) {
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
async fn releases_ten_messages_per_request() {
    assert_eq!(release(0, &[]).await, (0, Ok(())));
    let released = release(23, &[(200, CHANGED); 3]).await;
    assert_eq!(released, (23, Ok(())));
}

#[tokio::test]
async fn ignores_messages_that_others_have_received_meanwhile() {
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

/// Computed by `hashlib.md5` in Python.
const BODY_MD5: &str = "841a2d689ad86bd1611447453c22c6fc";
const ATTRIBUTES_MD5: &str = "46ae9ec5c470199ba850b1a65cd0a43f";

fn message() -> OutgoingMessage {
    let attribute = MessageAttributeValue::builder().data_type("String");
    let attribute = attribute.string_value("MOVE").build().unwrap();
    OutgoingMessage {
        body: "body".to_owned(),
        attributes: HashMap::from([("event".to_owned(), attribute)]),
        trace: None,
        group_id: None,
        dedup_id: None,
    }
}

async fn send(
    status: u16,
    response: serde_json::Value,
    message: OutgoingMessage,
) -> Result<String, String> {
    let (clients, _) = offline(&[(status, &response.to_string())]);
    let stack = stack();
    Queue::new(&clients, &stack, Entity::Label, false).unwrap().send(message).await
}

#[tokio::test]
async fn accepts_a_response_with_the_right_checksums() {
    let response = json!({"MessageId": "id", "MD5OfMessageBody": BODY_MD5, "MD5OfMessageAttributes": ATTRIBUTES_MD5});
    assert_eq!(send(200, response, message()).await.as_deref(), Ok("id"));
    let bare = OutgoingMessage { attributes: HashMap::new(), ..message() };
    let response = json!({"MessageId": "id", "MD5OfMessageBody": BODY_MD5});
    assert_eq!(send(200, response, bare).await.as_deref(), Ok("id"));
}

#[tokio::test]
async fn rejects_a_response_without_the_right_checksums() {
    for response in [
        json!({"MessageId": "id", "MD5OfMessageBody": BODY_MD5, "MD5OfMessageAttributes": BODY_MD5}),
        json!({"MessageId": "id", "MD5OfMessageBody": ATTRIBUTES_MD5, "MD5OfMessageAttributes": ATTRIBUTES_MD5}),
        json!({"MessageId": "id", "MD5OfMessageBody": BODY_MD5}),
        json!({"MD5OfMessageBody": BODY_MD5, "MD5OfMessageAttributes": ATTRIBUTES_MD5}),
        json!({}),
    ] {
        let error = send(200, response.clone(), message()).await.unwrap_err();
        assert!(error.contains("does not confirm the message"), "{response} {error}");
    }
}

#[tokio::test]
async fn names_a_missing_queue() {
    let response =
        json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "The queue is gone."});
    let error = send(400, response, message()).await.unwrap_err();
    assert_eq!(error, "QueueDoesNotExist: the queue of label does not exist");
}

fn received(number: u32, receive_count: u32) -> ReceivedMessage {
    ReceivedMessage {
        message_id: format!("id{number}"),
        receipt_handle: format!("handle{number}"),
        message: OutgoingMessage { dedup_id: Some("seen".to_owned()), ..message() },
        receive_count,
        sent_at: None,
        is_intact: true,
    }
}

/// Gives back messages with these receive counts. Returns the result, and the requests.
async fn give_back(
    receive_counts: &[u32],
    max_receive_count: Option<u32>,
    responses: &[(u16, &str)],
) -> (Result<usize, String>, Vec<(String, serde_json::Value)>) {
    let (clients, client) = offline(responses);
    let output = ("LabelQueueUrl".to_owned(), "https://sqs/queue.fifo".to_owned());
    let stack = Stack::new("relay", HashMap::from([output]));
    let queue = Queue::new(&clients, &stack, Entity::Label, false).unwrap();
    let messages: Vec<_> =
        receive_counts.iter().zip(0..).map(|(count, number)| received(number, *count)).collect();
    (queue.give_back(&messages, max_receive_count).await, requests(&client))
}

fn confirmation() -> String {
    json!({"MessageId": "new", "MD5OfMessageBody": BODY_MD5, "MD5OfMessageAttributes": ATTRIBUTES_MD5})
        .to_string()
}

#[tokio::test]
async fn sends_a_message_again_whose_last_receive_was_taken() {
    let responses = [(200, CHANGED), (200, &confirmation()), (200, "{}")];
    let (result, requests) = give_back(&[4, 5], Some(5), &responses).await;
    assert_eq!(result, Ok(1));
    let [(first, released), (second, sent), (third, deleted)] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(
        [first, second, third],
        ["ChangeMessageVisibilityBatch", "SendMessage", "DeleteMessage"]
    );
    assert_eq!(released.pointer("/Entries/0/ReceiptHandle"), Some(&"handle0".into()));
    assert_eq!(released.pointer("/Entries/1"), None);
    assert_eq!(sent.get("MessageBody"), Some(&"body".into()));
    assert_eq!(sent.get("MessageDeduplicationId"), Some(&"id1".into()));
    assert_eq!(deleted.get("ReceiptHandle"), Some(&"handle1".into()));
}

#[tokio::test]
async fn releases_every_message_of_a_queue_without_receive_limit() {
    let (result, requests) = give_back(&[99], None, &[(200, CHANGED)]).await;
    assert_eq!((result, requests.len()), (Ok(0), 1));
}

#[tokio::test]
async fn keeps_a_message_that_cannot_be_sent_again() {
    let error = r#"{"__type": "AccessDenied", "message": "No."}"#;
    let (result, requests) = give_back(&[5], Some(5), &[(403, error)]).await;
    assert_eq!(result, Err("AccessDenied: No.".to_owned()));
    assert!(requests.iter().all(|(action, _)| action != "DeleteMessage"), "{requests:?}");
}
