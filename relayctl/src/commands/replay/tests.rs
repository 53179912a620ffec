//! Which events are sent together.

use super::*;
use std::collections::HashMap;

fn event(name: &str, group: &str, bytes: usize) -> ArchivedEvent {
    let message = OutgoingMessage {
        body: "x".repeat(bytes),
        attributes: HashMap::new(),
        trace: None,
        group_id: Some(group.to_owned()),
        dedup_id: None,
    };
    ArchivedEvent {
        key: name.to_owned(),
        entity: Entity::Label,
        dedup_id: name.to_owned(),
        received_at: OffsetDateTime::UNIX_EPOCH,
        message,
        body_key: None,
    }
}

#[track_caller]
fn check(events: Vec<ArchivedEvent>, expected: &[&[&str]]) {
    let mut events = events.into_iter().peekable();
    let mut batches = Vec::new();
    while events.peek().is_some() {
        batches.push(next_batch(&mut events));
    }
    let keys = |batch: &Vec<ArchivedEvent>| -> Vec<String> {
        batch.iter().map(|event| event.key.clone()).collect()
    };
    assert_eq!(batches.iter().map(keys).collect::<Vec<_>>(), expected);
}

#[test]
fn no_event_is_sent_together_with_one_of_its_group() {
    let events = [("a", "1"), ("b", "2"), ("c", "1"), ("d", "2"), ("e", "3")];
    let events = events.map(|(name, group)| event(name, group, 1));
    check(events.into(), &[&["a", "b"], &["c", "d", "e"]]);
}

#[test]
fn a_batch_has_ten_messages_and_a_mebibyte() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    check(
        names.map(|name| event(name, name, 1)).into(),
        &[&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"], &["k"]],
    );
    let sizes =
        [("a", 1 << 20), ("b", 1), ("c", (1 << 20) - 1), ("d", 1), ("e", 1 << 21), ("f", 1)];
    let events = sizes.map(|(name, bytes)| event(name, name, bytes));
    check(events.into(), &[&["a"], &["b", "c"], &["d"], &["e"], &["f"]]);
}
