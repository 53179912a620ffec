//! The services around the relay: each works, or does not, as the input says.

use super::json::Json;
use labelbox_relay::bucket::{Bucket, BucketError};
use labelbox_relay::config::Config;
use labelbox_relay::http::{GatewayEvent, WebhookHandler};
use labelbox_relay::message::Message;
use labelbox_relay::queue::{Queue, QueueError};
use labelbox_relay::receive::Relay;
use labelbox_relay::secrets::Secrets;
use labelbox_relay::secrets::{FetchError, SecretStore};
use labelbox_relay::telemetry::Log;
use lambda_http::Context;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// The secrets of each name.
pub(crate) const SECRETS: [(&str, &[&str]); 5] = [
    ("labelbox", &["example_secret"]),
    ("project-x", &["new", "old"]),
    ("nobody", &[""]),
    ("none", &[]),
    ("training", &["training_secret"]),
];
/// The secrets that the relay has in memory where the world says so: those of a minute ago.
pub(crate) const OLD_SECRETS: [(&str, &[&str]); 2] = [
    ("labelbox", &["old_secret"]),
    ("retired", &["retired_secret"]),
];
/// The largest message that goes inline: 1 KiB, so that a small input can be too large.
pub(crate) const INLINE_LIMIT: usize = 1024;
pub(crate) const BUCKET: &str = "relay-payloads";
pub(crate) const MODELS: &str = r#"{"bounding_box": {}, "ner": {}}"#;
/// Lambda's id of every request.
pub(crate) const INVOCATION_ID: &str = "8f507cfc-xmpl-4697-b07a-ac58fc914c95";
/// When every request comes in.
pub(crate) const NOW: (u64, &str) = (1_700_000_000, "2023-11-14T22:13:20.000Z");

/// How a place does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Works,
    Refuses,
    /// Does not answer.
    Hangs,
    /// The bucket takes payloads, and nothing that spills; the store's value is malformed.
    IsOdd,
}

/// What the input says of the world, in a field of the event that no gateway writes.
#[derive(Clone, Copy)]
pub(crate) struct World {
    pub(crate) store: Place,
    pub(crate) queue: Place,
    pub(crate) bucket: Place,
    pub(crate) is_fifo: bool,
    pub(crate) checks_sources: bool,
    pub(crate) has_old_secrets: bool,
}

impl World {
    pub(crate) fn read(event: &Json) -> Self {
        let world = event.get("world");
        let place = |name| match world.and_then(|world| world.get(name)?.text()) {
            Some("refuses") => Place::Refuses,
            Some("hangs") => Place::Hangs,
            Some("odd") => Place::IsOdd,
            _ => Place::Works,
        };
        let is_said = |name| {
            matches!(
                world.and_then(|world| world.get(name)),
                Some(Json::Bool(true))
            )
        };
        Self {
            store: place("store"),
            queue: place("queue"),
            bucket: place("bucket"),
            is_fifo: !is_said("standard"),
            checks_sources: is_said("checks_sources"),
            has_old_secrets: is_said("old_secrets"),
        }
    }
}

/// What came of a request.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    pub(crate) queued: Vec<Message>,
    pub(crate) objects: BTreeMap<String, Vec<u8>>,
    pub(crate) lines: Vec<Vec<u8>>,
}

/// The answer as a gateway reads it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) status_code: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) is_base64_encoded: bool,
}

/// What the fakes keep.
type Kept = Arc<Mutex<Outcome>>;

/// Gives the old secrets first, if the relay is to have them.
struct Store(Place, AtomicBool);
struct KeptQueue(Place, Kept);
struct KeptBucket(Place, Kept);

impl SecretStore for Store {
    async fn fetch(&self) -> Result<Secrets, FetchError> {
        if self.1.swap(false, Ordering::Relaxed) {
            return Ok(parsed(&OLD_SECRETS));
        }
        match self.0 {
            Place::Works => Ok(parsed(&SECRETS)),
            Place::Refuses => Err(FetchError::Denied("access denied".into())),
            Place::Hangs => pending().await,
            Place::IsOdd => Ok(Secrets::parse("{\"labelbox\": example_secret}".to_owned())?),
        }
    }
}

fn parsed(secrets: &[(&str, &[&str])]) -> Secrets {
    let by_name: BTreeMap<_, _> = secrets.iter().copied().collect();
    Secrets::parse(serde_json::to_string(&by_name).unwrap()).unwrap()
}

impl Queue for KeptQueue {
    async fn send(&self, message: &Message) -> Result<String, QueueError> {
        match self.0 {
            Place::Works => {
                self.1.lock().unwrap().queued.push(message.clone());
                Ok("message-1".to_owned())
            }
            Place::Refuses => Err(QueueError::NotSent("queue does not exist".into())),
            Place::Hangs => pending().await,
            Place::IsOdd => Err(QueueError::ChecksumMismatch("MD5OfMessageBody differs")),
        }
    }
}

impl Bucket for KeptBucket {
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), BucketError> {
        match self.0 {
            Place::IsOdd if key.starts_with("spill/") => Err(BucketError::ChecksumMismatch),
            Place::Works | Place::IsOdd => {
                self.1
                    .lock()
                    .unwrap()
                    .objects
                    .insert(key.to_owned(), content);
                Ok(())
            }
            Place::Refuses => Err(BucketError::NotStored("no such bucket".into())),
            Place::Hangs => pending().await,
        }
    }
}

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.0)
}

/// Sends the text of an event through a relay in this world.
pub(crate) fn play(event: &[u8], world: World) -> Outcome {
    let kept = Kept::default();
    let config = config(world);
    let relay = Relay::new(
        &config,
        Store(world.store, AtomicBool::new(world.has_old_secrets)),
        KeptQueue(world.queue, Arc::clone(&kept)),
        KeptBucket(world.bucket, Arc::clone(&kept)),
    );
    // On a paused clock, what hangs takes no time.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    if world.has_old_secrets {
        runtime.block_on(
            relay
                .authenticator()
                .warm_up(clock() - Duration::from_secs(60)),
        );
    }
    let seen = Arc::clone(&kept);
    let log = Log::new(&config, move |line| {
        seen.lock().unwrap().lines.push(line.to_vec())
    });
    let door = WebhookHandler::new(&config, relay, log, clock);
    // As the runtime reads it: from bytes, and not on to its end when something is wrong.
    let event =
        GatewayEvent::deserialize(&mut serde_json::Deserializer::from_slice(event)).unwrap();
    let mut context = Context::default();
    context.request_id = INVOCATION_ID.to_owned();
    let answer = runtime.block_on(door.handle(event, &context));
    let answer = serde_json::from_value(serde_json::to_value(answer).unwrap()).unwrap();
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    Outcome { answer, ..kept }
}

fn config(world: World) -> Config {
    let suffix = if world.is_fifo { ".fifo" } else { "" };
    Config::load(|name| match name {
        "QUEUE_TYPE" => Some(if world.is_fifo { "fifo" } else { "standard" }.to_owned()),
        "ALLOWED_SOURCE_CIDRS" => world
            .checks_sources
            .then(|| super::gateway::ALLOWED.to_string()),
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
