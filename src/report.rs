//! What the stages of a request learned beside their results, for its log line.

use std::time::Duration;

/// Facts about a request beside its outcome.
#[derive(Debug, Default)]
pub struct Report {
    /// How long the stages took.
    pub durations: StageDurations,
    /// Why the request was checked against secrets over their age limit, if it was: the error with its causes.
    pub stale_reason: Option<String>,
    /// Whether the request was refused although its signature is valid. If Labelbox sent it, the event is lost.
    pub refused_with_valid_signature: bool,
}

/// How long each stage took, whether it succeeded or not; `None` for a stage that was not needed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct StageDurations {
    /// Fetching the secret. Most requests find it in memory.
    pub secret: Option<Duration>,
    /// Storing a payload.
    pub payload: Option<Duration>,
    /// Sending to the queue, all attempts together.
    pub queue: Option<Duration>,
    /// Spilling.
    pub spill: Option<Duration>,
}
