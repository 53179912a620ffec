//! The value of the stack's secret: which names have which secrets, in the order and form in which somebody wrote it.

mod form;

use crate::error::Error;
use form::{Entries, Writing};
use labelbox_relay::secrets::{Secret, SecretScope, Secrets};
use std::fmt;
use zeroize::Zeroizing;

/// The name of the secret that signs the training routes.
pub const TRAINING: &str = "training";

/// The most bytes of a value. Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>.
const MOST_BYTES: usize = 65_536;

/// A secret's text, or a whole value's.
pub type Text = Zeroizing<String>;

/// What the stack's secret holds, in one of its two forms.
#[derive(Clone)]
pub enum Value {
    /// Plain text: one secret for every route. It is never blank.
    Plain(Text),
    /// Names, each with its own secrets.
    Named(Vec<Entry>),
}

/// A name with its secrets, the newest first.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub texts: Vec<Text>,
    /// Written as a list even with one secret in it, because somebody did.
    pub is_list: bool,
}

impl Entry {
    pub fn new(name: &str, texts: Vec<Text>) -> Self {
        Self { name: name.to_owned(), is_list: texts.len() != 1, texts }
    }

    pub fn usable(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().filter(|text| is_usable(text))
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
    /// When the function could not use it.
    pub fn read(text: Text) -> Result<Self, Error> {
        let secrets = Secrets::parse(text.to_string()).map_err(|error| {
            Error::Refused(format!(
                "{error}, so the function can use none of it; mend it in Secrets Manager, or begin anew with \
                 relayctl secret add NAME --replace-broken"
            ))
        })?;
        if let Secrets::Shared(_) = secrets {
            return Ok(Self::Plain(text));
        }
        // What the function does not count as a part of the object: a byte order mark, and white space.
        let object = text.trim_start_matches(|it| it != '{').trim_end();
        let entries: Entries = serde_json::from_str(object)
            .map_err(|_| Error::Refused("the secret's value cannot be edited".to_owned()))?;
        Ok(Self::Named(entries.0))
    }

    /// Writes the value, after the function's own reading of it has found just what was meant.
    ///
    /// # Errors
    /// When it is more than Secrets Manager keeps, or not what the function would read.
    pub fn write(&self) -> Result<Text, Error> {
        let text = match self {
            Self::Plain(text) => text.clone(),
            Self::Named(entries) => write_entries(entries)?,
        };
        if text.len() > MOST_BYTES {
            return Err(Error::Refused(format!(
                "the secret's value would be over the {MOST_BYTES} bytes that Secrets Manager keeps; remove what is \
                 not in use with relayctl secret remove"
            )));
        }
        let read = Secrets::parse(text.to_string()).map_err(|error| broken(&error))?;
        for entry in self.entries() {
            if !reads_as(&read, entry) {
                return Err(broken(&"the function would read another secret"));
            }
        }
        Ok(text)
    }

    pub fn entries(&self) -> &[Entry] {
        match self {
            Self::Plain(_) => &[],
            Self::Named(entries) => entries,
        }
    }

    /// The newest secret by which a webhook of this name, or the training service, can sign.
    pub fn newest(&self, name: &str) -> Option<&Text> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Named(entries) => {
                let entry = entries.iter().find(|entry| entry.name == name)?;
                entry.usable().next()
            }
        }
    }

    /// How many secrets a name has of its own.
    pub fn count(&self, name: &str) -> usize {
        let mut entries = self.entries().iter();
        let entry = entries.find(|entry| entry.name == name);
        entry.map_or(0, |entry| entry.texts.len())
    }

    /// Whether anything can be verified with it.
    pub fn has_usable(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Named(entries) => entries.iter().any(|entry| entry.usable().next().is_some()),
        }
    }
}

fn write_entries(entries: &[Entry]) -> Result<Text, Error> {
    // As large as it may become, so that it leaves no copies behind while it grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES));
    let value = Writing(entries);
    serde_json::to_writer(&mut *bytes, &value).map_err(|error| broken(&error))?;
    let text = String::from_utf8(std::mem::take(&mut *bytes)).map_err(|error| broken(&error))?;
    Ok(Zeroizing::new(text))
}

fn broken(error: &dyn fmt::Display) -> Error {
    Error::Refused(format!(
        "what was about to be written is no secret: {error}; nothing was changed"
    ))
}

fn reads_as(read: &Secrets, entry: &Entry) -> bool {
    let secrets = match entry.name.as_str() {
        TRAINING => read.get(SecretScope::Training),
        name => read.get(SecretScope::Webhook(name)),
    };
    let meant = entry.texts.iter().map(|text| Secret::new(text.to_string()));
    secrets.is_some_and(|secrets| {
        secrets.len() == entry.texts.len()
            && (secrets.iter().zip(meant))
                .all(|(secret, meant)| secret.as_bytes() == meant.as_bytes())
    })
}

#[cfg(test)]
mod tests;
