//! The edits of the stack's secret. What signs today is still accepted afterwards, unless it is removed by name.

use super::value::{
    DEFAULT_NAME, Entry, Names, TRAINING, Text, Value, bare, list, no_usable_secret,
};
use crate::cli::quote;
use crate::error::{Error, USAGE};
use indexmap::IndexSet;
use labelbox_relay::http::Route;

/// Puts a new secret before those of a name. A rotation is of a name that there is, or without a name, of all that keep a plain
/// text; any other edit is for a name that has no usable secret.
pub fn give(
    value: Value,
    name: Option<&str>,
    is_rotation: bool,
    fresh: Text,
    keep: &[String],
) -> Result<Value, Error> {
    name.map_or(Ok(()), check_name)?;
    let mut names = match value {
        Value::Plain(plain) => return split(&plain, name, &fresh, keep),
        Value::Named(names) => names,
    };
    // Names that exist keep their secrets anyway, so that a script need not know which form the secret has.
    if !keep.iter().all(|name| names.contains_key(name)) {
        return Err(Error::Usage(format!(
            "--keep is for a secret that is plain text; this one has the names {}",
            list(&names)
        )));
    }
    let name = name
        .ok_or_else(|| Error::Usage(format!("say which name: the secret has {}", list(&names))))?;
    let advise = |message, verb| {
        let command = format!("secret {verb} {}", quote(name));
        Err(Error::Secret { message, code: USAGE, command })
    };
    if is_rotation && !names.contains_key(name) {
        return advise(unknown(name, &names), "add");
    }
    let old: Vec<_> = names.get(name).into_iter().flat_map(Entry::usable).cloned().collect();
    if !is_rotation && !old.is_empty() {
        return advise(format!("{name} has a secret"), "rotate");
    }
    if old.iter().any(|text| bare(text) == fresh) {
        return Err(Error::Usage(format!("{name} has this secret already")));
    }
    let entry = match old.is_empty() {
        true => Entry::One(fresh),
        false => Entry::Many([vec![fresh], old].concat()),
    };
    names.insert(name.to_owned(), entry);
    Ok(Value::Named(names))
}

/// Removes a name, or with `only_old` all its secrets but the newest usable one. Returns how many it has removed, too.
pub fn remove(value: Value, name: &str, only_old: bool) -> Result<(Value, usize), Error> {
    let Value::Named(mut names) = value else {
        let message =
            "the secret is plain text, which every name shares; there is no name to remove";
        return Err(Error::Usage(message.to_owned()));
    };
    let Some(entry) = names.get_mut(name) else { return Err(Error::Usage(unknown(name, &names))) };
    let count = entry.texts().len();
    if !only_old {
        names.shift_remove(name);
        return Ok((Value::Named(names), count));
    }
    let newest = entry.usable().next().cloned();
    *entry = Entry::One(newest.ok_or_else(|| no_usable_secret(name))?);
    Ok((Value::Named(names), count - 1))
}

/// The names that keep a plain text when it becomes an object.
pub fn kept_names(keep: &[String]) -> IndexSet<&str> {
    [DEFAULT_NAME, TRAINING].into_iter().chain(keep.iter().map(String::as_str)).collect()
}

/// An object in place of a plain text. The name with a new secret, or all, keep the plain text beside it: a webhook may use it
/// today.
fn split(plain: &Text, name: Option<&str>, fresh: &Text, keep: &[String]) -> Result<Value, Error> {
    keep.iter().try_for_each(|name| check_name(name))?;
    if bare(plain) == *fresh {
        return Err(Error::Usage("every name has this secret already".to_owned()));
    }
    let names = kept_names(keep).into_iter().chain(name).map(|kept| {
        let entry = match name.is_none_or(|name| name == kept) {
            true => Entry::Many(vec![fresh.clone(), plain.clone()]),
            false => Entry::One(plain.clone()),
        };
        (kept.to_owned(), entry)
    });
    Ok(Value::Named(names.collect()))
}

fn unknown(name: &str, names: &Names) -> String {
    format!("the secret has no name {name}; it has {}", list(names))
}

/// Refuses what neither a webhook nor the training can be called.
pub fn check_name(name: &str) -> Result<(), Error> {
    if name == TRAINING { Ok(()) } else { check_webhook_name(name) }
}

/// Refuses what cannot be the last part of a webhook's URL.
pub fn check_webhook_name(name: &str) -> Result<(), Error> {
    let route = Route::from_path(&format!("/webhooks/{name}"));
    if matches!(route, Some(Route::Webhook(_))) {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{name} cannot be the name of a webhook: that is 1 to 64 of a to z, 0 to 9 and -, and neither training nor backfill"
    )))
}

#[cfg(test)]
mod tests;
