//! How counts are printed.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn counts() -> Counts {
    let counts = |queue, waiting: Option<u64>, dead_letters| QueueCounts {
        queue,
        waiting,
        in_flight: waiting.map(|_| 1),
        dead_letters: Some(dead_letters),
        spilled: Some(2),
    };
    Counts {
        queues: vec![counts("label", Some(1200), 0), counts("review", None, 3)],
        total: Total { waiting: 1200, in_flight: 1, dead_letters: 3, spilled: 4 },
        ..Counts::default()
    }
}

#[test]
fn people_get_a_table_with_a_total() {
    let rows = [
        " queue   waiting  in flight  dead letters  spilled",
        " label      1200          1             0        2",
        " review  missing    missing             3        2",
        " total      1200          1             3        4",
    ];
    assert_eq!(counts().to_string(), rows.join("\n") + "\n");
}

#[test]
fn scripts_get_null_for_a_missing_queue() {
    let json = serde_json::to_value(counts()).unwrap();
    assert_eq!(json["queues"][1]["queue"], "review");
    assert!(json["queues"][1]["waiting"].is_null());
    assert_eq!(json["queues"][1]["dead_letters"], 3);
}

#[test]
fn other_objects_are_named() {
    let counts = Counts { foreign_objects: 2, ..counts() };
    let text = counts.to_string();
    assert!(text.contains("2 objects under spill/ are no spilled"), "{text}");
}
