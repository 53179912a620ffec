//! What becomes of each request in the log and in the metrics: one line, which has both.

use crate::outside::{
    BODY, Mood, SECRET, Shelf, Stage, Vault, delivery, event, sha1, webhook, with,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::Duration;

/// The only line that was written since the last call.
#[track_caller]
fn only_line(stage: &Stage) -> Value {
    let [line] = stage.lines().try_into().unwrap();
    line
}

/// The names of a line's metrics, those by dimension left out; each must have a number.
fn metrics(line: &Value) -> Vec<String> {
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let whole = directives.iter().filter(|directive| {
        let sets = directive["Dimensions"].as_array().unwrap();
        sets.contains(&json!([]))
    });
    let mut names = Vec::new();
    for definition in whole.flat_map(|directive| directive["Metrics"].as_array().unwrap()) {
        let name = definition["Name"].as_str().unwrap();
        assert!(line[name].is_number(), "{name}: {line}");
        names.push(name.to_owned());
    }
    names.sort();
    names
}

/// Sends an event and checks its metrics beside `Received` and `TotalTime`.
async fn check(stage: &Stage, event: Value, expected: &[&str]) -> Value {
    stage.send(event.clone()).await;
    let line = only_line(stage);
    let mut expected: Vec<_> = expected.iter().map(|name| (*name).to_owned()).collect();
    expected.extend(["Received".to_owned(), "TotalTime".to_owned()]);
    expected.sort();
    assert_eq!(metrics(&line), expected, "{event}\n{line}");
    line
}

/// A stage that has its secret, as it usually has when an event comes.
async fn warm(settings: &[(&str, &str)]) -> Stage {
    let stage = Stage::with(settings);
    stage.warm_up().await;
    stage
}

const LARGE: (&str, &str) = ("INLINE_LIMIT_KIB", "1");

fn large() -> Value {
    webhook(
        "labelbox",
        SECRET,
        &format!(r#"{{"id":"{}"}}"#, "x".repeat(2000)),
    )
}

#[tokio::test]
async fn an_event_counts_by_its_entity() {
    let stage = warm(&[("METRICS_NAMESPACE", "LabelboxRelay/mine")]).await;
    let line = check(&stage, delivery(), &["Queued", "BodyBytes", "QueueTime"]).await;
    assert_eq!(line["Entity"], "label");
    assert_eq!(line["BodyBytes"], BODY.len());
    assert_eq!(line["body_bytes"], BODY.len());
    assert_eq!(line["TotalTime"], line["duration_ms"]);
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "LabelboxRelay/mine");
    }
    let unknown = with(
        delivery(),
        "/headers/x-labelbox-event",
        json!("NOBODY_KNOWS"),
    );
    let line = check(
        &stage,
        unknown,
        &["Queued", "Unrouted", "BodyBytes", "QueueTime"],
    )
    .await;
    assert_eq!(line["Entity"], "unrouted");
}

#[tokio::test]
async fn a_body_in_base64_counts_by_its_own_bytes() {
    let stage = warm(&[]).await;
    for padding in 0..=2 {
        let body = format!("{BODY}{}", " ".repeat(padding));
        let event = with(
            with(
                webhook("labelbox", SECRET, &body),
                "/body",
                json!(STANDARD.encode(&body)),
            ),
            "/isBase64Encoded",
            json!(true),
        );
        let line = check(&stage, event, &["Queued", "BodyBytes", "QueueTime"]).await;
        assert_eq!(line["body_bytes"], body.len());
    }
}

#[tokio::test]
async fn without_a_namespace_of_its_own_a_relay_has_the_usual_one() {
    let stage = warm(&[("METRICS_NAMESPACE", " ")]).await;
    let line = check(&stage, delivery(), &["Queued", "BodyBytes", "QueueTime"]).await;
    assert_eq!(
        line["_aws"]["CloudWatchMetrics"][0]["Namespace"],
        "LabelboxRelay"
    );
}

#[tokio::test]
async fn each_stage_that_happened_has_its_time_and_no_other() {
    let cold = Stage::with(&[LARGE]);
    let usual = ["Queued", "BodyBytes", "QueueTime", "SecretTime"];
    check(&cold, delivery(), &usual).await;
    let pointer = ["Queued", "Pointer", "BodyBytes", "PayloadTime", "QueueTime"];
    check(&cold, large(), &pointer).await;
    cold.queue_is(Mood::Refuses);
    let spilled = ["Spilled", "BodyBytes", "QueueTime", "SpillTime"];
    check(&cold, delivery(), &spilled).await;
    cold.bucket_is(Shelf::Refuses);
    let failed = ["Failed", "BodyBytes", "QueueTime", "SpillTime"];
    check(&cold, delivery(), &failed).await;
    check(&cold, large(), &["Failed", "BodyBytes", "PayloadTime"]).await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_stage_is_the_time_that_it_took() {
    let stage = Stage::usual();
    stage.secret_is(Vault::Slow(SECRET.to_owned(), Duration::from_millis(250)));
    let line = check(
        &stage,
        delivery(),
        &["Queued", "BodyBytes", "QueueTime", "SecretTime"],
    )
    .await;
    assert_eq!(line["QueueTime"], 0);
    assert!(
        (250.0..260.0).contains(&line["SecretTime"].as_f64().unwrap()),
        "{line}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_was_given_up_has_its_time_too() {
    let stage = Stage::usual();
    stage.secret_is(Vault::Hangs);
    let line = check(&stage, delivery(), &["Failed", "BodyBytes", "SecretTime"]).await;
    assert!(
        (2400.0..2410.0).contains(&line["SecretTime"].as_f64().unwrap()),
        "{line}"
    );
}

#[tokio::test]
async fn a_refusal_counts_by_the_code_of_its_answer() {
    let cases = [
        (event("GET", "/odd", json!({}), None), false),
        (
            with(delivery(), "/requestContext/http/method", json!("PUT")),
            true,
        ),
        (
            with(delivery(), "/headers/content-type", json!("text/plain")),
            true,
        ),
        (
            with(
                with(delivery(), "/isBase64Encoded", json!(true)),
                "/body",
                json!("*"),
            ),
            false,
        ),
        (
            with(
                delivery(),
                "/headers/x-hub-signature",
                json!(sha1("other", BODY.as_bytes())),
            ),
            true,
        ),
        (webhook("unknown", SECRET, BODY), true),
    ];
    let mut reasons = Vec::new();
    for (request, has_body) in cases {
        let stage = warm(&[]).await;
        // What the secret at hand does not verify makes the cache ask once more.
        stage.secret_is(Vault::Holds(json!({"labelbox": SECRET}).to_string()));
        let answer = stage.send(request).await.json();
        let line = only_line(&stage);
        assert_eq!(line["Reason"], answer["error"]);
        assert_eq!(
            (&line["Refused"], &line["level"]),
            (&json!(1), &json!("WARN"))
        );
        assert_eq!(
            metrics(&line).contains(&"BodyBytes".to_owned()),
            has_body,
            "{line}"
        );
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
async fn a_source_that_may_not_send_is_counted_whether_it_is_refused_or_not() {
    let listed = ("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24");
    let guarded = warm(&[listed]).await;
    let line = check(
        &guarded,
        delivery(),
        &[
            "Refused",
            "RefusedWithValidSignature",
            "SourceNotAllowed",
            "BodyBytes",
        ],
    )
    .await;
    assert_eq!(line["Reason"], "source_not_allowed");
    let observing = warm(&[listed, ("SOURCE_CHECK", "observe")]).await;
    let seen = ["Queued", "SourceNotAllowed", "BodyBytes", "QueueTime"];
    let line = check(&observing, delivery(), &seen).await;
    assert_eq!(
        (&line["level"], &line["message"]),
        (&json!("WARN"), &json!("event queued"))
    );
    assert_eq!(line["source_ip"], "35.223.142.181");
}

#[tokio::test]
async fn an_old_secret_in_use_is_counted_each_time_that_a_newer_one_could_not_be_had() {
    let stage = warm(&[("SECRET_TTL_SECONDS", "60")]).await;
    let usual = ["Queued", "BodyBytes", "QueueTime"];
    check(&stage, delivery(), &usual).await;
    stage.secret_is(Vault::Unreachable);
    stage.seconds_pass(61);
    let stale = [
        "Queued",
        "SecretStale",
        "BodyBytes",
        "SecretTime",
        "QueueTime",
    ];
    let line = check(&stage, delivery(), &stale).await;
    assert_eq!(
        line["secret_error"],
        "the secret store could not be reached: no route to host"
    );
    assert_eq!(line["level"], "WARN");
    // For 30 s nobody is asked again.
    check(&stage, delivery(), &usual).await;
}

#[tokio::test]
async fn a_refresh_that_fails_is_a_failure_of_ours_and_says_why() {
    let stage = warm(&[]).await;
    stage.secret_is(Vault::Unreachable);
    stage.seconds_pass(1);
    let wrong = with(
        delivery(),
        "/headers/x-hub-signature",
        json!(sha1("other", BODY.as_bytes())),
    );
    let line = check(
        &stage,
        wrong.clone(),
        &["Failed", "BodyBytes", "SecretTime"],
    )
    .await;
    let reason = "the secret store could not be reached: no route to host";
    assert_eq!(
        line["error"],
        format!("the secret could not be refreshed: {reason}")
    );
    // Whatever the store did then, the line says it as long as it stands for later requests.
    stage.seconds_pass(1);
    let line = check(&stage, wrong, &["Failed", "BodyBytes"]).await;
    assert_eq!(
        line["error"],
        format!(
            "the secret could not be refreshed: the last fetch failed and the next one is not due yet: {reason}"
        )
    );
}

#[tokio::test]
async fn an_event_that_cannot_be_read_failed_in_an_invocation_that_the_line_names() {
    let stage = Stage::usual();
    let line = check(&stage, json!({"rawPath": 5}), &["Failed"]).await;
    assert_eq!(line["request_id"], "request-1");
}

#[tokio::test]
async fn the_level_hides_the_words_and_never_the_metrics() {
    let stage = warm(&[("LOG_LEVEL", "error")]).await;
    let line = check(&stage, delivery(), &["Queued", "BodyBytes", "QueueTime"]).await;
    let mut names: Vec<_> = line
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    let expected = [
        "BodyBytes",
        "Entity",
        "QueueTime",
        "Queued",
        "Received",
        "TotalTime",
        "_aws",
    ];
    assert_eq!(names, expected);
    stage.queue_is(Mood::Refuses);
    let line = check(
        &stage,
        delivery(),
        &["Spilled", "BodyBytes", "QueueTime", "SpillTime"],
    )
    .await;
    assert_eq!(line["message"], "event spilled");
}

#[tokio::test]
async fn an_uptime_check_counts_for_nothing() {
    let stage = Stage::usual();
    for (method, body) in [("GET", r#"{"status":"ok"}"#), ("HEAD", "")] {
        let answer = stage.send(event(method, "/health", json!({}), None)).await;
        assert_eq!((answer.status_code, answer.body.as_str()), (200, body));
    }
    assert!(stage.lines().is_empty());
}
