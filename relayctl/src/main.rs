//! `relayctl`, the operator's tool: reads the command line, runs the command, prints its account, ends with its status.

#![expect(
    unreachable_pub,
    reason = "pub says what a room offers the others; from outside, nothing of a program can be reached"
)]

mod account;
mod asking;
mod aws;
mod care;
mod command;
mod completions;
mod count;
mod dead_letter;
mod dead_letter_queue;
mod deliveries;
mod doctor;
mod ending;
mod filter;
mod follow;
mod http;
mod interrupt;
mod letter;
mod live_queue;
mod message_view;
mod payload;
mod payload_file;
mod peek;
mod printer;
mod progress;
mod queue_choice;
mod received;
mod redrive;
mod replay_spill;
mod sample;
mod secret;
mod send;
mod session;
mod shown;
mod sign;
mod signed;
mod spilled;
mod stack;
mod tail;
mod trigger;
mod trouble;
mod webhook;

use clap::Parser;
use command::CommandLine;
use ending::Ending;
use interrupt::Interrupt;
use printer::Printer;
use session::Session;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;
use webhook::ApiKey;

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment and the clock"
)]
async fn main() -> ExitCode {
    // Ends with 2 where the command line is wrong.
    let line = CommandLine::parse();
    let session = Session {
        place: &line.place,
        own_s3: std::env::var_os("AWS_ENDPOINT_URL_S3").is_some(),
        api_key: std::env::var(ApiKey::VARIABLE).ok().map(ApiKey::new),
        printer: Printer { is_json: line.json },
        interrupt: Interrupt::listen(),
        clock: SystemTime::now,
    };
    let status = match line.command.run(&session).await {
        Ok(ending) => ending.status(),
        Err(trouble) if trouble.is_unread() => Ending::Done.status(),
        Err(trouble) => {
            // Where even standard error is closed, the status still says it.
            let _ = writeln!(io::stderr(), "relayctl: {}", trouble.line());
            trouble.status()
        }
    };
    ExitCode::from(status)
}
