//! What is said about each name, and that no value is among it.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;

#[test]
fn every_problem_is_named_and_no_value() {
    let text = r#"{"a":"SOUND","b":["SOUND","SOUND"],"c":"","d":[],"e":["SOUND",""],"f":" SOUND","G":"SOUND","h":"SOUND\n","i":["SOUND","SOUND\u200b"],"backfill":"SOUND","weak":"hush"}"#;
    let text = text.replace("SOUND", "hush-of-enough-letters");
    let value = Value::read(text.into()).unwrap();
    let names = Names::of(&value, false);
    let (table, shown) = (names.to_string(), serde_json::to_value(&names).unwrap());
    assert!(!table.contains("hush") && !shown.to_string().contains("hush"));
    let rows = shown["names"].as_array().unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let problem = row["problem"].as_str().unwrap_or("-");
            let problem = problem.rsplit("secret has ").next().unwrap();
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
