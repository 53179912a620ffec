//! The settings, from environment variables. All errors are reported at once.

mod env_reader;

use aws_lite::{AwsConfig, Credentials, HttpClient};
use env_reader::EnvReader;
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tracing::Level;

/// The largest message that SQS takes, attributes included. Source:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>.
const MAX_INLINE_KIB: usize = 1024;
const MAX_SECRET_TTL_SECONDS: u64 = 86_400;
const MAX_ARCHIVE_DAYS: u32 = 3650;

/// The settings of the relay.
#[derive(Debug)]
pub struct Config {
    /// Name or ARN of the secret in Secrets Manager.
    pub secret_id: String,
    /// The age limit of a fetched secret.
    pub secret_ttl: Duration,
    /// The URL of each entity's queue.
    pub queue_urls: QueueUrls,
    /// The source addresses that may send.
    pub sources: SourceAllowlist,
    /// The model names for `GET /training/models`.
    pub training_models: Vec<String>,
    /// How messages are built.
    pub message: MessageConfig,
    /// Whether accepted events are archived. The bucket deletes archived events after their days.
    pub archives_events: bool,
    /// The lowest level that is logged.
    pub log_level: Level,
    /// The namespace of the metrics.
    pub metrics_namespace: String,
    /// Region, credentials, endpoints.
    pub aws: AwsSettings,
}

/// How messages are built.
#[derive(Debug, Clone)]
pub struct MessageConfig {
    /// The type of all queues.
    pub queue_type: QueueType,
    /// The largest message in bytes, with its attributes, whose body is sent inline.
    pub inline_limit: usize,
    /// The bucket for payloads, spilled messages and archived events.
    pub bucket: String,
}

/// The type of an SQS queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueType {
    /// Ordered within a message group; duplicates within five minutes are dropped.
    Fifo,
    /// Not ordered, not deduplicated.
    Standard,
}

/// The URL of each entity's queue.
#[derive(Debug, Clone)]
pub struct QueueUrls {
    /// Labels.
    pub label: String,
    /// Workflow events.
    pub workflow: String,
    /// Reviews.
    pub review: String,
    /// Model runs.
    pub model_run: String,
    /// Everything else.
    pub unrouted: String,
}

/// The source addresses that may send.
#[derive(Debug, Clone)]
pub struct SourceAllowlist {
    /// The allowed networks; an empty list allows any address.
    pub allowed: Vec<IpNet>,
    /// Whether requests from other addresses are refused, or only counted.
    pub enforced: bool,
}

impl SourceAllowlist {
    /// Whether `address` is allowed. An unknown address is only allowed by an empty list.
    pub fn allows(&self, address: Option<IpAddr>) -> bool {
        let contains = |address: IpAddr| {
            self.allowed.iter().any(|network| network.contains(&address.to_canonical()))
        };
        self.allowed.is_empty() || address.is_some_and(contains)
    }
}

/// Region and credentials, from the variables that Lambda sets; custom endpoints and CA bundle, from those that the AWS SDKs
/// define.
///
/// Source of the names: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html> and
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>.
#[derive(Debug)]
pub struct AwsSettings {
    /// The region of all services.
    pub region: String,
    /// The execution role's credentials.
    pub credentials: Credentials,
    /// A PEM file of root certificates to trust instead of the default ones.
    pub ca_bundle: Option<PathBuf>,
    /// A custom endpoint for SQS.
    pub sqs_endpoint: Option<String>,
    /// A custom endpoint for Secrets Manager.
    pub secrets_manager_endpoint: Option<String>,
    /// A custom endpoint for S3.
    pub s3_endpoint: Option<String>,
}

impl AwsSettings {
    /// Whether any service has a custom endpoint.
    pub fn has_custom_endpoint(&self) -> bool {
        self.sqs_endpoint.is_some()
            || self.secrets_manager_endpoint.is_some()
            || self.s3_endpoint.is_some()
    }

    /// The configuration that all clients share.
    pub fn for_clients(&self, http: Arc<dyn HttpClient>, clock: fn() -> SystemTime) -> AwsConfig {
        AwsConfig {
            region: self.region.clone(),
            credentials: self.credentials.clone(),
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")),
            http,
            clock,
        }
    }

    fn read(env: &mut EnvReader<'_>) -> Self {
        let (key_id, key) =
            (env.required("AWS_ACCESS_KEY_ID"), env.required("AWS_SECRET_ACCESS_KEY"));
        let default_endpoint = env.endpoint("AWS_ENDPOINT_URL");
        let mut endpoint = |name| env.endpoint(name).or_else(|| default_endpoint.clone());
        let (sqs_endpoint, secrets_manager_endpoint, s3_endpoint) = (
            endpoint("AWS_ENDPOINT_URL_SQS"),
            endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            endpoint("AWS_ENDPOINT_URL_S3"),
        );
        Self {
            region: env.required("AWS_REGION"),
            credentials: Credentials::new(key_id, key, env.optional("AWS_SESSION_TOKEN")),
            ca_bundle: env.optional("AWS_CA_BUNDLE").map(PathBuf::from),
            sqs_endpoint,
            secrets_manager_endpoint,
            s3_endpoint,
        }
    }
}

/// The errors in the settings, each with the name of its variable.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid settings: {}", .0.join("; "))]
pub struct ConfigError(Vec<String>);

impl Config {
    /// Loads the settings with a function that returns the value of an environment variable.
    ///
    /// # Errors
    /// If variables are missing or invalid. The message names all of them.
    pub fn load(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut env = EnvReader::new(&lookup);
        let queue_type = env.one_of(
            "QUEUE_TYPE",
            QueueType::Fifo,
            &[("fifo", QueueType::Fifo), ("standard", QueueType::Standard)],
        );
        let config = Self {
            secret_id: env.required("SECRET_ARN"),
            secret_ttl: Duration::from_secs(env.number(
                "SECRET_TTL_SECONDS",
                300,
                1,
                MAX_SECRET_TTL_SECONDS,
            )),
            queue_urls: QueueUrls {
                label: env.queue_url("LABEL_QUEUE_URL", queue_type),
                workflow: env.queue_url("WORKFLOW_QUEUE_URL", queue_type),
                review: env.queue_url("REVIEW_QUEUE_URL", queue_type),
                model_run: env.queue_url("MODEL_RUN_QUEUE_URL", queue_type),
                unrouted: env.queue_url("UNROUTED_QUEUE_URL", queue_type),
            },
            sources: SourceAllowlist {
                allowed: env.networks("ALLOWED_SOURCE_CIDRS"),
                enforced: env.one_of(
                    "SOURCE_CHECK",
                    true,
                    &[("enforce", true), ("observe", false)],
                ),
            },
            training_models: env.list("TRAINING_MODELS"),
            message: MessageConfig {
                queue_type,
                inline_limit: 1024
                    * env.number("INLINE_LIMIT_KIB", MAX_INLINE_KIB, 1, MAX_INLINE_KIB),
                bucket: env.required("PAYLOAD_BUCKET"),
            },
            archives_events: env.number("ARCHIVE_DAYS", 0, 0, MAX_ARCHIVE_DAYS) > 0,
            log_level: env.one_of("LOG_LEVEL", Level::INFO, &LEVELS),
            metrics_namespace: env.namespace("METRICS_NAMESPACE", "LabelboxRelay"),
            aws: AwsSettings::read(&mut env),
        };
        UNSUPPORTED.iter().for_each(|name| env.reject(name));
        match env.into_errors() {
            errors if errors.is_empty() => Ok(config),
            errors => Err(ConfigError(errors)),
        }
    }
}

/// Variables that the AWS SDKs honour and the relay does not. Ignoring one would bypass the proxy or the endpoint that it asks for. Source:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>.
const UNSUPPORTED: [&str; 8] = [
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
];

const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

#[cfg(test)]
pub(crate) mod tests;
