//! Secrets Manager: what `GetSecretValue` answers.

use crate::fault::Fault;
use crate::wire::{Answer, Request};
use serde_json::{Value, json};

/// One secret.
pub(crate) struct Vault {
    value: String,
    /// Whether another value than the right one was ever given out.
    pub(crate) has_misled: bool,
}

impl Vault {
    pub(crate) fn with(value: String) -> Self {
        Self {
            value,
            has_misled: false,
        }
    }

    pub(crate) fn answer(&mut self, request: &Request, fault: Option<Fault>) -> Answer {
        let target = request.header("x-amz-target");
        assert_eq!(target, Some("secretsmanager.GetSecretValue"));
        let (field, value) = match fault {
            Some(Fault::EmptySecret) => ("SecretString", ""),
            Some(Fault::MalformedSecret) => ("SecretString", r#"{"labelbox": "#),
            Some(Fault::BinarySecret) => ("SecretBinary", "aHVudGVyMg=="),
            Some(Fault::OtherSecret) => ("SecretString", "another secret"),
            _ => ("SecretString", self.value.as_str()),
        };
        self.has_misled |= matches!(fault, Some(Fault::EmptySecret | Fault::OtherSecret));
        let mut answer = json!({
            "ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:relay-AbCdEf",
            "Name": "relay",
            "VersionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111",
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": 1_523_477_145.713,
        });
        answer[field] = Value::from(value);
        Answer::new(200, "application/x-amz-json-1.1", answer.to_string())
    }
}
