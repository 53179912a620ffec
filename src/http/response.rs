//! Builds the HTTP response of an outcome.

use crate::deliver::DeliveryResult;
use crate::outcome::{ApiError, Outcome, Success, status};
use lambda_http::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use lambda_http::http::{HeaderValue, Response};

/// How long a sender should wait before it tries again, in seconds: longer than a short outage.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// Builds the response.
pub(super) fn into_response(outcome: &Outcome) -> Response<String> {
    let mut response = Response::new(match outcome {
        Ok(Success::Healthy) => r#"{"status":"ok"}"#.to_owned(),
        Ok(Success::Models(models)) => models.clone(),
        Ok(Success::Stored(result)) => result_json(result),
        Err(error) => format!(r#"{{"error":"{}"}}"#, error.code()),
    });
    *response.status_mut() = status(outcome);
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
