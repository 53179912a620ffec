//! Which messages match a filter.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use aws_sdk_sqs::types::MessageAttributeValue;
use clap::Parser;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-23 13:00 UTC);

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    filter: Filter,
}

fn read(words: &str) -> Result<Filter, clap::Error> {
    Line::try_parse_from(format!("x {words}").split_whitespace()).map(|line| line.filter)
}

fn message(attributes: &[(&str, &str)]) -> OutgoingMessage {
    let attribute = |(name, value): &(&str, &str)| {
        let value = MessageAttributeValue::builder().data_type("String").string_value(*value);
        ((*name).to_owned(), value.build().unwrap())
    };
    OutgoingMessage {
        body: String::new(),
        attributes: attributes.iter().map(attribute).collect(),
        trace: None,
        group_id: None,
        dedup_id: None,
    }
}

fn usual() -> OutgoingMessage {
    message(&[
        ("event", "LABEL_CREATED"),
        ("project_id", "p1"),
        ("entity_id", "e1"),
        ("dedup_id", "d1"),
        ("received_at", "2026-11-23T12:00:00.000Z"),
    ])
}

#[test]
fn a_message_matches_if_it_has_one_of_each() {
    for (words, matches) in [
        ("", true),
        ("--topic LABEL_CREATED", true),
        ("--topic label_created", true),
        ("--topic LABEL_UPDATED", false),
        ("--topic LABEL_UPDATED --topic Label_Created", true),
        ("--topic LABEL_*", true),
        ("--topic label_c*", true),
        ("--topic LABEL_CREATED*", true),
        ("--topic LABEL_CREATED_*", false),
        ("--topic *", true),
        ("--topic LABEL", false),
        ("--project p1", true),
        ("--project P1", false),
        ("--project p2 --project p1", true),
        ("--project p1 --topic MOVE", false),
        ("--since 2026-11-23T12:00:00Z", true),
        ("--since 2026-11-23T12:00:00.001Z", false),
        ("--since 2026-11-23T14:00:00+02:00", true),
        ("--until 2026-11-23T12:00:00Z", false),
        ("--until 2026-11-23T12:00:00.001Z", true),
        ("--since 2026-11-23", true),
        ("--since 2026-11-24", false),
        ("--until 2026-11-23", false),
        ("--since 60m", true),
        ("--since 59m", false),
        ("--until 59m", true),
        ("--until 1h", false),
        ("--since 2h --until 30m --project p1 --topic label_*", true),
        ("--since 9999999y", true),
        ("--entity-id e1", true),
        ("--entity-id e2 --entity-id e1", true),
        ("--entity-id e2", false),
        ("--id d1", true),
        ("--id d2", false),
        ("--id d1 --entity-id e2", false),
    ] {
        let filter = read(words).unwrap();
        assert_eq!(filter.matches(&usual(), NOW), matches, "{words:?}");
        assert_eq!(filter.is_all(), words.is_empty(), "{words:?}");
    }
}

#[test]
fn a_message_without_the_attribute_does_not_match() {
    let silent = message(&[("received_at", "yesterday")]);
    for (words, matches) in [
        ("", true),
        ("--topic MOVE", false),
        ("--project p1", false),
        ("--since 2h", false),
        ("--until 2h", false),
    ] {
        let filter = read(words).unwrap();
        assert_eq!(filter.matches(&silent, NOW), matches, "{words:?}");
    }
}

#[test]
fn a_filter_is_the_same_after_it_was_written() {
    let words = "--topic LABEL_* --topic MOVE --project p --entity-id e --id d --since 2026-11-23T14:00:00+02:00";
    let written = serde_json::to_value(read(words).unwrap()).unwrap();
    let expected = serde_json::json!({
        "topic": ["LABEL_*", "MOVE"],
        "project": ["p"],
        "entity_id": ["e"],
        "dedup_id": ["d"],
        "since": "2026-11-23T12:00:00.000Z",
        "until": null,
    });
    assert_eq!(written, expected);
    let read_again: Filter = serde_json::from_value(written).unwrap();
    assert_eq!(serde_json::to_value(&read_again).unwrap(), expected);
}

#[test]
fn a_duration_may_say_that_it_is_ago() {
    let moment: Moment = "3 days ago".parse().unwrap();
    assert_eq!(moment.from(NOW), datetime!(2026-11-20 13:00 UTC));
    assert_eq!(moment, "72h".parse().unwrap());
}

#[test]
fn a_topic_with_other_letters_does_not_panic() {
    let odd = message(&[("event", "ÄÖ")]);
    assert!(!read("--topic a*").unwrap().matches(&odd, NOW));
    assert!(!read("--topic Äx").unwrap().matches(&odd, NOW));
}

#[test]
fn rejects_invalid_topics_and_times() {
    for words in [
        "--topic *_CREATED",
        "--topic LA*EL",
        "--topic=",
        "--since yesterday",
        "--since 2026-13-23",
        "--since 2026-11-23T12:00:00",
        "--until 5",
        "--since=",
    ] {
        assert_eq!(read(words).unwrap_err().exit_code(), 2, "{words}");
    }
}
