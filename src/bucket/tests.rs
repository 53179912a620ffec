//! The S3 client: its requests on the wire, and how it handles each response.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::config::tests::{offline, offline_aws};
use crate::error::error_chain;
use aws_lite::test_util::{Replay, response};
use lambda_http::http::{Request, Response};

const CONTENT: &[u8] = b"\xff\x00 any bytes";
/// python3 -c 'import base64,zlib; print(base64.b64encode(zlib.crc32(b"\xff\0 any bytes").to_bytes(4, "big")))'
const CRC32: &str = "hQ+3qQ==";
const ETAG: (&str, &str) = ("etag", "\"780b12726ed854f1621980db42ffb6ed\"");

fn response_with(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: &str,
) -> Response<Bytes> {
    let mut answer = response(status, body.to_owned());
    for (name, value) in headers {
        answer.headers_mut().insert(*name, value.parse().unwrap());
    }
    answer
}

/// S3 in `eu-central-1`, over this HTTP client.
fn s3(replay: &Replay) -> S3 {
    S3::new(&offline(), &offline_aws(replay.clone()))
}

async fn put(answer: Response<Bytes>) -> (Result<(), BucketError>, Request<Bytes>) {
    let replay = Replay::new([answer]);
    let outcome = s3(&replay).put("payloads/1/2", Bytes::from_static(CONTENT)).await;
    let [request] = replay.requests().try_into().unwrap();
    (outcome, request)
}

#[tokio::test]
async fn sends_the_object_with_its_checksum() {
    let (outcome, request) =
        put(response_with(200, &[ETAG, ("x-amz-checksum-crc32", CRC32)], "")).await;
    outcome.unwrap();
    assert_eq!(request.method(), "PUT");
    assert_eq!(*request.uri(), "https://relay-payloads.s3.eu-central-1.amazonaws.com/payloads/1/2");
    assert_eq!(request.body(), CONTENT);
    let header = |name| request.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(header("x-amz-checksum-crc32"), CRC32);
    assert_eq!(header("content-length"), CONTENT.len().to_string());
    assert!(header("authorization").starts_with("AWS4-HMAC-SHA256 "));
}

#[tokio::test]
async fn accepts_only_a_confirmation_of_the_same_bytes() {
    let (other, _) =
        put(response_with(200, &[ETAG, ("x-amz-checksum-crc32", "AAAAAA==")], "")).await;
    assert!(matches!(other, Err(BucketError::Unconfirmed)));
    let (unsaid, _) = put(response_with(200, &[ETAG], "")).await;
    assert!(unsaid.is_ok(), "{unsaid:?}");
    let other = ("etag", "\"d41d8cd98f00b204e9800998ecf8427e\"");
    let (changed, _) = put(response_with(200, &[other], "")).await;
    assert!(matches!(changed, Err(BucketError::Unconfirmed)));
    let (foreign, _) = put(response_with(200, &[], "<html>welcome</html>")).await;
    assert!(matches!(foreign, Err(BucketError::Unconfirmed)));
}

#[tokio::test]
async fn reports_an_error_response_with_its_reason() {
    let body =
        "<Error><Code>NoSuchBucket</Code><Message>The bucket does not exist</Message></Error>";
    let (refused, _) = put(response_with(404, &[], body)).await;
    let text = error_chain(&refused.unwrap_err());
    assert!(text.starts_with("the bucket did not store the object: "), "{text}");
    assert!(text.contains("S3 responded 404 NoSuchBucket: The bucket does not exist"), "{text}");
    let (proxy, _) = put(response_with(403, &[], "go away")).await;
    let text = error_chain(&proxy.unwrap_err());
    assert!(text.contains("S3 responded 403 without a code: no message"), "{text}");
}

/// A retryable error is tried three times, a permanent one once.
#[tokio::test(start_paused = true)]
async fn retries_retryable_errors() {
    let stored = || response_with(200, &[ETAG, ("x-amz-checksum-crc32", CRC32)], "");
    let error = |status| response_with(status, &[], "");
    let cases = [
        (vec![error(503), error(500), stored()], true, 3),
        (vec![error(503), error(500), error(502), stored()], false, 3),
        (vec![error(403), stored()], false, 1),
    ];
    for (answers, is_stored, attempts) in cases {
        let replay = Replay::new(answers);
        let outcome = s3(&replay).put("k", Bytes::from_static(CONTENT)).await;
        assert_eq!(outcome.is_ok(), is_stored, "{outcome:?}");
        let requests = replay.requests();
        let bodies: Vec<_> = requests.iter().map(|request| request.body()).collect();
        assert_eq!(bodies, vec![CONTENT; attempts]);
    }
}
