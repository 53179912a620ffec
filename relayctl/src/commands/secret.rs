//! `relayctl secret`: shows and edits what Labelbox signs with.

mod new_secret;

use crate::aws::Clients;
use crate::aws::secret_store::{SecretVersion, Store};
use crate::aws::stack::Stack;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::prompt;
use crate::sanitize::sanitize;
use crate::secret::{self, Fault, Text, Value, is_usable};
use crate::summary::counted;
use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use serde_json::json;
use std::{fmt, slice};

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
    ShowNames(ShowNames),
    Add(new_secret::Add),
    Rotate(new_secret::Rotate),
    Remove(Remove),
}

pub async fn run(command: &Secret, context: &Context) -> Result<ExitStatus, Error> {
    match &command.verb {
        Verb::ShowNames(command) => show_names(command, context).await,
        Verb::Add(command) => new_secret::add(command, context).await,
        Verb::Rotate(command) => new_secret::rotate(command, context).await,
        Verb::Remove(command) => remove_secrets(command, context).await,
    }
}

const SHOW_EXAMPLES: &str = "\
Examples:
  relayctl secret show-names
  relayctl secret show-names --values
  relayctl secret show-names --json | jq -r '.names[].name'";

/// Show the names that have secrets, and no secret
#[derive(Debug, clap::Args)]
#[command(after_help = SHOW_EXAMPLES)]
struct ShowNames {
    /// Print the secrets themselves, too
    #[arg(long)]
    values: bool,
}

async fn show_names(command: &ShowNames, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack().await?;
    let value = Store::of(clients.secrets_manager, &stack)?.read().await?.value?;
    let row = |name, texts| Row::of(name, texts, command.values);
    let (form, rows) = match &value {
        Value::Plain(text) => ("plain_text", vec![row(None, slice::from_ref(text))]),
        Value::Named(names) => {
            ("object", names.iter().map(|(name, it)| row(Some(name), it.texts())).collect())
        }
    };
    if context.output.is_json {
        context.output.json(&json!({ "form": form, "names": rows }))?;
    } else if rows.is_empty() {
        context.output.line("The secret has no names: every event is refused.")?;
    } else {
        context.output.line(table(&rows).trim_fmt())?;
    }
    Ok(ExitStatus::Success)
}

#[derive(Serialize)]
struct Row<'v> {
    /// `None` if one secret is for every name.
    name: Option<&'v str>,
    secrets: usize,
    usable: usize,
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<&'v [Text]>,
}

impl<'v> Row<'v> {
    fn of(name: Option<&'v str>, texts: &'v [Text], with_values: bool) -> Self {
        Self {
            name,
            secrets: texts.len(),
            usable: texts.iter().filter(|text| is_usable(text)).count(),
            problem: Fault::find(name, texts).map(|fault| fault.message),
            values: with_values.then_some(texts),
        }
    }
}

fn table(rows: &[Row<'_>]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["NAME", "SECRETS", "PROBLEM", ""]);
    for Row { name, secrets, problem, values, .. } in rows {
        let values: Vec<_> = values.iter().copied().flatten().map(|it| sanitize(it)).collect();
        table.add_row([
            &sanitize(name.unwrap_or("every name (plain text)")),
            &secrets.to_string(),
            problem.as_deref().unwrap_or("-"),
            &values.join("\n"),
        ]);
    }
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table
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

const REMOVE_ABOUT: &str = "\
What Labelbox still signs with a removed secret is refused, and Labelbox may never send it again. So disable the \
webhook that uses it first. It asks first, and removes the last usable secret of the stack only with --yes.";

const REMOVE_EXAMPLES: &str = "\
Examples:
  relayctl secret remove labelbox --old
  relayctl secret remove project-x
  relayctl secret remove project-x --yes --json";

/// Remove a name, or all its secrets but the newest
#[derive(Debug, clap::Args)]
#[command(long_about = REMOVE_ABOUT, after_help = REMOVE_EXAMPLES)]
struct Remove {
    /// The webhook's name, or training
    name: String,
    /// Keep the name and its newest secret
    #[arg(long)]
    old: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

async fn remove_secrets(command: &Remove, context: &Context) -> Result<ExitStatus, Error> {
    let (session, before) = Session::open(context).await?;
    let (before, name) = (before?, command.name.as_str());
    let had_usable = before.has_usable();
    let (value, count) = secret::remove(before, name, command.old)?;
    let ttl = session.store.ttl.as_str();
    let change = |done, next| Change { done, in_effect_within: ttl, next, value: None };
    if command.old && count == 0 {
        context.output.show(&change(format!("{name} has no old secret."), Vec::new()))?;
        return Ok(ExitStatus::Success);
    }
    if had_usable && !value.has_usable() && !command.yes {
        return Err(Error::Usage(format!(
            "{name} has the last secret of the stack, without which every event is refused; --yes removes it all the same"
        )));
    }
    let (about, done) = if command.old {
        let secrets = format!("{} of {name}", counted(count as u64, "old secret"));
        let about = format!(
            "{secrets} will be removed. What Labelbox still signs with that is refused then: is the webhook that uses it \
             disabled?"
        );
        (about, format!("Removed {secrets}; the newest stays."))
    } else {
        let about = format!(
            "{name} will be removed with all its secrets. What Labelbox sends to it is refused with 404 then: is its \
             webhook disabled? The names that stay: {}.",
            value.list()
        );
        (about, format!("Removed {name}."))
    };
    prompt::confirm(context, &about, "Remove it?", command.yes).await?;
    let next = vec![
        format!("the relay forgets what was removed within {ttl}"),
        "until the next change, Secrets Manager keeps the previous value as the version AWSPREVIOUS".to_owned(),
    ];
    session.write(&value, change(done, next)).await
}

#[cfg(test)]
mod tests;
