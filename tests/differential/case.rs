//! A generated case with its expected event, and the event that the relay reads from it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use labelbox_relay::config::{MessageConfig, QueueType};
use labelbox_relay::event::{Entity, Event};
use labelbox_relay::message::{DeliveryMetadata, Message};
use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{Signatures, Unverified, Verified};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use time::OffsetDateTime;
use uuid::Uuid;

/// A line of `cases.py`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    /// The shape of the body before it was mutated.
    shape: String,
    /// The mutation of the signature; `none` for a valid one.
    pub(crate) mutation: String,
    sha1: Vec<String>,
    sha256: Vec<String>,
    secrets: Vec<String>,
    /// In base64.
    body: String,
    is_training: bool,
    topic: Option<String>,
    webhook: Option<String>,
    delivery_id: Option<String>,
    request_id: String,
    /// The expected event; `None` if the signature must be rejected.
    pub(crate) event: Option<EventSummary>,
    /// For values with several possible sources, the source of each.
    pub(crate) sources: BTreeMap<String, Option<String>>,
}

/// What both implementations read from an event and derive from it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventSummary {
    pub(crate) entity: String,
    pub(crate) reason: Option<String>,
    topic: Option<String>,
    pub(crate) entity_id: Option<String>,
    project_id: Option<String>,
    occurred_at: Option<String>,
    dedup_id: String,
    pub(crate) group_id: String,
}

impl Case {
    pub(crate) fn body(&self) -> Vec<u8> {
        STANDARD.decode(&self.body).unwrap()
    }

    fn verify(&self) -> Option<Verified> {
        let sha1 = self.sha1.iter().map(String::as_str);
        let sha256 = self.sha256.iter().map(String::as_str);
        let signatures = Signatures::parse(sha1, sha256).ok()?;
        let secrets: Vec<_> = self.secrets.iter().cloned().map(Secret::new).collect();
        Unverified::new(self.body()).verify(&signatures, &secrets).ok()
    }
}

/// The relay's event; `None` if it rejects the signature.
pub(crate) fn relay_result(case: &Case) -> Option<EventSummary> {
    let verified = case.verify()?;
    let event = if case.is_training {
        Event::from_model_run(&verified)
    } else {
        Event::from_webhook(&verified, case.topic.as_deref())
    };
    let metadata = DeliveryMetadata {
        webhook: case.webhook.clone(),
        delivery_id: case.delivery_id.clone(),
        request_id: case.request_id.clone(),
        ..DeliveryMetadata::default()
    };
    let message_config = MessageConfig {
        queue_type: QueueType::Fifo,
        inline_limit: 1 << 20,
        bucket: "payloads".to_owned(),
    };
    let (message, _) = Message::build(
        verified,
        event.clone(),
        metadata,
        &message_config,
        OffsetDateTime::UNIX_EPOCH,
        Uuid::nil,
    );
    Some(EventSummary {
        entity: event.entity.name().to_owned(),
        reason: match event.entity {
            Entity::Unrouted(reason) => Some(reason.name().to_owned()),
            _ => None,
        },
        topic: event.topic,
        entity_id: event.entity_id,
        project_id: event.project_id,
        occurred_at: event.occurred_at,
        dedup_id: message.dedup_id,
        group_id: message.group_id.unwrap(),
    })
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "shape     {}", self.shape)?;
        writeln!(f, "mutation  {}", self.mutation)?;
        writeln!(f, "secrets   {:?}", self.secrets)?;
        writeln!(f, "headers   {:?} {:?}", self.sha1, self.sha256)?;
        writeln!(f, "topic     {:?}", self.topic)?;
        writeln!(f, "training  {}", self.is_training)?;
        writeln!(f, "webhook   {:?}", self.webhook)?;
        writeln!(f, "delivery  {:?}", self.delivery_id)?;
        writeln!(f, "request   {:?}", self.request_id)?;
        write!(f, "body      {}", self.body().escape_ascii())
    }
}
