//! The outside world for these tests: a secret store and a queue that do what they are told, a clock that stands
//! still until it is moved, and a request that is right until it is changed.

use hmac::{Hmac, KeyInit, Mac};
use labelbox_relay::bucket::{Bucket, BucketError, S3};
use labelbox_relay::config::Config;
use labelbox_relay::http::{GatewayEvent, WebhookHandler};
use labelbox_relay::message::Message;
use labelbox_relay::queue::{Queue, QueueError, Sqs};
use labelbox_relay::receive::Relay;
use labelbox_relay::secrets::{FetchError, SecretStore, SecretsManager};
use labelbox_relay::secrets::{Secret, Secrets};
use labelbox_relay::signature::{Signatures, Unverified, Verified};
use labelbox_relay::telemetry::Log;
use lambda_http::Context;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

pub(crate) const SECRET: &str = "example_secret";
pub(crate) const BODY: &str = r#"{"id":"label1","updatedAt":"2021-03-17T13:51:59Z"}"#;

pub(crate) const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";

/// What the secret store answers.
#[derive(Clone)]
pub(crate) enum Vault {
    Holds(String),
    Unreachable,
    Refuses,
    Hangs,
    /// Holds the secret, and takes this long to say so.
    Slow(String, Duration),
    /// Answers what the real client makes of the network that it was given.
    Real(Arc<SecretsManager>),
}

/// What the queue does.
#[derive(Clone)]
pub(crate) enum Mood {
    Takes,
    Refuses,
    ConfirmsWrongly,
    /// Does what the real client makes of the network that it was given.
    Real(Arc<Sqs>),
}

/// What the bucket does.
#[derive(Clone)]
pub(crate) enum Shelf {
    Takes,
    Refuses,
    /// Takes payloads and refuses what spills.
    TakesPayloads,
    /// Does what the real client makes of the network that it was given.
    Real(Arc<S3>),
}

/// Everything outside of the relay, shared by its fakes and the test.
pub(crate) struct World {
    pub(crate) vault: Mutex<Vault>,
    pub(crate) mood: Mutex<Mood>,
    pub(crate) queued: Mutex<Vec<Message>>,
    pub(crate) shelf: Mutex<Shelf>,
    pub(crate) objects: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(crate) fetches: Mutex<usize>,
    pub(crate) lines: Mutex<Vec<Value>>,
}

struct FakeStore(Arc<World>);

impl SecretStore for FakeStore {
    async fn fetch(&self) -> Result<Secrets, FetchError> {
        *self.0.fetches.lock().unwrap() += 1;
        let vault = self.0.vault.lock().unwrap().clone();
        match vault {
            Vault::Holds(text) => Ok(Secrets::parse(text)?),
            Vault::Unreachable => Err(FetchError::Unreachable("no route to host".into())),
            Vault::Refuses => Err(FetchError::Denied("access denied".into())),
            Vault::Slow(text, time) => {
                tokio::time::sleep(time).await;
                Ok(Secrets::parse(text)?)
            }
            Vault::Hangs => std::future::pending().await,
            Vault::Real(store) => Box::pin(store.fetch()).await,
        }
    }
}

struct FakeQueue(Arc<World>);

impl Queue for FakeQueue {
    async fn send(&self, message: &Message) -> Result<String, QueueError> {
        let mood = self.0.mood.lock().unwrap().clone();
        match mood {
            Mood::Takes => {}
            Mood::Real(queue) => return Box::pin(queue.send(message)).await,
            Mood::Refuses => return Err(QueueError::NotSent("queue does not exist".into())),
            Mood::ConfirmsWrongly => {
                return Err(QueueError::ChecksumMismatch("MD5OfMessageBody differs"));
            }
        }
        let mut queued = self.0.queued.lock().unwrap();
        queued.push(message.clone());
        Ok(format!("message-{}", queued.len()))
    }
}

struct FakeBucket(Arc<World>);

impl Bucket for FakeBucket {
    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), BucketError> {
        let shelf = self.0.shelf.lock().unwrap().clone();
        match shelf {
            Shelf::Takes => {}
            Shelf::TakesPayloads if key.starts_with("payloads/") => {}
            Shelf::Real(bucket) => return Box::pin(bucket.put(key, content)).await,
            Shelf::Refuses | Shelf::TakesPayloads => {
                return Err(BucketError::NotStored("no such bucket".into()));
            }
        }
        self.0
            .objects
            .lock()
            .unwrap()
            .insert(key.to_owned(), content);
        Ok(())
    }
}

thread_local! {
    /// Since the start of a test; each test has a thread of its own.
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + PASSED.get()
}

/// A relay with its world around it.
pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    door: WebhookHandler<FakeStore, FakeQueue, FakeBucket>,
}

impl Stage {
    /// A relay with the sample secret and these settings beside the usual ones.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        let world = Arc::new(World {
            vault: Mutex::new(Vault::Holds(
                json!({"labelbox": SECRET, "project-x": ["new", "old"], "nobody": "", "none": [], "training": SECRET})
                    .to_string(),
            )),
            mood: Mutex::new(Mood::Takes),
            queued: Mutex::default(),
            shelf: Mutex::new(Shelf::Takes),
            objects: Mutex::default(),
            fetches: Mutex::default(),
            lines: Mutex::default(),
        });
        let config = config(settings);
        let relay = Relay::new(
            &config,
            FakeStore(Arc::clone(&world)),
            FakeQueue(Arc::clone(&world)),
            FakeBucket(Arc::clone(&world)),
        );
        let seen = Arc::clone(&world);
        let log = Log::new(&config, move |line| {
            let line = serde_json::from_slice(line).unwrap();
            seen.lines.lock().unwrap().push(line);
        });
        Self {
            door: WebhookHandler::new(&config, relay, log, clock),
            world,
        }
    }

    pub(crate) fn usual() -> Self {
        Self::with(&[])
    }

    pub(crate) fn secret_is(&self, vault: Vault) {
        *self.world.vault.lock().unwrap() = vault;
    }

    pub(crate) fn queue_is(&self, mood: Mood) {
        *self.world.mood.lock().unwrap() = mood;
    }

    pub(crate) fn bucket_is(&self, shelf: Shelf) {
        *self.world.shelf.lock().unwrap() = shelf;
    }

    /// Takes what was stored in the bucket since the last call.
    pub(crate) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        std::mem::take(&mut self.world.objects.lock().unwrap())
    }

    pub(crate) fn seconds_pass(&self, seconds: u64) {
        self.time_passes(Duration::from_secs(seconds));
    }

    pub(crate) fn time_passes(&self, time: Duration) {
        PASSED.set(PASSED.get() + time);
    }

    pub(crate) fn fetches(&self) -> usize {
        *self.world.fetches.lock().unwrap()
    }

    pub(crate) async fn warm_up(&self) {
        self.door.warm_up().await;
    }

    /// Takes what was queued since the last call.
    pub(crate) fn queued(&self) -> Vec<Message> {
        std::mem::take(&mut self.world.queued.lock().unwrap())
    }

    /// Takes the log lines of the requests since the last call.
    pub(crate) fn lines(&self) -> Vec<Value> {
        std::mem::take(&mut self.world.lines.lock().unwrap())
    }

    /// Sends a gateway event and gives the gateway's answer.
    pub(crate) async fn send(&self, event: Value) -> Answer {
        self.send_traced(event, Some(TRACE)).await
    }

    /// The same in an invocation of which Lambda knows this trace.
    pub(crate) async fn send_traced(&self, event: Value, trace: Option<&str>) -> Answer {
        let mut context = Context::default();
        context.xray_trace_id = trace.map(str::to_owned);
        self.send_in(event, context).await
    }

    /// The same in an invocation that Lambda ends when this time has passed.
    pub(crate) async fn send_within(&self, event: Value, left: Duration) -> Answer {
        let deadline = clock() + left;
        let mut context = Context::default();
        context.deadline = deadline
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_millis() as u64;
        self.send_in(event, context).await
    }

    /// The same in this invocation.
    pub(crate) async fn send_in(&self, event: Value, mut context: Context) -> Answer {
        // As the runtime reads it: from text, and not on to its end when something is wrong.
        let event = event.to_string();
        let mut reader = serde_json::Deserializer::from_str(&event);
        let event = GatewayEvent::deserialize(&mut reader).unwrap();
        context.request_id = "request-1".to_owned();
        let answer = self.door.handle(event, &context).await;
        serde_json::from_value(serde_json::to_value(answer).unwrap()).unwrap()
    }

    /// Sends a label and checks whether its message has the body itself.
    pub(crate) async fn check_is_inline(&self, body: &str, expected: bool) {
        let answer = self.send(webhook("labelbox", SECRET, body)).await;
        assert_eq!(answer.status_code, 200);
        let is_inline = self.queued()[0].body == body;
        assert_eq!(is_inline, expected, "{} bytes", body.len());
    }

    /// Sends an event and checks status and body of the answer.
    #[track_caller]
    pub(crate) fn check(&self, event: Value, status: u16, body: Value) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.send(event).await;
            assert_eq!(
                (answer.status_code, answer.json()),
                (status, body),
                "at {caller}"
            );
        }
    }
}

/// The answer as a gateway reads it.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) status_code: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    pub(crate) is_base64_encoded: bool,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        assert!(!self.is_base64_encoded);
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The settings of a function, some of them replaced.
pub(crate) fn config(settings: &[(&str, &str)]) -> Config {
    let is_standard = settings.contains(&("QUEUE_TYPE", "standard"));
    let suffix = if is_standard { "" } else { ".fifo" };
    Config::load(|name| {
        let replaced = settings
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned());
        replaced.or_else(|| match name {
            "SECRET_ARN" => Some("relay-secret".to_owned()),
            "PAYLOAD_BUCKET" => Some("relay-payloads".to_owned()),
            "AWS_REGION" => Some("eu-west-1".to_owned()),
            "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
            name => name
                .strip_suffix("_QUEUE_URL")
                .map(|queue| format!("https://sqs.example/{queue}{suffix}")),
        })
    })
    .unwrap()
}

/// A label delivery as an HTTP API passes it on, signed by the right secret.
pub(crate) fn delivery() -> Value {
    webhook("labelbox", SECRET, BODY)
}

/// A label delivery to a webhook, signed with a secret.
pub(crate) fn webhook(name: &str, secret: &str, body: &str) -> Value {
    let headers = json!({
        "content-type": "application/json",
        "x-hub-signature": sha1(secret, body.as_bytes()),
        "x-labelbox-event": "LABEL_UPDATED",
        "x-labelbox-id": "ckmdi74ew57lq063553kuzekq",
    });
    event("POST", &format!("/webhooks/{name}"), headers, Some(body))
}

/// An HTTP API's event, payload format 2.0.
pub(crate) fn event(method: &str, path: &str, headers: Value, body: Option<&str>) -> Value {
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "35.223.142.181"},
        },
        "isBase64Encoded": false,
    });
    if let Some(body) = body {
        event["body"] = json!(body);
    }
    event
}

/// The same event with one place changed; `pointer` as in RFC 6901, and `null` takes a header away.
pub(crate) fn with(mut event: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = value;
    event
}

/// A body that was signed with this secret, and verified.
pub(crate) fn verified(secret: &str, body: &str) -> Verified {
    let signature = sha1(secret, body.as_bytes());
    let signatures = Signatures::read([signature.as_str()].into_iter(), [].into_iter()).unwrap();
    let body = Unverified::new(body.into());
    body.verify(&signatures, &[Secret::new(secret.to_owned())])
        .unwrap()
}

pub(crate) fn sha1(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha1={}", hex::encode(mac.finalize().into_bytes()))
}

pub(crate) fn sha256(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

pub(crate) fn refused() -> Value {
    json!({"error": "signature_rejected"})
}

pub(crate) fn try_again() -> Value {
    json!({"error": "try_again"})
}
