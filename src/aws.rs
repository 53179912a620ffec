//! The AWS clients and their common ground: TLS, connections, time limits, retries.

use crate::config::AwsSettings;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_secretsmanager as secretsmanager;
use aws_sdk_sqs as sqs;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::SdkConfig;
use aws_types::region::Region;
use sqs::config::SharedHttpClient;
use sqs::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use sqs::config::timeout::TimeoutConfig;
use std::time::Duration;

/// Together with the limits in `receive.rs` these keep the slowest answer, after a cold start, under 10 s.
const SECRETS_TIME_LIMIT: Duration = Duration::from_secs(3);
const QUEUE_TIME_LIMIT: Duration = Duration::from_millis(4500);
const ATTEMPT_TIME_LIMIT: Duration = Duration::from_secs(2);
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// A client for SQS and one for Secrets Manager, sharing their connections.
pub fn clients(settings: &AwsSettings) -> (sqs::Client, secretsmanager::Client) {
    let tls = Provider::Rustls(CryptoMode::Ring);
    clients_over(
        settings,
        aws_smithy_http_client::Builder::new()
            .tls_provider(tls)
            .build_https(),
    )
}

/// The same over any HTTP client, so that time limits and retries can be tested without a network.
pub fn clients_over(
    settings: &AwsSettings,
    http: SharedHttpClient,
) -> (sqs::Client, secretsmanager::Client) {
    let shared = SdkConfig::builder()
        .behavior_version(sqs::config::BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(settings.credentials.clone()))
        .http_client(http)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(FIRST_BACKOFF),
        )
        .build();
    let mut queue = sqs::config::Builder::from(&shared);
    queue.set_retry_partition(Some(retries()));
    queue.set_timeout_config(Some(time_limits(QUEUE_TIME_LIMIT)));
    queue.set_endpoint_url(settings.sqs_endpoint.clone());
    let mut secrets = secretsmanager::config::Builder::from(&shared);
    secrets.set_retry_partition(Some(retries()));
    secrets.set_timeout_config(Some(time_limits(SECRETS_TIME_LIMIT)));
    secrets.set_endpoint_url(settings.secrets_manager_endpoint.clone());
    (
        sqs::Client::from_conf(queue.build()),
        secretsmanager::Client::from_conf(secrets.build()),
    )
}

/// By default, an outage uses up a budget of retries, and then each hiccup is a failure until the budget has recovered.
/// Ours are bounded in number and time anyway.
fn retries() -> RetryPartition {
    RetryPartition::custom("relay")
        .token_bucket(TokenBucket::unlimited())
        .build()
}

fn time_limits(operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIME_LIMIT)
        .operation_attempt_timeout(ATTEMPT_TIME_LIMIT)
        .operation_timeout(operation)
        .build()
}
