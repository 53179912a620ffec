//! The S3 adapter at the wire: the request that goes out, and what becomes of each answer.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::error::chain;
use aws_credential_types::Credentials;
use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};

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

async fn put(answer: HttpResponse) -> (Result<(), BucketError>, StaticReplayClient) {
    let wire = StaticReplayClient::new(vec![ReplayEvent::new(HttpRequest::empty(), answer)]);
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKID", "key", None, None, "test"))
        .http_client(wire.clone())
        .retry_config(RetryConfig::disabled())
        .build();
    let bucket = S3::new(Client::from_conf(config), "relay-payloads".to_owned());
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
    let (address, _) = request.uri().split_once('?').unwrap();
    assert_eq!(
        address,
        "https://relay-payloads.s3.eu-central-1.amazonaws.com/payloads/1/2"
    );
    assert_eq!(request.body().bytes(), Some(CONTENT));
    assert_eq!(request.headers().get("x-amz-checksum-crc32"), Some(CRC32));
}

#[tokio::test]
async fn only_a_confirmation_of_these_bytes_counts() {
    let (other, _) = put(answer(
        200,
        &[ETAG, ("x-amz-checksum-crc32", "AAAAAA==")],
        "",
    ))
    .await;
    assert!(matches!(other, Err(BucketError::WrongConfirmation)));
    let (unsaid, _) = put(answer(200, &[ETAG], "")).await;
    assert!(unsaid.is_ok(), "{unsaid:?}");
    let other = ("etag", "\"d41d8cd98f00b204e9800998ecf8427e\"");
    let (changed, _) = put(answer(200, &[other], "")).await;
    assert!(matches!(changed, Err(BucketError::WrongConfirmation)));
    let (foreign, _) = put(answer(200, &[], "<html>welcome</html>")).await;
    assert!(matches!(foreign, Err(BucketError::WrongConfirmation)));
}

#[tokio::test]
async fn a_refusal_is_told_with_its_cause() {
    let body =
        "<Error><Code>NoSuchBucket</Code><Message>The bucket does not exist</Message></Error>";
    let (refused, _) = put(answer(404, &[], body)).await;
    let text = chain(&refused.unwrap_err());
    assert!(
        text.starts_with("the bucket did not take the object: "),
        "{text}"
    );
    assert!(text.contains("NoSuchBucket"), "{text}");
}
