//! Tests of the keys of archived events. `tests/it/archive.rs` tests what is stored under them.

use super::*;
use crate::event::{Entity, UnroutedReason};
use time::macros::datetime;

#[test]
fn key_has_entity_hour_time_and_dedup_id() {
    let message = Message {
        entity: Entity::ModelRun,
        body: String::new(),
        attributes: Vec::new(),
        dedup_id: "4d96d4de".to_owned(),
        group_id: None,
        trace: None,
        received_at: datetime!(2026-02-03 04:59:59.999_9 UTC),
    };
    let expected = "archive/model_run/2026/02/03/04/2026-02-03T04:59:59.999Z-4d96d4de";
    assert_eq!(key(&message), expected);
    let unrouted = Message {
        entity: Entity::Unrouted(UnroutedReason::NoTopic),
        received_at: datetime!(0987-11-30 23:00 UTC),
        ..message
    };
    let expected = "archive/unrouted/0987/11/30/23/0987-11-30T23:00:00.000Z-4d96d4de";
    assert_eq!(key(&unrouted), expected);
}
