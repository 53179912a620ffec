//! `relayctl`, the operator's tool: reads the command line, runs the command, prints its account, ends with its status.

#![expect(
    unreachable_pub,
    reason = "pub says what a room offers the others; from outside, nothing of a program can be reached"
)]

mod account;
mod aws;
mod command;
mod dead_letter;
mod dead_letter_queue;
mod interrupt;
mod progress;
mod redrive;
mod replay_spill;
mod send;
mod spilled;
mod stack;
mod trouble;

use account::Account;
use aws::Clients;
use clap::Parser;
use command::{Command, CommandLine};
use interrupt::Interrupt;
use stack::Stack;
use std::io::{self, Write};
use std::process::ExitCode;
use trouble::Trouble;

#[tokio::main(flavor = "current_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
async fn main() -> ExitCode {
    // Ends with 2 where the command line is wrong.
    let line = CommandLine::parse();
    let own_s3 = std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    let mut account = Account::new(line.how().dry_run);
    let outcome = run(&line, own_s3, &mut account).await;
    let printed = print(&account, line.how().json, outcome.is_err());
    let outcome = outcome.and(printed.map_err(Trouble::NotPrinted));
    if let Err(trouble) = &outcome {
        // Where even standard error is closed, the status still says it.
        let _ = writeln!(io::stderr(), "relayctl: {}", trouble.line());
    }
    ExitCode::from(account.status(outcome.is_err()))
}

async fn run(line: &CommandLine, own_s3: bool, account: &mut Account) -> Result<(), Trouble> {
    let interrupt = Interrupt::listen();
    let clients = Clients::connect(&line.place, own_s3).await?;
    let stack = Stack::find(&clients, &line.place.stack).await?;
    match &line.command {
        Command::ReplaySpill(command) => {
            replay_spill::run(command, &clients, &stack, &interrupt, account).await
        }
        Command::Redrive(command) => {
            redrive::run(command, &clients, &stack, &interrupt, account).await
        }
    }
}

fn print(account: &Account, json: bool, is_in_trouble: bool) -> io::Result<()> {
    if is_in_trouble && account.is_empty() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    if json {
        writeln!(stdout, "{}", account.json()?)?;
    } else {
        write!(stdout, "{account}")?;
    }
    stdout.flush()
}
