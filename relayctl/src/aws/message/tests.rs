//! What is read from a received message, and what is kept when it is sent again.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::builders::MessageBuilder;
use time::macros::datetime;

/// The checksums are those of `hashlib.md5` in Python for the encoding in the SQS Developer Guide.
fn message() -> MessageBuilder {
    let attribute = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
    let picture = attribute("Binary.png").binary_value(Blob::new([0, 255]));
    Message::builder()
        .message_id("id1")
        .receipt_handle("handle")
        .body("body")
        .md5_of_body("841a2d689ad86bd1611447453c22c6fc")
        .md5_of_message_attributes("94cce254cc6010ecaff2338807604fd2")
        .message_attributes("event", attribute("String").string_value("MOVE").build().unwrap())
        .message_attributes("size", attribute("Number").string_value("5").build().unwrap())
        .message_attributes("picture", picture.build().unwrap())
        .attributes(MessageSystemAttributeName::MessageGroupId, "group1")
        .attributes(MessageSystemAttributeName::MessageDeduplicationId, "seen")
        .attributes(MessageSystemAttributeName::AwsTraceHeader, "Root=1-2-3")
}

fn read(message: MessageBuilder) -> ReceivedMessage {
    ReceivedMessage::from_sdk(message.build()).unwrap()
}

#[test]
fn reads_what_sqs_knows_of_a_message() {
    let received = read(
        message()
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "3")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1795438800123"),
    );
    assert_eq!((received.message_id.as_str(), received.receive_count), ("id1", 3));
    assert_eq!(received.sent_at, Some(datetime!(2026-11-23 13:00:00.123 UTC)));
    assert_eq!(received.message.group_id.as_deref(), Some("group1"));
    assert_eq!(received.message.dedup_id.as_deref(), Some("seen"));
    assert_eq!(received.message.attribute("event"), Some("MOVE"));
    let texts: Vec<_> = received.message.attribute_texts().into_values().collect();
    assert_eq!(texts, ["MOVE", "AP8=", "5"]);
}

#[test]
fn omits_invalid_values() {
    let received = read(
        message()
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "many")
            .attributes(MessageSystemAttributeName::SentTimestamp, "9223372036854775807"),
    );
    assert_eq!((received.receive_count, received.sent_at), (1, None));
    assert_eq!(ReceivedMessage::from_sdk(Message::builder().build()), None);
}

#[test]
fn detects_a_damaged_message() {
    assert!(read(message()).is_intact);
    assert!(!read(message().body("bodY")).is_intact);
    assert!(!read(message().set_message_attributes(None)).is_intact);
}

#[test]
fn keeps_everything_but_the_deduplication_id_when_sent_again() {
    let received = read(message());
    let expected = OutgoingMessage { dedup_id: Some("id1".to_owned()), ..received.message.clone() };
    assert_eq!(received.to_resend(true), expected);
    assert_eq!(received.to_resend(false), OutgoingMessage { dedup_id: None, ..expected });
}
