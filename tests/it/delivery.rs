//! What becomes of an authentic delivery: its message and its answer.

use crate::outside::{BODY, SECRET, Stage, TRACE, delivery, event, sha256, webhook, with};
use serde_json::{Value, json};

#[tokio::test]
async fn a_label_is_queued_as_the_contract_says() {
    let stage = Stage::usual();
    stage
        .check(
            delivery(),
            200,
            json!({"status": "queued", "entity": "label", "message_id": "message-1"}),
        )
        .await;
    let queued = stage.queued();
    let [message] = queued.as_slice() else {
        panic!("{} messages", queued.len())
    };
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
async fn a_standard_queue_gets_no_group() {
    let stage = Stage::with(&[("QUEUE_TYPE", "standard")]);
    stage.send(delivery()).await;
    let queued = stage.queued();
    assert_eq!(queued[0].group_id, None);
    assert_eq!(
        queued[0].attribute("dedup_id"),
        Some(queued[0].dedup_id.as_str())
    );
}

#[tokio::test]
async fn either_signature_is_enough_and_both_are_fine() {
    let sha256 = json!(sha256(SECRET, BODY.as_bytes()));
    let both = with(delivery(), "/headers/x-hub-signature-256", sha256);
    let only_256 = with(both.clone(), "/headers/x-hub-signature", Value::Null);
    for request in [both, only_256] {
        let stage = Stage::usual();
        assert_eq!(stage.send(request).await.status_code, 200);
        assert_eq!(stage.queued().len(), 1);
    }
}

#[tokio::test]
async fn an_event_that_nobody_knows_has_a_home() {
    for (topic, body, reason) in [
        (json!("ISSUE_CREATED"), "{}", "unknown_topic"),
        (Value::Null, "{}", "no_topic"),
        (json!("LABEL_CREATED"), "[1]", "unreadable"),
        (json!("LABEL_CREATED"), "not json", "unreadable"),
        (json!("LABEL_CREATED"), "12", "unreadable"),
    ] {
        let stage = Stage::usual();
        let request = with(
            webhook("labelbox", SECRET, body),
            "/headers/x-labelbox-event",
            topic,
        );
        let answer = json!({"status": "unrouted", "entity": "unrouted", "message_id": "message-1"});
        stage.check(request, 200, answer).await;
        let queued = stage.queued();
        assert_eq!(
            (queued[0].body.as_str(), queued[0].attribute("reason")),
            (body, Some(reason))
        );
        assert_eq!(queued[0].group_id.as_ref(), Some(&queued[0].dedup_id));
    }
}

#[tokio::test]
async fn a_header_that_is_not_1_to_256_visible_ascii_characters_counts_as_missing() {
    let longest = "L".repeat(256);
    for absurd in [
        "",
        " ",
        "LABEL CREATED",
        "LABEL\u{1}",
        "LABEL\n",
        "LÄBEL",
        &"L".repeat(257),
        &"L".repeat(10_240),
    ] {
        let stage = Stage::usual();
        let request = with(delivery(), "/headers/x-labelbox-event", json!(absurd));
        stage
            .send(with(request, "/headers/x-labelbox-id", json!(absurd)))
            .await;
        let queued = stage.queued();
        assert_eq!(queued[0].attribute("event"), None, "{absurd:?}");
        assert_eq!(queued[0].attribute("delivery_id"), None, "{absurd:?}");
        assert_eq!(
            queued[0].attribute("reason"),
            Some("no_topic"),
            "{absurd:?}"
        );
    }
    let stage = Stage::usual();
    stage
        .send(with(
            delivery(),
            "/headers/x-labelbox-event",
            json!(longest),
        ))
        .await;
    assert_eq!(stage.queued()[0].attribute("event"), Some(longest.as_str()));
}

#[tokio::test]
async fn odd_headers_that_nobody_reads_change_nothing() {
    let stage = Stage::usual();
    let mut request = delivery();
    for (name, value) in [
        ("host", "not a host"),
        ("x-odd", "\u{0}\u{1f}ü\n"),
        ("", "x"),
        ("näme", "x"),
        ("x-null", ""),
    ] {
        request = with(request, &format!("/headers/{name}"), json!(value));
    }
    request = with(request, "/rawQueryString", json!("a b=%zz&ü=\u{1}"));
    request = with(request, "/headers/x-none", Value::Null);
    assert_eq!(stage.send(request).await.status_code, 200);
    assert_eq!(stage.queued().len(), 1);
}

#[tokio::test]
async fn health_touches_nothing_and_needs_no_signature() {
    let stage = Stage::with(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
    stage
        .check(
            event("GET", "/health", json!({}), None),
            200,
            json!({"status": "ok"}),
        )
        .await;
    assert_eq!(stage.fetches(), 0);
}
