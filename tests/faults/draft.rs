//! How a delivery is made up: its event for the gateway, and by the contract's rules its message.

use crate::delivery::{Delivery, Due, Expected};
use crate::stack::SECRET;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A delivery that is not yet signed.
pub(crate) struct Draft {
    topic: Option<&'static str>,
    entity: &'static str,
    body: Value,
    /// In place of the body, where that is no JSON.
    bytes: Option<Vec<u8>>,
    attributes: BTreeMap<&'static str, String>,
    delivery_id: String,
    trace: String,
    by_pointer: bool,
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
            delivery_id: format!("delivery{}", rng.u32(..)),
            trace: format!("Root=1-5759e988-{:024x}", rng.u64(..)),
            by_pointer: false,
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

    /// An event that is right.
    pub(crate) fn into_event(mut self) -> Delivery {
        let event = self.gateway_event("POST", "/webhooks/labelbox");
        self.attributes.insert("webhook", "labelbox".to_owned());
        self.attributes
            .insert("delivery_id", self.delivery_id.clone());
        self.into_durable("webhook", event)
    }

    pub(crate) fn into_model_run(mut self) -> Delivery {
        let id = format!("run of {}", self.delivery_id);
        self.body = json!({"modelRunId": id, "modelType": "ner"});
        self.attributes = BTreeMap::from([("entity_id", id)]);
        let mut event = self.gateway_event("POST", "/training/model_run");
        for header in ["x-labelbox-id", "x-labelbox-event", "content-type"] {
            event["headers"][header] = Value::Null;
        }
        self.delivery_id.clear();
        self.about("model_run", "MODEL_RUN_CREATED")
            .into_durable("model run", event)
    }

    /// Signed by somebody who does not hold the secret.
    pub(crate) fn into_forgery(self, rng: &mut Rng) -> Delivery {
        let mut event = self.gateway_event("POST", "/webhooks/labelbox");
        let signature = match rng.u8(..4) {
            0 => Value::Null,
            1 => json!(sign("", &self.body_bytes())),
            2 => json!(sign("guess", &self.body_bytes())),
            _ => json!(sign(SECRET, b"another body")),
        };
        event["headers"]["x-hub-signature"] = signature;
        Delivery {
            name: "forgery",
            event,
            due: Due::Refused(self.delivery_id),
        }
    }

    /// What is no event, or cannot be one.
    pub(crate) fn into_other(self, rng: &mut Rng) -> Delivery {
        let (name, method, path, due) = match rng.u8(..4) {
            0 => ("health", "GET", "/health", Due::AnsweredAlways(200)),
            1 => ("models", "GET", "/training/models", Due::Answered(200)),
            2 => (
                "unknown webhook",
                "POST",
                "/webhooks/nobody",
                Due::Answered(404),
            ),
            _ => (
                "bad base64",
                "POST",
                "/webhooks/labelbox",
                Due::AnsweredAlways(400),
            ),
        };
        let mut event = self.gateway_event(method, path);
        if name == "models" {
            event["headers"]["x-hub-signature"] = json!(sign(SECRET, b""));
        }
        if name == "bad base64" {
            (event["body"], event["isBase64Encoded"]) = (json!("%"), json!(true));
        }
        Delivery { name, event, due }
    }

    fn body_bytes(&self) -> Vec<u8> {
        let json = || self.body.to_string().into_bytes();
        self.bytes.clone().unwrap_or_else(json)
    }

    fn gateway_event(&self, method: &str, path: &str) -> Value {
        let bytes = self.body_bytes();
        let text = std::str::from_utf8(&bytes).ok();
        let body = text.map_or_else(|| STANDARD.encode(&bytes), str::to_owned);
        json!({
            "rawPath": path,
            "headers": {
                "content-type": "application/json",
                "x-hub-signature": sign(SECRET, &bytes),
                "x-labelbox-event": self.topic,
                "x-labelbox-id": self.delivery_id,
                "x-amzn-trace-id": self.trace,
            },
            "requestContext": {"stage": "$default", "http": {"method": method}},
            "body": body,
            "isBase64Encoded": text.is_none(),
        })
    }

    fn into_durable(mut self, name: &'static str, event: Value) -> Delivery {
        let body = self.body_bytes();
        let topic = self.topic.map(str::to_uppercase);
        let dedup_id = self.dedup_id(topic.as_deref().unwrap_or_default(), &body);
        self.attributes.extend(topic.map(|topic| ("event", topic)));
        self.attributes.insert("entity", self.entity.to_owned());
        self.attributes.insert("dedup_id", dedup_id.clone());
        let expected = Expected {
            group_id: self.group_id(&dedup_id),
            dedup_id,
            body,
            entity: self.entity,
            attributes: self.attributes,
            trace: self.trace,
            by_pointer: self.by_pointer,
        };
        Delivery {
            name,
            event,
            due: Due::Durable(expected),
        }
    }

    fn dedup_id(&self, topic: &str, body: &[u8]) -> String {
        let mut text = format!("{topic}\n");
        if !self.attributes.contains_key("occurred_at") {
            text += &format!("{}\n", self.delivery_id);
        }
        hex::encode(Sha256::digest([text.as_bytes(), body].concat()))
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

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha1={}", hex::encode(mac.finalize().into_bytes()))
}
