//! What the stages of a request learned beside their results, for its log line.

use crate::secrets::RefreshError;
use std::time::Duration;

/// What is known of a request beside its outcome.
#[derive(Debug, Default)]
pub struct Report {
    /// How long the stages took.
    pub durations: StageDurations,
    /// Why the request was verified with an older secret than the current one, if it was.
    pub refresh_error: Option<RefreshError>,
    /// Whether the request was refused although it has a valid signature: its sender lost an event.
    pub has_valid_signature: bool,
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
