//! The result of a check, and the report of all of them.

use super::CheckContext;
use crate::error::{AwsErrorKind, Error, ExitStatus};
use crate::sanitize::one_line;
use anstyle::{AnsiColor, Style};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
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

/// What to do about a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Remediation {
    Text(String),
    /// Commands for a shell, one per line.
    Commands(String),
}

impl From<&str> for Remediation {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Remediation {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<String>> for Remediation {
    fn from(commands: Vec<String>) -> Self {
        Self::Commands(commands.join("\n"))
    }
}

impl<const N: usize> From<[String; N]> for Remediation {
    fn from(commands: [String; N]) -> Self {
        Self::Commands(commands.join("\n"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: String,
    pub status: Status,
    pub message: String,
    pub remediation: Option<Remediation>,
}

impl Check {
    pub fn new(
        status: Status,
        name: impl Into<String>,
        message: impl AsRef<str>,
        remediation: impl Into<Remediation>,
    ) -> Self {
        Self { status, remediation: Some(remediation.into()), ..Self::ok(name, message) }
    }

    pub fn ok(name: impl Into<String>, message: impl AsRef<str>) -> Self {
        let message = one_line(message.as_ref());
        Self { name: name.into(), status: Status::Ok, message, remediation: None }
    }

    pub fn problem(
        name: impl Into<String>,
        message: impl AsRef<str>,
        remediation: impl Into<Remediation>,
    ) -> Self {
        Self::new(Status::Problem, name, message, remediation)
    }

    /// A check that got no result. A missing permission of the user's says nothing about the relay; other errors may.
    pub fn failed(name: impl Into<String>, error: &Error, scope: &CheckContext<'_>) -> Self {
        let args = &scope.context.args;
        let (status, remediation) = match error.aws_kind() {
            Some(AwsErrorKind::AccessDenied) => (Status::NotChecked, error.remediation(args)),
            Some(AwsErrorKind::NotFound | AwsErrorKind::Other) => (Status::Problem, None),
            _ => (Status::Problem, error.remediation(args)),
        };
        let again = || Remediation::from([args.relayctl("doctor")]);
        Self::new(
            status,
            name,
            error.to_string(),
            remediation.map_or_else(again, Remediation::Text),
        )
    }

    /// The same for what the relay does not need.
    pub fn failed_at_most_warning(name: &str, error: &Error, scope: &CheckContext<'_>) -> Self {
        let check = Self::failed(name, error, scope);
        Self { status: check.status.min(Status::Warning), ..check }
    }
}

#[derive(Debug)]
pub struct Report {
    /// The checks under their titles.
    pub sections: Vec<(&'static str, Vec<Check>)>,
    /// Columns to wrap messages to.
    pub width: Option<usize>,
}

impl Report {
    fn checks(&self) -> impl Iterator<Item = &Check> {
        self.sections.iter().flat_map(|(_, checks)| checks)
    }

    fn status(&self) -> Status {
        self.checks().map(|check| check.status).max().unwrap_or(Status::Ok)
    }

    pub fn exit_status(&self) -> ExitStatus {
        match self.status() {
            Status::Problem => ExitStatus::Incomplete,
            _ => ExitStatus::Success,
        }
    }

    fn conclusion(&self) -> String {
        let counts = [
            (Status::Problem, "problem", "problems"),
            (Status::Warning, "warning", "warnings"),
            (Status::NotChecked, "check not done", "checks not done"),
        ];
        let counts = counts.map(|(status, one, many)| {
            match self.checks().filter(|check| check.status == status).count() {
                0 => String::new(),
                1 => format!("1 {one}"),
                count => format!("{count} {many}"),
            }
        });
        let counts: Vec<_> = counts.into_iter().filter(|it| !it.is_empty()).collect();
        match self.status() {
            _ if counts.is_empty() => "Healthy.".to_owned(),
            Status::Problem => format!("{}.", counts.join(", ")),
            _ => format!("Healthy, with {}.", counts.join(", ")),
        }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Report", 2)?;
        fields.serialize_field("checks", &self.checks().collect::<Vec<_>>())?;
        fields.serialize_field("status", &self.status())?;
        fields.end()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        let names = self.checks().map(|check| check.name.chars().count()).max().unwrap_or_default();
        let indent = names + 6;
        for (title, checks) in &self.sections {
            writeln!(f, "{bold}{title}{bold:#}")?;
            for Check { name, status, message, remediation } in checks {
                let (mark, colour) = status.mark();
                let message = wrap(message, indent, self.width);
                writeln!(f, "  {colour}{mark}{colour:#} {name:names$}  {message}")?;
                match remediation {
                    None => {}
                    Some(Remediation::Text(text)) => {
                        let text = wrap(&format!("to fix: {text}"), indent, self.width);
                        writeln!(f, "{:indent$}{dim}{text}{dim:#}", "")?;
                    }
                    Some(Remediation::Commands(commands)) => {
                        commands.lines().try_for_each(|line| writeln!(f, "      {line}"))?;
                    }
                }
            }
        }
        let (_, colour) = self.status().mark();
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
        Report { sections: vec![("Stack", checks)], width: Some(40) }
    }

    #[test]
    fn the_worst_check_decides() {
        let check = |status| Check::new(status, "a", "b", "c");
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
        let remediation = [command.to_owned()];
        let message = "one two three four five six seven eight nine";
        let text = report(vec![Check::problem("queue", message, remediation)]);
        let text = text.to_string();
        assert!(text.lines().any(|line| line.trim() == command));
        assert!(text.lines().all(|line| line.trim() == command || line.chars().count() <= 60));
        assert!(text.contains("six\n           seven"), "{text}");
    }
}
