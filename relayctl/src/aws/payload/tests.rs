//! Bodies in messages, and those in the bucket.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use aws_sdk_sqs::types::MessageAttributeValue;
use std::collections::HashMap;

const POINTER: &str = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"payloads/k"}]"#;

fn message(body: &str, size: Option<&str>) -> OutgoingMessage {
    let attribute = |size: &str| {
        let value = MessageAttributeValue::builder().data_type("Number");
        let value = value.string_value(size).build().unwrap();
        (PAYLOAD_SIZE.to_owned(), value)
    };
    OutgoingMessage {
        body: body.to_owned(),
        attributes: size.map(attribute).into_iter().collect::<HashMap<_, _>>(),
        trace: None,
        group_id: None,
        dedup_id: None,
    }
}

async fn read_content(
    message: &OutgoingMessage,
    answers: &[(u16, &str)],
    min_bytes: Option<usize>,
) -> Content {
    let (clients, client) = offline(answers);
    let content = read(&clients, message, min_bytes).await;
    assert_eq!(client.actual_requests().count(), answers.len());
    content
}

#[tokio::test]
async fn a_body_that_only_looks_like_a_pointer_is_the_body() {
    for body in ["{}", POINTER] {
        let content = read_content(&message(body, None), &[], None).await;
        assert_eq!(content.bytes.unwrap(), body.as_bytes());
        assert_eq!((content.size, content.payload), (body.len() as u64, None));
    }
}

#[tokio::test]
async fn reads_the_payload_of_a_pointer() {
    for min_bytes in [None, Some(4)] {
        let content =
            read_content(&message(POINTER, Some("7")), &[(200, "payload")], min_bytes).await;
        assert_eq!(content.bytes.unwrap(), b"payload");
        let (bucket, key) = ("b".to_owned(), "payloads/k".to_owned());
        let payload = Payload { bucket, key };
        assert_eq!((content.size, content.payload), (7, Some(payload)));
    }
}

#[tokio::test]
async fn names_what_cannot_be_read_and_where_it_should_be() {
    let gone = "<Error><Code>NoSuchKey</Code><Message>Gone.</Message></Error>";
    let content = read_content(&message(POINTER, Some("7")), &[(404, gone)], None).await;
    let reason = content.bytes.unwrap_err();
    assert_eq!(reason, "NoSuchKey: Gone.");
    assert!(content.payload.is_some());
    let content = read_content(&message("no pointer", Some("many")), &[], None).await;
    assert!(content.bytes.unwrap_err().contains("not the pointer"));
    assert_eq!(content.payload, None);
}
