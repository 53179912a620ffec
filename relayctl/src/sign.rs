//! `relayctl sign`: the headers with which a file is a request of Labelbox's.

use crate::ending::Ending;
use crate::payload_file;
use crate::send::Address;
use crate::session::Session;
use crate::signed::{Sender, headers};
use crate::trouble::Trouble;
use std::path::PathBuf;

const ABOUT: &str = "\
Nothing is sent. What is signed are the bytes of the file, to the last newline. Whoever has the headers can send just \
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
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    address: Address,
}

/// Prints the headers as `curl -H @headers.txt` reads them.
pub async fn run(command: &Sign, session: &Session<'_>) -> Result<Ending, Trouble> {
    let delivery = command.address.deliver(payload_file::read(&command.file)?);
    let (clients, stack) = session.find_stack().await?;
    let sender = Sender::find(&clients, &stack, session.clock).await?;
    let headers = headers(&delivery, &sender.secret(&delivery.route)?);
    if session.printer.is_json {
        let headers: serde_json::Map<_, _> =
            headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        session.printer.json(&headers)?;
    } else {
        for (name, value) in headers {
            session.printer.line(format_args!("{name}: {value}"))?;
        }
    }
    Ok(Ending::Done)
}
