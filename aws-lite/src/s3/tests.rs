//! The requests that go out, and how responses are read.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::sign::Credentials;
use crate::test_util::{Replay, response};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

const CONTENT: &[u8] = b"\xff\x00 any bytes";
/// python3 -c 'import base64,zlib; print(base64.b64encode(zlib.crc32(b"\xff\0 any bytes").to_bytes(4, "big")))'
const CRC32: &str = "hQ+3qQ==";

async fn put(
    region: &str,
    custom_endpoint: Option<&str>,
    response: Response<Bytes>,
    content: &'static [u8],
) -> (Result<PutObjectOutput, AwsError>, Request<Bytes>) {
    put_key("payloads/1", region, custom_endpoint, response, content).await
}

async fn put_key(
    key: &str,
    region: &str,
    custom_endpoint: Option<&str>,
    response: Response<Bytes>,
    content: &'static [u8],
) -> (Result<PutObjectOutput, AwsError>, Request<Bytes>) {
    let replay = Replay::new([response]);
    let config = AwsConfig {
        region: region.to_owned(),
        credentials: Credentials::new("AKID".to_owned(), "key".to_owned(), None),
        user_agent: "test/1",
        http: Arc::new(replay.clone()),
        clock: || UNIX_EPOCH,
    };
    let bucket = S3Bucket::new("b", &config, custom_endpoint);
    let result = bucket.put_object(key, CRC32, content.into()).await;
    let [request] = replay.requests().try_into().unwrap();
    (result, request)
}

#[tokio::test]
async fn stores_an_object_with_its_checksum() {
    let mut stored = response(200, "");
    let headers = stored.headers_mut();
    headers.insert("etag", "\"1\"".try_into().unwrap());
    headers.insert("x-amz-checksum-crc32", CRC32.try_into().unwrap());
    let (result, request) = put("eu-central-1", None, stored, CONTENT).await;
    let output =
        PutObjectOutput { e_tag: Some("\"1\"".to_owned()), checksum_crc32: Some(CRC32.to_owned()) };
    assert_eq!(result.unwrap(), output);
    let header = |name| request.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(request.method(), "PUT");
    assert_eq!(header("x-amz-checksum-crc32"), CRC32);
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(header("content-length"), CONTENT.len().to_string());
    assert_eq!(header("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
    let scope = "Credential=AKID/19700101/eu-central-1/s3/aws4_request";
    assert!(header("authorization").contains(scope));
    assert_eq!(request.body(), CONTENT);
}

#[tokio::test]
async fn an_empty_object_has_a_length() {
    let (_, request) = put("eu-central-1", None, response(200, ""), b"").await;
    assert_eq!(request.headers().get("content-length").unwrap(), "0");
}

#[tokio::test]
async fn a_bucket_is_in_the_host_name_at_aws_and_in_the_path_elsewhere() {
    for (custom, region, expected) in [
        (None, "us-east-1", "https://b.s3.us-east-1.amazonaws.com"),
        (None, "cn-north-1", "https://b.s3.cn-north-1.amazonaws.com.cn"),
        (None, "us-gov-west-1", "https://b.s3.us-gov-west-1.amazonaws.com"),
        (Some("http://127.0.0.1:4566/"), "us-east-1", "http://127.0.0.1:4566/b"),
    ] {
        let (_, request) = put(region, custom, response(200, ""), CONTENT).await;
        assert_eq!(*request.uri(), *format!("{expected}/payloads/1"));
    }
}

/// botocore sends the same path.
#[tokio::test]
async fn a_colon_in_a_key_is_escaped() {
    let key = "archive/2023-11-14T22:13:20.000Z-1.json";
    let (_, request) = put_key(key, "us-east-1", None, response(200, ""), CONTENT).await;
    assert_eq!(request.uri().path(), "/archive/2023-11-14T22%3A13%3A20.000Z-1.json");
}

#[tokio::test]
async fn an_error_has_the_code_and_message_of_its_body() {
    for (body, expected) in [
        (
            "<Error><Code>NoSuchBucket</Code><Message>It does not exist</Message></Error>",
            "S3 responded 404 NoSuchBucket: It does not exist",
        ),
        ("go away", "S3 responded 404 without a code: no message"),
        ("<Code>cut", "S3 responded 404 without a code: no message"),
    ] {
        let (result, _) = put("eu-central-1", None, response(404, body), CONTENT).await;
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
}
