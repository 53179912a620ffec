//! Deduplication and group ids: their input, and that they do not depend on when and how a delivery arrives.

use super::*;
use crate::requests::with;
use labelbox_relay::message::Message;
use sha2::{Digest, Sha256};

fn hash(parts: &[&[u8]]) -> String {
    hex::encode(Sha256::digest(parts.concat()))
}

fn queued(fixture: &Fixture, event: Value) -> Message {
    assert_eq!(send(fixture, event).status_code, 200);
    fixture.take_queued().remove(0)
}

fn ids(message: &Message) -> (String, Option<String>) {
    (message.dedup_id.clone(), message.group_id.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn same_request_has_the_same_ids_at_any_time(delivery in deliveries(), seconds in 0..1_000_000u64) {
        let fixture = delivery.fixture();
        let first = queued(&fixture, delivery.event());
        fixture.advance_secs(seconds);
        prop_assert_eq!(ids(&queued(&fixture, delivery.event())), ids(&first));
        // Another instance that receives the same bytes in the other encoding.
        let reencoded = Delivery { in_base64: !delivery.in_base64, ..delivery };
        prop_assert_eq!(ids(&queued(&reencoded.fixture(), reencoded.event())), ids(&first));
    }

    #[test]
    fn ids_are_hashes_of_webhook_topic_discriminator_and_body(
        delivery in deliveries(),
        id in "[!-~]{1,128}|[!-~]{129,140}|[a-z]* [a-z]*|[\u{e0}-\u{ff}]{1,80}",
        has_time in any::<bool>(),
        topic in "LABEL_[A-Z_]{1,20}|label_[a-z]{1,20}|REVIEW_[A-Z]{1,9}|MOVE",
        delivery_id in prop::option::of("[!-~]{1,64}"),
    ) {
        let time = has_time.then_some("2021-03-17T13:51:59Z");
        let body = json!({"id": id, "updatedAt": time}).to_string();
        let delivery = Delivery { body: body.clone().into_bytes(), ..delivery };
        let event = with(delivery.event(), "/headers/x-labelbox-event", json!(topic));
        let event = with(event, "/headers/x-labelbox-id", json!(delivery_id));
        let topic = topic.to_uppercase();
        let discriminator = match delivery_id {
            _ if has_time && topic.starts_with("LABEL_") => String::new(),
            Some(delivery_id) => delivery_id,
            None => "request-1".to_owned(),
        };
        let parts = ["labelbox", &topic, &discriminator, &body];
        let dedup_id = hash(&[parts.join("\0").as_bytes()]);
        let is_group = id.len() <= 128 && !id.contains(|c: char| c == ' ' || !c.is_ascii());
        let group = if is_group { id } else { hash(&[id.as_bytes()]) };
        prop_assert_eq!(ids(&queued(&delivery.fixture(), event)), (dedup_id, Some(group)));
    }

    #[test]
    fn event_without_entity_id_has_its_own_group(delivery in deliveries()) {
        let event = with(delivery.event(), "/headers/x-labelbox-event", json!("UNKNOWN"));
        let message = queued(&delivery.fixture(), event);
        prop_assert_eq!(message.group_id, Some(message.dedup_id));
    }
}
