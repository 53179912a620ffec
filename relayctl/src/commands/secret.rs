//! `relayctl secret`: shows and edits what Labelbox signs with.

mod new_secret;
mod remove;
mod show_names;

use crate::aws::Clients;
use crate::aws::secret_store::{SecretVersion, Store};
use crate::aws::stack::Stack;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::sanitize::sanitize;
use crate::secret::Value;
use clap::Subcommand;
use serde::Serialize;
use std::fmt;

const ABOUT: &str = "\
The stack's secret is plain text, one secret for every route, or a JSON object from webhook name, the last part of \
the URL, to a secret or a list of secrets; the name training is for model training. Any secret of a list may match.

An edit is written only if the function would read it as it is meant, and nobody else has changed the secret \
meanwhile. No command prints a secret without --values.";

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
    Add(new_secret::Add),
    Rotate(new_secret::Rotate),
    Remove(remove::Remove),
}

pub async fn run(command: &Secret, context: &Context) -> Result<ExitStatus, Error> {
    match &command.verb {
        Verb::ShowNames(command) => show_names::run(command, context).await,
        Verb::Add(command) => new_secret::add(command, context).await,
        Verb::Rotate(command) => new_secret::rotate(command, context).await,
        Verb::Remove(command) => remove::run(command, context).await,
    }
}

/// The secret that is edited.
struct Session<'c> {
    context: &'c Context,
    clients: Clients,
    stack: Stack,
    store: Store,
    /// The version that was read.
    version: String,
}

impl<'c> Session<'c> {
    /// Reads the secret. Its value is an error if the function could not use it.
    async fn open(context: &'c Context) -> Result<(Self, Result<Value, Error>), Error> {
        let opened = async {
            let (clients, stack) = context.find_stack_to_change().await?;
            let store = Store::of(clients.secrets_manager.clone(), &stack)?;
            let SecretVersion { value, id: version } = store.read().await?;
            Ok::<_, Error>((Self { context, clients, stack, store, version }, value))
        };
        context.interrupt.cancels(opened).await
    }

    /// Replaces the secret, and prints what was done and what to do next.
    async fn write(&self, value: &Value, change: Change<'_>) -> Result<ExitStatus, Error> {
        let text = value.write()?;
        if self.context.interrupt.is_pressed() {
            return Err(Error::Cancelled(ExitStatus::Interrupted));
        }
        self.store.replace(&self.version, &text).await?;
        let printed = self.context.output.show(&change);
        if printed.is_err() {
            let show = self.context.args.relayctl("secret show-names");
            self.context.output.warn(format!("the secret is changed; {show} shows its names"));
        }
        printed.map(|()| ExitStatus::Success)
    }
}

/// What is printed about a change.
#[derive(Serialize)]
struct Change<'c> {
    done: String,
    /// After how long every instance of the function uses it.
    in_effect_within: &'c str,
    next: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'c str>,
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", sanitize(&self.done))?;
        for (number, step) in self.next.iter().enumerate() {
            writeln!(f, "  {}. {}", number + 1, sanitize(step))?;
        }
        self.value.map_or(Ok(()), |value| writeln!(f, "{value}"))
    }
}
