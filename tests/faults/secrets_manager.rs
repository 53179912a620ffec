//! A fake Secrets Manager that implements `GetSecretValue`, and rotations of its secret.

use crate::cache_model::CacheModel;
use crate::fault::Fault;
use crate::http::{Request, Response};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The name that holds the secret of the training routes.
pub(crate) const TRAINING: &str = "training";
/// A webhook that rotations add and remove.
pub(crate) const ADDED_WEBHOOK: &str = "project-x";
/// Strings that are not valid secrets.
const INVALID_VALUES: [&str; 5] = ["", " \n", r#"{"labelbox": "#, r#"["secret"]"#, r#""secret""#];

/// One Secrets Manager secret.
pub(crate) struct FakeSecretsManager {
    value: SecretValue,
    /// Every secret that the value has ever contained.
    secrets: Vec<String>,
    /// The possible contents of the relay's cache.
    pub(crate) cache: CacheModel,
}

impl FakeSecretsManager {
    pub(crate) fn new(secret: &str) -> Self {
        Self {
            value: SecretValue::new(secret),
            secrets: vec![secret.to_owned()],
            cache: CacheModel::default(),
        }
    }

    /// Changes the value, and describes the change.
    pub(crate) fn rotate(&mut self, rng: &mut Rng) -> &'static str {
        let new = format!("secret {}", rng.u32(..));
        self.secrets.push(new.clone());
        self.value.rotate(new, rng)
    }

    /// A secret to sign with for `webhook`: usually its newest one, otherwise any that ever existed.
    pub(crate) fn random_secret(&self, webhook: &str, rng: &mut Rng) -> String {
        let newest = self.value.secrets_of(webhook).map(|secrets| &secrets[0]);
        let newest = newest.filter(|_| rng.u8(..4) > 0);
        let secret = newest.or_else(|| rng.choice(&self.secrets));
        secret.unwrap().clone()
    }

    /// Records a `GetSecretValue` request and its fault in the cache model.
    pub(crate) fn record_fetch(&mut self, fault: Option<Fault>, is_awaited: bool) {
        self.cache.record_fetch(&self.value, fault, is_awaited);
    }

    pub(crate) fn handle(
        &self,
        request: &Request,
        fault: Option<Fault>,
        rng: &mut Rng,
    ) -> Response {
        let target = request.header("x-amz-target");
        assert_eq!(target, Some("secretsmanager.GetSecretValue"));
        let (field, value) = match fault {
            Some(Fault::InvalidSecret) => ("SecretString", json!(rng.choice(INVALID_VALUES))),
            Some(Fault::BinarySecret) => ("SecretBinary", json!("aHVudGVyMg==")),
            _ => ("SecretString", json!(self.value.secret_string())),
        };
        let mut output = json!({
            "ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:relay-AbCdEf",
            "Name": "relay",
            "VersionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111",
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": 1_523_477_145.713,
        });
        output[field] = value;
        Response::new(200, "application/x-amz-json-1.1", output.to_string())
    }
}

/// A valid value.
#[derive(Clone)]
pub(crate) struct SecretValue {
    /// The secrets of each webhook, the newest first.
    by_webhook: BTreeMap<&'static str, Vec<String>>,
    /// While this is `Some`, the value is this plain text and not the object.
    shared: Option<Vec<String>>,
}

impl SecretValue {
    /// A value with this secret, and with an empty one, which must never verify a signature.
    fn new(secret: &str) -> Self {
        let list = |secrets: &[&str]| secrets.iter().map(|&secret| secret.to_owned()).collect();
        Self {
            by_webhook: BTreeMap::from([
                ("labelbox", list(&[secret, ""])),
                (TRAINING, list(&[secret])),
            ]),
            shared: None,
        }
    }

    /// The secrets of a webhook; `None` if the value does not have its name.
    pub(crate) fn secrets_of(&self, webhook: &str) -> Option<&[String]> {
        let secrets = self.shared.as_ref();
        let secrets = secrets.or_else(|| self.by_webhook.get(webhook));
        secrets.map(Vec::as_slice)
    }

    /// The value as a `SecretString`.
    fn secret_string(&self) -> String {
        if let Some(shared) = &self.shared {
            return shared[0].clone();
        }
        let to_json = |secrets: &Vec<String>| match secrets.as_slice() {
            [secret] => json!(secret),
            secrets => json!(secrets),
        };
        let by_webhook = self.by_webhook.iter();
        let object: BTreeMap<_, Value> =
            by_webhook.map(|(webhook, secrets)| (webhook, to_json(secrets))).collect();
        json!(object).to_string()
    }

    /// Adds `new` to the value, or removes an old secret. Describes the change.
    fn rotate(&mut self, new: String, rng: &mut Rng) -> &'static str {
        if self.shared.take().is_some() {
            return "back to the object";
        }
        match rng.u8(..8) {
            0 => {
                self.shared = Some(vec![new]);
                return "one shared secret";
            }
            1 | 2 => {
                if self.by_webhook.remove(ADDED_WEBHOOK).is_some() {
                    return "webhook removed";
                }
                self.by_webhook.insert(ADDED_WEBHOOK, vec![new]);
                return "webhook added";
            }
            _ => {}
        }
        let webhooks: Vec<_> = self.by_webhook.keys().copied().collect();
        let secrets = self.by_webhook.get_mut(rng.choice(webhooks).unwrap());
        let secrets = secrets.unwrap();
        if secrets.len() > 1 {
            secrets.pop();
            return "old secret removed";
        }
        if rng.u8(..4) == 0 {
            *secrets = vec![new];
            return "secret replaced";
        }
        secrets.insert(0, new);
        "new secret added"
    }
}
