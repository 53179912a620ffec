//! Signatures beside those of AWS's own libraries for the same requests.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    sign as sdk_sign,
};
use aws_sigv4::sign::v4::SigningParams;
use proptest::prelude::*;
use std::time::{Duration, SystemTime};

fn credentials(token: Option<&str>) -> Credentials {
    let token = token.map(str::to_owned);
    Credentials::new("AKID".to_owned(), "key".to_owned(), token)
}

fn put(url: &str, content: &str) -> Request<Bytes> {
    Request::put(url)
        .header("content-length", "10")
        .header("content-type", "application/octet-stream")
        .header("x-amz-checksum-crc32", "hQ+3qQ==")
        .body(content.to_owned().into())
        .unwrap()
}

fn header<'r>(request: &'r Request<Bytes>, name: &str) -> &'r str {
    request.headers().get(name).unwrap().to_str().unwrap()
}

/// Made with botocore's `S3SigV4Auth` for the same request and the same signed headers, with `UNSIGNED-PAYLOAD`.
#[test]
fn signs_as_botocore_does() {
    let url = "https://relay-payloads.s3.eu-central-1.amazonaws.com/payloads/1/2";
    let mut request = put(url, "any bytes");
    // 2025-03-18T12:00:00Z
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_742_299_200);
    let (payload, credentials) = (PayloadSigning::Unsigned, credentials(Some("token")));
    let (region, service) = ("eu-central-1", "s3");
    sign(&mut request, payload, &credentials, region, service, now.into()).unwrap();
    assert_eq!(header(&request, "x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
    assert_eq!(header(&request, "x-amz-date"), "20250318T120000Z");
    assert_eq!(header(&request, "x-amz-security-token"), "token");
    assert_eq!(
        header(&request, "authorization"),
        "AWS4-HMAC-SHA256 Credential=AKID/20250318/eu-central-1/s3/aws4_request, \
         SignedHeaders=content-type;host;x-amz-checksum-crc32;x-amz-content-sha256;x-amz-date;x-amz-security-token, \
         Signature=d9c09bada025f8732b8321c9041fd07f8f3c4c595efe5543dd751fc25943cb5a"
    );
}

#[test]
fn debug_output_of_a_signed_request_shows_no_credentials() {
    let mut request = put("https://s3.example/1", "");
    let (payload, credentials) = (PayloadSigning::Signed, credentials(Some("sensitive-token")));
    let now = SystemTime::UNIX_EPOCH.into();
    sign(&mut request, payload, &credentials, "eu-central-1", "s3", now).unwrap();
    let output = format!("{request:?}");
    assert!(!output.contains("sensitive-token"), "{output}");
    assert!(!output.contains("Signature="), "{output}");
}

/// The signature of the SDK's own signer, over the headers that ours signs.
fn sdk_signature(
    request: &Request<Bytes>,
    service: &str,
    token: Option<&str>,
    payload: PayloadSigning,
    now: SystemTime,
) -> String {
    let mut settings = SigningSettings::default();
    // As for S3. It makes no difference to other services, whose paths have no escaped characters.
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    if payload == PayloadSigning::Unsigned {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let token = token.map(str::to_owned);
    let credentials = aws_credential_types::Credentials::new("AKID", "key", token, None, "test");
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name(service)
        .time(now)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = request.headers().iter();
    let headers = headers
        .filter(|(name, _)| *name != "content-length")
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let content = match payload {
        PayloadSigning::Signed => SignableBody::Bytes(request.body()),
        PayloadSigning::Unsigned => SignableBody::UnsignedPayload,
    };
    let url = request.uri().to_string();
    let signable = SignableRequest::new(request.method().as_str(), url, headers, content).unwrap();
    let (instructions, _) = sdk_sign(signable, &params).unwrap().into_parts();
    let (_, value) = instructions
        .headers()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .unwrap();
    value.to_owned()
}

proptest! {
    #[test]
    fn signs_as_the_sdk_does(
        service in prop_oneof![Just("s3"), Just("sqs"), Just("secretsmanager")],
        host in "[a-z]{1,9}(\\.[a-z0-9]{1,9}){0,3}(:443|:80|:8443)?",
        scheme in "https?",
        path in "(/([a-zA-Z0-9_.-]|%3A){1,20}){1,3}|/",
        content in "\\PC{0,300}",
        target in " {0,2}[!-~]{1,40} {0,2}",
        token in proptest::option::of("[!-~]{1,100}"),
        seconds in 0..4_102_444_800_u64,
        is_signed in any::<bool>(),
    ) {
        // Signers may treat dots differently; no path of ours has them.
        prop_assume!(!path.split('/').any(|part| part == "." || part == ".."));
        prop_assume!(service == "s3" || !path.contains('%'));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let payload = if is_signed { PayloadSigning::Signed } else { PayloadSigning::Unsigned };
        let mut request = put(&format!("{scheme}://{host}{path}"), &content);
        request.headers_mut().insert("x-amz-target", HeaderValue::try_from(target).unwrap());
        let expected = sdk_signature(&request, service, token.as_deref(), payload, now);
        let credentials = credentials(token.as_deref());
        sign(&mut request, payload, &credentials, "eu-central-1", service, now.into()).unwrap();
        prop_assert_eq!(header(&request, "authorization"), expected.as_str());
    }
}
