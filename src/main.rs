//! Start-up of the Lambda function: settings, logs, clients, run. No decision is made here.

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use labelbox_relay::aws::{Connections, Internet, Services};
use labelbox_relay::bucket::S3;
use labelbox_relay::config::Config;
use labelbox_relay::http::{GatewayEvent, WebhookHandler};
use labelbox_relay::queue::Sqs;
use labelbox_relay::receive::Relay;
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
    reason = "the one place that reads the environment and the clock"
)]
async fn main() -> ExitCode {
    let config = Config::load(|name| std::env::var(name).ok());
    telemetry::init(
        config
            .as_ref()
            .map_or(tracing::Level::INFO, |config| config.log_level),
        SystemTime::now,
    );
    let outcome = match config {
        // As a task: waking one is a push to a list, while waking the main future takes a call of the kernel.
        Ok(config) => tokio::spawn(run(config, SystemTime::now))
            .await
            .unwrap_or_else(|died| Err(died.into())),
        Err(error) => Err(error.into()),
    };
    let Err(error) = outcome else {
        return ExitCode::SUCCESS;
    };
    telemetry::start_failed(error.as_ref());
    ExitCode::FAILURE
}

async fn run(config: Config, clock: fn() -> SystemTime) -> Result<(), Error> {
    let connections = Connections::new(Internet::new(&config.aws)?);
    let http = SharedHttpConnector::new(connections.clone());
    let services = Services::over(&config, &http, clock);
    let store = SecretsManager::new(services.secrets_manager.clone(), config.secret_id.clone());
    let queue = Sqs::new(services.sqs.clone(), config.queue_urls.clone());
    let bucket = S3::new(services.bucket.clone());
    let relay = Relay::new(&config, store, queue, bucket);
    let log = Log::to_standard_output(&config);
    let door = Arc::new(WebhookHandler::new(&config, relay, log, clock));
    tokio::join!(door.warm_up(), services.connect_ahead(&connections));
    let answer = move |event: LambdaEvent<GatewayEvent>| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.handle(event.payload, &event.context).await) }
    };
    Runtime::new(service_fn(answer)).run_concurrent().await
}
