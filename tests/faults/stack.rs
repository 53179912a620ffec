//! The stack as the relay is told of it: queues, bucket, secret, settings.

use crate::aws::Aws;
use crate::fault::Service;
use crate::objects::Objects;
use crate::queues::Queues;
use crate::vault::Vault;
use fastrand::Rng;
use labelbox_relay::config::Config;
use std::sync::Arc;

/// What signs right events until the secret is rotated.
pub(crate) const SECRET: &str = "example_secret";
pub(crate) const BUCKET: &str = "relay-payloads";
const ENTITIES: [&str; 5] = ["label", "workflow", "review", "model_run", "unrouted"];

/// The addresses of the services in memory, under their variables.
pub(crate) const ENDPOINTS: [(&str, &str, Service); 3] = [
    ("AWS_ENDPOINT_URL_SQS", "http://sqs", Service::Sqs),
    (
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        "http://secrets",
        Service::SecretsManager,
    ),
    ("AWS_ENDPOINT_URL_S3", "http://s3", Service::S3),
];

/// An AWS with the stack in it, in which luck is what `rng` makes of it.
pub(crate) fn aws(rng: Rng, is_fifo: bool) -> Arc<Aws> {
    let queues = Queues::at(ENTITIES.map(|entity| queue_url(entity, is_fifo)));
    Arc::new(Aws::new(
        rng,
        queues,
        Objects::of_bucket(BUCKET),
        Vault::with(SECRET),
    ))
}

/// Where an entity's messages go.
pub(crate) fn queue_url(entity: &str, is_fifo: bool) -> String {
    let suffix = if is_fifo { ".fifo" } else { "" };
    format!("https://sqs.eu-west-1.amazonaws.com/123456789012/{entity}{suffix}")
}

/// The function's settings with the services in memory. Messages are limited to 1 KiB, so that large ones are small.
pub(crate) fn config(is_fifo: bool) -> Config {
    let variables = variables(is_fifo);
    let endpoints = ENDPOINTS.map(|(name, address, _)| (name, address.to_owned()));
    let all = variables.iter().chain(&endpoints);
    Config::load(|name| Some(all.clone().find(|(known, _)| *known == name)?.1.clone())).unwrap()
}

/// The function's settings without the addresses of the services.
pub(crate) fn variables(is_fifo: bool) -> [(&'static str, String); 12] {
    let url = |entity| queue_url(entity, is_fifo);
    let text = str::to_owned;
    [
        (
            "QUEUE_TYPE",
            text(if is_fifo { "fifo" } else { "standard" }),
        ),
        ("LABEL_QUEUE_URL", url("label")),
        ("WORKFLOW_QUEUE_URL", url("workflow")),
        ("REVIEW_QUEUE_URL", url("review")),
        ("MODEL_RUN_QUEUE_URL", url("model_run")),
        ("UNROUTED_QUEUE_URL", url("unrouted")),
        ("SECRET_ARN", text("relay")),
        ("PAYLOAD_BUCKET", text(BUCKET)),
        ("INLINE_LIMIT_KIB", text("1")),
        ("AWS_REGION", text("eu-west-1")),
        ("AWS_ACCESS_KEY_ID", text("test")),
        ("AWS_SECRET_ACCESS_KEY", text("test")),
    ]
}
