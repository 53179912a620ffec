//! What became of every message of a redrive or a replay, for people and for scripts, and the exit status.

use crate::error::{Error, ExitStatus};
use crate::output::Output;
use crate::sanitize::one_line;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// With more messages of one reason, the text output names these only.
const MAX_NAMES: usize = 3;

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Sent, confirmed, and deleted from where it was.
    Moved,
    /// Sent and confirmed; another run had deleted it by then.
    SentAndGone,
    /// Gone before it was sent: another run has sent it.
    Gone,
    /// A dry run would have sent it.
    Sendable,
    /// Sent and confirmed, but still where it was.
    SentAndKept(String),
    /// Not sent, and still where it was.
    Kept(String),
    /// The filter excludes it.
    Skipped,
}

/// A message that stayed where it was, or was not sent.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    pub message: String,
    pub reason: String,
}

#[derive(Debug, Default, Serialize)]
pub struct Summary {
    pub dry_run: bool,
    pub interrupted: bool,
    pub found: u64,
    pub would_send: u64,
    pub sent: u64,
    deleted: u64,
    already_gone: u64,
    pub skipped: u64,
    pub kept: Vec<Kept>,
    /// The command that resumes where this one ended.
    pub resume: Option<String>,
    /// What is to be known besides the counts.
    #[serde(skip)]
    pub remarks: Vec<String>,
}

impl Summary {
    pub fn new(dry_run: bool) -> Self {
        Self { dry_run, ..Self::default() }
    }

    /// Adds what became of a message; the name is for one that stays.
    pub fn add(&mut self, message: &str, outcome: Outcome) {
        let mut keep = |reason| {
            self.kept.push(Kept { message: message.to_owned(), reason });
        };
        match outcome {
            Outcome::Moved => {
                self.sent += 1;
                self.deleted += 1;
            }
            Outcome::SentAndGone => {
                self.sent += 1;
                self.already_gone += 1;
            }
            Outcome::Gone => self.already_gone += 1,
            Outcome::Sendable => self.would_send += 1,
            Outcome::SentAndKept(reason) => {
                keep(reason);
                self.sent += 1;
            }
            Outcome::Kept(reason) => keep(reason),
            Outcome::Skipped => self.skipped += 1,
        }
    }

    /// Ctrl-C ended a command that leaves what it has not done where it was.
    pub fn interrupt(&mut self, has_relative_time: bool) {
        self.interrupted = true;
        let rest = match (self.dry_run, has_relative_time) {
            (true, _) => "the counts are incomplete",
            (_, true) => {
                "for the rest, repeat the command with the times of --since and --until in RFC 3339"
            }
            _ => "repeat the command for the rest",
        };
        self.remarks.push(format!("interrupted: {rest}"));
    }

    /// An interruption tells a script more than what stayed because of it.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self { interrupted: true, .. } => ExitStatus::Interrupted,
            Self { kept, .. } if !kept.is_empty() => ExitStatus::Incomplete,
            _ => ExitStatus::Success,
        }
    }

    /// Prints the summary, unless the command failed before it found anything.
    pub fn close(&self, result: Result<(), Error>, output: &Output) -> Result<ExitStatus, Error> {
        let is_empty = result.is_err() && self.found == 0;
        let printed = if is_empty { Ok(()) } else { output.show(self) };
        result?;
        match printed {
            Err(Error::Output(error)) => Err(Error::Summary(error)),
            printed => printed.map(|()| self.exit_status()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept.len() as u64;
        for (name, count, is_always_shown) in [
            ("found", self.found, true),
            ("would send", self.would_send, self.dry_run),
            ("sent", self.sent, !self.dry_run),
            ("deleted", self.deleted, false),
            ("already gone", self.already_gone, false),
            ("skipped", self.skipped, false),
            ("kept", kept, true),
        ] {
            if is_always_shown || count > 0 {
                writeln!(f, "{name:13}{count:>8}")?;
            }
        }
        let mut by_reason: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for Kept { message, reason } in &self.kept {
            by_reason.entry(reason).or_default().push(message);
        }
        for (reason, messages) in by_reason {
            let reason = one_line(reason);
            if let [message] = *messages {
                writeln!(f, "  {}: {reason}", one_line(message))?;
                continue;
            }
            writeln!(f, "  {} messages: {reason}", messages.len())?;
            for message in messages.iter().take(MAX_NAMES) {
                writeln!(f, "    {}", one_line(message))?;
            }
            if let Some(more) = messages.len().checked_sub(MAX_NAMES).filter(|more| *more > 0) {
                writeln!(f, "    and {more} more, which --json names")?;
            }
        }
        self.remarks.iter().try_for_each(|remark| writeln!(f, "{remark}"))
    }
}

/// A number of things, such as `1 event` or `2 events`.
pub fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
