//! Random deliveries: the gateway event, and the expected message, computed independently of the relay.

use crate::secrets_manager::{ADDED_WEBHOOK, FakeSecretsManager, TRAINING};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;

/// Lengths in bytes that exceed the inline limit of these tests.
const LARGE: Range<usize> = 1100..3000;

/// A delivery and its expected outcome.
#[derive(Clone)]
pub(crate) struct Delivery {
    /// What the delivery was built from, to deliver the event again.
    pub(crate) builder: DeliveryBuilder,
    /// The gateway event.
    pub(crate) event: Value,
    pub(crate) expected: Expected,
}

impl Delivery {
    /// A name for the log.
    pub(crate) fn name(&self) -> String {
        let signer = &self.builder.signature.signer;
        format!("{} signed by {signer:?}", self.event["rawPath"])
    }
}

/// The outcome of a delivery, unless its signature is invalid or a service that it needs fails.
#[derive(Clone)]
pub(crate) enum Expected {
    /// The message is durable.
    Message(ExpectedMessage),
    /// The response is the list of models.
    Models,
    /// The response has this status, whatever fails.
    Status(u16),
}

/// The signature of a request, and the name of the secrets that verify it.
#[derive(Debug, Clone)]
pub(crate) struct Signature {
    pub(crate) webhook: &'static str,
    pub(crate) signer: Signer,
}

/// What made a signature.
#[derive(Debug, Clone)]
pub(crate) enum Signer {
    /// A secret, whether it is still current or not.
    Secret(String),
    /// No secret: the signature is well-formed and wrong.
    Forged(String),
    /// Nothing: the request is not signed.
    None,
}

/// The message of an event.
#[derive(Clone)]
pub(crate) struct ExpectedMessage {
    pub(crate) body: Vec<u8>,
    pub(crate) entity: &'static str,
    /// All except `received_at` and `ExtendedPayloadSize`.
    pub(crate) attributes: BTreeMap<&'static str, String>,
    pub(crate) group_id: String,
    pub(crate) dedup_id: String,
    pub(crate) trace: String,
    /// Whether the body must be offloaded to the bucket.
    pub(crate) is_offloaded: bool,
}

pub(crate) fn random(rng: &mut Rng, secrets_manager: &FakeSecretsManager) -> Delivery {
    let builder = DeliveryBuilder::label(rng);
    let builder = match rng.u8(..20) {
        0 => builder.entity("workflow", "MOVE"),
        1 => builder.entity("workflow", "WORKFLOW_ACTION"),
        2 => builder.entity("review", "REVIEW_CREATED"),
        3..6 => builder.offloaded("x".repeat(rng.usize(LARGE))),
        6 => builder.offloaded("\u{ffff}".to_owned()),
        7 => builder.unrouted(Some("ISSUE_CREATED"), "unknown_topic"),
        8 => builder.unrouted(None, "no_topic"),
        9 => builder.unreadable(Vec::new()),
        10 => builder.unreadable(vec![0xff, 0xfe, rng.u8(..)]),
        11 => builder.model_run(),
        _ => builder,
    };
    let builder = builder.signed(rng, secrets_manager);
    match rng.u8(..20) {
        0 => builder.build_without_event(rng, secrets_manager),
        1..4 => builder.forged(rng).build(),
        _ => builder.build(),
    }
}

/// Another delivery of the same event: a retry, or the event by another of the sender's webhooks, with its own delivery id.
pub(crate) fn redelivery(delivery: &Delivery, rng: &mut Rng) -> Delivery {
    match delivery.expected {
        Expected::Message(_) => delivery.builder.clone().redelivered(rng).build(),
        Expected::Models | Expected::Status(_) => delivery.clone(),
    }
}

/// Builds the gateway event and the expected message of a delivery.
#[derive(Clone)]
pub(crate) struct DeliveryBuilder {
    topic: Option<&'static str>,
    entity: &'static str,
    json: Value,
    /// The body, if it is not `json`.
    bytes: Option<Vec<u8>>,
    attributes: BTreeMap<&'static str, String>,
    delivery_id: Option<String>,
    pub(crate) request_id: String,
    pub(crate) trace: String,
    is_offloaded: bool,
    pub(crate) signature: Signature,
}

impl DeliveryBuilder {
    /// A small label event with random ids, with or without a project and a time.
    fn label(rng: &mut Rng) -> Self {
        let id = format!("label{}", rng.u32(..));
        let mut json = json!({"id": id});
        let mut attributes = BTreeMap::from([("entity_id", id)]);
        if rng.bool() {
            json["project"] = json!({"id": "project1"});
            attributes.insert("project_id", "project1".to_owned());
        }
        if rng.bool() {
            json["updatedAt"] = json!("2021-03-17T13:51:59Z");
            attributes.insert("occurred_at", "2021-03-17T13:51:59.000Z".to_owned());
        }
        Self {
            topic: rng.choice([Some("LABEL_UPDATED"), Some("label_created")]).unwrap(),
            entity: "label",
            json,
            bytes: None,
            attributes,
            delivery_id: (rng.u8(..8) > 0).then(|| random_id("delivery", rng)),
            request_id: random_id("request", rng),
            trace: format!("Root=1-5759e988-{:024x}", rng.u64(..)),
            is_offloaded: false,
            signature: Signature {
                webhook: match rng.u8(..16) {
                    0 => "unknown-webhook",
                    1 | 2 => ADDED_WEBHOOK,
                    _ => "labelbox",
                },
                signer: Signer::None,
            },
        }
    }

    fn entity(self, entity: &'static str, topic: &'static str) -> Self {
        Self { entity, topic: Some(topic), ..self }
    }

    /// With a label that must be offloaded.
    fn offloaded(mut self, label: String) -> Self {
        self.json["label"] = Value::from(label);
        self.is_offloaded = true;
        self
    }

    fn unrouted(mut self, topic: Option<&'static str>, reason: &str) -> Self {
        self.topic = topic;
        self.entity = "unrouted";
        self.attributes.remove("entity_id");
        self.attributes.insert("reason", reason.to_owned());
        self
    }

    /// With a body that is not JSON and must be offloaded.
    fn unreadable(self, bytes: Vec<u8>) -> Self {
        Self {
            entity: "unrouted",
            attributes: BTreeMap::from([("reason", "unreadable".to_owned())]),
            bytes: Some(bytes),
            is_offloaded: true,
            ..self
        }
    }

    fn model_run(mut self) -> Self {
        // A message group id cannot contain spaces.
        let id = format!("run of {}", self.request_id);
        self.json = json!({"modelRunId": id, "modelType": "ner"});
        self.attributes = BTreeMap::from([("entity_id", id)]);
        self.delivery_id = None;
        self.signature.webhook = TRAINING;
        self.entity("model_run", "MODEL_RUN_CREATED")
    }

    /// Signed with a secret, whether it is still current or not.
    fn signed(mut self, rng: &mut Rng, secrets_manager: &FakeSecretsManager) -> Self {
        let secret = secrets_manager.random_secret(self.signature.webhook, rng);
        self.signature.signer = Signer::Secret(secret);
        self
    }

    /// With a wrong signature, or without one.
    fn forged(mut self, rng: &mut Rng) -> Self {
        let body = self.body();
        self.signature.signer = match (rng.u8(..4), self.signature.signer) {
            (0, _) => Signer::None,
            (1, _) => Signer::Forged(sign("", &body)),
            (2, Signer::Secret(secret)) => Signer::Forged(sign(&secret, b"another body")),
            _ => Signer::Forged(sign("guess", &body)),
        };
        self
    }

    /// In another invocation, and sometimes with another delivery id.
    fn redelivered(mut self, rng: &mut Rng) -> Self {
        self.request_id = random_id("request", rng);
        if self.delivery_id.is_some() && rng.bool() {
            self.delivery_id = Some(random_id("delivery", rng));
        }
        self
    }

    /// Builds a request without an event: the health check, the list of models, or malformed base64.
    fn build_without_event(
        mut self,
        rng: &mut Rng,
        secrets_manager: &FakeSecretsManager,
    ) -> Delivery {
        let (method, path, expected) = match rng.u8(..3) {
            0 => ("GET", "/health", Expected::Status(200)),
            1 => ("GET", "/training/models", Expected::Models),
            _ => ("POST", "/webhooks/labelbox", Expected::Status(400)),
        };
        let mut event = self.gateway_event(method, path);
        match expected {
            Expected::Models => {
                self.signature.webhook = TRAINING;
                self = self.signed(rng, secrets_manager);
                event["headers"]["x-hub-signature"] = self.signature_header(b"");
            }
            Expected::Status(400) => {
                (event["body"], event["isBase64Encoded"]) = (json!("%"), json!(true));
            }
            _ => {}
        }
        Delivery { builder: self, event, expected }
    }

    /// Builds the delivery of an event.
    fn build(self) -> Delivery {
        let event = match self.webhook() {
            Some(webhook) => self.gateway_event("POST", &format!("/webhooks/{webhook}")),
            None => {
                let mut event = self.gateway_event("POST", "/training/model_run");
                for header in ["x-labelbox-event", "content-type"] {
                    event["headers"][header] = Value::Null;
                }
                event
            }
        };
        let body = self.body();
        let topic = self.topic.map(str::to_uppercase);
        let dedup_id = self.dedup_id(topic.as_deref().unwrap_or_default(), &body);
        let delivery_attributes = [
            ("event", topic),
            ("entity", Some(self.entity.to_owned())),
            ("webhook", self.webhook().map(str::to_owned)),
            ("delivery_id", self.delivery_id.clone()),
            ("dedup_id", Some(dedup_id.clone())),
        ];
        let mut attributes = self.attributes.clone();
        attributes.extend(
            delivery_attributes.into_iter().filter_map(|(name, value)| Some((name, value?))),
        );
        let message = ExpectedMessage {
            group_id: self.group_id(&dedup_id),
            dedup_id,
            body,
            entity: self.entity,
            attributes,
            trace: self.trace.clone(),
            is_offloaded: self.is_offloaded,
        };
        Delivery { builder: self, event, expected: Expected::Message(message) }
    }

    fn body(&self) -> Vec<u8> {
        let json = || self.json.to_string().into_bytes();
        self.bytes.clone().unwrap_or_else(json)
    }

    fn signature_header(&self, body: &[u8]) -> Value {
        match &self.signature.signer {
            Signer::Secret(secret) => json!(sign(secret, body)),
            Signer::Forged(signature) => json!(signature),
            Signer::None => Value::Null,
        }
    }

    fn gateway_event(&self, method: &str, path: &str) -> Value {
        let bytes = self.body();
        let text = std::str::from_utf8(&bytes).ok();
        let body = text.map_or_else(|| STANDARD.encode(&bytes), str::to_owned);
        json!({
            "rawPath": path,
            "headers": {
                "content-type": "application/json",
                "x-hub-signature": self.signature_header(&bytes),
                "x-labelbox-event": self.topic,
                "x-labelbox-id": self.delivery_id,
                "x-amzn-trace-id": self.trace,
            },
            "requestContext": {"stage": "$default", "http": {"method": method}},
            "body": body,
            "isBase64Encoded": text.is_none(),
        })
    }

    /// The webhook in the path; `None` for a training run.
    fn webhook(&self) -> Option<&'static str> {
        Some(self.signature.webhook).filter(|name| *name != TRAINING)
    }

    fn dedup_id(&self, topic: &str, body: &[u8]) -> String {
        // A label event with a time is a state of the label, whichever delivery contains it.
        let is_label_state = self.entity == "label" && self.attributes.contains_key("occurred_at");
        let delivery = self.delivery_id.as_ref().unwrap_or(&self.request_id);
        let discriminator = if is_label_state { "" } else { delivery };
        let webhook = self.webhook().unwrap_or_default();
        let head = format!("{webhook}\0{topic}\0{discriminator}\0");
        hex::encode(Sha256::digest([head.as_bytes(), body].concat()))
    }

    fn group_id(&self, dedup_id: &str) -> String {
        match self.attributes.get("entity_id") {
            None => dedup_id.to_owned(),
            Some(id) if id.contains(' ') => hex::encode(Sha256::digest(id)),
            Some(id) => id.clone(),
        }
    }
}

fn random_id(prefix: &str, rng: &mut Rng) -> String {
    format!("{prefix}{}", rng.u64(..))
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha1={}", hex::encode(mac.finalize().into_bytes()))
}
