//! Everything that is printed: text for people, in colour on a terminal, or JSON for scripts; warnings; progress bars.

use crate::error::Error;
use crate::sanitize::escape_json;
use anstream::AutoStream;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::cell::OnceCell;
use std::fmt::Display;
use std::io::{self, Write};
use terminal_size::{Width, terminal_size_of};

const PROGRESS_TEMPLATE: &str = "{msg:9} {wide_bar} {pos} of {len}, {eta} to go";
const TIMELINE_TEMPLATE: &str = "{msg} {wide_bar} {percent}% of the time";

/// What a command is about.
#[derive(Debug, Serialize)]
pub struct Target {
    pub account: String,
    pub region: String,
    pub stack: String,
}

/// Prints for people or for scripts.
#[derive(Debug)]
pub struct Output {
    /// One JSON value on each line of standard output, and nothing else.
    pub is_json: bool,
    target: OnceCell<Target>,
}

/// A JSON object with what it is about.
#[derive(Serialize)]
struct WithTarget<'t, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'t Target>,
    #[serde(flatten)]
    value: &'t T,
}

impl Output {
    pub fn new(is_json: bool) -> Self {
        Self { is_json, target: OnceCell::new() }
    }

    /// From now on, JSON objects have this as `target`.
    pub fn set_target(&self, target: Target) {
        let _ = self.target.set(target);
    }

    /// Prints the target on standard error, before a command changes it.
    pub fn announce_target(&self) {
        if let Some(Target { account, region, stack }) = self.target.get() {
            self.warn(format_args!("account {account}, region {region}, stack {stack}"));
        }
    }

    /// Prints text. Its styles are left out if it does not go to a terminal, or `NO_COLOR` is set.
    pub fn text(&self, text: impl Display) -> Result<(), Error> {
        print(|output| write!(output, "{text}"))
    }

    /// Prints a line; see [`Self::text`].
    pub fn line(&self, line: impl Display) -> Result<(), Error> {
        print(|output| writeln!(output, "{line}"))
    }

    /// Prints an object as JSON, with the target.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Error> {
        self.json_line(&WithTarget { target: self.target.get(), value })
    }

    /// Prints JSON on a line of its own: one of many.
    pub fn json_line(&self, value: &impl Serialize) -> Result<(), Error> {
        let line = serde_json::to_string(value).map_err(io::Error::from);
        let line = escape_json(&line.map_err(Error::Output)?);
        print(|output| writeln!(output, "{line}"))
    }

    /// Prints an object as scripts or as people want it.
    pub fn show(&self, value: &(impl Serialize + Display)) -> Result<(), Error> {
        if self.is_json { self.json(value) } else { self.text(value) }
    }

    /// Prints an object as JSON for scripts, or a line for people.
    pub fn show_line(&self, value: &impl Serialize, line: impl Display) -> Result<(), Error> {
        if self.is_json { self.json(value) } else { self.line(line) }
    }

    /// Prints to standard error. The command goes on if that fails.
    pub fn note(&self, note: impl Display) {
        let _ = writeln!(AutoStream::auto(io::stderr()), "{note}");
    }

    /// Prints to standard error, with the tool's name.
    pub fn warn(&self, line: impl Display) {
        self.note(format_args!("relayctl: {line}"));
    }

    /// Columns of the terminal; `None` if standard output is no terminal.
    pub fn width(&self) -> Option<usize> {
        let (Width(width), _) = terminal_size_of(io::stdout())?;
        Some(width.into())
    }

    /// A progress bar for `count` messages on standard error. It hides itself where that is no terminal.
    pub fn progress(&self, label: &'static str, count: u64) -> ProgressBar {
        progress_bar(count, PROGRESS_TEMPLATE).with_message(label)
    }

    /// The same for a stretch of time, of which nobody knows how many messages it has.
    pub fn timeline(&self, length: u64) -> ProgressBar {
        progress_bar(length, TIMELINE_TEMPLATE)
    }
}

fn progress_bar(length: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn print(
    write: impl FnOnce(&mut AutoStream<io::StdoutLock<'static>>) -> io::Result<()>,
) -> Result<(), Error> {
    let mut output = AutoStream::auto(io::stdout()).lock();
    let printed = write(&mut output).and_then(|()| output.flush());
    printed.map_err(Error::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_templates_are_valid() {
        for template in [PROGRESS_TEMPLATE, TIMELINE_TEMPLATE] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
