//! Questions to the person at the terminal, and what is given on standard input.

use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::sanitize::sanitize;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::thread;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// The size limit of Secrets Manager; no API key is as long.
const MAX_BYTES: u64 = 65_536;

/// Says what is about to be done, and asks whether to do it: without a yes, it returns an error. `yes` is the option of that name.
pub async fn confirm(
    context: &Context,
    about: &str,
    question: &str,
    yes: bool,
) -> Result<(), Error> {
    context.output.note(sanitize(about));
    if yes {
        return Ok(());
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Error::Usage(
            "there is no terminal to ask on, and nothing was changed; give --yes to do it without being asked".to_owned(),
        ));
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let line = on_thread(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = context.interrupt.cancels(async { Ok::<_, Error>(line.await.unwrap_or_default()) });
    let line = line.await;
    if !line.as_ref().is_ok_and(|line| line.ends_with('\n')) {
        let _ = writeln!(io::stderr());
    }
    if is_yes(&line?) { Ok(()) } else { Err(Error::Cancelled(ExitStatus::Incomplete)) }
}

/// Reads a short text from standard input.
pub async fn standard_input(context: &Context) -> Result<Zeroizing<String>, Error> {
    let text = on_thread(|| read_text(io::stdin().lock()));
    let failed = |error| Error::Usage(format!("standard input cannot be read: {error}"));
    context.interrupt.cancels(async { text.await.map_err(failed) }).await
}

/// Reads a short text, such as a secret or a key.
pub fn read_text(input: impl Read) -> io::Result<Zeroizing<String>> {
    // With its final capacity, so that it leaves no copies behind while it grows.
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES as usize + 1));
    let bytes = input.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if bytes as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is over {MAX_BYTES} bytes")));
    }
    Ok(text)
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Runs blocking work on a thread of its own: unlike the runtime's threads, it does not delay the end of the program.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (done, result) = oneshot::channel();
    thread::spawn(move || done.send(work()));
    result.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
