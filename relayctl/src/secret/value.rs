//! The value of the stack's secret: which names have which secrets, in the order and form in which somebody wrote it.

use super::error::EditError;
use super::invisible::Invisible;
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
    Named(IndexMap<String, Entry>),
}

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
    pub fn read(text: Text) -> Result<Self, EditError> {
        match Secrets::parse(text.to_string()) {
            Ok(Secrets::Shared(_)) => return Ok(Self::Plain(text)),
            Ok(_) => {}
            Err(error) => {
                // One byte order mark is allowed.
                let before = text.split_once('{').map(|(before, _)| before.trim());
                let before = before.map(|it| it.strip_prefix('\u{feff}').unwrap_or(it));
                return Err(EditError::Unusable(match before.and_then(Invisible::find) {
                    Some(hidden) => format!("{error}; it has {hidden} before the brace"),
                    None => error.to_string(),
                }));
            }
        }
        // The function ignores a byte order mark and white space around the object.
        let object = text.trim_start_matches(|it| it != '{').trim_end();
        let names = serde_json::from_str(object);
        names.map(Self::Named).map_err(|it| EditError::Unusable(it.to_string()))
    }

    /// Writes the value.
    ///
    /// # Errors
    /// If it is too large, or the function could not read it.
    pub fn write(&self) -> Result<Text, EditError> {
        let text = match self {
            Self::Plain(text) => text.clone(),
            Self::Named(names) => {
                // With its final capacity, so that it leaves no copies behind while it grows.
                let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
                serde_json::to_writer(&mut *bytes, names)
                    .map_err(|it| EditError::Unwritable(it.to_string()))?;
                Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
            }
        };
        if text.len() > MAX_BYTES {
            return Err(EditError::TooLarge);
        }
        let read = Secrets::parse(text.to_string());
        read.map_err(|it| EditError::Unwritable(it.to_string()))?;
        Ok(text)
    }

    /// The names with their secrets; a plain text has none.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let names = match self {
            Self::Plain(_) => None,
            Self::Named(names) => Some(names),
        };
        names.into_iter().flatten().map(|(name, entry)| (name.as_str(), entry))
    }

    pub fn entry(&self, name: &str) -> Option<&Entry> {
        match self {
            Self::Plain(_) => None,
            Self::Named(names) => names.get(name),
        }
    }

    /// The newest secret by which a webhook of this name, or the training service, can sign.
    pub fn newest(&self, name: &str) -> Option<&Text> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Named(names) => names.get(name)?.usable().next(),
        }
    }

    /// How many secrets a name has of its own.
    pub fn count(&self, name: &str) -> usize {
        self.entry(name).map_or(0, |entry| entry.texts().len())
    }

    /// Whether anything can be verified with it.
    pub fn has_usable(&self) -> bool {
        matches!(self, Self::Plain(_))
            || self.entries().any(|(_, entry)| entry.usable().next().is_some())
    }
}

#[cfg(test)]
mod tests;
