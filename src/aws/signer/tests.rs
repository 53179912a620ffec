//! Our signatures, beside those that AWS's own libraries make for the same requests.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_types::body::SdkBody;
use proptest::prelude::*;
use std::time::Duration;

fn credentials(token: Option<&str>) -> Credentials {
    Credentials::new("AKID", "key", token.map(str::to_owned), None, "test")
}

fn put(address: &str) -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::from("\u{0}any bytes"));
    request.set_method("PUT").unwrap();
    request.set_uri(address).unwrap();
    let headers = request.headers_mut();
    headers.insert("content-length", "10");
    headers.insert("content-type", "application/octet-stream");
    headers.insert("x-amz-checksum-crc32", "hQ+3qQ==");
    request
}

/// Made with botocore's `S3SigV4Auth` for the same request and the same signed headers, with `UNSIGNED-PAYLOAD`.
#[test]
fn a_request_is_signed_as_botocore_signs_it() {
    let mut request = put("https://relay-payloads.s3.eu-central-1.amazonaws.com/payloads/1/2");
    let signer = Signer::new(
        "s3",
        "eu-central-1",
        &credentials(Some("token")),
        Body::Unsigned,
    );
    // 2025-03-18T12:00:00Z
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_742_299_200);
    signer.sign(&mut request, now).unwrap();
    let header = |name| request.headers().get(name);
    assert_eq!(header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
    assert_eq!(header("x-amz-date"), Some("20250318T120000Z"));
    assert_eq!(header("x-amz-security-token"), Some("token"));
    assert_eq!(
        header("authorization"),
        Some(
            "AWS4-HMAC-SHA256 Credential=AKID/20250318/eu-central-1/s3/aws4_request, \
             SignedHeaders=content-type;host;x-amz-checksum-crc32;x-amz-content-sha256;x-amz-date;x-amz-security-token, \
             Signature=d9c09bada025f8732b8321c9041fd07f8f3c4c595efe5543dd751fc25943cb5a"
        )
    );
}

/// The signature that the SDK's own signer makes, over the headers that ours chooses.
fn of_the_sdk(
    request: &HttpRequest,
    service: &str,
    token: Option<&str>,
    body: Body,
    now: SystemTime,
) -> String {
    let mut settings = SigningSettings::default();
    if body == Body::Unsigned {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let identity = credentials(token).into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name(service)
        .time(now)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = request
        .headers()
        .iter()
        .filter(|(name, _)| *name != "content-length");
    let content = match body {
        Body::Signed => SignableBody::Bytes(request.body().bytes().unwrap()),
        Body::Unsigned => SignableBody::UnsignedPayload,
    };
    let signable = SignableRequest::new(request.method(), request.uri(), headers, content).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let (_, value) = instructions
        .headers()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .unwrap();
    value.to_owned()
}

proptest! {
    #[test]
    fn our_signatures_are_those_of_the_sdk(
        service in "s3|sqs|secretsmanager",
        host in "[a-z]{1,9}(\\.[a-z0-9]{1,9}){0,3}(:443|:80|:8443)?",
        scheme in "https?",
        path in "(/[a-zA-Z0-9_.-]{1,20}){1,3}|/",
        content in "\\PC{0,300}",
        target in " {0,2}[!-~]{1,40} {0,2}",
        token in proptest::option::of("[!-~]{1,100}"),
        seconds in 0..4_102_444_800_u64,
        is_signed in any::<bool>(),
    ) {
        // Two signers that fold dots in different ways would be no fault of either.
        prop_assume!(!path.split('/').any(|part| part == "." || part == ".."));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let body = if is_signed { Body::Signed } else { Body::Unsigned };
        let mut request = put(&format!("{scheme}://{host}{path}"));
        *request.body_mut() = SdkBody::from(content);
        request.headers_mut().insert("x-amz-target", target);
        let theirs = of_the_sdk(&request, &service, token.as_deref(), body, now);
        let service: &'static str = match service.as_str() {
            "s3" => "s3",
            "sqs" => "sqs",
            _ => "secretsmanager",
        };
        let signer = Signer::new(service, "eu-central-1", &credentials(token.as_deref()), body);
        signer.sign(&mut request, now).unwrap();
        prop_assert_eq!(request.headers().get("authorization"), Some(theirs.as_str()));
    }
}
