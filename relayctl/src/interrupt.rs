//! Ctrl-C or SIGTERM: the first lets the command finish what it has begun, the second ends the process at once.

use crate::error::{Error, ExitStatus, INTERRUPTED};
use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// A command that has nothing to finish ends sooner, and says nothing.
const NOTICE_DELAY: Duration = Duration::from_millis(500);

/// Whether, and when, Ctrl-C was pressed.
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    pub fn listen() -> Self {
        let (pressed, receiver) = watch::channel(false);
        tokio::spawn(async move {
            if termination_signal().await.is_err() {
                // Without a handler, Ctrl-C ends the process, which loses no message either.
                return pressed.closed().await;
            }
            let _ = pressed.send(true);
            if timeout(NOTICE_DELAY, termination_signal()).await.is_err() {
                let line = "relayctl: finishing what has begun; Ctrl-C again ends at once";
                let _ = writeln!(io::stderr(), "{line}");
                let _ = termination_signal().await;
            }
            std::process::exit(INTERRUPTED.into());
        });
        Self(receiver)
    }

    pub fn is_pressed(&self) -> bool {
        *self.0.borrow()
    }

    /// Runs what changes nothing; Ctrl-C ends it.
    pub async fn cancels<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        tokio::select! {
            outcome = work => outcome.map_err(Into::into),
            () = self.pressed() => Err(Error::Cancelled(ExitStatus::Interrupted)),
        }
    }

    /// Completes when Ctrl-C is pressed.
    pub async fn pressed(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|pressed| *pressed).await.is_err() {
            std::future::pending().await
        }
    }
}

/// Waits for SIGINT or SIGTERM.
#[cfg(unix)]
async fn termination_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn termination_signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
