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

/// A request of an unauthenticated client, its answer, and whether a newer secret might accept it: while Secrets Manager
/// cannot say so, the answer is 503.
struct Attempt {
    request: Value,
    status: u16,
    needs_refresh: bool,
}

/// What an unauthenticated client sends in turn.
fn attempts() -> Vec<Attempt> {
    let wrong_secret = webhook("labelbox", "stranger", BODY);
    let with_signature = |value: Value| with(delivery(), "/headers/x-hub-signature", value);
    let attempts = [
        (wrong_secret, 401, true),
        (webhook("unknown", "stranger", BODY), 404, true),
        (
            with_signature(json!(sha1(SECRET, b"another body"))),
            401,
            true,
        ),
        (with_signature(Value::Null), 401, false),
        (with_signature(json!("sha1=")), 401, false),
        (webhook("nobody", "", BODY), 401, true),
        // The secret of the training routes opens no webhook.
        (webhook("training", SECRET, BODY), 404, false),
    ];
    let attempt = |(request, status, needs_refresh)| Attempt {
        request,
        status,
        needs_refresh,
    };
    attempts.into_iter().map(attempt).collect()
}

/// Attacks, and gives the times of the fetches since the beginning.
async fn attack(stage: &Stage, is_available: bool) -> Vec<Duration> {
    let attempts = attempts();
    let (mut looks, mut passed, mut sent) = (Vec::new(), Duration::ZERO, 0);
    for number in 0_u32.. {
        if passed > ATTACK {
            break;
        }
        stage.time_passes(INTERVAL);
        passed += INTERVAL;
        let fetches = stage.fetches();
        // Each burst begins with another one: the first of them has to ask, when it is time.
        let attempt = &attempts[(number + number / BURST) as usize % attempts.len()];
        let is_ours = attempt.needs_refresh && !is_available;
        let status = if is_ours { 503 } else { attempt.status };
        let answer = stage.send(attempt.request.clone()).await;
        assert_eq!(answer.status_code, status, "after {passed:?}");
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
            assert_eq!(line["level"] == "ERROR", line["status"] == 503, "{line}");
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
    check_pauses(&attack(&stage, true).await);
}

#[tokio::test(start_paused = true)]
async fn a_flood_causes_one_fetch_in_30_seconds_when_the_secret_is_old() {
    let stage = with_a_secret_of(301).await;
    check_pauses(&attack(&stage, true).await);
}

#[tokio::test(start_paused = true)]
async fn a_flood_causes_one_fetch_in_30_seconds_while_secrets_manager_is_down() {
    for trouble in [Vault::Unreachable, Vault::Hangs] {
        let stage = with_a_secret_of(100_000).await;
        stage.secret_is(trouble);
        check_pauses(&attack(&stage, false).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_causes_one_fetch_in_30_seconds_while_a_young_secret_is_refused() {
    let stage = with_a_secret_of(1).await;
    stage.secret_is(Vault::Refuses);
    check_pauses(&attack(&stage, false).await);
}

/// An event counts for more than a call: without a secret every request asks, but none of them twice.
#[tokio::test]
async fn without_a_secret_each_request_of_a_stranger_asks_once() {
    for trouble in [Vault::Unreachable, Vault::Refuses] {
        let stage = Stage::usual();
        stage.secret_is(trouble);
        stage.warm_up().await;
        let mut fetching = attempts();
        fetching.retain(|attempt| attempt.request["rawPath"] != "/webhooks/training");
        for (number, attempt) in fetching.into_iter().enumerate() {
            stage.time_passes(INTERVAL);
            stage.check(attempt.request, 503, try_again()).await;
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
