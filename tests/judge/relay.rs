//! What the relay itself says of a case.

use crate::case::{Case, Said};
use labelbox_relay::config::QueueType;
use labelbox_relay::event::{Entity, Event};
use labelbox_relay::message::{DeliveryMetadata, Message, MessageConfig};
use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{Signatures, Unverified, Verified};
use time::OffsetDateTime;
use uuid::Uuid;

/// The event, or nothing where the relay refuses it.
pub(crate) fn says(case: &Case) -> Option<Said> {
    let verified = verified(case)?;
    let event = if case.is_training {
        Event::of_model_run(&verified)
    } else {
        Event::of_webhook(&verified, case.topic.as_deref())
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
    Some(Said {
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

fn verified(case: &Case) -> Option<Verified> {
    let sha1 = case.sha1.iter().map(String::as_str);
    let sha256 = case.sha256.iter().map(String::as_str);
    let signatures = Signatures::read(sha1, sha256).ok()?;
    let secrets: Vec<_> = case.secrets.iter().cloned().map(Secret::new).collect();
    Unverified::new(case.body())
        .verify(&signatures, &secrets)
        .ok()
}
