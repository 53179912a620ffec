//! The `SecretStore` trait, and its implementation for AWS Secrets Manager.

use super::{InvalidSecret, Secrets};
use crate::aws::{CallError, Operation, Service};
use crate::deadlines::DeadlineExceeded;
use aws_sdk_secretsmanager::operation::get_secret_value::{
    GetSecretValue, GetSecretValueError, GetSecretValueInput, GetSecretValueOutput,
};
use std::error::Error;
use std::future::Future;

/// Stores the secrets.
pub trait SecretStore {
    /// Fetches the current secrets.
    fn fetch(&self) -> impl Future<Output = Result<Secrets, FetchError>> + Send;
}

/// Why the secrets could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No usable response: network, timeout, throttling, an error of the service. The last value stays in use.
    #[error("the secret store could not be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// Access is denied, or the secret does not exist. The last value is dropped at its age limit.
    #[error("the secret store denied access")]
    Denied(#[source] Box<dyn Error + Send + Sync>),
    /// The value cannot be meant as a secret. The last value stays in use: a typing mistake must not stop events that it
    /// verifies.
    #[error("the secret cannot be used")]
    Unusable(#[source] Box<dyn Error + Send + Sync>),
    /// The last fetch failed with this error, and it is too early for another one.
    #[error("the last fetch failed and the next one is not due yet: {0}")]
    NotDue(String),
}

impl From<DeadlineExceeded> for FetchError {
    fn from(error: DeadlineExceeded) -> Self {
        Self::Unreachable(error.into())
    }
}

impl From<InvalidSecret> for FetchError {
    fn from(error: InvalidSecret) -> Self {
        Self::Unusable(error.into())
    }
}

/// The current version of a secret in AWS Secrets Manager.
pub struct SecretsManager {
    service: Service,
    get_secret_value: Operation<GetSecretValueInput, GetSecretValueOutput, GetSecretValueError>,
    secret_id: String,
}

impl SecretsManager {
    /// Reads the secret with this name or ARN.
    pub fn new(service: Service, secret_id: String) -> Self {
        Self {
            service,
            get_secret_value: Operation::of(&GetSecretValue::new()),
            secret_id,
        }
    }

    async fn value(&self) -> Result<GetSecretValueOutput, CallError> {
        let input = GetSecretValueInput::builder().secret_id(&self.secret_id);
        let input = input.build();
        let input = input.map_err(CallError::malformed)?;
        let request = self.get_secret_value.write(input)?;
        self.get_secret_value.send(request, &self.service).await
    }
}

impl SecretStore for SecretsManager {
    async fn fetch(&self) -> Result<Secrets, FetchError> {
        let value = self.value().await.map_err(|error| match &error {
            CallError::Refused(refused) if refused.code.as_deref().is_some_and(is_denial) => {
                FetchError::Denied(error.into())
            }
            _ => FetchError::Unreachable(error.into()),
        })?;
        let text = value
            .secret_string
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

#[cfg(test)]
mod tests;
