//! Secrets Manager: what `GetSecretValue` answers.

use crate::cache::PossibleCache;
use crate::fault::Fault;
use crate::secret_value::SecretValue;
use crate::wire::{Answer, Request};
use fastrand::Rng;
use serde_json::json;

/// Texts that cannot be meant as a secret.
const UNUSABLE: [&str; 5] = [
    "",
    " \n",
    r#"{"labelbox": "#,
    r#"["secret"]"#,
    r#""secret""#,
];

/// One secret.
pub(crate) struct Vault {
    value: SecretValue,
    /// All secrets that were made for the value.
    secrets: Vec<String>,
    /// What the relay may have of it in its cache.
    pub(crate) cache: PossibleCache,
}

impl Vault {
    pub(crate) fn with(secret: &str) -> Self {
        Self {
            value: SecretValue::of(secret),
            secrets: vec![secret.to_owned()],
            cache: PossibleCache::default(),
        }
    }

    /// Changes the value, and says how.
    pub(crate) fn rotate(&mut self, rng: &mut Rng) -> &'static str {
        let new = format!("secret {}", rng.u32(..));
        self.secrets.push(new.clone());
        self.value.change(new, rng)
    }

    /// A secret to sign with for `webhook`: mostly its newest one, else any, current or not.
    pub(crate) fn any_secret(&self, webhook: &str, rng: &mut Rng) -> String {
        let newest = self.value.secrets_of(webhook).map(|secrets| &secrets[0]);
        let newest = newest.filter(|_| rng.u8(..4) > 0);
        let secret = newest.or_else(|| rng.choice(&self.secrets));
        secret.unwrap().clone()
    }

    /// Records a call and its fault.
    pub(crate) fn record_call(&mut self, fault: Option<Fault>, is_awaited: bool) {
        self.cache.record_call(&self.value, fault, is_awaited);
    }

    pub(crate) fn answer(&self, request: &Request, fault: Option<Fault>, rng: &mut Rng) -> Answer {
        let target = request.header("x-amz-target");
        assert_eq!(target, Some("secretsmanager.GetSecretValue"));
        let (field, value) = match fault {
            Some(Fault::UnusableSecret) => ("SecretString", json!(rng.choice(UNUSABLE))),
            Some(Fault::BinarySecret) => ("SecretBinary", json!("aHVudGVyMg==")),
            _ => ("SecretString", json!(self.value.text())),
        };
        let mut answer = json!({
            "ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:relay-AbCdEf",
            "Name": "relay",
            "VersionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111",
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": 1_523_477_145.713,
        });
        answer[field] = value;
        Answer::new(200, "application/x-amz-json-1.1", answer.to_string())
    }
}
