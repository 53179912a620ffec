//! What a secret is: its text, the webhooks that it belongs to, and how it hides.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;
use zeroize::Zeroizing;

/// The name of the secret that signs the training routes; no webhook can have it.
const TRAINING: &str = "training";

/// One shared secret. It is never printed, and its memory is zeroed on drop. `docs/security.md` says which copies are not
/// ours to zero, such as the answer that it came in.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret's text; one trailing newline, with or without a carriage return, is not part of it.
    pub fn new(mut text: String) -> Self {
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Self(Zeroizing::new(text))
    }

    /// Whether there is nothing to sign with. An empty secret never verifies anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The HMAC key: the text as UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Every secret that Secrets Manager gave us in one value.
#[derive(Debug)]
pub enum Secrets {
    /// Plain text: one secret for every route.
    ForAll(Vec<Secret>),
    /// A JSON object: each webhook name has its own, several of them while rotating.
    ByWebhook(HashMap<String, Vec<Secret>>),
}

/// The value looks like a JSON object but is not one of names with secrets.
#[derive(Debug, thiserror::Error)]
#[error(
    "the secret's value starts like a JSON object but is not an object of webhook names with a secret or a list of \
     secrets (line {line}, column {column})"
)]
pub struct MalformedSecret {
    line: usize,
    column: usize,
}

impl Secrets {
    /// Reads the string of the Secrets Manager secret; see README.md, "Secrets and rotation", for its two forms.
    ///
    /// # Errors
    /// When the text starts with `{` and is no object from names to a secret or a list of secrets: a typing mistake
    /// in the object must not turn the object's own text into a secret.
    pub fn parse(text: String) -> Result<Self, MalformedSecret> {
        let text = Zeroizing::new(text);
        if !text.trim_start().starts_with('{') {
            return Ok(Self::ForAll(vec![Secret::new(text.to_string())]));
        }
        // serde_json's message could quote a part of the value, so only the place is kept.
        let by_webhook: HashMap<String, Listed> =
            serde_json::from_str(&text).map_err(|error| MalformedSecret {
                line: error.line(),
                column: error.column(),
            })?;
        let named = by_webhook.into_iter();
        Ok(Self::ByWebhook(
            named
                .map(|(webhook, Listed(secrets))| (webhook, secrets))
                .collect(),
        ))
    }

    /// The secrets of a webhook, any of which may match; `None` when the name is not known.
    pub fn of_webhook(&self, webhook: &str) -> Option<&[Secret]> {
        match self {
            // Else whoever runs the training service could send label events.
            Self::ByWebhook(_) if webhook == TRAINING => None,
            _ => self.of(webhook),
        }
    }

    /// The secrets of the training routes; `None` when they have none.
    pub fn of_training(&self) -> Option<&[Secret]> {
        self.of(TRAINING)
    }

    fn of(&self, webhook: &str) -> Option<&[Secret]> {
        match self {
            Self::ForAll(secrets) => Some(secrets),
            Self::ByWebhook(by_webhook) => by_webhook.get(webhook).map(Vec::as_slice),
        }
    }
}

/// A secret or a list of secrets. What is read becomes a [`Secret`] at once, so that it is zeroed even where the rest of
/// the object turns out to be wrong: serde's own untagged enums copy texts, and drop them as they are.
struct Listed(Vec<Secret>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMore).map(Self)
    }
}

struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
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
