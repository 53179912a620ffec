//! A change of the secret: written, and then told with what to do next.

use super::edit::{Refusal, kept_names};
use super::store::{Held, Store};
use super::value::{TRAINING, Text, Value};
use crate::asking::{self, Answer};
use crate::ending::Ending;
use crate::session::Session;
use crate::trouble::Trouble;
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
    session: &Session<'_>,
    store: &Store,
    held: &Held,
    value: &Value,
    change: Change<'_>,
) -> Result<Ending, Trouble> {
    let text = value.write()?;
    if session.interrupt.is_pressed() {
        session.printer.warn("nothing was changed");
        return Ok(Ending::Interrupted);
    }
    store.replace(held, &text).await?;
    let printed = session.printer.show(&change);
    if printed.is_err() {
        session
            .printer
            .warn("the secret is changed; relayctl secret show-names says what it is now");
    }
    printed.map(|()| Ending::Done)
}

/// Asks before a plain text becomes an object: every name that is not in it is unknown to the relay from then on.
pub async fn consent_to_names(
    session: &Session<'_>,
    value: &Value,
    name: Option<&str>,
    keep: &[String],
    yes: bool,
) -> Result<Answer<()>, Trouble> {
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
    asking::consent(session, &about, "Make it an object of just these names?", yes).await
}

/// A call of this tool for the same stack.
pub fn call(session: &Session<'_>, words: &str) -> String {
    let place = session.place;
    let mut call = format!("relayctl {words}");
    for (option, value) in [
        ("--stack", Some(&place.stack).filter(|name| *name != "labelbox-relay")),
        ("--profile", place.profile.as_ref()),
        ("--region", place.region.as_ref()),
    ] {
        if let Some(value) = value {
            call.push_str(&format!(" {option} {value}"));
        }
    }
    call
}

/// How to give Labelbox the newest secret of a name.
pub fn hand_over(session: &Session<'_>, name: &str, again: bool) -> String {
    if name == TRAINING {
        return format!(
            "give the new secret to Labelbox, in the settings of its model training; {} shows it",
            call(session, "secret show-names --values")
        );
    }
    let again = if again { " --again" } else { "" };
    format!(
        "{}, with the scope and the topics that it should have",
        call(session, &format!("webhook create --name {name}{again} --global --all-topics"))
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
