//! What is said of a probe.

use super::super::finding::Status;
use super::*;
use crate::relay::client::Said;

fn answer(http_status: Option<u16>) -> Answer {
    Answer {
        http_status,
        said: Said { message_id: Some("id".to_owned()), ..Said::default() },
        duration_ms: 7.5,
    }
}

#[track_caller]
fn check(search: Result<Search, Error>, expected: &[(Status, &str)]) {
    let findings = judge_search(&Stack::default(), &answer(Some(200)), search);
    assert_eq!(findings.len(), expected.len(), "{findings:?}");
    for (finding, (status, says)) in findings.iter().zip(expected) {
        assert!(finding.status == *status && finding.says.contains(says), "{finding:?}");
    }
}

#[test]
fn a_probe_that_stays_is_named() {
    let search = |is_found, worn| Ok(Search { is_found, worn });
    check(search(true, 0), &[(Status::Ok, "in 7.5 ms, and was taken out again")]);
    check(search(false, 0), &[(Status::Warning, "as message id: it was not found")]);
    let worn = "2 unrouted events have been received 4 times";
    check(search(true, 2), &[(Status::Ok, ""), (Status::Warning, worn)]);
    let error = Error::NotAllowed { action: "sqs:ReceiveMessage", said: "no".to_owned() };
    check(Err(error), &[(Status::Warning, "does not allow sqs:ReceiveMessage")]);
}

#[test]
fn a_closed_door_is_no_problem_of_the_relay_s_but_silence_is() {
    for (status, expected) in [
        (Some(403), Status::NotChecked),
        (Some(401), Status::Problem),
        (Some(503), Status::Problem),
        (None, Status::Problem),
    ] {
        let finding = unexpected(&Stack::default(), NAME, &answer(status));
        assert_eq!(finding.status, expected);
    }
}

/// `try_again` is the relay's word; without it, the 503 is the gateway's.
#[test]
fn a_wrong_signature_that_is_refused_with_503_is_no_wrong_verdict_but_a_secret_that_cannot_be_fetched()
 {
    for (status, error, expected, says) in [
        (401, "signature_rejected", Status::Ok, "is refused"),
        (503, "try_again", Status::Problem, "cannot fetch its secret anew"),
        (503, "", Status::Problem, "answered 503"),
        (403, "source_not_allowed", Status::NotChecked, "AllowedSourceCidrs"),
    ] {
        let mut answer = answer(Some(status));
        answer.said.error = Some(error.to_owned()).filter(|error| !error.is_empty());
        let finding = judge_forgery(&Stack::default(), &answer);
        assert_eq!(finding.status, expected);
        assert!(finding.says.contains(says), "{finding:?}");
    }
}
