//! Known signatures, which secret signs, and what is said of a response.

use super::*;

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// Computed with `openssl dgst -sha1 -hmac example_secret` and `-sha256`.
#[test]
fn signs_as_openssl_does() {
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
fn leaves_out_headers_without_a_value() {
    let delivery =
        Delivery { route: Route::ModelRun, topic: None, delivery_id: None, body: Vec::new() };
    let headers = headers(&delivery, &secret("s"));
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["content-type", "x-hub-signature", "x-hub-signature-256"]);
}

fn response(http_status: Option<u16>, body: &str) -> RelayResponse {
    let body = serde_json::from_str(body).unwrap_or_default();
    RelayResponse { http_status, body, duration_ms: 1.0 }
}

#[test]
fn says_what_became_of_an_event() {
    let args = GlobalArgs::default();
    let result = |http_status, body: &str, queue: Option<&str>| DeliveryResult {
        topic: None,
        entity_id: Some("label\u{202e}1".to_owned()),
        delivery_id: None,
        bytes: 2,
        queue: queue.map(str::to_owned),
        response: response(http_status, body),
    };
    let queued = r#"{"status": "queued", "entity": "label", "message_id": "\u001b1"}"#;
    assert_eq!(
        result(Some(200), queued, Some("label")).line(&args),
        "200 queued  queue label  entity id label\u{fffd}1  message id \u{fffd}1"
    );
    let spilled = r#"{"status": "spilled", "entity": "label", "message_id": "spill/k.json"}"#;
    assert_eq!(
        result(Some(200), spilled, None).line(&args),
        "200 spilled  entity id label\u{fffd}1  as spill/k.json"
    );
    let line = result(Some(401), r#"{"error": "signature_rejected"}"#, None).line(&args);
    assert!(line.starts_with("401 signature_rejected; "), "{line}");
}

#[test]
fn every_failure_has_a_remediation_for_the_same_stack() {
    let mut args = GlobalArgs::default();
    args.profile = Some("mine".to_owned());
    for status in [400, 401, 403, 404, 413, 429, 500, 503] {
        let remediation = response(Some(status), "").remediation(&args);
        assert!(!remediation.is_empty());
        let has_command = remediation.contains("relayctl ");
        assert_eq!(has_command, remediation.contains("--profile mine"), "{remediation}");
    }
    assert!(response(None, "").remediation(&args).contains("doctor --profile mine"));
}
