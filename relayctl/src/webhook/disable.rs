//! `relayctl webhook disable`: Labelbox stops sending.

use super::labelbox::Labelbox;
use crate::asking::{self, Answer};
use crate::ending::Ending;
use crate::session::Session;
use crate::trouble::Trouble;

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
    session: &Session<'_>,
) -> Result<Ending, Trouble> {
    let webhook = tokio::select! {
        webhook = labelbox.webhook(&command.id) => webhook?,
        () = session.interrupt.pressed() => return Ok(Ending::Interrupted),
    };
    let webhook = if webhook.is_active() {
        let about = format!(
            "Labelbox will send no more {} to {} by this webhook, and will not make up for it.",
            webhook.topics.join(", "),
            webhook.url
        );
        let consent = asking::consent(session, &about, "Switch it off?", command.yes);
        if let Answer::Withheld(ending) = consent.await? {
            return Ok(ending);
        }
        labelbox.disable(&command.id).await?
    } else {
        webhook
    };
    if session.printer.is_json {
        session.printer.json(&webhook)?;
    } else {
        let line = format!("The webhook {} is {}.", webhook.id, webhook.status);
        session.printer.line(line)?;
    }
    Ok(if webhook.is_active() { Ending::Incomplete } else { Ending::Done })
}
