//! The SQS client: its requests on the wire, and how it handles each response.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::config::tests::{offline, offline_aws};
use crate::error::error_chain;
use crate::event::UnroutedReason;
use crate::message::Attribute;
use aws_lite::test_util::{Replay, response};
use aws_lite::{AwsError, HttpClient};
use bytes::Bytes;
use lambda_http::http::{Request, Response};
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

const DEDUP_ID: &str = "4d96d4defe8211ee6ac917e7e38dfc06b152a78e3fb3af5f39ebc288f14df63b";
const GROUP_ID: &str = "cl0sjr9nb9tfi0zatagsq5zw1";
const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";
/// The checksums of [`message`], computed in Python by moto.
const BODY_MD5: &str = "21a1a6f17608384a8a7311aa76eb39a7";
const ATTRIBUTES_MD5: &str = "7c25dfb7fe56d0aa5312091cd33f698b";

fn message() -> Message {
    Message {
        entity: Entity::Label,
        body: r#"{"id":"cl0sjr9nb9tfi0zatagsq5zw1"}"#.to_owned(),
        attributes: vec![
            Attribute::string("event", "LABEL_UPDATED".to_owned()),
            Attribute::string("entity", "label".to_owned()),
            Attribute::string("entity_id", GROUP_ID.to_owned()),
        ],
        dedup_id: DEDUP_ID.to_owned(),
        group_id: Some(GROUP_ID.to_owned()),
        trace: Some(TRACE.to_owned()),
        received_at: UNIX_EPOCH.into(),
    }
}

fn confirmation() -> Value {
    json!({
        "MD5OfMessageBody": BODY_MD5,
        "MD5OfMessageAttributes": ATTRIBUTES_MD5,
        "MessageId": "8a1b9c52-0b6b-4a1f-9d8f-6f1d1f1c2b3a",
        "SequenceNumber": "18870266",
    })
}

fn confirmed() -> Response<Bytes> {
    response(200, confirmation().to_string())
}

fn urls() -> QueueUrls {
    let url = |name| format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{name}.fifo");
    QueueUrls {
        label: url("a-label"),
        workflow: url("a-workflow"),
        review: url("a-review"),
        model_run: url("a-model-run"),
        unrouted: url("an-unrouted"),
    }
}

/// SQS in `eu-central-1`, over this HTTP client.
fn sqs(http: impl HttpClient) -> Sqs {
    let config = Config { queue_urls: urls(), ..offline() };
    Sqs::new(&config, &offline_aws(http))
}

fn body_of(request: &Request<Bytes>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

/// The JSON of the only request that sends a message.
async fn sent(message: &Message) -> Value {
    let replay = Replay::new([confirmed()]);
    // Whether it is confirmed is another test's business.
    let _ = sqs(replay.clone()).send(message).await;
    let [request] = replay.requests().try_into().unwrap();
    body_of(&request)
}

#[test]
fn endpoint_is_the_url_that_messages_are_sent_to() {
    let sqs = sqs(Replay::new([]));
    assert_eq!(sqs.endpoint(), "https://sqs.eu-central-1.amazonaws.com");
}

async fn send_with(response: Response<Bytes>) -> Result<String, QueueError> {
    sqs(Replay::new([response])).send(&message()).await
}

#[tokio::test(start_paused = true)]
async fn sends_every_field_to_a_fifo_queue() {
    let string = |value| json!({"DataType": "String", "StringValue": value});
    let expected = json!({
        "QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/a-label.fifo",
        "MessageBody": r#"{"id":"cl0sjr9nb9tfi0zatagsq5zw1"}"#,
        "MessageAttributes": {
            "event": string("LABEL_UPDATED"),
            "entity": string("label"),
            "entity_id": string(GROUP_ID),
        },
        "MessageSystemAttributes": {"AWSTraceHeader": string(TRACE)},
        "MessageGroupId": GROUP_ID,
        "MessageDeduplicationId": DEDUP_ID,
    });
    assert_eq!(sent(&message()).await, expected);
}

#[tokio::test(start_paused = true)]
async fn sends_no_group_and_deduplication_id_to_a_standard_queue() {
    let standard = Message { group_id: None, ..message() };
    let mut expected = sent(&message()).await;
    let fields = expected.as_object_mut().unwrap();
    assert!(fields.remove("MessageGroupId").is_some());
    assert!(fields.remove("MessageDeduplicationId").is_some());
    assert_eq!(sent(&standard).await, expected);
}

#[tokio::test(start_paused = true)]
async fn sends_no_system_attributes_without_a_trace() {
    let untraced = Message { trace: None, ..message() };
    let mut expected = sent(&message()).await;
    let fields = expected.as_object_mut().unwrap();
    assert!(fields.remove("MessageSystemAttributes").is_some());
    assert_eq!(sent(&untraced).await, expected);
}

#[tokio::test(start_paused = true)]
async fn signs_the_request() {
    let replay = Replay::new([confirmed()]);
    sqs(replay.clone()).send(&message()).await.unwrap();
    let [request] = replay.requests().try_into().unwrap();
    let header = |name| request.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(*request.uri(), "https://sqs.eu-central-1.amazonaws.com/");
    assert_eq!(header("x-amz-target"), "AmazonSQS.SendMessage");
    assert_eq!(header("content-type"), "application/x-amz-json-1.0");
    assert!(header("authorization").starts_with("AWS4-HMAC-SHA256 "));
}

#[tokio::test(start_paused = true)]
async fn sends_each_entity_to_its_queue() {
    let cases = [
        (Entity::Label, "a-label"),
        (Entity::Workflow, "a-workflow"),
        (Entity::Review, "a-review"),
        (Entity::ModelRun, "a-model-run"),
        (Entity::Unrouted(UnroutedReason::UnknownTopic), "an-unrouted"),
        (Entity::Unrouted(UnroutedReason::NoTopic), "an-unrouted"),
        (Entity::Unrouted(UnroutedReason::Unreadable), "an-unrouted"),
    ];
    for (entity, queue) in cases {
        let request = sent(&Message { entity, ..message() }).await;
        let url = format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{queue}.fifo");
        assert_eq!(request["QueueUrl"], url, "{entity:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sends_the_body_byte_for_byte() {
    let bodies = [
        "\t\n\r \"\\/ \u{7f}\u{80}\u{e9}\u{2028}\u{fffd}\u{10ffff}\\u0000 ".to_owned(),
        " ".to_owned(),
        "x".repeat(1_000_000),
    ];
    for body in bodies {
        let request = sent(&Message { body: body.clone(), ..message() }).await;
        assert!(request["MessageBody"] == body, "{:.100?}", body);
    }
}

#[tokio::test(start_paused = true)]
async fn returns_the_message_id_of_a_matching_confirmation() {
    let message_id = send_with(confirmed()).await.unwrap();
    assert_eq!(message_id, "8a1b9c52-0b6b-4a1f-9d8f-6f1d1f1c2b3a");
}

#[tokio::test(start_paused = true)]
async fn rejects_a_confirmation_of_a_different_message() {
    let other_md5 = "d41d8cd98f00b204e9800998ecf8427e";
    #[rustfmt::skip]
    let cases = [
        ("MD5OfMessageBody", Value::Null, "MD5OfMessageBody differs"),
        ("MD5OfMessageBody", json!(""), "MD5OfMessageBody differs"),
        ("MD5OfMessageBody", json!(other_md5), "MD5OfMessageBody differs"),
        ("MD5OfMessageBody", json!(ATTRIBUTES_MD5), "MD5OfMessageBody differs"),
        ("MD5OfMessageAttributes", Value::Null, "MD5OfMessageAttributes differs"),
        ("MD5OfMessageAttributes", json!(""), "MD5OfMessageAttributes differs"),
        ("MD5OfMessageAttributes", json!(other_md5), "MD5OfMessageAttributes differs"),
        ("MD5OfMessageAttributes", json!(BODY_MD5), "MD5OfMessageAttributes differs"),
        ("MessageId", Value::Null, "MessageId is missing"),
    ];
    for (field, value, expected) in cases {
        let mut confirmation = confirmation();
        confirmation[field] = value;
        let outcome = send_with(response(200, confirmation.to_string())).await;
        let Err(QueueError::Unconfirmed(reason)) = outcome else {
            panic!("{field}: {outcome:?}");
        };
        assert_eq!(reason, expected);
    }
    let outcome = send_with(response(200, "{}")).await;
    assert!(matches!(outcome, Err(QueueError::Unconfirmed(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn rejects_a_confirmation_of_a_modified_message() {
    let changed_body =
        Message { body: r#"{"id":"cl0sjr9nb9tfi0zatagsq5zw2"}"#.to_owned(), ..message() };
    let mut changed_attribute = message();
    changed_attribute.attributes.pop();
    for changed in [changed_body, changed_attribute] {
        let outcome = sqs(Replay::new([confirmed()])).send(&changed).await;
        assert!(matches!(outcome, Err(QueueError::Unconfirmed(_))), "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reports_an_error_response_with_its_reason() {
    let error = |code: &str, text: &str| json!({"__type": code, "message": text}).to_string();
    #[rustfmt::skip]
    let cases = [
        (400, error("com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist."), "queue does not exist"),
        (403, error("com.amazon.coral.service#AccessDeniedException", "not authorized to perform: sqs:sendmessage"), "AccessDenied"),
        (400, error("com.amazonaws.sqs#InvalidMessageContents", "Invalid characters found."), "Invalid characters found"),
        (400, error("com.amazonaws.sqs#KmsAccessDenied", "The ciphertext refers to a key"), "The ciphertext refers to a key"),
        (400, error("com.amazonaws.sqs#RequestThrottled", "Rate exceeded"), "Rate exceeded"),
        (400, error("com.amazon.coral.validate#InvalidParameterValue", "One or more parameters are invalid."), "InvalidParameterValue"),
        (500, error("com.amazonaws.sqs#InternalFailure", "try later"), "InternalFailure"),
        (503, error("com.amazonaws.sqs#ServiceUnavailable", "try later"), "ServiceUnavailable"),
    ];
    for (status, body, expected) in cases {
        let error = send_with(response(status, body.clone())).await.unwrap_err();
        assert!(matches!(error, QueueError::NotSent(_)), "{body}: {error:?}");
        let text = error_chain(&error);
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn reports_an_unreadable_response_as_not_sent() {
    for (status, body) in [
        (200, "<html>welcome</html>"),
        (200, r#"{"MessageId": "#),
        (502, "<html>bad gateway</html>"),
        (503, ""),
        (302, ""),
    ] {
        let outcome = send_with(response(status, body)).await;
        assert!(matches!(outcome, Err(QueueError::NotSent(_))), "{status} {body}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reports_a_failed_connection_as_not_sent() {
    let outcome = sqs(Replay::default()).send(&message()).await;
    assert!(matches!(outcome, Err(QueueError::NotSent(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn reports_a_queue_that_does_not_respond() {
    let hanging = |_| std::future::pending::<Result<_, AwsError>>();
    let error = sqs(hanging).send(&message()).await.unwrap_err();
    assert!(matches!(error, QueueError::NotSent(_)), "{error:?}");
    assert!(error_chain(&error).contains("deadline has elapsed"), "{}", error_chain(&error));
}

#[tokio::test(start_paused = true)]
async fn retries_with_the_same_message() {
    let replay = Replay::new([response(503, ""), confirmed()]);
    sqs(replay.clone()).send(&message()).await.unwrap();
    let bodies: Vec<_> = replay.requests().iter().map(body_of).collect();
    let [first, second] = bodies.try_into().unwrap();
    assert_eq!(first, second);
    assert_eq!(second["MessageDeduplicationId"], DEDUP_ID);
}
