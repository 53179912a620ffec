//! A stranger at the door who never rests: bursts of a thousand requests a second, for minutes, with events of the right
//! sender among them.

use crate::outside::{
    BODY, SECRET, Stage, Vault, delivery, refused, sha1, try_again, webhook, with,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long the attack lasts, by the relay's clock: three pauses between two looks at the store, and a bit.
const ATTACK: Duration = Duration::from_secs(92);
/// A thousand requests a second.
const INTERVAL: Duration = Duration::from_millis(1);
/// As many of them in a row; then half a second is skipped, since the rest of it would show nothing new and take a minute.
const BURST: u32 = 14;
const SKIPPED: Duration = Duration::from_millis(500);
/// The least time between two looks at the store.
const PAUSE: Duration = Duration::from_secs(30);

/// What the stranger sends in turn, and what it is told.
fn knocks() -> Vec<(Value, u16)> {
    let signed_by_the_stranger = webhook("labelbox", "stranger", BODY);
    let with_signature = |value: Value| with(delivery(), "/headers/x-hub-signature", value);
    vec![
        (signed_by_the_stranger, 401),
        (webhook("unknown", "stranger", BODY), 404),
        (with_signature(json!(sha1(SECRET, b"another body"))), 401),
        (with_signature(Value::Null), 401),
        (with_signature(json!("sha1=")), 401),
        (webhook("nobody", "", BODY), 401),
        // The secret of the training routes opens no webhook.
        (webhook("training", SECRET, BODY), 404),
    ]
}

/// Attacks, and gives the times of the looks at the store since the beginning.
async fn attack(stage: &Stage) -> Vec<Duration> {
    let knocks = knocks();
    let (mut looks, mut passed, mut sent) = (Vec::new(), Duration::ZERO, 0);
    for number in 0_u32.. {
        if passed > ATTACK {
            break;
        }
        stage.time_passes(INTERVAL);
        passed += INTERVAL;
        let fetches = stage.fetches();
        // Each burst begins with another one: the first of them has to ask, when it is time.
        let (knock, status) = &knocks[(number + number / BURST) as usize % knocks.len()];
        assert_eq!(stage.send(knock.clone()).await.status_code, *status);
        assert!(stage.queued().is_empty());
        if number % BURST == BURST - 1 {
            let started = Instant::now();
            assert_eq!(stage.send(delivery()).await.status_code, 200);
            assert_eq!(started.elapsed(), Duration::ZERO, "after {passed:?}");
            assert_eq!(stage.queued().len(), 1);
            sent += 1;
            stage.time_passes(SKIPPED);
            passed += SKIPPED;
        }
        looks.extend((fetches..stage.fetches()).map(|_| passed));
        for line in stage.lines() {
            assert_ne!(line["level"], "ERROR", "{line}");
        }
    }
    assert!(sent > 100);
    looks
}

/// Looks as often as it may, and no more often.
#[track_caller]
fn check_pauses(looks: &[Duration]) {
    assert_eq!(looks.len(), 4, "{looks:?}");
    for two in looks.windows(2) {
        assert!(two[1] - two[0] >= PAUSE, "{looks:?}");
    }
}

/// A relay that has fetched its secret this long ago.
async fn with_a_secret_of(seconds: u64) -> Stage {
    let stage = Stage::usual();
    stage.warm_up().await;
    stage.seconds_pass(seconds);
    stage
}

#[tokio::test(start_paused = true)]
async fn a_flood_causes_one_fetch_in_30_seconds_while_the_secret_is_young() {
    let stage = with_a_secret_of(1).await;
    check_pauses(&attack(&stage).await);
}

#[tokio::test(start_paused = true)]
async fn a_flood_causes_one_fetch_in_30_seconds_when_the_secret_is_old() {
    let stage = with_a_secret_of(301).await;
    check_pauses(&attack(&stage).await);
}

#[tokio::test(start_paused = true)]
async fn a_flood_causes_one_fetch_in_30_seconds_while_secrets_manager_is_down() {
    for trouble in [Vault::Unreachable, Vault::Hangs] {
        let stage = with_a_secret_of(100_000).await;
        stage.secret_is(trouble);
        check_pauses(&attack(&stage).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_causes_one_fetch_in_30_seconds_while_a_young_secret_is_refused() {
    let stage = with_a_secret_of(1).await;
    stage.secret_is(Vault::Refuses);
    check_pauses(&attack(&stage).await);
}

/// An event counts for more than a call: without a secret every request asks, but none of them twice.
#[tokio::test]
async fn without_a_secret_each_request_of_a_stranger_asks_once() {
    for trouble in [Vault::Unreachable, Vault::Refuses] {
        let stage = Stage::usual();
        stage.secret_is(trouble);
        stage.warm_up().await;
        for (number, (knock, _)) in knocks().into_iter().enumerate() {
            stage.time_passes(INTERVAL);
            stage.check(knock, 503, try_again()).await;
            assert_eq!(stage.fetches(), number + 2);
        }
        stage.secret_is(Vault::Holds(SECRET.to_owned()));
        stage.time_passes(INTERVAL);
        assert_eq!(stage.send(delivery()).await.status_code, 200);
        let fetches = stage.fetches();
        for _ in 0..100 {
            stage.time_passes(INTERVAL);
            stage
                .check(webhook("labelbox", "stranger", BODY), 401, refused())
                .await;
        }
        assert_eq!(stage.fetches(), fetches + 1);
    }
}
