//! The log line of a request, which contains its metrics.

use crate::fakes::{BucketBehavior, QueueBehavior, StoreBehavior};
use crate::fixture::Fixture;
use crate::requests::{BODY, SECRET, delivery, gateway_event, sha1, webhook_request, with};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

/// The only log line since the last call.
#[track_caller]
fn only_line(fixture: &Fixture) -> Value {
    let [line] = fixture.take_log_lines().try_into().unwrap();
    line
}

/// The names of the metrics without dimensions in a line. Each must have a number.
fn metrics(line: &Value) -> Vec<String> {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let without_dimensions = directives.iter().filter(|directive| {
        let sets = directive["Dimensions"].as_array().unwrap();
        sets.contains(&json!([]))
    });
    let mut names = Vec::new();
    for definition in
        without_dimensions.flat_map(|directive| directive["Metrics"].as_array().unwrap())
    {
        let name = definition["Name"].as_str().unwrap();
        assert!(line[name].is_number(), "{name}: {line}");
        names.push(name.to_owned());
    }
    names.sort();
    names
}

/// Sends an event, and checks its metrics. `Received` and `TotalTime` are added to `expected`.
async fn assert_metrics(fixture: &Fixture, event: Value, expected: &[&str]) -> Value {
    fixture.send(event.clone()).await;
    let line = only_line(fixture);
    let mut expected: Vec<_> = expected.iter().map(|name| (*name).to_owned()).collect();
    expected.extend(["Received".to_owned(), "TotalTime".to_owned()]);
    expected.sort();
    assert_eq!(metrics(&line), expected, "{event}\n{line}");
    line
}

/// A relay that has fetched its secret.
async fn warm_fixture(settings: &[(&str, &str)]) -> Fixture {
    let fixture = Fixture::with_settings(settings);
    fixture.warm_up().await;
    fixture
}

const LARGE: (&str, &str) = ("INLINE_LIMIT_KIB", "1");

fn large_delivery() -> Value {
    webhook_request("labelbox", SECRET, &format!(r#"{{"id":"{}"}}"#, "x".repeat(2000)))
}

#[tokio::test]
async fn counts_event_by_entity() {
    let fixture = warm_fixture(&[("METRICS_NAMESPACE", "LabelboxRelay/mine")]).await;
    let line = assert_metrics(&fixture, delivery(), &["Queued", "BodyBytes", "QueueTime"]).await;
    assert_eq!(line["Entity"], "label");
    assert_eq!(line["BodyBytes"], BODY.len());
    assert_eq!(line["body_bytes"], BODY.len());
    assert_eq!(line["TotalTime"], line["duration_ms"]);
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "LabelboxRelay/mine");
    }
    let unknown = with(delivery(), "/headers/x-labelbox-event", json!("UNKNOWN"));
    let line =
        assert_metrics(&fixture, unknown, &["Queued", "Unrouted", "BodyBytes", "QueueTime"]).await;
    assert_eq!(line["Entity"], "unrouted");
}

#[tokio::test]
async fn counts_decoded_bytes_of_base64_body() {
    let fixture = warm_fixture(&[]).await;
    for padding in 0..=2 {
        let body = format!("{BODY}{}", " ".repeat(padding));
        let event = with(
            with(
                webhook_request("labelbox", SECRET, &body),
                "/body",
                json!(STANDARD.encode(&body)),
            ),
            "/isBase64Encoded",
            json!(true),
        );
        let line = assert_metrics(&fixture, event, &["Queued", "BodyBytes", "QueueTime"]).await;
        assert_eq!(line["body_bytes"], body.len());
    }
}

#[tokio::test]
async fn blank_namespace_is_the_default_namespace() {
    let fixture = warm_fixture(&[("METRICS_NAMESPACE", " ")]).await;
    let line = assert_metrics(&fixture, delivery(), &["Queued", "BodyBytes", "QueueTime"]).await;
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "LabelboxRelay");
}

#[tokio::test]
async fn emits_durations_only_of_stages_that_ran() {
    let cold = Fixture::with_settings(&[LARGE]);
    let queued = ["Queued", "BodyBytes", "QueueTime", "SecretTime"];
    assert_metrics(&cold, delivery(), &queued).await;
    let pointer = ["Queued", "Pointer", "BodyBytes", "PayloadTime", "QueueTime"];
    assert_metrics(&cold, large_delivery(), &pointer).await;
    cold.set_queue(QueueBehavior::Rejects);
    let spilled = ["Spilled", "BodyBytes", "QueueTime", "SpillTime"];
    assert_metrics(&cold, delivery(), &spilled).await;
    cold.set_bucket(BucketBehavior::Rejects);
    let failed = ["Failed", "BodyBytes", "QueueTime", "SpillTime"];
    assert_metrics(&cold, delivery(), &failed).await;
    assert_metrics(&cold, large_delivery(), &["Failed", "BodyBytes", "PayloadTime"]).await;
}

#[tokio::test(start_paused = true)]
async fn duration_of_a_stage_is_its_elapsed_time() {
    let fixture = Fixture::new();
    fixture.set_store(StoreBehavior::Slow(SECRET.to_owned(), Duration::from_millis(250)));
    let line =
        assert_metrics(&fixture, delivery(), &["Queued", "BodyBytes", "QueueTime", "SecretTime"])
            .await;
    assert_eq!(line["QueueTime"], 0);
    assert!((250.0..260.0).contains(&line["SecretTime"].as_f64().unwrap()), "{line}");
}

#[tokio::test(start_paused = true)]
async fn emits_duration_of_a_stage_that_timed_out() {
    let fixture = Fixture::new();
    fixture.set_store(StoreBehavior::Hangs);
    let line = assert_metrics(&fixture, delivery(), &["Failed", "BodyBytes", "SecretTime"]).await;
    assert!((2400.0..2410.0).contains(&line["SecretTime"].as_f64().unwrap()), "{line}");
}

#[tokio::test]
async fn counts_rejection_by_error_code() {
    let cases = [
        (gateway_event("GET", "/unknown", json!({}), None), false),
        (with(delivery(), "/requestContext/http/method", json!("PUT")), true),
        (with(delivery(), "/headers/content-type", json!("text/plain")), true),
        (with(with(delivery(), "/isBase64Encoded", json!(true)), "/body", json!("*")), false),
        (with(delivery(), "/headers/x-hub-signature", json!(sha1("other", BODY.as_bytes()))), true),
        (webhook_request("unknown", SECRET, BODY), true),
    ];
    let mut reasons = Vec::new();
    for (request, has_body) in cases {
        let fixture = warm_fixture(&[]).await;
        // A signature that the cached secret does not verify causes a refresh.
        fixture.set_store(StoreBehavior::Returns(json!({"labelbox": SECRET}).to_string()));
        let response = fixture.send(request).await.json();
        let line = only_line(&fixture);
        assert_eq!(line["Reason"], response["error"]);
        assert_eq!((&line["Refused"], &line["level"]), (&json!(1), &json!("WARN")));
        assert_eq!(metrics(&line).contains(&"BodyBytes".to_owned()), has_body, "{line}");
        reasons.push(line["Reason"].as_str().unwrap().to_owned());
    }
    let expected = [
        "not_found",
        "method_not_allowed",
        "unsupported_media_type",
        "malformed_base64",
        "signature_rejected",
        "not_found",
    ];
    assert_eq!(reasons, expected);
}

#[tokio::test]
async fn counts_disallowed_source_in_enforce_and_observe_mode() {
    let allowlist = ("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24");
    let enforcing = warm_fixture(&[allowlist]).await;
    let line = assert_metrics(
        &enforcing,
        delivery(),
        &["Refused", "RefusedWithValidSignature", "SourceNotAllowed", "BodyBytes"],
    )
    .await;
    assert_eq!(line["Reason"], "source_not_allowed");
    let observing = warm_fixture(&[allowlist, ("SOURCE_CHECK", "observe")]).await;
    let expected = ["Queued", "SourceNotAllowed", "BodyBytes", "QueueTime"];
    let line = assert_metrics(&observing, delivery(), &expected).await;
    assert_eq!((&line["level"], &line["message"]), (&json!("WARN"), &json!("event queued")));
    assert_eq!(line["source_ip"], "35.223.142.181");
}

#[tokio::test]
async fn counts_each_failed_refresh_of_a_stale_secret() {
    let fixture = warm_fixture(&[("SECRET_TTL_SECONDS", "60")]).await;
    let queued = ["Queued", "BodyBytes", "QueueTime"];
    assert_metrics(&fixture, delivery(), &queued).await;
    fixture.set_store(StoreBehavior::Unreachable);
    fixture.advance_secs(61);
    let stale = ["Queued", "SecretStale", "BodyBytes", "SecretTime", "QueueTime"];
    let line = assert_metrics(&fixture, delivery(), &stale).await;
    assert_eq!(line["secret_error"], "the secret store gave no usable response: no route to host");
    assert_eq!(line["level"], "WARN");
    // There is no other attempt for 30 s.
    assert_metrics(&fixture, delivery(), &queued).await;
}

#[tokio::test]
async fn failed_refresh_is_a_server_error_with_its_cause() {
    let fixture = warm_fixture(&[]).await;
    fixture.set_store(StoreBehavior::Unreachable);
    fixture.advance_secs(1);
    let unverified =
        with(delivery(), "/headers/x-hub-signature", json!(sha1("other", BODY.as_bytes())));
    let line =
        assert_metrics(&fixture, unverified.clone(), &["Failed", "BodyBytes", "SecretTime"]).await;
    let reason = "the secret store gave no usable response: no route to host";
    assert_eq!(line["error"], format!("the secret could not be refreshed: {reason}"));
    // Later requests have the same cause in their lines until the next attempt.
    fixture.advance_secs(1);
    let line = assert_metrics(&fixture, unverified, &["Failed", "BodyBytes"]).await;
    assert_eq!(
        line["error"],
        format!(
            "the secret could not be refreshed: the last fetch failed and the next one is not due yet: {reason}"
        )
    );
}

#[tokio::test]
async fn log_line_of_an_unreadable_event_has_the_request_id() {
    let fixture = Fixture::new();
    let line = assert_metrics(&fixture, json!({"rawPath": 5}), &["Failed"]).await;
    assert_eq!(line["request_id"], "request-1");
}

#[tokio::test]
async fn log_level_suppresses_fields_but_not_metrics() {
    let fixture = warm_fixture(&[("LOG_LEVEL", "error")]).await;
    let line = assert_metrics(&fixture, delivery(), &["Queued", "BodyBytes", "QueueTime"]).await;
    let mut names: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = ["BodyBytes", "Entity", "QueueTime", "Queued", "Received", "TotalTime", "_aws"];
    assert_eq!(names, expected);
    fixture.set_queue(QueueBehavior::Rejects);
    let line =
        assert_metrics(&fixture, delivery(), &["Spilled", "BodyBytes", "QueueTime", "SpillTime"])
            .await;
    assert_eq!(line["message"], "event spilled");
}

#[tokio::test]
async fn health_check_is_not_counted() {
    let fixture = Fixture::new();
    for (method, body) in [("GET", r#"{"status":"ok"}"#), ("HEAD", "")] {
        let response = fixture.send(gateway_event(method, "/health", json!({}), None)).await;
        assert_eq!((response.status_code, response.body.as_str()), (200, body));
    }
    assert!(fixture.take_log_lines().is_empty());
}
