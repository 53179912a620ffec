//! Tests of messages. Python's hashlib computed the expected ids, moto the expected checksums.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::event::MODEL_RUN_CREATED;
use crate::signature::tests::verified;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use time::macros::datetime;

const LABEL: &str = r#"{"id":"cl0sjr9nb9tfi0zatagsq5zw1","createdAt":"2021-03-17T13:51:59Z","updatedAt":"2021-03-17T13:52:07.250Z","project":{"id":"ckm1qkb1v0bqx0797dvjt4wjt"}}"#;
const MOVE: &str =
    r#"{"id":"ckrt4al1n0001pwz1x2y3z4a5","project":{"id":"ckm1qkb1v0bqx0797dvjt4wjt"}}"#;
const RUN: &str =
    r#"{"modelId":"ckm0","modelRunId":"1ff2ad0e-6b05-45d4-bc26-d22fd5a2f1b7","modelType":"ner"}"#;
const INVOCATION: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
const DELIVERY: &str = "ckmdi74ew57lq063553kuzekq";
const RECEIVED_AT: OffsetDateTime = datetime!(2026-02-03 04:05:06.007 UTC);
const PAYLOAD_ID: Uuid = Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8);
/// 1 MiB, the limit of SQS.
const LIMIT: usize = 1_048_576;

/// A delivery to `/webhooks/labelbox`.
#[derive(Clone, Copy)]
struct Delivery<'a> {
    body: &'a [u8],
    topic: Option<&'a str>,
    delivery_id: Option<&'a str>,
    queue_type: QueueType,
    limit: usize,
}

fn delivery(body: &str) -> Delivery<'_> {
    Delivery {
        body: body.as_bytes(),
        topic: Some("LABEL_UPDATED"),
        delivery_id: Some(DELIVERY),
        queue_type: QueueType::Fifo,
        limit: LIMIT,
    }
}

impl Delivery<'_> {
    fn build(&self) -> (Message, Option<Payload>) {
        let verified = verified(self.body);
        let event = Event::from_webhook(&verified, self.topic);
        self.build_from_event(verified, event, Some("labelbox"))
    }

    fn build_from_event(
        &self,
        verified: Verified,
        event: Event,
        webhook: Option<&str>,
    ) -> (Message, Option<Payload>) {
        let metadata = DeliveryMetadata {
            delivery_id: self.delivery_id.map(str::to_owned),
            webhook: webhook.map(str::to_owned),
            request_id: INVOCATION.to_owned(),
            trace: Some("Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
        };
        let message_config = MessageConfig {
            queue_type: self.queue_type,
            inline_limit: self.limit,
            bucket: "relay-payloads".to_owned(),
        };
        Message::build(verified, event, metadata, &message_config, RECEIVED_AT, || PAYLOAD_ID)
    }

    /// Builds a message with an inline body.
    #[track_caller]
    fn message(&self) -> Message {
        let (message, payload) = self.build();
        assert_eq!(payload, None);
        message
    }

    /// Why the body is offloaded, or `None` if it is inline.
    fn offload_reason(&self) -> Option<OffloadReason> {
        self.build().1.map(|payload| payload.reason)
    }
}

fn model_run(body: &str) -> Message {
    let verified = verified(body.as_bytes());
    let event = Event::from_model_run(&verified);
    let without_headers = Delivery { delivery_id: None, ..delivery(body) };
    without_headers.build_from_event(verified, event, None).0
}

/// Attribute values by name.
fn attributes(message: &Message) -> BTreeMap<&str, &str> {
    let attributes: BTreeMap<_, _> = message
        .attributes
        .iter()
        .map(|attribute| (attribute.name, attribute.value.as_str()))
        .collect();
    assert_eq!(attributes.len(), message.attributes.len(), "duplicate attribute: {message:?}");
    attributes
}

#[test]
fn label_has_all_attributes() {
    let message = delivery(LABEL).message();
    assert_eq!(message.entity, Entity::Label);
    assert_eq!(
        attributes(&message),
        BTreeMap::from([
            ("event", "LABEL_UPDATED"),
            ("entity", "label"),
            ("entity_id", "cl0sjr9nb9tfi0zatagsq5zw1"),
            ("project_id", "ckm1qkb1v0bqx0797dvjt4wjt"),
            ("delivery_id", "ckmdi74ew57lq063553kuzekq"),
            ("webhook", "labelbox"),
            ("occurred_at", "2021-03-17T13:52:07.250Z"),
            ("received_at", "2026-02-03T04:05:06.007Z"),
            ("dedup_id", "61de0401b21644815174023aa1bb40b216aecda99478f13578f9dd3e346d9d1d"),
        ])
    );
}

#[test]
fn returns_attribute_by_name() {
    let message = delivery(LABEL).message();
    assert_eq!(message.attribute("entity"), Some("label"));
    assert_eq!(message.attribute("reason"), None);
    assert_eq!(message.attribute("Entity"), None);
}

/// Checks the names of the attributes. The four that every webhook message has are added to `others`.
#[track_caller]
fn check_names(message: &Message, others: &[&str]) {
    let expected: BTreeSet<_> =
        ["entity", "webhook", "received_at", "dedup_id"].iter().chain(others).copied().collect();
    let names: BTreeSet<_> = attributes(message).into_keys().collect();
    assert_eq!(names, expected, "{message:?}");
}

#[test]
fn omits_unknown_attributes() {
    let all = delivery(LABEL);
    let no_ids = Delivery { body: br#"{"updatedAt":"2021-03-17T13:51:59Z"}"#, ..all };
    let nothing = Delivery { body: b"{}", topic: None, delivery_id: None, ..all };
    let no_time = delivery(MOVE);
    check_names(&no_time.message(), &["event", "delivery_id", "entity_id", "project_id"]);
    check_names(&no_ids.message(), &["event", "delivery_id", "occurred_at"]);
    let no_delivery_id = Delivery { delivery_id: None, ..all };
    check_names(&no_delivery_id.message(), &["event", "entity_id", "project_id", "occurred_at"]);
    check_names(&nothing.message(), &["reason"]);
    let empty = Delivery { body: br#"{"id":"","project":{"id":""}}"#, ..all };
    check_names(&empty.message(), &["event", "delivery_id"]);
}

#[test]
fn training_run_has_a_topic_but_no_webhook() {
    assert_eq!(
        attributes(&model_run(RUN)),
        BTreeMap::from([
            ("event", MODEL_RUN_CREATED),
            ("entity", "model_run"),
            ("entity_id", "1ff2ad0e-6b05-45d4-bc26-d22fd5a2f1b7"),
            ("received_at", "2026-02-03T04:05:06.007Z"),
            ("dedup_id", "e02df36974eff406c38d40b6ffe37dbcc15f5e6da7813d5f4cdf590eb1c7a73e"),
        ])
    );
}

#[test]
fn only_unrouted_messages_have_a_reason() {
    let cases = [
        (LABEL, Some("LABEL_CREATED"), "label", None),
        (MOVE, Some("MOVE"), "workflow", None),
        (MOVE, Some("WORKFLOW_ACTION"), "workflow", None),
        (LABEL, Some("REVIEW_DELETED"), "review", None),
        (LABEL, Some("PROJECT_CREATED"), "unrouted", Some("unknown_topic")),
        (LABEL, None, "unrouted", Some("no_topic")),
        ("[1]", Some("LABEL_CREATED"), "unrouted", Some("unreadable")),
    ];
    for (body, topic, entity, reason) in cases {
        let message = Delivery { topic, ..delivery(body) }.message();
        assert_eq!(message.attribute("entity"), Some(entity), "{topic:?}");
        assert_eq!(message.attribute("reason"), reason, "{topic:?}");
        assert_eq!(message.attribute("event"), topic);
    }
    assert_eq!(model_run(RUN).attribute("reason"), None);
}

#[test]
fn messages_with_all_attributes_have_fewer_than_ten() {
    let unrouted = Delivery { topic: Some("PROJECT_CREATED"), ..delivery(LABEL) };
    for delivery in [delivery(LABEL), unrouted] {
        // The limit of SQS is ten, including ExtendedPayloadSize.
        assert!(delivery.message().attributes.len() < 10);
    }
}

#[test]
fn converts_topic_to_upper_case() {
    let message = Delivery { topic: Some("label_Updated"), ..delivery(LABEL) }.message();
    assert_eq!(message.attribute("event"), Some("LABEL_UPDATED"));
}

#[test]
fn body_is_unchanged() {
    let bodies = [
        LABEL,
        " {\t\"id\" :\r\n1 , \"id\": \"\\u00e9\\/\" } \n",
        "not JSON",
        "\u{feff}{}",
        "é\u{10ffff}\u{85}\u{2028}",
        " ",
    ];
    for body in bodies {
        assert_eq!(delivery(body).message().body, body);
    }
}

#[test]
fn message_has_the_trace_of_the_request() {
    assert_eq!(
        delivery(LABEL).message().trace.as_deref(),
        Some("Root=1-5759e988-bd862e3fe1be46a994272793")
    );
    let verified = verified(LABEL.as_bytes());
    let event = Event::from_webhook(&verified, None);
    let message_config = MessageConfig {
        queue_type: QueueType::Fifo,
        inline_limit: LIMIT,
        bucket: "relay-payloads".to_owned(),
    };
    let (message, _) = Message::build(
        verified,
        event,
        DeliveryMetadata::default(),
        &message_config,
        RECEIVED_AT,
        || PAYLOAD_ID,
    );
    assert_eq!(message.trace, None);
}

/// Python's `hashlib.sha256` computed the expected ids.
#[test]
fn dedup_id_is_the_hash_of_webhook_topic_discriminator_and_body() {
    let other = "ckmdi74ew57lq063553kuzekr";
    let time = r#"{"createdAt":"2021-03-17T13:51:59Z"}"#;
    let no_time = r#"{"updatedAt":"yesterday"}"#;
    #[rustfmt::skip]
    let cases = [
        // A label with a time: the delivery id does not matter.
        (LABEL, Some("LABEL_UPDATED"), Some(DELIVERY), "61de0401b21644815174023aa1bb40b216aecda99478f13578f9dd3e346d9d1d"),
        (LABEL, Some("LABEL_UPDATED"), Some(other), "61de0401b21644815174023aa1bb40b216aecda99478f13578f9dd3e346d9d1d"),
        (LABEL, Some("LABEL_UPDATED"), None, "61de0401b21644815174023aa1bb40b216aecda99478f13578f9dd3e346d9d1d"),
        (LABEL, Some("label_updated"), Some(DELIVERY), "61de0401b21644815174023aa1bb40b216aecda99478f13578f9dd3e346d9d1d"),
        (LABEL, Some("LABEL_CREATED"), Some(DELIVERY), "07c4e98ac2e7f44ec8152cf81749f92e00c7893a3d0839b1991c2d5f06938796"),
        (time, Some("LABEL_CREATED"), Some(DELIVERY), "27b1da2b6ec758ed38ff09afbbca34c82366ef44e7151e35fa885697ddfa3114"),
        // Any other event: the delivery id is the discriminator, even with a time.
        (LABEL, Some("WORKFLOW_ACTION"), Some(DELIVERY), "72271d561a35911ea4ea2a728c0e6ce8e60581b08f3dc720dba98fe217e8ea2c"),
        (LABEL, Some("REVIEW_UPDATED"), Some(DELIVERY), "35bf7d9d0f7c1268b6a4bfd55eb06b83889e86f4d5ed1b6c496650e05340d6c8"),
        (LABEL, None, Some(DELIVERY), "55ab83e59d9c0937b06eb73b94fdca8430b91d3ab2836a21dd17cced089a800c"),
        (MOVE, Some("MOVE"), Some(DELIVERY), "38c0cc0c383126c5b25eba0dd4cf3f63b49ad9e587be44201485582997d87e0c"),
        (MOVE, Some("move"), Some(DELIVERY), "38c0cc0c383126c5b25eba0dd4cf3f63b49ad9e587be44201485582997d87e0c"),
        (MOVE, Some("MOVE"), Some(other), "36da18c6642dc1f913069f03ac86987137dd0ba550e638e23172af4588955a83"),
        (no_time, Some("LABEL_UPDATED"), Some(DELIVERY), "cbd128651e7437885ec28debee266aaf7a31cfe56fd0744d292f15b5fc3ddbce"),
        ("[1]", Some("LABEL_UPDATED"), Some(DELIVERY), "a45e365d561d85700ec3744ba8ee571d0da30de00ffaec9c3cd436a86070c90a"),
        // Without a delivery id, the discriminator is the request id.
        (MOVE, Some("MOVE"), None, "a55aa9caa0cc115d0d8464b9d6c09c79d1138cb5ea5e060e1f0c982d0d7a52f6"),
        (MOVE, None, None, "e701396b345e60ec4722a209a95be6cf1b2895fd202981d4d45655b681b4a1f6"),
        (no_time, Some("LABEL_UPDATED"), None, "a298b4ad3f8b09def5c9f3c825749346ea3a519e30ad37b2978c8bd11bde92c3"),
    ];
    for (body, topic, delivery_id, dedup_id) in cases {
        let fifo = Delivery { topic, delivery_id, ..delivery(body) };
        let standard = Delivery { queue_type: QueueType::Standard, ..fifo };
        for message in [fifo.message(), standard.message()] {
            assert_eq!(message.dedup_id, dedup_id, "{topic:?} {delivery_id:?} {body}");
            assert_eq!(message.attribute("dedup_id"), Some(dedup_id));
        }
    }
}

#[test]
fn dedup_id_of_a_training_run_depends_on_the_invocation() {
    let body = r#"{"modelId":"m","modelRunId":"r","modelType":"ner"}"#;
    let dedup_id = model_run(body).dedup_id;
    assert_eq!(dedup_id, "8cb555d1dd0977a7a5c729070adac9492fa38e56b0404d4eb1460cf6921ccfc3");
}

/// If bytes move from one part of the input to the next, the id is different.
#[test]
fn dedup_id_separates_its_parts() {
    let dedup_id = |webhook, delivery_id, body| {
        let verified = verified(body);
        let event = Event::from_webhook(&verified, Some("MOVE"));
        let delivery = Delivery { delivery_id, ..delivery("") };
        let (message, _) = delivery.build_from_event(verified, event, webhook);
        message.dedup_id
    };
    let ids = [
        dedup_id(Some("a"), Some("x"), b"y"),
        dedup_id(Some("b"), Some("x"), b"y"),
        dedup_id(None, Some("x"), b"y"),
        dedup_id(Some("a"), Some("xy"), b""),
        dedup_id(Some("a"), Some("x\n"), b"y"),
        dedup_id(Some("a"), Some("x"), b"\ny"),
        dedup_id(Some("a"), Some("x"), b"\0y"),
    ];
    let unique: BTreeSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
}

fn with_id(id: &str) -> String {
    serde_json::json!({ "id": id }).to_string()
}

/// Python's `hashlib.sha256` computed the hashes of the ids.
#[test]
fn group_id_is_the_entity_id_or_its_hash() {
    let unchanged = [
        "cl0sjr9nb9tfi0zatagsq5zw1".to_owned(),
        "1".to_owned(),
        "a".repeat(128),
        r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##.to_owned(),
    ];
    for id in unchanged {
        let message = delivery(&with_id(&id)).message();
        assert_eq!(message.group_id.as_deref(), Some(id.as_str()));
    }
    #[rustfmt::skip]
    let hashed = [
        ("a".repeat(129), "c12cb024a2e5551cca0e08fce8f1c5e314555cc3fef6329ee994a3db752166ae"),
        ("two words".to_owned(), "a03f1d611645eb53ad16c1af546ca0792dc884505bab57ede80f4dad6b911d3a"),
        ("caf\u{e9}".to_owned(), "850f7dc43910ff890f8879c0ed26fe697c93a067ad93a7d50f466a7028a9bf4e"),
        ("\u{e9}".repeat(100), "f42ec48e1e4b487e590e0b3d4e58437c8327efa855d769709f4942a4f73a7eb6"),
        ("a\nb".to_owned(), "7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78"),
        ("a\u{7f}".to_owned(), "c5791af439fe7995107aba250c140cfd948cb08812c78ade269703c4b82c35fa"),
        ("a\0b".to_owned(), "59b271ae1bbcb1d31d41929817f4b16fb439eb4f31520b5ad1d5ce98920a7138"),
    ];
    for (id, hash) in hashed {
        let message = delivery(&with_id(&id)).message();
        assert_eq!(message.group_id.as_deref(), Some(hash), "{id:?}");
    }
}

#[test]
fn event_without_entity_id_has_its_own_group() {
    for (body, topic) in
        [("{}", Some("LABEL_UPDATED")), (LABEL, Some("PROJECT_CREATED")), ("[1]", None)]
    {
        let message = Delivery { topic, ..delivery(body) }.message();
        assert_eq!(message.group_id.as_deref(), Some(message.dedup_id.as_str()));
    }
}

#[test]
fn message_for_standard_queue_has_no_group() {
    let fifo = delivery(LABEL);
    let standard = Delivery { queue_type: QueueType::Standard, ..fifo };
    let expected = Message { group_id: None, ..fifo.message() };
    assert_eq!(standard.message(), expected);
}

#[test]
fn invalid_attribute_value_is_omitted_but_determines_the_group() {
    let cases = [
        ("b".repeat(1025), "c2bcb9162cf48ebc8413bbb93b31cd7909138e22e8fd4403f368e7d95d4a5fa2"),
        ("a\0b".to_owned(), "59b271ae1bbcb1d31d41929817f4b16fb439eb4f31520b5ad1d5ce98920a7138"),
    ];
    for (id, group) in cases {
        let message = delivery(&with_id(&id)).message();
        check_names(&message, &["event", "delivery_id"]);
        assert_eq!(message.group_id.as_deref(), Some(group), "{id:?}");
    }
}

#[test]
fn omits_values_over_1024_bytes() {
    for (id, is_included) in [
        ("b".repeat(1024), true),
        ("b".repeat(1025), false),
        ("\u{e9}".repeat(512), true),
        ("\u{e9}".repeat(513), false),
    ] {
        let body = serde_json::json!({"id": id, "project": {"id": id}}).to_string();
        let message = delivery(&body).message();
        let expected = is_included.then_some(id.as_str());
        assert_eq!(message.attribute("entity_id"), expected);
        assert_eq!(message.attribute("project_id"), expected);
    }
}

/// The size of the attributes of [`LABEL`] in bytes, computed in Python: the sum of name, `String` and value of each.
const ATTRIBUTES_BYTES: usize = 345;

#[test]
fn offloads_body_one_byte_over_the_limit_of_sqs() {
    let padded = |bytes: usize| format!("{LABEL}{}", " ".repeat(bytes - LABEL.len()));
    let fits = padded(LIMIT - ATTRIBUTES_BYTES);
    let too_large = padded(LIMIT - ATTRIBUTES_BYTES + 1);
    for queue_type in [QueueType::Fifo, QueueType::Standard] {
        let fits = Delivery { queue_type, ..delivery(&fits) };
        assert_eq!(fits.message().body.as_bytes(), fits.body);
        let too_large = Delivery { queue_type, ..delivery(&too_large) };
        assert_eq!(too_large.offload_reason(), Some(OffloadReason::TooLarge));
    }
}

#[test]
fn pointer_has_the_format_of_the_extended_client() {
    let too_large = Delivery { limit: LABEL.len(), ..delivery(LABEL) };
    let (message, payload) = too_large.build();
    let key = "payloads/61de0401b21644815174023aa1bb40b216aecda99478f13578f9dd3e346d9d1d/67e55044-10b1-426f-9247-bb680e5fe0c8";
    assert_eq!(
        message.body,
        format!(
            r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{{"s3BucketName":"relay-payloads","s3Key":"{key}"}}]"#
        )
    );
    let expected =
        Payload { key: key.to_owned(), bytes: LABEL.into(), reason: OffloadReason::TooLarge };
    assert_eq!(payload, Some(expected));
    let size = message.attributes.last().unwrap();
    assert_eq!((size.name, size.data_type), ("ExtendedPayloadSize", NUMBER));
    assert_eq!(size.value, LABEL.len().to_string());
    let inline = delivery(LABEL).message();
    assert_eq!(message.attributes[..9], inline.attributes);
    assert_eq!(
        (&message.dedup_id, &message.group_id, message.entity),
        (&inline.dedup_id, &inline.group_id, inline.entity)
    );
}

#[test]
fn inline_limit_is_configurable() {
    let at = |limit| Delivery { limit, ..delivery(LABEL) };
    let bytes = LABEL.len() + ATTRIBUTES_BYTES;
    assert_eq!(at(bytes).offload_reason(), None);
    assert_eq!(at(bytes - 1).offload_reason(), Some(OffloadReason::TooLarge));
}

#[test]
fn counts_bytes_not_characters() {
    let body = "\u{e9}".repeat(LIMIT / 2);
    assert_eq!(delivery(&body).offload_reason(), Some(OffloadReason::TooLarge));
}

#[test]
fn offloads_empty_body() {
    assert_eq!(delivery("").offload_reason(), Some(OffloadReason::Empty));
}

#[test]
fn offloads_body_that_is_not_utf8() {
    let bodies: [&[u8]; 5] = [
        b"\xff",
        b"{\"id\":\"caf\xe9\"}",
        b"\xc3",
        // A lone surrogate, and an overlong slash.
        b"\xed\xa0\x80",
        b"\xc0\xaf",
    ];
    for body in bodies {
        let delivery = Delivery { body, ..delivery("") };
        assert_eq!(delivery.offload_reason(), Some(OffloadReason::NotUtf8), "{body:?}");
    }
}

#[test]
fn offloads_body_with_forbidden_characters() {
    #[rustfmt::skip]
    let cases = [
        ('\u{0}', false), ('\u{8}', false), ('\t', true), ('\n', true), ('\u{b}', false), ('\u{c}', false),
        ('\r', true), ('\u{e}', false), ('\u{1f}', false), (' ', true), ('~', true), ('\u{7f}', true),
        ('\u{80}', true), ('\u{d7ff}', true), ('\u{e000}', true), ('\u{fffd}', true), ('\u{fffe}', false),
        ('\u{ffff}', false), ('\u{10000}', true), ('\u{1fffe}', true), ('\u{10ffff}', true),
    ];
    for (character, is_allowed) in cases {
        for body in [format!("{character}"), format!("a{character}"), format!("{character}a")] {
            let expected = (!is_allowed).then_some(OffloadReason::ForbiddenCharacter);
            assert_eq!(delivery(&body).offload_reason(), expected, "{character:?}");
        }
    }
}

/// The characters that SQS accepts: `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`.
fn is_sqs_text(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(
            u32::from(c),
            0x9 | 0xA | 0xD | 0x20..=0xD7FF | 0xE000..=0xFFFD | 0x1_0000..=0x10_FFFF
        )
    })
}

fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 1..200).prop_map(String::from_iter)
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let label = (any_text(), any_text(), any_text()).prop_map(|(id, project, time)| {
        serde_json::json!({"id": id, "project": {"id": project}, "updatedAt": time})
            .to_string()
            .into_bytes()
    });
    prop_oneof![any::<Vec<u8>>(), label, any_text().prop_map(String::into_bytes)]
}

proptest! {
    #[test]
    fn every_message_satisfies_the_rules_of_sqs(
        body in any_body(),
        topic in proptest::option::of("[!-~]{1,256}|LABEL_UPDATED|MOVE"),
        delivery_id in proptest::option::of(any_text()),
        limit in 200..2000_usize,
    ) {
        let delivery = Delivery {
            body: &body,
            topic: topic.as_deref(),
            delivery_id: delivery_id.as_deref(),
            queue_type: QueueType::Fifo,
            limit,
        };
        let (message, payload) = delivery.build();
        let inline_bytes: usize = message
            .attributes
            .iter()
            .filter(|attribute| attribute.data_type == STRING)
            .map(|attribute| attribute.name.len() + 6 + attribute.value.len())
            .sum::<usize>()
            + body.len();
        match payload.as_ref().map(|payload| payload.reason) {
            None => prop_assert!(inline_bytes <= limit && message.body.as_bytes() == body),
            Some(OffloadReason::Empty) => prop_assert!(body.is_empty()),
            Some(OffloadReason::TooLarge) => prop_assert!(inline_bytes > limit),
            Some(OffloadReason::NotUtf8) => prop_assert!(std::str::from_utf8(&body).is_err()),
            Some(OffloadReason::ForbiddenCharacter) => {
                prop_assert!(!is_sqs_text(std::str::from_utf8(&body).unwrap()));
            }
        }
        prop_assert_eq!(message.attribute(PAYLOAD_SIZE).is_some(), payload.is_some());
        if let Some(payload) = payload {
            prop_assert_eq!(payload.bytes, body);
        }
        prop_assert!(!message.body.is_empty());
        prop_assert!(is_sqs_text(&message.body));
        let attributes = attributes(&message);
        prop_assert!(attributes.len() <= 10);
        for (name, value) in &attributes {
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_'));
            prop_assert!(!value.is_empty() && value.len() <= 1024 && is_sqs_text(value));
        }
        let group_id = message.group_id.unwrap();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##.contains(c);
        prop_assert!((1..=128).contains(&group_id.len()) && group_id.chars().all(is_allowed));
        prop_assert!(message.dedup_id.len() == 64 && message.dedup_id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}

/// moto, an independent implementation of SQS, computed the expected checksums.
#[track_caller]
fn check_checksums(message: &Message, body: &str, attributes: &str) {
    let expected = Checksums { body: body.to_owned(), attributes: Some(attributes.to_owned()) };
    assert_eq!(Checksums::of_message(message), expected);
}

#[test]
fn computes_the_checksums_of_sqs() {
    check_checksums(
        &delivery(LABEL).message(),
        "201bbe8b25bb2d65d54a45d3b59667d9",
        "ef8e9b62385c1ac23a9ad45c6e7bb4a0",
    );
    let mut message = Message {
        body: "\u{e9}".to_owned(),
        attributes: vec![
            Attribute::string("entity", "caf\u{e9} \u{10ffff}".to_owned()),
            Attribute::string("reason", "no_topic".to_owned()),
        ],
        ..delivery(LABEL).message()
    };
    check_checksums(
        &message,
        "66ddcd97cfdeabb2f6fb8a999b4bc76f",
        "5965c7bd37ca2aa1081943088ed5ab0f",
    );
    message.attributes = vec![Attribute::string("entity", "label".to_owned())];
    message.body = "a".to_owned();
    check_checksums(
        &message,
        "0cc175b9c0f1b6a831c399e269772661",
        "7d9ed8c9a1c21e915e027f6bfeb07506",
    );
}

/// `relayctl redrive` also moves messages of other senders. moto computed the expected checksums.
#[test]
fn checksum_of_a_binary_attribute_includes_its_custom_type() {
    for (data_type, expected) in [
        ("Binary", "528925c666bc9422de72d25527206c67"),
        ("Binary.png", "a33ba10126f57fb591915d9a3539dbde"),
    ] {
        let attributes = [
            ("size", "Number.int", b"2".as_slice()),
            ("picture", data_type, b"\x00\xff".as_slice()),
        ];
        let checksums = Checksums::compute("a", attributes.into_iter());
        assert_eq!(checksums.attributes.as_deref(), Some(expected));
    }
}

#[test]
fn checksums_do_not_depend_on_attribute_order() {
    let message = delivery(LABEL).message();
    for count in 0..message.attributes.len() {
        let mut reordered = message.clone();
        reordered.attributes.rotate_left(count);
        assert_eq!(Checksums::of_message(&reordered), Checksums::of_message(&message));
        reordered.attributes.reverse();
        assert_eq!(Checksums::of_message(&reordered), Checksums::of_message(&message));
    }
}

#[test]
fn any_change_of_an_attribute_changes_the_checksum() {
    let message = delivery(LABEL).message();
    let sent = Checksums::of_message(&message);
    for index in 0..message.attributes.len() {
        let mut changed = message.clone();
        changed.attributes.remove(index);
        assert_ne!(Checksums::of_message(&changed).attributes, sent.attributes);
        assert_eq!(Checksums::of_message(&changed).body, sent.body);
        let mut changed = message.clone();
        changed.attributes[index].value.push('x');
        assert_ne!(Checksums::of_message(&changed).attributes, sent.attributes);
    }
}
