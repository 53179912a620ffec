//! The texts that depend on a value; that all are the SDK's own is tested beside the SDK, in tests/stack.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;

#[test]
fn no_value_gets_out_of_its_quotes() {
    let odd = "a\"} b \\ \u{1} ü";
    let query = create(&[Topic::LabelCreated], odd, odd, Some(odd));
    let quoted = r#""a\"} b \\ \u0001 ü""#;
    assert_eq!(query.text.matches(quoted).count(), 3, "{}", *query.text);
    assert!(disable(odd).text.contains(quoted));
}

#[test]
fn a_question_has_its_value_beside_it() {
    let body = serde_json::to_value(webhooks(Some("id\""), 200)).unwrap();
    assert_eq!(body["variables"], serde_json::json!({"param_0": "id\""}));
    assert!(body["query"].as_str().unwrap().contains("skip: 200 first: 100"));
    assert_eq!(
        serde_json::to_value(webhooks(None, 0)).unwrap()["variables"],
        serde_json::json!({})
    );
}

#[test]
fn a_secret_that_an_answer_quotes_is_hidden_in_both_ways_to_write_it() {
    let query = create(&[], "https://url", "se\"cret", None);
    let said = query.hide(r#"Syntax Error: secret:"se\"cret" or se"cret"#);
    assert_eq!(said, r#"Syntax Error: secret:"…" or …"#);
    let body = serde_json::to_string(&query).unwrap();
    assert!(!body.contains("hidden"), "{body}");
}
