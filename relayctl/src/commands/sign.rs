//! `relayctl sign`: the headers that make a file a request as Labelbox sends it.

use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::relay::client::{Sender, headers};
use crate::relay::event_file::Address;
use clap::ValueHint;
use serde_json::{Map, Value};
use std::path::PathBuf;

const ABOUT: &str = "\
Nothing is sent. The signature is that of the file's bytes, including the last newline. Whoever has the headers can send \
these bytes, again and again, for as long as the relay has the secret.";

const EXAMPLES: &str = "\
Examples:
  relayctl sign events/label-created-v1.json
  relayctl sign --topic LABEL_CREATED --json label.json
  relayctl sign --topic LABEL_CREATED label.json > headers.txt";

/// Print the headers that sign a file with the stack's secret
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Sign {
    /// The file; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    address: Address,
}

/// Prints the headers as `curl -H @headers.txt` reads them.
pub async fn run(command: &Sign, context: &Context) -> Result<ExitStatus, Error> {
    let delivery = command.address.read(&command.file, &context.output)?;
    let (clients, stack) = context.find_stack().await?;
    let sender = Sender::find(&clients, &stack, context.clock).await?;
    let headers = headers(&delivery, &sender.secret(&delivery.route)?);
    if context.output.is_json {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
        context.output.json_line(&headers.collect::<Map<String, Value>>())?;
    } else {
        for (name, value) in headers {
            context.output.line(format_args!("{name}: {value}"))?;
        }
    }
    Ok(ExitStatus::Success)
}
