//! The edits of the stack's secret. What signs today is still accepted afterwards, unless it is removed by name.

use super::error::EditError;
use super::value::{DEFAULT_NAME, Entry, TRAINING, Text, Value, bare, is_usable};
use labelbox_relay::http::Route;
use std::mem;

/// Adds a new name, or gives a secret to one that has no usable one.
pub fn add(value: Value, name: &str, fresh: Text, keep: &[String]) -> Result<Value, EditError> {
    check_name(name)?;
    let mut entries = match value {
        Value::Plain(plain) => return split(&plain, &[name], &fresh, keep),
        Value::Named(entries) => entries,
    };
    check_keep(keep, &entries)?;
    match entries.iter_mut().find(|entry| entry.name == name) {
        Some(entry) if entry.usable().next().is_some() => {
            return Err(EditError::Exists(name.to_owned()));
        }
        Some(entry) => *entry = Entry::new(name, vec![fresh]),
        None => entries.push(Entry::new(name, vec![fresh])),
    }
    Ok(Value::Named(entries))
}

/// Puts a new secret before those of a name; without a name, of all that keep a plain text.
pub fn rotate(
    value: Value,
    name: Option<&str>,
    fresh: Text,
    keep: &[String],
) -> Result<Value, EditError> {
    name.map_or(Ok(()), check_name)?;
    let mut entries = match value {
        Value::Plain(plain) => {
            let names = name.map_or_else(|| kept_names(keep), |name| vec![name]);
            return split(&plain, &names, &fresh, keep);
        }
        Value::Named(entries) => entries,
    };
    check_keep(keep, &entries)?;
    let name = name.ok_or_else(|| EditError::NoName(list(&entries)))?;
    let entry = find(&mut entries, name, true)?;
    if entry.texts.iter().any(|text| bare(text) == fresh) {
        return Err(EditError::Same(name.to_owned()));
    }
    // An empty secret verifies nothing.
    entry.texts.retain(|text| is_usable(text));
    entry.texts.insert(0, fresh);
    entry.is_list |= entry.texts.len() > 1;
    Ok(Value::Named(entries))
}

/// Removes a name with all its secrets.
pub fn remove(value: Value, name: &str) -> Result<Value, EditError> {
    let mut entries = named(value)?;
    find(&mut entries, name, false)?;
    entries.retain(|entry| entry.name != name);
    Ok(Value::Named(entries))
}

/// Removes all secrets of a name but the newest usable one. Returns how many it has removed, too.
pub fn remove_old(value: Value, name: &str) -> Result<(Value, usize), EditError> {
    let mut entries = named(value)?;
    let entry = find(&mut entries, name, false)?;
    let newest = entry.usable().next().cloned();
    let newest = newest.ok_or_else(|| EditError::NoUsableSecret(name.to_owned()))?;
    let before = mem::replace(&mut entry.texts, vec![newest]);
    entry.is_list = false;
    Ok((Value::Named(entries), before.len() - 1))
}

/// The names that still accept a secret that `name` has lost by an edit.
pub fn still_accepting<'v>(before: &Value, name: &str, after: &'v Value) -> Vec<&'v str> {
    let secrets = |value: &Value| -> Vec<Text> {
        value
            .entry(name)
            .map_or(Vec::new(), |entry| entry.usable().map(|text| bare(text)).collect())
    };
    let stay = secrets(after);
    let mut lost = secrets(before);
    lost.retain(|text| !stay.contains(text));
    let accepts = |entry: &&Entry| entry.usable().any(|text| lost.contains(&bare(text)));
    after.entries().iter().filter(accepts).map(|entry| entry.name.as_str()).collect()
}

/// The names that keep a plain text when it becomes an object.
pub fn kept_names(keep: &[String]) -> Vec<&str> {
    let mut names = vec![DEFAULT_NAME, TRAINING];
    for name in keep {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// An object in place of a plain text. `fresh_names` keep the plain text beside the new secret: a webhook may use it today.
fn split(
    plain: &Text,
    fresh_names: &[&str],
    fresh: &Text,
    keep: &[String],
) -> Result<Value, EditError> {
    keep.iter().try_for_each(|name| check_name(name))?;
    if bare(plain) == *fresh {
        return Err(EditError::Same("every name".to_owned()));
    }
    let mut names = kept_names(keep);
    for name in fresh_names {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let entry = |name: &str| {
        let fresh = Some(fresh).filter(|_| fresh_names.contains(&name));
        Entry::new(name, fresh.into_iter().chain([plain]).cloned().collect())
    };
    Ok(Value::Named(names.into_iter().map(entry).collect()))
}

fn named(value: Value) -> Result<Vec<Entry>, EditError> {
    match value {
        Value::Plain(_) => Err(EditError::PlainText),
        Value::Named(entries) => Ok(entries),
    }
}

fn find<'e>(
    entries: &'e mut [Entry],
    name: &str,
    can_add: bool,
) -> Result<&'e mut Entry, EditError> {
    let known = list(entries);
    let entry = entries.iter_mut().find(|entry| entry.name == name);
    entry.ok_or_else(|| EditError::UnknownName { name: name.to_owned(), known, can_add })
}

/// The names, with commas.
pub fn list(entries: &[Entry]) -> String {
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Names that exist keep their secrets anyway, so that a script need not know which form the secret has.
fn check_keep(keep: &[String], entries: &[Entry]) -> Result<(), EditError> {
    if keep.iter().all(|name| entries.iter().any(|entry| entry.name == *name)) {
        return Ok(());
    }
    Err(EditError::NothingToKeep(list(entries)))
}

fn check_name(name: &str) -> Result<(), EditError> {
    if name == TRAINING { Ok(()) } else { check_webhook_name(name) }
}

/// Refuses what cannot be the last part of a webhook's URL.
pub fn check_webhook_name(name: &str) -> Result<(), EditError> {
    let route = Route::from_path(&format!("/webhooks/{name}"));
    if matches!(route, Some(Route::Webhook(_))) {
        return Ok(());
    }
    Err(EditError::InvalidName(name.to_owned()))
}

/// Whether a webhook, or the training, can have this name.
pub fn can_be_called(name: &str) -> bool {
    check_name(name).is_ok()
}

#[cfg(test)]
mod tests;
