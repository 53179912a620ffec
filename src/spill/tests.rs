//! Tests of the record and the key of a spilled message.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::event::{Entity, UnroutedReason};
use crate::message::{Attribute, NUMBER};
use serde_json::{Value as Json, json};
use time::macros::datetime;

fn message() -> Message {
    Message {
        entity: Entity::ModelRun,
        body: "{\"id\":\"caf\u{e9} \\\"\u{10ffff}\"}".to_owned(),
        attributes: vec![
            Attribute::string("entity", "model_run".to_owned()),
            Attribute { name: "ExtendedPayloadSize", data_type: NUMBER, value: "12".to_owned() },
        ],
        dedup_id: "4d96d4de".to_owned(),
        group_id: Some("group".to_owned()),
        trace: Some("Root=1-2-3".to_owned()),
        received_at: datetime!(2026-02-03 23:59:59.999 UTC),
    }
}

fn json_of(message: &Message) -> Json {
    serde_json::from_slice(&to_json(message).unwrap()).unwrap()
}

#[test]
fn key_has_entity_date_and_dedup_id() {
    assert_eq!(key(&message()), "spill/model_run/2026/02/03/4d96d4de.json");
    let unrouted = Message {
        entity: Entity::Unrouted(UnroutedReason::NoTopic),
        received_at: datetime!(0987-11-30 0:00 UTC),
        ..message()
    };
    assert_eq!(key(&unrouted), "spill/unrouted/0987/11/30/4d96d4de.json");
}

#[test]
fn record_is_input_of_the_aws_cli() {
    let text = |value: &str| json!({"DataType": "String", "StringValue": value});
    let expected = json!({
        "MessageBody": "{\"id\":\"caf\u{e9} \\\"\u{10ffff}\"}",
        "MessageAttributes": {
            "entity": text("model_run"),
            "ExtendedPayloadSize": {"DataType": "Number", "StringValue": "12"},
        },
        "MessageSystemAttributes": {"AWSTraceHeader": text("Root=1-2-3")},
        "MessageGroupId": "group",
        "MessageDeduplicationId": "4d96d4de-replay",
    });
    assert_eq!(json_of(&message()), expected);
}

#[test]
fn message_for_standard_queue_has_neither_group_nor_deduplication_id() {
    let standard = Message { group_id: None, trace: None, ..message() };
    let record = json_of(&standard);
    let mut names: Vec<_> = record.as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["MessageAttributes", "MessageBody"]);
}

#[test]
fn record_is_read_as_it_was_written() {
    for message in [message(), Message { group_id: None, trace: None, ..message() }] {
        let json = to_json(&message).unwrap();
        let read: SendMessageRequest<'_> = serde_json::from_slice(&json).unwrap();
        let mut expected = SendMessageRequest::from(&message);
        expected.message_deduplication_id =
            message.group_id.is_some().then(|| "4d96d4de-replay".into());
        assert_eq!(read, expected);
    }
}
