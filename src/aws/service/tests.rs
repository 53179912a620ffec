//! Which failures are tried again, how often, and after what pause.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(
    clippy::disallowed_methods,
    reason = "on a paused clock, time is what the test makes of it"
)]

use super::super::Services;
use super::*;
use crate::config::offline;
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;
use tokio::time::Instant;

fn replay(statuses: &[u16]) -> StaticReplayClient {
    let answer = |status: &u16| {
        let answer = HttpResponse::new((*status).try_into().unwrap(), SdkBody::empty());
        ReplayEvent::new(HttpRequest::empty(), answer)
    };
    StaticReplayClient::new(statuses.iter().map(answer).collect())
}

fn read(code: Option<&'static str>) -> impl Fn(&HttpResponse) -> Result<u16, CallError> {
    move |response| {
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(status);
        }
        Err(CallError::Refused(Refused {
            service: "SQS",
            status,
            code: code.map(str::to_owned),
            message: None,
        }))
    }
}

/// Whether the call succeeds, and how many attempts it takes.
async fn call(statuses: &[u16], code: Option<&'static str>) -> (bool, usize) {
    let wire = replay(statuses);
    let http = SharedHttpConnector::new(wire.clone());
    let sqs = Services::over(&offline(), &http, || UNIX_EPOCH).sqs;
    let mut request = HttpRequest::empty();
    request.set_uri("/").unwrap();
    let outcome = sqs.call(request, read(code)).await;
    (outcome.is_ok(), wire.actual_requests().count())
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_three_times() {
    for status in [429, 500, 502, 503, 504] {
        assert_eq!(call(&[status, status, 200], None).await, (true, 3));
        assert_eq!(call(&[status, status, status, 200], None).await, (false, 3));
    }
    for code in [
        "ThrottlingException",
        "RequestThrottled",
        "RequestTimeout",
        "SlowDown",
        "KMS.ThrottlingException",
        "KmsThrottled",
    ] {
        assert_eq!(call(&[400, 200], Some(code)).await, (true, 2), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_final_is_tried_once() {
    for status in [301, 400, 403, 404, 501] {
        assert_eq!(call(&[status, 200], Some("AccessDenied")).await, (false, 1));
        assert_eq!(call(&[status, 200], None).await, (false, 1));
    }
}

/// What was sent to a service that refuses a signature until it has the service's time, by a clock that says 1970.
async fn dates_sent(code: &'static str, date: &'static str) -> Vec<String> {
    let refusal = |_| {
        let mut refusal = HttpResponse::new(403.try_into().unwrap(), SdkBody::empty());
        refusal.headers_mut().insert("date", date);
        ReplayEvent::new(HttpRequest::empty(), refusal)
    };
    let wire = StaticReplayClient::new((0..3).map(refusal).collect());
    let http = SharedHttpConnector::new(wire.clone());
    let sqs = Services::over(&offline(), &http, || UNIX_EPOCH).sqs;
    let mut request = HttpRequest::empty();
    request.set_uri("/").unwrap();
    sqs.call(request, read(Some(code))).await.unwrap_err();
    let date = |request: &HttpRequest| request.headers().get("x-amz-date").unwrap().to_owned();
    wire.actual_requests().map(date).collect()
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_corrected_once_from_the_date_of_the_answer() {
    for code in ["RequestTimeTooSkewed", "SignatureDoesNotMatch"] {
        assert_eq!(
            dates_sent(code, "Sun, 06 Nov 1994 08:49:37 GMT").await,
            ["19700101T000000Z", "19941106T084937Z"],
            "{code}"
        );
        // Within the limit, or without a readable date, the clock is not to blame.
        for date in ["Thu, 01 Jan 1970 00:04:00 GMT", "soon"] {
            assert_eq!(dates_sent(code, date).await, ["19700101T000000Z"], "{code}");
        }
    }
    let end_of_time = dates_sent("RequestTimeTooSkewed", "Fri, 31 Dec 9999 23:59:59 GMT").await;
    assert_eq!(end_of_time, ["19700101T000000Z", "99991231T235959Z"]);
    assert_eq!(
        dates_sent("AccessDenied", "Sun, 06 Nov 1994 08:49:37 GMT").await,
        ["19700101T000000Z"]
    );
}

#[test]
fn messages_of_services_are_short_and_quote_no_headers() {
    let refused = |code: &str, message: String| {
        Refused::new("SQS", 403, Some(code.to_owned()), Some(message)).message
    };
    let long = refused("AccessDenied", "é".repeat(1000)).unwrap();
    assert_eq!(long, "é".repeat(256));
    let code = Refused::new("S3", 403, Some("x".repeat(1000)), None).code;
    assert_eq!(code, Some("x".repeat(512)));
    for code in [
        "IncompleteSignature",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
    ] {
        let quoting = "The canonical string should have been x-amz-security-token:…";
        assert_eq!(refused(code, quoting.to_owned()), None);
    }
}

/// A network that always fails in the same way.
#[derive(Debug, Clone)]
struct Broken {
    with: fn() -> ConnectorError,
    calls: Arc<AtomicUsize>,
}

impl HttpConnector for Broken {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        self.calls.fetch_add(1, Ordering::Relaxed);
        HttpConnectorFuture::ready(Err((self.with)()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_network_is_tried_again_and_one_of_ours_is_not() {
    let cases: [(fn() -> ConnectorError, usize); 6] = [
        (|| ConnectorError::io("reset".into()), 3),
        (|| ConnectorError::timeout("late".into()), 3),
        (
            || ConnectorError::other("cut off".into(), Some(ErrorKind::TransientError)),
            3,
        ),
        (
            || ConnectorError::other("no HTTP".into(), Some(ErrorKind::ClientError)),
            1,
        ),
        (|| ConnectorError::other("no HTTP".into(), None), 1),
        (|| ConnectorError::user("no host".into()), 1),
    ];
    for (with, attempts) in cases {
        let calls = Arc::default();
        let broken = Broken {
            with,
            calls: Arc::clone(&calls),
        };
        let http = SharedHttpConnector::new(broken);
        let sqs = Services::over(&offline(), &http, || UNIX_EPOCH).sqs;
        let mut request = HttpRequest::empty();
        request.set_uri("/").unwrap();
        sqs.call(request, read(None)).await.unwrap_err();
        assert_eq!(calls.load(Ordering::Relaxed), attempts, "{:?}", with());
    }
}

#[test]
fn each_service_has_the_name_that_people_know() {
    let http = SharedHttpConnector::new(replay(&[]));
    let services = Services::over(&offline(), &http, || UNIX_EPOCH);
    let all = [services.sqs, services.secrets_manager, services.bucket];
    assert_eq!(
        all.map(|service| service.name()),
        ["SQS", "Secrets Manager", "S3"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_pauses_are_short_and_random() {
    let mut pauses = Vec::new();
    for _ in 0..50 {
        let started = Instant::now();
        call(&[503, 503, 200], None).await;
        pauses.push(started.elapsed());
    }
    assert!(
        pauses
            .iter()
            .all(|pause| *pause <= FIRST_PAUSE * 3 + Duration::from_millis(2))
    );
    // Were the second pause not up to twice the first, none would come to this.
    assert!(pauses.iter().any(|pause| *pause > FIRST_PAUSE * 3 / 2));
    pauses.sort_unstable();
    pauses.dedup();
    assert!(pauses.len() > 10, "{pauses:?}");
}

#[tokio::test]
async fn each_attempt_is_signed_for_its_own_time() {
    let wire = replay(&[503, 200]);
    let http = SharedHttpConnector::new(wire.clone());
    let sqs = Services::over(&offline(), &http, SystemTime::now).sqs;
    let mut request = HttpRequest::empty();
    request.set_uri("/").unwrap();
    sqs.call(request, read(None)).await.unwrap();
    for sent in wire.actual_requests() {
        let signed = sent.headers().get_all("authorization").count();
        let dated = sent.headers().get_all("x-amz-date").count();
        assert_eq!((signed, dated), (1, 1));
        assert_eq!(sent.uri(), "https://sqs.eu-central-1.amazonaws.com/");
    }
}
