//! A delivery as a gateway passes it on, drawn at random, and what has to become of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

pub(crate) const SECRET: &str = "example_secret";
const TIME: &str = "2021-03-17T13:51:59Z";
const NORMALISED_TIME: &str = "2021-03-17T13:51:59.000Z";
/// Makes a body larger than messages may be in these tests.
const PADDING: std::ops::Range<usize> = 1100..3000;

/// What is sent, and what has to become of it if nothing goes wrong.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) name: &'static str,
    pub(crate) event: Value,
    pub(crate) due: Due,
}

/// What a delivery must come to.
#[derive(Clone)]
pub(crate) enum Due {
    /// An event to make durable.
    Durable(Expected),
    /// A signature to refuse.
    Refused,
    /// Another answer, if the secret is to be had.
    Answered(u16),
    /// Another answer, whatever is down.
    AnsweredAlways(u16),
}

/// A message as the contract wants it, computed here and not by the relay.
#[derive(Clone)]
pub(crate) struct Expected {
    pub(crate) body: Vec<u8>,
    pub(crate) entity: &'static str,
    /// All but `received_at` and `ExtendedPayloadSize`.
    pub(crate) attributes: BTreeMap<&'static str, String>,
    pub(crate) group_id: String,
    pub(crate) dedup_id: String,
    pub(crate) trace: String,
    pub(crate) by_pointer: bool,
}

/// What the names of things in a sequence are made of.
pub(crate) fn random(rng: &mut Rng) -> Delivery {
    let number = rng.u32(..1000);
    let id = format!("label{number}");
    let project = rng.bool().then(|| format!("project{number}"));
    let mut body = json!({"id": id});
    let mut attributes = BTreeMap::from([("entity_id", id.clone())]);
    if let Some(project) = project {
        body["project"] = json!({"id": project});
        attributes.insert("project_id", project);
    }
    if rng.bool() {
        body["updatedAt"] = json!(TIME);
        attributes.insert("occurred_at", NORMALISED_TIME.to_owned());
    }
    let mut draft = Draft {
        topic: Some(if rng.bool() {
            "LABEL_UPDATED"
        } else {
            "label_created"
        }),
        entity: "label",
        body: Vec::new(),
        attributes,
        by_pointer: false,
        delivery_id: format!("delivery{}", rng.u32(..1_000_000)),
        trace: format!("Root=1-5759e988-{:024x}", rng.u64(..)),
    };
    let kind = rng.u8(..20);
    match kind {
        4 => {
            draft.topic = Some(if rng.bool() {
                "MOVE"
            } else {
                "WORKFLOW_ACTION"
            })
        }
        5 => draft.topic = Some("REVIEW_CREATED"),
        _ => {}
    }
    match kind {
        4 => draft.entity = "workflow",
        5 => draft.entity = "review",
        6..9 => {
            draft.by_pointer = true;
            body["label"] = json!("x".repeat(rng.usize(PADDING)));
        }
        9 => {
            draft.by_pointer = true;
            body["label"] = json!("\u{ffff}");
        }
        10 => draft.unroute(Some("ISSUE_CREATED"), "unknown_topic"),
        11 => draft.unroute(None, "no_topic"),
        _ => {}
    }
    draft.body = body.to_string().into_bytes();
    match kind {
        12 => draft.be_unreadable(Vec::new()),
        13 => draft.be_unreadable([&[0xff, 0xfe], id.as_bytes()].concat()),
        14 => return draft.into_model_run(number),
        15..17 => return draft.into_forgery(rng),
        17 => return draft.into_other(rng),
        _ => {}
    }
    draft.into_webhook()
}

/// The same event once more: sent again as it was, or by another webhook of the sender's with a delivery id of its own.
pub(crate) fn again(delivery: &Delivery, rng: &mut Rng) -> Delivery {
    let mut again = delivery.clone();
    let Due::Durable(expected) = &mut again.due else {
        return again;
    };
    let has_time = expected.attributes.contains_key("occurred_at");
    if has_time && rng.bool() {
        let id = format!("delivery{}", rng.u32(..1_000_000));
        again.event["headers"]["x-labelbox-id"] = json!(id);
        expected.attributes.insert("delivery_id", id);
    }
    again
}

struct Draft {
    topic: Option<&'static str>,
    entity: &'static str,
    body: Vec<u8>,
    attributes: BTreeMap<&'static str, String>,
    by_pointer: bool,
    delivery_id: String,
    trace: String,
}

impl Draft {
    fn unroute(&mut self, topic: Option<&'static str>, reason: &str) {
        self.topic = topic;
        self.entity = "unrouted";
        self.attributes.remove("entity_id");
        self.attributes.insert("reason", reason.to_owned());
    }

    fn be_unreadable(&mut self, body: Vec<u8>) {
        self.entity = "unrouted";
        self.attributes = BTreeMap::from([("reason", "unreadable".to_owned())]);
        self.body = body;
        self.by_pointer = true;
    }

    fn into_webhook(mut self) -> Delivery {
        let webhook = "labelbox".to_owned();
        self.attributes.insert("webhook", webhook);
        self.attributes
            .insert("delivery_id", self.delivery_id.clone());
        let event = self.event("POST", "/webhooks/labelbox", SECRET);
        self.durable("webhook", event)
    }

    fn into_model_run(mut self, number: u32) -> Delivery {
        let id = format!("run{number}");
        self.topic = None;
        self.entity = "model_run";
        self.body = json!({"modelRunId": id, "modelType": "ner"})
            .to_string()
            .into_bytes();
        self.attributes = BTreeMap::from([("entity_id", id)]);
        let mut event = self.event("POST", "/training/model_run", SECRET);
        event["headers"]["x-labelbox-id"] = Value::Null;
        self.topic = Some("MODEL_RUN_CREATED");
        self.delivery_id = String::new();
        self.durable("model run", event)
    }

    /// Signed by somebody who does not hold the secret.
    fn into_forgery(self, rng: &mut Rng) -> Delivery {
        let mut event = self.event("POST", "/webhooks/labelbox", SECRET);
        let signature = match rng.u8(..4) {
            0 => Value::Null,
            1 => json!(sign("", &self.body)),
            2 => json!(sign("guess", &self.body)),
            _ => json!(sign(SECRET, b"another body")),
        };
        event["headers"]["x-hub-signature"] = signature;
        Delivery {
            name: "forgery",
            event,
            due: Due::Refused,
        }
    }

    fn into_other(mut self, rng: &mut Rng) -> Delivery {
        let (name, event, due) = match rng.u8(..4) {
            0 => {
                let event = self.event("GET", "/health", SECRET);
                ("health", event, Due::AnsweredAlways(200))
            }
            1 => {
                self.body.clear();
                let event = self.event("GET", "/training/models", SECRET);
                ("models", event, Due::Answered(200))
            }
            2 => {
                let event = self.event("POST", "/webhooks/nobody", SECRET);
                ("unknown webhook", event, Due::Answered(404))
            }
            _ => {
                let mut event = self.event("POST", "/webhooks/labelbox", SECRET);
                (event["body"], event["isBase64Encoded"]) = (json!("%"), json!(true));
                ("bad base64", event, Due::AnsweredAlways(400))
            }
        };
        Delivery { name, event, due }
    }

    fn event(&self, method: &str, path: &str, secret: &str) -> Value {
        let is_text = std::str::from_utf8(&self.body).is_ok();
        let body = match String::from_utf8(self.body.clone()) {
            Ok(text) => text,
            Err(_) => STANDARD.encode(&self.body),
        };
        json!({
            "rawPath": path,
            "headers": {
                "content-type": "application/json",
                "x-hub-signature": sign(secret, &self.body),
                "x-labelbox-event": self.topic,
                "x-labelbox-id": self.delivery_id,
                "x-amzn-trace-id": self.trace,
            },
            "requestContext": {"stage": "$default", "http": {"method": method, "sourceIp": "35.223.142.181"}},
            "body": body,
            "isBase64Encoded": !is_text,
        })
    }

    fn durable(mut self, name: &'static str, event: Value) -> Delivery {
        let topic = self.topic.map(str::to_uppercase);
        let dedup_id = self.dedup_id(topic.as_deref().unwrap_or_default());
        self.attributes.extend(topic.map(|topic| ("event", topic)));
        self.attributes.insert("entity", self.entity.to_owned());
        self.attributes.insert("dedup_id", dedup_id.clone());
        let entity_id = self.attributes.get("entity_id");
        let expected = Expected {
            group_id: entity_id.unwrap_or(&dedup_id).clone(),
            dedup_id,
            body: self.body,
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

    fn dedup_id(&self, topic: &str) -> String {
        let mut text = format!("{topic}\n");
        if !self.attributes.contains_key("occurred_at") {
            text += &format!("{}\n", self.delivery_id);
        }
        hex::encode(Sha256::digest([text.as_bytes(), &self.body].concat()))
    }
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha1={}", hex::encode(mac.finalize().into_bytes()))
}
