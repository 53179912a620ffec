//! Reads Labelbox's responses. Errors come with status 200, too, and are told apart as Labelbox's Python SDK does it.

use super::error::LabelboxError;
use serde_json::Value;

/// Reads the data of a response about `subject`. Error messages are passed through `clean` first: they may quote the request.
pub fn read(
    status: u16,
    body: &[u8],
    subject: &str,
    clean: impl Fn(&str) -> String,
) -> Result<Value, LabelboxError> {
    let response: Option<Value> = serde_json::from_slice(body).ok().filter(Value::is_object);
    let field = |pointer: &str| response.as_ref().and_then(|response| response.pointer(pointer));
    let error = field("/errors/0");
    // Without data and errors if there were too many requests.
    let message = field("/errors/0/message").or(field("/message")).and_then(Value::as_str);
    let message = message.map_or_else(|| format!("status {status}"), clean);
    Err(match (status, error) {
        (401, _) => LabelboxError::KeyRefused,
        (429, _) => LabelboxError::Limited(message),
        (500..=599, _) => LabelboxError::Failed(message),
        _ if response.is_none() => LabelboxError::Unreadable(format!("{message}, and no JSON")),
        (_, Some(error)) => of_error(error, message, subject),
        _ if message.starts_with("You have exceeded") => LabelboxError::Limited(message),
        (403, _) => LabelboxError::NotAllowed(message),
        (200..=299, _) => match field("/data").filter(|data| !data.is_null()) {
            Some(data) => return Ok(data.clone()),
            None => LabelboxError::Unreadable(message),
        },
        _ => LabelboxError::Unreadable(message),
    })
}

/// Source: `lbox/request_client.py` of <https://pypi.org/project/lbox-clients/> 1.1.2.
fn of_error(error: &Value, message: String, subject: &str) -> LabelboxError {
    let code = error.pointer("/extensions/code").and_then(Value::as_str);
    match code.unwrap_or_default() {
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
        "INTERNAL_SERVER_ERROR" if is_callers(error.pointer("/extensions/exception/status")) => {
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
