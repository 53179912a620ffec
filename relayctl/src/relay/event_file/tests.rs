//! What is taken for a gateway's event, and what for a body.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

const EVENT: &str = include_str!("../../../events/label-created-v1.json");
const REST_EVENT: &str = include_str!("../../../events/label-updated-v1.json");
const BODY: &[u8] = include_bytes!("../../../events/label-created-v1.payload.json");
const RUN: &str = include_str!("../../../events/model-run-created.json");
const LIST: &str = include_str!("../../../events/models-list.json");

#[track_caller]
fn delivery(text: &str) -> Delivery {
    match understand(text.as_bytes().to_vec()).unwrap() {
        Content::Delivery(delivery) => delivery,
        Content::Body(_) => panic!("it was taken for a body"),
    }
}

#[test]
fn an_event_gives_body_topic_and_route() {
    let of_http_api = delivery(EVENT);
    assert_eq!(of_http_api.body, BODY);
    assert_eq!(of_http_api.topic.as_deref(), Some("LABEL_CREATED"));
    assert!(of_http_api.delivery_id.is_some());
    assert_eq!(of_http_api.route, Route::Webhook("labelbox".to_owned()));
    assert_eq!(delivery(REST_EVENT).topic.as_deref(), Some("LABEL_UPDATED"));
    assert_eq!(delivery(RUN).route, Route::ModelRun);
}

#[test]
fn anything_else_is_a_body_byte_for_byte() {
    for bytes in [BODY, b"", b"\xff\x00", b"{\"requestContext\": 1}", b"[]\n"] {
        let Content::Body(body) = understand(bytes.to_vec()).unwrap() else {
            panic!("{bytes:?} was taken for an event");
        };
        assert_eq!(body, bytes);
    }
}

#[test]
fn an_event_that_cannot_be_sent_is_said_to_be_one() {
    let broken = r#"{"requestContext": {}, "rawPath": "/webhooks/labelbox", "body": "?", "isBase64Encoded": true}"#;
    for (text, says) in [
        (LIST, "takes no payload"),
        (broken, "its body is not valid base64"),
        (r#"{"requestContext": {}, "rawPath": 7}"#, "cannot be read as one"),
    ] {
        let said = understand(text.as_bytes().to_vec()).unwrap_err();
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let line = read(Path::new("no/such.json")).unwrap_err().line();
    assert!(line.starts_with("no/such.json cannot be sent: No such file"), "{line}");
}
