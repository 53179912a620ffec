//! Requests for messages, and URLs.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::message::OutgoingMessage;
use aws_sdk_sqs::types::MessageAttributeValue;

#[test]
fn headers_are_the_attributes_of_the_message() {
    let attribute = |(name, text): (&str, &str)| {
        let value = MessageAttributeValue::builder().data_type("String").string_value(text);
        (name.to_owned(), value.build().unwrap())
    };
    let attributes = [("event", "MOVE"), ("entity_id", "ü"), ("project_id", "two\nlines")];
    let message = ReceivedMessage {
        message_id: "m1".to_owned(),
        receipt_handle: String::new(),
        message: OutgoingMessage {
            body: String::new(),
            attributes: attributes.into_iter().map(attribute).collect(),
            trace: None,
            group_id: Some("g1".to_owned()),
            dedup_id: None,
        },
        receive_count: 2,
        sent_at: None,
        is_intact: true,
    };
    let headers = headers(&message);
    let get = |name| headers.get(name).map(HeaderValue::as_bytes);
    assert_eq!(get("x-relay-event"), Some(&b"MOVE"[..]));
    assert_eq!(get("x-relay-entity-id"), Some("ü".as_bytes()));
    assert_eq!(get("x-relay-project-id"), None);
    assert_eq!(get("x-relay-message-id"), Some(&b"m1"[..]));
    assert_eq!(get("x-relay-group-id"), Some(&b"g1"[..]));
    assert_eq!(get("x-relay-receive-count"), Some(&b"2"[..]));
}

#[test]
fn the_content_type_is_json_only_if_the_body_is() {
    for (body, expected) in [
        (&b"{\"id\": 1}"[..], "application/json"),
        (b"{\"id\": ", "text/plain; charset=utf-8"),
        (b"", "text/plain; charset=utf-8"),
        (b"\xff\x00", "application/octet-stream"),
    ] {
        assert_eq!(content_type(body), expected, "{body:?}");
    }
}

#[test]
fn only_http_urls_are_accepted() {
    assert!(parse_url("http://localhost:3000/path?a=b").is_ok());
    assert!(parse_url("https://example.com").is_ok());
    for (text, says) in [
        ("localhost:3000/a", "did you mean http://localhost:3000/a?"),
        ("127.0.0.1:3000", "did you mean http://127.0.0.1:3000/?"),
        ("ftp://example.com", "give an http or https URL"),
        ("http://", "give an http or https URL"),
    ] {
        let error = parse_url(text).unwrap_err();
        assert!(error.starts_with(says), "{text}: {error}");
    }
}
