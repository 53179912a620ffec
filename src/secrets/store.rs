//! The `SecretStore` trait, and its implementation for AWS Secrets Manager.

use super::{InvalidSecret, Secrets};
use crate::config::Config;
use aws_lite::{AwsConfig, AwsError, BoxError, JsonClient, JsonService};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;
use std::future::Future;
use zeroize::Zeroizing;

/// Stores the secrets.
pub trait SecretStore {
    /// Fetches the current secrets.
    fn fetch(&self) -> impl Future<Output = Result<Secrets, FetchError>> + Send;
}

/// Why the secrets could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No usable response: network, timeout, throttling, an error of the service. The last value stays in use.
    #[error("the secret store gave no usable response")]
    Unavailable(#[from] BoxError),
    /// Access is denied, or the secret does not exist. The last value is dropped at its age limit.
    #[error("the secret store denied access")]
    Denied(#[source] BoxError),
    /// The value is not a valid secret. The last value stays in use: a typo must not stop events that it verifies.
    #[error("the secret cannot be used")]
    Unusable(#[source] BoxError),
    /// The last fetch failed with this error, and it is too early for another one.
    #[error("the last fetch failed and the next one is not due yet: {0}")]
    NotDue(String),
}

impl From<InvalidSecret> for FetchError {
    fn from(error: InvalidSecret) -> Self {
        Self::Unusable(error.into())
    }
}

/// The current version of a secret in AWS Secrets Manager.
pub struct SecretsManager {
    client: JsonClient,
    secret_id: String,
}

impl SecretsManager {
    /// Reads the secret in the settings.
    pub fn new(config: &Config, aws: &AwsConfig) -> Self {
        let endpoint = config.aws.secrets_manager_endpoint.as_deref();
        Self {
            client: JsonClient::new(JsonService::SECRETS_MANAGER, aws, endpoint),
            secret_id: config.secret_id.clone(),
        }
    }

    async fn get_secret_value(&self) -> Result<GetSecretValueOutput, AwsError> {
        let input = serde_json::json!({ "SecretId": self.secret_id }).to_string();
        self.client.call("secretsmanager.GetSecretValue", input.into()).await
    }
}

impl SecretStore for SecretsManager {
    async fn fetch(&self) -> Result<Secrets, FetchError> {
        let value = self.get_secret_value().await.map_err(|error| match &error {
            AwsError::Service(service) if service.code.as_deref().is_some_and(is_denial) => {
                FetchError::Denied(error.into())
            }
            _ => FetchError::Unavailable(error.into()),
        })?;
        let text = value
            .secret_string
            .map(|mut string| std::mem::take(&mut *string.0))
            .ok_or_else(|| FetchError::Unusable("it is binary, not a string".into()))?;
        Ok(Secrets::parse(text)?)
    }
}

/// Whether an error code is about the secret or the access to it, and not about the service.
///
/// A secret that is scheduled for deletion causes `InvalidRequestException`. Source:
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>.
fn is_denial(code: &str) -> bool {
    matches!(
        code,
        "AccessDeniedException"
            | "AccessDenied"
            | "DecryptionFailure"
            | "InvalidRequestException"
            | "ResourceNotFoundException"
    )
}

/// The response of `GetSecretValue`, as far as it is used. Source:
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValueOutput {
    secret_string: Option<SecretString>,
}

/// A string that is unescaped without serde_json's buffer, which would not be zeroed.
struct SecretString(Zeroizing<String>);

impl<'de> Deserialize<'de> for SecretString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        let string = unescape(json).map(Self);
        string.ok_or_else(|| D::Error::custom("it is not a string"))
    }
}

/// Reads a valid JSON string, and `None` from other JSON.
fn unescape(json: &str) -> Option<Zeroizing<String>> {
    let mut rest = json.strip_prefix('"')?.strip_suffix('"')?;
    // It never grows, which would leave a copy: an escape is longer than its character.
    let mut string = Zeroizing::new(String::with_capacity(rest.len()));
    while let Some((unescaped, escape)) = rest.split_once('\\') {
        // `\n`, `\u00e9`, or a pair of surrogates.
        let (character, length) = [1, 5, 11].into_iter().find_map(|length| {
            let escape = escape.get(..length)?;
            let character = serde_json::from_str::<char>(&format!("\"\\{escape}\"")).ok()?;
            Some((character, length))
        })?;
        string.push_str(unescaped);
        string.push(character);
        rest = escape.get(length..)?;
    }
    string.push_str(rest);
    Some(string)
}

#[cfg(test)]
mod tests;
