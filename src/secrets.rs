//! The webhooks' secrets: the forms of their value, where they are fetched from, and how long they are cached.

mod cache;
mod store;

pub use cache::{Lookup, SecretCache};
pub use store::{FetchError, SecretStore, SecretsManager};

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;
use zeroize::Zeroizing;

/// The name of the training routes' secret. No webhook can have it.
const TRAINING: &str = "training";

const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// A shared secret. It is never printed, and its memory is zeroed on drop. `docs/testing.md` lists the copies that cannot
/// be zeroed, such as the response in which it arrived.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret from its text. One leading byte order mark and one trailing newline (LF or CRLF) are not part of it: editors and
    /// shells add them.
    pub fn new(mut text: String) -> Self {
        if text.starts_with(BYTE_ORDER_MARK) {
            text.remove(0);
        }
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Self(Zeroizing::new(text))
    }

    /// Whether it is empty. An empty secret never verifies anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The HMAC key: its text in UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secrets in one value of Secrets Manager.
#[derive(Debug)]
pub enum Secrets {
    /// Plain text: one secret for every route.
    Shared(Secret),
    /// A JSON object: each webhook has its own secrets, more than one during a rotation.
    ByWebhook(HashMap<String, Vec<Secret>>),
}

/// The secrets that a request can be signed with; its route decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretScope<'a> {
    /// Those of the webhook with this name.
    Webhook(&'a str),
    /// Those of the training routes.
    Training,
}

/// Why a value is not a valid secret. No message quotes the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// It has no visible character.
    #[error("the secret's value is blank")]
    Blank,
    /// It is a JSON list, or a string in quotation marks.
    #[error(
        "the secret's value is a JSON list or a quoted JSON string; it must be plain text, or an object of webhook \
         names with a secret or a list of secrets"
    )]
    NotAnObject,
    /// It starts with `{` but is not a valid object of secrets.
    #[error(
        "the secret's value starts like a JSON object but is not an object of webhook names with a secret or a list \
         of secrets (line {line}, column {column})"
    )]
    MalformedObject {
        /// The line of the error, from 1.
        line: usize,
        /// The column of the error, from 1.
        column: usize,
    },
}

impl Secrets {
    /// Parses the string of the Secrets Manager secret. docs/configuration.md, "Secrets", describes its two forms.
    ///
    /// # Errors
    /// If the text is not a valid value. Malformed JSON is an error and not a plain-text secret, so that a typo cannot become
    /// the secret.
    pub fn parse(text: String) -> Result<Self, InvalidSecret> {
        let text = Zeroizing::new(text);
        let value = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim();
        let visible = value.trim_start_matches(|c: char| c.is_whitespace() || is_zero_width(c));
        match visible.as_bytes() {
            [] => return Err(InvalidSecret::Blank),
            [b'{', ..] => {}
            [b'[' | b'"', ..] if serde_json::from_str::<IgnoredAny>(visible).is_ok() => {
                return Err(InvalidSecret::NotAnObject);
            }
            _ => return Ok(Self::Shared(Secret::new(text.to_string()))),
        }
        // serde_json's message could quote the value, so only the position is kept.
        let by_webhook: HashMap<String, OneOrMany> =
            serde_json::from_str(value).map_err(|error| InvalidSecret::MalformedObject {
                line: error.line(),
                column: error.column(),
            })?;
        let named = by_webhook.into_iter();
        Ok(Self::ByWebhook(named.map(|(webhook, OneOrMany(secrets))| (webhook, secrets)).collect()))
    }

    /// All secrets.
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
        let (shared, by_webhook) = match self {
            Self::Shared(secret) => (Some(secret), None),
            Self::ByWebhook(by_webhook) => (None, Some(by_webhook.values().flatten())),
        };
        shared.into_iter().chain(by_webhook.into_iter().flatten())
    }

    /// The secrets of a scope, any of which may match; `None` if there is no entry for it. An entry may be an empty list, which
    /// verifies nothing.
    pub fn get(&self, scope: SecretScope<'_>) -> Option<&[Secret]> {
        let by_webhook = match self {
            Self::Shared(secret) => return Some(std::slice::from_ref(secret)),
            Self::ByWebhook(by_webhook) => by_webhook,
        };
        let name = match scope {
            // Otherwise, the holder of the training secret could send label events. No route has this name; this guards other
            // callers.
            SecretScope::Webhook(TRAINING) => return None,
            SecretScope::Webhook(name) => name,
            SecretScope::Training => TRAINING,
        };
        by_webhook.get(name).map(Vec::as_slice)
    }
}

/// Invisible characters that copying from editors and web pages can leave before the value. An object after them is
/// malformed, and not plain text.
fn is_zero_width(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | BYTE_ORDER_MARK)
}

/// A secret or a list of secrets. Each text becomes a [`Secret`] at once, so that it is zeroed even if the rest of the
/// object is malformed: serde's untagged enums would copy it, and drop the copy without zeroing it.
struct OneOrMany(Vec<Secret>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor).map(Self)
    }
}

struct OneOrManyVisitor;

impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = Vec<Secret>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret or a list of secrets")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![Secret::new(text.to_owned())])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut secrets = Vec::new();
        while let Some(text) = list.next_element()? {
            secrets.push(Secret::new(text));
        }
        Ok(secrets)
    }
}

#[cfg(test)]
mod tests;
