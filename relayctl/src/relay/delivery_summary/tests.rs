//! What the account of what was sent says, and how the command ends.

use super::*;
use crate::relay::client::Said;

fn answer(http_status: Option<u16>, error: Option<&str>, duration_ms: f64) -> Answer {
    Answer {
        http_status,
        said: Said {
            status: error.is_none().then(|| "queued".to_owned()),
            error: error.map(str::to_owned),
            ..Said::default()
        },
        duration_ms,
    }
}

#[test]
fn answers_are_counted_by_what_they_say_and_the_others_come_with_advice() {
    let mut summary = Deliveries::default();
    for duration_ms in 1..=98 {
        summary.enter(&answer(Some(200), None, f64::from(duration_ms)));
    }
    summary.enter(&answer(Some(401), Some("signature_rejected"), 99.0));
    summary.enter(&answer(None, Some("no answer: refused"), 5000.0));
    summary.close(Duration::from_secs(2), false);
    let text = summary.to_string();
    for line in [
        "sent              100",
        "  200 queued                 98",
        "  401 signature_rejected        1",
        "the relay has another secret",
        "is the stack up",
        // What was not answered has no time of an answer.
        "answer after 50.0 ms (p50), 99.0 ms (p99), 99.0 ms (longest)",
        "50.0 events per second",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(summary.exit_status(), ExitStatus::Incomplete);
}

#[test]
fn the_ending_says_whether_all_was_taken() {
    let mut summary = Deliveries::default();
    summary.enter(&answer(Some(200), None, 1.0));
    assert_eq!(summary.exit_status(), ExitStatus::Success);
    summary.close(Duration::from_secs(1), true);
    assert_eq!(summary.exit_status(), ExitStatus::Interrupted);
    for status in [400, 401, 403, 404, 413, 429, 500, 503] {
        assert!(!next(&answer(Some(status), Some("x"), 1.0)).is_empty());
    }
}
