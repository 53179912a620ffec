//! Which error a response is, as the SDK tells them apart.

use super::*;

fn error(code: &str, more: &str) -> String {
    format!(
        r#"{{"data":null,"errors":[{{"message":"no","extensions":{{"code":"{code}"{more}}}}}]}}"#
    )
}

#[track_caller]
fn check(status: u16, body: &str, expected: LabelboxError) {
    assert_eq!(
        read_response(status, body.as_bytes(), "webhook x", str::to_owned),
        Err(expected),
        "{status} {body}"
    );
}

#[test]
fn graphql_errors_are_told_apart_by_code() {
    let no = || "no".to_owned();
    for (code, more, fault) in [
        ("AUTHENTICATION_ERROR", "", LabelboxError::KeyRefused),
        ("AUTHORIZATION_ERROR", "", LabelboxError::NotAllowed(no())),
        ("OPERATION_NOT_ALLOWED", "", LabelboxError::NotAllowed(no())),
        ("RESOURCE_NOT_FOUND", "", LabelboxError::NotFound("webhook x".to_owned())),
        ("GRAPHQL_VALIDATION_FAILED", "", LabelboxError::Invalid(no())),
        ("GRAPHQL_PARSE_FAILED", "", LabelboxError::Invalid(no())),
        ("MALFORMED_REQUEST", "", LabelboxError::Invalid(no())),
        ("INTERNAL_SERVER_ERROR", "", LabelboxError::Failed(no())),
        ("INTERNAL_SERVER_ERROR", r#","exception":{"status":422}"#, LabelboxError::Invalid(no())),
        ("INTERNAL_SERVER_ERROR", r#","exception":{"status":"400"}"#, LabelboxError::Invalid(no())),
        ("INTERNAL_SERVER_ERROR", r#","exception":{"status":503}"#, LabelboxError::Failed(no())),
        ("SOMETHING_NEW", "", LabelboxError::Failed(no())),
    ] {
        check(200, &error(code, more), fault);
    }
}

#[test]
fn without_a_known_body_the_status_decides() {
    let exceeded = r#"{"message":"You have exceeded your limit"}"#;
    let limited = LabelboxError::Limited("You have exceeded your limit".to_owned());
    check(200, exceeded, limited);
    check(429, "slow down", LabelboxError::Limited("status 429".to_owned()));
    check(401, "", LabelboxError::KeyRefused);
    check(403, r#"{"message":"no"}"#, LabelboxError::NotAllowed("no".to_owned()));
    check(502, "<html>", LabelboxError::Failed("status 502".to_owned()));
    check(301, "", LabelboxError::Unreadable("status 301, and no JSON".to_owned()));
    check(404, "{}", LabelboxError::Unreadable("status 404".to_owned()));
    check(200, "1", LabelboxError::Unreadable("status 200, and no JSON".to_owned()));
    check(200, "{}", LabelboxError::Unreadable("status 200".to_owned()));
}

#[test]
fn returns_the_data() {
    let body = br#"{"data":{"webhook":{"id":"x"}}}"#;
    let expected = serde_json::json!({"webhook": {"id": "x"}});
    assert_eq!(read_response(200, body, "webhook x", str::to_owned), Ok(expected));
}

#[test]
fn only_retryable_errors_are_retried_and_they_leave_a_mutation_uncertain() {
    let said = String::new;
    for error in [
        LabelboxError::Limited(said()),
        LabelboxError::Failed(said()),
        LabelboxError::NoResponse(said()),
    ] {
        assert!(error.is_retryable(), "{error}");
    }
    for error in
        [LabelboxError::KeyRefused, LabelboxError::Invalid(said()), LabelboxError::NotFound(said())]
    {
        assert!(!error.is_retryable(), "{error}");
        assert_eq!(error.to_string(), error.of_mutation().to_string());
    }
    assert!(matches!(LabelboxError::Failed(said()).of_mutation(), LabelboxError::Unsure(_)));
    assert!(matches!(LabelboxError::Limited(said()).of_mutation(), LabelboxError::Limited(_)));
}

#[test]
fn messages_are_cleaned() {
    let cleaned =
        read_response(200, error("FORBIDDEN", "").as_bytes(), "webhook x", |it| format!("{it}!"));
    assert_eq!(cleaned, Err(LabelboxError::NotAllowed("no!".to_owned())));
}
