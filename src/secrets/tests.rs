//! Tests of parsing the secret value, and of redaction.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn texts(secrets: Option<&[Secret]>) -> Option<Vec<String>> {
    let text = |secret: &Secret| String::from_utf8(secret.as_bytes().to_vec()).unwrap();
    secrets.map(|secrets| secrets.iter().map(text).collect())
}

/// The secrets of a webhook.
fn of_webhook(value: &str, webhook: &str) -> Option<Vec<String>> {
    texts(Secrets::parse(value.to_owned()).unwrap().get(SecretScope::Webhook(webhook)))
}

/// The secrets of the training routes.
fn of_training(value: &str) -> Option<Vec<String>> {
    texts(Secrets::parse(value.to_owned()).unwrap().get(SecretScope::Training))
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
        assert_eq!(of_webhook(plain, "labelbox").unwrap(), [plain]);
        assert_eq!(of_training(plain).unwrap(), [plain]);
    }
}

#[test]
fn object_has_secrets_of_each_webhook() {
    let value = r#" {"labelbox": "current", "project-x": ["new", "old"], "training": "another", "empty-list": []}"#;
    assert_eq!(of_webhook(value, "labelbox").unwrap(), ["current"]);
    assert_eq!(of_webhook(value, "project-x").unwrap(), ["new", "old"]);
    assert_eq!(of_training(value).unwrap(), ["another"]);
    assert_eq!(of_webhook(value, "training"), None, "reserved name");
    assert_eq!(of_webhook(value, "empty-list").unwrap(), [""; 0]);
    assert_eq!(of_webhook(value, "unknown"), None);
    assert_eq!(of_webhook("{}", "labelbox"), None);
    assert_eq!(of_training("{}"), None);
}

#[test]
fn reads_an_object_after_a_byte_order_mark() {
    let value = "\u{feff}{\"labelbox\": \"\u{feff}current\"}";
    assert_eq!(of_webhook(value, "labelbox").unwrap(), ["current"]);
    assert_eq!(of_webhook(value, "other"), None);
}

#[test]
fn rejects_values_that_are_not_a_secret() {
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
        ("\u{200b}{\"labelbox\": \"a\"}", InvalidSecret::MalformedObject { line: 1, column: 1 }),
        (r#""quoted""#, InvalidSecret::NotAnObject),
        ("\u{feff}\"quoted\"\n", InvalidSecret::NotAnObject),
        (r#"["a", "list"]"#, InvalidSecret::NotAnObject),
        (" []", InvalidSecret::NotAnObject),
    ] {
        let actual = Secrets::parse(value.to_owned()).unwrap_err();
        assert_eq!(actual, error, "{value:?}");
    }
}

#[test]
fn strips_byte_order_mark_and_trailing_newline() {
    for (value, secret) in [
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
        if !secret.is_empty() {
            assert_eq!(of_webhook(value, "labelbox").unwrap(), [secret], "{value:?}");
        }
        let object = serde_json::json!({"labelbox": [value]}).to_string();
        assert_eq!(of_webhook(&object, "labelbox").unwrap(), [secret], "{value:?}");
    }
}

#[test]
fn blank_line_is_an_empty_secret() {
    assert!(Secret::new(String::new()).is_empty());
    assert!(Secret::new("\n".to_owned()).is_empty());
    assert!(!Secret::new(" ".to_owned()).is_empty());
}

#[test]
fn error_does_not_quote_a_malformed_object() {
    for malformed in [
        r#"{"labelbox": "hunter2""#,
        r#"{"labelbox": hunter2}"#,
        r#"{"labelbox": {"hunter2": "hunter2"}}"#,
        r#"{"labelbox": ["hunter2", 5]}"#,
        r#"{"labelbox": null, "other": "hunter2"}"#,
        "{hunter2",
    ] {
        let error = Secrets::parse(malformed.to_owned()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{malformed}: {error}");
    }
}

#[test]
fn debug_does_not_print_a_secret() {
    let secrets = Secrets::parse(r#"{"labelbox": ["hunter2"]}"#.to_owned()).unwrap();
    assert!(!format!("{secrets:?}").contains("hunter2"), "{secrets:?}");
    let secrets = Secrets::parse("hunter2".to_owned()).unwrap();
    assert_eq!(format!("{secrets:?}"), "Shared(Secret(…))");
}

#[test]
fn secret_is_zeroed_on_drop() {
    fn is_zeroed_on_drop<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let Secret(text) = Secret::new("hunter2".to_owned());
    is_zeroed_on_drop(&text);
}
