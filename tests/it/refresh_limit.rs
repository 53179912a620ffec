//! The limit for secret refreshes under load: bursts of 1,000 unauthenticated requests per second for 92 s, with valid
//! deliveries among them.

use crate::fakes::StoreBehavior;
use crate::fixture::{Fixture, signature_rejected, try_again};
use crate::requests::{BODY, SECRET, delivery, sha1, webhook_request, with};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The duration of the load on the relay's clock: slightly more than three refresh intervals.
const LOAD_DURATION: Duration = Duration::from_secs(92);
/// The time between two requests.
const REQUEST_INTERVAL: Duration = Duration::from_millis(1);
/// The number of requests in a burst. Sending requests in the pause between bursts would take a minute and test nothing
/// more.
const BURST: u32 = 14;
const BURST_PAUSE: Duration = Duration::from_millis(500);
/// The minimum time between two refreshes.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// An unauthenticated request.
struct Attempt {
    request: Value,
    status: u16,
    /// Whether a newer secret could verify the request. If it cannot be fetched, the status is 503.
    needs_refresh: bool,
}

fn attempts() -> Vec<Attempt> {
    let wrong_secret = webhook_request("labelbox", "wrong", BODY);
    let with_signature = |value: Value| with(delivery(), "/headers/x-hub-signature", value);
    let attempts = [
        (wrong_secret, 401, true),
        (webhook_request("unknown", "wrong", BODY), 404, true),
        (with_signature(json!(sha1(SECRET, b"another body"))), 401, true),
        (with_signature(Value::Null), 401, false),
        (with_signature(json!("sha1=")), 401, false),
        (webhook_request("empty-secret", "", BODY), 401, true),
        // The secret of the training routes is valid for no webhook.
        (webhook_request("training", SECRET, BODY), 404, false),
    ];
    let attempt = |(request, status, needs_refresh)| Attempt { request, status, needs_refresh };
    attempts.into_iter().map(attempt).collect()
}

/// Sends the load, and returns the times of the fetches.
async fn fetch_times_under_load(fixture: &Fixture, is_available: bool) -> Vec<Duration> {
    let attempts = attempts();
    let (mut fetch_times, mut elapsed, mut deliveries) = (Vec::new(), Duration::ZERO, 0);
    for number in 0_u32.. {
        if elapsed > LOAD_DURATION {
            break;
        }
        fixture.advance(REQUEST_INTERVAL);
        elapsed += REQUEST_INTERVAL;
        let fetches = fixture.fetch_count();
        // Bursts start with different requests: the first one causes the refresh if it is due.
        let attempt = &attempts[(number + number / BURST) as usize % attempts.len()];
        let is_unavailable = attempt.needs_refresh && !is_available;
        let status = if is_unavailable { 503 } else { attempt.status };
        let response = fixture.send(attempt.request.clone()).await;
        assert_eq!(response.status_code, status, "after {elapsed:?}");
        assert!(fixture.take_queued().is_empty());
        if number % BURST == BURST - 1 {
            let started = Instant::now();
            assert_eq!(fixture.send(delivery()).await.status_code, 200);
            assert_eq!(started.elapsed(), Duration::ZERO, "after {elapsed:?}");
            assert_eq!(fixture.take_queued().len(), 1);
            deliveries += 1;
            fixture.advance(BURST_PAUSE);
            elapsed += BURST_PAUSE;
        }
        fetch_times.extend((fetches..fixture.fetch_count()).map(|_| elapsed));
        for line in fixture.take_log_lines() {
            assert_eq!(line["level"] == "ERROR", line["status"] == 503, "{line}");
        }
    }
    assert!(deliveries > 100);
    fetch_times
}

/// Checks that the relay fetches as often as the limit allows, and not more often.
#[track_caller]
fn check_intervals(fetch_times: &[Duration]) {
    assert_eq!(fetch_times.len(), 4, "{fetch_times:?}");
    for pair in fetch_times.windows(2) {
        assert!(pair[1] - pair[0] >= REFRESH_INTERVAL, "{fetch_times:?}");
    }
}

/// A relay whose secret has this age in seconds.
async fn with_secret_age(seconds: u64) -> Fixture {
    let fixture = Fixture::new();
    fixture.warm_up().await;
    fixture.advance_secs(seconds);
    fixture
}

#[tokio::test(start_paused = true)]
async fn fetches_once_per_30_seconds_under_load_with_a_fresh_secret() {
    let fixture = with_secret_age(1).await;
    check_intervals(&fetch_times_under_load(&fixture, true).await);
}

#[tokio::test(start_paused = true)]
async fn fetches_once_per_30_seconds_under_load_with_an_expired_secret() {
    let fixture = with_secret_age(301).await;
    check_intervals(&fetch_times_under_load(&fixture, true).await);
}

#[tokio::test(start_paused = true)]
async fn fetches_once_per_30_seconds_under_load_while_secrets_manager_is_unavailable() {
    for behavior in [StoreBehavior::Unreachable, StoreBehavior::Hangs] {
        let fixture = with_secret_age(100_000).await;
        fixture.set_store(behavior);
        check_intervals(&fetch_times_under_load(&fixture, false).await);
    }
}

#[tokio::test(start_paused = true)]
async fn fetches_once_per_30_seconds_under_load_while_access_is_denied() {
    let fixture = with_secret_age(1).await;
    fixture.set_store(StoreBehavior::Denied);
    check_intervals(&fetch_times_under_load(&fixture, false).await);
}

/// Without a secret, a valid delivery must not wait for the interval.
#[tokio::test]
async fn without_a_secret_each_request_fetches_once() {
    for behavior in [StoreBehavior::Unreachable, StoreBehavior::Denied] {
        let fixture = Fixture::new();
        fixture.set_store(behavior);
        fixture.warm_up().await;
        let mut fetching = attempts();
        fetching.retain(|attempt| attempt.request["rawPath"] != "/webhooks/training");
        for (number, attempt) in fetching.into_iter().enumerate() {
            fixture.advance(REQUEST_INTERVAL);
            fixture.assert_response(attempt.request, 503, try_again()).await;
            assert_eq!(fixture.fetch_count(), number + 2);
        }
        fixture.set_store(StoreBehavior::Returns(SECRET.to_owned()));
        fixture.advance(REQUEST_INTERVAL);
        assert_eq!(fixture.send(delivery()).await.status_code, 200);
        let fetches = fixture.fetch_count();
        for _ in 0..100 {
            fixture.advance(REQUEST_INTERVAL);
            fixture
                .assert_response(
                    webhook_request("labelbox", "wrong", BODY),
                    401,
                    signature_rejected(),
                )
                .await;
        }
        assert_eq!(fixture.fetch_count(), fetches + 1);
    }
}
