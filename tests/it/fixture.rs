//! The relay with fake services and a clock that only the test advances.

use crate::fakes::{
    BucketBehavior, FakeBucket, FakeQueue, FakeSecretStore, QueueBehavior, StoreBehavior,
};
use crate::requests::SECRET;
use labelbox_relay::config::Config;
use labelbox_relay::http::{GatewayEvent, WebhookHandler};
use labelbox_relay::message::Message;
use labelbox_relay::telemetry::Log;
use lambda_http::Context;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// The trace id of an invocation, unless the test sets another.
pub(crate) const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";

thread_local! {
    /// The time since the start of the test. Each test has its own thread.
    static ELAPSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + ELAPSED.get()
}

pub(crate) struct Fixture {
    handler: WebhookHandler<FakeSecretStore, FakeQueue, FakeBucket>,
    store: FakeSecretStore,
    queue: FakeQueue,
    bucket: FakeBucket,
    log_lines: Arc<Mutex<Vec<Value>>>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with_settings(&[])
    }

    /// A relay with these settings in addition to the default ones.
    pub(crate) fn with_settings(settings: &[(&str, &str)]) -> Self {
        let secrets = json!({
            "labelbox": SECRET,
            "project-x": ["new", "old"],
            "empty-secret": "",
            "empty-list": [],
            "training": SECRET,
        });
        let store = FakeSecretStore::new(secrets.to_string());
        let (queue, bucket) = (FakeQueue::new(), FakeBucket::new());
        let config = config(settings);
        let log_lines = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&log_lines);
        let log = Log::new(&config, move |line| {
            let line = serde_json::from_slice(line).unwrap();
            written.lock().unwrap().push(line);
        });
        Self {
            handler: WebhookHandler::new(
                &config,
                store.clone(),
                queue.clone(),
                bucket.clone(),
                log,
                clock,
            ),
            store,
            queue,
            bucket,
            log_lines,
        }
    }

    pub(crate) fn set_store(&self, behavior: StoreBehavior) {
        *self.store.behavior.lock().unwrap() = behavior;
    }

    pub(crate) fn set_queue(&self, behavior: QueueBehavior) {
        *self.queue.behavior.lock().unwrap() = behavior;
    }

    pub(crate) fn set_bucket(&self, behavior: BucketBehavior) {
        *self.bucket.behavior.lock().unwrap() = behavior;
    }

    pub(crate) fn advance(&self, duration: Duration) {
        ELAPSED.set(ELAPSED.get() + duration);
    }

    pub(crate) fn advance_secs(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// How often the relay has fetched the secret.
    pub(crate) fn fetch_count(&self) -> usize {
        *self.store.fetch_count.lock().unwrap()
    }

    /// Takes the messages sent since the last call.
    pub(crate) fn take_queued(&self) -> Vec<Message> {
        std::mem::take(&mut self.queue.messages.lock().unwrap())
    }

    /// Takes the objects stored since the last call.
    pub(crate) fn take_objects(&self) -> BTreeMap<String, Vec<u8>> {
        std::mem::take(&mut self.bucket.objects.lock().unwrap())
    }

    /// Takes the log lines of the requests since the last call.
    pub(crate) fn take_log_lines(&self) -> Vec<Value> {
        std::mem::take(&mut self.log_lines.lock().unwrap())
    }

    pub(crate) async fn warm_up(&self) {
        self.handler.warm_up().await;
    }

    pub(crate) async fn send(&self, event: Value) -> Response {
        self.send_with_trace(event, Some(TRACE)).await
    }

    pub(crate) async fn send_with_trace(&self, event: Value, trace: Option<&str>) -> Response {
        let mut context = Context::default();
        context.xray_trace_id = trace.map(str::to_owned);
        self.send_with_context(event, context).await
    }

    /// Sends an event in an invocation that Lambda ends after `time_left`.
    pub(crate) async fn send_with_time_left(&self, event: Value, time_left: Duration) -> Response {
        let deadline = clock() + time_left;
        let mut context = Context::default();
        context.deadline =
            deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        self.send_with_context(event, context).await
    }

    pub(crate) async fn send_with_context(&self, event: Value, mut context: Context) -> Response {
        // Like the runtime: from text, without a check for trailing data.
        let event = event.to_string();
        let mut deserializer = serde_json::Deserializer::from_str(&event);
        let event = GatewayEvent::deserialize(&mut deserializer).unwrap();
        context.request_id = "request-1".to_owned();
        let response = self.handler.handle(event, &context).await;
        serde_json::from_value(serde_json::to_value(response).unwrap()).unwrap()
    }

    /// Sends an event, and checks the status and the body of the response.
    #[track_caller]
    pub(crate) fn assert_response(
        &self,
        event: Value,
        status: u16,
        body: Value,
    ) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let response = self.send(event).await;
            assert_eq!((response.status_code, response.json()), (status, body), "at {caller}");
        }
    }
}

/// The response as a gateway reads it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Response {
    pub(crate) status_code: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
    pub(crate) is_base64_encoded: bool,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        assert!(!self.is_base64_encoded);
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The default settings of a function, with these in addition.
pub(crate) fn config(settings: &[(&str, &str)]) -> Config {
    let is_standard = settings.contains(&("QUEUE_TYPE", "standard"));
    let suffix = if is_standard { "" } else { ".fifo" };
    Config::load(|name| {
        let setting = settings
            .iter()
            .find(|(setting, _)| *setting == name)
            .map(|(_, value)| (*value).to_owned());
        setting.or_else(|| match name {
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

/// The body of every response with status 401.
pub(crate) fn signature_rejected() -> Value {
    json!({"error": "signature_rejected"})
}

/// The body of every response with status 503.
pub(crate) fn try_again() -> Value {
    json!({"error": "try_again"})
}
