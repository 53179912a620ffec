//! What is read from what SQS hands out.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use time::macros::datetime;

fn message() -> aws_sdk_sqs::types::builders::MessageBuilder {
    Message::builder().message_id("id").receipt_handle("handle").body("body")
}

#[test]
fn a_message_is_read_with_what_sqs_knows_of_it() {
    let message = message()
        .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "3")
        .attributes(MessageSystemAttributeName::SentTimestamp, "1795438800123")
        .attributes(MessageSystemAttributeName::MessageGroupId, "group")
        .attributes(MessageSystemAttributeName::MessageDeduplicationId, "dedup")
        .attributes(MessageSystemAttributeName::AwsTraceHeader, "Root=1-2-3");
    let read = Received::read(message.build()).unwrap();
    assert_eq!((read.message_id.as_str(), read.receives), ("id", 3));
    assert_eq!(read.sent_at, Some(datetime!(2026-11-23 13:00:00.123 UTC)));
    assert_eq!(read.letter.group_id.as_deref(), Some("group"));
    assert_eq!(read.letter.dedup_id.as_deref(), Some("dedup"));
    assert_eq!(read.letter.trace.as_deref(), Some("Root=1-2-3"));
}

#[test]
fn what_sqs_does_not_say_is_left_out() {
    let odd = message()
        .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "many")
        .attributes(MessageSystemAttributeName::SentTimestamp, "9223372036854775807");
    let read = Received::read(odd.build()).unwrap();
    assert_eq!((read.receives, read.sent_at), (1, None));
    assert_eq!(Received::read(Message::builder().build()), None);
}
