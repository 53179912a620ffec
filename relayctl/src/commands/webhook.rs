//! `relayctl webhook`: the webhooks at Labelbox, through the calls that Labelbox's own Python SDK makes.

mod access;
mod create;
mod disable;
mod list;

use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use access::Access;
use clap::Subcommand;

const ABOUT: &str = "\
It speaks to Labelbox's GraphQL API, with the API key in LABELBOX_API_KEY or in a file (Labelbox makes one under \
Workspace settings, API). The key is never printed, and there is no option to type it into, where others could read it.";

/// Manage the webhooks at Labelbox
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT)]
pub struct Webhook {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::List),
    Create(create::Create),
    Disable(disable::Disable),
}

pub async fn run(command: &Webhook, context: &Context) -> Result<ExitStatus, Error> {
    let labelbox = match command.access.open(context).await? {
        Ok(labelbox) => labelbox,
        Err(exit_status) => return Ok(exit_status),
    };
    match &command.verb {
        Verb::List(command) => list::run(command, &labelbox, context).await,
        Verb::Create(command) => create::run(command, &labelbox, context).await,
        Verb::Disable(command) => disable::run(command, &labelbox, context).await,
    }
}
