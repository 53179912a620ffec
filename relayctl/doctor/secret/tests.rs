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
    assert_eq!(secrets.is_some(), says != "starts like a JSON object");
    let worst = findings.iter().max_by_key(|finding| finding.status);
    let worst = worst.map(|finding| (finding.status, finding.says.clone()));
    assert!(
        worst
            .as_ref()
            .is_some_and(|(status, said)| *status == expected && said.contains(says)),
        "{text}: {worst:?}"
    );
    for finding in &findings {
        let mend = finding.mend.clone().unwrap_or_default();
        assert!(
            !finding.says.contains("secret-of") && !mend.contains("secret-of"),
            "{finding:?}"
        );
        assert_eq!(finding.status == Status::Ok, finding.mend.is_none());
    }
}

#[test]
fn a_value_is_judged_as_the_function_reads_it() {
    check(SOUND, Status::Ok, "sound");
    check(&format!("{SOUND}\n"), Status::Ok, "sound");
    check("", Status::Problem, "is empty");
    check("\n", Status::Problem, "is empty");
    check(
        &format!(" {SOUND}"),
        Status::Problem,
        "white space at its beginning or end",
    );
    check(
        &format!("{SOUND}\n\n"),
        Status::Problem,
        "white space at its beginning or end",
    );
    check(
        "two words of a-secret-of-letters",
        Status::Warning,
        "white space in it",
    );
    check("short", Status::Warning, "is weak");
    check(&format!("\"{SOUND}\""), Status::Warning, "quote");
    check("{", Status::Problem, "starts like a JSON object");
    check(
        "{\"labelbox\": 7}",
        Status::Problem,
        "starts like a JSON object",
    );
    check("{}", Status::Problem, "without a name");
}

#[test]
fn each_name_is_judged_for_itself() {
    check(
        &format!(r#"{{"labelbox": ["{SOUND}", "{SOUND}-old"]}}"#),
        Status::Ok,
        "2 are in use",
    );
    check(
        &format!(r#"{{"labelbox": "{SOUND}", "x": []}}"#),
        Status::Problem,
        "is empty",
    );
    check(
        &format!(r#"{{"labelbox": ["{SOUND}", ""]}}"#),
        Status::Warning,
        "has an empty one",
    );
    check(
        &format!(r#"{{"project-x": "{SOUND}"}}"#),
        Status::Warning,
        "WebhookUrl",
    );
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
