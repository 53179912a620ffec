//! How counts are printed.

use super::*;

const ROWS: [Row; 2] = [
    ("label", [Some(1200), Some(1), Some(0), Some(2)]),
    ("review", [None, None, Some(3), Some(2)]),
];

#[test]
fn people_get_a_table_with_a_total() {
    let rows = [
        " queue   waiting  in flight  dead letters  spilled",
        " label      1200          1             0        2",
        " review  missing    missing             3        2",
        " total      1200          1             3        4",
    ];
    assert_eq!(table(&ROWS).trim_fmt(), rows.join("\n"));
}

#[test]
fn scripts_get_null_for_a_missing_queue() {
    let [_, (_, review)] = ROWS;
    let expected = json!({ "waiting": null, "in_flight": null, "dead_letters": 3, "spilled": 2 });
    assert_eq!(Value::Object(object(review)), expected);
}
