//! What counts add up to, and how they are printed.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn counts() -> Counts {
    let counted = |queue, waiting, dead_letters| Counted {
        queue: Some(queue),
        waiting,
        in_flight: 1,
        dead_letters,
        spilled: 2,
    };
    Counts::new(vec![counted("label", 1200, 0), counted("review", 7, 3)], 0)
}

#[test]
fn people_get_a_table_with_a_total() {
    let rows = [
        " queue   waiting  in flight  dead letters  spilled",
        " label      1200          1             0        2",
        " review        7          1             3        2",
        " total      1207          2             3        4",
    ];
    assert_eq!(counts().to_string(), rows.join("\n") + "\n");
}

#[test]
fn scripts_get_the_same() {
    let json = serde_json::to_value(counts()).unwrap();
    assert_eq!(json["queues"][1]["queue"], "review");
    assert_eq!(json["queues"][1]["dead_letters"], 3);
    let total =
        serde_json::json!({"waiting": 1207, "in_flight": 2, "dead_letters": 3, "spilled": 4});
    assert_eq!(json["total"], total);
}

#[test]
fn what_is_no_spilled_message_is_told_of() {
    let mut counts = counts();
    counts.foreign_objects = 2;
    let text = counts.to_string();
    assert!(text.contains("2 objects under spill/ are no spilled"), "{text}");
}
