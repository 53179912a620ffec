//! The course of a request: the time that each step may take and has taken, and troubles that did not stop it.

use crate::deadlines::Deadlines;
use crate::error::error_chain;
use crate::secrets::FetchError;
use std::time::Duration;

/// What is known of a request on its way, beside what it comes to.
#[derive(Debug)]
pub struct RequestContext {
    /// When each step has to be over.
    pub schedule: Deadlines,
    /// How long the steps took that were taken.
    pub times: Times,
    /// What went wrong when the secret was fetched, if an older one was there to go on with.
    pub refresh_error: Option<RefreshError>,
    /// Whether its source address may send. One that may not is let in where that is only observed.
    pub is_source_allowed: bool,
    /// Whether it was refused although one of our secrets signed it: an event that its sender has lost.
    pub is_signed_but_refused: bool,
}

/// How long each step took, whether it came to anything or not; nothing for a step that was not taken.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Fetching the secret. Most requests find it in memory.
    pub secret: Option<Duration>,
    /// Storing a payload.
    pub payload: Option<Duration>,
    /// Sending to the queue, all attempts together.
    pub queue: Option<Duration>,
    /// Spilling.
    pub spill: Option<Duration>,
}

/// Why there is no newer secret than the one that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshError {
    /// The error with all its causes.
    pub cause: String,
    /// Whether the one that was used is over its age limit.
    pub is_stale: bool,
}

impl RefreshError {
    /// A fetch that failed with `error`.
    pub fn new(error: &FetchError, is_stale: bool) -> Self {
        Self {
            cause: error_chain(error),
            is_stale,
        }
    }
}

impl RequestContext {
    /// The course of a request that comes in now, and that Lambda lets us work on for `left`, if it says so.
    pub fn starting_now(left: Option<Duration>) -> Self {
        Self {
            schedule: Deadlines::starting_now(left),
            times: Times::default(),
            refresh_error: None,
            is_source_allowed: true,
            is_signed_but_refused: false,
        }
    }
}
