//! The faulty AWS itself: that it plays its services right, and goes wrong in the way that it says.

use crate::aws::Aws;
use crate::fault::{Fault, SERVICES, Service, Weather};
use crate::network::network_to;
use crate::stack::{BUCKET, SECRET, aws, config, queue_url};
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
/// Of [`BODY`] and of the attributes below, computed in Python by moto, an SQS made elsewhere.
const BODY_MD5: &str = "21a1a6f17608384a8a7311aa76eb39a7";
const ATTRIBUTES_MD5: &str = "7c25dfb7fe56d0aa5312091cd33f698b";
const ATTRIBUTES: [(&str, &str); 3] = [
    ("event", "LABEL_UPDATED"),
    ("entity", "label"),
    ("entity_id", "cl0sjr9nb9tfi0zatagsq5zw1"),
];
/// Of [`BODY`]; `python3 -c 'import base64, zlib; print(base64.b64encode(zlib.crc32(BODY).to_bytes(4)))'`
const BODY_CRC32: &str = "/e6HSQ==";

/// AWS's own clients, which no fault of ours can mislead.
struct Clients {
    sqs: aws_sdk_sqs::Client,
    secrets_manager: aws_sdk_secretsmanager::Client,
    s3: aws_sdk_s3::Client,
}

fn stage(is_fifo: bool) -> (Arc<Aws>, Clients) {
    let aws = aws(Rng::with_seed(1), is_fifo);
    let settings = config(is_fifo).aws;
    let line = Line(network_to(&aws));
    let attempt = Duration::from_millis(1600);
    let shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .http_client(SharedHttpClient::new(line))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_attempt_timeout(attempt)
                .build(),
        )
        .retry_config(RetryConfig::standard())
        .build();
    let sqs = aws_sdk_sqs::config::Builder::from(&shared);
    let secrets = aws_sdk_secretsmanager::config::Builder::from(&shared);
    let s3 = aws_sdk_s3::config::Builder::from(&shared);
    let endpoint = |own: Option<String>| own.unwrap();
    let clients = Clients {
        sqs: aws_sdk_sqs::Client::from_conf(
            sqs.endpoint_url(endpoint(settings.sqs_endpoint)).build(),
        ),
        secrets_manager: aws_sdk_secretsmanager::Client::from_conf(
            secrets
                .endpoint_url(endpoint(settings.secrets_manager_endpoint))
                .build(),
        ),
        s3: aws_sdk_s3::Client::from_conf(
            s3.endpoint_url(endpoint(settings.s3_endpoint))
                .force_path_style(true)
                .build(),
        ),
    };
    (aws, clients)
}

/// The relay's connection pool under the SDK's clients.
#[derive(Clone)]
struct Line(Arc<dyn aws_lite::HttpClient>);

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl HttpClient for Line {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Line {
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

/// Sends a message; gives its id and its digests.
async fn send(clients: &Clients, is_fifo: bool) -> Result<[Option<String>; 3], String> {
    let mut request = clients
        .sqs
        .send_message()
        .queue_url(queue_url("label", is_fifo));
    for (name, value) in ATTRIBUTES {
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value);
        request = request.message_attributes(name, value.build().unwrap());
    }
    let id = is_fifo.then(|| "1".to_owned());
    let request = request
        .set_message_group_id(id.clone())
        .set_message_deduplication_id(id);
    let sent = request
        .message_body(BODY)
        .send()
        .await
        .map_err(|error| error_chain(&error))?;
    Ok([
        sent.message_id,
        sent.md5_of_message_body,
        sent.md5_of_message_attributes,
    ])
}

/// Stores an object; gives the checksum that was confirmed.
async fn put(clients: &Clients, checksum: &str) -> Result<Option<String>, String> {
    let request = clients.s3.put_object().bucket(BUCKET).key("payloads/1");
    let request = request
        .checksum_crc32(checksum)
        .body(BODY.as_bytes().to_vec().into());
    let stored = request.send().await.map_err(|error| error_chain(&error))?;
    Ok(stored.checksum_crc32)
}

async fn fetch(clients: &Clients) -> Result<Option<String>, String> {
    let request = clients
        .secrets_manager
        .get_secret_value()
        .secret_id("relay");
    let value = request.send().await.map_err(|error| error_chain(&error))?;
    Ok(value.secret_string)
}

#[tokio::test(start_paused = true)]
async fn a_message_is_confirmed_with_its_digests() {
    let (aws, clients) = stage(true);
    let [_, body, attributes] = send(&clients, true).await.unwrap();
    assert_eq!(body.as_deref(), Some(BODY_MD5));
    assert_eq!(attributes.as_deref(), Some(ATTRIBUTES_MD5));
    assert_eq!(aws.world().queues.messages[0].body, BODY);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_dropped_by_a_fifo_queue_for_five_minutes() {
    for (is_fifo, kept) in [(true, [1, 2]), (false, [2, 3])] {
        let (aws, clients) = stage(is_fifo);
        let first = send(&clients, is_fifo).await.unwrap();
        let second = send(&clients, is_fifo).await.unwrap();
        assert_eq!(first == second, is_fifo);
        assert_eq!(aws.world().queues.messages.len(), kept[0]);
        sleep(Duration::from_secs(300)).await;
        send(&clients, is_fifo).await.unwrap();
        assert_eq!(aws.world().queues.messages.len(), kept[1]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_sqs_does_not_take_is_refused() {
    let (aws, clients) = stage(true);
    let message = clients
        .sqs
        .send_message()
        .message_body(BODY)
        .message_group_id("1");
    let cases = [
        (
            "",
            message
                .clone()
                .message_deduplication_id("1")
                .message_body(""),
        ),
        (
            "a character",
            message
                .clone()
                .message_deduplication_id("1")
                .message_body("\u{ffff}"),
        ),
        ("no deduplication id", message.clone()),
        (
            "size",
            message
                .message_deduplication_id("1")
                .message_body("x".repeat(1_048_577)),
        ),
    ];
    for (name, message) in cases {
        let outcome = message.queue_url(queue_url("label", true)).send().await;
        assert!(
            error_chain(&outcome.unwrap_err()).contains("InvalidMessageContents"),
            "{name}"
        );
    }
    let elsewhere = clients
        .sqs
        .send_message()
        .message_body(BODY)
        .queue_url("https://elsewhere");
    assert!(error_chain(&elsewhere.send().await.unwrap_err()).contains("QueueDoesNotExist"));
    assert!(aws.world().queues.messages.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_object_is_stored_only_with_its_checksum() {
    let (aws, clients) = stage(true);
    let refusal = put(&clients, "AAAAAA==").await.unwrap_err();
    assert!(refusal.contains("BadDigest"), "{refusal}");
    assert!(aws.world().objects.get(BUCKET, "payloads/1").is_none());
    assert_eq!(
        put(&clients, BODY_CRC32).await.unwrap().as_deref(),
        Some(BODY_CRC32)
    );
    assert_eq!(
        aws.world().objects.get(BUCKET, "payloads/1"),
        Some(BODY.as_bytes())
    );
}

#[tokio::test(start_paused = true)]
async fn the_secret_is_given() {
    let (_, clients) = stage(true);
    assert!(fetch(&clients).await.unwrap().unwrap().contains(SECRET));
}

/// Whether the call succeeds all the same, for who does not look closely.
fn is_subtle(service: Service, fault: Fault) -> bool {
    let is_foreign = matches!(fault, Fault::EmptyAnswer | Fault::OtherJson)
        || (fault == Fault::Html && service == Service::S3);
    let is_wrong = matches!(
        fault,
        Fault::Slow
            | Fault::WrongDigest
            | Fault::NoDigest
            | Fault::ChangedContent
            | Fault::WrongAttributeDigest
            | Fault::ChangedAttribute
            | Fault::NoMessageId
            | Fault::OnlyEtag
            | Fault::ChangedOnlyEtag
            | Fault::UnusableSecret
            | Fault::BinarySecret
    );
    is_wrong || is_foreign
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_what_its_name_says() {
    for service in SERVICES {
        for fault in service.menu() {
            let (aws, clients) = stage(false);
            let weather = SERVICES.map(|other| {
                if other == service {
                    Weather::Down(fault)
                } else {
                    Weather::Fine
                }
            });
            aws.set_weather(weather);
            let outcome = match service {
                Service::Sqs => send(&clients, false).await.map(drop),
                Service::SecretsManager => fetch(&clients).await.map(drop),
                Service::S3 => put(&clients, BODY_CRC32).await.map(drop),
            };
            let name = format!("{service:?} {fault:?}: {outcome:?}");
            assert_eq!(outcome.is_ok(), is_subtle(service, fault), "{name}");
            sleep(Duration::from_secs(15)).await;
            let world = aws.world();
            let is_done = !world.queues.messages.is_empty() || !world.objects.objects.is_empty();
            let is_foreign = matches!(fault, Fault::Html | Fault::EmptyAnswer | Fault::OtherJson);
            let says_done = format!("{fault:?}").starts_with("Done");
            let is_due = says_done || (is_subtle(service, fault) && !is_foreign);
            assert_eq!(
                is_done,
                is_due && service != Service::SecretsManager,
                "{name}"
            );
        }
    }
}
