//! What is retryable, and what an error says.

use super::*;
use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};

fn service_error(status: u16, code: &str, message: &str) -> ServiceError {
    let text = |text: &str| Some(text.to_owned());
    ServiceError::new("SQS", status, text(code), text(message))
}

#[test]
fn retryable_codes_are_those_of_the_sdk_and_kms_throttling() {
    let sdk = THROTTLING_ERRORS.iter().chain(TRANSIENT_ERRORS);
    let mut expected: Vec<_> = sdk.copied().collect();
    expected.extend(["KMS.ThrottlingException", "KmsThrottled"]);
    let mut codes = RETRYABLE_CODES.to_vec();
    codes.sort_unstable();
    expected.sort_unstable();
    assert_eq!(codes, expected);
}

#[test]
fn retryable_statuses_are_429_and_the_temporary_ones_above_499() {
    for status in 100..600 {
        let is_retryable = service_error(status, "AccessDenied", "").is_retryable();
        let expected = [429, 500, 502, 503, 504].contains(&status);
        assert_eq!(is_retryable, expected, "{status}");
    }
    assert!(service_error(400, "KmsThrottled", "").is_retryable());
}

#[test]
fn truncates_messages_and_codes_to_512_bytes() {
    let error = service_error(403, &"x".repeat(1000), &"é".repeat(1000));
    assert_eq!(error.message, Some("é".repeat(256)));
    assert_eq!(error.code, Some("x".repeat(512)));
}

#[test]
fn drops_messages_that_can_quote_signed_headers() {
    for code in [
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
    ] {
        let message = "The canonical string should have been x-amz-security-token:…";
        assert_eq!(service_error(403, code, message).message, None, "{code}");
    }
}
