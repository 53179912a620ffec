//! What a replay has to know to go on after it was interrupted: a file that says what it sends, and from when on.

use crate::aws::stack::Entity;
use crate::error::Error;
use crate::filter::{Filter, Moment};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// What a replay sends, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Names the file.
    pub id: String,
    /// The command that began it, when, and the command that goes on.
    pub command: String,
    pub begun: String,
    pub resume: String,
    /// The ARN of the stack.
    pub stack: String,
    pub entities: Vec<Entity>,
    /// Its times are absolute. All before `since` is done.
    pub filter: Filter,
    /// The URL of a queue, if it is not that of the entity.
    pub to: Option<String>,
    /// Events per second.
    pub rate: u32,
    /// By queue, the FIFO groups of which an event could not be sent, and that event: later ones must not overtake it.
    pub held_back: HashMap<String, HashMap<String, String>>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, command, begun, filter, .. } = self;
        write!(f, "replay {id}, begun {begun}: {command}")?;
        match filter.since {
            Some(since) => write!(f, "; what was received before {since} is sent"),
            None => Ok(()),
        }
    }
}

/// The file of one replay.
#[derive(Debug)]
pub struct Checkpoint {
    pub folder: PathBuf,
    pub plan: Plan,
}

impl Checkpoint {
    /// Finds the replay of this stack that has this id, or the only one.
    pub fn find(folder: PathBuf, stack: &str, id: &str) -> Result<Self, Error> {
        let (mut found, _) = list(&folder)?;
        found.retain(|plan| plan.stack == stack && (id.is_empty() || plan.id == id));
        match (found.pop(), found.is_empty()) {
            (Some(plan), true) => Ok(Self { folder, plan }),
            (Some(_), false) => {
                let message = "there are several unfinished replays; replay --list shows them";
                Err(Error::Usage(message.to_owned()))
            }
            (None, _) => {
                let message =
                    "there is no such unfinished replay of this stack; replay --list shows all";
                Err(Error::Setup(message.to_owned()))
            }
        }
    }

    /// All that was received before this time is done. The file is whole at any moment, also if the machine loses power.
    pub fn advance(
        &mut self,
        time: OffsetDateTime,
        held_back: HashMap<String, HashMap<String, String>>,
    ) -> Result<(), Error> {
        self.plan.filter.since = Some(Moment::At(time));
        self.plan.held_back = held_back;
        self.save()
    }

    pub fn save(&self) -> Result<(), Error> {
        let new = self.path().with_extension("tmp");
        let write = || {
            fs::create_dir_all(&self.folder)?;
            let file = File::create(&new)?;
            serde_json::to_writer(&file, &self.plan)?;
            file.sync_all()?;
            fs::rename(&new, self.path())
        };
        write().map_err(|error| unusable(&self.folder, error))
    }

    /// The replay is complete.
    pub fn remove(self) {
        // One that remains resumes with what is done already.
        let _ = fs::remove_file(self.path());
    }

    fn path(&self) -> PathBuf {
        self.folder.join(&self.plan.id).with_extension("json")
    }
}

/// The unfinished replays of all stacks, the oldest first; and files that hold none.
pub fn list(folder: &Path) -> Result<(Vec<Plan>, Vec<PathBuf>), Error> {
    let read = || -> io::Result<_> {
        let (mut plans, mut others): (Vec<Plan>, _) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                // One that is complete meanwhile is gone.
                let Ok(file) = fs::read(&path) else { continue };
                match serde_json::from_slice(&file) {
                    Ok(plan) => plans.push(plan),
                    Err(_) => others.push(path),
                }
            }
        }
        plans.sort_by(|one, other| one.begun.cmp(&other.begun));
        Ok((plans, others))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Default::default()),
        found => found.map_err(|error| unusable(folder, error)),
    }
}

fn unusable(folder: &Path, error: io::Error) -> Error {
    Error::Checkpoint { path: folder.display().to_string(), error }
}

#[cfg(test)]
mod tests;
