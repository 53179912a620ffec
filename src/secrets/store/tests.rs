//! The Secrets Manager adapter at the wire: the request that goes out, and what becomes of each answer.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::config::tests::{offline, offline_aws};
use crate::error::error_chain;
use aws_lite::HttpClient;
use aws_lite::test_util::{Replay, response};
use bytes::Bytes;
use lambda_http::http::Response;
use serde_json::{Value, json};

const SECRET_ID: &str =
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:labelbox-relay-AbCdEf";
/// Stands in every value, so that a text with a part of the value shows.
const SENSITIVE: &str = "correct-horse-battery-staple";

/// Secrets Manager in `eu-central-1`, over this HTTP client.
fn store(http: impl HttpClient) -> SecretsManager {
    let config = Config { secret_id: SECRET_ID.to_owned(), ..offline() };
    SecretsManager::new(&config, &offline_aws(http))
}

async fn outcome_of(answer: Response<Bytes>) -> Result<Secrets, FetchError> {
    store(Replay::new([answer])).fetch().await
}

/// What Secrets Manager answers for a secret with this value.
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

fn refusal(status: u16, code: &str) -> Response<Bytes> {
    let body = json!({"__type": code, "Message": "a reason of the service"});
    response(status, body.to_string())
}

/// The texts of a webhook's secrets.
fn texts(secrets: &Secrets, webhook: &str) -> Option<Vec<String>> {
    let text =
        |secret: &crate::secrets::Secret| String::from_utf8(secret.as_bytes().to_vec()).unwrap();
    Some(secrets.of_webhook(webhook)?.iter().map(text).collect())
}

#[tokio::test(start_paused = true)]
async fn the_request_asks_for_the_current_value_of_the_secret() {
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
    let secrets = outcome_of(string("caf\u{e9} \"1\"\n")).await.unwrap();
    for webhook in ["labelbox", "another"] {
        assert_eq!(texts(&secrets, webhook).unwrap(), ["caf\u{e9} \"1\""]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_gives_each_webhook_its_own() {
    let object = r#"{"labelbox": "current", "project-x": ["new", "old"]}"#;
    let secrets = outcome_of(string(object)).await.unwrap();
    assert_eq!(texts(&secrets, "labelbox").unwrap(), ["current"]);
    assert_eq!(texts(&secrets, "project-x").unwrap(), ["new", "old"]);
    assert_eq!(texts(&secrets, "training"), None);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_no_secret_is_unusable() {
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
        let outcome = outcome_of(answer).await;
        assert!(matches!(outcome, Err(FetchError::Unusable(_))), "{body}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_verdict_on_the_secret_is_a_refusal_and_says_which() {
    let codes = [
        "AccessDeniedException",
        "AccessDenied",
        "DecryptionFailure",
        "InvalidRequestException",
        "ResourceNotFoundException",
    ];
    for code in codes {
        for code_on_the_wire in [code.to_owned(), format!("com.amazonaws.secretsmanager#{code}")] {
            let error = outcome_of(refusal(400, &code_on_the_wire)).await.unwrap_err();
            assert!(matches!(error, FetchError::Denied(_)), "{code}: {error:?}");
            let text = error_chain(&error);
            let says_which = text.contains(code) && text.contains("a reason of the service");
            assert!(says_which, "{code}: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_mishap_on_the_way_is_no_verdict() {
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
        let error = outcome_of(refusal(status, code)).await.unwrap_err();
        assert!(matches!(error, FetchError::Unreachable(_)), "{code}: {error:?}");
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
async fn an_answer_that_cannot_be_read_is_no_verdict() {
    for (status, body) in [
        (200, "<html>welcome</html>"),
        (200, r#"{"SecretString": "#),
        (403, "<html>a proxy says no</html>"),
        (404, ""),
        (503, ""),
        (503, "<html>unavailable</html>"),
    ] {
        let outcome = outcome_of(response(status, body)).await;
        assert!(matches!(outcome, Err(FetchError::Unreachable(_))), "{status} {body}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_connection_is_no_verdict() {
    let outcome = store(Replay::default()).fetch().await;
    assert!(matches!(outcome, Err(FetchError::Unreachable(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_no_verdict() {
    let hanging = |_| std::future::pending::<Result<_, AwsError>>();
    let error = store(hanging).fetch().await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert!(error_chain(&error).contains("deadline has elapsed"), "{}", error_chain(&error));
}

#[tokio::test(start_paused = true)]
async fn no_error_text_has_a_part_of_the_secret() {
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
        let error = outcome_of(answer).await.unwrap_err();
        for text in [error_chain(&error), format!("{error:?}")] {
            for part in SENSITIVE.split('-') {
                assert!(!text.contains(part), "{text}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_does_not_show_in_debug_output() {
    for text in [SENSITIVE.to_owned(), json!({"labelbox": SENSITIVE}).to_string()] {
        let secrets = outcome_of(string(&text)).await.unwrap();
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
        assert_eq!(unescape(&json).as_deref(), Some(string), "{json}");
        // Python escapes all that is not ASCII, as some services do.
        let escaped: String = string.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let json = format!("\"{escaped}\"");
        assert_eq!(unescape(&json).as_deref(), Some(string), "{json}");
    }
    for json in ["1", "[\"a\"]", "null", r#""\ud800""#, r#""\ud800\u0041""#, r#""\udc00""#] {
        assert_eq!(unescape(json), None, "{json}");
    }
    assert_eq!(unescape(r#""\/""#).as_deref(), Some("/"));
}
