//! Asks the person at the terminal. Where there is no terminal, nobody is asked and nothing is taken for granted.

use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::thread;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// More than Secrets Manager keeps, and than any key has.
const MOST_BYTES: u64 = 65_536;

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    Given(T),
    /// They do not want it, or pressed Ctrl-C. The command ends so, and has changed nothing.
    Withheld(ExitStatus),
}

/// Says what is about to be done, and asks whether to do it. `yes` is the answer that came with the command.
///
/// # Errors
/// Without an answer and without a terminal.
pub async fn confirm(
    context: &Context,
    about: &str,
    question: &str,
    yes: bool,
) -> Result<Answer<()>, Error> {
    context.output.note(about);
    if yes {
        return Ok(Answer::Given(()));
    }
    check_terminal("--yes to do it without being asked")?;
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let line = aside(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = line => line.unwrap_or_default(),
        () = context.interrupt.pressed() => return Ok(withhold(context, ExitStatus::Interrupted)),
    };
    Ok(if is_yes(&line) { Answer::Given(()) } else { withhold(context, ExitStatus::Incomplete) })
}

/// Asks for something that nobody may read over a shoulder.
///
/// # Errors
/// Without a terminal.
pub async fn hidden(context: &Context, prompt: String) -> Result<Answer<Zeroizing<String>>, Error> {
    check_terminal("--stdin to read it from standard input")?;
    // Not cut short by Ctrl-C: it ends by itself then, after it has made the terminal show again what is typed.
    match aside(|| rpassword::prompt_password(prompt)).await {
        Ok(text) => Ok(Answer::Given(Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            Ok(withhold(context, ExitStatus::Interrupted))
        }
        Err(_) => Ok(withhold(context, ExitStatus::Incomplete)),
    }
}

/// Reads standard input to its end.
///
/// # Errors
/// When it cannot be read, is no text, or does not end.
pub async fn standard_input(context: &Context) -> Result<Answer<Zeroizing<String>>, Error> {
    let text = aside(|| read_text(io::stdin().lock()));
    tokio::select! {
        text = text => match text {
            Ok(text) => Ok(Answer::Given(text)),
            Err(error) => Err(Error::Usage(format!("standard input cannot be read: {error}"))),
        },
        () = context.interrupt.pressed() => Ok(withhold(context, ExitStatus::Interrupted)),
    }
}

/// Reads a text that is short, as secrets and keys are.
pub fn read_text(input: impl Read) -> io::Result<Zeroizing<String>> {
    // As large as it may become, so that it leaves no copies behind while it grows.
    let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES as usize + 1));
    let bytes = input.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if bytes as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("it is over {MOST_BYTES} bytes")));
    }
    Ok(text)
}

fn withhold<T>(context: &Context, exit_status: ExitStatus) -> Answer<T> {
    context.output.warn("nothing was changed");
    Answer::Withheld(exit_status)
}

fn check_terminal(instead: &str) -> Result<(), Error> {
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "there is no terminal to ask on, and nothing was changed; give {instead}"
    )))
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Waits for what blocks on a thread of its own: unlike the runtime's, nobody waits for that thread at the end.
async fn aside<T: Send + 'static>(
    wait: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, answer) = oneshot::channel();
    thread::spawn(move || done.send(wait()));
    answer.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
