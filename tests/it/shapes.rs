//! Bodies and headers made to hurt: deep, repetitive, enormous. A stranger's are refused unread; the right sender's are
//! carried like any others, cost no more than their bytes, and make no long line in the log.

use crate::outside::{BODY, SECRET, Stage, event, refused, verified, webhook, with};
use labelbox_relay::event::Event;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::Duration;

/// What a stranger can make the log hold, in bytes of a line.
const STRANGERS_LINE: usize = 1024;
/// What the right sender can: three ids of its own choice, a topic, and all of them of characters that JSON escapes.
const LONGEST_LINE: usize = 8192;

/// A body of about this size, and whether it can be read as an event.
struct Shape {
    name: &'static str,
    body: String,
    is_readable: bool,
}

/// `around`, with `piece` in the place of its `…`, so often that it makes `size`.
fn filled(name: &'static str, size: usize, around: &str, piece: &str, is_readable: bool) -> Shape {
    let (before, after) = around.split_once('…').unwrap();
    let body = format!("{before}{}{after}", piece.repeat(size / piece.len()));
    Shape {
        name,
        body,
        is_readable,
    }
}

/// The same with as many closing ones.
fn nested(name: &'static str, size: usize, around: &str, open: &str, close: &str) -> Shape {
    let (before, after) = around.split_once('…').unwrap();
    let depth = size / (open.len() + close.len());
    let body = format!(
        "{before}{}1{}{after}",
        open.repeat(depth),
        close.repeat(depth)
    );
    Shape {
        name,
        body,
        is_readable: true,
    }
}

fn shapes(size: usize) -> Vec<Shape> {
    let plain = filled(
        "plain",
        size,
        r#"{"id":"a","label":[…0]}"#,
        r#"{"x":1204,"y":883},"#,
        true,
    );
    vec![
        plain,
        nested("lists", size, r#"{"id":"a","b":…}"#, "[", "]"),
        nested("objects", size, r#"{"id":"a","b":…}"#, r#"{"b":"#, "}"),
        nested(
            "labels in labels",
            size,
            r#"{"id":"a","label":…}"#,
            r#"{"label":"#,
            "}",
        ),
        nested(
            "data rows",
            size,
            r#"{"id":"a","data_row":…}"#,
            r#"{"details":"#,
            "}",
        ),
        nested(
            "lists for labels",
            size,
            r#"{"id":"a","projects":{"p":{"labels":…}}}"#,
            "[",
            "]",
        ),
        filled("open lists", size, "…", "[", false),
        filled("open objects", size, "…", r#"{"b":"#, false),
        filled("one key", size, r#"{…"id":"a"}"#, r#""id":"b","#, true),
        filled(
            "projects",
            size,
            r#"{"id":"a","projects":{…"p":1}}"#,
            r#""p":{"labels":[{"id":"b"}]},"#,
            true,
        ),
        filled(
            "labels",
            size,
            r#"{"id":"a","projects":{"p":{"labels":[…1]}}}"#,
            r#"{"id":"b"},"#,
            true,
        ),
        filled(
            "escapes",
            size,
            r#"{"id":"a","label":"…"}"#,
            r"\u0000",
            true,
        ),
        filled("an id of escapes", size, r#"{"id":"…"}"#, r"\u0000", true),
        filled(
            "a key of escapes",
            size,
            r#"{"…":1,"id":"a"}"#,
            r"\u0041",
            true,
        ),
        filled("digits", size, r#"{"id":"a","b":…}"#, "9", true),
        filled(
            "digits for an object",
            size,
            r#"{"id":"a","project":…}"#,
            "9",
            true,
        ),
        filled(
            "an exponent",
            size,
            r#"{"id":"a","project":1e…}"#,
            "9",
            true,
        ),
        filled("decimals", size, r#"{"id":"a","project":0.…}"#, "1", true),
        filled("spaces", size, r#"{"id":"a"…}"#, " ", true),
        filled("zeros", size, "…", "\0", false),
    ]
}

#[tokio::test]
async fn a_signed_body_of_any_shape_is_carried_unchanged_and_a_stranger_s_is_refused() {
    // Deeper than 100,000 levels.
    for shape in shapes(700_000) {
        let stage = Stage::usual();
        let Shape { name, body, .. } = shape;
        let knock = webhook("labelbox", "stranger", &body);
        stage.check(knock, 401, refused()).await;
        assert!(
            stage.queued().is_empty() && stage.objects().is_empty(),
            "{name}"
        );
        let answer = stage.send(webhook("labelbox", SECRET, &body)).await;
        assert_eq!(answer.status_code, 200, "{name}");
        let status = if shape.is_readable {
            "queued"
        } else {
            "unrouted"
        };
        assert_eq!(answer.json()["status"], status, "{name}");
        let [message] = stage.queued().try_into().unwrap();
        let payload = stage.objects().into_values().next();
        let carried = payload.unwrap_or(message.body.into_bytes());
        assert!(carried == body.as_bytes(), "{name}");
    }
}

/// The time that this thread has had on a processor: what others do on it does not count.
///
/// Source: <https://docs.kernel.org/scheduler/sched-stats.html>.
fn processor_time() -> Duration {
    // The kernel brings its account up to date when a thread makes way for others.
    std::thread::yield_now();
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(account.split(' ').next().unwrap().parse().unwrap())
}

/// The least time that it takes to read it.
fn reading_time(shape: &Shape) -> Duration {
    let verified = verified(SECRET, &shape.body);
    let read = || {
        let started = processor_time();
        black_box(Event::of_webhook(&verified, Some("LABEL_UPDATED")));
        processor_time() - started
    };
    (0..5).map(|_| read()).min().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn the_time_to_read_a_body_grows_with_its_bytes_and_not_with_what_they_say() {
    const TIMES: u32 = 16;
    let (small, large) = (shapes(20_000), shapes(20_000 * TIMES as usize));
    let plain = reading_time(&large[0]);
    for (small, large) in small.iter().zip(&large) {
        let (one, many) = (reading_time(small), reading_time(large));
        // Were it the square, it would be 256 times.
        assert!(many < one * TIMES * 3, "{}: {one:?}, {many:?}", small.name);
        // Without a last activity, each label is read at five levels, which costs an unoptimised build up to 9 times.
        assert!(many < plain * 16, "{}: {plain:?}, {many:?}", small.name);
    }
}

/// All that a gateway lets through in a request line and headers.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>.
const MAX_HEADER_BYTES: usize = 10_240;

fn line_bytes(stage: &Stage) -> usize {
    let [line] = stage.lines().try_into().unwrap();
    let line: Value = line;
    line.to_string().len()
}

#[tokio::test]
async fn no_request_of_a_stranger_makes_a_long_line() {
    let long = "\"".repeat(MAX_HEADER_BYTES);
    let letters = "a".repeat(MAX_HEADER_BYTES);
    let knock = || webhook(&"a".repeat(64), "stranger", BODY);
    let header = |name: &str| with(knock(), &format!("/headers/{name}"), json!(long));
    let many: serde_json::Map<_, _> = (0..2000)
        .map(|number| (format!("h{number}"), json!("\"")))
        .collect();
    let knocks = [
        header("x-hub-signature"),
        header("x-labelbox-event"),
        header("x-labelbox-id"),
        header("x-amzn-trace-id"),
        header("content-type"),
        header(&letters),
        event("POST", "/webhooks/labelbox", many.into(), Some(BODY)),
        with(knock(), "/rawPath", json!(format!("/webhooks/{letters}"))),
        with(knock(), "/rawPath", json!(long)),
        with(knock(), "/rawQueryString", json!(long)),
        with(knock(), "/requestContext/http/method", json!(long)),
        with(knock(), "/requestContext/http/sourceIp", json!(long)),
        with(
            knock(),
            "/requestContext/http/sourceIp",
            json!("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ),
        with(
            with(knock(), "/isBase64Encoded", json!(true)),
            "/body",
            json!(long),
        ),
        webhook("labelbox", "stranger", &long.repeat(100)),
    ];
    for knock in knocks {
        let stage = Stage::usual();
        stage.warm_up().await;
        let answer = stage.send(knock).await;
        assert!((400..500).contains(&answer.status_code));
        let bytes = line_bytes(&stage);
        assert!(bytes <= STRANGERS_LINE, "{bytes}: {}", answer.body);
    }
}

#[tokio::test]
async fn no_event_makes_a_long_line() {
    for length in [256, 1024, 100_000] {
        let id = "\"".repeat(length);
        let body = json!({"id": id, "project": {"id": id}, "updatedAt": id}).to_string();
        let mut sent = webhook("labelbox", SECRET, &body);
        for header in ["x-labelbox-event", "x-labelbox-id"] {
            sent = with(sent, &format!("/headers/{header}"), json!(id));
        }
        let labelled = with(
            sent.clone(),
            "/headers/x-labelbox-event",
            json!("LABEL_UPDATED"),
        );
        for sent in [sent, labelled] {
            let stage = Stage::usual();
            stage.warm_up().await;
            assert_eq!(stage.send(sent).await.status_code, 200);
            let bytes = line_bytes(&stage);
            assert!(bytes <= LONGEST_LINE, "{bytes}");
        }
    }
}

/// The line of a wrong signature in a stack of the usual name, with an id of Lambda's own length.
async fn usual_strangers_line(level: &str) -> usize {
    let settings = [
        ("LOG_LEVEL", level),
        ("METRICS_NAMESPACE", "LabelboxRelay/labelbox-relay"),
    ];
    let stage = Stage::with(&settings);
    stage.warm_up().await;
    stage
        .check(webhook("labelbox", "stranger", BODY), 401, refused())
        .await;
    let id = if level == "error" {
        0
    } else {
        "c6af9ac6-7b61-11e6-9a41-93e8deadbeef".len() - "request-1".len()
    };
    line_bytes(&stage) + id + "\n".len()
}

#[tokio::test]
async fn the_page_on_security_says_how_long_a_stranger_s_line_is() {
    let page = include_str!("../../docs/security.md");
    let (_, rest) = page
        .split_once("A refused request's line has some ")
        .unwrap();
    let (whole, rest) = rest.split_once(" bytes, ").unwrap();
    let (metrics, _) = rest.split_once(" of them").unwrap();
    for (said, level) in [(whole, "info"), (metrics, "error")] {
        let is = usual_strangers_line(level).await;
        let said: usize = said.parse().unwrap();
        assert!(said.abs_diff(is) < 20, "it says {said}, it is {is}");
    }
}

/// What is signed is what was sent, and nothing unpacks it: a small body stays small.
#[tokio::test]
async fn a_body_that_is_said_to_be_packed_is_carried_as_it_is() {
    let stage = Stage::usual();
    let packed = with(
        webhook("labelbox", SECRET, BODY),
        "/headers/content-encoding",
        json!("gzip"),
    );
    assert_eq!(stage.send(packed).await.status_code, 200);
    assert_eq!(stage.queued()[0].body, BODY);
}
