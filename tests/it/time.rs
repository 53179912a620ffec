//! The slowest answer comes within 10 s, whatever hangs: the real clients over a network that never answers, on a
//! clock that does not wait.

use crate::outside::{Mood, Stage, Vault, config, delivery, try_again};
use aws_sdk_sqs::config::SharedHttpClient;
use aws_smithy_http_client::test_util::NeverClient;
use labelbox_relay::aws;
use labelbox_relay::queue::Sqs;
use labelbox_relay::secrets::SecretsManager;
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

#[tokio::test(start_paused = true)]
async fn a_queue_that_hangs_is_given_up_in_time() {
    let stage = Stage::usual();
    stage.queue_is(Mood::TimesOut(hanging_queue()));
    let started = Instant::now();
    stage.check(delivery(), 503, try_again()).await;
    assert!(started.elapsed() < SLOWEST, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn secrets_manager_that_hangs_is_given_up_in_time() {
    let stage = Stage::usual();
    stage.secret_is(Vault::TimesOut(hanging_store()));
    let started = Instant::now();
    stage.check(delivery(), 503, try_again()).await;
    assert!(started.elapsed() < SLOWEST, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn both_hanging_with_a_stale_secret_are_given_up_in_time() {
    let stage = Stage::usual();
    stage.queue_is(Mood::TimesOut(hanging_queue()));
    stage.warm_up().await;
    stage.seconds_pass(300);
    stage.secret_is(Vault::TimesOut(hanging_store()));
    let started = Instant::now();
    stage.check(delivery(), 503, try_again()).await;
    assert!(started.elapsed() < SLOWEST, "{:?}", started.elapsed());
}
