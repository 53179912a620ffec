//! Consumes one queue. Put your code into `on_newest`.
//!
//! As a program: `cargo run --example consumer -- QUEUE_URL TABLE [--until-empty]`. As a Lambda function: the
//! environment variable `TABLE` names the table.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command-line program"
)]

mod labelbox_queue;

use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use labelbox_queue::{Batch, Consumer, Error, Event};
use lambda_runtime::{LambdaEvent, service_fn};
use std::env;
use std::process::ExitCode;

/// Must be idempotent, because it may be called twice for the same event. If it fails, the event is retried.
async fn on_newest(event: &Event, body: &[u8]) -> Result<(), Error> {
    let topic = event.attributes.get("event").map_or("-", String::as_str);
    let (id, version, bytes) = (&event.id, &event.version, body.len());
    println!("{id} {topic} {version}: {bytes} bytes");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls);
    let aws = aws_config::from_env().http_client(http.build_https());
    let aws = aws.load().await;
    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        let consumer = &Consumer::new(on_newest, &env::var("TABLE")?, &aws);
        let handler =
            async |event: LambdaEvent<Batch>| Ok::<_, Error>(consumer.handle(event.payload).await);
        lambda_runtime::run(service_fn(handler)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (queue_url, table, until_empty) = match arguments.as_slice() {
        [queue_url, table] => (queue_url, table, false),
        [queue_url, table, option] if option == "--until-empty" => (queue_url, table, true),
        _ => return Err("usage: consumer QUEUE_URL TABLE [--until-empty]".into()),
    };
    let consumer = Consumer::new(on_newest, table, &aws);
    let all_done = consumer.poll(queue_url, until_empty).await?;
    Ok(ExitCode::from(u8::from(!all_done)))
}
