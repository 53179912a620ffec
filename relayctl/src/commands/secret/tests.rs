//! What is said about each name, and that no value is among it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

#[test]
fn every_problem_is_named_and_no_value() {
    let text = r#"{"a":"SOUND","b":["SOUND","SOUND"],"c":"","d":[],"e":["SOUND",""],"f":" SOUND","G":"SOUND","h":"SOUND\n","i":["SOUND","SOUND\u200b"],"backfill":"SOUND","weak":"hush"}"#;
    let text = text.replace("SOUND", "hush-of-enough-letters");
    let value = Value::read(text.into()).unwrap();
    let rows: Vec<_> =
        value.entries().map(|(name, it)| Row::of(Some(name), it.texts(), false)).collect();
    let shown = format!("{}{}", table(&rows), serde_json::to_string(&rows).unwrap());
    assert!(!shown.contains("hush"), "{shown}");
    let problems: Vec<_> = rows
        .iter()
        .map(|row| {
            let problem = row.problem.as_deref().unwrap_or("-");
            let problem = problem.rsplit("secret has ").next().unwrap();
            (row.name.unwrap(), row.secrets, problem.split(' ').next().unwrap())
        })
        .collect();
    assert_eq!(
        problems,
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
