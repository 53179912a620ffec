//! Signatures known from elsewhere, and which secret signs what.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// Computed with `openssl dgst -sha1 -hmac example_secret` and `-sha256`.
#[test]
fn a_body_has_the_signatures_that_openssl_makes() {
    let [sha1, sha256] = signatures(&secret("example_secret"), br#"{"id":"label1"}"#);
    assert_eq!(
        sha1,
        ("x-hub-signature", "sha1=b49545fbc3744e9ba4cf0d0bc4d87e1b472582e8".to_owned())
    );
    assert_eq!(
        sha256,
        (
            "x-hub-signature-256",
            "sha256=6b9d6827f26e12f92f6c7a831b34bd8749808043334de3677ac3b0b0353b5c84".to_owned()
        )
    );
}

#[test]
fn the_newest_secret_that_is_one_signs() {
    let text = r#"{"labelbox": ["", "new", "old"], "training": "another", "empty": ["", "\n"]}"#;
    let value = Value::read(text.to_owned().into()).unwrap();
    let newest = |route: Route| newest(&value, &route);
    let webhook = |name: &str| Route::Webhook(name.to_owned());
    assert_eq!(newest(webhook("labelbox")).unwrap().as_bytes(), b"new");
    assert_eq!(newest(Route::ModelRun).unwrap().as_bytes(), b"another");
    for (name, says) in [
        ("empty", "no usable secret for empty"),
        ("nobody", "no usable secret for nobody"),
        ("training", "training"),
        ("a/b", "a/b"),
    ] {
        let line = newest(webhook(name)).unwrap_err().line();
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn what_is_not_known_is_no_header() {
    let delivery =
        Delivery { route: Route::ModelRun, topic: None, delivery_id: None, body: Vec::new() };
    let headers = headers(&delivery, &secret("s"));
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["content-type", "x-hub-signature", "x-hub-signature-256"]);
}
