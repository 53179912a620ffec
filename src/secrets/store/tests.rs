//! The Secrets Manager client: its requests on the wire, and how it handles each response.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::config::tests::{offline, offline_aws};
use crate::error::error_chain;
use crate::secrets::SecretScope;
use aws_lite::HttpClient;
use aws_lite::test_util::{Replay, response};
use bytes::Bytes;
use lambda_http::http::Response;
use serde_json::{Value, json};

const SECRET_ID: &str =
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:labelbox-relay-AbCdEf";
/// Part of every value, so that a text that quotes the value is found.
const SENSITIVE: &str = "correct-horse-battery-staple";

/// Secrets Manager in `eu-central-1`, over this HTTP client.
fn store(http: impl HttpClient) -> SecretsManager {
    let config = Config { secret_id: SECRET_ID.to_owned(), ..offline() };
    SecretsManager::new(&config, &offline_aws(http))
}

async fn fetch_with(answer: Response<Bytes>) -> Result<Secrets, FetchError> {
    store(Replay::new([answer])).fetch().await
}

/// The response of Secrets Manager for a secret with this value.
fn value(fields: &Value) -> Response<Bytes> {
    let mut body = json!({
        "ARN": SECRET_ID,
        "Name": "labelbox-relay",
        "VersionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111",
        "VersionStages": ["AWSCURRENT"],
        "CreatedDate": 1_523_477_145.713,
    });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    response(200, body.to_string())
}

fn string(text: &str) -> Response<Bytes> {
    value(&json!({ "SecretString": text }))
}

fn error_response(status: u16, code: &str) -> Response<Bytes> {
    let body = json!({"__type": code, "Message": "a reason of the service"});
    response(status, body.to_string())
}

/// The texts of a webhook's secrets.
fn texts(secrets: &Secrets, webhook: &str) -> Option<Vec<String>> {
    let text =
        |secret: &crate::secrets::Secret| String::from_utf8(secret.as_bytes().to_vec()).unwrap();
    Some(secrets.get(SecretScope::Webhook(webhook))?.iter().map(text).collect())
}

#[tokio::test(start_paused = true)]
async fn requests_the_current_value_of_the_secret() {
    let replay = Replay::new([string(SENSITIVE)]);
    store(replay.clone()).fetch().await.unwrap();
    let [request] = replay.requests().try_into().unwrap();
    let header = |name| request.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(*request.uri(), "https://secretsmanager.eu-central-1.amazonaws.com/");
    assert_eq!(header("x-amz-target"), "secretsmanager.GetSecretValue");
    assert!(header("authorization").starts_with("AWS4-HMAC-SHA256 "));
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(body, json!({ "SecretId": SECRET_ID }));
}

#[tokio::test(start_paused = true)]
async fn plain_text_is_the_secret_of_every_route() {
    let secrets = fetch_with(string("caf\u{e9} \"1\"\n")).await.unwrap();
    for webhook in ["labelbox", "another"] {
        assert_eq!(texts(&secrets, webhook).unwrap(), ["caf\u{e9} \"1\""]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_has_a_secret_for_each_webhook() {
    let object = r#"{"labelbox": "current", "project-x": ["new", "old"]}"#;
    let secrets = fetch_with(string(object)).await.unwrap();
    assert_eq!(texts(&secrets, "labelbox").unwrap(), ["current"]);
    assert_eq!(texts(&secrets, "project-x").unwrap(), ["new", "old"]);
    assert_eq!(texts(&secrets, "training"), None);
}

#[tokio::test(start_paused = true)]
async fn rejects_a_value_that_is_no_secret() {
    let cases = [
        value(&json!({"SecretBinary": "aHVudGVyMg=="})),
        value(&json!({"SecretString": null})),
        value(&json!({})),
        string(r#"{"labelbox": "#),
        string(r#"{"labelbox": 1}"#),
        string(r#"{"labelbox": "a",}"#),
        string(r#"{"labelbox": {"current": "a"}}"#),
        string(r#"{"labelbox": "a"} trailing"#),
        string(" "),
        string(r#"["a"]"#),
        string(r#""a""#),
    ];
    for answer in cases {
        let body = format!("{:?}", answer.body());
        let outcome = fetch_with(answer).await;
        assert!(matches!(outcome, Err(FetchError::Unusable(_))), "{body}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reports_denied_access_with_its_error_code() {
    let codes = [
        "AccessDeniedException",
        "AccessDenied",
        "DecryptionFailure",
        "InvalidRequestException",
        "ResourceNotFoundException",
    ];
    for code in codes {
        for code_on_the_wire in [code.to_owned(), format!("com.amazonaws.secretsmanager#{code}")] {
            let error = fetch_with(error_response(400, &code_on_the_wire)).await.unwrap_err();
            assert!(matches!(error, FetchError::Denied(_)), "{code}: {error:?}");
            let text = error_chain(&error);
            let says_which = text.contains(code) && text.contains("a reason of the service");
            assert!(says_which, "{code}: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn reports_other_errors_as_unreachable() {
    let cases = [
        (500, "InternalServiceError"),
        (400, "ThrottlingException"),
        (400, "ExpiredTokenException"),
        (400, "UnrecognizedClientException"),
        (400, "InvalidSignatureException"),
        (400, "RequestExpired"),
        (503, "ServiceUnavailable"),
        (400, "SomethingNew"),
    ];
    for (status, code) in cases {
        let error = fetch_with(error_response(status, code)).await.unwrap_err();
        assert!(matches!(error, FetchError::Unavailable(_)), "{code}: {error:?}");
        let text = error_chain(&error);
        // This code's message can quote signed headers.
        let reason = if code == "InvalidSignatureException" {
            "no message"
        } else {
            "a reason of the service"
        };
        let says_which = text.contains(code) && text.contains(reason);
        assert!(says_which, "{code}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn reports_an_unreadable_response_as_unreachable() {
    for (status, body) in [
        (200, "<html>welcome</html>"),
        (200, r#"{"SecretString": "#),
        (403, "<html>a proxy says no</html>"),
        (404, ""),
        (503, ""),
        (503, "<html>unavailable</html>"),
    ] {
        let outcome = fetch_with(response(status, body)).await;
        assert!(matches!(outcome, Err(FetchError::Unavailable(_))), "{status} {body}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn reports_a_failed_connection_as_unreachable() {
    let outcome = store(Replay::default()).fetch().await;
    assert!(matches!(outcome, Err(FetchError::Unavailable(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn reports_a_store_that_does_not_respond_as_unreachable() {
    let hanging = |_| std::future::pending::<Result<_, AwsError>>();
    let error = store(hanging).fetch().await.unwrap_err();
    assert!(matches!(error, FetchError::Unavailable(_)), "{error:?}");
    assert!(error_chain(&error).contains("deadline has elapsed"), "{}", error_chain(&error));
}

#[tokio::test(start_paused = true)]
async fn no_error_quotes_the_secret() {
    let cases = [
        string(&format!(r#"{{"labelbox": "{SENSITIVE}""#)),
        string(&format!(r#"{{"{SENSITIVE}": 1}}"#)),
        string(&format!(r#"{{"labelbox": ["{SENSITIVE}", 1]}}"#)),
        string(&format!(r#"{{"labelbox": "{SENSITIVE}"}} {SENSITIVE}"#)),
        string(&format!("{{{SENSITIVE}")),
        value(&json!({ "SecretBinary": SENSITIVE })),
        // Answers of the service that are cut off, or not what its documentation says.
        response(200, format!(r#"{{"SecretString": "{SENSITIVE}"#)),
        response(200, format!(r#"{{"SecretString": {SENSITIVE}}}"#)),
        response(200, format!(r#"{{"SecretString": ["{SENSITIVE}"]}}"#)),
        response(200, format!(r#"{{"SecretString": "\q{SENSITIVE}"}}"#)),
        response(500, format!(r#"{{"SecretString": "{SENSITIVE}"}}"#)),
    ];
    for answer in cases {
        let error = fetch_with(answer).await.unwrap_err();
        for text in [error_chain(&error), format!("{error:?}")] {
            for part in SENSITIVE.split('-') {
                assert!(!text.contains(part), "{text}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn fetched_secrets_have_no_debug_output() {
    for text in [SENSITIVE.to_owned(), json!({"labelbox": SENSITIVE}).to_string()] {
        let secrets = fetch_with(string(&text)).await.unwrap();
        assert!(!format!("{secrets:?}").contains(SENSITIVE));
    }
}

#[test]
fn unescapes_every_json_string() {
    for string in [
        "",
        "plain",
        "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{80}\u{2028}\u{fffd}\u{10ffff}",
        "\\u0041 \\\\ \\\" {\"a\": [\"b\"]}",
    ] {
        let json = serde_json::to_string(string).unwrap();
        assert_eq!(unescape(&json).as_deref().map(String::as_str), Some(string), "{json}");
        // Python escapes all that is not ASCII, as some services do.
        let escaped: String = string.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let json = format!("\"{escaped}\"");
        assert_eq!(unescape(&json).as_deref().map(String::as_str), Some(string), "{json}");
    }
    for json in ["1", "[\"a\"]", "null", r#""\ud800""#, r#""\ud800\u0041""#, r#""\udc00""#] {
        assert_eq!(unescape(json), None, "{json}");
    }
    assert_eq!(unescape(r#""\/""#).as_deref().map(String::as_str), Some("/"));
}
