//! `relayctl webhook disable`: Labelbox stops sending.

use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::labelbox::Labelbox;
use crate::prompt::{self, Answer};

const ABOUT: &str = "\
Labelbox's API cannot delete a webhook: its SDK's own delete() does just this, and the webhook stays in the list as \
INACTIVE. What happens from then on is not sent by this webhook, and is not sent later. So it asks first.";

const EXAMPLES: &str = "\
Examples:
  relayctl webhook disable cm8d4iojw07ap0y6ob7zgj685
  relayctl webhook disable cm8d4iojw07ap0y6ob7zgj685 --yes --json";

/// Switch a webhook off
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Disable {
    /// Its id, from relayctl webhook list
    id: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub async fn run(
    command: &Disable,
    labelbox: &Labelbox,
    context: &Context,
) -> Result<ExitStatus, Error> {
    let webhook = tokio::select! {
        webhook = labelbox.webhook(&command.id) => webhook?,
        () = context.interrupt.pressed() => return Ok(ExitStatus::Interrupted),
    };
    let webhook = if webhook.is_active() {
        let about = format!(
            "Labelbox will send no more {} to {} by this webhook, and will not make up for it.",
            webhook.topics.join(", "),
            webhook.url
        );
        let confirm = prompt::confirm(context, &about, "Switch it off?", command.yes);
        if let Answer::Withheld(exit_status) = confirm.await? {
            return Ok(exit_status);
        }
        labelbox.disable(&command.id).await?
    } else {
        webhook
    };
    if context.output.is_json {
        context.output.json(&webhook)?;
    } else {
        let line = format!("The webhook {} is {}.", webhook.id, webhook.status);
        context.output.line(line)?;
    }
    Ok(if webhook.is_active() { ExitStatus::Incomplete } else { ExitStatus::Success })
}
