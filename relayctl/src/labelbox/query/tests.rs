//! The texts that depend on a value; that all are the SDK's own is tested beside the SDK, in tests/stack.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;

#[test]
fn values_stay_in_their_quotes() {
    let odd = "a\"} b \\ \u{1} ü";
    let query = create(&["LABEL_CREATED".to_owned()], odd, odd, Some(odd));
    let quoted = r#""a\"} b \\ \u0001 ü""#;
    assert_eq!(query.text.matches(quoted).count(), 3, "{}", *query.text);
    assert!(disable(odd).text.contains(quoted));
}

#[test]
fn a_query_has_its_value_in_a_variable() {
    let body = serde_json::to_value(webhooks(Some("id\""), 200)).unwrap();
    assert_eq!(body["variables"], serde_json::json!({"param_0": "id\""}));
    assert!(body["query"].as_str().unwrap().contains("skip: 200 first: 100"));
    assert_eq!(
        serde_json::to_value(webhooks(None, 0)).unwrap()["variables"],
        serde_json::json!({})
    );
}

#[test]
fn hides_a_secret_that_a_response_quotes_raw_or_escaped() {
    let query = create(&[], "https://url", "se\"cret", None);
    let shown = query.hide(r#"Syntax Error: secret:"se\"cret" or se"cret"#);
    assert_eq!(shown, r#"Syntax Error: secret:"…" or …"#);
    let body = serde_json::to_string(&query).unwrap();
    assert!(!body.contains("hidden"), "{body}");
}
