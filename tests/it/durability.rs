//! Durability: a body that SQS does not accept is offloaded to the bucket, and a message that the queue rejects is
//! spilled to it.

use crate::fakes::{BucketBehavior, QueueBehavior};
use crate::fixture::{Fixture, try_again};
use crate::requests::{BODY, SECRET, delivery, sha1, webhook_request, with};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use labelbox_relay::message::{Message, NUMBER};
use serde_json::{Value, json};

/// A delivery with a binary body.
fn binary_delivery(body: &[u8]) -> Value {
    let signature = json!(sha1(SECRET, body));
    let request = with(delivery(), "/headers/x-hub-signature", signature);
    let request = with(request, "/body", json!(STANDARD.encode(body)));
    with(request, "/isBase64Encoded", json!(true))
}

/// The bucket and the key in a pointer.
pub(crate) fn pointer_target(message: &Message) -> (String, String) {
    let pointer: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(pointer[0], "software.amazon.payloadoffloading.PayloadS3Pointer");
    let text = |name: &str| pointer[1][name].as_str().unwrap().to_owned();
    (text("s3BucketName"), text("s3Key"))
}

/// Lambda's limit for an event in bytes. Source:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

#[tokio::test]
async fn offloads_body_that_sqs_does_not_accept() {
    let large = format!(r#"{{"id":"label1","x":"{}"}}"#, "x".repeat(4_300_000));
    let largest = format!(r#"{{"id":"label1","x":"{}"}}"#, "x".repeat(MAX_EVENT_BYTES - 1024));
    let forbidden = "{\"id\":\"label1\",\"x\":\"\u{ffff}\"}";
    let not_utf8 = b"{\"id\":\"label1\",\"x\":\"\xff\"}";
    // A body that is not UTF-8 is not JSON, so its event is unrouted.
    for (body, entity) in [
        (large.as_bytes(), "label"),
        (largest.as_bytes(), "label"),
        (forbidden.as_bytes(), "label"),
        (not_utf8, "unrouted"),
    ] {
        for queue_type in ["fifo", "standard"] {
            let fixture = Fixture::with_settings(&[("QUEUE_TYPE", queue_type)]);
            assert_eq!(fixture.send(binary_delivery(body)).await.status_code, 200);
            let messages = fixture.take_queued();
            assert_eq!(messages[0].entity.name(), entity);
            let (bucket, key) = pointer_target(&messages[0]);
            assert_eq!(bucket, "relay-payloads");
            let dedup_id = messages[0].dedup_id.as_str();
            assert!(key.starts_with(&format!("payloads/{dedup_id}/")), "{key}");
            let objects = fixture.take_objects();
            assert_eq!(objects.len(), 1);
            assert!(objects[&key] == body, "different bytes");
            let size = messages[0].attributes.last().unwrap();
            assert_eq!((size.name, size.data_type), ("ExtendedPayloadSize", NUMBER));
            assert_eq!(size.value, body.len().to_string());
        }
    }
}

#[tokio::test]
async fn offloads_empty_body() {
    let fixture = Fixture::new();
    let response = json!({"status": "unrouted", "entity": "unrouted", "message_id": "message-1"});
    fixture.assert_response(webhook_request("labelbox", SECRET, ""), 200, response).await;
    let messages = fixture.take_queued();
    assert_eq!(fixture.take_objects()[&pointer_target(&messages[0]).1], b"");
    assert_eq!(messages[0].attribute("ExtendedPayloadSize"), Some("0"));
}

#[tokio::test]
async fn stores_separate_payload_for_each_delivery() {
    let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", "1")]);
    let large = webhook_request("labelbox", SECRET, &format!("{BODY}{}", " ".repeat(1024)));
    for _ in 0..2 {
        assert_eq!(fixture.send(large.clone()).await.status_code, 200);
    }
    let messages = fixture.take_queued();
    assert_eq!(messages[0].dedup_id, messages[1].dedup_id);
    assert_ne!(messages[0].body, messages[1].body);
    assert_eq!(fixture.take_objects().len(), 2);
}

#[tokio::test]
async fn inline_limit_is_configurable_and_exact() {
    let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", "2")]);
    fixture.send(delivery()).await;
    let attributes = &fixture.take_queued()[0].attributes;
    let bytes = |attribute: &labelbox_relay::message::Attribute| {
        attribute.name.len() + "String".len() + attribute.value.len()
    };
    let max_body_bytes = 2048 - attributes.iter().map(bytes).sum::<usize>();
    for (length, is_inline) in [(max_body_bytes, true), (max_body_bytes + 1, false)] {
        let body = format!("{BODY}{}", " ".repeat(length - BODY.len()));
        let request = webhook_request("labelbox", SECRET, &body);
        assert_eq!(fixture.send(request).await.status_code, 200);
        let was_inline = fixture.take_queued()[0].body == body;
        assert_eq!(was_inline, is_inline, "{length} bytes");
    }
}

#[tokio::test]
async fn does_not_send_pointer_if_payload_is_not_stored() {
    let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", "1")]);
    fixture.set_bucket(BucketBehavior::Rejects);
    let large = format!("{BODY}{}", " ".repeat(1024));
    fixture.assert_response(webhook_request("labelbox", SECRET, &large), 503, try_again()).await;
    assert!(fixture.take_queued().is_empty());
    assert_eq!(fixture.send(delivery()).await.status_code, 200, "an inline message");
}

/// The key and the content of the only spilled message.
fn only_spilled(fixture: &Fixture) -> (String, Value) {
    let objects = fixture.take_objects();
    let spilled: Vec<_> = objects.iter().filter(|(key, _)| key.starts_with("spill/")).collect();
    let [(key, record)] = spilled.as_slice() else { panic!("{:?}", objects.keys()) };
    ((*key).clone(), serde_json::from_slice(record).unwrap())
}

#[tokio::test]
async fn spills_complete_send_message_request_if_queue_rejects_it() {
    // printf 'labelbox\0LABEL_UPDATED\0\0%s' "$BODY" | sha256sum
    let dedup_id = "76482392b7e9db9ff95590b70be9fc824518d901121aa8fe0c1a62075f651b47";
    // With its own id, a replayed message is not a duplicate of one that SQS stored in spite of a checksum mismatch.
    let replay_id = format!("{dedup_id}-replay");
    for behavior in [QueueBehavior::Rejects, QueueBehavior::ChecksumMismatch] {
        let fixture = Fixture::new();
        fixture.set_queue(behavior);
        let key = format!("spill/label/2023/11/14/{dedup_id}.json");
        let response = json!({"status": "spilled", "entity": "label", "message_id": key});
        fixture.assert_response(delivery(), 200, response).await;
        let text = |value: &str| json!({"DataType": "String", "StringValue": value});
        let record = json!({
            "MessageBody": BODY,
            "MessageAttributes": {
                "event": text("LABEL_UPDATED"),
                "entity": text("label"),
                "entity_id": text("label1"),
                "delivery_id": text("ckmdi74ew57lq063553kuzekq"),
                "webhook": text("labelbox"),
                "occurred_at": text("2021-03-17T13:51:59.000Z"),
                "received_at": text("2023-11-14T22:13:20.000Z"),
                "dedup_id": text(dedup_id),
            },
            "MessageSystemAttributes": {
                "AWSTraceHeader": text("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"),
            },
            "MessageGroupId": "label1",
            "MessageDeduplicationId": replay_id,
        });
        assert_eq!(only_spilled(&fixture), (key, record));
    }
}

#[tokio::test]
async fn spilled_message_for_standard_queue_has_no_group() {
    let fixture = Fixture::with_settings(&[("QUEUE_TYPE", "standard")]);
    fixture.set_queue(QueueBehavior::Rejects);
    fixture.send_with_trace(delivery(), None).await;
    let (_, record) = only_spilled(&fixture);
    let mut names: Vec<_> = record.as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["MessageAttributes", "MessageBody"]);
}

#[tokio::test]
async fn spills_unrouted_event() {
    let fixture = Fixture::new();
    fixture.set_queue(QueueBehavior::Rejects);
    let request = with(delivery(), "/headers/x-labelbox-event", json!("ISSUE_CREATED"));
    let response = fixture.send(request).await.json();
    assert_eq!((&response["status"], &response["entity"]), (&json!("spilled"), &json!("unrouted")));
    assert!(only_spilled(&fixture).0.starts_with("spill/unrouted/2023/11/14/"));
}

#[tokio::test]
async fn spills_pointer_to_payload_of_large_event() {
    let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", "1")]);
    fixture.set_queue(QueueBehavior::Rejects);
    let large = format!("{BODY}{}", " ".repeat(1024));
    let response = fixture.send(webhook_request("labelbox", SECRET, &large)).await;
    assert_eq!(response.json()["status"], "spilled");
    let objects = fixture.take_objects();
    let (_, payload) = objects.iter().find(|(key, _)| key.starts_with("payloads/")).unwrap();
    assert_eq!(payload, large.as_bytes());
    let (_, record) = objects.iter().find(|(key, _)| key.starts_with("spill/")).unwrap();
    let record: Value = serde_json::from_slice(record).unwrap();
    assert_eq!(
        record["MessageAttributes"]["ExtendedPayloadSize"],
        json!({"DataType": "Number", "StringValue": large.len().to_string()})
    );
}

#[tokio::test]
async fn responds_with_503_if_neither_queue_nor_bucket_accepts() {
    let large = format!("{BODY}{}", " ".repeat(1024));
    let rejects_spills = BucketBehavior::RejectsKeysWith("spill/");
    for (body, bucket) in [(BODY, BucketBehavior::Rejects), (&large, rejects_spills)] {
        let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", "1")]);
        fixture.set_queue(QueueBehavior::Rejects);
        fixture.set_bucket(bucket);
        let response = fixture.send(webhook_request("labelbox", SECRET, body)).await;
        assert_eq!((response.status_code, response.json()), (503, try_again()));
        assert_eq!(response.headers["retry-after"], "5");
        fixture.set_queue(QueueBehavior::Accepts);
        fixture.set_bucket(BucketBehavior::Accepts);
        assert_eq!(fixture.send(webhook_request("labelbox", SECRET, body)).await.status_code, 200);
    }
}
