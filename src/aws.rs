//! The AWS clients and their common ground: TLS, connections, time limits, retries.

use crate::config::AwsSettings;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3 as s3;
use aws_sdk_secretsmanager as secretsmanager;
use aws_sdk_sqs as sqs;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::SdkConfig;
use aws_types::region::Region;
use sqs::config::SharedHttpClient;
use sqs::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use sqs::config::timeout::TimeoutConfig;
use std::time::Duration;

/// The limits of one attempt; `schedule.rs` has those of a whole step. Attempts that hang must leave time for another.
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(1);
const ATTEMPT_TIME_LIMIT: Duration = Duration::from_millis(1600);
const ATTEMPTS: u32 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// A client for each service that the function uses.
pub struct Clients {
    /// For the queues.
    pub sqs: sqs::Client,
    /// For the secret.
    pub secrets_manager: secretsmanager::Client,
    /// For the bucket.
    pub s3: s3::Client,
}

/// The clients, sharing their connections.
pub fn clients(settings: &AwsSettings) -> Clients {
    clients_over(settings, http_client())
}

/// HTTPS, with ring for TLS and the machine's root certificates.
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// The clients over any HTTP client, so that time limits and retries can be tested without a network.
pub fn clients_over(settings: &AwsSettings, http: SharedHttpClient) -> Clients {
    let shared = SdkConfig::builder()
        .behavior_version(sqs::config::BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(settings.credentials.clone()))
        .http_client(http)
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIME_LIMIT)
                .operation_attempt_timeout(ATTEMPT_TIME_LIMIT)
                .build(),
        )
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(FIRST_BACKOFF),
        )
        .build();
    let mut queue = sqs::config::Builder::from(&shared);
    queue.set_retry_partition(Some(retries()));
    queue.set_endpoint_url(settings.sqs_endpoint.clone());
    let mut secrets = secretsmanager::config::Builder::from(&shared);
    secrets.set_retry_partition(Some(retries()));
    secrets.set_endpoint_url(settings.secrets_manager_endpoint.clone());
    let mut bucket = s3::config::Builder::from(&shared);
    bucket.set_retry_partition(Some(retries()));
    bucket.set_endpoint_url(settings.s3_endpoint.clone());
    // An address of one's own has no host name for each bucket.
    bucket.set_force_path_style(Some(settings.s3_endpoint.is_some()));
    Clients {
        sqs: sqs::Client::from_conf(queue.build()),
        secrets_manager: secretsmanager::Client::from_conf(secrets.build()),
        s3: s3::Client::from_conf(bucket.build()),
    }
}

/// By default, an outage uses up a budget of retries, and then each hiccup is a failure until the budget has recovered.
/// Ours are bounded in number and time anyway.
fn retries() -> RetryPartition {
    RetryPartition::custom("relay")
        .token_bucket(TokenBucket::unlimited())
        .build()
}
