//! Verifies Labelbox's HMAC signatures in constant time.

use crate::secrets::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use std::fmt;

/// The header with the HMAC-SHA1 of the body. Every Labelbox delivery has it.
///
/// Source: <https://docs.labelbox.com/reference/webhook>.
pub const SHA1_HEADER: &str = "x-hub-signature";
/// The header with the HMAC-SHA256 of the body. Labelbox's AWS Lambda sample reads it.
pub const SHA256_HEADER: &str = "x-hub-signature-256";

/// The signatures of a request: well-formed, not yet verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Signatures {
    sha1: Option<[u8; 20]>,
    sha256: Option<[u8; 32]>,
}

/// The signature is missing, malformed, duplicated or wrong. The sender must not learn which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature rejected")]
pub struct InvalidSignature;

impl Signatures {
    /// Parses the values of the two headers: `sha1=<40 hex>` and `sha256=<64 hex>`.
    ///
    /// # Errors
    /// If neither header is there, or one of them occurs twice or is malformed.
    pub fn parse<'h>(
        sha1: impl Iterator<Item = &'h str>,
        sha256: impl Iterator<Item = &'h str>,
    ) -> Result<Self, InvalidSignature> {
        let signatures =
            Self { sha1: parse_one(sha1, "sha1=")?, sha256: parse_one(sha256, "sha256=")? };
        if signatures.sha1.is_none() && signatures.sha256.is_none() {
            return Err(InvalidSignature);
        }
        Ok(signatures)
    }
}

fn parse_one<'h, const N: usize>(
    mut values: impl Iterator<Item = &'h str>,
    scheme: &str,
) -> Result<Option<[u8; N]>, InvalidSignature> {
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let digits = value.strip_prefix(scheme).ok_or(InvalidSignature)?;
    let mut mac = [0; N];
    hex::decode_to_slice(digits, &mut mac).map_err(|_| InvalidSignature)?;
    if values.next().is_some() {
        return Err(InvalidSignature);
    }
    Ok(Some(mac))
}

/// A body as it arrived. It cannot be read until [`Unverified::verify`] has accepted it.
pub struct Unverified(Vec<u8>);

/// A body that was signed with one of the secrets. Only [`Unverified::verify`] makes one.
pub struct Verified(Vec<u8>);

impl Unverified {
    /// A body whose signature is not verified yet.
    pub fn new(body: Vec<u8>) -> Self {
        Self(body)
    }

    /// Verifies that one secret made every signature that is there.
    ///
    /// # Errors
    /// Returns the body, still unverified, so that the caller can try a newer secret.
    pub fn verify(self, signatures: &Signatures, secrets: &[Secret]) -> Result<Verified, Self> {
        if self.is_signed(signatures, secrets) {
            return Ok(Verified(self.0));
        }
        Err(self)
    }

    /// Its size in bytes.
    pub fn byte_count(&self) -> usize {
        self.0.len()
    }

    /// Whether one secret made every signature that is there.
    pub fn is_signed<'s>(
        &self,
        signatures: &Signatures,
        secrets: impl IntoIterator<Item = &'s Secret>,
    ) -> bool {
        let mut secrets = secrets.into_iter();
        secrets.any(|secret| self.is_signed_with(secret, signatures))
    }

    fn is_signed_with(&self, secret: &Secret, signatures: &Signatures) -> bool {
        if secret.is_empty() {
            return false;
        }
        let sha1 = signatures.sha1.map(|mac| matches::<Hmac<Sha1>>(secret, &self.0, &mac));
        let sha256 = signatures.sha256.map(|mac| matches::<Hmac<Sha256>>(secret, &self.0, &mac));
        match (sha1, sha256) {
            (Some(sha1), Some(sha256)) => sha1 & sha256,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => false,
        }
    }
}

fn matches<M: Mac + KeyInit>(secret: &Secret, body: &[u8], claimed: &[u8]) -> bool {
    // HMAC accepts keys of any length, so this does not fail; if it did, nothing would be verified.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret.as_bytes()) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(claimed).is_ok()
}

impl Verified {
    /// The signed bytes, unchanged.
    pub fn body(&self) -> &[u8] {
        &self.0
    }

    /// Returns the signed bytes without copying them.
    pub fn into_body(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sha1, sha256) = (self.sha1.is_some(), self.sha256.is_some());
        write!(f, "Signatures(SHA-1: {sha1}, SHA-256: {sha256})")
    }
}

impl fmt::Debug for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unverified({} bytes)", self.0.len())
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({} bytes)", self.0.len())
    }
}

#[cfg(test)]
pub(crate) mod tests;
