//! A request as Labelbox would send it: signed with the stack's secret, and posted to the relay.

use crate::aws::Clients;
use crate::aws::secret_store::Store;
use crate::aws::stack::Stack;
use crate::cli::GlobalArgs;
use crate::error::Error;
use crate::sanitize::excerpt;
use crate::secret::{TRAINING, Value, no_usable_secret};
use hmac::{Hmac, KeyInit, Mac};
use labelbox_relay::error::error_chain;
use labelbox_relay::event::Event;
use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{SHA1_HEADER, SHA256_HEADER, Signatures, Unverified, Verified};
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Deserializer, Serialize};
use sha1::Sha1;
use sha2::Sha256;
use std::time::{Duration, SystemTime};

const JSON: &str = "application/json";
const TOPIC_HEADER: &str = "X-Labelbox-Event";
const DELIVERY_ID_HEADER: &str = "X-Labelbox-Id";

/// Which route a request takes, and so which secret signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Webhook(String),
    ModelRun,
}

/// What is posted.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub route: Route,
    pub topic: Option<String>,
    pub delivery_id: Option<String>,
    pub body: Vec<u8>,
}

/// How the relay, or the gateway in front of it, responded.
#[derive(Debug, Clone, Serialize)]
pub struct RelayResponse {
    /// `None` if there was no response.
    pub http_status: Option<u16>,
    #[serde(flatten)]
    pub body: ResponseBody,
    pub duration_ms: f64,
}

/// The body of a response.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseBody {
    /// `queued`, `unrouted` or `spilled`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read_text")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read_text")]
    pub entity: Option<String>,
    /// SQS's message id, or the key of a spilled event.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read_text")]
    pub message_id: Option<String>,
    /// The relay's error code, or why there was no response.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read_text")]
    pub error: Option<String>,
    /// What the gateway says of a request that it rejected.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read_text")]
    pub message: Option<String>,
}

/// A text that may be shown on a terminal. Anything else counts as missing.
fn read_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().map(excerpt))
}

impl RelayResponse {
    pub fn is_success(&self) -> bool {
        self.http_status.is_some_and(|status| (200..300).contains(&status))
    }

    pub fn is_spilled(&self) -> bool {
        self.body.status.as_deref() == Some("spilled")
    }

    /// HTTP status and status word or error, such as `200 queued`.
    pub fn summary(&self) -> String {
        let ResponseBody { status, error, message, .. } = &self.body;
        let word = status.as_ref().or(error.as_ref()).or(message.as_ref());
        match (self.http_status, word) {
            (Some(status), Some(word)) => format!("{status} {word}"),
            (Some(status), None) => status.to_string(),
            (None, word) => word.cloned().unwrap_or_default(),
        }
    }

    /// What to do about an event that was not accepted.
    pub fn remediation(&self, args: &GlobalArgs) -> String {
        let doctor = args.relayctl("doctor");
        match self.http_status {
            None => format!("check the network; {doctor} checks the stack"),
            Some(400) => "send it as the gateway's event does: the body is not valid base64".into(),
            Some(401) => "if the secret was just changed, try again in 30 s".into(),
            Some(403) => "this machine's address is not in AllowedSourceCidrs".into(),
            Some(404) if self.body.error.is_none() => {
                "API Gateway answered, not the relay: the API has no such route or stage".into()
            }
            Some(404) => {
                let names = args.relayctl("secret show-names");
                format!("if the name was just added, try again in 30 s; {names} lists the names")
            }
            Some(413) => "API Gateway accepts up to 10 MB, Lambda events of up to 6 MB".into(),
            Some(429) => "this is over the stack's ThrottleRate; use a lower --rate".into(),
            Some(_) => format!("{doctor} says what is wrong, and the function's log why"),
        }
    }
}

/// A delivery id that no other delivery has.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The signature headers: Labelbox's, and that of its sample for AWS Lambda.
pub fn signatures(secret: &Secret, body: &[u8]) -> [(&'static str, String); 2] {
    [
        (SHA1_HEADER, format!("sha1={}", mac::<Hmac<Sha1>>(secret, body))),
        (SHA256_HEADER, format!("sha256={}", mac::<Hmac<Sha256>>(secret, body))),
    ]
}

fn mac<M: Mac + KeyInit>(secret: &Secret, body: &[u8]) -> String {
    // HMAC accepts keys of any length, so this does not fail; an empty signature would be rejected.
    let mac = <M as KeyInit>::new_from_slice(secret.as_bytes());
    mac.map(|mac| hex::encode(mac.chain_update(body).finalize().into_bytes())).unwrap_or_default()
}

/// All headers of a delivery.
pub fn headers(delivery: &Delivery, secret: &Secret) -> Vec<(&'static str, String)> {
    let mut headers = vec![(CONTENT_TYPE.as_str(), JSON.to_owned())];
    headers.extend(signatures(secret, &delivery.body));
    headers.extend(delivery.topic.clone().map(|topic| (TOPIC_HEADER, topic)));
    headers.extend(delivery.delivery_id.clone().map(|id| (DELIVERY_ID_HEADER, id)));
    headers
}

/// Posts deliveries to a stack.
pub struct Sender {
    http: reqwest::Client,
    secrets: Value,
    webhooks_url: String,
    training_url: String,
    clock: fn() -> SystemTime,
}

impl Sender {
    /// Finds where to post to and what to sign with.
    pub async fn find(
        clients: &Clients,
        stack: &Stack,
        clock: fn() -> SystemTime,
    ) -> Result<Self, Error> {
        let store = Store::of(clients.secrets_manager.clone(), stack)?;
        let current = store.read().await?;
        Self::with(current.value?, clients, stack, clock)
    }

    /// The same with a secret that was read already.
    pub fn with(
        secrets: Value,
        clients: &Clients,
        stack: &Stack,
        clock: fn() -> SystemTime,
    ) -> Result<Self, Error> {
        Ok(Self {
            http: clients.http.clone(),
            secrets,
            webhooks_url: stack.webhooks_url()?.to_owned(),
            training_url: stack.output("TrainingUrl")?.to_owned(),
            clock,
        })
    }

    /// The secret that signs requests for this route: the newest usable one.
    pub fn secret(&self, route: &Route) -> Result<Secret, Error> {
        let name = match route {
            Route::Webhook(name) => name,
            Route::ModelRun => TRAINING,
        };
        let text = self.secrets.newest(name).ok_or_else(|| no_usable_secret(name))?;
        Ok(Secret::new(text.to_string()))
    }

    /// The URL of a route.
    pub fn url(&self, route: &Route) -> String {
        match route {
            Route::Webhook(name) => format!("{}{name}", self.webhooks_url),
            Route::ModelRun => format!("{}/model_run", self.training_url),
        }
    }

    /// Posts a delivery once, signed with any secret. It is never repeated: an event that arrived without a response would come
    /// twice.
    pub async fn post_as(&self, delivery: &Delivery, secret: &Secret) -> RelayResponse {
        let mut request = self.http.post(self.url(&delivery.route));
        for (name, value) in headers(delivery, secret) {
            request = request.header(name, value);
        }
        let started = (self.clock)();
        let response = request.body(delivery.body.clone()).send().await;
        let (http_status, body) = match response {
            Ok(response) => {
                let status = response.status().as_u16();
                let text = response.bytes().await.unwrap_or_default();
                (Some(status), serde_json::from_slice(&text).unwrap_or_default())
            }
            Err(error) => {
                let error = Some(excerpt(&format!("no response: {}", error_chain(&error))));
                (None, ResponseBody { error, ..ResponseBody::default() })
            }
        };
        let duration = (self.clock)().duration_since(started);
        let duration_ms = round_ms(duration.unwrap_or_default());
        RelayResponse { http_status, body, duration_ms }
    }

    /// Posts a delivery once, signed with the stack's secret, and reads its entity id as the relay does.
    pub async fn deliver(&self, delivery: &Delivery) -> Result<DeliveryResult, Error> {
        let secret = self.secret(&delivery.route)?;
        let response = self.post_as(delivery, &secret).await;
        let topic = delivery.topic.as_deref();
        let event = verify(&delivery.body, secret).map(|body| match delivery.route {
            Route::Webhook(_) => Event::from_webhook(&body, topic),
            Route::ModelRun => Event::from_model_run(&body),
        });
        let (topic, entity_id) =
            event.map(|event| (event.topic, event.entity_id)).unwrap_or_default();
        let is_queued = response.is_success() && !response.is_spilled();
        Ok(DeliveryResult {
            topic,
            entity_id,
            delivery_id: delivery.delivery_id.clone(),
            bytes: delivery.body.len(),
            queue: response.body.entity.clone().filter(|_| is_queued),
            response,
        })
    }
}

/// The body with our own signature verified: only such a body can be read as an event.
fn verify(body: &[u8], secret: Secret) -> Option<Verified> {
    let [(_, sha1), (_, sha256)] = signatures(&secret, body);
    let signatures = Signatures::parse([&*sha1].into_iter(), [&*sha256].into_iter()).ok()?;
    Unverified::new(body.to_vec()).verify(&signatures, &[secret]).ok()
}

/// What became of an event.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryResult {
    topic: Option<String>,
    /// The entity id that the relay reads from the body.
    entity_id: Option<String>,
    delivery_id: Option<String>,
    bytes: usize,
    /// The queue that has it; `None` for an event that was spilled or not accepted.
    queue: Option<String>,
    #[serde(flatten)]
    pub response: RelayResponse,
}

impl DeliveryResult {
    /// One line for people, without the event's name.
    pub fn line(&self, args: &GlobalArgs) -> String {
        let Self { response, entity_id, .. } = self;
        let summary = response.summary();
        if !response.is_success() {
            return format!("{summary}; {}", response.remediation(args));
        }
        let entity_id = excerpt(entity_id.as_deref().unwrap_or("-"));
        let id = response.body.message_id.as_deref().unwrap_or("-");
        match &self.queue {
            Some(queue) => {
                format!("{summary}  queue {queue}  entity id {entity_id}  message id {id}")
            }
            None => format!("{summary}  entity id {entity_id}  as {id}"),
        }
    }
}

/// Milliseconds with one decimal.
fn round_ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests;
