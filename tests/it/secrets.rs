//! Secrets by webhook name, their rotation, and what happens when they cannot be had.

use crate::outside::{BODY, SECRET, Stage, Vault, delivery, refused, try_again, webhook, with};
use serde_json::{Value, json};

async fn status(stage: &Stage, request: Value) -> u16 {
    stage.send(request).await.status_code
}

#[tokio::test]
async fn each_webhook_has_its_own_secrets() {
    let stage = Stage::usual();
    assert_eq!(status(&stage, webhook("project-x", "new", BODY)).await, 200);
    assert_eq!(status(&stage, webhook("project-x", "old", BODY)).await, 200);
    assert_eq!(
        status(&stage, webhook("project-x", "older", BODY)).await,
        401
    );
    assert_eq!(status(&stage, webhook("labelbox", "new", BODY)).await, 401);
    assert_eq!(stage.queued().len(), 2);
}

/// `training` has its own routes, and `backfill` marks the messages of `relayctl backfill`.
#[tokio::test]
async fn reserved_names_are_no_webhooks() {
    for secret in [
        SECRET.to_owned(),
        json!({"training": SECRET, "backfill": SECRET}).to_string(),
    ] {
        let stage = Stage::usual();
        stage.secret_is(Vault::Holds(secret));
        for name in ["training", "backfill"] {
            assert_eq!(status(&stage, webhook(name, SECRET, BODY)).await, 404);
        }
        assert!(stage.queued().is_empty());
    }
}

#[tokio::test]
async fn plain_text_is_the_secret_of_any_webhook() {
    let stage = Stage::usual();
    stage.secret_is(Vault::Holds("plain\n".to_owned()));
    assert_eq!(
        status(&stage, webhook("anything", "plain", BODY)).await,
        200
    );
    assert_eq!(
        status(&stage, webhook("anything", "plain\n", BODY)).await,
        401
    );
}

#[tokio::test]
async fn a_rotation_takes_effect_at_once() {
    let stage = Stage::usual();
    assert_eq!(status(&stage, delivery()).await, 200);
    stage.secret_is(Vault::Holds(
        json!({"labelbox": ["rotated", SECRET]}).to_string(),
    ));
    stage.seconds_pass(1);
    assert_eq!(
        status(&stage, webhook("labelbox", "rotated", BODY)).await,
        200
    );
    assert_eq!(status(&stage, delivery()).await, 200);
    assert_eq!(stage.fetches(), 2);
}

#[tokio::test]
async fn a_new_webhook_is_known_at_once() {
    let stage = Stage::usual();
    assert_eq!(status(&stage, delivery()).await, 200);
    stage.secret_is(Vault::Holds(
        json!({"labelbox": SECRET, "fresh": "fresh"}).to_string(),
    ));
    stage.seconds_pass(1);
    assert_eq!(status(&stage, webhook("fresh", "fresh", BODY)).await, 200);
}

#[tokio::test]
async fn a_withdrawn_secret_stops_working_at_the_age_limit() {
    let stage = Stage::usual();
    assert_eq!(status(&stage, delivery()).await, 200);
    stage.secret_is(Vault::Holds(json!({"labelbox": "rotated"}).to_string()));
    stage.seconds_pass(299);
    assert_eq!(status(&stage, delivery()).await, 200);
    stage.seconds_pass(1);
    assert_eq!(status(&stage, delivery()).await, 401);
    stage.secret_is(Vault::Holds("{}".to_owned()));
    stage.seconds_pass(300);
    assert_eq!(status(&stage, delivery()).await, 404);
}

#[tokio::test]
async fn strangers_cause_at_most_one_fetch_in_30_seconds() {
    let stage = Stage::usual();
    assert_eq!(status(&stage, delivery()).await, 200);
    for second in 0..60 {
        stage.seconds_pass(1);
        stage
            .check(webhook("labelbox", "stranger", BODY), 401, refused())
            .await;
        stage
            .check(
                webhook("unknown", "stranger", BODY),
                404,
                json!({"error": "not_found"}),
            )
            .await;
        assert_eq!(stage.fetches(), 2 + second / 30);
    }
    assert_eq!(status(&stage, delivery()).await, 200);
}

#[tokio::test]
async fn a_missing_or_malformed_signature_causes_no_fetch() {
    let stage = Stage::usual();
    assert_eq!(status(&stage, delivery()).await, 200);
    stage.seconds_pass(1);
    for signature in [Value::Null, json!("sha1=zz")] {
        assert_eq!(
            status(
                &stage,
                with(delivery(), "/headers/x-hub-signature", signature)
            )
            .await,
            401
        );
    }
    assert_eq!(stage.fetches(), 1);
}

#[tokio::test]
async fn without_a_secret_the_sender_is_to_try_again() {
    for vault in [
        Vault::Unreachable,
        Vault::Refuses,
        Vault::Holds("{broken".to_owned()),
    ] {
        let stage = Stage::usual();
        stage.secret_is(vault);
        stage.warm_up().await;
        let answer = stage.send(delivery()).await;
        assert_eq!((answer.status_code, answer.json()), (503, try_again()));
        assert_eq!(answer.headers["retry-after"], "5");
        assert!(stage.queued().is_empty());
        stage.secret_is(Vault::Holds(SECRET.to_owned()));
        assert_eq!(status(&stage, delivery()).await, 200);
    }
}

#[tokio::test]
async fn the_last_secret_serves_while_secrets_manager_cannot_be_reached() {
    let stage = Stage::usual();
    assert_eq!(status(&stage, delivery()).await, 200);
    stage.secret_is(Vault::Unreachable);
    stage.seconds_pass(100_000);
    assert_eq!(status(&stage, delivery()).await, 200);
}

/// The sender may have the newer secret, and the fault is ours.
#[tokio::test]
async fn a_refresh_that_cannot_be_made_is_no_verdict_on_the_sender() {
    for failure in [
        Vault::Unreachable,
        Vault::Refuses,
        Vault::Holds("[\"rotated\"]".to_owned()),
    ] {
        let stage = Stage::usual();
        assert_eq!(status(&stage, delivery()).await, 200);
        stage.secret_is(failure);
        stage.seconds_pass(1);
        // The refresh that failed stands for later ones, of every name.
        for second in [0, 15, 14] {
            stage.seconds_pass(second);
            for request in [
                webhook("labelbox", "rotated", BODY),
                webhook("fresh", "rotated", BODY),
            ] {
                stage.check(request, 503, try_again()).await;
            }
            assert_eq!(status(&stage, delivery()).await, 200);
            let unsigned = with(delivery(), "/headers/x-hub-signature", Value::Null);
            stage.check(unsigned, 401, refused()).await;
        }
        assert_eq!(stage.fetches(), 2);
        stage.secret_is(Vault::Holds(
            json!({"labelbox": "rotated", "fresh": "rotated"}).to_string(),
        ));
        stage.seconds_pass(1);
        assert_eq!(
            status(&stage, webhook("labelbox", "rotated", BODY)).await,
            200
        );
        assert_eq!(status(&stage, webhook("fresh", "rotated", BODY)).await, 200);
        assert_eq!(status(&stage, delivery()).await, 401);
    }
}

#[tokio::test]
async fn a_refusal_ends_the_last_secret_at_its_age_limit() {
    let stage = Stage::usual();
    assert_eq!(status(&stage, delivery()).await, 200);
    stage.secret_is(Vault::Refuses);
    stage.seconds_pass(299);
    assert_eq!(status(&stage, delivery()).await, 200);
    stage.seconds_pass(1);
    assert_eq!(status(&stage, delivery()).await, 503);
    assert_eq!(stage.queued().len(), 2);
}

#[tokio::test]
async fn the_secret_is_there_before_the_first_request() {
    let stage = Stage::usual();
    stage.warm_up().await;
    assert_eq!(stage.fetches(), 1);
    assert_eq!(status(&stage, delivery()).await, 200);
    assert_eq!(stage.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_does_not_hold_up_the_answer() {
    let stage = Stage::usual();
    stage.secret_is(Vault::Hangs);
    let started = tokio::time::Instant::now();
    stage.check(delivery(), 503, try_again()).await;
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}
