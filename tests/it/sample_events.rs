//! Every sample event in `events/` has the result that its manifest expects.

use crate::fixture::Fixture;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

#[derive(serde::Deserialize)]
struct Sample {
    name: String,
    payload: Option<String>,
    delivery_id: Option<String>,
    path: String,
    expect: Expectation,
}

#[derive(serde::Deserialize)]
struct Expectation {
    status: u16,
    queue: Option<String>,
    entity: Option<String>,
    entity_id: Option<String>,
    project_id: Option<String>,
    occurred_at: Option<String>,
    reason: Option<String>,
}

fn read(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("events").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn samples() -> Vec<Sample> {
    let samples: Vec<Sample> = serde_json::from_slice(&read("manifest.json")).unwrap();
    assert!(samples.len() > 20);
    samples
}

#[tokio::test]
async fn every_sample_event_has_the_result_in_the_manifest() {
    for queue_type in ["fifo", "standard"] {
        let fixture = Fixture::with_settings(&[
            ("QUEUE_TYPE", queue_type),
            ("TRAINING_MODELS", "bounding_box,ner"),
        ]);
        for sample in samples() {
            check(&fixture, &sample).await;
        }
    }
}

async fn check(fixture: &Fixture, sample: &Sample) {
    let (name, expect) = (&sample.name, &sample.expect);
    let event: Value = serde_json::from_slice(&read(&format!("{name}.json"))).unwrap();
    let response = fixture.send(event).await;
    assert_eq!(response.status_code, expect.status, "{name}");
    let queued = fixture.take_queued();
    let Some(queue) = &expect.queue else {
        assert_eq!(response.json(), json!({"bounding_box": {}, "ner": {}}), "{name}");
        assert!(queued.is_empty(), "{name}");
        return;
    };
    let status = if expect.reason.is_some() { "unrouted" } else { "queued" };
    assert_eq!(response.json()["status"], status, "{name}");
    assert_eq!(response.json()["entity"], json!(expect.entity), "{name}");
    let [message] = queued.as_slice() else { panic!("{name}: {} messages", queued.len()) };
    assert_eq!(message.entity.name(), queue, "{name}");
    assert!(
        message.body.as_bytes() == read(sample.payload.as_deref().unwrap()),
        "{name}: different body"
    );
    let webhook = sample.path.strip_prefix("/webhooks/");
    let expected = [
        ("entity", expect.entity.as_deref()),
        ("entity_id", expect.entity_id.as_deref()),
        ("project_id", expect.project_id.as_deref()),
        ("occurred_at", expect.occurred_at.as_deref()),
        ("reason", expect.reason.as_deref()),
        ("delivery_id", sample.delivery_id.as_deref()),
        ("webhook", webhook),
    ];
    for (attribute, value) in expected {
        assert_eq!(message.attribute(attribute), value, "{name}: {attribute}");
    }
}
