//! Start-up of the Lambda function: settings, logs, clients, run. No decision is made here.

use labelbox_relay::bucket::S3;
use labelbox_relay::config::Config;
use labelbox_relay::http::{Door, GatewayEvent};
use labelbox_relay::queue::Sqs;
use labelbox_relay::receive::Relay;
use labelbox_relay::secrets::SecretsManager;
use labelbox_relay::{aws, telemetry};
use lambda_http::lambda_runtime::Runtime;
use lambda_http::{Error, LambdaEvent, service_fn};
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment and the clock"
)]
async fn main() -> ExitCode {
    let config = Config::load(|name| std::env::var(name).ok());
    telemetry::init(
        config
            .as_ref()
            .map_or(tracing::Level::INFO, |config| config.log_level),
    );
    let outcome = match config {
        Ok(config) => run(config, SystemTime::now).await,
        Err(error) => Err(error.into()),
    };
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    telemetry::start_failed(error.as_ref());
    ExitCode::FAILURE
}

async fn run(config: Config, clock: fn() -> SystemTime) -> Result<(), Error> {
    let clients = aws::clients(&config.aws);
    let store = SecretsManager::new(clients.secrets_manager, config.secret_id.clone());
    let queue = Sqs::new(clients.sqs, config.queue_urls.clone());
    let bucket = S3::new(clients.s3, config.bucket.clone());
    let relay = Relay::new(&config, store, queue, bucket);
    let door = Arc::new(Door::new(&config, relay, clock));
    door.warm_up().await;
    let answer = move |event: LambdaEvent<GatewayEvent>| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer_event(event.payload, &event.context).await) }
    };
    Runtime::new(service_fn(answer)).run_concurrent().await
}
