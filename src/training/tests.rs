//! Tests of the JSON of the model list.

use super::*;

#[track_caller]
fn check(names: &[&str], expected: &str) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(model_list(&names), expected);
}

#[test]
fn keeps_the_order_of_the_names() {
    check(&["bounding_box", "ner"], r#"{"bounding_box": {}, "ner": {}}"#);
    check(&["ner", "bounding_box"], r#"{"ner": {}, "bounding_box": {}}"#);
    check(&["ner"], r#"{"ner": {}}"#);
}

#[test]
fn is_an_empty_object_without_models() {
    check(&[], "{}");
}

#[test]
fn escapes_names() {
    check(
        &["a \"b\"", "c\\d", "e\nf\u{1}", "caf\u{e9} \u{1f600}", "</>"],
        "{\"a \\\"b\\\"\": {}, \"c\\\\d\": {}, \"e\\nf\\u0001\": {}, \"caf\u{e9} \u{1f600}\": {}, \"</>\": {}}",
    );
}

#[test]
fn is_valid_json_for_any_name() {
    let names: Vec<_> = (0..=0x2fff_u32).filter_map(char::from_u32).map(String::from).collect();
    let list: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&model_list(&names)).unwrap_or_default();
    assert_eq!(list.len(), names.len());
    for name in &names {
        assert_eq!(list.get(name), Some(&serde_json::json!({})), "{name:?}");
    }
}
