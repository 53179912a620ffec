//! HMAC by hand, from RFC 2104: what the relay's verifier is held against.

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The block of SHA-1 and of SHA-256, in bytes.
const BLOCK_BYTES: usize = 64;

pub(crate) fn sha1(key: &[u8], body: &[u8]) -> Vec<u8> {
    hmac::<Sha1>(key, body)
}

pub(crate) fn sha256(key: &[u8], body: &[u8]) -> Vec<u8> {
    hmac::<Sha256>(key, body)
}

fn hmac<D: Digest>(key: &[u8], body: &[u8]) -> Vec<u8> {
    let hashed = D::digest(key);
    let key = if key.len() > BLOCK_BYTES {
        &hashed[..]
    } else {
        key
    };
    let mut block = [0; BLOCK_BYTES];
    block[..key.len()].copy_from_slice(key);
    let padded = |padding| block.map(|byte| byte ^ padding);
    let inner = D::new().chain_update(padded(0x36)).chain_update(body);
    let outer = D::new().chain_update(padded(0x5c));
    outer.chain_update(inner.finalize()).finalize().to_vec()
}
