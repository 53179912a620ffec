//! What an export says of changes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use labelbox_relay::event::Event;
use serde_json::{Value, json};
use time::macros::datetime;

/// From 10:00:00.5, which is 10:00:00, until 11:00.
fn window() -> Window {
    Window::new(datetime!(2026-11-27 12:00:00.5 +2), Some(datetime!(2026-11-27 11:00 UTC)))
}

fn label(created: &str, content: &str) -> Value {
    // `updated_at` is in the window: it says nothing.
    let updated = "2026-11-27T10:30:00.000+00:00";
    json!({ "label_details": { "created_at": created, "updated_at": updated, "content_last_updated_at": content } })
}

fn row(labels: &[Value], steps: &[&str]) -> Value {
    let steps: Vec<_> =
        steps.iter().map(|at| json!({"action": "Move", "created_at": at})).collect();
    json!({
        "data_row": { "id": "row1", "details": { "last_activity_at": "2026-11-27T10:45:00.000+00:00" } },
        "media_attributes": { "width": 1 },
        "projects": { "project1": {
            "labels": labels,
            "project_details": { "workflow_history": steps },
        } },
    })
}

#[track_caller]
fn check(row: &Value, expected: &[&str]) {
    let row: Row = serde_json::from_value(row.clone()).unwrap();
    let topics: Vec<_> = row.changes(&window(), |_| true).into_iter().map(Change::topic).collect();
    assert_eq!(topics, expected);
}

const BEFORE: &str = "2026-11-27T09:59:59.999+00:00";
const FIRST: &str = "2026-11-27T10:00:00.000+00:00";
const WITHIN: &str = "2026-11-27T12:59:59.999+02:00";
const AFTER: &str = "2026-11-27T11:00:00.000Z";

#[test]
fn a_label_was_created_or_else_edited_in_the_window() {
    check(&row(&[label(BEFORE, BEFORE)], &[]), &[]);
    for time in [FIRST, WITHIN] {
        check(&row(&[label(time, BEFORE)], &[]), &["LABEL_CREATED"]);
        check(&row(&[label(time, AFTER)], &[]), &["LABEL_CREATED"]);
        check(&row(&[label(BEFORE, time)], &[]), &["LABEL_UPDATED"]);
    }
    check(&row(&[label(AFTER, AFTER)], &[]), &[]);
    check(&row(&[label("yesterday", "")], &[]), &[]);
}

#[test]
fn a_row_has_one_event_for_all_its_labels_and_one_for_all_its_steps() {
    let labels = [label(BEFORE, WITHIN), label(WITHIN, WITHIN), label(FIRST, FIRST)];
    check(&row(&labels, &[WITHIN, FIRST]), &["LABEL_CREATED", "WORKFLOW_ACTION"]);
    check(&row(&labels[..1], &[BEFORE, AFTER]), &["LABEL_UPDATED"]);
    check(&row(&[], &[BEFORE, WITHIN]), &["WORKFLOW_ACTION"]);
}

#[test]
fn only_what_is_wanted_counts() {
    let row: Row =
        serde_json::from_value(row(&[label(BEFORE, WITHIN), label(WITHIN, WITHIN)], &[WITHIN]))
            .unwrap();
    let changes = |wanted: &[Change]| row.changes(&window(), |change| wanted.contains(&change));
    assert_eq!(changes(&[Change::Updated]), [Change::Updated]);
    assert_eq!(changes(&[Change::Moved]), [Change::Moved]);
    assert_eq!(changes(&[Change::Created, Change::Updated]), [Change::Created]);
}

#[test]
fn a_row_without_details_has_no_changes_and_one_without_a_data_row_is_none() {
    for projects in [json!(null), json!({}), json!({"p": {"labels": null, "project_details": {}}})]
    {
        check(&json!({"data_row": {"id": "row1"}, "projects": projects}), &[]);
    }
    assert!(serde_json::from_str::<Row>(r#"{"projects": {}}"#).is_err());
    assert!(serde_json::from_str::<Row>(r#"{"data_row": {"id": 5}}"#).is_err());
}

#[test]
fn the_fields_that_are_read_make_the_same_event_as_the_whole_row() {
    let whole = row(&[label(BEFORE, WITHIN), label(WITHIN, AFTER)], &[WITHIN]);
    let mut without_activity = whole.clone();
    without_activity.pointer_mut("/data_row/details").unwrap().take();
    for (row, occurred_at) in
        [(whole, "2026-11-27T10:45:00.000Z"), (without_activity, "2026-11-27T11:00:00.000Z")]
    {
        let row = row.to_string();
        let read: Row = serde_json::from_str(&row).unwrap();
        let event = Event::from_export_row(&serde_json::to_vec(&read).unwrap(), "LABEL_UPDATED");
        assert_eq!(event, Event::from_export_row(row.as_bytes(), "LABEL_UPDATED"));
        assert_eq!(event.entity_id.as_deref(), Some("row1"));
        assert_eq!(event.project_id.as_deref(), Some("project1"));
        assert_eq!(event.occurred_at.as_deref(), Some(occurred_at));
    }
}
