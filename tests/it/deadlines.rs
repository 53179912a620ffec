//! The relay responds within 10 s even if services hang. The real clients have a network that never responds, and the
//! clock is paused.

use crate::fakes::{BucketBehavior, QueueBehavior, StoreBehavior};
use crate::fixture::{Fixture, config, try_again};
use crate::requests::{BODY, SECRET, delivery, webhook_request};
use aws_lite::test_util::{Replay, response};
use aws_lite::{AwsConfig, AwsError, HttpClient};
use labelbox_relay::bucket::S3;
use labelbox_relay::queue::Sqs;
use labelbox_relay::secrets::SecretsManager;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

const MAX_DURATION: Duration = Duration::from_secs(10);

fn aws(http: impl HttpClient) -> AwsConfig {
    config(&[]).aws.for_clients(Arc::new(http), SystemTime::now)
}

fn hanging_aws() -> AwsConfig {
    aws(|_| std::future::pending::<Result<_, AwsError>>())
}

fn hanging_queue() -> QueueBehavior {
    QueueBehavior::Client(Arc::new(Sqs::new(&config(&[]), &hanging_aws())))
}

fn hanging_store() -> StoreBehavior {
    StoreBehavior::Client(Arc::new(SecretsManager::new(&config(&[]), &hanging_aws())))
}

fn hanging_bucket() -> BucketBehavior {
    BucketBehavior::Client(Arc::new(S3::new(&config(&[]), &hanging_aws())))
}

/// An event that is offloaded at an inline limit of 1 KiB.
fn large_delivery() -> Value {
    webhook_request("labelbox", SECRET, &format!("{BODY}{}", " ".repeat(1024)))
}

/// Sends an event, checks that the response comes within the limit, counted from `started`, and returns its status.
async fn status_in_time(fixture: &Fixture, event: Value, started: Instant) -> Value {
    let response = fixture.send(event).await.json();
    assert!(started.elapsed() < MAX_DURATION, "{:?}", started.elapsed());
    response.get("status").or(response.get("error")).cloned().unwrap()
}

#[tokio::test(start_paused = true)]
async fn spills_in_time_if_queue_hangs() {
    let fixture = Fixture::new();
    fixture.set_queue(hanging_queue());
    let started = Instant::now();
    assert_eq!(status_in_time(&fixture, delivery(), started).await, "spilled");
    assert!(fixture.take_objects().keys().all(|key| key.starts_with("spill/label/")));
}

#[tokio::test(start_paused = true)]
async fn responds_in_time_if_queue_and_bucket_hang() {
    let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", "1")]);
    fixture.set_queue(hanging_queue());
    fixture.set_bucket(hanging_bucket());
    for event in [delivery(), large_delivery()] {
        let started = Instant::now();
        assert_eq!(status_in_time(&fixture, event, started).await, "try_again");
    }
}

#[tokio::test(start_paused = true)]
async fn responds_in_time_if_secrets_manager_hangs() {
    let fixture = Fixture::new();
    fixture.set_store(hanging_store());
    let started = Instant::now();
    assert_eq!(status_in_time(&fixture, delivery(), started).await, "try_again");
}

#[tokio::test(start_paused = true)]
async fn spills_in_time_with_stale_secret_if_secrets_manager_and_queue_hang() {
    let fixture = Fixture::new();
    fixture.warm_up().await;
    fixture.advance_secs(300);
    fixture.set_store(hanging_store());
    fixture.set_queue(hanging_queue());
    let started = Instant::now();
    assert_eq!(status_in_time(&fixture, delivery(), started).await, "spilled");
}

#[tokio::test(start_paused = true)]
async fn responds_in_time_to_cold_start_if_all_services_hang() {
    let fixture = Fixture::new();
    fixture.set_queue(hanging_queue());
    fixture.set_bucket(hanging_bucket());
    fixture.set_store(StoreBehavior::Hangs);
    let started = Instant::now();
    fixture.warm_up().await;
    fixture.set_store(StoreBehavior::Slow(SECRET.to_owned(), Duration::from_secs(2)));
    assert_eq!(status_in_time(&fixture, delivery(), started).await, "try_again");
}

#[tokio::test(start_paused = true)]
async fn responds_before_the_deadline_of_the_invocation() {
    let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", "1")]);
    fixture.warm_up().await;
    fixture.advance_secs(300);
    fixture.set_store(hanging_store());
    fixture.set_queue(hanging_queue());
    let time_left = Duration::from_secs(3);
    let started = Instant::now();
    let response = fixture.send_with_time_left(delivery(), time_left).await;
    assert_eq!(response.json()["status"], "spilled");
    // Not at once: the secret and the queue were given a part of the time.
    assert!(started.elapsed() > time_left / 2, "{:?}", started.elapsed());
    assert!(started.elapsed() < time_left, "{:?}", started.elapsed());
    fixture.set_bucket(hanging_bucket());
    for time_left in [Duration::from_millis(1), Duration::from_millis(499), time_left] {
        for event in [delivery(), large_delivery()] {
            let started = Instant::now();
            let response = fixture.send_with_time_left(event, time_left).await;
            assert_eq!((response.status_code, response.json()), (503, try_again()));
            assert!(started.elapsed() <= time_left, "{:?}", started.elapsed());
        }
    }
}

/// `cargo lambda` sends a constant deadline in 1970.
#[tokio::test]
async fn ignores_a_deadline_in_the_past() {
    for deadline in [0, 600_000, 1_700_000_000_000] {
        let fixture = Fixture::new();
        let mut context = lambda_http::Context::default();
        context.deadline = deadline;
        let response = fixture.send_with_context(delivery(), context).await;
        assert_eq!(response.json()["status"], "queued", "{deadline}");
    }
}

/// Each event has three attempts, and failures of earlier events do not use them up.
#[tokio::test(start_paused = true)]
async fn retries_twice_for_each_event_even_in_a_long_outage() {
    let success = r#"{"MD5OfMessageBody":"x","MD5OfMessageAttributes":"x","MessageId":"1"}"#;
    let mut statuses = vec![500; 3 * 100];
    statuses.extend([500, 503, 200]);
    let responses = statuses.into_iter().map(|status| {
        let body = if status == 200 { success } else { "{}" };
        response(status, body)
    });
    let replay = Replay::new(responses);
    let fixture = Fixture::new();
    let queue = Sqs::new(&config(&[]), &aws(replay.clone()));
    fixture.set_queue(QueueBehavior::Client(Arc::new(queue)));
    fixture.set_bucket(BucketBehavior::Rejects);
    for event in 0..=100 {
        fixture.assert_response(delivery(), 503, json!({"error": "try_again"})).await;
        assert_eq!(replay.requests().len(), 3 * (event + 1));
    }
}
