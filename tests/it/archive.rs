//! The archive: every accepted event is also stored in the bucket, and what becomes of that copy changes no response.

use crate::durability::pointer_target;
use crate::fakes::{BucketBehavior, QueueBehavior};
use crate::fixture::{Fixture, try_again};
use crate::requests::{BODY, SECRET, delivery, webhook_request, with};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// What the archive may add to the time of a response.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// printf 'labelbox\0LABEL_UPDATED\0\0%s' "$BODY" | sha256sum
const DEDUP_ID: &str = "76482392b7e9db9ff95590b70be9fc824518d901121aa8fe0c1a62075f651b47";
/// The key of `delivery()`, which arrives at the start of the fixture's clock.
const KEY: &str = "archive/label/2023/11/14/22/2023-11-14T22:13:20.000Z-76482392b7e9db9ff95590b70be9fc824518d901121aa8fe0c1a62075f651b47.json";

/// A relay with an archive, which offloads bodies from 1 KiB on.
fn archiving() -> Fixture {
    Fixture::with_settings(&[("ARCHIVE_DAYS", "30"), ("INLINE_LIMIT_KIB", "1")])
}

fn large_body() -> String {
    format!("{BODY}{}", " ".repeat(1024))
}

fn large_delivery() -> Value {
    webhook_request("labelbox", SECRET, &large_body())
}

/// The keys in the bucket that start with this prefix, and their contents.
fn take_objects(fixture: &Fixture, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let objects = fixture.take_objects().into_iter();
    objects.filter(|(key, _)| key.starts_with(prefix)).collect()
}

async fn status(fixture: &Fixture, event: Value) -> String {
    let response = fixture.send(event).await.json();
    response["status"].as_str().or(response["error"].as_str()).unwrap().to_owned()
}

#[tokio::test]
async fn archives_accepted_event_as_complete_send_message_request() {
    for (queue, expected_status) in [
        (QueueBehavior::Accepts, "queued"),
        (QueueBehavior::Rejects, "spilled"),
        (QueueBehavior::ChecksumMismatch, "spilled"),
    ] {
        let fixture = archiving();
        fixture.set_queue(queue);
        assert_eq!(status(&fixture, delivery()).await, expected_status);
        let [(key, record)] = take_objects(&fixture, "archive/").try_into().unwrap();
        assert_eq!(key, KEY);
        let text = |value: &str| json!({"DataType": "String", "StringValue": value});
        let expected = json!({
            "MessageBody": BODY,
            "MessageAttributes": {
                "event": text("LABEL_UPDATED"),
                "entity": text("label"),
                "entity_id": text("label1"),
                "delivery_id": text("ckmdi74ew57lq063553kuzekq"),
                "webhook": text("labelbox"),
                "occurred_at": text("2021-03-17T13:51:59.000Z"),
                "received_at": text("2023-11-14T22:13:20.000Z"),
                "dedup_id": text(DEDUP_ID),
            },
            "MessageSystemAttributes": {
                "AWSTraceHeader": text("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"),
            },
            "MessageGroupId": "label1",
            "MessageDeduplicationId": format!("{DEDUP_ID}-replay"),
        });
        assert_eq!(serde_json::from_slice::<Value>(&record).unwrap(), expected);
    }
}

#[tokio::test]
async fn archived_record_is_the_spilled_record() {
    for event in [delivery(), large_delivery()] {
        let fixture = archiving();
        fixture.set_queue(QueueBehavior::Rejects);
        assert_eq!(status(&fixture, event).await, "spilled");
        let objects = fixture.take_objects();
        let record = |prefix: &str| {
            let mut objects = objects.iter();
            objects.find(|(key, _)| key.starts_with(prefix) && key.ends_with(".json")).unwrap().1
        };
        assert_eq!(record("archive/"), record("spill/"));
    }
}

#[tokio::test]
async fn archives_unrouted_event() {
    let fixture = archiving();
    let request = with(delivery(), "/headers/x-labelbox-event", json!("ISSUE_CREATED"));
    assert_eq!(status(&fixture, request).await, "unrouted");
    let [(key, _)] = take_objects(&fixture, "archive/").try_into().unwrap();
    assert!(key.starts_with("archive/unrouted/2023/11/14/22/"), "{key}");
}

#[tokio::test]
async fn archives_a_copy_of_an_offloaded_body() {
    let fixture = archiving();
    assert_eq!(status(&fixture, large_delivery()).await, "queued");
    let messages = fixture.take_queued();
    let objects = fixture.take_objects();
    let payload = &objects[&pointer_target(&messages[0]).1];
    assert_eq!(payload, large_body().as_bytes());
    let archived: Vec<_> = objects.iter().filter(|(key, _)| key.starts_with("archive/")).collect();
    let [(body_key, body), (record_key, record)] = archived.try_into().unwrap();
    assert_eq!(body, payload);
    let (stem, _) = record_key.rsplit_once(".json").unwrap();
    assert_eq!(*body_key, format!("{stem}.body"));
    let record: Value = serde_json::from_slice(record).unwrap();
    assert_eq!(record["MessageBody"], messages[0].body);
    assert_eq!(objects.len(), 3);
}

#[tokio::test]
async fn archives_nothing_without_the_setting() {
    for days in ["", "0"] {
        let fixture = Fixture::with_settings(&[("ARCHIVE_DAYS", days)]);
        assert_eq!(status(&fixture, delivery()).await, "queued");
        assert!(fixture.take_objects().is_empty());
    }
}

#[tokio::test]
async fn archives_neither_refused_nor_failed_events() {
    let fixture = archiving();
    let unsigned = with(delivery(), "/headers/x-hub-signature", Value::Null);
    assert_eq!(status(&fixture, unsigned).await, "signature_rejected");
    fixture.set_queue(QueueBehavior::Rejects);
    fixture.set_bucket(BucketBehavior::RejectsKeysWith("spill/"));
    fixture.assert_response(delivery(), 503, try_again()).await;
    fixture.set_bucket(BucketBehavior::RejectsKeysWith("payloads/"));
    fixture.assert_response(large_delivery(), 503, try_again()).await;
    assert!(fixture.take_objects().is_empty());
}

#[tokio::test]
async fn failed_archive_write_costs_a_metric_and_a_warning_but_no_event() {
    // Without its body, a record is not written, either.
    for (event, rejected) in [(delivery(), "archive/"), (large_delivery(), ".body")] {
        let fixture = archiving();
        fixture.set_bucket(BucketBehavior::RejectsKeysWith(rejected));
        assert_eq!(status(&fixture, event.clone()).await, "queued");
        let [line] = fixture.take_log_lines().try_into().unwrap();
        assert_eq!((&line["ArchiveFailed"], &line["level"]), (&json!(1), &json!("WARN")));
        assert_eq!(line["message"], "event queued");
        assert_eq!(line["archive_error"], "the bucket did not store the object: no such bucket");
        assert!(take_objects(&fixture, "archive/").is_empty());
        fixture.set_bucket(BucketBehavior::Accepts);
        assert_eq!(status(&fixture, event).await, "queued");
        let [line] = fixture.take_log_lines().try_into().unwrap();
        let fields = line.as_object().unwrap();
        assert!(!fields.contains_key("ArchiveFailed") && !fields.contains_key("archive_error"));
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_archive_delays_the_response_by_less_than_a_second() {
    let delay = Duration::from_secs(3);
    for (event, queue, expected_status, needed) in [
        (delivery(), QueueBehavior::Accepts, "queued", Duration::ZERO),
        (large_delivery(), QueueBehavior::Accepts, "queued", Duration::ZERO),
        (delivery(), QueueBehavior::Slow(delay), "queued", delay),
        (delivery(), QueueBehavior::Rejects, "spilled", Duration::ZERO),
    ] {
        let fixture = archiving();
        fixture.set_queue(queue);
        fixture.set_bucket(BucketBehavior::HangsForKeysWith("archive/"));
        let started = Instant::now();
        assert_eq!(status(&fixture, event).await, expected_status);
        let added = started.elapsed() - needed;
        assert!(added < MAX_DELAY, "{added:?}");
        let [line] = fixture.take_log_lines().try_into().unwrap();
        assert_eq!(line["ArchiveFailed"], 1);
        let reason = "the bucket did not store the object: the deadline was exceeded";
        assert_eq!(line["archive_error"], reason);
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_archive_does_not_exceed_the_deadline_of_the_invocation() {
    let fixture = archiving();
    fixture.set_bucket(BucketBehavior::HangsForKeysWith("archive/"));
    fixture.warm_up().await;
    fixture.set_queue(QueueBehavior::Rejects);
    let started = Instant::now();
    let response = fixture.send_with_time_left(delivery(), Duration::from_millis(600)).await;
    assert_eq!(response.json()["status"], "spilled");
    assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn archives_while_the_message_is_being_sent() {
    let delay = Duration::from_millis(300);
    for (event, queue, bucket, needed) in [
        (delivery(), delay, delay, delay),
        (delivery(), 2 * delay, delay, 2 * delay),
        // The payload before the message, and the archived body before the record.
        (large_delivery(), delay, delay, 2 * delay),
        // The response waits for an archive that is a little slower.
        (delivery(), Duration::ZERO, delay, delay),
    ] {
        let fixture = archiving();
        fixture.set_queue(QueueBehavior::Slow(queue));
        fixture.set_bucket(BucketBehavior::Slow(bucket));
        let started = Instant::now();
        assert_eq!(status(&fixture, event).await, "queued");
        let elapsed = started.elapsed();
        assert!(elapsed >= needed && elapsed < needed + Duration::from_millis(10), "{elapsed:?}");
        let records = take_objects(&fixture, "archive/");
        assert!(records.iter().any(|(key, _)| key.ends_with(".json")));
    }
}
