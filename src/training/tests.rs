//! The model list, letter by letter.

use super::*;

#[track_caller]
fn check(names: &[&str], answer: &str) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(model_list(&names), answer);
}

#[test]
fn the_names_are_the_keys_in_the_order_given() {
    check(
        &["bounding_box", "ner"],
        r#"{"bounding_box": {}, "ner": {}}"#,
    );
    check(
        &["ner", "bounding_box"],
        r#"{"ner": {}, "bounding_box": {}}"#,
    );
    check(&["ner"], r#"{"ner": {}}"#);
}

#[test]
fn no_model_is_an_empty_object() {
    check(&[], "{}");
}

#[test]
fn a_name_is_escaped_as_json_wants_it() {
    check(
        &["a \"b\"", "c\\d", "e\nf\u{1}", "caf\u{e9} \u{1f600}", "</>"],
        "{\"a \\\"b\\\"\": {}, \"c\\\\d\": {}, \"e\\nf\\u0001\": {}, \"caf\u{e9} \u{1f600}\": {}, \"</>\": {}}",
    );
}

#[test]
fn the_answer_is_json_whatever_the_names_are() {
    let names: Vec<_> = (0..=0x2fff_u32)
        .filter_map(char::from_u32)
        .map(String::from)
        .collect();
    let answer: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&model_list(&names)).unwrap_or_default();
    assert_eq!(answer.len(), names.len());
    for name in &names {
        assert_eq!(answer.get(name), Some(&serde_json::json!({})), "{name:?}");
    }
}
