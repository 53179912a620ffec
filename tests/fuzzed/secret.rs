//! The oracle of the secret's value: which routes open with which texts, by the tree of the JSON; and nothing of it shows.

use super::json::{Json, Members};
use super::mac;
use super::signature::key;
use labelbox_relay::secrets::{Secret, Secrets};
use labelbox_relay::signature::{Signatures, Unverified};
use std::collections::BTreeMap;

const BODY: &[u8] = b"{}";

/// What the value must be: one text for every route, or texts by the names of webhooks.
enum Value {
    Shared(String),
    ByWebhook(BTreeMap<String, Vec<String>>),
}

/// Why a value cannot be meant as a secret.
enum Fault {
    Blank,
    ListOrString,
    MalformedObject,
}

/// Parses a value, and compares the secrets of each route with what the value says.
pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (secrets, value) = match (Secrets::parse(text.to_owned()), Value::of(text)) {
        (Ok(secrets), Ok(value)) => (secrets, value),
        (Err(error), Err(fault)) => return check_error(&error.to_string(), fault, text),
        (Ok(_), Err(_)) => panic!("an unusable value was accepted"),
        (Err(error), Ok(_)) => panic!("a good value was refused: {error}"),
    };
    let mut names: Vec<&str> = vec!["labelbox", "training", "", text];
    if let Value::ByWebhook(by_webhook) = &value {
        names.extend(by_webhook.keys().map(String::as_str));
    }
    for name in names {
        let expected = value.of_name(name);
        let for_webhooks = match &value {
            Value::ByWebhook(_) if name == "training" => None,
            _ => expected.clone(),
        };
        check_secrets(secrets.of_webhook(name), for_webhooks);
        if name == "training" {
            check_secrets(secrets.of_training(), expected);
        }
    }
    check_nothing_shows(&secrets, &value);
}

fn check_secrets(secrets: Option<&[Secret]>, expected: Option<Vec<&str>>) {
    let texts = secrets.map(|secrets| {
        let texts = secrets
            .iter()
            .map(|secret| std::str::from_utf8(secret.as_bytes()).unwrap());
        texts.collect::<Vec<_>>()
    });
    assert_eq!(texts, expected);
    for (at, secret) in secrets.into_iter().flatten().enumerate() {
        let signature = format!(
            "sha256={}",
            hex::encode(mac::sha256(secret.as_bytes(), BODY))
        );
        let signatures =
            Signatures::read([].into_iter(), [signature.as_str()].into_iter()).unwrap();
        let secrets = secrets.unwrap_or_default();
        let is_open = Unverified::new(BODY.to_vec())
            .verify(&signatures, &secrets[at..=at])
            .is_ok();
        assert_eq!(
            is_open,
            !secret.as_bytes().is_empty(),
            "an empty secret opens nothing"
        );
        assert_eq!(secret.is_empty(), secret.as_bytes().is_empty());
    }
}

/// An error says what and where in the value the fault is, and no more.
fn check_error(error: &str, fault: Fault, text: &str) {
    let fixed = match fault {
        Fault::Blank => "the secret's value is blank",
        Fault::ListOrString => {
            "the secret's value is a JSON list or a quoted JSON string; it must be plain text, or an object of webhook \
             names with a secret or a list of secrets"
        }
        Fault::MalformedObject => return check_position(error, text),
    };
    assert_eq!(error, fixed);
}

fn check_position(error: &str, text: &str) {
    let numbers: Vec<usize> = error
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    let [line, column] = numbers[..] else {
        panic!("not a line and a column: {error}")
    };
    assert_eq!(
        error,
        format!(
            "the secret's value starts like a JSON object but is not an object of webhook names with a secret or a \
             list of secrets (line {line}, column {column})"
        )
    );
    assert!(line <= text.lines().count() + 1 && column <= text.len() + 1);
}

/// Its `Debug` has the names of webhooks and how many secrets they have, in any order.
fn check_nothing_shows(secrets: &Secrets, value: &Value) {
    let shown = format!("{secrets:?}");
    let hidden = |count: usize| format!("[{}]", vec!["Secret(…)"; count].join(", "));
    let by_webhook = match value {
        Value::Shared(_) => return assert_eq!(shown, format!("Shared({})", hidden(1))),
        Value::ByWebhook(by_webhook) => by_webhook,
    };
    let parts = by_webhook
        .iter()
        .map(|(name, texts)| format!("{name:?}: {}", hidden(texts.len())));
    let parts: Vec<String> = parts.collect();
    let as_long = format!("ByWebhook({{{}}})", parts.join(", "));
    assert_eq!(shown.len(), as_long.len(), "{shown}");
    for part in parts {
        assert!(shown.contains(&part), "{shown}");
    }
}

/// White space, zero-width spaces and joiners, marks of direction, and a byte order mark.
fn is_not_seen(character: char) -> bool {
    let code_point = u32::from(character);
    character.is_whitespace()
        || (0x200b..=0x200f).contains(&code_point)
        || (0x2060..=0x2064).contains(&code_point)
        || code_point == 0xfeff
}

impl Value {
    fn of(text: &str) -> Result<Self, Fault> {
        let json = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
        let seen = json.trim_start_matches(is_not_seen);
        match Json::whole(seen) {
            _ if seen.is_empty() => Err(Fault::Blank),
            Some(Json::List(_) | Json::Text(_)) => Err(Fault::ListOrString),
            Some(Json::Object(pairs)) if seen == json => {
                Self::of_object(pairs).ok_or(Fault::MalformedObject)
            }
            _ if seen.starts_with('{') => Err(Fault::MalformedObject),
            _ => Ok(Self::Shared(key(text).to_owned())),
        }
    }

    /// Nothing, when it is not an object of names with texts.
    fn of_object(pairs: Members) -> Option<Self> {
        let by_webhook = pairs.into_iter().map(|(name, value)| {
            let texts = match value {
                Json::List(items) => items,
                one => vec![one],
            };
            let texts = texts.iter().map(|text| Some(key(text.text()?).to_owned()));
            Some((name?, texts.collect::<Option<_>>()?))
        });
        Some(Self::ByWebhook(by_webhook.collect::<Option<_>>()?))
    }

    fn of_name(&self, name: &str) -> Option<Vec<&str>> {
        match self {
            Self::Shared(text) => Some(vec![text]),
            Self::ByWebhook(by_webhook) => {
                Some(by_webhook.get(name)?.iter().map(String::as_str).collect())
            }
        }
    }
}
