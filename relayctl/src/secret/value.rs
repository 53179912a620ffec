//! The value of the stack's secret: which names have which secrets, in the order and form in which somebody wrote it.

use super::error::EditError;
use labelbox_relay::secrets::{Secret, SecretScope, Secrets};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
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
    /// If the function could not use it.
    pub fn read(text: Text) -> Result<Self, EditError> {
        let unusable = |error: &dyn fmt::Display| EditError::Unusable(error.to_string());
        if let Secrets::Shared(_) = Secrets::parse(text.to_string()).map_err(|it| unusable(&it))? {
            return Ok(Self::Plain(text));
        }
        // The function ignores a byte order mark and white space around the object.
        let object = text.trim_start_matches(|it| it != '{').trim_end();
        let entries: Entries = serde_json::from_str(object).map_err(|it| unusable(&it))?;
        Ok(Self::Named(entries.0))
    }

    /// Writes the value, after the function's own parser has read from it just what was meant.
    ///
    /// # Errors
    /// If it is too large, or the function would read something else.
    pub fn write(&self) -> Result<Text, EditError> {
        let unwritable = |error: &dyn fmt::Display| EditError::Unwritable(error.to_string());
        let text = match self {
            Self::Plain(text) => text.clone(),
            Self::Named(entries) => {
                // With its final capacity, so that it leaves no copies behind while it grows.
                let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
                serde_json::to_writer(&mut *bytes, &Written(entries))
                    .map_err(|it| unwritable(&it))?;
                let text = String::from_utf8(std::mem::take(&mut *bytes));
                Zeroizing::new(text.map_err(|it| unwritable(&it.utf8_error()))?)
            }
        };
        if text.len() > MAX_BYTES {
            return Err(EditError::TooLarge);
        }
        let read = Secrets::parse(text.to_string()).map_err(|it| unwritable(&it))?;
        if !self.entries().iter().all(|entry| reads_as(&read, entry)) {
            return Err(unwritable(&"it would read another secret"));
        }
        Ok(text)
    }

    pub fn entries(&self) -> &[Entry] {
        match self {
            Self::Plain(_) => &[],
            Self::Named(entries) => entries,
        }
    }

    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.name == name)
    }

    /// The newest secret by which a webhook of this name, or the training service, can sign.
    pub fn newest(&self, name: &str) -> Option<&Text> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Named(_) => self.entry(name)?.usable().next(),
        }
    }

    /// How many secrets a name has of its own.
    pub fn count(&self, name: &str) -> usize {
        self.entry(name).map_or(0, |entry| entry.texts.len())
    }

    /// Whether anything can be verified with it.
    pub fn has_usable(&self) -> bool {
        matches!(self, Self::Plain(_))
            || self.entries().iter().any(|entry| entry.usable().next().is_some())
    }
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

/// An object's members in their order. Of two with one name the later counts, as it does to the function.
struct Entries(Vec<Entry>);

#[derive(serde::Deserialize, serde::Serialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Vec<Entry>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object from names to secrets")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Vec<Entry>, M::Error> {
                let mut entries: Vec<Entry> = Vec::new();
                while let Some((name, secrets)) =
                    members.next_entry::<String, OneOrMany<String>>()?
                {
                    let (texts, is_list) = match secrets {
                        OneOrMany::One(text) => (vec![text.into()], false),
                        OneOrMany::Many(texts) => {
                            (texts.into_iter().map(Into::into).collect(), true)
                        }
                    };
                    entries.retain(|entry| entry.name != name);
                    entries.push(Entry { name, texts, is_list });
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(Members).map(Self)
    }
}

/// The same to be written, each in the form in which it was read.
struct Written<'e>(&'e [Entry]);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|Entry { name, texts, is_list }| {
            let secrets = match texts.as_slice() {
                [text] if !is_list => OneOrMany::One(text.as_str()),
                texts => OneOrMany::Many(texts.iter().map(|text| text.as_str()).collect()),
            };
            (name, secrets)
        }))
    }
}

#[cfg(test)]
mod tests;
