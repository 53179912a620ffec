//! Everything that is turned away, each with its answer, and with nothing queued.

use crate::outside::{
    BODY, SECRET, Stage, Vault, delivery, event, refused, sha1, sha256, webhook, with,
};
use labelbox_relay::http::RawBody;
use serde_json::{Value, json};

const SIGNATURE: &str = "/headers/x-hub-signature";

/// Sends each request of a table to a fresh relay.
async fn check_table(table: Vec<(&str, Value, u16, &str)>) {
    for (name, request, status, code) in table {
        let stage = Stage::usual();
        let answer = stage.send(request).await;
        assert_eq!(answer.status_code, status, "{name}");
        assert_eq!(answer.json(), json!({"error": code}), "{name}");
        // The same request would be refused again; who is told to wait is told that the fault is ours.
        assert!(!answer.headers.contains_key("retry-after"), "{name}");
        assert!(stage.queued().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_bad_signature_is_refused_and_nothing_is_queued() {
    let right = sha1(SECRET, BODY.as_bytes());
    let digits = right.trim_start_matches("sha1=");
    let header = |value: Value| with(delivery(), SIGNATURE, value);
    let both = |value: String| with(delivery(), "/headers/x-hub-signature-256", json!(value));
    let table = vec![
        ("missing", header(Value::Null)),
        ("empty", header(json!(""))),
        ("wrong", header(json!(sha1("other", BODY.as_bytes())))),
        ("truncated", header(json!(right[..right.len() - 2]))),
        ("unprefixed", header(json!(digits))),
        ("upper-case prefix", header(json!(format!("SHA1={digits}")))),
        (
            "doubled by the gateway",
            header(json!(format!("{right},{right}"))),
        ),
        (
            "with a control character",
            header(json!(format!("{right}\u{1}"))),
        ),
        (
            "10 KB",
            header(json!(format!("sha1={}", "0".repeat(10_240)))),
        ),
        (
            "of another webhook's secret",
            webhook("project-x", SECRET, BODY),
        ),
        ("of the empty secret", webhook("nobody", "", BODY)),
        ("of an empty list", webhook("none", "", BODY)),
        (
            "right SHA-1, wrong SHA-256",
            both(sha256("other", BODY.as_bytes())),
        ),
        ("right SHA-1, malformed SHA-256", both("sha256=".to_owned())),
        (
            "body changed by a byte",
            with(delivery(), "/body", json!(BODY.replace("label1", "label2"))),
        ),
        (
            "body with a newline more",
            with(delivery(), "/body", json!(format!("{BODY}\n"))),
        ),
        ("body gone", with(delivery(), "/body", Value::Null)),
        (
            "body said to be base64 and is other bytes",
            with(
                with(delivery(), "/body", json!("AAAA")),
                "/isBase64Encoded",
                json!(true),
            ),
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

#[test]
fn a_body_shows_its_length_alone() {
    let body = RawBody {
        text: BODY.to_owned(),
        is_base64: false,
    };
    let shown = format!("RawBody({} bytes, base64: false)", BODY.len());
    assert_eq!(format!("{body:?}"), shown);
}

#[tokio::test]
async fn what_is_not_a_route_is_refused() {
    let path = |path: &str| with(delivery(), "/rawPath", json!(path));
    let method = |method: &str| with(delivery(), "/requestContext/http/method", json!(method));
    check_table(vec![
        ("root", path("/"), 404, "not_found"),
        ("empty path", path(""), 404, "not_found"),
        ("no webhook name", path("/webhooks/"), 404, "not_found"),
        ("no slash", path("/webhooks"), 404, "not_found"),
        (
            "a longer path",
            path("/webhooks/labelbox/more"),
            404,
            "not_found",
        ),
        (
            "a trailing slash",
            path("/webhooks/labelbox/"),
            404,
            "not_found",
        ),
        (
            "an upper-case name",
            path("/webhooks/Labelbox"),
            404,
            "not_found",
        ),
        (
            "a name of 65",
            path(&format!("/webhooks/{}", "a".repeat(65))),
            404,
            "not_found",
        ),
        (
            "an encoded name",
            path("/webhooks/label%62ox"),
            404,
            "not_found",
        ),
        ("dots", path("/webhooks/../health"), 404, "not_found"),
        (
            "a name with an underscore",
            path("/webhooks/label_box"),
            404,
            "not_found",
        ),
        (
            "a path in front",
            path("/x/webhooks/labelbox"),
            404,
            "not_found",
        ),
        (
            "a webhook that the secret does not know",
            webhook("stranger", SECRET, BODY),
            404,
            "not_found",
        ),
        ("GET", method("GET"), 405, "method_not_allowed"),
        ("PUT", method("PUT"), 405, "method_not_allowed"),
        ("lower-case post", method("post"), 405, "method_not_allowed"),
        ("no event at all", json!({}), 404, "not_found"),
    ])
    .await;
}

#[tokio::test]
async fn a_webhook_name_has_1_to_64_characters() {
    let stage = Stage::usual();
    stage.secret_is(Vault::Holds(SECRET.to_owned()));
    for (length, status) in [(0, 404), (1, 200), (64, 200), (65, 404)] {
        let answer = stage.send(webhook(&"a".repeat(length), SECRET, BODY)).await;
        assert_eq!(answer.status_code, status, "{length}");
    }
}

#[tokio::test]
async fn a_webhook_that_is_not_json_is_refused() {
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
        let stage = Stage::usual();
        let request = with(delivery(), "/headers/content-type", value);
        stage
            .check(request, 415, json!({"error": "unsupported_media_type"}))
            .await;
        assert!(stage.queued().is_empty());
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
        let stage = Stage::usual();
        stage
            .send(with(delivery(), "/headers/content-type", json!(value)))
            .await;
        assert_eq!(stage.queued().len(), 1, "{value}");
    }
}

#[tokio::test]
async fn base64_that_is_none_is_refused() {
    for body in ["not base64!", "AAA", "A===", "AAAA\n"] {
        let stage = Stage::usual();
        let request = with(
            with(delivery(), "/body", json!(body)),
            "/isBase64Encoded",
            json!(true),
        );
        stage
            .check(request, 400, json!({"error": "malformed_base64"}))
            .await;
        assert!(stage.queued().is_empty());
    }
}

#[tokio::test]
async fn the_method_answer_says_which_one_is_allowed() {
    for (path, wrong, allow) in [
        ("/webhooks/labelbox", "GET", "POST"),
        ("/training/model_run", "GET", "POST"),
        ("/training/models", "POST", "GET"),
        ("/training/models", "HEAD", "GET"),
        ("/health", "POST", "GET, HEAD"),
    ] {
        let answer = Stage::usual()
            .send(event(wrong, path, json!({}), None))
            .await;
        assert_eq!(
            (answer.status_code, answer.headers["allow"].as_str()),
            (405, allow),
            "{path}"
        );
    }
}

/// Another route's secret does not make it an event of this one. Labelbox signs a call for the models over nothing.
#[tokio::test]
async fn a_refused_request_is_signed_only_by_a_secret_of_its_route() {
    let stage = Stage::with(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
    stage.warm_up().await;
    let models = |signed: &[u8]| {
        let headers = json!({"x-hub-signature": sha1(SECRET, signed)});
        event("GET", "/training/models", headers, Some(BODY))
    };
    for (request, is_signed) in [
        (webhook("labelbox", SECRET, BODY), true),
        (webhook("project-x", SECRET, BODY), false),
        (webhook("unknown", SECRET, BODY), true),
        (models(b""), true),
        (models(BODY.as_bytes()), false),
    ] {
        assert_eq!(stage.send(request.clone()).await.status_code, 403);
        let [line] = &stage.lines()[..] else { panic!() };
        assert_eq!(line["valid_signature"] == "true", is_signed, "{request}");
    }
}

/// An event that Labelbox has signed and we refuse is lost, unlike noise.
#[tokio::test]
async fn a_refused_request_with_a_valid_signature_is_told_apart() {
    let refusals = [
        ("/rawPath", json!("/nowhere"), 404),
        ("/rawPath", json!("/webhooks/unknown"), 404),
        ("/requestContext/http/method", json!("PUT"), 405),
        ("/requestContext/http/sourceIp", json!("192.0.3.1"), 403),
        ("/headers/content-type", json!("text/plain"), 415),
    ];
    for (pointer, value, status) in refusals {
        let stage = Stage::with(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
        let allowed = "/requestContext/http/sourceIp";
        let delivery = |secret| {
            with(
                webhook("labelbox", secret, BODY),
                allowed,
                json!("192.0.2.1"),
            )
        };
        assert_eq!(stage.send(delivery(SECRET)).await.status_code, 200);
        stage.lines();
        for (secret, is_signed) in [(SECRET, true), ("unknown", false)] {
            let request = with(delivery(secret), pointer, value.clone());
            assert_eq!(stage.send(request).await.status_code, status);
            let [line] = &stage.lines()[..] else { panic!() };
            let found = (
                line["valid_signature"] == "true",
                line["RefusedWithValidSignature"] == 1,
            );
            assert_eq!(found, (is_signed, is_signed), "{status} {secret}");
        }
    }
}

/// Each request has every fault from its own on; the first one answers.
#[tokio::test]
async fn the_checks_run_in_the_order_of_the_contract() {
    let stage = Stage::with(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
    let worst = with(
        with(delivery(), "/body", json!("!")),
        "/isBase64Encoded",
        json!(true),
    );
    let worst = with(worst, "/headers/content-type", json!("text/plain"));
    let worst = with(worst, "/requestContext/http/method", json!("PUT"));
    let worst = with(worst, "/rawPath", json!("/nowhere"));
    let mends = [
        (404, "/rawPath", json!("/webhooks/stranger")),
        (405, "/requestContext/http/method", json!("POST")),
        (403, "/requestContext/http/sourceIp", json!("192.0.2.7")),
        (415, "/headers/content-type", json!("application/json")),
        (400, "/body", json!("AAAA")),
        (404, "/rawPath", json!("/webhooks/labelbox")),
        (401, "/isBase64Encoded", json!(false)),
    ];
    let mut request = worst;
    for (status, pointer, mended) in mends {
        assert_eq!(
            stage.send(request.clone()).await.status_code,
            status,
            "before {pointer} is mended"
        );
        request = with(request, pointer, mended);
    }
    let request = with(request, SIGNATURE, json!(sha1(SECRET, b"AAAA")));
    assert_eq!(stage.send(request).await.status_code, 200);
}

#[tokio::test]
async fn all_bad_signatures_get_the_very_same_answer() {
    let stage = Stage::usual();
    let missing = stage.send(with(delivery(), SIGNATURE, Value::Null)).await;
    let wrong = stage
        .send(with(delivery(), SIGNATURE, json!(sha1("other", b""))))
        .await;
    let malformed = stage
        .send(with(delivery(), SIGNATURE, json!("sha1=zz")))
        .await;
    assert_eq!(missing.json(), refused());
    for other in [wrong, malformed] {
        assert_eq!(
            (&missing.body, &missing.headers),
            (&other.body, &other.headers)
        );
    }
}

#[tokio::test]
async fn no_answer_carries_a_part_of_the_request_or_the_secret() {
    let stage = Stage::usual();
    for request in [
        delivery(),
        with(delivery(), SIGNATURE, json!("sha1=zz")),
        webhook("stranger", SECRET, BODY),
    ] {
        let answer = stage.send(request).await;
        let text = format!("{}{:?}", answer.body, answer.headers);
        for secret in [
            SECRET,
            "label1",
            "2021-03-17",
            "sha1",
            "ckmdi74ew57lq063553kuzekq",
            "stranger",
        ] {
            assert!(!text.contains(secret), "{text} contains {secret}");
        }
    }
}
