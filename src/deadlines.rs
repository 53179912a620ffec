//! How long each stage of a request may take.

use aws_lite::BoxError;
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The limit from a request's arrival to its response. With 1 s for a cold start and the time to read a large event, the
/// sender waits less than 10 s.
const MAX_DURATION: Duration = Duration::from_secs(8);

/// The response has to leave the function this long before Lambda ends the invocation.
const LAMBDA_MARGIN: Duration = Duration::from_millis(500);

/// When each stage has to end, as a fraction of the whole time. What a stage does not need is left to the next ones.
const SECRET_FRACTION: f64 = 0.3;
const PAYLOAD_FRACTION: f64 = 0.55;
const QUEUE_FRACTION: f64 = 0.67;

/// The deadlines of one request.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Fetching the secret. Ends early enough to verify the request with an older value.
    pub secret: Deadline,
    /// Storing a payload, so that its pointer can go to the queue.
    pub payload: Deadline,
    /// Sending to the queue. Ends early enough to spill.
    pub queue: Deadline,
    /// Spilling, the last stage.
    pub spill: Deadline,
}

/// The time by which a stage has to end.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// A stage did not end before its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline was exceeded")]
pub struct DeadlineExceeded;

impl Deadlines {
    /// The deadlines of a request that arrives now, if Lambda ends its invocation after `remaining`.
    pub fn starting_now(remaining: Option<Duration>) -> Self {
        let remaining = remaining.map(|remaining| remaining.saturating_sub(LAMBDA_MARGIN));
        let total = remaining.unwrap_or(MAX_DURATION).min(MAX_DURATION);
        let start = now();
        let after = |fraction| Deadline(start + total.mul_f64(fraction));
        Self {
            secret: after(SECRET_FRACTION),
            payload: after(PAYLOAD_FRACTION),
            queue: after(QUEUE_FRACTION),
            spill: after(1.0),
        }
    }
}

impl Deadline {
    /// The deadline of something that may take `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self(now() + limit)
    }

    /// This deadline, or `limit` from now if that is earlier.
    pub fn within(self, limit: Duration) -> Self {
        Self(self.0.min(now() + limit))
    }

    /// Runs a stage until the deadline, and measures how long it takes.
    ///
    /// # Errors
    /// Returns the error of the stage, or [`DeadlineExceeded`] as an error of the same type.
    pub async fn run<T, E: From<BoxError>>(
        self,
        duration: &mut Option<Duration>,
        stage: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let start = now();
        let result = timeout_at(self.0, stage).await;
        *duration = Some(now() - start);
        result.unwrap_or_else(|_| Err(BoxError::from(DeadlineExceeded).into()))
    }
}

#[expect(clippy::disallowed_methods, reason = "deadlines follow tokio's clock, which tests pause")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
