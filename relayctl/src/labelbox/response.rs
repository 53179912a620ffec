//! What Labelbox has answered: its errors come with status 200, too, and are told apart as Labelbox's Python SDK does it.

use super::error::LabelboxError;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<Error>,
    /// What stands in the place of data and errors where there were too many requests.
    #[serde(default)]
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

/// Reads the data out of an answer about `subject`.
pub fn read(status: u16, body: &[u8], subject: &str) -> Result<Value, LabelboxError> {
    let answer: Result<Answer, _> = serde_json::from_slice(body);
    let said = answer.as_ref().ok().and_then(Answer::said);
    let said = || said.clone().unwrap_or_else(|| format!("status {status}"));
    match status {
        401 => return Err(LabelboxError::KeyRefused),
        429 => return Err(LabelboxError::Limited(said())),
        500..=599 => return Err(LabelboxError::Failed(said())),
        _ => {}
    }
    let Ok(answer) = &answer else {
        return Err(LabelboxError::Unreadable(format!("status {status}, and no JSON")));
    };
    if let Some(error) = answer.errors.first() {
        return Err(of_error(error, subject));
    }
    match (&answer.message, status) {
        (Some(message), _) if message.starts_with("You have exceeded") => {
            Err(LabelboxError::Limited(message.clone()))
        }
        (_, 403) => Err(LabelboxError::NotAllowed(said())),
        (_, 200..=299) if !answer.data.is_null() => Ok(answer.data.clone()),
        _ => Err(LabelboxError::Unreadable(said())),
    }
}

impl Answer {
    fn said(&self) -> Option<String> {
        let error = self.errors.first().map(|error| error.message.clone());
        error.or_else(|| self.message.clone())
    }
}

/// Source: `lbox/request_client.py` of <https://pypi.org/project/lbox-clients/> 1.1.2.
fn of_error(error: &Error, subject: &str) -> LabelboxError {
    let said = error.message.clone();
    match error.extensions.code.as_str() {
        "AUTHENTICATION_ERROR" | "UNAUTHENTICATED" => LabelboxError::KeyRefused,
        "AUTHORIZATION_ERROR" | "OPERATION_NOT_ALLOWED" | "FORBIDDEN" => {
            LabelboxError::NotAllowed(said)
        }
        "RESOURCE_NOT_FOUND" => LabelboxError::NotFound(subject.to_owned()),
        "GRAPHQL_VALIDATION_FAILED"
        | "GRAPHQL_PARSE_FAILED"
        | "MALFORMED_REQUEST"
        | "RESOURCE_CONFLICT"
        | "BAD_USER_INPUT" => LabelboxError::Invalid(said),
        // Much of what is the caller's mistake is called an error of the server, with a status inside.
        "INTERNAL_SERVER_ERROR" => match error.extensions.exception.get("status") {
            Some(status) if is_callers(status) => LabelboxError::Invalid(said),
            _ => LabelboxError::Failed(said),
        },
        _ => LabelboxError::Failed(said),
    }
}

fn is_callers(status: &Value) -> bool {
    let text = status.as_str().map(str::to_owned);
    let text = text.unwrap_or_else(|| status.to_string());
    matches!(text.as_str(), "400" | "422" | "426")
}

#[cfg(test)]
mod tests;
