//! The outcome of a request, with its status and error code.

use crate::authenticate::AuthenticationError;
use crate::deliver::{DeliveryError, DeliveryResult};
use lambda_http::http::StatusCode;

/// What a request succeeded with, or why it was refused or failed.
pub type Outcome = Result<Success, ApiError>;

/// A request that succeeded.
#[derive(Debug)]
pub enum Success {
    /// The function is up.
    Healthy,
    /// The model list, as JSON.
    Models(String),
    /// An event is durable.
    Stored(Box<DeliveryResult>),
}

/// Why a request was refused, or failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The gateway's event is malformed. The sender did nothing wrong.
    #[error("the gateway's event is malformed")]
    MalformedEvent,
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
    #[error("body is not valid base64")]
    MalformedBase64,
    /// The request is not authenticated.
    #[error(transparent)]
    Authentication(#[from] AuthenticationError),
    /// The event is not durable.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
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
            Self::NoRoute | Self::Authentication(AuthenticationError::NoEntry) => {
                (StatusCode::NOT_FOUND, "not_found")
            }
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::SourceNotAllowed => (StatusCode::FORBIDDEN, "source_not_allowed"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::MalformedBase64 => (StatusCode::BAD_REQUEST, "malformed_base64"),
            Self::Authentication(AuthenticationError::InvalidSignature(_)) => {
                (StatusCode::UNAUTHORIZED, "signature_rejected")
            }
            Self::MalformedEvent
            | Self::Authentication(
                AuthenticationError::SecretUnavailable(_) | AuthenticationError::RefreshFailed(_),
            )
            | Self::Delivery(
                DeliveryError::PayloadNotStored(_) | DeliveryError::NotDurable { .. },
            ) => (StatusCode::SERVICE_UNAVAILABLE, "try_again"),
        }
    }
}

/// The status of the response.
pub fn status(outcome: &Outcome) -> StatusCode {
    outcome.as_ref().map_or_else(ApiError::status, |_| StatusCode::OK)
}
