//! The edits of the stack's secret. What signs today is still accepted afterwards, unless it is removed by name.

use super::error::EditError;
use super::value::{DEFAULT_NAME, Entry, TRAINING, Text, Value, bare};
use indexmap::IndexMap;
use labelbox_relay::http::Route;

type Names = IndexMap<String, Entry>;

/// Adds a new name, or gives a secret to one that has no usable one.
pub fn add(value: Value, name: &str, fresh: Text, keep: &[String]) -> Result<Value, EditError> {
    check_name(name)?;
    let mut names = match value {
        Value::Plain(plain) => return split(&plain, &[name], &fresh, keep),
        Value::Named(names) => names,
    };
    check_keep(keep, &names)?;
    if names.get(name).is_some_and(|entry| entry.usable().next().is_some()) {
        return Err(EditError::Exists(name.to_owned()));
    }
    names.insert(name.to_owned(), Entry::One(fresh));
    Ok(Value::Named(names))
}

/// Puts a new secret before those of a name; without a name, of all that keep a plain text.
pub fn rotate(
    value: Value,
    name: Option<&str>,
    fresh: Text,
    keep: &[String],
) -> Result<Value, EditError> {
    name.map_or(Ok(()), check_name)?;
    let mut names = match value {
        Value::Plain(plain) => {
            let fresh_names = name.map_or_else(|| kept_names(keep), |name| vec![name]);
            return split(&plain, &fresh_names, &fresh, keep);
        }
        Value::Named(names) => names,
    };
    check_keep(keep, &names)?;
    let name = name.ok_or_else(|| EditError::NoName(list(&names)))?;
    let entry = find(&mut names, name, true)?;
    if entry.texts().iter().any(|text| bare(text) == fresh) {
        return Err(EditError::Same(name.to_owned()));
    }
    // An empty secret verifies nothing.
    let old: Vec<_> = entry.usable().cloned().collect();
    *entry = match entry {
        Entry::One(_) if old.is_empty() => Entry::One(fresh),
        _ => Entry::Many([vec![fresh], old].concat()),
    };
    Ok(Value::Named(names))
}

/// Removes a name with all its secrets.
pub fn remove(value: Value, name: &str) -> Result<Value, EditError> {
    let mut names = named(value)?;
    find(&mut names, name, false)?;
    names.shift_remove(name);
    Ok(Value::Named(names))
}

/// Removes all secrets of a name but the newest usable one. Returns how many it has removed, too.
pub fn remove_old(value: Value, name: &str) -> Result<(Value, usize), EditError> {
    let mut names = named(value)?;
    let entry = find(&mut names, name, false)?;
    let newest = entry.usable().next().cloned();
    let newest = newest.ok_or_else(|| EditError::NoUsableSecret(name.to_owned()))?;
    let removed = entry.texts().len() - 1;
    *entry = Entry::One(newest);
    Ok((Value::Named(names), removed))
}

/// The names that still accept a secret that `name` has lost by an edit.
pub fn still_accepting<'v>(before: &Value, name: &str, after: &'v Value) -> Vec<&'v str> {
    let secrets = |value: &Value| -> Vec<Text> {
        let usable = value.entry(name).into_iter().flat_map(Entry::usable);
        usable.map(|text| bare(text)).collect()
    };
    let (mut lost, stay) = (secrets(before), secrets(after));
    lost.retain(|text| !stay.contains(text));
    let accepts = |entry: &Entry| entry.usable().any(|text| lost.contains(&bare(text)));
    after.entries().filter(|(_, entry)| accepts(entry)).map(|(name, _)| name).collect()
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
    let kept = kept_names(keep);
    let names = kept.iter().chain(fresh_names).map(|name| {
        let entry = if fresh_names.contains(name) {
            Entry::Many(vec![fresh.clone(), plain.clone()])
        } else {
            Entry::One(plain.clone())
        };
        ((*name).to_owned(), entry)
    });
    Ok(Value::Named(names.collect()))
}

fn named(value: Value) -> Result<Names, EditError> {
    match value {
        Value::Plain(_) => Err(EditError::PlainText),
        Value::Named(names) => Ok(names),
    }
}

fn find<'n>(names: &'n mut Names, name: &str, can_add: bool) -> Result<&'n mut Entry, EditError> {
    let known = list(names);
    let unknown = || EditError::UnknownName { name: name.to_owned(), known, can_add };
    names.get_mut(name).ok_or_else(unknown)
}

fn list(names: &Names) -> String {
    let names: Vec<_> = names.keys().map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Names that exist keep their secrets anyway, so that a script need not know which form the secret has.
fn check_keep(keep: &[String], names: &Names) -> Result<(), EditError> {
    if keep.iter().all(|name| names.contains_key(name)) {
        return Ok(());
    }
    Err(EditError::NothingToKeep(list(names)))
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
