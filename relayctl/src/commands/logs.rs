//! `relayctl logs`: the function's log as it is.

use crate::aws::log;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::Moment;
use crate::sanitize::sanitize;
use serde_json::json;
use std::cell::Cell;
use std::ops::ControlFlow;

const ABOUT: &str = "\
Prints the lines of the function and of Lambda as they are. `relayctl tail` shows them as a table of requests.

CloudWatch shows a line some seconds after it was written.";

const EXAMPLES: &str = "\
Examples:
  relayctl logs
  relayctl logs --since 10m --follow
  relayctl logs --since 1d | grep '\"level\":\"ERROR\"'";

/// Print the function's log
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Logs {
    /// Start then: a day in UTC (2026-11-23), RFC 3339, or how long ago (10m)
    #[arg(long, value_name = "TIME", default_value = "1h")]
    since: Moment,
    /// Go on with what is yet to come, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
}

pub async fn run(command: &Logs, context: &Context) -> Result<ExitStatus, Error> {
    let output = &context.output;
    let (clients, stack) = context.find_stack().await?;
    let group = stack.log_group(&clients).await?;
    let (start_ms, failure) = (command.since.unix_ms(context.now()), Cell::new(None));
    let print = |event: &log::LogEvent| {
        let text = event.text.trim_end();
        if output.is_json {
            let time = log::timestamp(event.timestamp_ms);
            output.json_line(&json!({ "timestamp": time, "message": text }))?;
        } else {
            output.line(sanitize(text))?;
        }
        Ok(ControlFlow::Continue(()))
    };
    tokio::select! {
        followed = log::follow(&clients, &group, start_ms, command.follow, print, output, &failure) => {
            followed.map(|()| ExitStatus::Success)
        }
        () = context.interrupt.pressed() => Ok(match command.follow {
            true => ExitStatus::Success,
            false => ExitStatus::Interrupted,
        }),
    }
}
