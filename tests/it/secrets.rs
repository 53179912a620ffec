//! Secrets by webhook name, their rotation, and requests while they cannot be fetched.

use crate::fakes::StoreBehavior;
use crate::fixture::{Fixture, signature_rejected, try_again};
use crate::requests::{BODY, SECRET, delivery, webhook_request, with};
use serde_json::{Value, json};
use std::time::Duration;

async fn status(fixture: &Fixture, request: Value) -> u16 {
    fixture.send(request).await.status_code
}

#[tokio::test]
async fn each_webhook_has_its_own_secrets() {
    let fixture = Fixture::new();
    assert_eq!(status(&fixture, webhook_request("project-x", "new", BODY)).await, 200);
    assert_eq!(status(&fixture, webhook_request("project-x", "old", BODY)).await, 200);
    assert_eq!(status(&fixture, webhook_request("project-x", "older", BODY)).await, 401);
    assert_eq!(status(&fixture, webhook_request("labelbox", "new", BODY)).await, 401);
    assert_eq!(fixture.take_queued().len(), 2);
}

/// `training` has its own routes, and `backfill` is reserved for messages that do not come from a webhook.
#[tokio::test]
async fn rejects_reserved_webhook_names() {
    for secret in [SECRET.to_owned(), json!({"training": SECRET, "backfill": SECRET}).to_string()] {
        let fixture = Fixture::new();
        fixture.set_store(StoreBehavior::Returns(secret));
        for name in ["training", "backfill"] {
            assert_eq!(status(&fixture, webhook_request(name, SECRET, BODY)).await, 404);
        }
        assert!(fixture.take_queued().is_empty());
    }
}

#[tokio::test]
async fn plain_text_secret_is_valid_for_any_webhook() {
    let fixture = Fixture::new();
    fixture.set_store(StoreBehavior::Returns("plain\n".to_owned()));
    assert_eq!(status(&fixture, webhook_request("anything", "plain", BODY)).await, 200);
    assert_eq!(status(&fixture, webhook_request("anything", "plain\n", BODY)).await, 401);
}

#[tokio::test]
async fn rotation_takes_effect_immediately() {
    let fixture = Fixture::new();
    assert_eq!(status(&fixture, delivery()).await, 200);
    fixture.set_store(StoreBehavior::Returns(json!({"labelbox": ["rotated", SECRET]}).to_string()));
    fixture.advance_secs(1);
    assert_eq!(status(&fixture, webhook_request("labelbox", "rotated", BODY)).await, 200);
    assert_eq!(status(&fixture, delivery()).await, 200);
    assert_eq!(fixture.fetch_count(), 2);
}

#[tokio::test]
async fn new_webhook_takes_effect_immediately() {
    let fixture = Fixture::new();
    assert_eq!(status(&fixture, delivery()).await, 200);
    fixture.set_store(StoreBehavior::Returns(
        json!({"labelbox": SECRET, "fresh": "fresh"}).to_string(),
    ));
    fixture.advance_secs(1);
    assert_eq!(status(&fixture, webhook_request("fresh", "fresh", BODY)).await, 200);
}

#[tokio::test]
async fn removed_secret_expires_with_the_cache() {
    let fixture = Fixture::new();
    assert_eq!(status(&fixture, delivery()).await, 200);
    fixture.set_store(StoreBehavior::Returns(json!({"labelbox": "rotated"}).to_string()));
    fixture.advance_secs(299);
    assert_eq!(status(&fixture, delivery()).await, 200);
    fixture.advance_secs(1);
    assert_eq!(status(&fixture, delivery()).await, 401);
    fixture.set_store(StoreBehavior::Returns("{}".to_owned()));
    fixture.advance_secs(300);
    assert_eq!(status(&fixture, delivery()).await, 404);
}

#[tokio::test]
async fn unauthenticated_requests_cause_at_most_one_fetch_per_30_seconds() {
    let fixture = Fixture::new();
    assert_eq!(status(&fixture, delivery()).await, 200);
    for second in 0..60 {
        fixture.advance_secs(1);
        fixture
            .assert_response(webhook_request("labelbox", "wrong", BODY), 401, signature_rejected())
            .await;
        fixture
            .assert_response(
                webhook_request("unknown", "wrong", BODY),
                404,
                json!({"error": "not_found"}),
            )
            .await;
        assert_eq!(fixture.fetch_count(), 2 + second / 30);
    }
    assert_eq!(status(&fixture, delivery()).await, 200);
}

#[tokio::test]
async fn missing_or_malformed_signature_causes_no_fetch() {
    let fixture = Fixture::new();
    assert_eq!(status(&fixture, delivery()).await, 200);
    fixture.advance_secs(1);
    for signature in [Value::Null, json!("sha1=zz")] {
        assert_eq!(
            status(&fixture, with(delivery(), "/headers/x-hub-signature", signature)).await,
            401
        );
    }
    assert_eq!(fixture.fetch_count(), 1);
}

#[tokio::test]
async fn responds_with_503_without_a_secret() {
    for behavior in [
        StoreBehavior::Unreachable,
        StoreBehavior::Denied,
        StoreBehavior::Returns("{broken".to_owned()),
    ] {
        let fixture = Fixture::new();
        fixture.set_store(behavior);
        fixture.warm_up().await;
        let response = fixture.send(delivery()).await;
        assert_eq!((response.status_code, response.json()), (503, try_again()));
        assert_eq!(response.headers["retry-after"], "5");
        assert!(fixture.take_queued().is_empty());
        fixture.set_store(StoreBehavior::Returns(SECRET.to_owned()));
        assert_eq!(status(&fixture, delivery()).await, 200);
    }
}

#[tokio::test]
async fn uses_stale_secret_while_secrets_manager_is_unreachable() {
    let fixture = Fixture::new();
    assert_eq!(status(&fixture, delivery()).await, 200);
    fixture.set_store(StoreBehavior::Unreachable);
    fixture.advance_secs(100_000);
    assert_eq!(status(&fixture, delivery()).await, 200);
}

/// The request may be signed with the newer secret.
#[tokio::test]
async fn responds_with_503_if_refresh_fails() {
    for failure in [
        StoreBehavior::Unreachable,
        StoreBehavior::Denied,
        StoreBehavior::Returns("[\"rotated\"]".to_owned()),
    ] {
        let fixture = Fixture::new();
        assert_eq!(status(&fixture, delivery()).await, 200);
        fixture.set_store(failure);
        fixture.advance_secs(1);
        // For 30 s, the failed refresh counts for all webhooks.
        for second in [0, 15, 14] {
            fixture.advance_secs(second);
            for request in [
                webhook_request("labelbox", "rotated", BODY),
                webhook_request("fresh", "rotated", BODY),
            ] {
                fixture.assert_response(request, 503, try_again()).await;
            }
            assert_eq!(status(&fixture, delivery()).await, 200);
            let unsigned = with(delivery(), "/headers/x-hub-signature", Value::Null);
            fixture.assert_response(unsigned, 401, signature_rejected()).await;
        }
        assert_eq!(fixture.fetch_count(), 2);
        fixture.set_store(StoreBehavior::Returns(
            json!({"labelbox": "rotated", "fresh": "rotated"}).to_string(),
        ));
        fixture.advance_secs(1);
        assert_eq!(status(&fixture, webhook_request("labelbox", "rotated", BODY)).await, 200);
        assert_eq!(status(&fixture, webhook_request("fresh", "rotated", BODY)).await, 200);
        assert_eq!(status(&fixture, delivery()).await, 401);
    }
}

#[tokio::test]
async fn drops_expired_secret_if_access_is_denied() {
    let fixture = Fixture::new();
    assert_eq!(status(&fixture, delivery()).await, 200);
    fixture.set_store(StoreBehavior::Denied);
    fixture.advance_secs(299);
    assert_eq!(status(&fixture, delivery()).await, 200);
    fixture.advance_secs(1);
    assert_eq!(status(&fixture, delivery()).await, 503);
    assert_eq!(fixture.take_queued().len(), 2);
}

#[tokio::test]
async fn warm_up_fetches_the_secret() {
    let fixture = Fixture::new();
    fixture.warm_up().await;
    assert_eq!(fixture.fetch_count(), 1);
    assert_eq!(status(&fixture, delivery()).await, 200);
    assert_eq!(fixture.fetch_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn responds_within_5_seconds_if_store_hangs() {
    let fixture = Fixture::new();
    fixture.set_store(StoreBehavior::Hangs);
    let started = tokio::time::Instant::now();
    fixture.assert_response(delivery(), 503, try_again()).await;
    assert!(started.elapsed() < Duration::from_secs(5));
}
