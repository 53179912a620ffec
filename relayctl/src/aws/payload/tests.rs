//! Bodies at the wire: those of messages, and those that pointers lead to.

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

async fn read(
    message: &OutgoingMessage,
    answers: &[(u16, &str)],
    enough: Option<usize>,
) -> Content {
    let (clients, asked) = offline(answers);
    let content = content(&clients, message, enough).await;
    assert_eq!(asked.actual_requests().count(), answers.len());
    content
}

#[tokio::test]
async fn the_body_of_a_usual_message_is_its_own_even_if_it_looks_like_a_pointer() {
    for body in ["{}", POINTER] {
        let content = read(&message(body, None), &[], None).await;
        assert_eq!(content.bytes.unwrap(), body.as_bytes());
        assert_eq!((content.size, content.place), (body.len() as u64, None));
    }
}

#[tokio::test]
async fn a_pointer_leads_to_its_payload() {
    for enough in [None, Some(4)] {
        let content = read(&message(POINTER, Some("7")), &[(200, "payload")], enough).await;
        assert_eq!(content.bytes.unwrap(), b"payload");
        let (bucket, key) = ("b".to_owned(), "payloads/k".to_owned());
        let place = Place { bucket, key, size: 7 };
        assert_eq!((content.size, content.place), (7, Some(place)));
    }
}

#[tokio::test]
async fn what_cannot_be_had_is_said_and_where_it_should_be() {
    let gone = "<Error><Code>NoSuchKey</Code><Message>Gone.</Message></Error>";
    let content = read(&message(POINTER, Some("7")), &[(404, gone)], None).await;
    let reason = content.bytes.unwrap_err();
    assert_eq!(reason, "it cannot be had: NoSuchKey: Gone.");
    assert!(content.place.is_some());
    let content = read(&message("no pointer", Some("many")), &[], None).await;
    assert!(content.bytes.unwrap_err().contains("not the pointer"));
    assert_eq!((content.size, content.place), (0, None));
}
