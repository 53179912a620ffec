//! What holds for every request, not only for those that somebody thought of: properties, through the whole door.

mod answers;
mod attributes;
mod ids;
mod refused;
mod same_bytes;

use crate::outside::{Answer, Stage, Vault, event, sha1, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

/// On how many requests each property is tried: all of them together take seconds.
const CASES: u32 = 100;

/// A delivery of a label as proptest draws it.
#[derive(Debug, Clone)]
struct Delivery {
    secret: String,
    signed_with: (bool, bool),
    body: Vec<u8>,
    in_base64: bool,
}

impl Delivery {
    /// The event of an HTTP API, with a right signature of either kind, or with both.
    fn event(&self) -> Value {
        let (with_sha1, with_sha256) = self.signed_with;
        let sha1 = with_sha1.then(|| sha1(&self.secret, &self.body));
        let sha256 = (with_sha256 || !with_sha1).then(|| sha256(&self.secret, &self.body));
        let headers = json!({
            "content-type": "application/json",
            "x-hub-signature": sha1,
            "x-hub-signature-256": sha256,
            "x-labelbox-event": "LABEL_UPDATED",
            "x-labelbox-id": "ckmdi74ew57lq063553kuzekq",
        });
        let event = event("POST", "/webhooks/labelbox", headers, None);
        with_body(event, &self.body, self.in_base64)
    }

    /// A relay that knows its secret, and carries at most 1 KiB in a message.
    fn stage(&self) -> Stage {
        let stage = Stage::with(&[("INLINE_LIMIT_KIB", "1")]);
        stage.secret_is(Vault::Holds(
            json!({"labelbox": self.secret, "training": "another"}).to_string(),
        ));
        stage
    }
}

/// The same event with this body, in base64 where it is no text.
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
        signed_with in any::<(bool, bool)>(),
        body in bodies(),
        in_base64 in any::<bool>(),
    ) -> Delivery {
        Delivery { secret, signed_with, body, in_base64 }
    }
}

/// Any text without control characters. (A zero at its end would make no other key of it: HMAC fills up with zeros.)
fn secrets() -> impl Strategy<Value = String> {
    "\\PC{1,80}"
}

/// Bodies of every kind: bytes, texts with and without what SQS forbids, JSON, nothing; small, and too large to be
/// carried.
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

/// A label whose ids are any texts: such as Labelbox's, about as long as a group may be, with what SQS forbids.
fn labels() -> impl Strategy<Value = Value> {
    let id = || prop_oneof!["[a-z0-9]{25}", "[!-~]{120,140}", texts()];
    (id(), id(), times(), "\\PC{0,300}").prop_map(|(id, project, time, text)| {
        json!({"id": id, "project": {"id": project, "name": text}, "updatedAt": time})
    })
}

fn times() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1000..9999, 1..=12, 1..=28, 0..24, 0..60).prop_map(|(year, month, day, hour, minute)| {
            json!(format!(
                "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z"
            ))
        }),
        Just(Value::Null),
        "\\PC{0,30}".prop_map(Value::from),
    ]
}

/// Runs a request where proptest expects no future.
fn send(stage: &Stage, event: Value) -> Answer {
    now(stage.send(event))
}

fn now<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.unwrap().block_on(future)
}
