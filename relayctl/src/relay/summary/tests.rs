//! What is counted, and the exit status.

use super::*;
use crate::relay::client::ResponseBody;

fn response(http_status: Option<u16>, error: Option<&str>, duration_ms: f64) -> RelayResponse {
    let body = ResponseBody {
        status: error.is_none().then(|| "queued".to_owned()),
        error: error.map(str::to_owned),
        ..ResponseBody::default()
    };
    RelayResponse { http_status, body, duration_ms }
}

#[test]
fn responses_are_counted_and_failures_come_with_remediation() {
    let args = GlobalArgs::default();
    let mut summary = DeliverySummary::default();
    for duration_ms in 1..=98 {
        summary.add(&response(Some(200), None, f64::from(duration_ms)), &args);
    }
    summary.add(&response(Some(401), Some("signature_rejected"), 99.0), &args);
    summary.add(&response(None, Some("no response: refused"), 5000.0), &args);
    summary.finish(Duration::from_secs(2), false);
    let text = summary.to_string();
    for line in [
        "sent              100",
        "  200 queued                 98",
        "  401 signature_rejected        1",
        "if the secret was just changed",
        "check the network; relayctl doctor checks the stack",
        // No response has no duration.
        "response after 50.0 ms (p50), 99.0 ms (p99), 99.0 ms (max)",
        "50.0 events per second",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(summary.exit_status(), ExitStatus::Incomplete);
}

#[test]
fn spilled_events_have_a_remediation_for_the_same_stack() {
    let mut args = GlobalArgs::default();
    args.profile = Some("mine".to_owned());
    let mut summary = DeliverySummary::default();
    let mut spilled = response(Some(200), None, 1.0);
    spilled.body.status = Some("spilled".to_owned());
    summary.add(&spilled, &args);
    summary.add(&spilled, &args);
    let warning = summary.spill_warning(&args);
    assert!(warning.contains("2 events were spilled"), "{warning}");
    assert!(warning.contains("relayctl replay-spill --profile mine"), "{warning}");
}

#[test]
fn a_file_that_could_not_be_sent_is_counted_and_makes_it_incomplete() {
    let mut summary = DeliverySummary::default();
    summary.add(&response(Some(200), None, 1.0), &GlobalArgs::default());
    summary.not_sent += 1;
    assert!(summary.to_string().contains("not sent            1\n"), "{summary}");
    assert_eq!(summary.exit_status(), ExitStatus::Incomplete);
}

#[test]
fn the_exit_status_says_whether_all_were_accepted() {
    let mut summary = DeliverySummary::default();
    summary.add(&response(Some(200), None, 1.0), &GlobalArgs::default());
    assert_eq!(summary.exit_status(), ExitStatus::Success);
    summary.finish(Duration::from_secs(1), true);
    assert_eq!(summary.exit_status(), ExitStatus::Interrupted);
}
