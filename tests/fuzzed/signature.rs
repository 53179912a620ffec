//! The oracle of the signature headers: what is let through is what RFC 2104 lets through, and nothing else.
//!
//! An input is written like a request: lines of `secret: …` and of the two headers, an empty line, and the body. In a
//! header, `@` stands for the right digits by the first secret, and `^` for the same in upper case; `signer: …` has them
//! made by another text. In a secret, `\n` and `\r` stand for the ends of a line.

use super::mac;
use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{SHA1_HEADER, SHA256_HEADER, Signatures, Unverified, Verified};

#[derive(Default)]
struct Input<'i> {
    sha1: Vec<String>,
    sha256: Vec<String>,
    secrets: Vec<String>,
    body: &'i [u8],
}

/// Shows the relay a request, and compares its verdict with an independent one.
pub(crate) fn check(input: &[u8]) {
    let input = Input::read(input);
    let keys: Vec<&str> = input.secrets.iter().map(|text| key(text)).collect();
    let keys: Vec<&str> = keys.into_iter().filter(|key| !key.is_empty()).collect();
    let claims = Claims::read(&input);

    let read = read(&input.sha1, &input.sha256);
    assert_eq!(read.is_ok(), claims.is_some(), "read {:?}", input.sha1);
    let Ok(signatures) = read else { return };
    let is_right =
        claims.is_some_and(|claims| keys.iter().any(|key| claims.are_by(key, input.body)));
    match verify(
        Unverified::new(input.body.to_vec()),
        &signatures,
        &input.secrets,
    ) {
        Ok(verified) => {
            assert!(is_right, "a wrong signature was let through");
            assert_eq!(verified.into_body(), input.body, "not the signed bytes");
        }
        Err(refused) => {
            assert!(!is_right, "a right signature was refused");
            check_second_try(refused, &input, &keys);
        }
    }
    for key in keys {
        check_flipped_bits(&input, key);
    }
}

/// A body that was refused is still whole, for the case that the secret has just changed.
fn check_second_try(refused: Unverified, input: &Input<'_>, keys: &[&str]) {
    let Some(key) = keys.last() else { return };
    let sha1 = digits("sha1=", &mac::sha1(key.as_bytes(), input.body));
    let right = read(&[sha1], &[]).unwrap();
    let verified = verify(refused, &right, &input.secrets);
    let verified = verified.unwrap_or_else(|_| panic!("a right signature was refused"));
    assert_eq!(verified.into_body(), input.body, "not the signed bytes");
}

/// One bit of either signature, or of the body, makes it another one. Which bit is as good as random.
fn check_flipped_bits(input: &Input<'_>, key: &str) {
    let (mut sha1, mut sha256) = (
        mac::sha1(key.as_bytes(), input.body),
        mac::sha256(key.as_bytes(), input.body),
    );
    let mut body = input.body.to_vec();
    let bit = usize::from(sha256[0]);
    let which = match sha256[1] % 3 {
        0 => &mut sha1,
        1 => &mut sha256,
        _ if body.is_empty() => &mut sha1,
        _ => &mut body,
    };
    let byte = bit / 8 % which.len();
    which[byte] ^= 1 << (bit % 8);
    let flipped = read(&[digits("sha1=", &sha1)], &[digits("sha256=", &sha256)]).unwrap();
    let refused = verify(Unverified::new(body), &flipped, &input.secrets);
    assert!(refused.is_err(), "a flipped bit was let through");
}

fn read(sha1: &[String], sha256: &[String]) -> Result<Signatures, impl std::fmt::Debug> {
    Signatures::read(
        sha1.iter().map(String::as_str),
        sha256.iter().map(String::as_str),
    )
}

fn verify(
    body: Unverified,
    signatures: &Signatures,
    secrets: &[String],
) -> Result<Verified, Unverified> {
    let secrets: Vec<Secret> = secrets.iter().cloned().map(Secret::new).collect();
    body.verify(signatures, &secrets)
}

fn digits(scheme: &str, mac: &[u8]) -> String {
    format!("{scheme}{}", hex::encode(mac))
}

/// A secret without what is not part of it: one byte order mark before it, and one end of a line after it.
pub(crate) fn key(text: &str) -> &str {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => text,
    }
}

/// Two headers that are well-formed: the bytes that they claim, where one is there.
pub(crate) struct Claims {
    sha1: Option<Vec<u8>>,
    sha256: Option<Vec<u8>>,
}

impl Claims {
    fn read(input: &Input<'_>) -> Option<Self> {
        Self::of(&input.sha1, &input.sha256)
    }

    /// Nothing, when a header is doubled or malformed, or neither is there.
    pub(crate) fn of(sha1: &[impl AsRef<str>], sha256: &[impl AsRef<str>]) -> Option<Self> {
        let claims = Self {
            sha1: claim(sha1, "sha1=", 20)?,
            sha256: claim(sha256, "sha256=", 32)?,
        };
        (claims.sha1.is_some() || claims.sha256.is_some()).then_some(claims)
    }

    /// Whether this key made every signature that is there.
    pub(crate) fn are_by(&self, key: &str, body: &[u8]) -> bool {
        let is = |claim: &Option<Vec<u8>>, mac: fn(&[u8], &[u8]) -> Vec<u8>| {
            claim
                .as_ref()
                .is_none_or(|claim| *claim == mac(key.as_bytes(), body))
        };
        is(&self.sha1, mac::sha1) && is(&self.sha256, mac::sha256)
    }
}

fn claim(values: &[impl AsRef<str>], scheme: &str, length: usize) -> Option<Option<Vec<u8>>> {
    let value = match values {
        [] => return Some(None),
        [value] => value.as_ref(),
        _ => return None,
    };
    let digits = value.strip_prefix(scheme)?.as_bytes();
    let nibble = |digit: &u8| char::from(*digit).to_digit(16);
    let nibbles: Vec<u32> = digits.iter().map(nibble).collect::<Option<_>>()?;
    let bytes = nibbles
        .chunks_exact(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8);
    (nibbles.len() == 2 * length).then(|| Some(bytes.collect()))
}

impl<'i> Input<'i> {
    fn read(input: &'i [u8]) -> Self {
        let end = input.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = end.map_or((input, &[][..]), |end| (&input[..end], &input[end + 2..]));
        let head = String::from_utf8_lossy(head);
        let mut read = Self {
            body,
            ..Self::default()
        };
        let mut signer = None;
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            match name {
                SHA1_HEADER => read.sha1.push(value.to_owned()),
                SHA256_HEADER => read.sha256.push(value.to_owned()),
                "secret" => read.secrets.push(unescaped(value)),
                "signer" => signer = Some(unescaped(value)),
                _ => {}
            }
        }
        let signer = signer.or_else(|| Some(key(read.secrets.first()?).to_owned()));
        let signer = signer.unwrap_or_default();
        for (values, mac) in [
            (&mut read.sha1, mac::sha1(signer.as_bytes(), body)),
            (&mut read.sha256, mac::sha256(signer.as_bytes(), body)),
        ] {
            for value in values {
                let upper = hex::encode_upper(&mac);
                *value = value.replace('@', &hex::encode(&mac)).replace('^', &upper);
            }
        }
        read
    }
}

fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\r", "\r")
}
