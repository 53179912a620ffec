//! Reads Labelbox's responses. Errors come with status 200, too, and are told apart as Labelbox's Python SDK does it.

use super::error::LabelboxError;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<Error>,
    /// In place of data and errors if there were too many requests.
    message: Option<String>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(default)]
    message: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Deserialize, Default)]
struct Extensions {
    #[serde(default)]
    code: String,
    #[serde(default)]
    exception: Value,
}

/// Reads the data of a response about `subject`. Error messages are passed through `clean` first: they may quote the request.
pub fn read(
    status: u16,
    body: &[u8],
    subject: &str,
    clean: impl Fn(&str) -> String,
) -> Result<Value, LabelboxError> {
    let response = serde_json::from_slice::<Response>(body);
    let Response { data, errors, message: limit } = match &response {
        Ok(response) => response,
        Err(_) => &Response { data: Value::Null, errors: Vec::new(), message: None },
    };
    let error = errors.first();
    let message = match error.map(|it| &it.message).or(limit.as_ref()) {
        Some(message) => clean(message),
        None => format!("status {status}"),
    };
    Err(match (status, error) {
        (401, _) => LabelboxError::KeyRefused,
        (429, _) => LabelboxError::Limited(message),
        (500..=599, _) => LabelboxError::Failed(message),
        _ if response.is_err() => LabelboxError::Unreadable(format!("{message}, and no JSON")),
        (_, Some(error)) => of_error(error, message, subject),
        _ if message.starts_with("You have exceeded") => LabelboxError::Limited(message),
        (403, _) => LabelboxError::NotAllowed(message),
        (200..=299, _) if !data.is_null() => return Ok(data.clone()),
        _ => LabelboxError::Unreadable(message),
    })
}

/// Source: `lbox/request_client.py` of <https://pypi.org/project/lbox-clients/> 1.1.2.
fn of_error(error: &Error, message: String, subject: &str) -> LabelboxError {
    match error.extensions.code.as_str() {
        "AUTHENTICATION_ERROR" | "UNAUTHENTICATED" => LabelboxError::KeyRefused,
        "AUTHORIZATION_ERROR" | "OPERATION_NOT_ALLOWED" | "FORBIDDEN" => {
            LabelboxError::NotAllowed(message)
        }
        "RESOURCE_NOT_FOUND" => LabelboxError::NotFound(subject.to_owned()),
        "GRAPHQL_VALIDATION_FAILED"
        | "GRAPHQL_PARSE_FAILED"
        | "MALFORMED_REQUEST"
        | "RESOURCE_CONFLICT"
        | "BAD_USER_INPUT" => LabelboxError::Invalid(message),
        // Labelbox calls many errors of the caller an error of the server, with a status inside.
        "INTERNAL_SERVER_ERROR" if is_callers(error.extensions.exception.get("status")) => {
            LabelboxError::Invalid(message)
        }
        _ => LabelboxError::Failed(message),
    }
}

fn is_callers(status: Option<&Value>) -> bool {
    let text = status.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
    matches!(text.as_deref(), Some("400" | "422" | "426"))
}

#[cfg(test)]
mod tests;
