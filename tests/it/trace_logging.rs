//! Runs the process with every log setting at trace level. Unlike a release build, this build contains the debug and
//! trace lines of the libraries, some of which write whole events and secrets.

use crate::process::Process;
use crate::redaction::{ACCESS_KEY, BODY, HEADER, SECRET, TOKEN, leaked_canary};
use crate::requests::{gateway_event, sha1, sha256};
use serde_json::{Value, json};
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};

#[test]
fn trace_logging_does_not_reveal_secrets_or_requests() {
    assert_eq!(STATIC_MAX_LEVEL, LevelFilter::TRACE, "not in a release");
    let value = |secret: &str| json!({"Name": "relay", "SecretString": secret}).to_string();
    let valid = value(&json!({"labelbox": SECRET}).to_string());
    for (secret_value, statuses) in [
        (valid.clone(), [503, 401, 404, 503]),
        (value(SECRET), [503, 401, 401, 503]),
        (value(&format!(r#"{{"labelbox": "{SECRET}"#)), [503; 4]),
        (valid[..valid.len() - 1].to_owned(), [503; 4]),
    ] {
        let output = output_with_secret(secret_value, statuses);
        for status in statuses {
            assert!(output.contains(&format!("\"status\":{status},")), "{output}");
        }
        let lines = output.matches("\"status\":").count();
        assert_eq!(lines, statuses.len(), "{output}");
        assert_eq!(leaked_canary(&output), None, "{output}");
    }
}

/// Sends an event that cannot be stored, one with a wrong signature, one for an unknown webhook and an unreadable one,
/// and returns what the process writes meanwhile.
fn output_with_secret(secret_value: String, statuses: [u16; 4]) -> String {
    let headers = json!({
        "content-type": "application/json",
        "cookie": HEADER,
        "x-labelbox-event": "LABEL_CREATED",
        "x-hub-signature": sha1(SECRET, BODY.as_bytes()),
        "x-hub-signature-256": sha256(SECRET, BODY.as_bytes()),
    });
    let mut forged = headers.clone();
    forged["x-hub-signature"] = json!(format!("sha1={HEADER}"));
    forged["x-labelbox-id"] = json!(HEADER);
    forged["x-labelbox-event"] = json!(HEADER);
    let label =
        |path: &str, headers: &Value| gateway_event("POST", path, headers.clone(), Some(BODY));
    let events = [
        label("/webhooks/labelbox", &headers),
        label("/webhooks/labelbox", &forged),
        label("/webhooks/unknown", &forged),
        label("/webhooks/labelbox", &json!([HEADER, SECRET])),
    ];
    let process = Process::start(
        &[
            ("LOG_LEVEL", "trace"),
            ("RUST_LOG", "trace"),
            ("AWS_LAMBDA_LOG_LEVEL", "trace"),
            ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
            ("AWS_SESSION_TOKEN", TOKEN),
        ],
        move |request| {
            if request.get("SecretId").is_some() {
                (200, secret_value.clone())
            } else if request.get("QueueUrl").is_some() {
                let error = json!({"__type": "InvalidMessageContents", "message": "rejected"});
                (400, error.to_string())
            } else {
                let error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
                (403, error.to_owned())
            }
        },
    );
    for (event, status) in events.iter().zip(statuses) {
        let response = process.invoke(event);
        assert_eq!(response["statusCode"], status, "{response}");
    }
    process.stop()
}
