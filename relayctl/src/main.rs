//! `relayctl`, the operator's tool: parses the command line, runs the command, and ends with its exit status.

#![expect(
    unreachable_pub,
    reason = "pub marks what a module offers; nothing of a program can be reached from outside"
)]

mod aws;
mod cli;
mod commands;
mod context;
mod error;
mod filter;
mod http;
mod interrupt;
mod labelbox;
mod output;
mod prompt;
mod relay;
mod sanitize;
mod secret;
mod summary;

use aws::Environment;
use clap::Parser;
use commands::CommandLine;
use context::Context;
use error::{INCOMPLETE, USAGE};
use etcetera::BaseStrategy;
use interrupt::Interrupt;
use labelbox::ApiKey;
use output::Output;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment and the clock"
)]
async fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return print_usage(&error),
    };
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let args = line.args.with_stack_from(variable("RELAY_STACK"));
    let context = Context {
        environment: Environment {
            ca_bundle: variable("AWS_CA_BUNDLE"),
            profile: variable("AWS_PROFILE"),
            has_access_key: variable("AWS_ACCESS_KEY_ID").is_some(),
            empty_endpoint: std::env::vars_os().find_map(|(name, value)| {
                let name = name.into_string().ok()?;
                (name.starts_with("AWS_ENDPOINT_URL") && value.is_empty()).then_some(name)
            }),
            has_s3_endpoint: variable("AWS_ENDPOINT_URL_S3").is_some(),
            state_dir: etcetera::choose_base_strategy().ok().map(|user| {
                // Windows has no folder for state.
                user.state_dir().unwrap_or_else(|| user.data_dir()).join("relayctl")
            }),
        },
        api_key: variable(ApiKey::VARIABLE).map(ApiKey::new),
        api_url: variable("LABELBOX_API_URL"),
        output: Output::new(args.json),
        interrupt: Interrupt::listen(),
        clock: SystemTime::now,
        args,
    };
    let code = match line.command.run(&context).await {
        Ok(status) => status.code(),
        Err(error) if error.is_broken_pipe() => 0,
        Err(error) => {
            // If standard error is closed too, the exit status remains.
            let _ = writeln!(io::stderr(), "relayctl: {}", error.line(&context.args));
            error.code()
        }
    };
    ExitCode::from(code)
}

/// Prints help, version or what is wrong with the arguments.
fn print_usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match printed {
        _ if error.use_stderr() => ExitCode::from(USAGE),
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(INCOMPLETE),
        _ => ExitCode::SUCCESS,
    }
}
