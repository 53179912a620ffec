//! What the report says at its end, and how the command ends.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

#[track_caller]
fn check(findings: Vec<Finding>, sentence: &str, exit_status: ExitStatus) {
    let title = "Part";
    let report = Report(vec![Section { title, findings }]);
    let text = anstream::adapter::strip_str(&report.to_string()).to_string();
    assert!(text.ends_with(&format!("{sentence}\n")), "{text}");
    assert_eq!(report.exit_status(), exit_status, "{text}");
}

#[test]
fn the_last_sentence_says_how_many_things_need_somebody() {
    let ok = || Finding::ok("a", "is well");
    let look = || Finding::warning("b", "is odd", "look");
    let unknown = || Finding::not_checked("c", "is not known", "ask");
    let problem = || Finding::problem("d", "is broken", "mend");
    check(vec![ok()], "All is well.", ExitStatus::Success);
    check(vec![ok(), look()], "All is well, but 1 thing is worth a look.", ExitStatus::Success);
    check(vec![look(), unknown()], "All is well, but 2 things are worth a look.", ExitStatus::Success);
    check(vec![problem()], "1 thing needs you.", ExitStatus::Incomplete);
    check(vec![problem(), look()], "1 thing needs you; 1 more worth a look.", ExitStatus::Incomplete);
    check(vec![problem(), problem()], "2 things need you.", ExitStatus::Incomplete);
}

#[test]
fn what_is_not_well_comes_with_what_mends_it() {
    let error = Error::Failed { action: "sqs:GetQueueAttributes", said: "Oh: no".to_owned() };
    let finding = Finding::of_trouble("queue", &error);
    assert_eq!(finding.status, Status::Problem);
    assert_eq!(finding.mend.as_deref(), Some("try again, and see whether the stack is whole"));
    let denied = Error::NotAllowed {
        action: "iam:SimulatePrincipalPolicy",
        said: "AccessDenied: no".to_owned(),
    };
    assert_eq!(Finding::of_trouble("rights", &denied).status, Status::NotChecked);
    let section = Section { title: "Part", findings: vec![finding] };
    let json = serde_json::to_value(Report(vec![section])).unwrap();
    assert_eq!(json.pointer("/checks/0/name").unwrap(), "queue");
    assert_eq!(
        (json.get("status").unwrap(), json.pointer("/checks/0/status").unwrap()),
        (&"problem".into(), &"problem".into())
    );
}
