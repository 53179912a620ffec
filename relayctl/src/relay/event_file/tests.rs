//! What counts as a gateway's event and what as a body, and how large a file may be.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

const EVENT: &str = include_str!("../../../../events/label-created-v1.json");
const REST_EVENT: &str = include_str!("../../../../events/label-updated-v1.json");
const BODY: &[u8] = include_bytes!("../../../../events/label-created-v1.payload.json");
const RUN: &str = include_str!("../../../../events/model-run-created.json");
const LIST: &str = include_str!("../../../../events/models-list.json");

#[track_caller]
fn delivery(text: &str) -> Delivery {
    assert!(is_gateway_event(text.as_bytes()));
    from_gateway_event(text.as_bytes()).unwrap()
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
fn anything_else_is_a_body() {
    for bytes in [BODY, b"", b"\xff\x00", b"{\"requestContext\": 1}", b"[]\n"] {
        assert!(!is_gateway_event(bytes), "{bytes:?}");
    }
}

#[test]
fn names_why_an_event_cannot_be_sent() {
    let broken = r#"{"requestContext": {}, "rawPath": "/webhooks/labelbox", "body": "?", "isBase64Encoded": true}"#;
    for (text, says) in [
        (LIST, "takes no payload"),
        (broken, "its body is not valid base64"),
        (r#"{"requestContext": {}, "rawPath": 7}"#, "cannot be read as one"),
    ] {
        let error = from_gateway_event(text.as_bytes()).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn reads_up_to_what_the_gateway_accepts() {
    let full = io::repeat(b'x').take(GATEWAY_LIMIT as u64);
    assert_eq!(read_limited(full).unwrap().len(), GATEWAY_LIMIT);
    let error = read_limited(io::repeat(b'x')).unwrap_err();
    assert!(error.to_string().contains("over 10 MB"), "{error}");
}
