//! Signed requests, as an HTTP API passes them to the function.

use hmac::{Hmac, KeyInit, Mac};
use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{Signatures, Unverified, Verified};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "example_secret";
pub(crate) const BODY: &str = r#"{"id":"label1","updatedAt":"2021-03-17T13:51:59Z"}"#;

/// A valid delivery of a label.
pub(crate) fn delivery() -> Value {
    webhook_request("labelbox", SECRET, BODY)
}

/// A delivery of a label to the webhook `name`, signed with `secret`.
pub(crate) fn webhook_request(name: &str, secret: &str, body: &str) -> Value {
    let headers = json!({
        "content-type": "application/json",
        "x-hub-signature": sha1(secret, body.as_bytes()),
        "x-labelbox-event": "LABEL_UPDATED",
        "x-labelbox-id": "ckmdi74ew57lq063553kuzekq",
    });
    gateway_event("POST", &format!("/webhooks/{name}"), headers, Some(body))
}

/// An event in payload format 2.0.
pub(crate) fn gateway_event(method: &str, path: &str, headers: Value, body: Option<&str>) -> Value {
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "35.223.142.181"},
        },
        "isBase64Encoded": false,
    });
    if let Some(body) = body {
        event["body"] = json!(body);
    }
    event
}

/// Replaces the value at a JSON pointer (RFC 6901) in an event. The relay ignores a header with the value `null`.
pub(crate) fn with(mut event: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[name] = value;
    event
}

/// A body that was signed with `secret` and verified.
pub(crate) fn verified(secret: &str, body: &str) -> Verified {
    let signature = sha1(secret, body.as_bytes());
    let signatures = Signatures::parse([signature.as_str()].into_iter(), [].into_iter()).unwrap();
    let body = Unverified::new(body.into());
    body.verify(&signatures, &[Secret::new(secret.to_owned())]).unwrap()
}

/// The value of `X-Hub-Signature`.
pub(crate) fn sha1(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha1={}", hex::encode(mac.finalize().into_bytes()))
}

/// The value of `X-Hub-Signature-256`.
pub(crate) fn sha256(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
