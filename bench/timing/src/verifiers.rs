//! Who is asked: the relay's verifier, and one whose comparison ends at the first byte that is wrong.

use crate::claims::{BODY, Claim, SECRET};
use hmac::{Hmac, KeyInit, Mac};
use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{Signatures, Unverified};
use sha1::Sha1;
use sha2::Sha256;
use std::hint::black_box;
use std::time::Instant;

/// What a verifier is asked, in the form that each of them takes.
pub(crate) struct Question {
    claim: Claim,
    signatures: Option<Signatures>,
}

impl Question {
    pub(crate) fn of(claim: Claim) -> Self {
        let sha1 = claim.sha1.map(|mac| format!("sha1={}", hex::encode(mac)));
        let sha256 = claim.sha256.map(|mac| format!("sha256={}", hex::encode(mac)));
        Self {
            claim,
            signatures: Signatures::parse(
                sha1.as_deref().into_iter(),
                sha256.as_deref().into_iter(),
            )
            .ok(),
        }
    }
}

pub(crate) trait Verifier {
    fn name(&self) -> &'static str;

    /// In nanoseconds. All that is asked here is wrong; what is let through counts as never having ended.
    fn time_to_refuse(&mut self, question: &Question) -> u64;
}

/// The relay's own.
pub(crate) struct Relay {
    body: Option<Unverified>,
    secrets: [Secret; 1],
}

impl Relay {
    pub(crate) fn new() -> Self {
        Self {
            body: Some(Unverified::new(BODY.to_vec())),
            secrets: [Secret::new(SECRET.to_owned())],
        }
    }
}

impl Verifier for Relay {
    fn name(&self) -> &'static str {
        "relay"
    }

    fn time_to_refuse(&mut self, question: &Question) -> u64 {
        let (Some(body), Some(signatures)) = (self.body.take(), &question.signatures) else {
            return u64::MAX;
        };
        let started = Instant::now();
        let outcome = black_box(body.verify(black_box(signatures), &self.secrets));
        let time = nanoseconds(started);
        // It comes back, since it was refused.
        self.body = outcome.err();
        time
    }
}

/// The planted one: right, but for its comparison.
pub(crate) struct Naive;

impl Verifier for Naive {
    fn name(&self) -> &'static str {
        "naive"
    }

    fn time_to_refuse(&mut self, question: &Question) -> u64 {
        let started = Instant::now();
        let claim = black_box(&question.claim);
        let sha1 = claim.sha1.is_none_or(|mac| is_mac::<Hmac<Sha1>>(&mac));
        let sha256 = claim.sha256.is_none_or(|mac| is_mac::<Hmac<Sha256>>(&mac));
        let is_let_through = black_box(sha1 && sha256);
        let time = nanoseconds(started);
        if is_let_through { u64::MAX } else { time }
    }
}

fn is_mac<M: Mac + KeyInit>(claimed: &[u8]) -> bool {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(black_box(SECRET.as_bytes())) else {
        return true;
    };
    mac.update(black_box(BODY));
    let ours = mac.finalize().into_bytes();
    // Of lengths that nobody knows beforehand, else the compiler compares them all at once.
    let (ours, claimed) = (black_box(ours.as_slice()), black_box(claimed));
    for (one, other) in ours.iter().zip(claimed) {
        if one != other {
            return false;
        }
    }
    true
}

fn nanoseconds(started: Instant) -> u64 {
    started.elapsed().as_nanos().try_into().unwrap_or(u64::MAX)
}
