//! Property tests of the whole handler.

mod body_bytes;
mod ids;
mod rejections;
mod responses;
mod sqs_limits;

use crate::fakes::StoreBehavior;
use crate::fixture::{Fixture, Response};
use crate::requests::{gateway_event, sha1, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The number of cases per property. All of them together take seconds.
const CASES: u32 = 100;

/// A random delivery of a label.
#[derive(Debug, Clone)]
struct Delivery {
    secret: String,
    signature_headers: (bool, bool),
    body: Vec<u8>,
    in_base64: bool,
}

impl Delivery {
    /// The event of an HTTP API with one or both of the signature headers.
    fn event(&self) -> Value {
        let (with_sha1, with_sha256) = self.signature_headers;
        let sha1 = with_sha1.then(|| sha1(&self.secret, &self.body));
        let sha256 = (with_sha256 || !with_sha1).then(|| sha256(&self.secret, &self.body));
        let headers = json!({
            "content-type": "application/json",
            "x-hub-signature": sha1,
            "x-hub-signature-256": sha256,
            "x-labelbox-event": "LABEL_UPDATED",
            "x-labelbox-id": "ckmdi74ew57lq063553kuzekq",
        });
        let event = gateway_event("POST", "/webhooks/labelbox", headers, None);
        with_body(event, &self.body, self.in_base64)
    }

    /// A relay that has the secret, and an inline limit of 1 KiB.
    fn fixture(&self) -> Fixture {
        let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", "1")]);
        fixture.set_store(StoreBehavior::Returns(
            json!({"labelbox": self.secret, "training": "another"}).to_string(),
        ));
        fixture
    }
}

/// Sets the body of an event. It is in base64 if it is not UTF-8.
fn with_body(mut event: Value, body: &[u8], in_base64: bool) -> Value {
    let text = std::str::from_utf8(body).ok().filter(|_| !in_base64);
    event["isBase64Encoded"] = json!(text.is_none());
    event["body"] = match text {
        Some(text) => json!(text),
        None => json!(STANDARD.encode(body)),
    };
    event
}

prop_compose! {
    fn deliveries()(
        secret in secrets(),
        signature_headers in any::<(bool, bool)>(),
        body in bodies(),
        in_base64 in any::<bool>(),
    ) -> Delivery {
        Delivery { secret, signature_headers, body, in_base64 }
    }
}

/// Any text without control characters. HMAC pads keys with zeros, so a zero at the end would give the same key.
fn secrets() -> impl Strategy<Value = String> {
    "\\PC{1,80}"
}

/// Binary data, text with and without characters that SQS forbids, JSON and the empty body, below and above the inline
/// limit.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => prop::collection::vec(any::<u8>(), 0..1500),
        2 => texts().prop_map(String::into_bytes),
        2 => "[ -~\t\r\n]{1,1500}".prop_map(String::into_bytes),
        4 => labels().prop_map(|label| label.to_string().into_bytes()),
        1 => Just(Vec::new()),
    ]
}

fn texts() -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), 0..400).prop_map(String::from_iter)
}

/// Labels with ids like those of Labelbox, ids of about the maximum length of a group id, and arbitrary ids.
fn labels() -> impl Strategy<Value = Value> {
    let id = || prop_oneof!["[a-z0-9]{25}", "[!-~]{120,140}", texts()];
    (id(), id(), times(), "\\PC{0,300}").prop_map(|(id, project, time, text)| {
        json!({"id": id, "project": {"id": project, "name": text}, "updatedAt": time})
    })
}

fn times() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1000..9999, 1..=12, 1..=28, 0..24, 0..60).prop_map(|(year, month, day, hour, minute)| {
            json!(format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z"))
        }),
        Just(Value::Null),
        "\\PC{0,30}".prop_map(Value::from),
    ]
}

/// Sends an event, and blocks until the response.
fn send(fixture: &Fixture, event: Value) -> Response {
    block_on(fixture.send(event))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(future)
}
