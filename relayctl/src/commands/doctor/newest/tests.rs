//! What the last lines of a log say.

use super::super::finding::Status;
use super::*;

const HOUR: i64 = 3_600_000;

/// Lines so many milliseconds after 1970, judged three hours after it.
#[track_caller]
fn check(lines: &[(i64, &str, &str)], logs_events: bool, expected: &[(Status, &str)]) {
    let line = |(time, message, event): &(i64, &str, &str)| {
        let line = Line {
            message: (*message).to_owned(),
            event: Some((*event).to_owned()),
            entity: None,
            error: Some("why".to_owned()),
        };
        (*time, line)
    };
    let lines: Vec<_> = lines.iter().map(line).collect();
    let stack = Stack::default();
    let place = Place { stack: &stack, group: "group", logs_events };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(3 * 3_600);
    let findings = judge(&lines, &place, now);
    assert_eq!(findings.len(), expected.len(), "{findings:?}");
    for (finding, (status, says)) in findings.iter().zip(expected) {
        assert!(finding.status == *status && finding.says.contains(says), "{finding:?}");
    }
}

#[test]
fn the_newest_event_is_not_the_doctor_s() {
    let lines = [
        (HOUR, "event queued", "LABEL_UPDATED"),
        (0, "event queued", "LABEL_CREATED"),
        (2 * HOUR, "event queued as unrouted", TOPIC),
    ];
    check(&lines, true, &[(Status::Ok, "LABEL_UPDATED 2h ago")]);
}

#[test]
fn silence_is_said_as_far_as_the_log_knows() {
    let probe = [(HOUR, "event queued as unrouted", TOPIC)];
    check(&probe, true, &[(Status::Warning, "none in the last lines")]);
    check(&probe, false, &[(Status::NotChecked, "logs only")]);
}

#[test]
fn a_failure_is_worth_a_look_for_an_hour() {
    let event = (0, "event queued", "MOVE");
    let ok = (Status::Ok, "MOVE 3h ago");
    for (time, message, status) in [
        (3 * HOUR - 1_000, "request failed", Status::Warning),
        (3 * HOUR - 1_000, "start failed", Status::Warning),
        (HOUR, "request failed", Status::Ok),
    ] {
        check(&[event, (time, message, "")], true, &[ok, (status, "ago: why")]);
    }
    check(&[event, (HOUR, "event spilled", TOPIC)], true, &[ok]);
}
