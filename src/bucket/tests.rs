//! The S3 adapter at the wire: the request that goes out, and what becomes of each answer.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::Services;
use crate::config::offline;
use crate::error::error_chain;
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use std::time::UNIX_EPOCH;

const CONTENT: &[u8] = b"\xff\x00 any bytes";
/// python3 -c 'import base64,zlib; print(base64.b64encode(zlib.crc32(b"\xff\0 any bytes").to_bytes(4, "big")))'
const CRC32: &str = "hQ+3qQ==";
const ETAG: (&str, &str) = ("etag", "\"780b12726ed854f1621980db42ffb6ed\"");

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> HttpResponse {
    let mut answer = HttpResponse::new(status.try_into().unwrap(), body.into());
    for (name, value) in headers {
        answer.headers_mut().insert(*name, *value);
    }
    answer
}

/// S3 in `eu-central-1`, over this wire.
fn s3(wire: &StaticReplayClient) -> S3 {
    let http = SharedHttpConnector::new(wire.clone());
    S3::new(Services::over(&offline(), &http, || UNIX_EPOCH).bucket)
}

fn replay(answers: impl IntoIterator<Item = HttpResponse>) -> StaticReplayClient {
    let event = |answer| ReplayEvent::new(HttpRequest::empty(), answer);
    StaticReplayClient::new(answers.into_iter().map(event).collect())
}

async fn put(answer: HttpResponse) -> (Result<(), BucketError>, StaticReplayClient) {
    let wire = replay([answer]);
    let bucket = s3(&wire);
    let outcome = bucket.put("payloads/1/2", CONTENT.to_vec()).await;
    (outcome, wire)
}

#[tokio::test]
async fn an_object_goes_out_whole_with_its_checksum() {
    let (outcome, wire) = put(answer(200, &[ETAG, ("x-amz-checksum-crc32", CRC32)], "")).await;
    outcome.unwrap();
    let requests: Vec<_> = wire.actual_requests().collect();
    let [request] = requests.try_into().unwrap();
    assert_eq!(request.method(), "PUT");
    assert_eq!(
        request.uri(),
        "https://relay-payloads.s3.eu-central-1.amazonaws.com/payloads/1/2"
    );
    assert_eq!(request.body().bytes(), Some(CONTENT));
    let header = |name| request.headers().get(name).unwrap_or_default();
    assert_eq!(header("x-amz-checksum-crc32"), CRC32);
    assert_eq!(header("content-length"), CONTENT.len().to_string());
    assert!(header("authorization").starts_with("AWS4-HMAC-SHA256 "));
}

#[tokio::test]
async fn only_a_confirmation_of_these_bytes_counts() {
    let (other, _) = put(answer(
        200,
        &[ETAG, ("x-amz-checksum-crc32", "AAAAAA==")],
        "",
    ))
    .await;
    assert!(matches!(other, Err(BucketError::ChecksumMismatch)));
    let (unsaid, _) = put(answer(200, &[ETAG], "")).await;
    assert!(unsaid.is_ok(), "{unsaid:?}");
    let other = ("etag", "\"d41d8cd98f00b204e9800998ecf8427e\"");
    let (changed, _) = put(answer(200, &[other], "")).await;
    assert!(matches!(changed, Err(BucketError::ChecksumMismatch)));
    let (foreign, _) = put(answer(200, &[], "<html>welcome</html>")).await;
    assert!(matches!(foreign, Err(BucketError::ChecksumMismatch)));
}

#[tokio::test]
async fn a_refusal_is_told_with_its_cause() {
    let body =
        "<Error><Code>NoSuchBucket</Code><Message>The bucket does not exist</Message></Error>";
    let (refused, _) = put(answer(404, &[], body)).await;
    let text = error_chain(&refused.unwrap_err());
    assert!(
        text.starts_with("the bucket did not take the object: "),
        "{text}"
    );
    assert!(
        text.contains("S3 answered 404 NoSuchBucket: The bucket does not exist"),
        "{text}"
    );
    let (proxy, _) = put(answer(403, &[], "go away")).await;
    let text = error_chain(&proxy.unwrap_err());
    assert!(
        text.contains("S3 answered 403 without a code: no message"),
        "{text}"
    );
}

/// A hiccup is tried three times, a refusal once.
#[tokio::test(start_paused = true)]
async fn hiccups_are_tried_again() {
    let stored = || answer(200, &[ETAG, ("x-amz-checksum-crc32", CRC32)], "");
    let error = |status| answer(status, &[], "");
    let cases = [
        (vec![error(503), error(500), stored()], true, 3),
        (vec![error(503), error(500), error(502), stored()], false, 3),
        (vec![error(403), stored()], false, 1),
    ];
    for (answers, is_stored, attempts) in cases {
        let wire = replay(answers);
        let outcome = s3(&wire).put("k", CONTENT.to_vec()).await;
        assert_eq!(outcome.is_ok(), is_stored, "{outcome:?}");
        let bodies = wire.actual_requests().map(|request| request.body().bytes());
        assert_eq!(bodies.collect::<Vec<_>>(), vec![Some(CONTENT); attempts]);
    }
}
