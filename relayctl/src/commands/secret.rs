//! `relayctl secret`: what Labelbox signs with, edited such that no webhook in use loses its secret by accident.

mod add;
mod change;
mod new_secret;
mod remove;
mod rotate;
mod show_names;

use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use clap::Subcommand;

const ABOUT: &str = "\
The stack's secret is plain text, one secret for every route, or a JSON object from webhook name, the last part of \
the URL, to a secret or a list of secrets; training is the name of the model training's. Any secret of a list may \
match.

An edit is written only if the function would read it as it is meant, and only in the place of the value that was \
edited: of two people at once, the second is told. No command prints a secret unless it is told to with --values.";

/// Show and edit what Labelbox signs with
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT)]
pub struct Secret {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    ShowNames(show_names::ShowNames),
    Add(add::Add),
    Rotate(rotate::Rotate),
    Remove(remove::Remove),
}

pub async fn run(command: &Secret, context: &Context) -> Result<ExitStatus, Error> {
    match &command.verb {
        Verb::ShowNames(command) => show_names::run(command, context).await,
        Verb::Add(command) => add::run(command, context).await,
        Verb::Rotate(command) => rotate::run(command, context).await,
        Verb::Remove(command) => remove::run(command, context).await,
    }
}
