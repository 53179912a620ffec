//! When an event is durable: by pointer where the queue cannot carry it, in the bucket where the queue does not take it.

use crate::outside::{BODY, Mood, SECRET, Shelf, Stage, delivery, sha1, try_again, webhook, with};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use labelbox_relay::message::{DataType, Message};
use serde_json::{Value, json};

/// A delivery of bytes that may be no text, as a gateway passes it on.
fn delivery_of(body: &[u8]) -> Value {
    let signature = json!(sha1(SECRET, body));
    let request = with(delivery(), "/headers/x-hub-signature", signature);
    let request = with(request, "/body", json!(STANDARD.encode(body)));
    with(request, "/isBase64Encoded", json!(true))
}

/// The bucket and the key of a pointer.
fn place(message: &Message) -> (String, String) {
    let pointer: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!(
        pointer[0],
        "software.amazon.payloadoffloading.PayloadS3Pointer"
    );
    let text = |name: &str| pointer[1][name].as_str().unwrap().to_owned();
    (text("s3BucketName"), text("s3Key"))
}

/// Lambda's limit for an event, in bytes. Source:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const LARGEST_EVENT: usize = 6 * 1024 * 1024;

#[tokio::test]
async fn a_body_that_the_queue_cannot_carry_goes_by_pointer_byte_for_byte() {
    let large = format!(r#"{{"id":"label1","x":"{}"}}"#, "x".repeat(4_300_000));
    let largest = format!(
        r#"{{"id":"label1","x":"{}"}}"#,
        "x".repeat(LARGEST_EVENT - 1024)
    );
    let forbidden = "{\"id\":\"label1\",\"x\":\"\u{ffff}\"}";
    let not_utf8 = b"{\"id\":\"label1\",\"x\":\"\xff\"}";
    // What is not UTF-8 is not JSON either.
    for (body, entity) in [
        (large.as_bytes(), "label"),
        (largest.as_bytes(), "label"),
        (forbidden.as_bytes(), "label"),
        (not_utf8, "unrouted"),
    ] {
        for queue_type in ["fifo", "standard"] {
            let stage = Stage::with(&[("QUEUE_TYPE", queue_type)]);
            assert_eq!(stage.send(delivery_of(body)).await.status_code, 200);
            let messages = stage.queued();
            assert_eq!(messages[0].entity.name(), entity);
            let (bucket, key) = place(&messages[0]);
            assert_eq!(bucket, "relay-payloads");
            let dedup_id = messages[0].dedup_id.as_str();
            assert!(key.starts_with(&format!("payloads/{dedup_id}/")), "{key}");
            let objects = stage.objects();
            assert_eq!(objects.len(), 1);
            assert!(objects[&key] == body, "other bytes");
            let size = messages[0].attributes.last().unwrap();
            assert_eq!(
                (size.name, size.data_type),
                ("ExtendedPayloadSize", DataType::Number)
            );
            assert_eq!(size.value, body.len().to_string());
        }
    }
}

#[tokio::test]
async fn an_empty_body_goes_by_pointer() {
    let stage = Stage::usual();
    let answer = json!({"status": "unrouted", "entity": "unrouted", "message_id": "message-1"});
    stage
        .check(webhook("labelbox", SECRET, ""), 200, answer)
        .await;
    let messages = stage.queued();
    assert_eq!(stage.objects()[&place(&messages[0]).1], b"");
    assert_eq!(messages[0].attribute("ExtendedPayloadSize"), Some("0"));
}

#[tokio::test]
async fn each_delivery_of_a_large_event_has_an_object_of_its_own() {
    let stage = Stage::with(&[("INLINE_LIMIT_KIB", "1")]);
    let large = webhook("labelbox", SECRET, &format!("{BODY}{}", " ".repeat(1024)));
    for _ in 0..2 {
        assert_eq!(stage.send(large.clone()).await.status_code, 200);
    }
    let messages = stage.queued();
    assert_eq!(messages[0].dedup_id, messages[1].dedup_id);
    assert_ne!(messages[0].body, messages[1].body);
    assert_eq!(stage.objects().len(), 2);
}

#[tokio::test]
async fn the_limit_for_inline_messages_can_be_set_and_is_exact() {
    let stage = Stage::with(&[("INLINE_LIMIT_KIB", "2")]);
    stage.send(delivery()).await;
    let attributes = &stage.queued()[0].attributes;
    let bytes = |attribute: &labelbox_relay::message::Attribute| {
        attribute.name.len() + "String".len() + attribute.value.len()
    };
    let room = 2048 - attributes.iter().map(bytes).sum::<usize>();
    for (length, is_inline) in [(room, true), (room + 1, false)] {
        let body = format!("{BODY}{}", " ".repeat(length - BODY.len()));
        stage.check_is_inline(&body, is_inline).await;
    }
}

#[tokio::test]
async fn a_pointer_is_not_sent_before_its_payload_is_stored() {
    let stage = Stage::with(&[("INLINE_LIMIT_KIB", "1")]);
    stage.bucket_is(Shelf::Refuses);
    let large = format!("{BODY}{}", " ".repeat(1024));
    stage
        .check(webhook("labelbox", SECRET, &large), 503, try_again())
        .await;
    assert!(stage.queued().is_empty());
    assert_eq!(
        stage.send(delivery()).await.status_code,
        200,
        "small ones still flow"
    );
}

/// The record of the only message that waits in the bucket, with its key.
fn only_spilled(stage: &Stage) -> (String, Value) {
    let objects = stage.objects();
    let spilled: Vec<_> = objects
        .iter()
        .filter(|(key, _)| key.starts_with("spill/"))
        .collect();
    let [(key, record)] = spilled.as_slice() else {
        panic!("{:?}", objects.keys())
    };
    ((*key).clone(), serde_json::from_slice(record).unwrap())
}

#[tokio::test]
async fn an_event_that_its_queue_does_not_take_spills_with_all_that_sending_it_needs() {
    // printf 'labelbox\0LABEL_UPDATED\0\0%s' "$BODY" | sha256sum
    let dedup_id = "76482392b7e9db9ff95590b70be9fc824518d901121aa8fe0c1a62075f651b47";
    // What a queue has stored under the event's id and confirmed as something else must not hide what is sent later.
    let sent_as = format!("{dedup_id}-replay");
    for mood in [Mood::Refuses, Mood::ConfirmsWrongly] {
        let stage = Stage::usual();
        stage.queue_is(mood);
        let key = format!("spill/label/2023/11/14/{dedup_id}.json");
        let answer = json!({"status": "spilled", "entity": "label", "message_id": key});
        stage.check(delivery(), 200, answer).await;
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
            "MessageDeduplicationId": sent_as,
        });
        assert_eq!(only_spilled(&stage), (key, record));
    }
}

#[tokio::test]
async fn what_spills_from_a_standard_queue_has_no_group() {
    let stage = Stage::with(&[("QUEUE_TYPE", "standard")]);
    stage.queue_is(Mood::Refuses);
    stage.send_traced(delivery(), None).await;
    let (_, record) = only_spilled(&stage);
    let mut names: Vec<_> = record.as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["MessageAttributes", "MessageBody"]);
}

#[tokio::test]
async fn an_unrouted_event_spills_too() {
    let stage = Stage::usual();
    stage.queue_is(Mood::Refuses);
    let request = with(
        delivery(),
        "/headers/x-labelbox-event",
        json!("ISSUE_CREATED"),
    );
    let answer = stage.send(request).await.json();
    assert_eq!(
        (&answer["status"], &answer["entity"]),
        (&json!("spilled"), &json!("unrouted"))
    );
    assert!(
        only_spilled(&stage)
            .0
            .starts_with("spill/unrouted/2023/11/14/")
    );
}

#[tokio::test]
async fn a_large_event_spills_as_a_pointer_to_its_payload() {
    let stage = Stage::with(&[("INLINE_LIMIT_KIB", "1")]);
    stage.queue_is(Mood::Refuses);
    let large = format!("{BODY}{}", " ".repeat(1024));
    let answer = stage.send(webhook("labelbox", SECRET, &large)).await;
    assert_eq!(answer.json()["status"], "spilled");
    let objects = stage.objects();
    let (_, payload) = objects
        .iter()
        .find(|(key, _)| key.starts_with("payloads/"))
        .unwrap();
    assert_eq!(payload, large.as_bytes());
    let (_, record) = objects
        .iter()
        .find(|(key, _)| key.starts_with("spill/"))
        .unwrap();
    let record: Value = serde_json::from_slice(record).unwrap();
    assert_eq!(
        record["MessageAttributes"]["ExtendedPayloadSize"],
        json!({"DataType": "Number", "StringValue": large.len().to_string()})
    );
}

#[tokio::test]
async fn an_event_that_neither_queue_nor_bucket_takes_is_to_be_tried_again() {
    let large = format!("{BODY}{}", " ".repeat(1024));
    for (body, shelf) in [(BODY, Shelf::Refuses), (&large, Shelf::TakesPayloads)] {
        let stage = Stage::with(&[("INLINE_LIMIT_KIB", "1")]);
        stage.queue_is(Mood::Refuses);
        stage.bucket_is(shelf);
        let answer = stage.send(webhook("labelbox", SECRET, body)).await;
        assert_eq!((answer.status_code, answer.json()), (503, try_again()));
        assert_eq!(answer.headers["retry-after"], "5");
        stage.queue_is(Mood::Takes);
        stage.bucket_is(Shelf::Takes);
        assert_eq!(
            stage
                .send(webhook("labelbox", SECRET, body))
                .await
                .status_code,
            200
        );
    }
}
