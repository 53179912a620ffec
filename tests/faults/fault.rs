//! Everything that can go wrong with one call, and the weather that decides what does.

use fastrand::Rng;

/// What the relay calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    Sqs,
    SecretsManager,
    S3,
}

pub(crate) const SERVICES: [Service; 3] = [Service::Sqs, Service::SecretsManager, Service::S3];

/// What goes wrong with a call. "Done" says that the service did what it was asked before things went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    // The connection.
    Refused,
    NeverConnected,
    HangsBeforeRequest,
    ResetInRequest,
    HangsAfterRequest,
    DoneAndHangs,
    DoneAndReset,
    DoneAndCutOff,

    // Time.
    DoneAndLate,
    DoneLate,
    Slow,

    // A clear no.
    InternalError,
    Unavailable,
    Throttled,
    AccessDenied,
    Kms,
    ExpiredToken,
    Gone,

    // An answer of somebody else.
    BadGateway,
    Redirect,
    Html,
    EmptyAnswer,
    OtherJson,

    // A confirmation that is none.
    WrongDigest,
    NoDigest,
    ChangedContent,
    // Of SQS only.
    WrongAttributeDigest,
    ChangedAttribute,
    NoMessageId,
    // Of a store that is not S3: no checksum, but the ETag is a digest, too.
    OnlyEtag,
    ChangedOnlyEtag,

    // A value that cannot be meant as a secret.
    UnusableSecret,
    BinarySecret,
}

use Fault::*;

const ANY: [Fault; 22] = [
    Refused,
    NeverConnected,
    HangsBeforeRequest,
    ResetInRequest,
    HangsAfterRequest,
    DoneAndHangs,
    DoneAndReset,
    DoneAndCutOff,
    DoneAndLate,
    Slow,
    InternalError,
    Unavailable,
    Throttled,
    AccessDenied,
    Kms,
    ExpiredToken,
    Gone,
    BadGateway,
    Redirect,
    Html,
    EmptyAnswer,
    OtherJson,
];

impl Service {
    /// What can go wrong with a call to this service.
    pub(crate) fn menu(self) -> impl Iterator<Item = Fault> + Clone {
        let own: &[Fault] = match self {
            Self::Sqs => &[
                DoneLate,
                WrongDigest,
                NoDigest,
                ChangedContent,
                WrongAttributeDigest,
                ChangedAttribute,
                NoMessageId,
            ],
            Self::SecretsManager => &[UnusableSecret, BinarySecret],
            Self::S3 => &[
                DoneLate,
                WrongDigest,
                NoDigest,
                ChangedContent,
                OnlyEtag,
                ChangedOnlyEtag,
            ],
        };
        ANY.iter().chain(own).copied()
    }

    fn any_fault(self, rng: &mut Rng) -> Fault {
        self.menu().nth(rng.usize(..self.menu().count())).unwrap()
    }
}

/// How a service is for a while.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Weather {
    /// Nothing goes wrong.
    Fine,
    /// Something or other goes wrong with so many calls of a hundred.
    Showers(u8),
    /// The same goes wrong with each call.
    Down(Fault),
}

/// What an outage of the network looks like.
const OUTAGES: [Fault; 5] = [
    Refused,
    NeverConnected,
    HangsBeforeRequest,
    HangsAfterRequest,
    DoneAndHangs,
];

impl Weather {
    /// The weather of all services: each has its own, or an outage takes some of them.
    pub(crate) fn of_all(rng: &mut Rng) -> [Self; 3] {
        let outage = rng.choice(OUTAGES).filter(|_| rng.u8(..8) == 0);
        SERVICES.map(|service| {
            let taken = outage.filter(|_| rng.u8(..3) > 0);
            taken.map_or_else(|| Self::random(service, rng), Self::Down)
        })
    }

    fn random(service: Service, rng: &mut Rng) -> Self {
        match rng.u8(..10) {
            0..5 => Self::Fine,
            5..8 => Self::Showers(rng.u8(10..=100)),
            _ => Self::Down(service.any_fault(rng)),
        }
    }

    /// What goes wrong with the next call, or when a connection is made for it.
    pub(crate) fn fault(self, service: Service, rng: &mut Rng) -> Option<Fault> {
        match self {
            Self::Fine => None,
            Self::Showers(per_cent) => (rng.u8(..100) < per_cent).then(|| service.any_fault(rng)),
            Self::Down(fault) => Some(fault),
        }
    }
}
