//! What is left of a replay on the disk.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::error::{FAILURE, USAGE};
use time::macros::datetime;

fn create(folder: &Path, id: &str, stack: &str) -> Checkpoint {
    let mut filter = Filter::default();
    filter.since = "2026-11-23T12:00:00Z".parse().ok();
    let plan = Plan {
        id: id.to_owned(),
        command: "relayctl replay --since 2h".to_owned(),
        begun: "2026-11-23T14:00:00.000Z".to_owned(),
        resume: format!("relayctl replay --resume {id}"),
        stack: stack.to_owned(),
        entities: vec![Entity::Label, Entity::ModelRun],
        filter,
        to: Some("https://sqs/queue".to_owned()),
        rate: 7,
        held_back: HashMap::new(),
    };
    let checkpoint = Checkpoint { folder: folder.to_owned(), plan };
    checkpoint.save().unwrap();
    checkpoint
}

#[test]
fn an_unfinished_replay_is_found_with_all_that_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = &folder.path().join("replay");
    let find = |id| Checkpoint::find(folder.clone(), "arn:one", id);
    assert!(list(folder).unwrap().0.is_empty());
    let mut checkpoint = create(folder, "a", "arn:one");
    let group = HashMap::from([("group".to_owned(), "first".to_owned())]);
    let held_back = HashMap::from([("label".to_owned(), group)]);
    checkpoint.advance(datetime!(2026-11-23 13:00:00.001 UTC), held_back.clone()).unwrap();
    for id in ["", "a"] {
        let Plan { filter, entities, to, rate, held_back: found, .. } = find(id).unwrap().plan;
        assert_eq!(filter.since, "2026-11-23T13:00:00.001Z".parse().ok());
        assert_eq!(entities, [Entity::Label, Entity::ModelRun]);
        assert_eq!((to.as_deref(), rate, found), (Some("https://sqs/queue"), 7, held_back.clone()));
    }
    assert_eq!(
        list(folder).unwrap().0.first().map(ToString::to_string).as_deref(),
        Some(
            "replay a, begun 2026-11-23T14:00:00.000Z: relayctl replay --since 2h; what was received before \
             2026-11-23T13:00:00.001Z is sent"
        )
    );
    checkpoint.remove();
    assert_eq!(find("").unwrap_err().code(), FAILURE);
}

#[test]
fn of_several_replays_one_has_to_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let find = |stack, id| Checkpoint::find(folder.path().to_owned(), stack, id);
    for (id, stack) in [("a", "arn:one"), ("b", "arn:one"), ("c", "arn:other")] {
        create(folder.path(), id, stack);
    }
    assert_eq!(find("arn:one", "").unwrap_err().code(), USAGE);
    assert_eq!(find("arn:one", "b").unwrap().plan.id, "b");
    assert_eq!(find("arn:one", "c").unwrap_err().code(), FAILURE);
    assert_eq!(find("arn:other", "").unwrap().plan.id, "c");
    let other = folder.path().join("other.json");
    std::fs::write(&other, "{").unwrap();
    assert_eq!(find("arn:one", "a").unwrap().plan.id, "a");
    let (plans, others) = list(folder.path()).unwrap();
    assert_eq!((plans.len(), others), (3, vec![other]));
}
