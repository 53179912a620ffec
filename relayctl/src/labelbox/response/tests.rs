//! Which fault an answer is, as the SDK tells them apart.

use super::*;

fn error(code: &str, more: &str) -> String {
    format!(
        r#"{{"data":null,"errors":[{{"message":"no","extensions":{{"code":"{code}"{more}}}}}]}}"#
    )
}

#[track_caller]
fn check(status: u16, body: &str, expected: LabelboxError) {
    assert_eq!(read(status, body.as_bytes(), "webhook x"), Err(expected), "{status} {body}");
}

#[test]
fn an_error_of_graphql_is_told_by_its_code() {
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
fn a_status_says_it_where_the_body_does_not() {
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
fn what_there_is_is_the_data() {
    let body = br#"{"data":{"webhook":{"id":"x"}}}"#;
    let expected = serde_json::json!({"webhook": {"id": "x"}});
    assert_eq!(read(200, body, "webhook x"), Ok(expected));
}

#[test]
fn only_what_passes_is_asked_again_and_a_change_is_never_certain_then() {
    let said = String::new;
    for fault in [
        LabelboxError::Limited(said()),
        LabelboxError::Failed(said()),
        LabelboxError::NoAnswer(said()),
    ] {
        assert!(fault.passes(), "{fault}");
    }
    for fault in
        [LabelboxError::KeyRefused, LabelboxError::Invalid(said()), LabelboxError::NotFound(said())]
    {
        assert!(!fault.passes(), "{fault}");
        assert_eq!(fault.to_string(), fault.of_change().to_string());
    }
    assert!(matches!(LabelboxError::Failed(said()).of_change(), LabelboxError::Unsure(_)));
    assert!(matches!(LabelboxError::Limited(said()).of_change(), LabelboxError::Limited(_)));
}
