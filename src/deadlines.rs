//! How the time that one answer may take is divided among what has to be done for it.

use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, error::Elapsed, timeout_at};

/// From a request's arrival to its answer, whatever hangs. With a cold start, which takes little over 1 s when the secret
/// cannot be had, and with a large event on a small processor, the sender waits less than 10 s.
const LONGEST: Duration = Duration::from_secs(8);
/// An answer has to leave the function before Lambda ends it.
const BEFORE_LAMBDAS_DEADLINE: Duration = Duration::from_millis(500);

/// Shares of the time by whose end a step must be over. A step that needs less leaves the rest to the next ones.
const FETCH: f64 = 0.3;
const PROOF: f64 = 0.35;
const PAYLOAD: f64 = 0.55;
const QUEUE: f64 = 0.67;

/// When each step has to be over.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    fetch: Instant,
    proof: Instant,
    payload: Instant,
    queue: Instant,
    end: Instant,
}

impl Deadlines {
    /// The schedule of a request that comes in now, and that Lambda lets us work on for `left`, if it says so.
    pub fn starting_now(left: Option<Duration>) -> Self {
        let left = left.map(|left| left.saturating_sub(BEFORE_LAMBDAS_DEADLINE));
        let total = left.unwrap_or(LONGEST).min(LONGEST);
        let start = now();
        Self {
            fetch: start + total.mul_f64(FETCH),
            proof: start + total.mul_f64(PROOF),
            payload: start + total.mul_f64(PAYLOAD),
            queue: start + total.mul_f64(QUEUE),
            end: start + total,
        }
    }

    /// Fetching secrets: gives up early enough to authenticate the sender with an old value.
    pub async fn fetch<F: Future>(&self, step: F) -> Result<F::Output, DeadlineExceeded> {
        within(self.fetch, step).await
    }

    /// Proving who sent the event, secrets fetched and all.
    pub async fn proof<F: Future>(&self, step: F) -> Result<F::Output, DeadlineExceeded> {
        within(self.proof, step).await
    }

    /// Storing a payload, so that its pointer can go to the queue.
    pub async fn payload<F: Future>(&self, step: F) -> Result<F::Output, DeadlineExceeded> {
        within(self.payload, step).await
    }

    /// Sending to the queue: gives up early enough to spill.
    pub async fn queue<F: Future>(&self, step: F) -> Result<F::Output, DeadlineExceeded> {
        within(self.queue, step).await
    }

    /// Spilling, the last resort.
    pub async fn spill<F: Future>(&self, step: F) -> Result<F::Output, DeadlineExceeded> {
        within(self.end, step).await
    }
}

/// The time by the clock that runs all time limits.
#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock runs its time limits; tests pause it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Measures a step. It does not take the step as a future: each layer around one is a copy of all that it holds.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    pub fn start() -> Self {
        Self(now())
    }

    /// How long it has been.
    pub fn time(self) -> Duration {
        now() - self.0
    }
}

/// A step took longer than its share of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it took too long")]
pub struct DeadlineExceeded;

async fn within<F: Future>(limit: Instant, step: F) -> Result<F::Output, DeadlineExceeded> {
    timeout_at(limit, step)
        .await
        .map_err(|_: Elapsed| DeadlineExceeded)
}

#[cfg(test)]
mod tests;
