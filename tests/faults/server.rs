//! Tests of the fake AWS: its services behave like AWS, and each fault behaves as named.

use crate::aws::FakeAws;
use crate::fault::{Fault, FaultPlan, SERVICES, Service};
use crate::fixture::{BUCKET, SECRET, config, fake_aws, queue_url};
use crate::network::network_to;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_lite::AwsError;
use aws_sdk_sqs::types::MessageAttributeValue;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use fastrand::Rng;
use http_body_util::BodyExt;
use hyper::Request;
use labelbox_relay::error::error_chain;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const BODY: &str = r#"{"id":"cl0sjr9nb9tfi0zatagsq5zw1"}"#;
/// The checksums of [`BODY`] and [`ATTRIBUTES`], computed by moto, an independent implementation of SQS.
const BODY_MD5: &str = "21a1a6f17608384a8a7311aa76eb39a7";
const ATTRIBUTES_MD5: &str = "7c25dfb7fe56d0aa5312091cd33f698b";
const ATTRIBUTES: [(&str, &str); 3] =
    [("event", "LABEL_UPDATED"), ("entity", "label"), ("entity_id", "cl0sjr9nb9tfi0zatagsq5zw1")];
/// The checksum of [`BODY`]: `python3 -c 'import base64, zlib; print(base64.b64encode(zlib.crc32(BODY).to_bytes(4)))'`
const BODY_CRC32: &str = "/e6HSQ==";

/// The clients of the AWS SDK, which are independent of the relay's client.
struct Clients {
    sqs: aws_sdk_sqs::Client,
    secrets_manager: aws_sdk_secretsmanager::Client,
    s3: aws_sdk_s3::Client,
}

fn set_up(is_fifo: bool) -> (Arc<FakeAws>, Clients) {
    let aws = fake_aws(Rng::with_seed(1), is_fifo);
    let settings = config(is_fifo, false).aws;
    let http_client = InMemoryClient(network_to(&aws));
    let attempt = Duration::from_millis(1600);
    let shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .http_client(SharedHttpClient::new(http_client))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
        .retry_config(RetryConfig::standard())
        .build();
    let sqs = aws_sdk_sqs::config::Builder::from(&shared);
    let secrets = aws_sdk_secretsmanager::config::Builder::from(&shared);
    let s3 = aws_sdk_s3::config::Builder::from(&shared);
    let endpoint = |url: Option<String>| url.unwrap();
    let clients = Clients {
        sqs: aws_sdk_sqs::Client::from_conf(
            sqs.endpoint_url(endpoint(settings.sqs_endpoint)).build(),
        ),
        secrets_manager: aws_sdk_secretsmanager::Client::from_conf(
            secrets.endpoint_url(endpoint(settings.secrets_manager_endpoint)).build(),
        ),
        s3: aws_sdk_s3::Client::from_conf(
            s3.endpoint_url(endpoint(settings.s3_endpoint)).force_path_style(true).build(),
        ),
    };
    (aws, clients)
}

/// The in-memory network as an HTTP client of the SDK.
#[derive(Clone)]
struct InMemoryClient(Arc<dyn aws_lite::HttpClient>);

impl fmt::Debug for InMemoryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InMemoryClient")
    }
}

impl HttpClient for InMemoryClient {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InMemoryClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let pool = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let (parts, body) = request.try_into_http1x().unwrap().into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let response = pool.send(Request::from_parts(parts, body)).await;
            let response = response.map_err(|error| match error {
                AwsError::NoResponse(_) => ConnectorError::io(error.into()),
                error => ConnectorError::other(error.into(), None),
            })?;
            Ok(response.map(SdkBody::from).try_into().unwrap())
        })
    }
}

/// Sends a message. Returns its id and the checksums of its body and attributes.
async fn send(clients: &Clients, is_fifo: bool) -> Result<[Option<String>; 3], String> {
    let mut request = clients.sqs.send_message().queue_url(queue_url("label", is_fifo));
    for (name, value) in ATTRIBUTES {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value);
        request = request.message_attributes(name, value.build().unwrap());
    }
    let id = is_fifo.then(|| "1".to_owned());
    let request = request.set_message_group_id(id.clone()).set_message_deduplication_id(id);
    let sent = request.message_body(BODY).send().await.map_err(|error| error_chain(&error))?;
    Ok([sent.message_id, sent.md5_of_message_body, sent.md5_of_message_attributes])
}

/// Stores an object. Returns the confirmed checksum.
async fn put(clients: &Clients, key: &str, checksum: &str) -> Result<Option<String>, String> {
    let request = clients.s3.put_object().bucket(BUCKET).key(key);
    let request = request.checksum_crc32(checksum).body(BODY.as_bytes().to_vec().into());
    let stored = request.send().await.map_err(|error| error_chain(&error))?;
    Ok(stored.checksum_crc32)
}

async fn get_secret(clients: &Clients) -> Result<Option<String>, String> {
    let request = clients.secrets_manager.get_secret_value().secret_id("relay");
    let value = request.send().await.map_err(|error| error_chain(&error))?;
    Ok(value.secret_string)
}

#[tokio::test(start_paused = true)]
async fn sqs_confirms_message_with_its_checksums() {
    let (aws, clients) = set_up(true);
    let [_, body, attributes] = send(&clients, true).await.unwrap();
    assert_eq!(body.as_deref(), Some(BODY_MD5));
    assert_eq!(attributes.as_deref(), Some(ATTRIBUTES_MD5));
    assert_eq!(aws.state().sqs.messages[0].body, BODY);
}

#[tokio::test(start_paused = true)]
async fn fifo_queue_deduplicates_for_five_minutes() {
    for (is_fifo, counts) in [(true, [1, 2]), (false, [2, 3])] {
        let (aws, clients) = set_up(is_fifo);
        let first = send(&clients, is_fifo).await.unwrap();
        let second = send(&clients, is_fifo).await.unwrap();
        assert_eq!(first == second, is_fifo);
        assert_eq!(aws.state().sqs.messages.len(), counts[0]);
        sleep(Duration::from_secs(300)).await;
        send(&clients, is_fifo).await.unwrap();
        assert_eq!(aws.state().sqs.messages.len(), counts[1]);
    }
}

#[tokio::test(start_paused = true)]
async fn sqs_rejects_invalid_messages() {
    let (aws, clients) = set_up(true);
    let message = clients.sqs.send_message().message_body(BODY).message_group_id("1");
    let cases = [
        ("empty body", message.clone().message_deduplication_id("1").message_body("")),
        (
            "invalid character",
            message.clone().message_deduplication_id("1").message_body("\u{ffff}"),
        ),
        ("no deduplication id", message.clone()),
        ("too large", message.message_deduplication_id("1").message_body("x".repeat(1_048_577))),
    ];
    for (name, message) in cases {
        let outcome = message.queue_url(queue_url("label", true)).send().await;
        assert!(error_chain(&outcome.unwrap_err()).contains("InvalidMessageContents"), "{name}");
    }
    let other_queue = clients.sqs.send_message().message_body(BODY).queue_url("https://elsewhere");
    assert!(error_chain(&other_queue.send().await.unwrap_err()).contains("QueueDoesNotExist"));
    assert!(aws.state().sqs.messages.is_empty());
}

#[tokio::test(start_paused = true)]
async fn s3_rejects_wrong_checksum() {
    let (aws, clients) = set_up(true);
    let error = put(&clients, "payloads/1", "AAAAAA==").await.unwrap_err();
    assert!(error.contains("BadDigest"), "{error}");
    assert!(aws.state().s3.get(BUCKET, "payloads/1").is_none());
    assert_eq!(put(&clients, "payloads/1", BODY_CRC32).await.unwrap().as_deref(), Some(BODY_CRC32));
    assert_eq!(aws.state().s3.get(BUCKET, "payloads/1"), Some(BODY.as_bytes()));
}

#[tokio::test(start_paused = true)]
async fn secrets_manager_returns_secret() {
    let (_, clients) = set_up(true);
    assert!(get_secret(&clients).await.unwrap().unwrap().contains(SECRET));
}

/// Whether the SDK's client reports success in spite of the fault.
fn is_undetected(service: Service, fault: Fault) -> bool {
    let is_foreign = matches!(fault, Fault::EmptyBody | Fault::UnexpectedJson)
        || (fault == Fault::HtmlBody && matches!(service, Service::S3 | Service::Archive));
    let is_wrong = matches!(
        fault,
        Fault::Slow
            | Fault::WrongChecksum
            | Fault::NoChecksum
            | Fault::CorruptedBody
            | Fault::WrongAttributesChecksum
            | Fault::LostAttribute
            | Fault::NoMessageId
            | Fault::EtagOnly
            | Fault::CorruptedEtagOnly
            | Fault::InvalidSecret
            | Fault::BinarySecret
    );
    is_wrong || is_foreign
}

#[tokio::test(start_paused = true)]
async fn each_fault_behaves_as_named() {
    for service in SERVICES {
        for fault in service.faults() {
            let (aws, clients) = set_up(false);
            let plans = SERVICES.map(|other| {
                if other == service { FaultPlan::Always(fault) } else { FaultPlan::Healthy }
            });
            aws.set_fault_plans(plans);
            let outcome = match service {
                Service::Sqs => send(&clients, false).await.map(drop),
                Service::SecretsManager => get_secret(&clients).await.map(drop),
                Service::S3 => put(&clients, "payloads/1", BODY_CRC32).await.map(drop),
                Service::Archive => put(&clients, "archive/a:1", BODY_CRC32).await.map(drop),
            };
            let name = format!("{service:?} {fault:?}: {outcome:?}");
            assert_eq!(outcome.is_ok(), is_undetected(service, fault), "{name}");
            sleep(Duration::from_secs(15)).await;
            let state = aws.state();
            let is_applied = !state.sqs.messages.is_empty() || !state.s3.objects.is_empty();
            let is_foreign =
                matches!(fault, Fault::HtmlBody | Fault::EmptyBody | Fault::UnexpectedJson);
            let is_named_applied = format!("{fault:?}").starts_with("Applied");
            let should_apply = is_named_applied || (is_undetected(service, fault) && !is_foreign);
            assert_eq!(is_applied, should_apply && service != Service::SecretsManager, "{name}");
        }
    }
}
