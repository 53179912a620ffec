//! What a request comes to, and the status and body that say so.

use super::MalformedBase64;
use crate::error::IngestError;
use crate::receive::DeliveryResult;
use lambda_http::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use lambda_http::http::{HeaderName, HeaderValue, Response, StatusCode};

/// What a sender should wait before it tries again, in seconds: long enough for a short outage to be over.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// A request that got what it asked for.
#[derive(Debug)]
pub enum Success {
    /// The relay is up.
    Healthy,
    /// The model list, as JSON.
    Models(String),
    /// An event is durable.
    Received(Box<DeliveryResult>),
}

/// A request that did not.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The gateway's event cannot be read. That is a fault between the gateway and us, not the sender's.
    #[error("the gateway's event is unreadable")]
    Unreadable,
    /// No such path.
    #[error("no such route")]
    NoRoute,
    /// The path has another method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// The only method that the path takes.
        allow: &'static str,
    },
    /// The source address is not in the list.
    #[error("source address not allowed")]
    SourceNotAllowed,
    /// A webhook that is not JSON.
    #[error("content type is not application/json")]
    UnsupportedMediaType,
    /// The gateway said base64, and it is not.
    #[error(transparent)]
    MalformedBase64(#[from] MalformedBase64),
    /// The relay itself said no.
    #[error(transparent)]
    Failed(#[from] IngestError),
}

impl ApiError {
    /// The word that the answer has for it.
    pub fn code(&self) -> &'static str {
        self.status_and_code().1
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status_and_code().0
    }

    /// Whether the fault is ours, so that the sender should try again.
    pub fn is_server_error(&self) -> bool {
        self.status().is_server_error()
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoRoute | Self::Failed(IngestError::UnknownWebhook) => {
                (StatusCode::NOT_FOUND, "not_found")
            }
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::SourceNotAllowed => (StatusCode::FORBIDDEN, "source_not_allowed"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::MalformedBase64(_) => (StatusCode::BAD_REQUEST, "malformed_base64"),
            Self::Failed(IngestError::InvalidSignature(_)) => {
                (StatusCode::UNAUTHORIZED, "signature_rejected")
            }
            Self::Unreadable
            | Self::Failed(
                IngestError::SecretUnavailable(_)
                | IngestError::NoNewerSecret(_)
                | IngestError::PayloadNotStored(_)
                | IngestError::DeliveryFailed { .. },
            ) => (StatusCode::SERVICE_UNAVAILABLE, "try_again"),
        }
    }
}

/// What to answer, and so whether the sender should try again: for every 503 it should, for nothing else.
pub(super) fn into_response(outcome: &Result<Success, ApiError>) -> Response<String> {
    let refusal = match outcome {
        Ok(Success::Healthy) => return json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
        Ok(Success::Models(models)) => return json(StatusCode::OK, models.clone()),
        Ok(Success::Received(receipt)) => return json(StatusCode::OK, receipt_json(receipt)),
        Err(refusal) => refusal,
    };
    let (status, code) = refusal.status_and_code();
    let answer = json(status, format!(r#"{{"error":"{code}"}}"#));
    match refusal {
        ApiError::MethodNotAllowed { allow } => {
            with_header(answer, ALLOW, HeaderValue::from_static(allow))
        }
        ours if ours.is_server_error() => with_header(answer, RETRY_AFTER, RETRY_AFTER_SECONDS),
        _ => answer,
    }
}

fn receipt_json(receipt: &DeliveryResult) -> String {
    let (status, entity) = (receipt.status(), receipt.message.entity.name());
    // Only the id comes from outside; as a JSON value it cannot break out of its quotes.
    let message_id = serde_json::Value::from(receipt.message_id());
    format!(r#"{{"status":"{status}","entity":"{entity}","message_id":{message_id}}}"#)
}

fn json(status: StatusCode, body: String) -> Response<String> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let answer = with_header(
        answer,
        CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    with_header(answer, CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn with_header(
    mut answer: Response<String>,
    name: HeaderName,
    value: HeaderValue,
) -> Response<String> {
    answer.headers_mut().insert(name, value);
    answer
}
