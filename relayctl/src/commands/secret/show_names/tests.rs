//! What is said about each name, and that no value is among it.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use serde_json::json;

fn show(text: &str, with_values: bool) -> (String, serde_json::Value) {
    let value = Value::read(text.to_owned().into()).unwrap();
    let names = Names::of(&value, with_values);
    (names.to_string(), serde_json::to_value(&names).unwrap())
}

#[test]
fn every_problem_is_named_and_no_value() {
    let text = r#"{"a":"SOUND","b":["SOUND","SOUND"],"c":"","d":[],"e":["SOUND",""],"f":" SOUND","G":"SOUND","h":"SOUND\n","i":["SOUND","SOUND\u200b"],"backfill":"SOUND","weak":"hush"}"#;
    let text = text.replace("SOUND", "hush-of-enough-letters");
    let (table, shown) = show(&text, false);
    assert!(!table.contains("hush") && !shown.to_string().contains("hush"));
    let rows = shown["names"].as_array().unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let problem = row["problem"].as_str().unwrap_or("-");
            let problem = problem.rsplit(" has ").next().unwrap();
            (
                row["name"].as_str().unwrap(),
                row["secrets"].as_u64().unwrap(),
                problem.split(' ').next().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("a", 1, "-"),
            ("b", 2, "-"),
            ("c", 1, "nothing"),
            ("d", 0, "nothing"),
            ("e", 2, "one"),
            ("f", 1, "U+0020"),
            ("G", 1, "no"),
            ("h", 1, "-"),
            ("i", 2, "U+200B"),
            ("backfill", 1, "no"),
            ("weak", 1, "fewer"),
        ]
    );
}

#[test]
fn values_are_shown_to_who_asks_for_them() {
    let (table, shown) = show(r#"{"a":["new","old"]}"#, true);
    assert!(table.contains("new") && table.contains("old"));
    assert_eq!(shown["names"][0]["values"], json!(["new", "old"]));
}

#[test]
fn a_plain_text_has_no_name() {
    let (table, shown) = show("hush-of-enough-letters", false);
    assert!(table.contains("plain text") && !table.contains("hush"));
    assert_eq!(
        shown,
        json!({"form": "plain_text", "names": [{"name": null, "secrets": 1, "usable": 1, "problem": null}]})
    );
    assert!(show("{}", false).0.contains("every event is refused"));
}
