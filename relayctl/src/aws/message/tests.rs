//! Sending at the wire: which confirmations are believed.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use serde_json::json;

/// Computed by `hashlib.md5`, in Python.
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

async fn send_to(
    status: u16,
    answer: serde_json::Value,
    message: OutgoingMessage,
) -> Result<String, String> {
    let (clients, _) = offline(&[(status, &answer.to_string())]);
    send(&clients.sqs, "https://sqs/queue", message).await
}

#[tokio::test]
async fn a_confirmation_with_both_checksums_is_believed() {
    let answer = json!({"MessageId": "id", "MD5OfMessageBody": BODY_MD5, "MD5OfMessageAttributes": ATTRIBUTES_MD5});
    assert_eq!(send_to(200, answer, message()).await.as_deref(), Ok("id"));
}

#[tokio::test]
async fn a_message_without_attributes_has_no_checksum_of_them() {
    let bare = OutgoingMessage { attributes: HashMap::new(), ..message() };
    let answer = json!({"MessageId": "id", "MD5OfMessageBody": BODY_MD5});
    assert_eq!(send_to(200, answer, bare).await.as_deref(), Ok("id"));
}

#[tokio::test]
async fn no_other_confirmation_is_believed() {
    for answer in [
        json!({"MessageId": "id", "MD5OfMessageBody": BODY_MD5, "MD5OfMessageAttributes": BODY_MD5}),
        json!({"MessageId": "id", "MD5OfMessageBody": ATTRIBUTES_MD5, "MD5OfMessageAttributes": ATTRIBUTES_MD5}),
        json!({"MessageId": "id", "MD5OfMessageBody": BODY_MD5}),
        json!({"MD5OfMessageBody": BODY_MD5, "MD5OfMessageAttributes": ATTRIBUTES_MD5}),
        json!({}),
    ] {
        let error = send_to(200, answer.clone(), message()).await.unwrap_err();
        assert!(error.contains("does not confirm the message"), "{answer} {error}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_words_of_sqs() {
    let answer =
        json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "The queue is gone."});
    let error = send_to(400, answer, message()).await.unwrap_err();
    assert_eq!(error, "QueueDoesNotExist: The queue is gone.");
}
