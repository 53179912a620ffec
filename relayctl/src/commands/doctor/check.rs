//! The result of a check, and the report of all of them.

use crate::cli::GlobalArgs;
use crate::error::{AwsErrorKind, Error, ExitStatus};
use crate::sanitize::one_line;
use crate::summary::counted;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt;

/// From good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    NotChecked,
    /// It works, but needs attention.
    Warning,
    /// It does not work, or events are not consumed.
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: String,
    pub status: Status,
    pub message: String,
    /// What to do: advice, or commands for a shell, one per line.
    pub remediation: Option<String>,
    #[serde(skip)]
    has_commands: bool,
    /// The title above it.
    #[serde(skip)]
    section: &'static str,
}

impl Check {
    pub fn new(status: Status, name: impl Into<String>, message: impl AsRef<str>) -> Self {
        let (name, message) = (name.into(), one_line(message.as_ref()));
        Self { name, status, message, remediation: None, has_commands: false, section: "" }
    }

    pub fn ok(name: impl Into<String>, message: impl AsRef<str>) -> Self {
        Self::new(Status::Ok, name, message)
    }

    pub fn problem(name: impl Into<String>, message: impl AsRef<str>) -> Self {
        Self::new(Status::Problem, name, message)
    }

    pub fn advise(self, advice: impl Into<String>) -> Self {
        Self { remediation: Some(advice.into()), ..self }
    }

    /// The commands that repair it. There are none if the template cannot be read.
    pub fn run(self, commands: impl IntoIterator<Item = String>) -> Self {
        let commands: Vec<_> = commands.into_iter().collect();
        if commands.is_empty() {
            return self
                .advise("make it as in the template; a deployment of the same template does not");
        }
        Self { remediation: Some(commands.join("\n")), has_commands: true, ..self }
    }

    /// A check that got no result. A missing permission of the user's says nothing about the relay; other errors may.
    pub fn failed(name: impl Into<String>, error: &Error, args: &GlobalArgs) -> Self {
        let kind = error.aws_kind();
        let is_denied = kind == Some(AwsErrorKind::AccessDenied);
        let status = if is_denied { Status::NotChecked } else { Status::Problem };
        let check = Self::new(status, name, error.to_string());
        match error.remediation(args) {
            Some(advice) if !matches!(kind, Some(AwsErrorKind::NotFound | AwsErrorKind::Other)) => {
                check.advise(advice)
            }
            _ => check.run([args.relayctl("doctor")]),
        }
    }

    /// The same for what the relay does not need.
    pub fn failed_at_most_warning(name: &str, error: &Error, args: &GlobalArgs) -> Self {
        let check = Self::failed(name, error, args);
        Self { status: check.status.min(Status::Warning), ..check }
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    checks: Vec<Check>,
    status: Status,
    /// Columns to wrap messages to.
    #[serde(skip)]
    width: Option<usize>,
}

impl Report {
    pub fn new(sections: Vec<(&'static str, Vec<Check>)>, width: Option<usize>) -> Self {
        let checks = sections.into_iter().flat_map(|(section, checks)| {
            checks.into_iter().map(move |check| Check { section, ..check })
        });
        let checks: Vec<_> = checks.collect();
        let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
        Self { checks, status, width }
    }

    pub fn exit_status(&self) -> ExitStatus {
        match self.status {
            Status::Problem => ExitStatus::Incomplete,
            _ => ExitStatus::Success,
        }
    }

    fn conclusion(&self) -> String {
        let mut counts = Vec::new();
        for (status, noun, rest) in [
            (Status::Problem, "problem", ""),
            (Status::Warning, "warning", ""),
            (Status::NotChecked, "check", " not done"),
        ] {
            let count = self.checks.iter().filter(|check| check.status == status).count();
            if count > 0 {
                counts.push(counted(count as u64, noun) + rest);
            }
        }
        match self.status {
            Status::Ok => "Healthy.".to_owned(),
            Status::Problem => format!("{}.", counts.join(", ")),
            _ => format!("Healthy, with {}.", counts.join(", ")),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        let names = self.checks.iter().map(|check| check.name.chars().count()).max();
        let names = names.unwrap_or_default();
        let indent = names + 6;
        let mut title = "";
        for Check { section, name, status, message, remediation, has_commands } in &self.checks {
            if *section != title {
                title = section;
                writeln!(f, "{bold}{title}{bold:#}")?;
            }
            let (mark, colour) = status.mark();
            let message = wrap(message, indent, self.width);
            writeln!(f, "  {colour}{mark}{colour:#} {name:names$}  {message}")?;
            let Some(remediation) = remediation else { continue };
            if *has_commands {
                remediation.lines().try_for_each(|line| writeln!(f, "      {line}"))?;
            } else {
                let text = wrap(&format!("to fix: {remediation}"), indent, self.width);
                writeln!(f, "{:indent$}{dim}{text}{dim:#}", "")?;
            }
        }
        let (_, colour) = self.status.mark();
        writeln!(f, "{colour}{}{colour:#}", self.conclusion())
    }
}

/// Breaks a text between words; lines after the first are indented.
fn wrap(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let room = width.saturating_sub(indent).max(20);
    let (mut wrapped, mut column) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > room {
            wrapped += &format!("\n{:indent$}", "");
            column = 0;
        } else if column > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped += word;
        column += length;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(checks: Vec<Check>) -> Report {
        Report::new(vec![("Stack", checks)], Some(40))
    }

    #[test]
    fn the_worst_check_decides() {
        let check = |status| Check::new(status, "a", "b");
        for (statuses, exit_status, conclusion) in [
            (vec![Status::Ok], ExitStatus::Success, "Healthy."),
            (
                vec![Status::Warning, Status::NotChecked],
                ExitStatus::Success,
                "Healthy, with 1 warning, 1 check not done.",
            ),
            (
                vec![Status::Problem, Status::Problem, Status::Warning],
                ExitStatus::Incomplete,
                "2 problems, 1 warning.",
            ),
        ] {
            let report = report(statuses.into_iter().map(check).collect());
            assert_eq!(report.exit_status(), exit_status);
            assert_eq!(report.conclusion(), conclusion);
        }
    }

    #[test]
    fn messages_wrap_and_commands_do_not() {
        let command = "aws sqs create-queue --queue-name a-name-that-is-long --attributes {}";
        let message = "one two three four five six seven eight nine";
        let check = Check::problem("queue", message).run([command.to_owned()]);
        let text = report(vec![check]).to_string();
        assert!(text.lines().any(|line| line.trim() == command));
        assert!(text.lines().all(|line| line.trim() == command || line.chars().count() <= 60));
        assert!(text.contains("six\n           seven"), "{text}");
    }
}
