//! What a replay has to know to go on after it was interrupted: a file that says what it sends, and from when on.

use crate::aws::stack::Entity;
use crate::error::Error;
use crate::filter::{Filter, Moment};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use uuid::Uuid;

/// What a replay sends, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The ARN of the stack.
    pub stack: String,
    pub entities: Vec<Entity>,
    /// Its times are absolute. All before `since` is done.
    pub filter: Filter,
    /// The URL of a queue, if it is not that of the entity.
    pub to: Option<String>,
    /// Events per second.
    pub rate: u32,
}

/// The file of one replay.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    /// The id of the replay, which names the file.
    pub run: String,
    pub plan: Plan,
}

impl Checkpoint {
    /// Begins a new replay.
    pub fn create(folder: PathBuf, plan: Plan) -> Result<Self, Error> {
        let mut run = Uuid::new_v4().simple().to_string();
        run.truncate(12);
        let checkpoint = Self { folder, run, plan };
        let created = fs::create_dir_all(&checkpoint.folder);
        created.map_err(|error| checkpoint.error(error))?;
        checkpoint.save()?;
        Ok(checkpoint)
    }

    /// Finds the replay of this stack that has this id, or the only one.
    pub fn find(folder: PathBuf, stack: &str, run: &str) -> Result<Self, Error> {
        let mut found = list(&folder, stack).map_err(|error| unusable(&folder, error))?;
        found.retain(|(name, _)| run.is_empty() || name == run);
        let Some((run, plan)) = found.pop() else {
            let message = "there is no interrupted replay of this stack here";
            return Err(Error::Usage(message.to_owned()));
        };
        if found.is_empty() {
            return Ok(Self { folder, run, plan });
        }
        let others = found.into_iter().map(|(run, _)| run);
        let runs = others.chain([run]).collect::<Vec<_>>().join(", ");
        Err(Error::Usage(format!("there are several interrupted replays, name one: {runs}")))
    }

    /// All that was received before this time is done. The file is whole at any moment, also if the machine loses power.
    pub fn advance(&mut self, time: OffsetDateTime) -> Result<(), Error> {
        self.plan.filter.since = Some(Moment::At(time));
        self.save()
    }

    fn save(&self) -> Result<(), Error> {
        let new = self.path().with_extension("tmp");
        let write = || {
            let file = File::create(&new)?;
            serde_json::to_writer(&file, &self.plan)?;
            file.sync_all()?;
            fs::rename(&new, self.path())
        };
        write().map_err(|error| self.error(error))
    }

    /// The replay is complete.
    pub fn remove(self) {
        // One that remains resumes with what is done already.
        let _ = fs::remove_file(self.path());
    }

    fn path(&self) -> PathBuf {
        self.folder.join(&self.run).with_extension("json")
    }

    fn error(&self, error: io::Error) -> Error {
        unusable(&self.folder, error)
    }
}

/// The replays of a stack, with their ids.
fn list(folder: &Path, stack: &str) -> io::Result<Vec<(String, Plan)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let plan: Plan = serde_json::from_slice(&fs::read(&path)?)?;
        if let Some(run) = path.file_stem().filter(|_| plan.stack == stack) {
            found.push((run.to_string_lossy().into_owned(), plan));
        }
    }
    Ok(found)
}

fn unusable(folder: &Path, error: io::Error) -> Error {
    Error::Checkpoint { path: folder.display().to_string(), error }
}

#[cfg(test)]
mod tests;
