//! Adversarial bodies and headers: deeply nested, repetitive or huge. The relay rejects unauthenticated ones unread,
//! delivers signed ones unchanged, reads them in linear time, and writes short log lines.

use crate::fixture::{Fixture, signature_rejected};
use crate::requests::{BODY, SECRET, gateway_event, verified, webhook_request, with};
use labelbox_relay::event::Event;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Duration;

/// The limit for the log line of an unauthenticated request in bytes.
const MAX_UNAUTHENTICATED_LINE_BYTES: usize = 1024;
/// The limit for the log line of a delivery in bytes. Its three ids and its topic can be characters that JSON escapes.
const MAX_LINE_BYTES: usize = 8192;

struct Payload {
    name: &'static str,
    body: String,
    /// Whether it is a JSON object.
    is_readable: bool,
}

/// Repeats `part` up to `size` bytes in place of the `…` in `template`.
fn repeated(
    name: &'static str,
    size: usize,
    template: &str,
    part: &str,
    is_readable: bool,
) -> Payload {
    let (before, after) = template.split_once('…').unwrap();
    let body = format!("{before}{}{after}", part.repeat(size / part.len()));
    Payload { name, body, is_readable }
}

/// Repeats `open`, and `close` as often, up to `size` bytes in place of the `…` in `template`.
fn nested(name: &'static str, size: usize, template: &str, open: &str, close: &str) -> Payload {
    let (before, after) = template.split_once('…').unwrap();
    let depth = size / (open.len() + close.len());
    let body = format!("{before}{}1{}{after}", open.repeat(depth), close.repeat(depth));
    Payload { name, body, is_readable: true }
}

fn payloads(size: usize) -> Vec<Payload> {
    let plain =
        repeated("plain", size, r#"{"id":"a","label":[…0]}"#, r#"{"x":1204,"y":883},"#, true);
    vec![
        plain,
        nested("lists", size, r#"{"id":"a","b":…}"#, "[", "]"),
        nested("objects", size, r#"{"id":"a","b":…}"#, r#"{"b":"#, "}"),
        nested("labels in labels", size, r#"{"id":"a","label":…}"#, r#"{"label":"#, "}"),
        nested("data rows", size, r#"{"id":"a","data_row":…}"#, r#"{"details":"#, "}"),
        nested("nested labels", size, r#"{"id":"a","projects":{"p":{"labels":…}}}"#, "[", "]"),
        repeated("unclosed lists", size, "…", "[", false),
        repeated("unclosed objects", size, "…", r#"{"b":"#, false),
        repeated("repeated key", size, r#"{…"id":"a"}"#, r#""id":"b","#, true),
        repeated(
            "projects",
            size,
            r#"{"id":"a","projects":{…"p":1}}"#,
            r#""p":{"labels":[{"id":"b"}]},"#,
            true,
        ),
        repeated(
            "labels",
            size,
            r#"{"id":"a","projects":{"p":{"labels":[…1]}}}"#,
            r#"{"id":"b"},"#,
            true,
        ),
        repeated("escapes", size, r#"{"id":"a","label":"…"}"#, r"\u0000", true),
        repeated("escapes in id", size, r#"{"id":"…"}"#, r"\u0000", true),
        repeated("escapes in key", size, r#"{"…":1,"id":"a"}"#, r"\u0041", true),
        repeated("digits", size, r#"{"id":"a","b":…}"#, "9", true),
        repeated("digits in place of an object", size, r#"{"id":"a","project":…}"#, "9", true),
        repeated("exponent", size, r#"{"id":"a","project":1e…}"#, "9", true),
        repeated("decimals", size, r#"{"id":"a","project":0.…}"#, "1", true),
        repeated("spaces", size, r#"{"id":"a"…}"#, " ", true),
        repeated("zeros", size, "…", "\0", false),
    ]
}

#[tokio::test]
async fn delivers_signed_payloads_unchanged_and_rejects_unauthenticated_ones() {
    // The depth exceeds 100,000 levels.
    for payload in payloads(700_000) {
        let fixture = Fixture::new();
        let Payload { name, body, .. } = payload;
        let unauthenticated = webhook_request("labelbox", "wrong", &body);
        fixture.assert_response(unauthenticated, 401, signature_rejected()).await;
        assert!(fixture.take_queued().is_empty() && fixture.take_objects().is_empty(), "{name}");
        let response = fixture.send(webhook_request("labelbox", SECRET, &body)).await;
        assert_eq!(response.status_code, 200, "{name}");
        let status = if payload.is_readable { "queued" } else { "unrouted" };
        assert_eq!(response.json()["status"], status, "{name}");
        let [message] = fixture.take_queued().try_into().unwrap();
        let object = fixture.take_objects().into_values().next();
        let delivered = object.unwrap_or(message.body.into_bytes());
        assert!(delivered == body.as_bytes(), "{name}");
    }
}

/// The CPU time of this thread.
///
/// Source: <https://docs.kernel.org/scheduler/sched-stats.html>.
fn cpu_time() -> Duration {
    // The kernel updates the statistics when the thread yields.
    std::thread::yield_now();
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}

/// The minimum CPU time to read the event of a payload.
fn read_time(payload: &Payload) -> Duration {
    let verified = verified(SECRET, &payload.body);
    let read = || {
        let started = cpu_time();
        black_box(Event::from_webhook(&verified, Some("LABEL_UPDATED")));
        cpu_time() - started
    };
    (0..5).map(|_| read()).min().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn read_time_grows_linearly_for_every_payload() {
    const FACTOR: u32 = 16;
    let (small, large) = (payloads(20_000), payloads(20_000 * FACTOR as usize));
    let plain = read_time(&large[0]);
    for (small, large) in small.iter().zip(&large) {
        let (one, many) = (read_time(small), read_time(large));
        // If it were quadratic, the factor would be 256.
        assert!(many < one * FACTOR * 3, "{}: {one:?}, {many:?}", small.name);
        // Without a last activity, each label is read at five levels: up to 9 times as long in an unoptimized build.
        assert!(many < plain * 16, "{}: {plain:?}, {many:?}", small.name);
    }
}

/// The limit of an HTTP API for the request line and the headers.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>.
const MAX_HEADER_BYTES: usize = 10_240;

fn log_line_bytes(fixture: &Fixture) -> usize {
    let [line] = fixture.take_log_lines().try_into().unwrap();
    let line: Value = line;
    line.to_string().len()
}

#[tokio::test]
async fn unauthenticated_request_has_a_short_log_line() {
    let long = "\"".repeat(MAX_HEADER_BYTES);
    let letters = "a".repeat(MAX_HEADER_BYTES);
    let request = || webhook_request(&"a".repeat(64), "wrong", BODY);
    let header = |name: &str| with(request(), &format!("/headers/{name}"), json!(long));
    let many: serde_json::Map<_, _> =
        (0..2000).map(|number| (format!("h{number}"), json!("\""))).collect();
    let requests = [
        header("x-hub-signature"),
        header("x-labelbox-event"),
        header("x-labelbox-id"),
        header("x-amzn-trace-id"),
        header("content-type"),
        header(&letters),
        gateway_event("POST", "/webhooks/labelbox", many.into(), Some(BODY)),
        with(request(), "/rawPath", json!(format!("/webhooks/{letters}"))),
        with(request(), "/rawPath", json!(long)),
        with(request(), "/rawQueryString", json!(long)),
        with(request(), "/requestContext/http/method", json!(long)),
        with(request(), "/requestContext/http/sourceIp", json!(long)),
        with(
            request(),
            "/requestContext/http/sourceIp",
            json!("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ),
        with(with(request(), "/isBase64Encoded", json!(true)), "/body", json!(long)),
        webhook_request("labelbox", "wrong", &long.repeat(100)),
    ];
    for request in requests {
        let fixture = Fixture::new();
        fixture.warm_up().await;
        let response = fixture.send(request).await;
        assert!((400..500).contains(&response.status_code));
        let bytes = log_line_bytes(&fixture);
        assert!(bytes <= MAX_UNAUTHENTICATED_LINE_BYTES, "{bytes}: {}", response.body);
    }
}

#[tokio::test]
async fn delivery_has_a_limited_log_line() {
    for length in [256, 1024, 100_000] {
        let id = "\"".repeat(length);
        let body = json!({"id": id, "project": {"id": id}, "updatedAt": id}).to_string();
        let mut request = webhook_request("labelbox", SECRET, &body);
        for header in ["x-labelbox-event", "x-labelbox-id"] {
            request = with(request, &format!("/headers/{header}"), json!(id));
        }
        let label = with(request.clone(), "/headers/x-labelbox-event", json!("LABEL_UPDATED"));
        for request in [request, label] {
            let fixture = Fixture::new();
            fixture.warm_up().await;
            assert_eq!(fixture.send(request).await.status_code, 200);
            let bytes = log_line_bytes(&fixture);
            assert!(bytes <= MAX_LINE_BYTES, "{bytes}");
        }
    }
}

/// The signature covers the encoded bytes. Without decompression, a small body cannot become a large one.
#[tokio::test]
async fn does_not_decompress_a_body() {
    let fixture = Fixture::new();
    let request =
        with(webhook_request("labelbox", SECRET, BODY), "/headers/content-encoding", json!("gzip"));
    assert_eq!(fixture.send(request).await.status_code, 200);
    assert_eq!(fixture.take_queued()[0].body, BODY);
}
