//! How a delivery is made up: its event for the gateway, and by the contract's rules its message.

use crate::delivery::{Delivery, Due, Expected, Signed, Signer};
use crate::secret_value::{ADDED, TRAINING};
use crate::vault::Vault;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A delivery before it is written down.
#[derive(Clone)]
pub(crate) struct Draft {
    topic: Option<&'static str>,
    entity: &'static str,
    body: Value,
    /// In place of the body, where that is no JSON.
    bytes: Option<Vec<u8>>,
    attributes: BTreeMap<&'static str, String>,
    delivery_id: Option<String>,
    pub(crate) invocation_id: String,
    pub(crate) trace: String,
    by_pointer: bool,
    pub(crate) signed: Signed,
}

impl Draft {
    /// A small label with a project and a time, or without. No two are the same by chance.
    pub(crate) fn of_label(rng: &mut Rng) -> Self {
        let id = format!("label{}", rng.u32(..));
        let mut body = json!({"id": id});
        let mut attributes = BTreeMap::from([("entity_id", id)]);
        if rng.bool() {
            body["project"] = json!({"id": "project1"});
            attributes.insert("project_id", "project1".to_owned());
        }
        if rng.bool() {
            body["updatedAt"] = json!("2021-03-17T13:51:59Z");
            attributes.insert("occurred_at", "2021-03-17T13:51:59.000Z".to_owned());
        }
        Self {
            topic: rng
                .choice([Some("LABEL_UPDATED"), Some("label_created")])
                .unwrap(),
            entity: "label",
            body,
            bytes: None,
            attributes,
            delivery_id: (rng.u8(..8) > 0).then(|| new_id("delivery", rng)),
            invocation_id: new_id("invocation", rng),
            trace: format!("Root=1-5759e988-{:024x}", rng.u64(..)),
            by_pointer: false,
            signed: Signed {
                webhook: match rng.u8(..16) {
                    0 => "nobody",
                    1 | 2 => ADDED,
                    _ => "labelbox",
                },
                by: Signer::Nobody,
            },
        }
    }

    pub(crate) fn about(self, entity: &'static str, topic: &'static str) -> Self {
        Self {
            entity,
            topic: Some(topic),
            ..self
        }
    }

    /// With a label that no queue carries here.
    pub(crate) fn with_label(mut self, label: String) -> Self {
        self.body["label"] = Value::from(label);
        self.by_pointer = true;
        self
    }

    pub(crate) fn unrouted(mut self, topic: Option<&'static str>, reason: &str) -> Self {
        self.topic = topic;
        self.entity = "unrouted";
        self.attributes.remove("entity_id");
        self.attributes.insert("reason", reason.to_owned());
        self
    }

    /// With a body that is neither JSON nor what a queue carries.
    pub(crate) fn unreadable(self, bytes: Vec<u8>) -> Self {
        Self {
            entity: "unrouted",
            attributes: BTreeMap::from([("reason", "unreadable".to_owned())]),
            bytes: Some(bytes),
            by_pointer: true,
            ..self
        }
    }

    pub(crate) fn of_model_run(mut self) -> Self {
        let id = format!("run of {}", self.invocation_id);
        self.body = json!({"modelRunId": id, "modelType": "ner"});
        self.attributes = BTreeMap::from([("entity_id", id)]);
        self.delivery_id = None;
        self.signed.webhook = TRAINING;
        self.about("model_run", "MODEL_RUN_CREATED")
    }

    /// Signed by a sender with a secret, current or not.
    pub(crate) fn signed(mut self, rng: &mut Rng, vault: &Vault) -> Self {
        self.signed.by = Signer::Holder(vault.any_secret(self.signed.webhook, rng));
        self
    }

    /// Signed by a sender without a secret, or not signed.
    pub(crate) fn forged(mut self, rng: &mut Rng) -> Self {
        let body = self.body_bytes();
        self.signed.by = match (rng.u8(..4), self.signed.by) {
            (0, _) => Signer::Nobody,
            (1, _) => Signer::Forger(sign("", &body)),
            (2, Signer::Holder(secret)) => Signer::Forger(sign(&secret, b"another body")),
            _ => Signer::Forger(sign("guess", &body)),
        };
        self
    }

    /// The same event in another invocation, sometimes with another delivery id.
    pub(crate) fn again(mut self, rng: &mut Rng) -> Self {
        self.invocation_id = new_id("invocation", rng);
        if self.delivery_id.is_some() && rng.bool() {
            self.delivery_id = Some(new_id("delivery", rng));
        }
        self
    }

    /// What is no event, or cannot be one.
    pub(crate) fn into_other(mut self, rng: &mut Rng, vault: &Vault) -> Delivery {
        let (method, path, due) = match rng.u8(..3) {
            0 => ("GET", "/health", Due::Always(200)),
            1 => ("GET", "/training/models", Due::Models),
            _ => ("POST", "/webhooks/labelbox", Due::Always(400)),
        };
        let mut event = self.gateway_event(method, path);
        match due {
            Due::Models => {
                self.signed.webhook = TRAINING;
                self = self.signed(rng, vault);
                event["headers"]["x-hub-signature"] = self.signature(b"");
            }
            Due::Always(400) => {
                (event["body"], event["isBase64Encoded"]) = (json!("%"), json!(true));
            }
            _ => {}
        }
        Delivery {
            draft: self,
            event,
            due,
        }
    }

    fn body_bytes(&self) -> Vec<u8> {
        let json = || self.body.to_string().into_bytes();
        self.bytes.clone().unwrap_or_else(json)
    }

    fn signature(&self, bytes: &[u8]) -> Value {
        match &self.signed.by {
            Signer::Holder(secret) => json!(sign(secret, bytes)),
            Signer::Forger(signature) => json!(signature),
            Signer::Nobody => Value::Null,
        }
    }

    fn gateway_event(&self, method: &str, path: &str) -> Value {
        let bytes = self.body_bytes();
        let text = std::str::from_utf8(&bytes).ok();
        let body = text.map_or_else(|| STANDARD.encode(&bytes), str::to_owned);
        json!({
            "rawPath": path,
            "headers": {
                "content-type": "application/json",
                "x-hub-signature": self.signature(&bytes),
                "x-labelbox-event": self.topic,
                "x-labelbox-id": self.delivery_id,
                "x-amzn-trace-id": self.trace,
            },
            "requestContext": {"stage": "$default", "http": {"method": method}},
            "body": body,
            "isBase64Encoded": text.is_none(),
        })
    }

    /// The webhook in the path; a training run has none.
    fn webhook(&self) -> Option<&'static str> {
        Some(self.signed.webhook).filter(|name| *name != TRAINING)
    }

    pub(crate) fn into_event(self) -> Delivery {
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
        let body = self.body_bytes();
        let topic = self.topic.map(str::to_uppercase);
        let dedup_id = self.dedup_id(topic.as_deref().unwrap_or_default(), &body);
        let of_delivery = [
            ("event", topic),
            ("entity", Some(self.entity.to_owned())),
            ("webhook", self.webhook().map(str::to_owned)),
            ("delivery_id", self.delivery_id.clone()),
            ("dedup_id", Some(dedup_id.clone())),
        ];
        let mut attributes = self.attributes.clone();
        attributes.extend(
            of_delivery
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let expected = Expected {
            group_id: self.group_id(&dedup_id),
            dedup_id,
            body,
            entity: self.entity,
            attributes,
            trace: self.trace.clone(),
            by_pointer: self.by_pointer,
        };
        Delivery {
            draft: self,
            event,
            due: Due::Durable(expected),
        }
    }

    /// By the contract, section 4.
    fn dedup_id(&self, topic: &str, body: &[u8]) -> String {
        let is_state = self.entity == "label" && self.attributes.contains_key("occurred_at");
        let delivery = self.delivery_id.as_ref().unwrap_or(&self.invocation_id);
        let discriminator = if is_state { "" } else { delivery };
        let webhook = self.webhook().unwrap_or_default();
        let head = format!("{webhook}\0{topic}\0{discriminator}\0");
        hex::encode(Sha256::digest([head.as_bytes(), body].concat()))
    }

    fn group_id(&self, dedup_id: &str) -> String {
        match self.attributes.get("entity_id") {
            None => dedup_id.to_owned(),
            // A queue takes no spaces there.
            Some(id) if id.contains(' ') => hex::encode(Sha256::digest(id)),
            Some(id) => id.clone(),
        }
    }
}

/// An id that no other has.
fn new_id(of: &str, rng: &mut Rng) -> String {
    format!("{of}{}", rng.u64(..))
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha1={}", hex::encode(mac.finalize().into_bytes()))
}
