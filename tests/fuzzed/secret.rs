//! The oracle of the secret's value: which secrets each route has, from the tree of its JSON, and that errors and `Debug`
//! disclose none of them.

use super::json::{Json, Members};
use super::signature::{hmac_sha256, key};
use labelbox_relay::secrets::{Secret, SecretScope, Secrets};
use labelbox_relay::signature::{Signatures, Unverified};
use std::collections::BTreeMap;

const BODY: &[u8] = b"{}";

/// The expected value: one secret for every route, or secrets by webhook name.
enum Value {
    Shared(String),
    ByWebhook(BTreeMap<String, Vec<String>>),
}

/// Why a value must be rejected.
enum InvalidValue {
    Blank,
    ArrayOrString,
    MalformedObject,
}

/// Parses a value, and compares the secrets of each route with the expected ones.
pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (secrets, value) = match (Secrets::parse(text.to_owned()), Value::parse(text)) {
        (Ok(secrets), Ok(value)) => (secrets, value),
        (Err(error), Err(reason)) => return check_error(&error.to_string(), reason, text),
        (Ok(_), Err(_)) => panic!("an invalid value was accepted"),
        (Err(error), Ok(_)) => panic!("a valid value was rejected: {error}"),
    };
    let mut names: Vec<&str> = vec!["labelbox", "training", "", text];
    if let Value::ByWebhook(by_webhook) = &value {
        names.extend(by_webhook.keys().map(String::as_str));
    }
    for name in names {
        let expected = value.secrets_of(name);
        let for_webhooks = match &value {
            Value::ByWebhook(_) if name == "training" => None,
            _ => expected.clone(),
        };
        check_secrets(secrets.get(SecretScope::Webhook(name)), for_webhooks);
        if name == "training" {
            check_secrets(secrets.get(SecretScope::Training), expected);
        }
    }
    check_debug(&secrets, &value);
}

fn check_secrets(secrets: Option<&[Secret]>, expected: Option<Vec<&str>>) {
    let texts = secrets.map(|secrets| {
        let texts = secrets.iter().map(|secret| std::str::from_utf8(secret.as_bytes()).unwrap());
        texts.collect::<Vec<_>>()
    });
    assert_eq!(texts, expected);
    for (at, secret) in secrets.into_iter().flatten().enumerate() {
        let signature = format!("sha256={}", hex::encode(hmac_sha256(secret.as_bytes(), BODY)));
        let signatures =
            Signatures::parse([].into_iter(), [signature.as_str()].into_iter()).unwrap();
        let secrets = secrets.unwrap_or_default();
        let is_accepted =
            Unverified::new(BODY.to_vec()).verify(&signatures, &secrets[at..=at]).is_ok();
        assert_eq!(is_accepted, !secret.as_bytes().is_empty(), "an empty secret verifies nothing");
        assert_eq!(secret.is_empty(), secret.as_bytes().is_empty());
    }
}

/// An error states the reason and the position in the value, and nothing of the value itself.
fn check_error(error: &str, reason: InvalidValue, text: &str) {
    let expected = match reason {
        InvalidValue::Blank => "the secret's value is blank",
        InvalidValue::ArrayOrString => {
            "the secret's value is a JSON list or a quoted JSON string; it must be plain text, or an object of webhook \
             names with a secret or a list of secrets"
        }
        InvalidValue::MalformedObject => return check_position(error, text),
    };
    assert_eq!(error, expected);
}

fn check_position(error: &str, text: &str) {
    let numbers: Vec<usize> = error
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    let [line, column] = numbers[..] else { panic!("no line and column: {error}") };
    assert_eq!(
        error,
        format!(
            "the secret's value starts like a JSON object but is not an object of webhook names with a secret or a \
             list of secrets (line {line}, column {column})"
        )
    );
    assert!(line <= text.lines().count() + 1 && column <= text.len() + 1);
}

/// `Debug` shows the names of webhooks and the number of their secrets, in any order.
fn check_debug(secrets: &Secrets, value: &Value) {
    let debug = format!("{secrets:?}");
    let redacted = |count: usize| format!("[{}]", vec!["Secret(…)"; count].join(", "));
    let by_webhook = match value {
        Value::Shared(_) => return assert_eq!(debug, "Shared(Secret(…))"),
        Value::ByWebhook(by_webhook) => by_webhook,
    };
    let parts =
        by_webhook.iter().map(|(name, texts)| format!("{name:?}: {}", redacted(texts.len())));
    let parts: Vec<String> = parts.collect();
    let same_length = format!("ByWebhook({{{}}})", parts.join(", "));
    assert_eq!(debug.len(), same_length.len(), "{debug}");
    for part in parts {
        assert!(debug.contains(&part), "{debug}");
    }
}

/// White space, zero-width spaces and joiners, directional marks, and the byte order mark.
fn is_invisible(character: char) -> bool {
    let code_point = u32::from(character);
    character.is_whitespace()
        || (0x200b..=0x200f).contains(&code_point)
        || (0x2060..=0x2064).contains(&code_point)
        || code_point == 0xfeff
}

impl Value {
    fn parse(text: &str) -> Result<Self, InvalidValue> {
        let json = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
        let visible = json.trim_start_matches(is_invisible);
        match Json::parse(visible) {
            _ if visible.is_empty() => Err(InvalidValue::Blank),
            Some(Json::Array(_) | Json::String(_)) => Err(InvalidValue::ArrayOrString),
            Some(Json::Object(members)) if visible == json => {
                Self::from_members(members).ok_or(InvalidValue::MalformedObject)
            }
            _ if visible.starts_with('{') => Err(InvalidValue::MalformedObject),
            _ => Ok(Self::Shared(key(text).to_owned())),
        }
    }

    /// Returns `None` unless all names are valid and all values are strings or arrays of strings.
    fn from_members(members: Members) -> Option<Self> {
        let by_webhook = members.into_iter().map(|(name, value)| {
            let texts = match value {
                Json::Array(items) => items,
                one => vec![one],
            };
            let texts = texts.iter().map(|text| Some(key(text.as_str()?).to_owned()));
            Some((name?, texts.collect::<Option<_>>()?))
        });
        Some(Self::ByWebhook(by_webhook.collect::<Option<_>>()?))
    }

    fn secrets_of(&self, name: &str) -> Option<Vec<&str>> {
        match self {
            Self::Shared(text) => Some(vec![text]),
            Self::ByWebhook(by_webhook) => {
                Some(by_webhook.get(name)?.iter().map(String::as_str).collect())
            }
        }
    }
}
