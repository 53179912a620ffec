//! The two forms of the secret's string, and what becomes of typing mistakes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn texts(secrets: Option<&[Secret]>) -> Option<Vec<String>> {
    let text = |secret: &Secret| String::from_utf8(secret.as_bytes().to_vec()).unwrap();
    secrets.map(|secrets| secrets.iter().map(text).collect())
}

/// The texts of a webhook's secrets.
fn of(value: &str, webhook: &str) -> Option<Vec<String>> {
    texts(
        Secrets::parse(value.to_owned())
            .unwrap()
            .of_webhook(webhook),
    )
}

/// The texts of the training routes' secrets.
fn of_training(value: &str) -> Option<Vec<String>> {
    texts(Secrets::parse(value.to_owned()).unwrap().of_training())
}

#[test]
fn plain_text_is_the_secret_of_every_route() {
    for plain in [
        "current",
        "12345",
        "\"half quoted",
        "[bracket",
        "with spaces",
        " a ",
        "ключ",
        "zero width\u{200b}",
    ] {
        assert_eq!(of(plain, "labelbox").unwrap(), [plain]);
        assert_eq!(of_training(plain).unwrap(), [plain]);
    }
}

#[test]
fn an_object_gives_each_webhook_its_own() {
    let value = r#" {"labelbox": "current", "project-x": ["new", "old"], "training": "another", "none": []}"#;
    assert_eq!(of(value, "labelbox").unwrap(), ["current"]);
    assert_eq!(of(value, "project-x").unwrap(), ["new", "old"]);
    assert_eq!(of_training(value).unwrap(), ["another"]);
    assert_eq!(of(value, "training"), None, "no webhook");
    assert_eq!(of(value, "none").unwrap(), [""; 0]);
    assert_eq!(of(value, "stranger"), None);
    assert_eq!(of("{}", "labelbox"), None);
    assert_eq!(of_training("{}"), None);
}

#[test]
fn reads_an_object_after_a_byte_order_mark() {
    let value = "\u{feff}{\"labelbox\": \"\u{feff}current\"}";
    assert_eq!(of(value, "labelbox").unwrap(), ["current"]);
    assert_eq!(of(value, "other"), None);
}

#[test]
fn a_value_that_cannot_be_meant_as_a_secret_is_none() {
    for (value, error) in [
        ("", InvalidSecret::Blank),
        (" \t\r\n", InvalidSecret::Blank),
        ("\u{feff}", InvalidSecret::Blank),
        ("\u{feff}\n", InvalidSecret::Blank),
        ("\u{a0}\u{2003}", InvalidSecret::Blank),
        ("\u{feff}\u{200b} \u{2060}", InvalidSecret::Blank),
        ("\u{200b}\"quoted\"", InvalidSecret::NotAnObject),
        (
            "\u{feff}\u{feff}{\"labelbox\": \"a\"}",
            InvalidSecret::MalformedObject { line: 1, column: 1 },
        ),
        (
            "\u{200b}{\"labelbox\": \"a\"}",
            InvalidSecret::MalformedObject { line: 1, column: 1 },
        ),
        (r#""quoted""#, InvalidSecret::NotAnObject),
        ("\u{feff}\"quoted\"\n", InvalidSecret::NotAnObject),
        (r#"["a", "list"]"#, InvalidSecret::NotAnObject),
        (" []", InvalidSecret::NotAnObject),
    ] {
        let found = Secrets::parse(value.to_owned()).unwrap_err();
        assert_eq!(found, error, "{value:?}");
    }
}

#[test]
fn a_byte_order_mark_and_a_newline_are_not_part_of_a_secret() {
    for (written, meant) in [
        ("\u{feff}a", "a"),
        ("\u{feff}a\n", "a"),
        ("\u{feff}\u{feff}a", "\u{feff}a"),
        ("a\u{feff}", "a\u{feff}"),
        ("a\n", "a"),
        ("a\r\n", "a"),
        ("a\n\n", "a\n"),
        ("\na", "\na"),
        ("a ", "a "),
        ("\n", ""),
        ("\u{feff}", ""),
    ] {
        if !meant.is_empty() {
            assert_eq!(of(written, "labelbox").unwrap(), [meant], "{written:?}");
        }
        let object = serde_json::json!({"labelbox": [written]}).to_string();
        assert_eq!(of(&object, "labelbox").unwrap(), [meant], "{written:?}");
    }
}

#[test]
fn a_secret_of_nothing_is_empty() {
    assert!(Secret::new(String::new()).is_empty());
    assert!(Secret::new("\n".to_owned()).is_empty());
    assert!(!Secret::new(" ".to_owned()).is_empty());
}

#[test]
fn a_broken_object_is_no_secret_and_is_not_quoted() {
    for broken in [
        r#"{"labelbox": "hunter2""#,
        r#"{"labelbox": hunter2}"#,
        r#"{"labelbox": {"hunter2": "hunter2"}}"#,
        r#"{"labelbox": ["hunter2", 5]}"#,
        r#"{"labelbox": null, "other": "hunter2"}"#,
        "{hunter2",
    ] {
        let error = Secrets::parse(broken.to_owned()).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{broken}: {error}"
        );
    }
}

#[test]
fn debug_shows_nothing_of_a_secret() {
    let secrets = Secrets::parse(r#"{"labelbox": ["hunter2"]}"#.to_owned()).unwrap();
    assert!(!format!("{secrets:?}").contains("hunter2"), "{secrets:?}");
    let secrets = Secrets::parse("hunter2".to_owned()).unwrap();
    assert_eq!(format!("{secrets:?}"), "Shared([Secret(…)])");
}

#[test]
fn a_secret_is_zeroed_on_drop() {
    fn is_zeroed_on_drop<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let Secret(text) = Secret::new("hunter2".to_owned());
    is_zeroed_on_drop(&text);
}
