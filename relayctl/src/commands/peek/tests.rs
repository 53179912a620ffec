//! What people and scripts see of a message.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use crate::aws::stack::Stack;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use std::collections::HashMap;
use time::macros::datetime;

fn received(attributes: &[(&str, &str)]) -> ReceivedMessage {
    let attribute = |(name, text): &(&str, &str)| {
        let value = MessageAttributeValue::builder().data_type("String");
        let value = value.string_value(*text).build().unwrap();
        ((*name).to_owned(), value)
    };
    ReceivedMessage {
        message_id: "id".to_owned(),
        receipt_handle: "handle".to_owned(),
        message: OutgoingMessage {
            body: String::new(),
            attributes: attributes.iter().map(attribute).collect(),
            trace: None,
            group_id: Some("group".to_owned()),
            dedup_id: None,
        },
        receives: 2,
        sent_at: Some(datetime!(2026-11-23 13:00 UTC)),
    }
}

fn inline(bytes: &[u8]) -> Content {
    Content { bytes: Ok(bytes.to_vec()), size: bytes.len() as u64, place: None }
}

fn show(received: ReceivedMessage, content: Content, most: Option<u32>, extent: Extent) -> Shown {
    let (clients, _) = offline(&[]);
    let url = ("LabelQueueUrl".to_owned(), "https://sqs/queue".to_owned());
    let stack = Stack::new("relay", HashMap::from([url]));
    let queue = Queue::new(&clients, &stack, Entity::Label, false).unwrap();
    let stats = QueueStats { most_receives: most, ..QueueStats::default() };
    Shown::new(received, content, &queue, stats, extent)
}

/// As it is where there are no colours.
fn text(shown: &Shown) -> String {
    anstream::adapter::strip_str(&shown.to_string()).to_string()
}

const USUAL: [(&str, &str); 4] = [
    ("event", "LABEL_CREATED"),
    ("entity_id", "label1"),
    ("project_id", "p1"),
    ("received_at", "2026-11-23T12:59:59.000Z"),
];

#[test]
fn people_get_a_line_about_the_message_and_one_of_its_body() {
    let shown = show(received(&USUAL), inline(b"{ \"id\":\n 1 }"), Some(5), Extent::Line(80));
    assert_eq!(
        text(&shown),
        "2026-11-23T12:59:59.000Z label     LABEL_CREATED      label1 project p1 12 B, receive 2 of 5\n  \
         { \"id\": 1 }\n"
    );
}

#[test]
fn what_is_not_known_is_a_dash_and_the_time_is_that_of_sqs() {
    let shown = show(received(&[]), inline(b""), None, Extent::Line(80));
    let line =
        "2026-11-23T13:00:00.000Z label     -                  - project - 0 B, receive 2\n  \n";
    assert_eq!(text(&shown), line);
}

#[test]
fn a_last_receive_is_marked() {
    for (most, is_last) in [(Some(2), true), (Some(1), true), (Some(3), false), (None, false)] {
        let shown = show(received(&[]), inline(b""), most, Extent::Full);
        assert_eq!(text(&shown).contains("its last"), is_last, "{most:?}");
    }
}

#[test]
fn a_line_is_cut_by_characters() {
    assert_eq!(line("äöü äöü".as_bytes(), 7), "äöü äöü");
    assert_eq!(line("äöü äöü".as_bytes(), 6), "äöü ä…");
    assert_eq!(line(b"x", 0), "…");
    assert_eq!(line(b"\xff \n\t x", 9), "\u{FFFD} x");
}

#[test]
fn nothing_of_a_message_steers_a_terminal() {
    let evil = "\u{1b}[2J\u{9b}31m\u{7}";
    let place = Place { bucket: evil.to_owned(), key: evil.to_owned(), size: 1 };
    for bytes in [Ok(evil.as_bytes().to_vec()), Err(evil.to_owned())] {
        let content = Content {
            bytes,
            size: 1,
            place: Some(Place { bucket: evil.to_owned(), key: evil.to_owned(), ..place }),
        };
        let attributes = ["event", "entity_id", "project_id", "received_at"].map(|it| (it, evil));
        let shown = show(received(&attributes), content, None, Extent::Full);
        let styles = text(&shown);
        assert!(!styles.contains(['\u{1b}', '\u{9b}', '\u{7}']), "{styles:?}");
        assert!(!shown.to_string().contains("\u{1b}[2J"));
    }
}

#[test]
fn scripts_can_tell_text_from_bytes_and_from_nothing() {
    let of = |content| serde_json::to_value(show(received(&USUAL), content, Some(5), Extent::Full));
    let text = of(inline("ü".as_bytes())).unwrap();
    assert_eq!(text.get("body"), Some(&"ü".into()));
    let bytes = of(inline(b"\xff")).unwrap();
    assert_eq!((bytes.get("body"), bytes.get("body_base64")), (None, Some(&"/w==".into())));
    let missing = Content { bytes: Err("gone".to_owned()), size: 7, place: None };
    let missing = of(missing).unwrap();
    assert_eq!((missing.get("body"), missing.get("body_error")), (None, Some(&"gone".into())));
    assert_eq!(missing.get("size"), Some(&7.into()));
}

#[test]
fn an_attribute_of_bytes_is_base64() {
    let mut received = received(&[]);
    let value = MessageAttributeValue::builder().data_type("Binary");
    let value = value.binary_value(Blob::new([255])).build().unwrap();
    received.message.attributes.insert("b".to_owned(), value);
    assert_eq!(attributes(&received.message).get("b").unwrap(), "/w==");
}
