//! The relay's configuration, and the queues, bucket and secret that it names.

use crate::aws::FakeAws;
use crate::fault::Service;
use crate::s3::FakeS3;
use crate::secrets_manager::FakeSecretsManager;
use crate::sqs::FakeSqs;
use fastrand::Rng;
use labelbox_relay::config::Config;
use std::sync::Arc;

/// The secret before any rotation.
pub(crate) const SECRET: &str = "example_secret";
pub(crate) const BUCKET: &str = "relay-payloads";
const ENTITIES: [&str; 5] = ["label", "workflow", "review", "model_run", "unrouted"];

/// The environment variable and the in-memory endpoint of each service.
pub(crate) const ENDPOINTS: [(&str, &str, Service); 3] = [
    ("AWS_ENDPOINT_URL_SQS", "http://sqs", Service::Sqs),
    ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://secrets", Service::SecretsManager),
    ("AWS_ENDPOINT_URL_S3", "http://s3", Service::S3),
];

/// A fake AWS with the relay's resources. `rng` decides about faults.
pub(crate) fn fake_aws(rng: Rng, is_fifo: bool) -> Arc<FakeAws> {
    let sqs = FakeSqs::new(ENTITIES.map(|entity| queue_url(entity, is_fifo)));
    Arc::new(FakeAws::new(rng, sqs, FakeS3::new(BUCKET), FakeSecretsManager::new(SECRET)))
}

/// The queue of an entity.
pub(crate) fn queue_url(entity: &str, is_fifo: bool) -> String {
    let suffix = if is_fifo { ".fifo" } else { "" };
    format!("https://sqs.eu-west-1.amazonaws.com/123456789012/{entity}{suffix}")
}

/// The configuration with in-memory endpoints.
pub(crate) fn config(is_fifo: bool, archives_events: bool) -> Config {
    let variables = environment(is_fifo, archives_events);
    let endpoints = ENDPOINTS.map(|(name, url, _)| (name, url.to_owned()));
    let all = variables.iter().chain(&endpoints);
    Config::load(|name| Some(all.clone().find(|(known, _)| *known == name)?.1.clone())).unwrap()
}

/// The environment variables without the endpoints. The inline limit is 1 KiB, so that small bodies can exceed it.
pub(crate) fn environment(is_fifo: bool, archives_events: bool) -> [(&'static str, String); 13] {
    let url = |entity| queue_url(entity, is_fifo);
    let queue_type = if is_fifo { "fifo" } else { "standard" };
    let archive_days = if archives_events { "30" } else { "0" };
    [
        ("QUEUE_TYPE", queue_type.to_owned()),
        ("LABEL_QUEUE_URL", url("label")),
        ("WORKFLOW_QUEUE_URL", url("workflow")),
        ("REVIEW_QUEUE_URL", url("review")),
        ("MODEL_RUN_QUEUE_URL", url("model_run")),
        ("UNROUTED_QUEUE_URL", url("unrouted")),
        ("SECRET_ARN", "relay".to_owned()),
        ("PAYLOAD_BUCKET", BUCKET.to_owned()),
        ("INLINE_LIMIT_KIB", "1".to_owned()),
        ("ARCHIVE_DAYS", archive_days.to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ]
}
