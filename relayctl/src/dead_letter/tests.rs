//! What a dead letter keeps, and the order in which dead letters go back.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;

fn attribute(data_type: &str) -> aws_sdk_sqs::types::builders::MessageAttributeValueBuilder {
    MessageAttributeValue::builder().data_type(data_type)
}

/// The checksums are those that `hashlib.md5` gives, in Python, for the bytes that SQS's page says.
fn received(message_id: &str) -> Message {
    Message::builder()
        .message_id(message_id)
        .receipt_handle("handle")
        .body("body")
        .md5_of_body("841a2d689ad86bd1611447453c22c6fc")
        .md5_of_message_attributes("94cce254cc6010ecaff2338807604fd2")
        .message_attributes("event", attribute("String").string_value("MOVE").build().unwrap())
        .message_attributes("size", attribute("Number").string_value("5").build().unwrap())
        .message_attributes(
            "picture",
            attribute("Binary.png").binary_value(Blob::new([0, 255])).build().unwrap(),
        )
        .attributes(MessageSystemAttributeName::MessageGroupId, "group1")
        .attributes(MessageSystemAttributeName::MessageDeduplicationId, "seen")
        .attributes(MessageSystemAttributeName::AwsTraceHeader, "Root=1-2-3")
        .build()
}

fn read(message_id: &str) -> DeadLetter {
    DeadLetter::read(received(message_id), true).unwrap()
}

#[test]
fn a_dead_letter_keeps_everything_but_its_deduplication_id() {
    let dead = read("id1");
    assert_eq!(Some(&dead.letter.attributes), received("").message_attributes.as_ref());
    assert_eq!(dead.letter.body, "body");
    assert_eq!(dead.letter.trace.as_deref(), Some("Root=1-2-3"));
    assert_eq!(dead.letter.group_id.as_deref(), Some("group1"));
    assert_ne!(dead.letter.dedup_id.as_deref(), Some("seen"));
}

#[test]
fn the_same_dead_letter_has_the_same_deduplication_id_and_another_has_another() {
    assert_eq!(read("id1").letter.dedup_id, read("id1").letter.dedup_id);
    assert_ne!(read("id1").letter.dedup_id, read("id2").letter.dedup_id);
}

#[test]
fn a_dead_letter_of_a_standard_queue_gets_no_deduplication_id() {
    let dead = DeadLetter::read(received("id1"), false).unwrap();
    assert_eq!(dead.letter.dedup_id, None);
}

#[test]
fn a_dead_letter_that_was_damaged_on_its_way_is_not_intact() {
    assert!(read("id1").is_intact);
    let mut other_body = received("id1");
    other_body.body = Some("bodY".to_owned());
    let mut no_attributes = received("id1");
    no_attributes.message_attributes = None;
    for message in [other_body, no_attributes] {
        assert!(!DeadLetter::read(message, true).unwrap().is_intact);
    }
}

#[test]
fn groups_keep_their_order() {
    let of = |message_id: &str, group: Option<&str>| {
        let mut dead = read(message_id);
        dead.letter.group_id = group.map(str::to_owned);
        dead
    };
    let letters = vec![
        of("1", Some("a")),
        of("2", Some("b")),
        of("3", None),
        of("4", Some("a")),
        of("5", None),
    ];
    let ids: Vec<Vec<_>> = by_group(letters)
        .into_iter()
        .map(|group| group.into_iter().map(|dead| dead.message_id).collect())
        .collect();
    assert_eq!(ids, [vec!["1", "4"], vec!["2"], vec!["3"], vec!["5"]]);
}
