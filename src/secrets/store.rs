//! Where secrets come from: the need as a trait, and AWS Secrets Manager, which fills it.

use super::{InvalidSecret, Secrets};
use crate::aws::{CallError, Operation, Service};
use aws_sdk_secretsmanager::operation::get_secret_value::{
    GetSecretValue, GetSecretValueError, GetSecretValueInput, GetSecretValueOutput,
};
use std::error::Error;
use std::future::Future;

/// A place that holds the secrets.
pub trait SecretStore {
    /// Fetches the current secrets.
    fn fetch(&self) -> impl Future<Output = Result<Secrets, FetchError>> + Send;
}

/// Why the secrets could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No usable answer: network, time limit, throttling, a fault of the service. The last value stays good.
    #[error("the secret store could not be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// A clear no: access is refused, or the secret is gone. The last value must not outlive its age limit.
    #[error("the secret store refused")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// The store answered with something that cannot be used. A typing mistake must not stop events that the last
    /// value verifies, so it stays good.
    #[error("the secret cannot be used")]
    Unusable(#[source] Box<dyn Error + Send + Sync>),
    /// The last fetch failed with this error, and it is too early for another one.
    #[error("it is too early to fetch again after this failure: {0}")]
    NotDue(String),
}

impl From<InvalidSecret> for FetchError {
    fn from(error: InvalidSecret) -> Self {
        Self::Unusable(error.into())
    }
}

/// One secret in AWS Secrets Manager, always its current version.
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
            CallError::Refused(refused) if refused.code.as_deref().is_some_and(is_refusal) => {
                FetchError::Refused(error.into())
            }
            _ => FetchError::Unreachable(error.into()),
        })?;
        let text = value
            .secret_string
            .ok_or_else(|| FetchError::Unusable("it is binary, not a string".into()))?;
        Ok(Secrets::parse(text)?)
    }
}

/// The error codes that are a verdict on this secret, not a mishap on the way to it.
///
/// `InvalidRequestException` is what a secret that is scheduled for deletion answers. Source:
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>.
fn is_refusal(code: &str) -> bool {
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
