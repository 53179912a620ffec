//! The final account of a command: what became of every message, for people and for scripts, and the exit status.

use crate::error::Error;
use crate::error::ExitStatus;
use crate::output::Output;
use serde::Serialize;
use std::fmt;

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Sent, confirmed, and deleted from where it was.
    Moved,
    /// Sent and confirmed; somebody else had deleted it by then.
    SentAndGone,
    /// Gone before it was sent: somebody else's success.
    Gone,
    /// A dry run would have sent it.
    Sendable,
    /// Sent and confirmed, but still where it was.
    SentAndKept(String),
    /// Not sent, and still where it was.
    Kept(String),
    /// The filter leaves it where it is.
    Skipped,
}

/// A message that stayed where it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    message: String,
    reason: String,
}

/// How many messages came to what.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    dry_run: bool,
    interrupted: bool,
    found: u64,
    would_send: u64,
    sent: u64,
    deleted: u64,
    already_gone: u64,
    /// What the filter left where it is.
    skipped: u64,
    kept: Vec<Kept>,
}

impl Summary {
    pub fn new(dry_run: bool) -> Self {
        Self { dry_run, ..Self::default() }
    }

    pub fn find(&mut self, messages: u64) {
        self.found += messages;
    }

    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// Counts messages that a dry run would have sent.
    pub fn would_send(&mut self, messages: u64) {
        self.would_send += messages;
    }

    /// Enters what became of a message, called `message` where it has to be named.
    pub fn enter(&mut self, message: &str, outcome: Outcome) {
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

    /// How the command ended: an interruption tells a script more than what stayed because of it.
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self { interrupted: true, .. } => ExitStatus::Interrupted,
            Self { kept, .. } if !kept.is_empty() => ExitStatus::Incomplete,
            _ => ExitStatus::Success,
        }
    }

    /// Prints the account of a command with this outcome. Where trouble came before anything was found, there is none.
    pub fn close(&self, outcome: Result<(), Error>, output: &Output) -> Result<ExitStatus, Error> {
        let is_void = outcome.is_err() && self.found == 0;
        let printed = if is_void { Ok(()) } else { output.show(self) };
        outcome?;
        match printed {
            Err(Error::Output(error)) => Err(Error::Summary(error)),
            printed => printed.map(|()| self.exit_status()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, count: u64| writeln!(f, "{name:13}{count:>8}");
        line("found", self.found)?;
        if self.dry_run {
            line("would send", self.would_send)?;
        } else {
            line("sent", self.sent)?;
            line("deleted", self.deleted)?;
        }
        line("already gone", self.already_gone)?;
        if self.skipped > 0 {
            line("skipped", self.skipped)?;
        }
        line("kept", self.kept.len() as u64)?;
        for Kept { message, reason } in &self.kept {
            writeln!(f, "  {message}: {reason}")?;
        }
        if self.interrupted {
            writeln!(f, "interrupted: the same command does the rest")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
