//! The same event has the same ids however often it comes, and the ids are those of the contract's section 4.

use super::*;
use crate::outside::with;
use labelbox_relay::message::Message;
use sha2::{Digest, Sha256};

fn hash(parts: &[&[u8]]) -> String {
    hex::encode(Sha256::digest(parts.concat()))
}

fn queued(stage: &Stage, event: Value) -> Message {
    assert_eq!(send(stage, event).status_code, 200);
    stage.queued().remove(0)
}

fn ids(message: &Message) -> (String, Option<String>) {
    (message.dedup_id.clone(), message.group_id.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn the_same_request_has_the_same_ids_whenever_it_comes(delivery in deliveries(), seconds in 0..1_000_000u64) {
        let stage = delivery.stage();
        let first = queued(&stage, delivery.event());
        stage.seconds_pass(seconds);
        prop_assert_eq!(ids(&queued(&stage, delivery.event())), ids(&first));
        // Another instance, which got the same bytes the other way.
        let transported = Delivery { in_base64: !delivery.in_base64, ..delivery };
        prop_assert_eq!(ids(&queued(&transported.stage(), transported.event())), ids(&first));
    }

    #[test]
    fn ids_are_made_of_webhook_topic_body_and_what_tells_the_event_apart(
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
        prop_assert_eq!(ids(&queued(&delivery.stage(), event)), (dedup_id, Some(group)));
    }

    #[test]
    fn an_event_of_no_entity_is_a_group_of_its_own(delivery in deliveries()) {
        let event = with(delivery.event(), "/headers/x-labelbox-event", json!("NEW_THING"));
        let message = queued(&delivery.stage(), event);
        prop_assert_eq!(message.group_id, Some(message.dedup_id));
    }
}
