//! The edits of the stack's secret: pure, and such that what signs today goes on being accepted unless it is removed by name.

use super::value::{Entry, TRAINING, Text, Value, bare, is_usable};
use crate::error::Error;
use labelbox_relay::http::Route;
use std::mem;

/// The name in the stack's own output `WebhookUrl`.
pub const DEFAULT_NAME: &str = "labelbox";

/// Why a value was not edited, and what to do. All of it is for the caller to say otherwise.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    #[error(
        "{0} cannot be the name of a webhook: that is 1 to 64 of a to z, 0 to 9 and -, and neither training nor \
         backfill"
    )]
    NoName(String),
    #[error("{0} has a secret; put a new one beside it with relayctl secret rotate {0}")]
    Known(String),
    #[error("the secret has no name {name}, but {known}; add it with relayctl secret add {name}")]
    Unknown { name: String, known: String },
    #[error("say which name: the secret has {0}")]
    NotNamed(String),
    #[error(
        "the secret is plain text, which every webhook name shares; there is no name to remove from it"
    )]
    Plain,
    #[error("--keep is for a secret that is plain text; this one has its names: {0}")]
    NothingToKeep(String),
    #[error(
        "the secret is plain text, which every webhook name shares; name with --keep those in use that have to keep it \
         (labelbox and training always do), or run it on a terminal, where it asks"
    )]
    KeepWhat,
    #[error("{0} has this secret; nothing was changed")]
    Same(String),
    #[error("{0} has no usable secret; give it one with relayctl secret add {0}")]
    Empty(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Usage(refusal.to_string())
    }
}

/// Adds a new name, or gives a secret to one that has none to use.
pub fn add(value: Value, name: &str, fresh: Text, keep: &[String]) -> Result<Value, Refusal> {
    check_name(name)?;
    match value {
        Value::Plain(plain) => Ok(by_name(&plain, &[name], &fresh, keep)?),
        Value::Named(mut entries) => {
            refuse_keep(keep, &entries)?;
            match entries.iter_mut().find(|entry| entry.name == name) {
                Some(entry) if entry.usable().next().is_some() => {
                    return Err(Refusal::Known(name.to_owned()));
                }
                Some(entry) => *entry = Entry::new(name, vec![fresh]),
                None => entries.push(Entry::new(name, vec![fresh])),
            }
            Ok(Value::Named(entries))
        }
    }
}

/// Puts a new secret before those of a name; without a name, of all that share a plain text.
pub fn rotate(
    value: Value,
    name: Option<&str>,
    fresh: Text,
    keep: &[String],
) -> Result<Value, Refusal> {
    if let Some(name) = name {
        check_name(name)?;
    }
    match value {
        Value::Plain(plain) => match name {
            Some(name) => by_name(&plain, &[name], &fresh, keep),
            None => by_name(&plain, &kept_names(keep), &fresh, keep),
        },
        Value::Named(mut entries) => {
            refuse_keep(keep, &entries)?;
            let name = name.ok_or_else(|| Refusal::NotNamed(names(&entries)))?;
            let entry = find(&mut entries, name)?;
            if entry.texts.iter().any(|text| bare(text) == fresh) {
                return Err(Refusal::Same(name.to_owned()));
            }
            // What is empty verifies nothing, and would only be in the way.
            entry.texts.retain(|text| is_usable(text));
            entry.texts.insert(0, fresh);
            entry.is_list |= entry.texts.len() > 1;
            Ok(Value::Named(entries))
        }
    }
}

/// Removes a name with all its secrets.
pub fn remove(value: Value, name: &str) -> Result<Value, Refusal> {
    let mut entries = named(value)?;
    find(&mut entries, name)?;
    entries.retain(|entry| entry.name != name);
    Ok(Value::Named(entries))
}

/// Removes all secrets of a name but the newest that can be used. Says how many.
pub fn remove_old(value: Value, name: &str) -> Result<(Value, usize), Refusal> {
    let mut entries = named(value)?;
    let entry = find(&mut entries, name)?;
    let newest = entry.usable().next().cloned();
    let newest = newest.ok_or_else(|| Refusal::Empty(name.to_owned()))?;
    let before = mem::replace(&mut entry.texts, vec![newest]);
    entry.is_list = false;
    Ok((Value::Named(entries), before.len() - 1))
}

/// The names that go on accepting a secret that `name` has lost by an edit.
pub fn still_accepting(before: &Value, name: &str, after: &Value) -> Vec<String> {
    let of_name = |value: &Value| -> Vec<Text> {
        let entries = value.entries().iter();
        let own = entries.filter(|entry| entry.name == name);
        own.flat_map(Entry::usable).map(|text| bare(text)).collect()
    };
    let stay = of_name(after);
    let mut lost = of_name(before);
    lost.retain(|text| !stay.contains(text));
    let accepts = |entry: &&Entry| entry.usable().any(|text| lost.contains(&bare(text)));
    let others = after.entries().iter().filter(accepts);
    others.map(|entry| entry.name.clone()).collect()
}

/// The names that go on with a plain text when it becomes an object.
pub fn kept_names(keep: &[String]) -> Vec<&str> {
    let mut names = vec![DEFAULT_NAME, TRAINING];
    for name in keep {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// An object in place of a plain text. The plain text opens `fresh_names` today, too, so they keep it beside the new secret.
fn by_name(
    plain: &Text,
    fresh_names: &[&str],
    fresh: &Text,
    keep: &[String],
) -> Result<Value, Refusal> {
    keep.iter().try_for_each(|name| check_name(name))?;
    if bare(plain) == *fresh {
        return Err(Refusal::Same("every name".to_owned()));
    }
    let mut all = kept_names(keep);
    all.extend(fresh_names.iter().filter(|name| !kept_names(keep).contains(name)));
    let mut entries = Vec::new();
    for name in all {
        let mut texts = Vec::new();
        if fresh_names.contains(&name) {
            texts.push(fresh.clone());
        }
        texts.push(plain.clone());
        entries.push(Entry::new(name, texts));
    }
    Ok(Value::Named(entries))
}

fn named(value: Value) -> Result<Vec<Entry>, Refusal> {
    match value {
        Value::Plain(_) => Err(Refusal::Plain),
        Value::Named(entries) => Ok(entries),
    }
}

fn find<'e>(entries: &'e mut [Entry], name: &str) -> Result<&'e mut Entry, Refusal> {
    let known = names(entries);
    let mut entries = entries.iter_mut();
    let entry = entries.find(|entry| entry.name == name);
    entry.ok_or_else(|| Refusal::Unknown { name: name.to_owned(), known })
}

/// The names as one says them.
pub fn names(entries: &[Entry]) -> String {
    match entries {
        [] => "none".to_owned(),
        entries => {
            let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
            names.join(", ")
        }
    }
}

/// Names that are there keep their secrets anyway, so that a script need not know which form the secret has.
fn refuse_keep(keep: &[String], entries: &[Entry]) -> Result<(), Refusal> {
    let is_there = |name: &String| entries.iter().any(|entry| entry.name == *name);
    if keep.iter().all(is_there) {
        return Ok(());
    }
    Err(Refusal::NothingToKeep(names(entries)))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if can_be_called(name) {
        return Ok(());
    }
    Err(Refusal::NoName(name.to_owned()))
}

/// Refuses what cannot be the last part of a webhook's URL.
pub fn check_webhook_name(name: &str) -> Result<(), Refusal> {
    if is_webhook_name(name) {
        return Ok(());
    }
    Err(Refusal::NoName(name.to_owned()))
}

/// Whether a webhook, or the training, can have this name.
pub fn can_be_called(name: &str) -> bool {
    name == TRAINING || is_webhook_name(name)
}

fn is_webhook_name(name: &str) -> bool {
    let route = Route::from_path(&format!("/webhooks/{name}"));
    matches!(route, Some(Route::Webhook(_)))
}

#[cfg(test)]
mod tests;
