//! What is left of a replay on the disk.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::error::USAGE;
use time::macros::datetime;

/// A folder of its own, which is deleted at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("relayctl-{}", Uuid::new_v4())).join("replay"))
    }

    fn create(&self, stack: &str) -> Checkpoint {
        let plan = Plan {
            stack: stack.to_owned(),
            entities: vec![Entity::Label, Entity::ModelRun],
            filter: Filter::since(Some("2026-11-23T12:00:00Z")),
            to: Some("https://sqs/queue".to_owned()),
            rate: 7,
        };
        Checkpoint::create(self.0.clone(), plan).unwrap()
    }

    fn find(&self, stack: &str, run: &str) -> Result<Checkpoint, Error> {
        Checkpoint::find(self.0.clone(), stack, run)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().unwrap());
    }
}

#[test]
fn an_interrupted_replay_is_found_with_all_that_it_needs() {
    let folder = Folder::new();
    let mut checkpoint = folder.create("arn:one");
    checkpoint.advance(datetime!(2026-11-23 13:00:00.001 UTC)).unwrap();
    for run in ["", &checkpoint.run] {
        let found = folder.find("arn:one", run).unwrap();
        assert_eq!(found.run, checkpoint.run);
        assert_eq!(found.plan.filter.since, "2026-11-23T13:00:00.001Z".parse().ok());
        assert_eq!(found.plan.entities, [Entity::Label, Entity::ModelRun]);
        assert_eq!((found.plan.to.as_deref(), found.plan.rate), (Some("https://sqs/queue"), 7));
    }
    checkpoint.remove();
    assert!(folder.find("arn:one", "").is_err());
}

#[test]
fn of_several_replays_one_has_to_be_named() {
    let folder = Folder::new();
    assert_eq!(folder.find("arn:one", "").unwrap_err().code(), USAGE);
    let (first, second) = (folder.create("arn:one"), folder.create("arn:one"));
    let other = folder.create("arn:other");
    let error = folder.find("arn:one", "").unwrap_err();
    assert_eq!(error.code(), USAGE);
    let text = error.to_string();
    assert!(text.contains(&first.run) && text.contains(&second.run) && !text.contains(&other.run));
    assert_eq!(folder.find("arn:one", &second.run).unwrap().run, second.run);
    assert_eq!(folder.find("arn:one", &other.run).unwrap_err().code(), USAGE);
    assert_eq!(folder.find("arn:other", "").unwrap().run, other.run);
}
