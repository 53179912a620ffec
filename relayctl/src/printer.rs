//! What a command prints on standard output: texts for people, in colour on a terminal, or JSON for scripts.

use crate::trouble::Trouble;
use anstream::AutoStream;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};
use terminal_size::{Width, terminal_size_of};

/// Prints for people or for scripts.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    /// One JSON value on each line, and nothing else.
    pub is_json: bool,
}

impl Printer {
    /// Prints a text, whose styles are left out where it does not go to a terminal, or `NO_COLOR` is set.
    pub fn text(self, text: impl Display) -> Result<(), Trouble> {
        print(|output| write!(output, "{text}"))
    }

    /// Prints a line; see [`Self::text`].
    pub fn line(self, line: impl Display) -> Result<(), Trouble> {
        print(|output| writeln!(output, "{line}"))
    }

    /// Prints a value as JSON on a line of its own.
    pub fn json(self, value: &impl Serialize) -> Result<(), Trouble> {
        let line = serde_json::to_string(value).map_err(io::Error::from);
        let line = line.map_err(Trouble::NotPrinted)?;
        print(|output| writeln!(output, "{line}"))
    }

    /// Says on standard error what a person should know meanwhile. Where nobody reads that, nothing else depends on it.
    pub fn note(self, note: impl Display) {
        let _ = writeln!(AutoStream::auto(io::stderr()), "{note}");
    }

    /// Warns on standard error, in the tool's name.
    pub fn warn(self, line: impl Display) {
        self.note(format_args!("relayctl: {line}"));
    }

    /// How many characters a line of the terminal has; `None` where there is no terminal.
    pub fn width(self) -> Option<usize> {
        let (Width(width), _) = terminal_size_of(io::stdout())?;
        Some(width.into())
    }

    /// Prints a value as scripts or as people want it.
    pub fn show(self, value: &(impl Serialize + Display)) -> Result<(), Trouble> {
        if self.is_json { self.json(value) } else { self.text(value) }
    }
}

fn print(
    write: impl FnOnce(&mut AutoStream<io::StdoutLock<'static>>) -> io::Result<()>,
) -> Result<(), Trouble> {
    let mut output = AutoStream::auto(io::stdout()).lock();
    let printed = write(&mut output).and_then(|()| output.flush());
    printed.map_err(Trouble::NotPrinted)
}
