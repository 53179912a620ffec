//! What is said of a secret, and that none is ever said.

use super::super::finding::Status;
use super::*;
use std::collections::HashMap;

const SOUND: &str = "a-secret-of-enough-letters";

/// The worst of what is said about a value.
#[track_caller]
fn check(text: &str, expected: Status, says: &str) {
    let stack = Stack::new("relay", HashMap::new());
    let (findings, secrets) = judge(text.to_owned(), &stack);
    let is_unusable = findings.iter().any(|it| it.says.contains("stays in use"));
    assert_eq!(secrets.is_none(), is_unusable);
    let worst = findings.iter().max_by_key(|finding| finding.status);
    let worst = worst.map(|finding| (finding.status, finding.says.clone()));
    assert!(
        worst.as_ref().is_some_and(|(status, said)| *status == expected && said.contains(says)),
        "{text}: {worst:?}"
    );
    for finding in &findings {
        let mend = finding.mend.clone().unwrap_or_default();
        assert!(!finding.says.contains("secret-of") && !mend.contains("secret-of"), "{finding:?}");
        assert_eq!(finding.status == Status::Ok, finding.mend.is_none());
    }
}

#[test]
fn a_value_is_judged_as_the_function_reads_it() {
    check(SOUND, Status::Ok, "sound");
    check(&format!("{SOUND}\n"), Status::Ok, "sound");
    check(&format!("\u{feff}{SOUND}\r\n"), Status::Ok, "sound");
    for blank in ["", "\n", "\u{feff} \n"] {
        check(blank, Status::Problem, "value is blank; the last usable");
    }
    check("two words of a-secret-of-letters", Status::Warning, "white space in it");
    check("short", Status::Warning, "is weak");
    for quoted in [format!("\"{SOUND}\""), format!("[\"{SOUND}\"]")] {
        check(&quoted, Status::Problem, "is a JSON list or a quoted JSON");
    }
    check(&format!("\"{SOUND}"), Status::Warning, "quote");
    check("{", Status::Problem, "starts like a JSON object");
    check("{\"labelbox\": 7}", Status::Problem, "starts like a JSON object");
    check("{}", Status::Problem, "without a name");
}

#[test]
fn characters_that_cannot_be_seen_are_named() {
    for (text, says) in [
        (format!(" {SOUND}"), "U+0020 (white space) at position 1"),
        (format!("{SOUND}\n\n"), "U+000A (control character) at position 27"),
        (format!("{SOUND}\u{200b}"), "U+200B (invisible) at position 27"),
        (format!("{SOUND}\u{202e}x"), "U+202E (invisible) at position 27"),
        (format!("\u{feff}\u{feff}{SOUND}"), "U+FEFF (invisible) at position 1"),
        (
            format!(r#"{{"labelbox": ["{SOUND}", "{SOUND}\u00a0"]}}"#),
            "U+00A0 (white space) at position 27",
        ),
    ] {
        check(&text, Status::Problem, says);
    }
}

#[test]
fn an_object_after_one_byte_order_mark_is_one_and_after_anything_else_is_none() {
    let object = format!(r#"{{"labelbox": "{SOUND}"}}"#);
    check(&format!("\u{feff}{object}\n"), Status::Ok, "sound");
    for (before, says) in [
        ("\u{feff}\u{feff}", "before its { it has U+FEFF (invisible) at position 1"),
        ("\u{200b}", "before its { it has U+200B (invisible) at position 1"),
        (" \u{2060}", "before its { it has U+2060 (invisible) at position 1"),
    ] {
        check(&format!("{before}{object}"), Status::Problem, says);
    }
}

#[test]
fn a_name_that_no_webhook_can_have_is_named() {
    let stack = Stack::new("labelbox-relay", HashMap::new());
    let value = serde_json::json!({"labelbox": SOUND, "training": SOUND, "backfill": SOUND, "it's": "", "x\u{200b}": SOUND});
    let (findings, _) = judge(value.to_string(), &stack);
    let problems = findings.into_iter().filter(|it| it.status == Status::Problem);
    let problems: Vec<_> = problems.map(|it| (it.name, it.says, it.mend)).collect();
    let says = "cannot be the name of a webhook: what is sent to it is answered 404";
    let remove = |name: &str| {
        let add = "give its webhook another name with relayctl secret add NAME";
        Some(format!("{add}, and then relayctl secret remove {name}"))
    };
    assert_eq!(
        problems,
        [
            ("secret backfill".to_owned(), says.to_owned(), remove("backfill")),
            (r"secret it\'s".to_owned(), says.to_owned(), remove(r"'it'\''s'")),
            (
                r"secret x\u{200b}".to_owned(),
                format!("{says}; it has U+200B (invisible) at position 2"),
                Some(mend_value(&stack)),
            ),
        ]
    );
}

#[test]
fn each_name_is_judged_for_itself() {
    check(&format!(r#"{{"labelbox": ["{SOUND}", "{SOUND}-old"]}}"#), Status::Ok, "2 are in use");
    check(&format!(r#"{{"labelbox": "{SOUND}", "x": []}}"#), Status::Problem, "is empty");
    check(&format!(r#"{{"labelbox": ["{SOUND}", ""]}}"#), Status::Warning, "has an empty one");
    check(&format!(r#"{{"project-x": "{SOUND}"}}"#), Status::Warning, "WebhookUrl");
}

#[test]
fn no_mend_takes_a_name_away() {
    let stack = Stack::new("labelbox-relay", HashMap::new());
    let value = format!(r#"{{"labelbox": ["{SOUND}", ""], "x": [" {SOUND}"]}}"#);
    let (findings, _) = judge(value, &stack);
    let mends: Vec<_> = findings.into_iter().filter_map(|it| it.mend).collect();
    assert_eq!(
        mends,
        [
            "relayctl secret remove labelbox --old",
            "relayctl secret rotate x; and when Labelbox signs with the new one: relayctl secret remove x --old",
        ]
    );
}
