//! The value of the stack's secret: which names have which secrets, in the order and form in which somebody wrote it.

use crate::cli::quote;
use crate::error::{Error, INCOMPLETE, USAGE};
use crate::sanitize::find_invisible;
use indexmap::IndexMap;
use labelbox_relay::secrets::{Secret, Secrets};
use serde::{Deserialize, Serialize};
use std::slice;
use zeroize::Zeroizing;

/// The name of the secret that signs the training routes.
pub const TRAINING: &str = "training";
/// The name in the stack's own output `WebhookUrl`.
pub const DEFAULT_NAME: &str = "labelbox";
/// The most bytes of a value. Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>.
const MAX_BYTES: usize = 65_536;

/// A secret's text, or a whole value's.
pub type Text = Zeroizing<String>;

/// What the stack's secret holds, in one of its two forms.
#[derive(Clone)]
pub enum Value {
    /// Plain text: one secret for every route. It is never blank.
    Plain(Text),
    /// Names, each with its own secrets.
    Named(Names),
}

pub type Names = IndexMap<String, Entry>;

/// The secrets of a name, the newest first.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Entry {
    One(Text),
    Many(Vec<Text>),
}

impl Entry {
    pub fn texts(&self) -> &[Text] {
        match self {
            Self::One(text) => slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }

    pub fn usable(&self) -> impl Iterator<Item = &Text> {
        self.texts().iter().filter(|text| is_usable(text))
    }
}

/// Whether the function would verify anything with it.
pub fn is_usable(text: &str) -> bool {
    !Secret::new(text.to_owned()).is_empty()
}

/// What the function verifies with, and Labelbox has to sign with: a newline at the end is no part of it.
pub fn bare(text: &str) -> Text {
    let secret = Secret::new(text.to_owned());
    Zeroizing::new(String::from_utf8_lossy(secret.as_bytes()).into_owned())
}

impl Value {
    /// Reads a value as the function does, and keeps what the function does not need: order and form.
    ///
    /// # Errors
    /// If the function could not use it.
    pub fn read(text: Text) -> Result<Self, Error> {
        let secrets = Secrets::parse(text.to_string()).map_err(|error| {
            // One byte order mark is allowed.
            let start = text.strip_prefix('\u{feff}').unwrap_or(&text);
            let before = start.split_once('{').map(|(before, _)| before.trim());
            let hidden = before.and_then(find_invisible);
            let hidden = hidden.map(|it| format!("; it has {it} before the brace"));
            unusable(&format!("{error}{}", hidden.unwrap_or_default()))
        })?;
        if matches!(secrets, Secrets::Shared(_)) {
            return Ok(Self::Plain(text));
        }
        // The function ignores a byte order mark and white space around the object.
        let object = text.trim_start_matches(|it| it != '{').trim_end();
        let names = serde_json::from_str(object);
        names.map(Self::Named).map_err(|it| unusable(&it.to_string()))
    }

    /// Writes the value.
    ///
    /// # Errors
    /// If it is too large, or the function could not read it.
    pub fn write(&self) -> Result<Text, Error> {
        let text = match self {
            Self::Plain(text) => text.clone(),
            Self::Named(names) => {
                // With its final capacity, so that it leaves no copies behind while it grows.
                let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
                serde_json::to_writer(&mut *bytes, names).map_err(unwritable)?;
                Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
            }
        };
        if text.len() > MAX_BYTES {
            let message = "it is larger than the 65,536 bytes that Secrets Manager keeps; relayctl secret remove NAME --old makes room";
            return Err(unwritable(message));
        }
        Secrets::parse(text.to_string()).map_err(unwritable)?;
        Ok(text)
    }

    /// The names with their secrets; a plain text has none.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.names().into_iter().flatten().map(|(name, entry)| (name.as_str(), entry))
    }

    /// The names, separated by commas.
    pub fn list(&self) -> String {
        self.names().map(list).unwrap_or_default()
    }

    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.names()?.get(name)
    }

    fn names(&self) -> Option<&Names> {
        match self {
            Self::Plain(_) => None,
            Self::Named(names) => Some(names),
        }
    }

    /// The newest secret by which a webhook of this name, or the training service, can sign.
    pub fn newest(&self, name: &str) -> Option<&Text> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Named(names) => names.get(name)?.usable().next(),
        }
    }

    /// Whether anything can be verified with it.
    pub fn has_usable(&self) -> bool {
        matches!(self, Self::Plain(_))
            || self.entries().any(|(_, entry)| entry.usable().next().is_some())
    }
}

pub fn list(names: &Names) -> String {
    let names: Vec<_> = names.keys().map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::Refused(format!("the function could not use what was about to be written: {error}"))
}

/// The error of a value that the function cannot use.
pub fn unusable(message: &str) -> Error {
    let message = format!("{message}, so the function cannot use the secret");
    let command = "secret add NAME --replace-broken".to_owned();
    Error::Secret { message, code: INCOMPLETE, command }
}

/// The error of a command that needs a secret of this name.
pub fn no_usable_secret(name: &str) -> Error {
    let message = format!("the stack has no usable secret for {name}");
    Error::Secret { message, code: USAGE, command: format!("secret add {}", quote(name)) }
}

#[cfg(test)]
mod tests;
