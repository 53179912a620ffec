//! What people and scripts see of a message.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use aws_sdk_sqs::types::MessageAttributeValue;
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
        receive_count: 2,
        is_intact: true,
        sent_at: Some(datetime!(2026-11-23 13:00 UTC)),
    }
}

fn inline(bytes: &[u8]) -> Content {
    Content { bytes: Ok(bytes.to_vec()), size: bytes.len() as u64, payload: None }
}

fn with_view<T>(
    max_receive_count: Option<u32>,
    width: Option<usize>,
    show: impl FnOnce(View<'_>) -> T,
) -> T {
    let (clients, _) = offline(&[]);
    let queue = Queue::at(&clients.sqs, "https://sqs/queue", "label");
    show(View { queue, max_receive_count, width, has_unreadable: Cell::new(false) })
}

/// Without styles.
fn text(
    received: &ReceivedMessage,
    content: &Content,
    max: Option<u32>,
    width: Option<usize>,
) -> String {
    let text = with_view(max, width, |view| view.text(&received.message, Some(received), content));
    anstream::adapter::strip_str(&text).to_string()
}

const USUAL: [(&str, &str); 4] = [
    ("event", "LABEL_CREATED"),
    ("entity_id", "label1"),
    ("project_id", "p1"),
    ("received_at", "2026-11-23T12:59:59.000Z"),
];

#[test]
fn prints_a_line_about_the_message_and_one_of_its_body() {
    assert_eq!(
        text(&received(&USUAL), &inline(b"{ \"id\":\n 1 }"), Some(5), Some(80)),
        "2026-11-23T12:59:59.000Z label     LABEL_CREATED      label1 project p1 12 B, receive 2 of 5\n  \
         { \"id\": 1 }"
    );
}

#[test]
fn prints_dashes_for_missing_attributes_and_the_time_of_sqs() {
    let line =
        "2026-11-23T13:00:00.000Z label     -                  - project - 0 B, receive 2\n  ";
    assert_eq!(text(&received(&[]), &inline(b""), None, Some(80)), line);
}

#[test]
fn sanitizes_everything_in_a_message() {
    let evil = "\u{1b}[2J\u{9b}31m\u{7}";
    for bytes in [Ok(evil.as_bytes().to_vec()), Err(evil.to_owned())] {
        let content = Content {
            bytes,
            size: 1,
            payload: Some(Payload { bucket: evil.to_owned(), key: evil.to_owned() }),
        };
        let attributes = ["event", "entity_id", "project_id", "received_at"].map(|it| (it, evil));
        for width in [None, Some(80)] {
            let received = received(&attributes);
            let show = |view: View<'_>| view.text(&received.message, Some(&received), &content);
            let styled = with_view(None, width, show);
            let plain = anstream::adapter::strip_str(&styled).to_string();
            assert!(!plain.contains(['\u{1b}', '\u{9b}', '\u{7}']), "{plain:?}");
            assert!(!styled.contains("\u{1b}[2J"));
        }
    }
}

#[test]
fn scripts_can_tell_a_body_from_base64_and_from_an_error() {
    let received = received(&USUAL);
    let of = |content| {
        with_view(Some(5), None, |view| view.json(&received.message, Some(&received), &content))
    };
    let text = of(inline("ü".as_bytes()));
    assert_eq!(text.get("body"), Some(&"ü".into()));
    let bytes = of(inline(b"\xff"));
    assert_eq!((bytes.get("body"), bytes.get("body_base64")), (None, Some(&"/w==".into())));
    let missing = of(Content { bytes: Err("gone".to_owned()), size: 7, payload: None });
    assert_eq!((missing.get("body"), missing.get("body_error")), (None, Some(&"gone".into())));
    assert_eq!(missing.get("size"), Some(&7.into()));
}
