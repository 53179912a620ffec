//! Each edit, by what is written in the end; and that what signs today is still accepted.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::cli::GlobalArgs;

const OBJECT: &str =
    r#"{"training":"t","labelbox":["new","old"],"empty":["","\n"],"list":["one"]}"#;

fn read(text: &str) -> Value {
    Value::read(text.to_owned().into()).unwrap()
}

/// Gives a secret to a name, or to all of a plain text, which other names keep.
fn edit(before: &str, name: &str, is_rotation: bool, keep: &[&str]) -> Result<Value, Error> {
    let keep: Vec<_> = keep.iter().map(|&name| name.to_owned()).collect();
    let name = Some(name).filter(|name| *name != "all");
    give(read(before), name, is_rotation, "fresh".to_owned().into(), &keep)
}

#[track_caller]
fn check(edited: Result<Value, Error>, expected: &str) {
    assert_eq!(*edited.unwrap().write().unwrap(), expected);
}

#[track_caller]
fn check_refused<T>(edited: Result<T, Error>, expected: &str) {
    let Err(error) = edited else { panic!("not refused: {expected}") };
    let line = error.line(&GlobalArgs::default());
    assert!(line.contains(expected), "{line}");
}

#[test]
fn an_object_keeps_order_and_usable_secrets() {
    for (name, is_rotation, expected) in [
        (
            "a",
            false,
            r#"{"training":"t","labelbox":["new","old"],"empty":["","\n"],"list":["one"],"a":"fresh"}"#,
        ),
        (
            "empty",
            false,
            r#"{"training":"t","labelbox":["new","old"],"empty":"fresh","list":["one"]}"#,
        ),
        (
            "empty",
            true,
            r#"{"training":"t","labelbox":["new","old"],"empty":"fresh","list":["one"]}"#,
        ),
        (
            "training",
            true,
            r#"{"training":["fresh","t"],"labelbox":["new","old"],"empty":["","\n"],"list":["one"]}"#,
        ),
        (
            "labelbox",
            true,
            r#"{"training":"t","labelbox":["fresh","new","old"],"empty":["","\n"],"list":["one"]}"#,
        ),
    ] {
        check(edit(OBJECT, name, is_rotation, &["labelbox"]), expected);
    }
}

#[test]
fn a_plain_text_goes_on_for_every_name_that_it_becomes() {
    let of_x = r#"{"labelbox":"plain\n","training":"plain\n","x":["fresh","plain\n"]}"#;
    check(edit("plain\n", "x", false, &[]), of_x);
    check(edit("plain\n", "x", true, &[]), of_x);
    check(
        edit("plain", "all", true, &["y"]),
        r#"{"labelbox":["fresh","plain"],"training":["fresh","plain"],"y":["fresh","plain"]}"#,
    );
    check(
        edit("plain", "x", false, &["y", "labelbox"]),
        r#"{"labelbox":"plain","training":"plain","y":"plain","x":["fresh","plain"]}"#,
    );
}

#[test]
fn what_cannot_be_edited_is_refused() {
    for name in ["", "Project", "project_x", "a/b", "ü", "a b", "backfill", &"a".repeat(65)] {
        check_refused(edit(OBJECT, name, false, &[]), "cannot be the name");
        check_refused(edit("plain", name, true, &[]), "cannot be the name");
        check_refused(edit("plain", "a", false, &[name]), "cannot be the name");
    }
    for (before, name, is_rotation, expected) in [
        (OBJECT, "labelbox", false, "; relayctl secret rotate labelbox"),
        (OBJECT, "all", true, "training, labelbox, empty, list"),
        (OBJECT, "other", true, "; relayctl secret add other"),
        ("{}", "other", true, "it has none"),
        (r#"{"a":["x","fresh\n"]}"#, "a", true, "has this secret already"),
        ("fresh\n", "a", true, "has this secret already"),
    ] {
        check_refused(edit(before, name, is_rotation, &[]), expected);
    }
    check_refused(edit(OBJECT, "a", false, &["labelbox", "nobody"]), "--keep is for");
    check_refused(remove(read("plain"), "labelbox", false), "plain text");
    check_refused(remove(read(r#"{"a":["",""]}"#), "a", true), "no usable secret");
}

#[test]
fn a_removal_is_of_a_name_or_of_its_old_secrets() {
    for (text, only_old, expected, count) in [
        (r#"{"a":["new","old","older"],"b":"x"}"#, true, r#"{"a":"new","b":"x"}"#, 2),
        (r#"{"a":["","new","old"]}"#, true, r#"{"a":"new"}"#, 2),
        (r#"{"a":"only"}"#, true, r#"{"a":"only"}"#, 0),
        (r#"{"a":["new","old"],"backfill":"x"}"#, false, r#"{"backfill":"x"}"#, 2),
        (r#"{"a":"x"}"#, false, "{}", 1),
    ] {
        let (value, removed) = remove(read(text), "a", only_old).unwrap();
        assert_eq!((value.write().unwrap().as_str(), removed), (expected, count));
    }
}
