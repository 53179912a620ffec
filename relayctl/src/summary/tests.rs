//! What the summary says, and the exit status.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::filter::Filter;
use time::OffsetDateTime;

fn summary(outcomes: &[Outcome]) -> Summary {
    let mut summary = Summary::new(false);
    summary.add_found(outcomes.len() as u64);
    for outcome in outcomes {
        summary.add("spill/label/2026/11/23/x.json", outcome.clone());
    }
    summary
}

#[test]
fn every_outcome_is_in_the_account() {
    let summary = summary(&[
        Outcome::Moved,
        Outcome::Moved,
        Outcome::SentAndGone,
        Outcome::Gone,
        Outcome::SentAndKept("sent, but not deleted".to_owned()),
        Outcome::Kept("it is broken".to_owned()),
    ]);
    assert_eq!(
        summary.to_string(),
        "found               6\n\
         sent                4\n\
         deleted             2\n\
         already gone        2\n\
         kept                2\n  \
           spill/label/2026/11/23/x.json: it is broken\n  \
           spill/label/2026/11/23/x.json: sent, but not deleted\n"
    );
}

#[test]
fn scripts_get_the_same_account() {
    let mut summary = summary(&[Outcome::Moved, Outcome::Kept("it is broken".to_owned())]);
    summary.interrupt(&Filter::default().at(OffsetDateTime::UNIX_EPOCH));
    let json = serde_json::to_value(&summary).unwrap();
    let expected = serde_json::json!({
        "dry_run": false,
        "interrupted": true,
        "found": 2,
        "would_send": 0,
        "sent": 1,
        "deleted": 1,
        "already_gone": 0,
        "skipped": 0,
        "kept": [{"message": "spill/label/2026/11/23/x.json", "reason": "it is broken"}],
    });
    assert_eq!(json, expected);
}

#[test]
fn a_dry_run_says_what_it_would_send_and_not_what_it_sent() {
    let mut summary = Summary::new(true);
    summary.add_found(2);
    summary.add("x", Outcome::Sendable);
    summary.add_sendable(1);
    let text = summary.to_string();
    assert!(text.contains("would send          2\n"), "{text}");
    assert!(!text.contains("\nsent"), "{text}");
}

#[test]
fn what_a_filter_leaves_is_counted_and_is_no_failure() {
    let summary = summary(&[Outcome::Moved, Outcome::Skipped]);
    let text = summary.to_string();
    assert!(text.contains("skipped             1\n"), "{text}");
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json.get("skipped"), Some(&1.into()));
    assert_eq!(summary.exit_status().code(), 0);
}

#[test]
fn the_exit_status_says_how_it_went() {
    let kept = Outcome::Kept("it is broken".to_owned());
    let sent_and_kept = Outcome::SentAndKept("not deleted".to_owned());
    for (outcome, status) in [
        (Outcome::Moved, 0),
        (Outcome::Gone, 0),
        (Outcome::SentAndGone, 0),
        (Outcome::Sendable, 0),
        (kept, 1),
        (sent_and_kept, 1),
    ] {
        let mut summary = summary(&[Outcome::Moved, outcome.clone()]);
        assert_eq!(summary.exit_status().code(), status, "{outcome:?}");
        summary.interrupt(&Filter::default().at(OffsetDateTime::UNIX_EPOCH));
        assert_eq!(summary.exit_status().code(), 130, "{outcome:?}");
    }
    assert_eq!(Summary::new(false).exit_status().code(), 0);
}

#[test]
fn trouble_counts_for_more_than_what_the_account_says() {
    let output = Output::new(true);
    let summary = Summary::new(false);
    let closed = summary.close(Err(Error::Refused("no".to_owned())), &output);
    assert!(matches!(closed, Err(Error::Refused(_))));
}

#[test]
fn equal_reasons_are_printed_once() {
    let mut summary = Summary::new(false);
    for number in 1..=5 {
        summary.add(&format!("key{number}"), Outcome::Kept("the queue is\u{202e} gone".to_owned()));
    }
    summary.add("other", Outcome::Kept("it is broken".to_owned()));
    let text = summary.to_string();
    let expected = "kept                6\n  \
          other: it is broken\n  \
          5 messages: the queue is\u{fffd} gone\n    \
            key1\n    \
            key2\n    \
            key3\n    \
            and 2 more, which --json names\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn says_that_the_same_command_does_the_rest_only_if_it_does() {
    let rest = "interrupted: the same command does the rest\n";
    let now = OffsetDateTime::UNIX_EPOCH;
    let text = |dry_run, kept: bool, since: Option<&str>| {
        let mut summary = Summary::new(dry_run);
        if kept {
            summary.add("x", Outcome::Kept("it is broken".to_owned()));
        }
        summary.interrupt(&Filter::since(since).at(now));
        summary.to_string()
    };
    assert!(text(false, false, None).ends_with(rest));
    assert!(text(false, false, Some("2026-11-23T13:00:00Z")).ends_with(rest));
    for (dry_run, kept, since) in
        [(true, false, None), (false, true, None), (false, false, Some("2h"))]
    {
        let text = text(dry_run, kept, since);
        assert!(text.contains("interrupted: ") && !text.ends_with(rest), "{text}");
    }
}
