//! The signed bytes are delivered unchanged, in the message or in the object that its pointer names.

use super::*;
use crate::fakes::QueueBehavior;
use labelbox_relay::message::{Message, PAYLOAD_SIZE, POINTER_CLASS};
use std::collections::BTreeMap;

/// The bytes of an event from the body of its message, which is a pointer if there are objects.
fn delivered_bytes(body: &str, objects: &mut BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    if objects.is_empty() {
        return body.as_bytes().to_vec();
    }
    let pointer: Value = serde_json::from_str(body).unwrap();
    assert_eq!(pointer[0], POINTER_CLASS);
    assert_eq!(pointer[1]["s3BucketName"], "relay-payloads");
    let key = pointer[1]["s3Key"].as_str().unwrap();
    objects.remove(key).unwrap()
}

fn payload_size(message: &Message) -> Option<usize> {
    let size = message.attribute(PAYLOAD_SIZE)?;
    Some(size.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2 * CASES))]

    #[test]
    fn queued_event_has_the_same_bytes(delivery in deliveries()) {
        let fixture = delivery.fixture();
        prop_assert_eq!(send(&fixture, delivery.event()).status_code, 200);
        let (queued, mut objects) = (fixture.take_queued(), fixture.take_objects());
        prop_assert_eq!(queued.len(), 1);
        let size = (!objects.is_empty()).then_some(delivery.body.len());
        prop_assert_eq!(payload_size(&queued[0]), size);
        prop_assert_eq!(delivered_bytes(&queued[0].body, &mut objects), delivery.body);
        prop_assert!(objects.is_empty());
    }

    #[test]
    fn spilled_event_has_the_same_bytes(delivery in deliveries()) {
        let fixture = delivery.fixture();
        fixture.set_queue(QueueBehavior::Rejects);
        prop_assert_eq!(send(&fixture, delivery.event()).status_code, 200);
        let mut objects = fixture.take_objects();
        let spilled = objects.keys().find(|key| key.starts_with("spill/")).cloned().unwrap();
        let record: Value = serde_json::from_slice(&objects.remove(&spilled).unwrap()).unwrap();
        let body = record["MessageBody"].as_str().unwrap();
        prop_assert_eq!(delivered_bytes(body, &mut objects), delivery.body);
        prop_assert!(objects.is_empty());
    }
}
