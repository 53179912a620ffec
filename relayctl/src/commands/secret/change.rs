//! A change of the secret: written, and then told with what to do next.

use crate::aws::secret_store::{SecretVersion, Store};
use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::prompt::{self, Answer};
use crate::secret::edit::{Refusal, kept_names};
use crate::secret::value::{TRAINING, Text, Value};
use serde::Serialize;
use std::fmt;

/// What is told about a change.
#[derive(Serialize)]
pub struct Change<'c> {
    pub done: String,
    /// By when every instance of the function goes by it.
    pub in_effect_within: &'c str,
    pub next: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<&'c str>,
}

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.done)?;
        for (number, step) in self.next.iter().enumerate() {
            writeln!(f, "  {}. {step}", number + 1)?;
        }
        match self.value {
            Some(value) => writeln!(f, "{value}"),
            None => Ok(()),
        }
    }
}

/// Writes the edited value in the place of the one that was held, and prints the change.
pub async fn make(
    context: &Context,
    store: &Store,
    current: &SecretVersion,
    value: &Value,
    change: Change<'_>,
) -> Result<ExitStatus, Error> {
    let text = value.write()?;
    if context.interrupt.is_pressed() {
        context.output.warn("nothing was changed");
        return Ok(ExitStatus::Interrupted);
    }
    store.replace(current, &text).await?;
    let printed = context.output.show(&change);
    if printed.is_err() {
        context
            .output
            .warn("the secret is changed; relayctl secret show-names says what it is now");
    }
    printed.map(|()| ExitStatus::Success)
}

/// Asks before a plain text becomes an object: every name that is not in it is unknown to the relay from then on.
pub async fn consent_to_names(
    context: &Context,
    value: &Value,
    name: Option<&str>,
    keep: &[String],
    yes: bool,
) -> Result<Answer<()>, Error> {
    if let Value::Named(_) = value {
        return Ok(Answer::Given(()));
    }
    if yes && keep.is_empty() {
        return Err(Refusal::KeepWhat.into());
    }
    let mut names = kept_names(keep);
    names.extend(name.filter(|name| !kept_names(keep).contains(name)));
    let about = format!(
        "The secret is plain text, which every webhook name shares. It becomes an object of names, and these keep \
         today's secret: {}. Events for any other name will be refused with 404: name all that are in use with --keep.",
        names.join(", ")
    );
    prompt::confirm(context, &about, "Make it an object of just these names?", yes).await
}

/// How to give Labelbox the newest secret of a name.
pub fn hand_over(context: &Context, name: &str, again: bool) -> String {
    if name == TRAINING {
        return format!(
            "give the new secret to Labelbox, in the settings of its model training; {} shows it",
            context.args.relayctl("secret show-names --values")
        );
    }
    let again = if again { " --again" } else { "" };
    format!(
        "{}, with the scope and the topics that it should have",
        context
            .args
            .relayctl(&format!("webhook create --name {name}{again} --global --all-topics"))
    )
}

/// How long to wait for a new secret.
pub fn wait_for_new(store: &Store) -> String {
    format!(
        "the relay fetches the secret when something is signed with the new one, but looks at most once in 30 s: to be \
         sure, wait {}",
        store.ttl
    )
}

/// The value, if it is to be printed.
pub fn shown(text: &Text, values: bool) -> Option<&str> {
    values.then_some(text.as_str())
}
