//! What is read, what is written of it, and that no edit touches what it is not about.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::cli::GlobalArgs;

fn read(text: &str) -> Value {
    Value::read(text.to_owned().into()).unwrap()
}

#[test]
fn order_and_form_stay_as_somebody_wrote_them() {
    let text =
        r#"{"z":"one","a":["one"],"odd name":["new","old"],"empty":"","none":[],"ü":"\"\\\u0001"}"#;
    assert_eq!(*read(text).write().unwrap(), text);
    assert_eq!(*read("plain text\n").write().unwrap(), "plain text\n");
}

#[test]
fn an_object_is_edited_as_one_whatever_stands_around_it() {
    for text in ["\u{feff}{\"a\":\"x\"}\n", " \u{a0}{\"a\":\"x\"}\u{a0}"] {
        assert_eq!(*read(text).write().unwrap(), r#"{"a":"x"}"#);
    }
}

#[test]
fn of_two_members_with_one_name_the_later_counts_as_to_the_function() {
    let value = read(r#"{"a":"first","b":"x","a":"second"}"#);
    assert_eq!(*value.write().unwrap(), r#"{"a":"second","b":"x"}"#);
}

#[test]
fn what_the_function_cannot_use_is_not_edited() {
    for text in [
        "{",
        "{\"a\":1}",
        "{\"a\":null}",
        "{\"a\":[\"x\",1]}",
        " {a}",
        "\u{feff}{",
        "\n",
        "\u{feff}",
        "[\"x\"]",
        "\"x\"",
    ] {
        let Err(error) = Value::read(text.to_owned().into()) else {
            panic!("{text} was read");
        };
        let remediation = error.remediation(&GlobalArgs::default());
        assert!(remediation.unwrap().contains("--replace-broken"), "{error}");
    }
}

#[test]
fn the_newest_is_the_first_that_can_be_used() {
    let value = read(r#"{"a":["","\n","new","old"],"b":"","training":"t"}"#);
    assert_eq!(value.newest("a").unwrap().as_str(), "new");
    assert_eq!(value.newest("training").unwrap().as_str(), "t");
    assert!(value.newest("b").is_none() && value.newest("c").is_none());
    assert_eq!(read("plain").newest("any").unwrap().as_str(), "plain");
}

#[test]
fn a_newline_at_the_end_is_not_what_labelbox_signs_with() {
    assert_eq!(*bare("secret\r\n"), "secret");
    assert_eq!(*bare("secret\n\n"), "secret\n");
}
