//! Requests to SQS, and what its responses mean.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

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
    Queue::at(&clients.sqs, "https://sqs/queue", "--to").send(message).await
}

fn confirmation(body: &str, attributes: &str) -> serde_json::Value {
    let sent = json!({"Id": "0", "MessageId": "id", "MD5OfMessageBody": body, "MD5OfMessageAttributes": attributes});
    json!({"Successful": [sent], "Failed": []})
}

#[tokio::test]
async fn only_the_right_checksums_confirm_a_message() {
    let right = confirmation(BODY_MD5, ATTRIBUTES_MD5);
    assert_eq!(send(200, right, message()).await.as_deref(), Ok("id"));
    for (body, attributes) in [(BODY_MD5, BODY_MD5), (ATTRIBUTES_MD5, ATTRIBUTES_MD5)] {
        let error = send(200, confirmation(body, attributes), message()).await.unwrap_err();
        assert!(error.contains("does not confirm the message"), "{error}");
    }
    let nothing = json!({"Successful": [], "Failed": []});
    assert!(send(200, nothing, message()).await.unwrap_err().contains("does not say"));
}

#[tokio::test]
async fn names_a_missing_queue() {
    let response =
        json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "The queue is gone."});
    let error = send(400, response, message()).await.unwrap_err();
    assert_eq!(error, "QueueDoesNotExist: the queue of --to does not exist");
}

#[tokio::test]
async fn asks_the_region_of_a_queues_url() {
    for (host, expected) in [
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("vpce-0a1-b2.sqs.ap-south-2.vpce.amazonaws.com", "ap-south-2"),
        ("sqs.eu-north-1.api.aws", "eu-north-1"),
        ("localhost:4566", "us-east-1"),
    ] {
        let (clients, client) = offline(&[(200, "{}")]);
        let url = format!("https://{host}/123456789012/queue");
        let sqs = client_of(&clients.sqs, &url);
        Queue::at(&sqs, &url, "--to").stats().await.unwrap();
        let request = client.actual_requests().next().unwrap();
        assert!(request.uri().contains(&format!("sqs.{expected}.")), "{host}: {}", request.uri());
        let signed = request.headers().get("authorization").unwrap();
        assert!(signed.contains(&format!("/{expected}/sqs/")), "{host}: {signed}");
    }
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
) -> (Result<u64, String>, Vec<(String, serde_json::Value)>) {
    let (clients, client) = offline(responses);
    let output = ("LabelQueueUrl".to_owned(), "https://sqs/queue.fifo".to_owned());
    let stack = Stack::new("relay", HashMap::from([output]));
    let queue = Queue::new(&clients, &stack, Entity::Label, false).unwrap();
    let messages: Vec<_> =
        receive_counts.iter().zip(0..).map(|(count, number)| received(number, *count)).collect();
    (queue.give_back(&messages, max_receive_count).await, requests(&client))
}

#[tokio::test]
async fn sends_a_message_again_whose_last_receive_was_taken() {
    let confirmation = confirmation(BODY_MD5, ATTRIBUTES_MD5).to_string();
    let responses = [(200, CHANGED), (200, &confirmation), (200, "{}")];
    let (result, requests) = give_back(&[4, 5], Some(5), &responses).await;
    assert_eq!(result, Ok(1));
    let [(first, released), (second, sent), (third, deleted)] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!(
        [first, second, third],
        ["ChangeMessageVisibilityBatch", "SendMessageBatch", "DeleteMessage"]
    );
    assert_eq!(released.pointer("/Entries/0/ReceiptHandle"), Some(&"handle0".into()));
    assert_eq!(released.pointer("/Entries/1"), None);
    assert_eq!(sent.pointer("/Entries/0/MessageBody"), Some(&"body".into()));
    assert_eq!(sent.pointer("/Entries/0/MessageDeduplicationId"), Some(&"id1".into()));
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

fn traced(body: &str) -> OutgoingMessage {
    OutgoingMessage {
        body: body.to_owned(),
        attributes: HashMap::new(),
        trace: Some("Root=1".to_owned()),
        group_id: None,
        dedup_id: None,
    }
}

/// Sends `one` and `two` in a batch, which gets these answers. Returns the ids of each request, and the results.
async fn send_batch(
    answers: &[serde_json::Value],
) -> (Vec<Vec<String>>, Result<Vec<Result<String, String>>, AwsError>) {
    let answers: Vec<_> = answers.iter().map(|answer| (200, answer.to_string())).collect();
    let answers: Vec<_> =
        answers.iter().map(|(status, answer)| (*status, answer.as_str())).collect();
    let (clients, client) = offline(&answers);
    let queue = Queue::at(&clients.sqs, "https://sqs/queue", "--to");
    let results = queue.send_batch(&[traced("one"), traced("two")]).await;
    let ids = requests(&client).into_iter().map(|(call, request)| {
        assert_eq!(call, "SendMessageBatch");
        let entries = request.get("Entries").and_then(|it| it.as_array()).unwrap().clone();
        let id = |entry: serde_json::Value| {
            let trace = &entry["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"];
            assert_eq!(trace, "Root=1");
            entry["Id"].as_str().unwrap().to_owned()
        };
        entries.into_iter().map(id).collect()
    });
    (ids.collect(), results)
}

/// The checksums are those of `md5sum`.
fn sent(id: &str) -> serde_json::Value {
    let md5 = match id {
        "0" => "f97c5d29941bfb1b2fdab0874906ab82",
        _ => "b8a9f715dbb64fd5c56e7783c6820a61",
    };
    json!({"Id": id, "MessageId": "m", "MD5OfMessageBody": md5})
}

fn sent_as_m() -> Result<String, String> {
    Ok("m".to_owned())
}

fn failed(id: &str, code: &str, is_sender_fault: bool) -> serde_json::Value {
    json!({"Id": id, "Code": code, "Message": "No.", "SenderFault": is_sender_fault})
}

#[tokio::test]
async fn a_batch_tells_what_became_of_each_message() {
    let all = json!({"Successful": [sent("1"), sent("0")], "Failed": []});
    let (ids, results) = send_batch(&[all]).await;
    assert_eq!(
        (ids, results.unwrap()),
        (vec![vec!["0".into(), "1".into()]], vec![sent_as_m(), sent_as_m()])
    );
    let rejected = failed("0", "InvalidMessageContents", true);
    let (_, results) =
        send_batch(&[json!({"Successful": [sent("1")], "Failed": [rejected]})]).await;
    assert_eq!(results.unwrap(), [Err("InvalidMessageContents: No.".to_owned()), sent_as_m()]);
    let mut wrong = sent("0");
    wrong["MD5OfMessageBody"] = json!("b8a9f715dbb64fd5c56e7783c6820a61");
    let (_, results) = send_batch(&[json!({"Successful": [wrong], "Failed": []})]).await;
    let results = results.unwrap();
    assert!(results.iter().all(Result::is_err), "{results:?}");
}

#[tokio::test(start_paused = true)]
async fn what_sqs_could_not_accept_is_sent_again_alone() {
    let throttled = failed("1", "ThrottlingException", true);
    let broken = failed("1", "InternalError", false);
    let (ids, results) = send_batch(&[
        json!({"Successful": [sent("0")], "Failed": [throttled]}),
        json!({"Successful": [], "Failed": [broken]}),
        json!({"Successful": [sent("1")], "Failed": []}),
    ])
    .await;
    assert_eq!(ids, [vec!["0".to_owned(), "1".into()], vec!["1".into()], vec!["1".into()]]);
    assert_eq!(results.unwrap(), [sent_as_m(), sent_as_m()]);
    let never = json!({"Successful": [], "Failed": [failed("0", "InternalError", false)]});
    let (ids, results) = send_batch(&vec![never; 5]).await;
    assert_eq!((ids.len(), results.unwrap_err().code.as_deref()), (5, Some("InternalError")));
}
