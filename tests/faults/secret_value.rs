//! The value of the secret in Secrets Manager, and how operators change it.

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The name under which the value has the secret of the training routes.
pub(crate) const TRAINING: &str = "training";
/// A webhook that is added and removed.
pub(crate) const ADDED: &str = "project-x";

/// A usable value.
#[derive(Clone)]
pub(crate) struct SecretValue {
    /// The secrets of each webhook, the newest first.
    by_webhook: BTreeMap<&'static str, Vec<String>>,
    /// The only secret, if the value is plain text in place of the object.
    shared: Option<Vec<String>>,
}

impl SecretValue {
    /// A value with this secret, and an empty one, which must never verify anything.
    pub(crate) fn of(secret: &str) -> Self {
        let list = |secrets: &[&str]| secrets.iter().map(|&secret| secret.to_owned()).collect();
        Self {
            by_webhook: BTreeMap::from([
                ("labelbox", list(&[secret, ""])),
                (TRAINING, list(&[secret])),
            ]),
            shared: None,
        }
    }

    /// The secrets of a webhook; `None` if it has no such name.
    pub(crate) fn secrets_of(&self, webhook: &str) -> Option<&[String]> {
        let secrets = self.shared.as_ref();
        let secrets = secrets.or_else(|| self.by_webhook.get(webhook));
        secrets.map(Vec::as_slice)
    }

    /// The string of the Secrets Manager secret.
    pub(crate) fn text(&self) -> String {
        if let Some(shared) = &self.shared {
            return shared[0].clone();
        }
        let written = |secrets: &Vec<String>| match secrets.as_slice() {
            [secret] => json!(secret),
            secrets => json!(secrets),
        };
        let by_webhook = self.by_webhook.iter();
        let object: BTreeMap<_, Value> = by_webhook
            .map(|(webhook, secrets)| (webhook, written(secrets)))
            .collect();
        json!(object).to_string()
    }

    /// Adds `new` to the value, or removes an old secret. Returns what was done.
    pub(crate) fn change(&mut self, new: String, rng: &mut Rng) -> &'static str {
        if self.shared.take().is_some() {
            return "the object is back";
        }
        match rng.u8(..8) {
            0 => {
                self.shared = Some(vec![new]);
                return "one secret for all";
            }
            1 | 2 => {
                if self.by_webhook.remove(ADDED).is_some() {
                    return "a webhook is removed";
                }
                self.by_webhook.insert(ADDED, vec![new]);
                return "a webhook is added";
            }
            _ => {}
        }
        let webhooks: Vec<_> = self.by_webhook.keys().copied().collect();
        let secrets = self.by_webhook.get_mut(rng.choice(webhooks).unwrap());
        let secrets = secrets.unwrap();
        if secrets.len() > 1 {
            secrets.pop();
            return "the old secret is removed";
        }
        if rng.u8(..4) == 0 {
            *secrets = vec![new];
            return "the secret is replaced";
        }
        secrets.insert(0, new);
        "a secret is added in front"
    }
}
