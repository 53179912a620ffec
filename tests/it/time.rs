//! The slowest answer comes within 10 s, whatever hangs: the real clients over a network that never answers, on a
//! clock that does not wait.

use crate::outside::{
    BODY, Mood, SECRET, Shelf, Stage, Vault, config, delivery, try_again, webhook,
};
use aws_lite::test_util::{Replay, response};
use aws_lite::{AwsConfig, AwsError, HttpClient};
use labelbox_relay::bucket::S3;
use labelbox_relay::queue::Sqs;
use labelbox_relay::secrets::SecretsManager;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

const SLOWEST: Duration = Duration::from_secs(10);

fn aws(http: impl HttpClient) -> AwsConfig {
    config(&[]).aws.for_clients(Arc::new(http), SystemTime::now)
}

fn hanging() -> AwsConfig {
    aws(|_| std::future::pending::<Result<_, AwsError>>())
}

fn hanging_queue() -> Mood {
    Mood::Real(Arc::new(Sqs::new(&config(&[]), &hanging())))
}

fn hanging_store() -> Vault {
    Vault::Real(Arc::new(SecretsManager::new(&config(&[]), &hanging())))
}

fn hanging_bucket() -> Shelf {
    Shelf::Real(Arc::new(S3::new(&config(&[]), &hanging())))
}

/// An event that needs the bucket where the inline limit is 1 KiB.
fn large() -> Value {
    webhook("labelbox", SECRET, &format!("{BODY}{}", " ".repeat(1024)))
}

/// Sends an event and gives the status in the answer, which comes in time for a sender who waits since `started`.
async fn status_in_time(stage: &Stage, event: Value, started: Instant) -> Value {
    let answer = stage.send(event).await.json();
    assert!(started.elapsed() < SLOWEST, "{:?}", started.elapsed());
    answer
        .get("status")
        .or(answer.get("error"))
        .cloned()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_hangs_leaves_time_to_spill() {
    let stage = Stage::usual();
    stage.queue_is(hanging_queue());
    let started = Instant::now();
    assert_eq!(status_in_time(&stage, delivery(), started).await, "spilled");
    assert!(
        stage
            .objects()
            .keys()
            .all(|key| key.starts_with("spill/label/"))
    );
}

#[tokio::test(start_paused = true)]
async fn queue_and_bucket_that_hang_are_given_up_in_time() {
    let stage = Stage::with(&[("INLINE_LIMIT_KIB", "1")]);
    stage.queue_is(hanging_queue());
    stage.bucket_is(hanging_bucket());
    for event in [delivery(), large()] {
        let started = Instant::now();
        assert_eq!(status_in_time(&stage, event, started).await, "try_again");
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_manager_that_hangs_is_given_up_in_time() {
    let stage = Stage::usual();
    stage.secret_is(hanging_store());
    let started = Instant::now();
    assert_eq!(
        status_in_time(&stage, delivery(), started).await,
        "try_again"
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_secret_serves_while_secrets_manager_hangs_and_there_is_time_left_to_spill() {
    let stage = Stage::usual();
    stage.warm_up().await;
    stage.seconds_pass(300);
    stage.secret_is(hanging_store());
    stage.queue_is(hanging_queue());
    let started = Instant::now();
    assert_eq!(status_in_time(&stage, delivery(), started).await, "spilled");
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_with_everything_down_is_answered_in_time() {
    let stage = Stage::usual();
    stage.queue_is(hanging_queue());
    stage.bucket_is(hanging_bucket());
    stage.secret_is(Vault::Hangs);
    let started = Instant::now();
    stage.warm_up().await;
    stage.secret_is(Vault::Slow(SECRET.to_owned(), Duration::from_secs(2)));
    assert_eq!(
        status_in_time(&stage, delivery(), started).await,
        "try_again"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_leaves_before_lambda_ends_the_invocation() {
    let stage = Stage::with(&[("INLINE_LIMIT_KIB", "1")]);
    stage.warm_up().await;
    stage.seconds_pass(300);
    stage.secret_is(hanging_store());
    stage.queue_is(hanging_queue());
    let left = Duration::from_secs(3);
    let started = Instant::now();
    let answer = stage.send_within(delivery(), left).await;
    assert_eq!(answer.json()["status"], "spilled");
    // And not at once: secret and queue have had their share of the time.
    assert!(started.elapsed() > left / 2, "{:?}", started.elapsed());
    assert!(started.elapsed() < left, "{:?}", started.elapsed());
    stage.bucket_is(hanging_bucket());
    for left in [Duration::from_millis(1), Duration::from_millis(499), left] {
        for event in [delivery(), large()] {
            let started = Instant::now();
            let answer = stage.send_within(event, left).await;
            assert_eq!((answer.status_code, answer.json()), (503, try_again()));
            assert!(started.elapsed() <= left, "{:?}", started.elapsed());
        }
    }
}

/// `cargo lambda` sends a constant deadline in 1970.
#[tokio::test]
async fn a_deadline_that_is_over_when_the_event_arrives_is_none() {
    for deadline in [0, 600_000, 1_700_000_000_000] {
        let stage = Stage::usual();
        let mut context = lambda_http::Context::default();
        context.deadline = deadline;
        let answer = stage.send_in(delivery(), context).await;
        assert_eq!(answer.json()["status"], "queued", "{deadline}");
    }
}

/// Three attempts for each event, however many events before it have used theirs up.
#[tokio::test(start_paused = true)]
async fn two_hiccups_of_the_queue_are_no_failure_even_in_a_long_outage() {
    let confirmation = r#"{"MD5OfMessageBody":"x","MD5OfMessageAttributes":"x","MessageId":"1"}"#;
    let mut answers = vec![500; 3 * 100];
    answers.extend([500, 503, 200]);
    let responses = answers.into_iter().map(|status| {
        let body = if status == 200 { confirmation } else { "{}" };
        response(status, body)
    });
    let replay = Replay::new(responses);
    let stage = Stage::usual();
    let queue = Sqs::new(&config(&[]), &aws(replay.clone()));
    stage.queue_is(Mood::Real(Arc::new(queue)));
    stage.bucket_is(Shelf::Refuses);
    for event in 0..=100 {
        stage
            .check(delivery(), 503, json!({"error": "try_again"}))
            .await;
        assert_eq!(replay.requests().len(), 3 * (event + 1));
    }
}
