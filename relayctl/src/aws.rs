//! AWS clients with the credentials and settings that the AWS CLI would use, and the errors of their calls.

pub mod archive;
pub mod log;
pub mod message;
pub mod payload;
pub mod profile;
pub mod queue;
pub mod secret_store;
pub mod spilled_message;
pub mod stack;
pub mod upload;

use crate::cli::GlobalArgs;
use crate::error::{AwsError, AwsErrorKind, Error};
use crate::http;
use crate::sanitize::excerpt;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::config::SharedHttpClient;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use labelbox_relay::error::error_chain;
use std::error::Error as StdError;
use std::path::PathBuf;
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Long enough for a message of 1 MiB over a slow line.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(7);
/// One call with its retries: a redrive counts on it.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);

const CREDENTIALS_CODES: [&str; 8] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

const NOT_FOUND_CODES: [&str; 9] = [
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "NoSuchKey",
    "NoSuchLifecycleConfiguration",
    "NotFound",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
];

/// A client for each service that the tool uses.
pub struct Clients {
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub s3: aws_sdk_s3::Client,
    pub secrets_manager: aws_sdk_secretsmanager::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub sts: aws_sdk_sts::Client,
    /// For the relay's own URLs.
    pub http: reqwest::Client,
    pub region: String,
}

/// What the process's environment says beyond what the SDK reads.
#[derive(Debug, Default)]
pub struct Environment {
    /// `AWS_CA_BUNDLE`.
    pub ca_bundle: Option<String>,
    /// `AWS_PROFILE`.
    pub profile: Option<String>,
    /// Whether there is an `AWS_ACCESS_KEY_ID`.
    pub has_access_key: bool,
    /// A variable of the kind `AWS_ENDPOINT_URL` that is empty, at which the SDK panics.
    pub empty_endpoint: Option<String>,
    /// Whether there is an `AWS_ENDPOINT_URL_S3`.
    pub has_s3_endpoint: bool,
    /// Where the tool keeps what it has to know after it was interrupted.
    pub state_dir: Option<PathBuf>,
}

impl Clients {
    /// Connects as the AWS CLI would with the same options, environment variables and files. An explicit profile comes before
    /// credentials in environment variables.
    pub async fn connect(
        args: &GlobalArgs,
        environment: &Environment,
        ca_bundle: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let http_client = http_client(ca_bundle)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client.clone())
            .timeout_config(timeouts())
            .retry_config(RetryConfig::standard());
        if let Some(region) = &args.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(name) = &args.profile {
            loader = loader.profile_name(name);
        }
        let mut config = loader.load().await;
        if let Some(name) = &args.profile {
            let provider = ProviderConfig::without_region()
                .with_http_client(http_client)
                .with_region(config.region().cloned());
            let provider = ProfileFileCredentialsProvider::builder().configure(&provider);
            let provider = SharedCredentialsProvider::new(provider.profile_name(name).build());
            config = config.into_builder().credentials_provider(provider).build();
        }
        Self::new(&config, http::client(ca_bundle)?, environment.has_s3_endpoint)
    }

    fn new(
        config: &SdkConfig,
        http: reqwest::Client,
        has_s3_endpoint: bool,
    ) -> Result<Self, Error> {
        let region = config.region().map(ToString::to_string).filter(|region| !region.is_empty());
        let region = region.ok_or_else(|| {
            let message = "no AWS region is set; give --region, or set AWS_REGION, or a region in your profile";
            Error::Setup(message.to_owned())
        })?;
        // A custom endpoint has no host name for each bucket.
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(has_s3_endpoint || config.endpoint_url().is_some());
        Ok(Self {
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            secrets_manager: aws_sdk_secretsmanager::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            http,
            region,
        })
    }
}

/// HTTPS with ring, as in the function, through the proxy that the environment names.
fn http_client(ca_bundle: Option<&[u8]>) -> Result<SharedHttpClient, Error> {
    let mut tls = TlsContext::builder();
    if let Some(pem) = ca_bundle {
        tls = tls.with_trust_store(TrustStore::empty().with_pem_certificate(pem));
    }
    let tls = tls.build().map_err(|error| Error::HttpClient(error_chain(&error)))?;
    let connector = move |settings: Option<&HttpConnectorSettings>,
                          components: Option<&RuntimeComponents>| {
        let mut builder = Connector::builder().proxy_config(ProxyConfig::from_env());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        let builder = builder.tls_provider(Provider::Rustls(CryptoMode::Ring));
        builder.tls_context(tls.clone()).build()
    };
    Ok(Builder::new().build_with_connector_fn(connector))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build()
}

/// The result of a call.
pub trait CallResult<T> {
    /// Converts the error of a call that needs this IAM action.
    fn action(self, action: &'static str) -> Result<T, AwsError>;
}

impl<T, E: ProvideErrorMetadata + StdError + 'static> CallResult<T> for Result<T, SdkError<E>> {
    fn action(self, action: &'static str) -> Result<T, AwsError> {
        self.map_err(|it| error(action, &it))
    }
}

/// Converts the error of a call that needs this IAM action.
pub fn error<E>(action: &'static str, error: &SdkError<E>) -> AwsError
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let code = error.code().unwrap_or_default();
    let first: &(dyn StdError + 'static) = error;
    let sources = || std::iter::successors(Some(first), |error| (*error).source());
    let credentials = sources().find_map(|source| source.downcast_ref::<CredentialsError>());
    let kind = match error {
        _ if credentials.is_some() || CREDENTIALS_CODES.contains(&code) => {
            AwsErrorKind::Credentials
        }
        SdkError::ServiceError(_) if code.contains("AccessDenied") => AwsErrorKind::AccessDenied,
        SdkError::ServiceError(_) if NOT_FOUND_CODES.contains(&code) => AwsErrorKind::NotFound,
        SdkError::ConstructionFailure(_)
        | SdkError::DispatchFailure(_)
        | SdkError::TimeoutError(_) => AwsErrorKind::NoResponse,
        _ => AwsErrorKind::Other,
    };
    let message = match (error.code(), credentials) {
        (Some(_), _) => error.message().unwrap_or_default().to_owned(),
        (None, Some(CredentialsError::CredentialsNotLoaded(_))) => {
            "neither environment variables nor the profile have any".to_owned()
        }
        // What is above the cause are the layers of the SDK, one of which prints the request.
        (None, Some(error)) => excerpt(&error.source().map_or(error.to_string(), error_chain)),
        (None, None) => excerpt(&sources().last().unwrap_or(first).to_string()),
    };
    AwsError { action, kind, code: error.code().map(str::to_owned), message }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub use tests::{ETAG, offline};
