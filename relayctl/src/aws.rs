//! The AWS clients, with the credentials and settings that the AWS CLI would use; and what AWS says when it fails.

use crate::command::Place;
use crate::trouble::Trouble;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::config::SharedHttpClient;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use labelbox_relay::error::error_chain;
use std::error::Error;
use std::time::Duration;

/// Long enough for a message of 1 MiB over a slow line.
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(3);
const ATTEMPT_TIME_LIMIT: Duration = Duration::from_secs(7);
/// One call with its retries: [`crate::redrive`] counts on it.
pub const CALL_TIME_LIMIT: Duration = Duration::from_secs(15);

/// Codes by which services say that they do not know who asks.
const NOT_KNOWN: [&str; 8] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// A client for each service that the tool uses.
pub struct Clients {
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub iam: aws_sdk_iam::Client,
    pub lambda: aws_sdk_lambda::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub s3: aws_sdk_s3::Client,
    pub secrets_manager: aws_sdk_secretsmanager::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub region: String,
}

impl Clients {
    /// Connects as the user's settings say. `own_s3` says that S3 alone is at an address of the user's own.
    pub async fn connect(place: &Place, own_s3: bool) -> Result<Self, Trouble> {
        let mut settings = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client())
            .timeout_config(time_limits())
            .retry_config(RetryConfig::standard());
        if let Some(profile) = &place.profile {
            settings = settings.profile_name(profile);
        }
        if let Some(region) = &place.region {
            settings = settings.region(Region::new(region.clone()));
        }
        Self::over(&settings.load().await, own_s3)
    }

    fn over(shared: &SdkConfig, own_s3: bool) -> Result<Self, Trouble> {
        let region = shared.region().map(ToString::to_string);
        let region = region.filter(|region| !region.is_empty());
        let region = region.ok_or(Trouble::NoRegion)?;
        // An address of one's own has no host name for each bucket.
        let s3 = aws_sdk_s3::config::Builder::from(shared)
            .force_path_style(own_s3 || shared.endpoint_url().is_some());
        Ok(Self {
            cloudformation: aws_sdk_cloudformation::Client::new(shared),
            iam: aws_sdk_iam::Client::new(shared),
            lambda: aws_sdk_lambda::Client::new(shared),
            logs: aws_sdk_cloudwatchlogs::Client::new(shared),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            secrets_manager: aws_sdk_secretsmanager::Client::new(shared),
            sqs: aws_sdk_sqs::Client::new(shared),
            region,
        })
    }
}

/// HTTPS, with the TLS that the function has, too, and the machine's root certificates.
fn http_client() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

fn time_limits() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIME_LIMIT)
        .operation_attempt_timeout(ATTEMPT_TIME_LIMIT)
        .operation_timeout(CALL_TIME_LIMIT)
        .build()
}

/// What a failed call comes to when nothing can be done without it.
pub fn trouble<E>(action: &'static str, error: &SdkError<E>) -> Trouble
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let said = said(error);
    let code = error.code().unwrap_or_default();
    if has_cause::<CredentialsError>(error) || NOT_KNOWN.contains(&code) {
        return Trouble::NoCredentials(said);
    }
    match error {
        SdkError::ServiceError(_) if code.contains("AccessDenied") => {
            Trouble::NotAllowed { action, said }
        }
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
            Trouble::NoAnswer { action, said }
        }
        _ => Trouble::Failed { action, said },
    }
}

/// What went wrong with a call: the service's own words, or else the whole chain of causes.
pub fn said<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error_chain(error),
    }
}

fn has_cause<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if cause.is::<T>() {
            return true;
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
pub use offline::{ETAG, offline, offline_at};

#[cfg(test)]
mod offline;
#[cfg(test)]
mod tests;
