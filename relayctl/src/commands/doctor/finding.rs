//! What a check came to: one line each for people, one value for scripts, and the report of all of them.

use crate::error::ExitStatus;
use crate::error::Error;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt;

/// How well something is, from well to ill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// It could not be looked at.
    NotChecked,
    /// It works, but is worth a look.
    Warning,
    /// It does not work, or events wait for somebody.
    Problem,
}

impl Status {
    fn mark(self) -> (&'static str, Style) {
        let (mark, colour) = match self {
            Self::Ok => ("✓", AnsiColor::Green),
            Self::NotChecked | Self::Warning => ("!", AnsiColor::Yellow),
            Self::Problem => ("✗", AnsiColor::Red),
        };
        (mark, colour.on_default())
    }
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub name: String,
    pub status: Status,
    pub says: String,
    /// What to type, or to do; always there where something is not well.
    pub mend: Option<String>,
}

impl Finding {
    pub fn ok(name: impl Into<String>, says: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Ok, says: says.into(), mend: None }
    }

    pub fn not_checked(
        name: impl Into<String>,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::with(Status::NotChecked, name, says, mend)
    }

    pub fn warning(
        name: impl Into<String>,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::with(Status::Warning, name, says, mend)
    }

    pub fn problem(
        name: impl Into<String>,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::with(Status::Problem, name, says, mend)
    }

    /// What a question came to that got no answer. A missing permission says nothing about the relay, anything else might.
    pub fn of_trouble(name: impl Into<String>, error: &Error) -> Self {
        let line = error.line();
        let (says, mend) = line.rsplit_once("; ").unwrap_or((&line, "try again"));
        let status = match error {
            Error::NotAllowed { .. } => Status::NotChecked,
            _ => Status::Problem,
        };
        Self::with(status, name, says, mend)
    }

    fn with(
        status: Status,
        name: impl Into<String>,
        says: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { status, mend: Some(mend.into()), ..Self::ok(name, says) }
    }
}

/// The findings about one part of the relay.
#[derive(Debug)]
pub struct Section {
    pub title: &'static str,
    pub findings: Vec<Finding>,
}

/// All that was found.
#[derive(Debug)]
pub struct Report(pub Vec<Section>);

impl Report {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().flat_map(|section| &section.findings)
    }

    fn count(&self, status: Status) -> usize {
        let such = self.findings().filter(|finding| finding.status == status);
        such.count()
    }

    fn status(&self) -> Status {
        let all = self.findings().map(|finding| finding.status);
        all.max().unwrap_or(Status::Ok)
    }

    pub fn exit_status(&self) -> ExitStatus {
        match self.status() {
            Status::Problem => ExitStatus::Incomplete,
            _ => ExitStatus::Success,
        }
    }

    fn last_sentence(&self) -> String {
        let looks = self.count(Status::Warning) + self.count(Status::NotChecked);
        match (self.count(Status::Problem), looks) {
            (0, 0) => "All is well.".to_owned(),
            (0, 1) => "All is well, but 1 thing is worth a look.".to_owned(),
            (0, _) => format!("All is well, but {looks} things are worth a look."),
            (1, 0) => "1 thing needs you.".to_owned(),
            (1, _) => format!("1 thing needs you; {looks} more worth a look."),
            (problems, 0) => format!("{problems} things need you."),
            (problems, _) => format!("{problems} things need you; {looks} more worth a look."),
        }
    }
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'r> {
            checks: Vec<&'r Finding>,
            status: Status,
        }
        let flat = Flat { checks: self.findings().collect(), status: self.status() };
        flat.serialize(serializer)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        let names = self.findings().map(|finding| finding.name.chars().count());
        let width = names.max().unwrap_or_default();
        for Section { title, findings } in &self.0 {
            writeln!(f, "{bold}{title}{bold:#}")?;
            for finding in findings {
                let (mark, colour) = finding.status.mark();
                let (name, says) = (&finding.name, &finding.says);
                writeln!(f, "  {colour}{mark}{colour:#} {name:width$}  {says}")?;
                if let Some(mend) = &finding.mend {
                    writeln!(f, "    {:width$}  {dim}mend:{dim:#} {mend}", "")?;
                }
            }
        }
        let (_, colour) = self.status().mark();
        writeln!(f, "{colour}{}{colour:#}", self.last_sentence())
    }
}

#[cfg(test)]
mod tests;
