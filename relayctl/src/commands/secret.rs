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
use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
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
    let current = Store::of(clients.secrets_manager, &stack)?.read().await?;
    context.output.show(&Names::of(&current.value?, command.values))?;
    Ok(ExitStatus::Success)
}

#[derive(Serialize)]
struct Names<'v> {
    form: &'static str,
    names: Vec<Row<'v>>,
}

#[derive(Serialize)]
struct Row<'v> {
    /// `None` if one secret is for every name.
    name: Option<&'v str>,
    secrets: usize,
    usable: usize,
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<&'v str>>,
}

impl<'v> Names<'v> {
    fn of(value: &'v Value, with_values: bool) -> Self {
        let row = |name, texts: &'v [Text]| Row {
            name,
            secrets: texts.len(),
            usable: texts.iter().filter(|text| is_usable(text)).count(),
            problem: Fault::find(name, texts).map(|fault| fault.message),
            values: with_values.then(|| texts.iter().map(|text| text.as_str()).collect()),
        };
        let rows = value.entries().map(|(name, entry)| row(Some(name), entry.texts()));
        match value {
            Value::Plain(text) => {
                Self { form: "plain_text", names: vec![row(None, std::slice::from_ref(text))] }
            }
            Value::Named(_) => Self { form: "object", names: rows.collect() },
        }
    }
}

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            return writeln!(f, "The secret has no names: every event is refused.");
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["NAME", "SECRETS", "PROBLEM", ""]);
        for Row { name, secrets, problem, values, .. } in &self.names {
            let values = values.as_ref().map(|values| values.join("\n")).unwrap_or_default();
            table.add_row([
                &sanitize(name.unwrap_or("every name (plain text)")),
                &secrets.to_string(),
                problem.as_deref().unwrap_or("-"),
                &sanitize(&values),
            ]);
        }
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        writeln!(f, "{}", table.trim_fmt())
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
        let secrets = if count == 1 { "secret" } else { "secrets" };
        let about = format!(
            "{count} old {secrets} of {name} will be removed. What Labelbox still signs with that is refused then: is the \
             webhook that uses it disabled?"
        );
        (about, format!("Removed {count} old {secrets} of {name}; the newest stays."))
    } else {
        let others: Vec<_> = value.entries().map(|(name, _)| name).collect();
        let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        let about = format!(
            "{name} will be removed with all its secrets. What Labelbox sends to it is refused with 404 then: is its \
             webhook disabled? The names that stay: {others}."
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
