//! What is said of a probe.

use super::super::finding::Status;
use super::*;
use crate::signed::Said;

fn answer(http_status: Option<u16>) -> Answer {
    Answer {
        http_status,
        said: Said {
            message_id: Some("id".to_owned()),
            ..Said::default()
        },
        duration_ms: 7.5,
    }
}

#[track_caller]
fn check(search: Result<Search, Trouble>, expected: &[(Status, &str)]) {
    let findings = judge_search(&Stack::default(), &answer(Some(200)), search);
    assert_eq!(findings.len(), expected.len(), "{findings:?}");
    for (finding, (status, says)) in findings.iter().zip(expected) {
        assert!(
            finding.status == *status && finding.says.contains(says),
            "{finding:?}"
        );
    }
}

#[test]
fn a_probe_that_stays_is_named() {
    let search = |is_found, worn| Ok(Search { is_found, worn });
    check(
        search(true, 0),
        &[(Status::Ok, "in 7.5 ms, and was taken out again")],
    );
    check(
        search(false, 0),
        &[(Status::Warning, "as message id: it was not found")],
    );
    let worn = "2 unrouted events have been received 4 times";
    check(
        search(true, 2),
        &[(Status::Ok, ""), (Status::Warning, worn)],
    );
    let trouble = Trouble::NotAllowed {
        action: "sqs:ReceiveMessage",
        said: "no".to_owned(),
    };
    check(
        Err(trouble),
        &[(Status::Warning, "does not allow sqs:ReceiveMessage")],
    );
}

#[test]
fn a_closed_door_is_no_problem_of_the_relay_s_but_silence_is() {
    for (status, expected) in [
        (Some(403), Status::NotChecked),
        (Some(401), Status::Problem),
        (Some(503), Status::Problem),
        (None, Status::Problem),
    ] {
        assert_eq!(unexpected(NAME, &answer(status)).status, expected);
    }
}
