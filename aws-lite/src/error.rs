//! Why a call failed, and whether another attempt can help.

use std::error::Error;

/// An error of any type.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Error codes of throttling and transient errors. The first 16 are the standard retry mode's in the AWS SDK for Rust; SQS
/// adds the last two when KMS throttles it.
///
/// Sources: <https://docs.rs/aws-runtime/latest/aws_runtime/retries/classifiers/index.html>,
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors>.
#[rustfmt::skip]
const RETRYABLE_CODES: [&str; 18] = [
    "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException",
    "RequestTimeout", "RequestTimeoutException", "SlowDown", "ThrottledException", "Throttling", "ThrottlingException",
    "TooManyRequestsException", "TransactionInProgressException", "KMS.ThrottlingException", "KmsThrottled",
];

/// Errors whose message can quote signed headers, the session token among them.
const HEADER_QUOTING_CODES: [&str; 4] = [
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
];

const MAX_MESSAGE_BYTES: usize = 512;

/// Why a call failed. No variant contains a part of a request or of a successful response.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// There was no response: the network failed, or a time limit was reached. Another attempt may succeed.
    #[error("no response")]
    NoResponse(#[source] BoxError),
    /// The service responded with an error.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The request could not be built, or the response not be read. This is permanent.
    #[error("the request or its response is invalid")]
    Invalid(#[source] BoxError),
}

impl AwsError {
    /// A permanent error with this cause.
    pub fn invalid(cause: impl Into<BoxError>) -> Self {
        Self::Invalid(cause.into())
    }

    /// Whether another attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NoResponse(_) => true,
            Self::Service(error) => error.is_retryable(),
            Self::Invalid(_) => false,
        }
    }
}

/// An error response of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} responded {status} {}: {}", .code.as_deref().unwrap_or("without a code"), .message.as_deref().unwrap_or("no message"))]
pub struct ServiceError {
    /// The service's name, such as `SQS`.
    pub service: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The error code, such as `AccessDenied`.
    pub code: Option<String>,
    /// The message. At most 512 bytes, and `None` where it could quote signed headers.
    pub message: Option<String>,
}

impl ServiceError {
    pub(crate) fn new(
        service: &'static str,
        status: u16,
        code: Option<String>,
        message: Option<String>,
    ) -> Self {
        let quotes_headers =
            code.as_deref().is_some_and(|code| HEADER_QUOTING_CODES.contains(&code));
        Self {
            service,
            status,
            code: code.map(truncate),
            message: message.filter(|_| !quotes_headers).map(truncate),
        }
    }

    /// Whether another attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self.status, 429 | 500 | 502 | 503 | 504)
            || self.code.as_deref().is_some_and(|code| RETRYABLE_CODES.contains(&code))
    }
}

fn truncate(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES));
    text
}

#[cfg(test)]
mod tests;
