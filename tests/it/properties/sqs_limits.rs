//! SQS accepts the message of every request. The rules are from the SQS documentation:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.

use super::*;
use crate::requests::{sha256, with};
use labelbox_relay::message::{Attribute, Message, STRING};
use std::collections::BTreeSet;

/// The inline limit in bytes.
const LIMIT: usize = 1024;

fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

fn is_text(text: &str) -> bool {
    let is_allowed = |code| matches!(code, 0x9 | 0xA | 0xD | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x10000..=0x10FFFF);
    !text.is_empty() && text.chars().all(|character| is_allowed(u32::from(character)))
}

fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len())
        && id.chars().all(|c| {
            c.is_ascii_alphanumeric() || r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##.contains(c)
        })
}

fn is_value(attribute: &Attribute) -> bool {
    let is_number = || attribute.value.parse::<u32>().is_ok();
    is_text(&attribute.value) && (attribute.data_type == STRING || is_number())
}

fn byte_count(message: &Message) -> usize {
    let attributes = message.attributes.iter();
    let counts = attributes.map(|it| it.name.len() + it.data_type.len() + it.value.len());
    message.body.len() + counts.sum::<usize>()
}

/// The first rule that `message` violates.
fn violated_rule(message: &Message) -> Option<&'static str> {
    let attributes = &message.attributes;
    let names: BTreeSet<_> = attributes.iter().map(|it| it.name).collect();
    let rules = [
        ("attribute name", attributes.iter().all(|it| is_name(it.name))),
        ("unique attribute names", names.len() == attributes.len()),
        ("attribute value", attributes.iter().all(is_value)),
        ("at most ten attributes", attributes.len() <= 10),
        ("characters of the body", is_text(&message.body)),
        ("deduplication id", is_id(&message.dedup_id)),
        ("group id", message.group_id.as_deref().is_none_or(is_id)),
        ("trace", message.trace.as_deref().is_none_or(is_text)),
        // With its attributes, a pointer can exceed the inline limit of this test, but not the limit of SQS.
        (
            "size",
            byte_count(message) <= LIMIT
                || (names.contains("ExtendedPayloadSize") && byte_count(message) < 8 * LIMIT),
        ),
    ];
    rules.into_iter().find(|(_, is_satisfied)| !is_satisfied).map(|(rule, _)| rule)
}

/// Header values of Labelbox, and arbitrary ones.
fn headers() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        4 => "LABEL_CREATED|move|Review_Updated|WORKFLOW_ACTION|NEW".prop_map(Value::from),
        1 => "[!-~]{1,300}".prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3 * CASES))]

    #[test]
    fn every_message_satisfies_the_rules_of_sqs(
        delivery in deliveries(),
        (topic, delivery_id) in (headers(), headers()),
        webhook in "[a-z0-9-]{1,64}",
        trace in prop::option::of(any::<String>()),
        (is_fifo, is_training) in any::<(bool, bool)>(),
    ) {
        let queue_type = if is_fifo { "fifo" } else { "standard" };
        let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", "1"), ("QUEUE_TYPE", queue_type)]);
        fixture.set_store(StoreBehavior::Returns(json!({&webhook: delivery.secret, "training": "another"}).to_string()));
        let path = if is_training { "/training/model_run".to_owned() } else { format!("/webhooks/{webhook}") };
        let mut event = with(delivery.event(), "/rawPath", json!(path));
        if is_training {
            event = with(event, "/headers/x-hub-signature", Value::Null);
            event = with(event, "/headers/x-hub-signature-256", json!(sha256("another", &delivery.body)));
        }
        event = with(event, "/headers/x-labelbox-event", topic);
        event = with(event, "/headers/x-labelbox-id", delivery_id);
        let response = block_on(fixture.send_with_trace(event, trace.as_deref()));
        prop_assert_eq!(response.status_code, 200);
        let queued = fixture.take_queued();
        prop_assert_eq!(queued.len(), 1);
        prop_assert_eq!(violated_rule(&queued[0]), None, "{:?}", queued[0]);
        prop_assert_eq!(queued[0].group_id.is_some(), is_fifo);
    }
}
