//! The slowest answer comes within 10 s, whatever hangs: the real clients over a network that never answers, on a
//! clock that does not wait.

use crate::outside::{Mood, SECRET, Stage, Vault, config, delivery, try_again};
use aws_sdk_sqs::config::SharedHttpClient;
use aws_smithy_http_client::test_util::{NeverClient, ReplayEvent, StaticReplayClient};
use aws_smithy_types::body::SdkBody;
use labelbox_relay::aws;
use labelbox_relay::queue::Sqs;
use labelbox_relay::secrets::SecretsManager;
use lambda_http::http::{Request, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const SLOWEST: Duration = Duration::from_secs(10);

fn hanging_queue() -> Arc<Sqs> {
    let config = config(&[]);
    let http = SharedHttpClient::new(NeverClient::new());
    Arc::new(Sqs::new(
        aws::clients_over(&config.aws, http).0,
        config.queue_urls,
    ))
}

fn hanging_store() -> Arc<SecretsManager> {
    let config = config(&[]);
    let http = SharedHttpClient::new(NeverClient::new());
    Arc::new(SecretsManager::new(
        aws::clients_over(&config.aws, http).1,
        config.secret_id,
    ))
}

/// Sends an event that cannot be made durable; the sender, who waits since `started`, is told so in time.
async fn check_in_time(stage: &Stage, started: Instant) {
    stage.check(delivery(), 503, try_again()).await;
    assert!(started.elapsed() < SLOWEST, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_hangs_is_given_up_in_time() {
    let stage = Stage::usual();
    stage.queue_is(Mood::Real(hanging_queue()));
    check_in_time(&stage, Instant::now()).await;
}

#[tokio::test(start_paused = true)]
async fn secrets_manager_that_hangs_is_given_up_in_time() {
    let stage = Stage::usual();
    stage.secret_is(Vault::Real(hanging_store()));
    check_in_time(&stage, Instant::now()).await;
}

#[tokio::test(start_paused = true)]
async fn both_hanging_with_a_stale_secret_are_given_up_in_time() {
    let stage = Stage::usual();
    stage.queue_is(Mood::Real(hanging_queue()));
    stage.warm_up().await;
    stage.seconds_pass(300);
    stage.secret_is(Vault::Real(hanging_store()));
    check_in_time(&stage, Instant::now()).await;
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_with_a_slow_secret_and_a_hanging_queue_is_answered_in_time() {
    let stage = Stage::usual();
    stage.queue_is(Mood::Real(hanging_queue()));
    stage.secret_is(Vault::Hangs);
    let started = Instant::now();
    stage.warm_up().await;
    stage.secret_is(Vault::Slow(SECRET.to_owned(), Duration::from_secs(3)));
    check_in_time(&stage, started).await;
}

/// Three attempts for each event, however many events before it have used theirs up.
#[tokio::test(start_paused = true)]
async fn two_hiccups_of_the_queue_are_no_failure_even_in_a_long_outage() {
    let confirmation = r#"{"MD5OfMessageBody":"x","MD5OfMessageAttributes":"x","MessageId":"1"}"#;
    let mut answers = vec![500; 3 * 100];
    answers.extend([500, 503, 200]);
    let exchanges = answers.into_iter().map(|status| {
        let body = if status == 200 { confirmation } else { "{}" };
        let request = Request::builder().body(SdkBody::empty()).unwrap();
        let answer = Response::builder()
            .status(status)
            .body(SdkBody::from(body))
            .unwrap();
        ReplayEvent::new(request, answer)
    });
    let replay = StaticReplayClient::new(exchanges.collect());
    let config = config(&[]);
    let (client, _) = aws::clients_over(&config.aws, SharedHttpClient::new(replay.clone()));
    let stage = Stage::usual();
    stage.queue_is(Mood::Real(Arc::new(Sqs::new(client, config.queue_urls))));
    for event in 0..=100 {
        stage.check(delivery(), 503, try_again()).await;
        assert_eq!(replay.actual_requests().count(), 3 * (event + 1));
    }
}
