//! What is counted, and the exit status.

use super::*;
use crate::relay::client::ResponseBody;

fn response(http_status: Option<u16>, error: Option<&str>) -> RelayResponse {
    let body = ResponseBody {
        status: error.is_none().then(|| "queued".to_owned()),
        error: error.map(str::to_owned),
        ..ResponseBody::default()
    };
    RelayResponse { http_status, body, duration_ms: 1.0 }
}

#[test]
fn responses_are_counted_and_failures_come_with_remediation() {
    let args = GlobalArgs::default();
    let mut summary = DeliverySummary::default();
    for _ in 1..=98 {
        summary.add(&response(Some(200), None), &args);
    }
    summary.add(&response(Some(401), Some("signature_rejected")), &args);
    summary.add(&response(None, Some("no response: refused")), &args);
    summary.not_sent += 1;
    let text = summary.to_string();
    for line in [
        "sent              100",
        "  200 queued                 98",
        "  401 signature_rejected        1",
        "if the secret was just changed",
        "check the network; relayctl doctor checks the stack",
        "not sent            1\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn spilled_events_have_a_remediation_for_the_same_stack() {
    let mut args = GlobalArgs::default();
    args.profile = Some("mine".to_owned());
    let mut summary = DeliverySummary::default();
    let mut spilled = response(Some(200), None);
    spilled.body.status = Some("spilled".to_owned());
    summary.add(&spilled, &args);
    summary.add(&spilled, &args);
    let warning = summary.spill_warning(&args);
    assert!(warning.contains("2 events spilled"), "{warning}");
    assert!(warning.contains("relayctl replay-spill --profile mine"), "{warning}");
}
