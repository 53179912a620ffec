//! The outcome of a request, and the status and body of its response.

use super::MalformedBase64;
use crate::authenticate::AuthenticationError;
use crate::deliver::DeliveryError;
use crate::receive::{DeliveryResult, IngestError};
use lambda_http::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use lambda_http::http::{HeaderValue, Response, StatusCode};

/// How long a sender should wait before it tries again, in seconds: longer than a short outage.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// A request that succeeded.
#[derive(Debug)]
pub enum Success {
    /// The function is up.
    Healthy,
    /// The model list, as JSON.
    Models(String),
    /// An event is durable.
    Received(Box<DeliveryResult>),
}

/// A request that was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The gateway's event cannot be read. That is no fault of the sender.
    #[error("the gateway's event cannot be read")]
    Unreadable,
    /// No route has this path.
    #[error("no such route")]
    NoRoute,
    /// The route does not allow this method.
    #[error("method not allowed")]
    MethodNotAllowed {
        /// The methods that it allows.
        allow: &'static str,
    },
    /// The source address is not in the allowlist.
    #[error("source address not allowed")]
    SourceNotAllowed,
    /// The content type of a webhook is not JSON.
    #[error("content type is not application/json")]
    UnsupportedMediaType,
    /// The body is not the base64 that the gateway says it is.
    #[error(transparent)]
    MalformedBase64(#[from] MalformedBase64),
    /// The event was not received.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

impl From<AuthenticationError> for ApiError {
    fn from(error: AuthenticationError) -> Self {
        Self::Ingest(error.into())
    }
}

impl ApiError {
    /// The error code in the response.
    pub fn code(&self) -> &'static str {
        self.status_and_code().1
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.status_and_code().0
    }

    /// Whether the fault is the relay's, so that the sender should try again.
    pub fn is_server_error(&self) -> bool {
        self.status().is_server_error()
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoRoute
            | Self::Ingest(IngestError::Authentication(AuthenticationError::UnknownWebhook)) => {
                (StatusCode::NOT_FOUND, "not_found")
            }
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::SourceNotAllowed => (StatusCode::FORBIDDEN, "source_not_allowed"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::MalformedBase64(_) => (StatusCode::BAD_REQUEST, "malformed_base64"),
            Self::Ingest(IngestError::Authentication(AuthenticationError::InvalidSignature(_))) => {
                (StatusCode::UNAUTHORIZED, "signature_rejected")
            }
            Self::Unreadable
            | Self::Ingest(
                IngestError::Authentication(
                    AuthenticationError::SecretUnavailable(_)
                    | AuthenticationError::RefreshFailed(_),
                )
                | IngestError::Delivery(
                    DeliveryError::PayloadNotStored(_) | DeliveryError::NotDurable { .. },
                ),
            ) => (StatusCode::SERVICE_UNAVAILABLE, "try_again"),
        }
    }
}

/// Builds the response. Labelbox may send again what gets a 503, and nothing else.
pub(super) fn into_response(outcome: &Result<Success, ApiError>) -> Response<String> {
    let (status, body) = match outcome {
        Ok(Success::Healthy) => (StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
        Ok(Success::Models(models)) => (StatusCode::OK, models.clone()),
        Ok(Success::Received(result)) => (StatusCode::OK, result_json(result)),
        Err(error) => {
            let (status, code) = error.status_and_code();
            (status, format!(r#"{{"error":"{code}"}}"#))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match outcome {
        Err(ApiError::MethodNotAllowed { allow }) => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        Err(error) if error.is_server_error() => {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        _ => {}
    }
    response
}

fn result_json(result: &DeliveryResult) -> String {
    let (status, entity) = (result.status(), result.message.entity.name());
    // Only the id comes from outside, and needs escapes.
    let message_id = serde_json::Value::from(result.message_id());
    format!(r#"{{"status":"{status}","entity":"{entity}","message_id":{message_id}}}"#)
}
