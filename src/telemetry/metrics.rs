//! The metrics, with their units and dimensions. Tests compare `docs/configuration.md` and `template.yaml` with them.

use metrique_writer_core::Unit;
use metrique_writer_core::unit::{NegativeScale, PositiveScale};

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name in CloudWatch.
    pub name: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The dimension by which it is also published.
    pub dimension: Option<Dimension>,
}

/// A dimension. CloudWatch bills each of its values as a separate metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The entity of the event.
    Entity,
    /// The error code of the response.
    Reason,
}

impl Dimension {
    /// Its name in CloudWatch.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entity => "Entity",
            Self::Reason => "Reason",
        }
    }
}

impl Metric {
    /// HTTP requests that reached the function, without health checks.
    pub const RECEIVED: Self = Self::count("Received");
    /// Events that their queue confirmed.
    pub const QUEUED: Self = Self::count("Queued").by(Dimension::Entity);
    /// Events with an unknown topic, no topic, or an unreadable body.
    pub const UNROUTED: Self = Self::count("Unrouted");
    /// Events that are in the bucket because their queue did not confirm them.
    pub const SPILLED: Self = Self::count("Spilled");
    /// Events whose message is a pointer to a payload.
    pub const POINTER: Self = Self::count("Pointer");
    /// Events that are durable, but could not be archived.
    pub const ARCHIVE_FAILED: Self = Self::count("ArchiveFailed");
    /// Requests that were refused.
    pub const REFUSED: Self = Self::count("Refused").by(Dimension::Reason);
    /// Requests that were refused although they have a valid signature: their sender lost an event.
    pub const REFUSED_WITH_VALID_SIGNATURE: Self = Self::count("RefusedWithValidSignature");
    /// Requests that got a 503.
    pub const FAILED: Self = Self::count("Failed");
    /// Requests from an address that is not in the allowlist, refused or only observed.
    pub const SOURCE_NOT_ALLOWED: Self = Self::count("SourceNotAllowed");
    /// Requests whose fetch of the secret failed while the value in memory was over its age limit. For 30 s after it, others use
    /// that value and are not counted.
    pub const SECRET_STALE: Self = Self::count("SecretStale");
    /// The size of a body.
    pub const BODY_BYTES: Self = Self::new("BodyBytes", Unit::Byte(PositiveScale::One));
    /// The time from a request's arrival to its response.
    pub const TOTAL_TIME: Self = Self::milliseconds("TotalTime");
    /// The time to fetch the secret.
    pub const SECRET_TIME: Self = Self::milliseconds("SecretTime");
    /// The time to store a payload.
    pub const PAYLOAD_TIME: Self = Self::milliseconds("PayloadTime");
    /// The time to send to the queue, all attempts together.
    pub const QUEUE_TIME: Self = Self::milliseconds("QueueTime");
    /// The time to spill.
    pub const SPILL_TIME: Self = Self::milliseconds("SpillTime");

    /// All metrics.
    pub const ALL: [Self; 17] = [
        Self::RECEIVED,
        Self::QUEUED,
        Self::UNROUTED,
        Self::SPILLED,
        Self::POINTER,
        Self::ARCHIVE_FAILED,
        Self::REFUSED,
        Self::REFUSED_WITH_VALID_SIGNATURE,
        Self::FAILED,
        Self::SOURCE_NOT_ALLOWED,
        Self::SECRET_STALE,
        Self::BODY_BYTES,
        Self::TOTAL_TIME,
        Self::SECRET_TIME,
        Self::PAYLOAD_TIME,
        Self::QUEUE_TIME,
        Self::SPILL_TIME,
    ];

    const fn new(name: &'static str, unit: Unit) -> Self {
        Self { name, unit, dimension: None }
    }

    const fn count(name: &'static str) -> Self {
        Self::new(name, Unit::Count)
    }

    const fn milliseconds(name: &'static str) -> Self {
        Self::new(name, Unit::Second(NegativeScale::Milli))
    }

    const fn by(mut self, dimension: Dimension) -> Self {
        self.dimension = Some(dimension);
        self
    }
}

#[cfg(test)]
mod tests;
