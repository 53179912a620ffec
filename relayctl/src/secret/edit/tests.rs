//! Each edit, by what is written in the end; and that what signs today is still accepted.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::cli::GlobalArgs;
use crate::error::Error;

const OBJECT: &str = r#"{"training":"t","labelbox":["new","old"],"empty":"","list":["one"]}"#;

fn read(text: &str) -> Value {
    Value::read(text.to_owned().into()).unwrap()
}

fn fresh() -> Text {
    "fresh".to_owned().into()
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|&name| name.to_owned()).collect()
}

#[track_caller]
fn check(edited: Result<Value, EditError>, expected: &str) {
    assert_eq!(*edited.unwrap().write().unwrap(), expected);
}

#[track_caller]
fn check_refused(edited: Result<Value, EditError>, expected: &str) {
    let Err(error) = edited else {
        panic!("not refused: {expected}");
    };
    let line = Error::Edit(error).line(&GlobalArgs::default());
    assert!(line.contains(expected), "{line}");
}

#[test]
fn a_name_is_added_at_the_end() {
    check(
        add(read(r#"{"b":"x","a":["y"]}"#), "project-x", fresh(), &[]),
        r#"{"b":"x","a":["y"],"project-x":"fresh"}"#,
    );
    check(add(read("{}"), "training", fresh(), &[]), r#"{"training":"fresh"}"#);
}

#[test]
fn a_name_without_a_usable_secret_gets_one_where_it_stands() {
    check(add(read(r#"{"a":["","\n"],"b":"x"}"#), "a", fresh(), &[]), r#"{"a":"fresh","b":"x"}"#);
}

#[test]
fn a_name_that_has_a_secret_is_not_added() {
    check_refused(add(read(OBJECT), "labelbox", fresh(), &[]), "secret rotate labelbox");
}

#[test]
fn what_cannot_be_the_name_of_a_webhook_is_not_added() {
    for name in ["", "Project", "project_x", "a/b", "ü", "a b", "backfill", &"a".repeat(65)] {
        check_refused(add(read(OBJECT), name, fresh(), &[]), "cannot be the name");
        check_refused(add(read("plain"), name, fresh(), &[]), "cannot be the name");
        check_refused(add(read("plain"), "a", fresh(), &names(&[name])), "cannot be the name");
    }
    assert!(check_webhook_name("project-x").is_ok());
    assert!(check_webhook_name("training").is_err());
    assert!(check_webhook_name("backfill").is_err());
}

#[test]
fn a_reserved_name_gets_no_new_secret_and_can_be_removed() {
    let value = || read(r#"{"backfill":"old","a":"x"}"#);
    check_refused(rotate(value(), Some("backfill"), fresh(), &[]), "neither training nor backfill");
    check(remove(value(), "backfill"), r#"{"a":"x"}"#);
    check(rotate(value(), Some("a"), fresh(), &[]), r#"{"backfill":"old","a":["fresh","x"]}"#);
}

#[test]
fn a_plain_text_goes_on_for_every_name_that_it_becomes() {
    check(
        add(read("plain\n"), "project-x", fresh(), &[]),
        r#"{"labelbox":"plain\n","training":"plain\n","project-x":["fresh","plain\n"]}"#,
    );
    check(
        add(read("plain"), "project-x", fresh(), &names(&["project-y", "labelbox"])),
        r#"{"labelbox":"plain","training":"plain","project-y":"plain","project-x":["fresh","plain"]}"#,
    );
    check(
        rotate(read("plain"), Some("project-x"), fresh(), &[]),
        r#"{"labelbox":"plain","training":"plain","project-x":["fresh","plain"]}"#,
    );
    check(
        rotate(read("plain"), None, fresh(), &names(&["project-y"])),
        r#"{"labelbox":["fresh","plain"],"training":["fresh","plain"],"project-y":["fresh","plain"]}"#,
    );
}

#[test]
fn the_new_secret_comes_first_and_the_usable_ones_stay() {
    for (name, expected) in [
        (
            "training",
            r#"{"training":["fresh","t"],"labelbox":["new","old"],"empty":"","list":["one"]}"#,
        ),
        (
            "labelbox",
            r#"{"training":"t","labelbox":["fresh","new","old"],"empty":"","list":["one"]}"#,
        ),
        ("empty", r#"{"training":"t","labelbox":["new","old"],"empty":"fresh","list":["one"]}"#),
        ("list", r#"{"training":"t","labelbox":["new","old"],"empty":"","list":["fresh","one"]}"#),
    ] {
        check(rotate(read(OBJECT), Some(name), fresh(), &[]), expected);
    }
}

#[test]
fn a_rotation_needs_a_name_that_there_is_and_a_secret_that_there_is_not() {
    check_refused(rotate(read(OBJECT), None, fresh(), &[]), "training, labelbox, empty, list");
    check_refused(rotate(read(OBJECT), Some("other"), fresh(), &[]), "; relayctl secret add other");
    check_refused(rotate(read("{}"), Some("other"), fresh(), &[]), "it has none");
    for text in [r#"{"a":["x","fresh\n"]}"#, "fresh\n"] {
        check_refused(rotate(read(text), Some("a"), fresh(), &[]), "has this secret already");
    }
}

#[test]
fn an_object_keeps_its_names_and_no_others() {
    let known = names(&["labelbox"]);
    assert!(add(read(OBJECT), "a", fresh(), &known).is_ok());
    let unknown = names(&["labelbox", "nobody"]);
    check_refused(add(read(OBJECT), "a", fresh(), &unknown), "--keep is for");
    check_refused(rotate(read(OBJECT), Some("labelbox"), fresh(), &unknown), "--keep is for");
}

#[test]
fn a_name_is_removed_and_nothing_else() {
    check(remove(read(OBJECT), "labelbox"), r#"{"training":"t","empty":"","list":["one"]}"#);
    check(remove(read(r#"{"a":"x"}"#), "a"), "{}");
    check(remove(read(r#"{"Odd name":"x","a":"y"}"#), "Odd name"), r#"{"a":"y"}"#);
    check_refused(remove(read(OBJECT), "other"), "has no name other");
    check_refused(remove(read("plain"), "labelbox"), "plain text");
    for edited in
        [remove(read(OBJECT), "nosuch"), remove_old(read(OBJECT), "nosuch").map(|it| it.0)]
    {
        let error = edited.err().unwrap();
        assert_eq!(error.remediation(&GlobalArgs::default()), None, "{error}");
    }
}

#[test]
fn of_a_name_only_its_newest_usable_secret_stays() {
    for (text, expected, count) in [
        (r#"{"a":["new","old","older"]}"#, r#"{"a":"new"}"#, 2),
        (r#"{"a":["","new","old"]}"#, r#"{"a":"new"}"#, 2),
        (r#"{"a":"only"}"#, r#"{"a":"only"}"#, 0),
    ] {
        let (value, removed) = remove_old(read(text), "a").unwrap();
        assert_eq!((value.write().unwrap().as_str(), removed), (expected, count));
    }
    let error = remove_old(read(r#"{"a":["",""]}"#), "a").err();
    assert_eq!(error, Some(EditError::NoUsableSecret("a".to_owned())));
}
