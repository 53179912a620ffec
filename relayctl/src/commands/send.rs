//! `relayctl send`: payload files to the relay, signed as Labelbox would.

use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::relay::client::{DeliveryResult, Sender};
use crate::relay::event_file::Address;
use crate::relay::summary::DeliverySummary;
use crate::sanitize::one_line;
use clap::ValueHint;
use serde::Serialize;
use std::path::PathBuf;

const ABOUT: &str = "\
A file is a body, sent byte for byte, or a gateway's event such as those of the project's events/: then its body, topic, delivery id \
and route are taken from it. It is signed with the stack's secret.

A file that cannot be sent is named, and the others are sent. API Gateway does not accept a file over 10 MB, nor Lambda an event over \
6 MB. Each is posted once and never again. Of what is sent again within five minutes, a FIFO queue accepts each state of a label \
once, and any other event once for each delivery id; the relay answers 200 every time.";

const EXAMPLES: &str = "\
Examples:
  relayctl send events/label-created-v1.json events/workflow-move-v2.json
  relayctl send --topic LABEL_UPDATED label.json
  relayctl send --training --json - < run.json";

/// Send payload files to the relay, signed with the stack's secret
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Send {
    /// Files to send; - is standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    address: Address,
}

/// What became of a file.
#[derive(Serialize)]
struct FileResult {
    file: String,
    #[serde(flatten)]
    result: Option<DeliveryResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Sends the files, one after the other.
pub async fn run(command: &Send, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack_to_change().await?;
    let sender = Sender::find(&clients, &stack, context.clock).await?;
    let (output, args) = (&context.output, &context.args);
    let mut summary = DeliverySummary::default();
    for file in &command.files {
        if context.interrupt.is_pressed() {
            break;
        }
        let name = file.display().to_string();
        let result = match command.address.read(file, output) {
            Ok(delivery) => sender.deliver(&delivery).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(result) => {
                summary.add(&result.response, args);
                let line = format!("{}  {}", one_line(&name), result.line(args));
                let result = FileResult { file: name, result: Some(result), error: None };
                output.show_line(&result, line)?;
            }
            Err(error) => {
                summary.not_sent += 1;
                let line = Some(error.line(args));
                if output.is_json {
                    output.json(&FileResult { file: name, result: None, error: line })?;
                }
                // As of other commands, if there is nothing that it could do.
                if summary.not_sent == command.files.len() as u64 {
                    return Err(error);
                }
                output.warn(error.line(args));
            }
        }
    }
    summary.close(command.files.len() > 1 && !output.is_json, context)
}
