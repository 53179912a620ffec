//! The oracle of the signature headers, with HMAC written by hand from RFC 2104.
//!
//! An input resembles an HTTP request: lines of `secret: …` and of the two signature headers, an empty line, and the body.
//! In a header, `@` is replaced by the hex digits of the valid signature by the first secret, and `^` by the same in upper
//! case; `signer: …` sets another signing key. In a secret, `\n` and `\r` are escapes.

use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{SHA1_HEADER, SHA256_HEADER, Signatures, Unverified, Verified};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The block size of SHA-1 and SHA-256.
const BLOCK_BYTES: usize = 64;

/// Verifies a request, and compares the result with that of an independent implementation.
pub(crate) fn check(input: &[u8]) {
    let input = Input::parse(input);
    let keys: Vec<&str> = input.secrets.iter().map(|text| key(text)).collect();
    let keys: Vec<&str> = keys.into_iter().filter(|key| !key.is_empty()).collect();
    let claims = Claims::read(&input.sha1, &input.sha256);

    let read = read(&input.sha1, &input.sha256);
    assert_eq!(read.is_ok(), claims.is_some(), "read {:?}", input.sha1);
    let Ok(signatures) = read else { return };
    let is_valid =
        claims.is_some_and(|claims| keys.iter().any(|key| claims.are_by(key, input.body)));
    match verify(Unverified::new(input.body.to_vec()), &signatures, &input.secrets) {
        Ok(verified) => {
            assert!(is_valid, "an invalid signature was accepted");
            assert_eq!(verified.into_body(), input.body, "not the signed bytes");
        }
        Err(unverified) => {
            assert!(!is_valid, "a valid signature was rejected");
            check_second_attempt(unverified, &input, &keys);
        }
    }
    for key in keys {
        check_flipped_bit(&input, key);
    }
}

/// A rejected body stays complete, so that it can be verified again with refreshed secrets.
fn check_second_attempt(unverified: Unverified, input: &Input<'_>, keys: &[&str]) {
    let Some(key) = keys.last() else { return };
    let sha1 = header("sha1=", &hmac_sha1(key.as_bytes(), input.body));
    let valid = read(&[sha1], &[]).unwrap();
    let verified = verify(unverified, &valid, &input.secrets);
    let verified = verified.unwrap_or_else(|_| panic!("a valid signature was rejected"));
    assert_eq!(verified.into_body(), input.body, "not the signed bytes");
}

/// Flipping any bit of a signature or of the body makes the signature invalid. The digest selects the bit.
fn check_flipped_bit(input: &Input<'_>, key: &str) {
    let (mut sha1, mut sha256) =
        (hmac_sha1(key.as_bytes(), input.body), hmac_sha256(key.as_bytes(), input.body));
    let mut body = input.body.to_vec();
    let bit = usize::from(sha256[0]);
    let target = match sha256[1] % 3 {
        0 => &mut sha1,
        1 => &mut sha256,
        _ if body.is_empty() => &mut sha1,
        _ => &mut body,
    };
    let byte = bit / 8 % target.len();
    target[byte] ^= 1 << (bit % 8);
    let flipped = read(&[header("sha1=", &sha1)], &[header("sha256=", &sha256)]).unwrap();
    let rejected = verify(Unverified::new(body), &flipped, &input.secrets);
    assert!(rejected.is_err(), "a flipped bit was accepted");
}

fn read(sha1: &[String], sha256: &[String]) -> Result<Signatures, impl std::fmt::Debug> {
    Signatures::parse(sha1.iter().map(String::as_str), sha256.iter().map(String::as_str))
}

fn verify(
    body: Unverified,
    signatures: &Signatures,
    secrets: &[String],
) -> Result<Verified, Unverified> {
    let secrets: Vec<Secret> = secrets.iter().cloned().map(Secret::new).collect();
    body.verify(signatures, &secrets)
}

fn header(scheme: &str, mac: &[u8]) -> String {
    format!("{scheme}{}", hex::encode(mac))
}

/// The secret without one leading byte order mark and one trailing newline.
pub(crate) fn key(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => text,
    }
}

pub(crate) fn hmac_sha1(key: &[u8], body: &[u8]) -> Vec<u8> {
    hmac::<Sha1>(key, body)
}

pub(crate) fn hmac_sha256(key: &[u8], body: &[u8]) -> Vec<u8> {
    hmac::<Sha256>(key, body)
}

fn hmac<D: Digest>(key: &[u8], body: &[u8]) -> Vec<u8> {
    let hashed = D::digest(key);
    let key = if key.len() > BLOCK_BYTES { &hashed[..] } else { key };
    let mut block = [0; BLOCK_BYTES];
    block[..key.len()].copy_from_slice(key);
    let padded = |padding| block.map(|byte| byte ^ padding);
    let inner = D::new().chain_update(padded(0x36)).chain_update(body);
    let outer = D::new().chain_update(padded(0x5c));
    outer.chain_update(inner.finalize()).finalize().to_vec()
}

/// The claimed signatures of well-formed headers.
pub(crate) struct Claims {
    sha1: Option<Vec<u8>>,
    sha256: Option<Vec<u8>>,
}

impl Claims {
    /// Returns `None` if a header is duplicated or malformed, or if both are absent.
    pub(crate) fn read(sha1: &[impl AsRef<str>], sha256: &[impl AsRef<str>]) -> Option<Self> {
        let claims =
            Self { sha1: claim(sha1, "sha1=", 20)?, sha256: claim(sha256, "sha256=", 32)? };
        (claims.sha1.is_some() || claims.sha256.is_some()).then_some(claims)
    }

    /// Whether all claimed signatures are by this key.
    pub(crate) fn are_by(&self, key: &str, body: &[u8]) -> bool {
        let matches = |claim: &Option<Vec<u8>>, hmac: fn(&[u8], &[u8]) -> Vec<u8>| {
            claim.as_ref().is_none_or(|claim| *claim == hmac(key.as_bytes(), body))
        };
        matches(&self.sha1, hmac_sha1) && matches(&self.sha256, hmac_sha256)
    }
}

/// The signature in the values of one header: `Some(None)` if it is absent, `None` if it is invalid.
fn claim(values: &[impl AsRef<str>], scheme: &str, length: usize) -> Option<Option<Vec<u8>>> {
    let value = match values {
        [] => return Some(None),
        [value] => value.as_ref(),
        _ => return None,
    };
    let digits = value.strip_prefix(scheme)?.as_bytes();
    let nibble = |digit: &u8| char::from(*digit).to_digit(16);
    let nibbles: Vec<u32> = digits.iter().map(nibble).collect::<Option<_>>()?;
    let bytes = nibbles.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8);
    (nibbles.len() == 2 * length).then(|| Some(bytes.collect()))
}

#[derive(Default)]
struct Input<'i> {
    sha1: Vec<String>,
    sha256: Vec<String>,
    secrets: Vec<String>,
    body: &'i [u8],
}

impl<'i> Input<'i> {
    fn parse(input: &'i [u8]) -> Self {
        let end = input.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = end.map_or((input, &[][..]), |end| (&input[..end], &input[end + 2..]));
        let head = String::from_utf8_lossy(head);
        let mut parsed = Self { body, ..Self::default() };
        let mut signer = None;
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            match name {
                SHA1_HEADER => parsed.sha1.push(value.to_owned()),
                SHA256_HEADER => parsed.sha256.push(value.to_owned()),
                "secret" => parsed.secrets.push(unescape(value)),
                "signer" => signer = Some(unescape(value)),
                _ => {}
            }
        }
        let signer = signer.or_else(|| Some(key(parsed.secrets.first()?).to_owned()));
        let signer = signer.unwrap_or_default();
        for (values, mac) in [
            (&mut parsed.sha1, hmac_sha1(signer.as_bytes(), body)),
            (&mut parsed.sha256, hmac_sha256(signer.as_bytes(), body)),
        ] {
            for value in values {
                let upper = hex::encode_upper(&mac);
                *value = value.replace('@', &hex::encode(&mac)).replace('^', &upper);
            }
        }
        parsed
    }
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\r", "\r")
}
