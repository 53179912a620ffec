//! What was signed is what is kept, byte for byte: in the message, or in the object that its pointer names.

use super::*;
use crate::outside::Mood;
use labelbox_relay::message::{Message, PAYLOAD_SIZE, POINTER_CLASS};
use std::collections::BTreeMap;

/// The bytes of an event from the body of its message: where there is no object, that is the event itself.
fn bytes_of(body: &str, objects: &mut BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    if objects.is_empty() {
        return body.as_bytes().to_vec();
    }
    let pointer: Value = serde_json::from_str(body).unwrap();
    assert_eq!(pointer[0], POINTER_CLASS);
    assert_eq!(pointer[1]["s3BucketName"], "relay-payloads");
    let key = pointer[1]["s3Key"].as_str().unwrap();
    objects.remove(key).unwrap()
}

fn size_said(message: &Message) -> Option<usize> {
    let size = message.attribute(PAYLOAD_SIZE)?;
    Some(size.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2 * CASES))]

    #[test]
    fn an_accepted_event_is_queued_with_the_very_same_bytes(delivery in deliveries()) {
        let stage = delivery.stage();
        prop_assert_eq!(send(&stage, delivery.event()).status_code, 200);
        let (queued, mut objects) = (stage.queued(), stage.objects());
        prop_assert_eq!(queued.len(), 1);
        let size = (!objects.is_empty()).then_some(delivery.body.len());
        prop_assert_eq!(size_said(&queued[0]), size);
        prop_assert_eq!(bytes_of(&queued[0].body, &mut objects), delivery.body);
        prop_assert!(objects.is_empty());
    }

    #[test]
    fn a_spilled_event_has_the_very_same_bytes(delivery in deliveries()) {
        let stage = delivery.stage();
        stage.queue_is(Mood::Refuses);
        prop_assert_eq!(send(&stage, delivery.event()).status_code, 200);
        let mut objects = stage.objects();
        let spilled = objects.keys().find(|key| key.starts_with("spill/")).cloned().unwrap();
        let record: Value = serde_json::from_slice(&objects.remove(&spilled).unwrap()).unwrap();
        let body = record["MessageBody"].as_str().unwrap();
        prop_assert_eq!(bytes_of(body, &mut objects), delivery.body);
        prop_assert!(objects.is_empty());
    }
}
