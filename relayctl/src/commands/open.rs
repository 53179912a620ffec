//! `relayctl open`: the stack's dashboard in the browser.

use crate::context::Context;
use crate::error::{Error, ExitStatus};
use serde_json::json;
use std::process::{Command, Stdio};

/// Opens a URL in the user's browser.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

const EXAMPLES: &str = "\
Examples:
  relayctl open
  relayctl open --print";

/// Open the stack's dashboard in the browser, and print its URL
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Open {
    /// Only print the URL
    #[arg(long)]
    print: bool,
}

pub async fn run(command: &Open, context: &Context) -> Result<ExitStatus, Error> {
    let (_, stack) = context.find_stack().await?;
    let url = stack.output("DashboardUrl")?;
    context.output.show_line(&json!({ "url": url }), url)?;
    if command.print {
        return Ok(ExitStatus::Success);
    }
    let mut opener = Command::new(OPENER);
    opener.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // It may run for as long as the browser does.
    if let Err(error) = opener.spawn() {
        let reason = format_args!("{OPENER} cannot be started ({error}); open the URL yourself");
        context.output.warn(reason);
    }
    Ok(ExitStatus::Success)
}
