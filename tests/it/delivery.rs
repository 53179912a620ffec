//! The message and the response for a valid delivery.

use crate::fixture::{Fixture, TRACE};
use crate::requests::{BODY, SECRET, delivery, gateway_event, sha256, webhook_request, with};
use serde_json::{Value, json};

#[tokio::test]
async fn queues_a_label_with_all_attributes() {
    let fixture = Fixture::new();
    fixture
        .assert_response(
            delivery(),
            200,
            json!({"status": "queued", "entity": "label", "message_id": "message-1"}),
        )
        .await;
    let queued = fixture.take_queued();
    let [message] = queued.as_slice() else { panic!("{} messages", queued.len()) };
    assert_eq!(message.body, BODY);
    // printf 'labelbox\0LABEL_UPDATED\0\0%s' "$BODY" | sha256sum
    let dedup_id = "76482392b7e9db9ff95590b70be9fc824518d901121aa8fe0c1a62075f651b47";
    let attributes: Value = message
        .attributes
        .iter()
        .map(|attribute| (attribute.name, attribute.value.as_str()))
        .collect();
    assert_eq!(
        attributes,
        json!({
            "event": "LABEL_UPDATED",
            "entity": "label",
            "entity_id": "label1",
            "delivery_id": "ckmdi74ew57lq063553kuzekq",
            "webhook": "labelbox",
            "occurred_at": "2021-03-17T13:51:59.000Z",
            "received_at": "2023-11-14T22:13:20.000Z",
            "dedup_id": dedup_id,
        })
    );
    assert_eq!(message.dedup_id, dedup_id);
    assert_eq!(message.group_id.as_deref(), Some("label1"));
    assert_eq!(message.trace.as_deref(), Some(TRACE));
}

#[tokio::test]
async fn message_for_standard_queue_has_no_group() {
    let fixture = Fixture::with_settings(&[("QUEUE_TYPE", "standard")]);
    fixture.send(delivery()).await;
    let queued = fixture.take_queued();
    assert_eq!(queued[0].group_id, None);
    assert_eq!(queued[0].attribute("dedup_id"), Some(queued[0].dedup_id.as_str()));
}

#[tokio::test]
async fn accepts_either_signature_or_both() {
    let sha256 = json!(sha256(SECRET, BODY.as_bytes()));
    let both = with(delivery(), "/headers/x-hub-signature-256", sha256);
    let only_256 = with(both.clone(), "/headers/x-hub-signature", Value::Null);
    for request in [both, only_256] {
        let fixture = Fixture::new();
        assert_eq!(fixture.send(request).await.status_code, 200);
        assert_eq!(fixture.take_queued().len(), 1);
    }
}

#[tokio::test]
async fn queues_unknown_event_as_unrouted() {
    for (topic, body, reason) in [
        (json!("ISSUE_CREATED"), "{}", "unknown_topic"),
        (Value::Null, "{}", "no_topic"),
        (json!("LABEL_CREATED"), "[1]", "unreadable"),
        (json!("LABEL_CREATED"), "not json", "unreadable"),
        (json!("LABEL_CREATED"), "12", "unreadable"),
    ] {
        let fixture = Fixture::new();
        let request =
            with(webhook_request("labelbox", SECRET, body), "/headers/x-labelbox-event", topic);
        let response =
            json!({"status": "unrouted", "entity": "unrouted", "message_id": "message-1"});
        fixture.assert_response(request, 200, response).await;
        let queued = fixture.take_queued();
        assert_eq!((queued[0].body.as_str(), queued[0].attribute("reason")), (body, Some(reason)));
        assert_eq!(queued[0].group_id.as_ref(), Some(&queued[0].dedup_id));
    }
}

#[tokio::test]
async fn header_that_is_not_1_to_256_visible_ascii_characters_counts_as_missing() {
    let longest = "L".repeat(256);
    for invalid in [
        "",
        " ",
        "LABEL CREATED",
        "LABEL\u{1}",
        "LABEL\n",
        "LÄBEL",
        &"L".repeat(257),
        &"L".repeat(10_240),
    ] {
        let fixture = Fixture::new();
        let request = with(delivery(), "/headers/x-labelbox-event", json!(invalid));
        fixture.send(with(request, "/headers/x-labelbox-id", json!(invalid))).await;
        let queued = fixture.take_queued();
        assert_eq!(queued[0].attribute("event"), None, "{invalid:?}");
        assert_eq!(queued[0].attribute("delivery_id"), None, "{invalid:?}");
        assert_eq!(queued[0].attribute("reason"), Some("no_topic"), "{invalid:?}");
    }
    let fixture = Fixture::new();
    fixture.send(with(delivery(), "/headers/x-labelbox-event", json!(longest))).await;
    assert_eq!(fixture.take_queued()[0].attribute("event"), Some(longest.as_str()));
}

#[tokio::test]
async fn ignores_malformed_unused_headers_and_query_string() {
    let fixture = Fixture::new();
    let mut request = delivery();
    for (name, value) in [
        ("host", "not a host"),
        ("x-control", "\u{0}\u{1f}ü\n"),
        ("", "x"),
        ("näme", "x"),
        ("x-null", ""),
    ] {
        request = with(request, &format!("/headers/{name}"), json!(value));
    }
    request = with(request, "/rawQueryString", json!("a b=%zz&ü=\u{1}"));
    request = with(request, "/headers/x-none", Value::Null);
    assert_eq!(fixture.send(request).await.status_code, 200);
    assert_eq!(fixture.take_queued().len(), 1);
}

#[tokio::test]
async fn health_check_needs_no_signature_and_fetches_no_secret() {
    let fixture = Fixture::with_settings(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
    fixture
        .assert_response(
            gateway_event("GET", "/health", json!({}), None),
            200,
            json!({"status": "ok"}),
        )
        .await;
    assert_eq!(fixture.fetch_count(), 0);
}
