//! Claimed signatures: two that an unauthenticated client could try, one of them closer to the right one.

use fastrand::Rng;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// The secret and the body of every measurement. The body is short, so that little hides what a comparison takes.
pub(crate) const SECRET: &str = "example_secret";
pub(crate) const BODY: &[u8] = br#"{"id":"label1","updatedAt":"2021-03-17T13:51:59Z"}"#;

/// Signatures as two headers claim them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) sha1: Option<[u8; 20]>,
    pub(crate) sha256: Option<[u8; 32]>,
}

/// How a claim is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    FirstByte,
    LastByte,
    /// Nothing of it is right, but by chance.
    All,
    /// Of two signatures, only this one is wrong, in its first byte.
    OnlySha1,
    OnlySha256,
}

/// Which headers a claim has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Headers {
    Sha1,
    Sha256,
    Both,
}

/// The right signatures of [`BODY`].
pub(crate) fn right() -> Result<Claim, hmac::digest::InvalidLength> {
    let mut sha1 = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes())?;
    sha1.update(BODY);
    let mut sha256 = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    sha256.update(BODY);
    Ok(Claim {
        sha1: Some(sha1.finalize().into_bytes().into()),
        sha256: Some(sha256.finalize().into_bytes().into()),
    })
}

/// A claim that is wrong in this way, each time in another one.
pub(crate) fn wrong(right: Claim, headers: Headers, wrong: Wrong, random: &mut Rng) -> Claim {
    let has = |header| headers == header || headers == Headers::Both;
    let is_right = |other| wrong == other;
    let sha1 = right.sha1.filter(|_| has(Headers::Sha1));
    let sha256 = right.sha256.filter(|_| has(Headers::Sha256));
    Claim {
        sha1: sha1.map(
            |mac| {
                if is_right(Wrong::OnlySha256) { mac } else { spoilt(mac, wrong, random) }
            },
        ),
        sha256: sha256
            .map(|mac| if is_right(Wrong::OnlySha1) { mac } else { spoilt(mac, wrong, random) }),
    }
}

fn spoilt<const N: usize>(mut mac: [u8; N], wrong: Wrong, random: &mut Rng) -> [u8; N] {
    // As many draws whatever is wrong, and bytes of which none is favoured.
    let mut draws = [0; N];
    random.fill(&mut draws);
    let change = random.u8(1..);
    let spoilt = match wrong {
        Wrong::All => return draws,
        Wrong::LastByte => mac.last_mut(),
        Wrong::FirstByte | Wrong::OnlySha1 | Wrong::OnlySha256 => mac.first_mut(),
    };
    if let Some(byte) = spoilt {
        *byte ^= change;
    }
    mac
}
