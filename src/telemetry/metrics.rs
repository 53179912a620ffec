//! Every metric: its name, its unit and its dimension. The one place that says so: documents are compared with it.

use metrique_writer_core::Unit;
use metrique_writer_core::unit::{NegativeScale, PositiveScale};

/// What is counted or measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Requests that reached the function, uptime checks left out.
    Received,
    /// Events that their queue has confirmed.
    Queued,
    /// Events of a kind that nobody knows.
    Unrouted,
    /// Events that wait in the bucket, because their queue did not take them.
    Spilled,
    /// Events whose body went by way of the bucket.
    Pointer,
    /// Requests that were turned away.
    Refused,
    /// Requests that were refused although one of our secrets signed them: events that their sender has lost.
    RefusedWithValidSignature,
    /// Requests that were answered 503.
    Failed,
    /// Requests from an address that may not send, refused or only observed.
    SourceNotAllowed,
    /// Requests for which no newer secret could be fetched than one that is over its age limit.
    SecretStale,
    /// Size of the body.
    BodyBytes,
    /// From a request's arrival to its answer.
    TotalTime,
    /// Fetching the secret.
    SecretTime,
    /// Storing a payload.
    PayloadTime,
    /// Sending to the queue, all attempts together.
    QueueTime,
    /// Spilling.
    SpillTime,
}

/// What a metric is divided by. Each value of one is another metric to pay for, so there are few, from closed sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The entity of the event.
    Entity,
    /// The error code of the answer.
    Reason,
}

impl Dimension {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entity => "Entity",
            Self::Reason => "Reason",
        }
    }
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Received,
        Self::Queued,
        Self::Unrouted,
        Self::Spilled,
        Self::Pointer,
        Self::Refused,
        Self::RefusedWithValidSignature,
        Self::Failed,
        Self::SourceNotAllowed,
        Self::SecretStale,
        Self::BodyBytes,
        Self::TotalTime,
        Self::SecretTime,
        Self::PayloadTime,
        Self::QueueTime,
        Self::SpillTime,
    ];

    /// Its name in CloudWatch.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "Received",
            Self::Queued => "Queued",
            Self::Unrouted => "Unrouted",
            Self::Spilled => "Spilled",
            Self::Pointer => "Pointer",
            Self::Refused => "Refused",
            Self::RefusedWithValidSignature => "RefusedWithValidSignature",
            Self::Failed => "Failed",
            Self::SourceNotAllowed => "SourceNotAllowed",
            Self::SecretStale => "SecretStale",
            Self::BodyBytes => "BodyBytes",
            Self::TotalTime => "TotalTime",
            Self::SecretTime => "SecretTime",
            Self::PayloadTime => "PayloadTime",
            Self::QueueTime => "QueueTime",
            Self::SpillTime => "SpillTime",
        }
    }

    /// Its unit.
    pub fn unit(self) -> Unit {
        match self {
            Self::Received
            | Self::Queued
            | Self::Unrouted
            | Self::Spilled
            | Self::Pointer
            | Self::Refused
            | Self::RefusedWithValidSignature
            | Self::Failed
            | Self::SourceNotAllowed
            | Self::SecretStale => Unit::Count,
            Self::BodyBytes => Unit::Byte(PositiveScale::One),
            Self::TotalTime
            | Self::SecretTime
            | Self::PayloadTime
            | Self::QueueTime
            | Self::SpillTime => Unit::Second(NegativeScale::Milli),
        }
    }

    /// What it is divided by, beside being counted as a whole.
    pub fn dimension(self) -> Option<Dimension> {
        match self {
            Self::Queued => Some(Dimension::Entity),
            Self::Refused => Some(Dimension::Reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
