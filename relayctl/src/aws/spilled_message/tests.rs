//! Spilled messages of every kind, whole and broken.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use serde_json::json;

const DEDUP_ID: &str = "4d96d4defe8211ee6ac917e7e38dfc06b152a78e3fb3af5f39ebc288f14df63b";

fn key() -> String {
    format!("spill/label/2026/11/23/{DEDUP_ID}.json")
}

fn record() -> serde_json::Value {
    json!({
        "MessageBody": "{\"id\":\"label1\"}",
        "MessageAttributes": {
            "entity": {"DataType": "String", "StringValue": "label"},
            "entity_id": {"DataType": "String", "StringValue": "label1"},
            "dedup_id": {"DataType": "String", "StringValue": DEDUP_ID},
        },
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
    })
}

fn fifo_record() -> serde_json::Value {
    let mut record = record();
    record["MessageGroupId"] = json!("group1");
    record["MessageDeduplicationId"] = json!(DEDUP_ID);
    record
}

fn read(record: &serde_json::Value, is_fifo: bool) -> Result<OutgoingMessage, String> {
    message(Key::read(&key()).unwrap(), record.to_string().as_bytes(), is_fifo)
}

#[test]
fn a_key_says_entity_and_event() {
    let expected = Key { entity: Entity::Label, dedup_id: DEDUP_ID };
    assert_eq!(Key::read(&key()), Some(expected));
}

#[test]
fn a_key_of_another_form_is_foreign() {
    for key in [
        "spill/label/2026/11/23/x.txt",
        "spill/label/2026/11/x.json",
        "spill/label/2026/11/23/x/y.json",
        "spill/labels/2026/11/23/x.json",
        "payloads/label/2026/11/23/x.json",
        "spill/readme.json",
        "spill/.json",
        "",
    ] {
        assert_eq!(Key::read(key), None, "{key:?}");
    }
}

#[test]
fn a_letter_is_what_was_spilled() {
    let message = read(&fifo_record(), true).unwrap();
    assert_eq!(message.body, "{\"id\":\"label1\"}");
    assert_eq!(message.trace.as_deref(), Some("Root=1-2-3"));
    assert_eq!(message.attributes.len(), 3);
    assert_eq!(message.attribute("entity_id"), Some("label1"));
    assert_eq!(message.group_id.as_deref(), Some("group1"));
    assert_eq!(message.dedup_id.as_deref(), Some(DEDUP_ID));
}

/// The record's id is another than the event's where the queue has confirmed something else under that.
#[test]
fn a_letter_has_the_deduplication_id_of_its_record() {
    let mut record = fifo_record();
    record["MessageDeduplicationId"] = json!(format!("{DEDUP_ID}-replay"));
    let message = read(&record, true).unwrap();
    let own = format!("{DEDUP_ID}-replay");
    assert_eq!(message.dedup_id, Some(own));
    assert_eq!(message.attribute("dedup_id"), Some(DEDUP_ID));
    assert_eq!(read(&record, false).unwrap().dedup_id, None);
}

#[test]
fn a_letter_for_a_queue_of_the_other_kind_gets_what_that_kind_needs() {
    let to_fifo = read(&record(), true).unwrap();
    assert_eq!(to_fifo.group_id.as_deref(), Some("label1"));
    assert_eq!(to_fifo.dedup_id.as_deref(), Some(DEDUP_ID));
    let to_standard = read(&fifo_record(), false).unwrap();
    assert_eq!((to_standard.group_id, to_standard.dedup_id), (None, None));
    let mut of_no_entity = record();
    of_no_entity["MessageAttributes"].as_object_mut().unwrap().remove("entity_id");
    let to_fifo = read(&of_no_entity, true).unwrap();
    assert_eq!(to_fifo.group_id.as_deref(), Some(DEDUP_ID));
}

#[test]
fn what_is_no_record_says_so() {
    let whole = fifo_record().to_string();
    for object in ["", "no JSON", "[]", "{}", &whole[..whole.len() - 1]] {
        let error = message(Key::read(&key()).unwrap(), object.as_bytes(), true);
        assert!(
            error.is_err_and(|it| it.starts_with("it is not a stored message: ")),
            "{object:?}"
        );
    }
}

#[test]
fn a_record_under_the_key_of_another_is_not_sent() {
    for name in ["entity", "dedup_id"] {
        let mut other = record();
        other["MessageAttributes"][name]["StringValue"] = json!("review");
        assert_eq!(read(&other, true), Err(format!("its key and its attribute {name} differ")));
        let mut without = record();
        without["MessageAttributes"].as_object_mut().unwrap().remove(name);
        assert_eq!(read(&without, true), Err(format!("its key and its attribute {name} differ")));
    }
}

fn large(body: &str) -> OutgoingMessage {
    let mut record = record();
    record["MessageBody"] = json!(body);
    record["MessageAttributes"][PAYLOAD_SIZE] =
        json!({"DataType": "Number", "StringValue": "1300000"});
    read(&record, true).unwrap()
}

/// The form that AWS's own client reads, as its page has it.
const POINTER: &str = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"payloads/k"}]"#;

#[test]
fn a_pointer_says_where_the_payload_is() {
    let expected = Payload { bucket: "b".to_owned(), key: "payloads/k".to_owned() };
    assert_eq!(payload(&large(POINTER)), Ok(Some(expected)));
    assert_eq!(payload(&read(&record(), true).unwrap()), Ok(None));
}

#[test]
fn a_body_that_should_be_a_pointer_and_is_none_is_not_sent() {
    let of_another_class = POINTER.replace("PayloadS3Pointer", "Another");
    for body in ["{}", "[]", &of_another_class, "no JSON"] {
        let payload = payload(&large(body));
        assert!(payload.is_err_and(|it| it.contains("not the pointer")), "{body}");
    }
}
