//! Rejected requests: the response of each, without a message in the queue.

use crate::fakes::StoreBehavior;
use crate::fixture::{Fixture, signature_rejected};
use crate::requests::{BODY, SECRET, delivery, gateway_event, sha1, sha256, webhook_request, with};
use serde_json::{Value, json};

const SIGNATURE: &str = "/headers/x-hub-signature";

/// Sends each request of a table to a new relay.
async fn check_table(table: Vec<(&str, Value, u16, &str)>) {
    for (name, request, status, code) in table {
        let fixture = Fixture::new();
        let response = fixture.send(request).await;
        assert_eq!(response.status_code, status, "{name}");
        assert_eq!(response.json(), json!({"error": code}), "{name}");
        // The header belongs to server errors: the same request would be rejected again.
        assert!(!response.headers.contains_key("retry-after"), "{name}");
        assert!(fixture.take_queued().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn rejects_invalid_signature_without_enqueueing() {
    let valid = sha1(SECRET, BODY.as_bytes());
    let digits = valid.trim_start_matches("sha1=");
    let header = |value: Value| with(delivery(), SIGNATURE, value);
    let both = |value: String| with(delivery(), "/headers/x-hub-signature-256", json!(value));
    let table = vec![
        ("missing", header(Value::Null)),
        ("empty", header(json!(""))),
        ("wrong", header(json!(sha1("other", BODY.as_bytes())))),
        ("truncated", header(json!(valid[..valid.len() - 2]))),
        ("without prefix", header(json!(digits))),
        ("upper-case prefix", header(json!(format!("SHA1={digits}")))),
        ("joined by the gateway", header(json!(format!("{valid},{valid}")))),
        ("with a control character", header(json!(format!("{valid}\u{1}")))),
        ("10 KB", header(json!(format!("sha1={}", "0".repeat(10_240))))),
        ("with the secret of another webhook", webhook_request("project-x", SECRET, BODY)),
        ("with the empty secret", webhook_request("empty-secret", "", BODY)),
        ("with an empty list of secrets", webhook_request("empty-list", "", BODY)),
        ("valid SHA-1, wrong SHA-256", both(sha256("other", BODY.as_bytes()))),
        ("valid SHA-1, malformed SHA-256", both("sha256=".to_owned())),
        (
            "one byte of the body changed",
            with(delivery(), "/body", json!(BODY.replace("label1", "label2"))),
        ),
        ("newline appended to the body", with(delivery(), "/body", json!(format!("{BODY}\n")))),
        ("body removed", with(delivery(), "/body", Value::Null)),
        (
            "body is base64 of other bytes",
            with(with(delivery(), "/body", json!("AAAA")), "/isBase64Encoded", json!(true)),
        ),
    ];
    check_table(
        table
            .into_iter()
            .map(|(name, request)| (name, request, 401, "signature_rejected"))
            .collect(),
    )
    .await;
}

#[tokio::test]
async fn rejects_unknown_routes_and_methods() {
    let path = |path: &str| with(delivery(), "/rawPath", json!(path));
    let method = |method: &str| with(delivery(), "/requestContext/http/method", json!(method));
    check_table(vec![
        ("root", path("/"), 404, "not_found"),
        ("empty path", path(""), 404, "not_found"),
        ("no webhook name", path("/webhooks/"), 404, "not_found"),
        ("no slash", path("/webhooks"), 404, "not_found"),
        ("longer path", path("/webhooks/labelbox/more"), 404, "not_found"),
        ("trailing slash", path("/webhooks/labelbox/"), 404, "not_found"),
        ("upper-case name", path("/webhooks/Labelbox"), 404, "not_found"),
        ("name of 65 characters", path(&format!("/webhooks/{}", "a".repeat(65))), 404, "not_found"),
        ("percent-encoded name", path("/webhooks/label%62ox"), 404, "not_found"),
        ("dot segments", path("/webhooks/../health"), 404, "not_found"),
        ("name with an underscore", path("/webhooks/label_box"), 404, "not_found"),
        ("path prefix", path("/x/webhooks/labelbox"), 404, "not_found"),
        ("webhook without a secret", webhook_request("unknown", SECRET, BODY), 404, "not_found"),
        ("GET", method("GET"), 405, "method_not_allowed"),
        ("PUT", method("PUT"), 405, "method_not_allowed"),
        ("lower-case post", method("post"), 405, "method_not_allowed"),
        ("empty event", json!({}), 404, "not_found"),
    ])
    .await;
}

#[tokio::test]
async fn webhook_name_has_1_to_64_characters() {
    let fixture = Fixture::new();
    fixture.set_store(StoreBehavior::Returns(SECRET.to_owned()));
    for (length, status) in [(0, 404), (1, 200), (64, 200), (65, 404)] {
        let response = fixture.send(webhook_request(&"a".repeat(length), SECRET, BODY)).await;
        assert_eq!(response.status_code, status, "{length}");
    }
}

#[tokio::test]
async fn rejects_webhook_with_other_content_type_than_json() {
    for value in [
        Value::Null,
        json!(""),
        json!("text/plain"),
        json!("application/jsonx"),
        json!("application/json, x"),
        json!("application/json,"),
        json!("text/plain, application/json"),
        json!("application/json; x=\"\\\\\",text/plain"),
        json!("text/plain; x=\"application/json, application/json\""),
    ] {
        let fixture = Fixture::new();
        let request = with(delivery(), "/headers/content-type", value);
        fixture.assert_response(request, 415, json!({"error": "unsupported_media_type"})).await;
        assert!(fixture.take_queued().is_empty());
    }
    for value in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/json ;x=y",
        "application/json,application/json",
        "application/json; charset=utf-8, application/json; charset=utf-8",
        "application/json; x=\"a,b\"",
        "application/json; x=\"\\\",text/plain\"",
    ] {
        let fixture = Fixture::new();
        fixture.send(with(delivery(), "/headers/content-type", json!(value))).await;
        assert_eq!(fixture.take_queued().len(), 1, "{value}");
    }
}

#[tokio::test]
async fn rejects_malformed_base64() {
    for body in ["not base64!", "AAA", "A===", "AAAA\n"] {
        let fixture = Fixture::new();
        let request = with(with(delivery(), "/body", json!(body)), "/isBase64Encoded", json!(true));
        fixture.assert_response(request, 400, json!({"error": "malformed_base64"})).await;
        assert!(fixture.take_queued().is_empty());
    }
}

#[tokio::test]
async fn method_not_allowed_response_lists_allowed_methods() {
    for (path, wrong, allow) in [
        ("/webhooks/labelbox", "GET", "POST"),
        ("/training/model_run", "GET", "POST"),
        ("/training/models", "POST", "GET"),
        ("/training/models", "HEAD", "GET"),
        ("/health", "POST", "GET, HEAD"),
    ] {
        let response = Fixture::new().send(gateway_event(wrong, path, json!({}), None)).await;
        assert_eq!(
            (response.status_code, response.headers["allow"].as_str()),
            (405, allow),
            "{path}"
        );
    }
}

/// The secret of another route is not valid. Labelbox signs the empty body for the model list.
#[tokio::test]
async fn valid_signature_is_one_with_a_secret_of_the_route() {
    let fixture = Fixture::with_settings(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
    fixture.warm_up().await;
    let models = |signed: &[u8]| {
        let headers = json!({"x-hub-signature": sha1(SECRET, signed)});
        gateway_event("GET", "/training/models", headers, Some(BODY))
    };
    for (request, is_signed) in [
        (webhook_request("labelbox", SECRET, BODY), true),
        (webhook_request("project-x", SECRET, BODY), false),
        (webhook_request("unknown", SECRET, BODY), true),
        (models(b""), true),
        (models(BODY.as_bytes()), false),
    ] {
        assert_eq!(fixture.send(request.clone()).await.status_code, 403);
        let [line] = &fixture.take_log_lines()[..] else { panic!() };
        assert_eq!(line["valid_signature"] == "true", is_signed, "{request}");
    }
}

/// If Labelbox signed the request, an event was lost.
#[tokio::test]
async fn logs_whether_a_rejected_request_has_a_valid_signature() {
    let rejections = [
        ("/rawPath", json!("/nowhere"), 404),
        ("/rawPath", json!("/webhooks/unknown"), 404),
        ("/requestContext/http/method", json!("PUT"), 405),
        ("/requestContext/http/sourceIp", json!("192.0.3.1"), 403),
        ("/headers/content-type", json!("text/plain"), 415),
    ];
    for (pointer, value, status) in rejections {
        let fixture = Fixture::with_settings(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
        let allowed = "/requestContext/http/sourceIp";
        let delivery =
            |secret| with(webhook_request("labelbox", secret, BODY), allowed, json!("192.0.2.1"));
        assert_eq!(fixture.send(delivery(SECRET)).await.status_code, 200);
        fixture.take_log_lines();
        for (secret, is_signed) in [(SECRET, true), ("unknown", false)] {
            let request = with(delivery(secret), pointer, value.clone());
            assert_eq!(fixture.send(request).await.status_code, status);
            let [line] = &fixture.take_log_lines()[..] else { panic!() };
            let found = (line["valid_signature"] == "true", line["RefusedWithValidSignature"] == 1);
            assert_eq!(found, (is_signed, is_signed), "{status} {secret}");
        }
    }
}

/// Each request has all faults that are not fixed yet; the first failing check determines the status.
#[tokio::test]
async fn checks_run_in_the_documented_order() {
    let fixture = Fixture::with_settings(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
    let mut request = with(with(delivery(), "/body", json!("!")), "/isBase64Encoded", json!(true));
    request = with(request, "/headers/content-type", json!("text/plain"));
    request = with(request, "/requestContext/http/method", json!("PUT"));
    request = with(request, "/rawPath", json!("/nowhere"));
    let fixes = [
        (404, "/rawPath", json!("/webhooks/unknown")),
        (405, "/requestContext/http/method", json!("POST")),
        (403, "/requestContext/http/sourceIp", json!("192.0.2.7")),
        (415, "/headers/content-type", json!("application/json")),
        (400, "/body", json!("AAAA")),
        (404, "/rawPath", json!("/webhooks/labelbox")),
        (401, "/isBase64Encoded", json!(false)),
    ];
    for (status, pointer, fixed) in fixes {
        assert_eq!(
            fixture.send(request.clone()).await.status_code,
            status,
            "before {pointer} is fixed"
        );
        request = with(request, pointer, fixed);
    }
    let request = with(request, SIGNATURE, json!(sha1(SECRET, b"AAAA")));
    assert_eq!(fixture.send(request).await.status_code, 200);
}

#[tokio::test]
async fn all_invalid_signatures_get_the_same_response() {
    let fixture = Fixture::new();
    let missing = fixture.send(with(delivery(), SIGNATURE, Value::Null)).await;
    let wrong = fixture.send(with(delivery(), SIGNATURE, json!(sha1("other", b"")))).await;
    let malformed = fixture.send(with(delivery(), SIGNATURE, json!("sha1=zz"))).await;
    assert_eq!(missing.json(), signature_rejected());
    for other in [wrong, malformed] {
        assert_eq!((&missing.body, &missing.headers), (&other.body, &other.headers));
    }
}

#[tokio::test]
async fn response_contains_no_part_of_the_request_or_the_secret() {
    let fixture = Fixture::new();
    for request in [
        delivery(),
        with(delivery(), SIGNATURE, json!("sha1=zz")),
        webhook_request("unknown-webhook", SECRET, BODY),
    ] {
        let response = fixture.send(request).await;
        let text = format!("{}{:?}", response.body, response.headers);
        for confidential in
            [SECRET, "label1", "2021-03-17", "sha1", "ckmdi74ew57lq063553kuzekq", "unknown-webhook"]
        {
            assert!(!text.contains(confidential), "{text} contains {confidential}");
        }
    }
}
