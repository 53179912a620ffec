//! What the summary says, and the exit status.

use super::*;

fn summary(outcomes: &[Outcome]) -> Summary {
    let mut summary = Summary::new(false);
    summary.found = outcomes.len() as u64;
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
fn a_dry_run_says_what_it_would_send_and_not_what_it_sent() {
    let mut summary = Summary::new(true);
    summary.add("x", Outcome::Sendable);
    summary.add("y", Outcome::Skipped);
    let text = summary.to_string();
    assert!(text.contains("would send          1\nskipped             1\n"), "{text}");
    assert!(!text.contains("\nsent"), "{text}");
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
        summary.interrupt(false);
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
fn says_what_does_the_rest() {
    for (dry_run, has_relative_time, says) in [
        (false, false, "repeat the command for the rest"),
        (false, true, "repeat the command with the times of --since and --until in RFC 3339"),
        (true, false, "the counts are incomplete"),
    ] {
        let mut summary = Summary::new(dry_run);
        summary.interrupt(has_relative_time);
        assert!(summary.to_string().contains("interrupted: "), "{summary}");
        assert!(summary.to_string().contains(says), "{summary}");
    }
}

#[test]
fn a_number_has_its_plural() {
    assert_eq!([0, 1, 2].map(|count| counted(count, "event")), ["0 events", "1 event", "2 events"]);
}
