//! The Lambda function: loads the settings, creates the clients, and runs the handler.

use aws_lite::{ConnectionPool, TlsConnector};
use labelbox_relay::bucket::S3;
use labelbox_relay::config::Config;
use labelbox_relay::http::{GatewayEvent, WebhookHandler};
use labelbox_relay::queue::Sqs;
use labelbox_relay::secrets::SecretsManager;
use labelbox_relay::telemetry::{self, Log};
use lambda_http::lambda_runtime::Runtime;
use lambda_http::{Error, LambdaEvent, service_fn};
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "only the program reads the environment and the clock"
)]
async fn main() -> ExitCode {
    let config = Config::load(|name| std::env::var(name).ok());
    telemetry::init(
        config.as_ref().map_or(tracing::Level::INFO, |config| config.log_level),
        SystemTime::now,
    );
    let outcome = match config {
        // A task, because waking one is cheaper than waking the main future, which takes a system call.
        Ok(config) => tokio::spawn(run(config, SystemTime::now))
            .await
            .unwrap_or_else(|panicked| Err(panicked.into())),
        Err(error) => Err(error.into()),
    };
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    telemetry::start_failed(error.as_ref());
    ExitCode::FAILURE
}

async fn run(config: Config, clock: fn() -> SystemTime) -> Result<(), Error> {
    let pool = Arc::new(ConnectionPool::new(TlsConnector::new(
        config.aws.ca_bundle.as_deref(),
        &config.aws.region,
        config.aws.has_custom_endpoint(),
    )?));
    let aws = config.aws.for_clients(pool.clone(), clock);
    let store = SecretsManager::new(&config, &aws);
    let queue = Sqs::new(&config, &aws);
    let bucket = S3::new(&config, &aws);
    let queue_endpoint = queue.endpoint().to_owned();
    let archive_endpoint = config.archives_events.then(|| bucket.endpoint().to_owned());
    let log = Log::to_standard_output(&config);
    let handler = Arc::new(WebhookHandler::new(&config, store, queue, bucket, log, clock));
    // If connecting fails, the first event connects again.
    let preconnect_archive = async {
        match &archive_endpoint {
            Some(endpoint) => pool.preconnect(endpoint).await,
            None => Ok(()),
        }
    };
    let _ = tokio::join!(handler.warm_up(), pool.preconnect(&queue_endpoint), preconnect_archive);
    let handle = move |event: LambdaEvent<GatewayEvent>| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.handle(event.payload, &event.context).await) }
    };
    Runtime::new(service_fn(handle)).run_concurrent().await
}
