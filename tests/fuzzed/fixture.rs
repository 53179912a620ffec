//! The relay with fake services, which work or fail as the input says.

use super::json::Json;
use bytes::Bytes;
use labelbox_relay::bucket::{Bucket, BucketError};
use labelbox_relay::config::Config;
use labelbox_relay::http::{GatewayEvent, WebhookHandler};
use labelbox_relay::message::Message;
use labelbox_relay::queue::{Queue, QueueError};
use labelbox_relay::secrets::Secrets;
use labelbox_relay::secrets::{FetchError, SecretStore};
use labelbox_relay::telemetry::Log;
use lambda_http::Context;
use serde::Deserialize;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// The secrets in Secrets Manager, by name.
pub(crate) const SECRETS: [(&str, &[&str]); 5] = [
    ("labelbox", &["example_secret"]),
    ("project-x", &["new", "old"]),
    ("nobody", &[""]),
    ("none", &[]),
    ("training", &["training_secret"]),
];
/// The secrets of a minute ago, which the relay has in its cache if `has_old_secrets`.
pub(crate) const OLD_SECRETS: [(&str, &[&str]); 2] =
    [("labelbox", &["old_secret"]), ("retired", &["retired_secret"])];
/// The largest inline message in bytes: 1 KiB, so that a small input can exceed it.
pub(crate) const INLINE_LIMIT: usize = 1024;
pub(crate) const BUCKET: &str = "relay-payloads";
pub(crate) const MODELS: &str = r#"{"bounding_box": {}, "ner": {}}"#;
/// Lambda's request id of every invocation.
pub(crate) const REQUEST_ID: &str = "8f507cfc-xmpl-4697-b07a-ac58fc914c95";
/// The time of every request, in Unix seconds and as an attribute.
pub(crate) const NOW: (u64, &str) = (1_700_000_000, "2023-11-14T22:13:20.000Z");

/// How a fake service behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behavior {
    Works,
    Fails,
    Hangs,
    /// Secrets Manager returns a malformed value, the queue a wrong checksum, and the bucket a wrong checksum for spilled
    /// messages.
    Corrupt,
}

/// The configuration and the services, from the event's field `fixture`, which no gateway sends.
#[derive(Clone, Copy)]
pub(crate) struct Fixture {
    pub(crate) store: Behavior,
    pub(crate) queue: Behavior,
    pub(crate) bucket: Behavior,
    pub(crate) is_fifo: bool,
    pub(crate) checks_sources: bool,
    pub(crate) has_old_secrets: bool,
}

impl Fixture {
    pub(crate) fn read(event: &Json) -> Self {
        let get = |name| event.get("fixture")?.get(name);
        let behavior = |name| match get(name).and_then(Json::as_str) {
            Some("fails") => Behavior::Fails,
            Some("hangs") => Behavior::Hangs,
            Some("corrupt") => Behavior::Corrupt,
            _ => Behavior::Works,
        };
        let flag = |name| matches!(get(name), Some(Json::Bool(true)));
        Self {
            store: behavior("store"),
            queue: behavior("queue"),
            bucket: behavior("bucket"),
            is_fifo: !flag("standard"),
            checks_sources: flag("checks_sources"),
            has_old_secrets: flag("old_secrets"),
        }
    }
}

/// What a request resulted in.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) response: Response,
    pub(crate) queued: Vec<Message>,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    pub(crate) log_lines: Vec<Vec<u8>>,
}

/// The response as the gateway reads it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Response {
    pub(crate) status_code: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) is_base64_encoded: bool,
}

/// What the fakes and the log record.
type Recorded = Arc<Mutex<Outcome>>;

struct FakeSecretStore {
    behavior: Behavior,
    /// Whether the next fetch returns [`OLD_SECRETS`].
    returns_old: AtomicBool,
}

struct FakeQueue(Behavior, Recorded);

struct FakeBucket(Behavior, Recorded);

impl SecretStore for FakeSecretStore {
    async fn fetch(&self) -> Result<Secrets, FetchError> {
        if self.returns_old.swap(false, Ordering::Relaxed) {
            return Ok(parsed(&OLD_SECRETS));
        }
        match self.behavior {
            Behavior::Works => Ok(parsed(&SECRETS)),
            Behavior::Fails => Err(FetchError::Denied("access denied".into())),
            Behavior::Hangs => pending().await,
            Behavior::Corrupt => Ok(Secrets::parse("{\"labelbox\": example_secret}".to_owned())?),
        }
    }
}

fn parsed(secrets: &[(&str, &[&str])]) -> Secrets {
    let by_name: BTreeMap<_, _> = secrets.iter().copied().collect();
    Secrets::parse(serde_json::to_string(&by_name).unwrap()).unwrap()
}

impl Queue for FakeQueue {
    async fn send(&self, message: &Message) -> Result<String, QueueError> {
        match self.0 {
            Behavior::Works => {
                self.1.lock().unwrap().queued.push(message.clone());
                Ok("message-1".to_owned())
            }
            Behavior::Fails => Err(QueueError::NotSent("queue does not exist".into())),
            Behavior::Hangs => pending().await,
            Behavior::Corrupt => Err(QueueError::Unconfirmed("MD5OfMessageBody differs")),
        }
    }
}

impl Bucket for FakeBucket {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), BucketError> {
        match self.0 {
            Behavior::Corrupt if key.starts_with("spill/") => Err(BucketError::Unconfirmed),
            Behavior::Works | Behavior::Corrupt => {
                self.1.lock().unwrap().objects.insert(key.to_owned(), content.into());
                Ok(())
            }
            Behavior::Fails => Err(BucketError::NotStored("no such bucket".into())),
            Behavior::Hangs => pending().await,
        }
    }
}

/// How long before the event old secrets were fetched.
const OLD_SECRETS_AGE: Duration = Duration::from_secs(60);

thread_local! {
    /// The time since old secrets were fetched.
    static PASSED: Cell<Duration> = const { Cell::new(OLD_SECRETS_AGE) };
}

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.0) - OLD_SECRETS_AGE + PASSED.get()
}

/// Handles an event, given as bytes of JSON.
pub(crate) fn handle(event: &[u8], fixture: Fixture) -> Outcome {
    let recorded = Recorded::default();
    let config = config(fixture);
    let log_recorded = Arc::clone(&recorded);
    let log =
        Log::new(&config, move |line| log_recorded.lock().unwrap().log_lines.push(line.to_vec()));
    let handler = WebhookHandler::new(
        &config,
        FakeSecretStore {
            behavior: fixture.store,
            returns_old: AtomicBool::new(fixture.has_old_secrets),
        },
        FakeQueue(fixture.queue, Arc::clone(&recorded)),
        FakeBucket(fixture.bucket, Arc::clone(&recorded)),
        log,
        clock,
    );
    // The clock is paused, so waiting for a service that hangs takes no time.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    if fixture.has_old_secrets {
        PASSED.set(Duration::ZERO);
        runtime.block_on(handler.warm_up());
    }
    PASSED.set(OLD_SECRETS_AGE);
    // Like the runtime: from bytes, without a check for trailing data.
    let event =
        GatewayEvent::deserialize(&mut serde_json::Deserializer::from_slice(event)).unwrap();
    let mut context = Context::default();
    context.request_id = REQUEST_ID.to_owned();
    let response = runtime.block_on(handler.handle(event, &context));
    let response = serde_json::from_value(serde_json::to_value(response).unwrap()).unwrap();
    let recorded = std::mem::take(&mut *recorded.lock().unwrap());
    Outcome { response, ..recorded }
}

fn config(fixture: Fixture) -> Config {
    let suffix = if fixture.is_fifo { ".fifo" } else { "" };
    Config::load(|name| match name {
        "QUEUE_TYPE" => Some(if fixture.is_fifo { "fifo" } else { "standard" }.to_owned()),
        "ALLOWED_SOURCE_CIDRS" => {
            fixture.checks_sources.then(|| super::gateway::ALLOWED_SOURCE.to_string())
        }
        "INLINE_LIMIT_KIB" => Some("1".to_owned()),
        "TRAINING_MODELS" => Some("bounding_box,ner".to_owned()),
        "SECRET_ARN" => Some("relay-secret".to_owned()),
        "PAYLOAD_BUCKET" => Some(BUCKET.to_owned()),
        "AWS_REGION" => Some("eu-west-1".to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
        name => {
            let queue = name.strip_suffix("_QUEUE_URL")?;
            Some(format!("https://sqs.example/{queue}{suffix}"))
        }
    })
    .unwrap()
}
