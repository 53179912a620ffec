//! The faults of a request to AWS, and the plan that injects them.

use fastrand::Rng;

/// An AWS service that the relay uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Sqs,
    SecretsManager,
    S3,
    /// The archive in the bucket of `S3`. It has its own faults, so that a sequence can show that they change no response.
    /// A connection to it can only be reset, since a request shows too late what it is for.
    Archive,
}

pub(crate) const SERVICES: [Service; 4] =
    [Service::Sqs, Service::SecretsManager, Service::S3, Service::Archive];

/// A fault of one request. `Applied…`: the service performs the request before, or in spite of, the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    // The connection.
    ConnectionRefused,
    ConnectHangs,
    HangsBeforeRequest,
    ResetDuringRequest,
    HangsAfterRequest,
    AppliedThenHangs,
    AppliedThenReset,
    AppliedThenTruncated,

    // Time: `Late` is after the caller's time limit, `Slow` before it.
    AppliedThenLate,
    AppliedLate,
    Slow,

    // Errors of the service.
    InternalError,
    Unavailable,
    Throttled,
    AccessDenied,
    KmsError,
    ExpiredToken,
    ResourceNotFound,

    // Responses that are not the service's.
    BadGateway,
    Redirect,
    HtmlBody,
    EmptyBody,
    UnexpectedJson,

    // Wrong confirmations. `Corrupted…` and `LostAttribute`: the service stores something else than was sent.
    WrongChecksum,
    NoChecksum,
    CorruptedBody,
    // Of SQS only.
    WrongAttributesChecksum,
    LostAttribute,
    NoMessageId,
    // Of an S3-compatible store without checksums. Its ETag is the MD5 digest of the content.
    EtagOnly,
    CorruptedEtagOnly,

    // Values that are not valid secrets.
    InvalidSecret,
    BinarySecret,
}

use Fault::*;

const OF_EVERY_SERVICE: [Fault; 22] = [
    ConnectionRefused,
    ConnectHangs,
    HangsBeforeRequest,
    ResetDuringRequest,
    HangsAfterRequest,
    AppliedThenHangs,
    AppliedThenReset,
    AppliedThenTruncated,
    AppliedThenLate,
    Slow,
    InternalError,
    Unavailable,
    Throttled,
    AccessDenied,
    KmsError,
    ExpiredToken,
    ResourceNotFound,
    BadGateway,
    Redirect,
    HtmlBody,
    EmptyBody,
    UnexpectedJson,
];

impl Service {
    /// The faults that a request to this service can have.
    pub(crate) fn faults(self) -> impl Iterator<Item = Fault> + Clone {
        let specific: &[Fault] = match self {
            Self::Sqs => &[
                AppliedLate,
                WrongChecksum,
                NoChecksum,
                CorruptedBody,
                WrongAttributesChecksum,
                LostAttribute,
                NoMessageId,
            ],
            Self::SecretsManager => &[InvalidSecret, BinarySecret],
            Self::S3 | Self::Archive => &[
                AppliedLate,
                WrongChecksum,
                NoChecksum,
                CorruptedBody,
                EtagOnly,
                CorruptedEtagOnly,
            ],
        };
        OF_EVERY_SERVICE.iter().chain(specific).copied()
    }

    fn random_fault(self, rng: &mut Rng) -> Fault {
        self.faults().nth(rng.usize(..self.faults().count())).unwrap()
    }
}

/// Which requests to a service fail, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FaultPlan {
    /// No request fails.
    Healthy,
    /// This percentage of requests fails, each with a random fault.
    Random(u8),
    /// Every request fails with this fault.
    Always(Fault),
}

/// The plans of [`SERVICES`].
pub(crate) type FaultPlans = [FaultPlan; SERVICES.len()];

/// The faults of a network outage.
const OUTAGES: [Fault; 5] =
    [ConnectionRefused, ConnectHangs, HangsBeforeRequest, HangsAfterRequest, AppliedThenHangs];

impl FaultPlan {
    /// Plans for all services: independent ones, or sometimes an outage that affects several services.
    pub(crate) fn for_all(rng: &mut Rng) -> FaultPlans {
        let outage = rng.choice(OUTAGES).filter(|_| rng.u8(..8) == 0);
        SERVICES.map(|service| {
            let outage = outage.filter(|_| rng.u8(..3) > 0);
            outage.map_or_else(|| Self::random(service, rng), Self::Always)
        })
    }

    fn random(service: Service, rng: &mut Rng) -> Self {
        match rng.u8(..10) {
            0..5 => Self::Healthy,
            5..8 => Self::Random(rng.u8(10..=100)),
            _ => Self::Always(service.random_fault(rng)),
        }
    }

    /// The fault of the next request or connection.
    pub(crate) fn next_fault(self, service: Service, rng: &mut Rng) -> Option<Fault> {
        match self {
            Self::Healthy => None,
            Self::Random(percent) => (rng.u8(..100) < percent).then(|| service.random_fault(rng)),
            Self::Always(fault) => Some(fault),
        }
    }
}
