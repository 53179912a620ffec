//! Tests with signatures computed by other implementations, malformed signatures, and random bodies.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use super::*;
use proptest::prelude::*;

const BODY: &[u8] = br#"{"id":"cl0sjr9nb9tfi0zatagsq5zw1"}"#;
const SHA1: &str = "sha1=a0aff87c2bffa6e7674925d3b55f440d843da8a6";
const SHA256: &str = "sha256=05c6f62cb5cb20d7d78640f25ef5868653fae356538077c824511cb3d31a0f4f";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn signatures(sha1: &[&str], sha256: &[&str]) -> Result<Signatures, InvalidSignature> {
    Signatures::parse(sha1.iter().copied(), sha256.iter().copied())
}

fn verifies(body: &[u8], sha1: &[&str], sha256: &[&str], secrets: &[&str]) -> bool {
    let secrets: Vec<_> = secrets.iter().map(|text| secret(text)).collect();
    let Ok(signatures) = signatures(sha1, sha256) else {
        return false;
    };
    Unverified::new(body.to_vec()).verify(&signatures, &secrets).is_ok()
}

fn sign<M: Mac + KeyInit>(scheme: &str, secret: &[u8], body: &[u8]) -> String {
    let mut mac = <M as KeyInit>::new_from_slice(secret).unwrap();
    mac.update(body);
    format!("{scheme}={}", hex::encode(mac.finalize().into_bytes()))
}

/// The signature of a body with this secret.
pub(crate) fn signed(secret: &str, body: &[u8]) -> Signatures {
    let signature = sign::<Hmac<Sha1>>("sha1", secret.as_bytes(), body);
    signatures(&[&signature], &[]).unwrap()
}

/// A body that is verified.
pub(crate) fn verified(body: &[u8]) -> Verified {
    let signatures = signed("example_secret", body);
    Unverified::new(body.to_vec()).verify(&signatures, &[secret("example_secret")]).unwrap()
}

#[test]
fn verifies_known_signatures() {
    assert!(verifies(BODY, &[SHA1], &[], &["example_secret"]));
    assert!(verifies(BODY, &[], &[SHA256], &["example_secret"]));
    assert!(verifies(BODY, &[SHA1], &[SHA256], &["example_secret"]));
    let empty_sha1 = "sha1=b108cfc4cd679878f8095d3ffecdc302357420a0";
    let empty_sha256 = "sha256=f73a02bb0687770b1b0ef8f8f0bb968f9b4c4d9a53fd3e8cbc79c644860dcca7";
    assert!(verifies(b"", &[empty_sha1], &[empty_sha256], &["example_secret"]));
}

#[test]
fn accepts_hex_in_upper_case() {
    let upper = format!("sha1={}", SHA1.trim_start_matches("sha1=").to_uppercase());
    assert!(verifies(BODY, &[&upper], &[], &["example_secret"]));
}

#[test]
fn accepts_any_secret_of_the_list() {
    assert!(verifies(BODY, &[SHA1], &[], &["new", "example_secret"]));
    assert!(verifies(BODY, &[SHA1], &[], &["example_secret", "old"]));
    assert!(!verifies(BODY, &[SHA1], &[], &["new", "old"]));
}

#[test]
fn rejects_empty_secret_and_empty_list() {
    let signed_with_empty_secret = sign::<Hmac<Sha1>>("sha1", b"", BODY);
    assert!(!verifies(BODY, &[&signed_with_empty_secret], &[], &[""]));
    assert!(!verifies(BODY, &[&signed_with_empty_secret], &[], &["\n"]));
    assert!(!verifies(BODY, &[SHA1], &[], &[]));
}

#[test]
fn rejects_if_one_of_two_signatures_is_wrong() {
    let wrong_sha1 = "sha1=0000000000000000000000000000000000000000";
    let wrong_sha256 = format!("sha256={}", "0".repeat(64));
    assert!(!verifies(BODY, &[SHA1], &[&wrong_sha256], &["example_secret"]));
    assert!(!verifies(BODY, &[wrong_sha1], &[SHA256], &["example_secret"]));
}

#[test]
fn rejects_signatures_with_different_secrets() {
    let other = sign::<Hmac<Sha256>>("sha256", b"other", BODY);
    assert!(!verifies(BODY, &[SHA1], &[&other], &["example_secret", "other"]));
}

#[test]
fn rejects_malformed_signatures() {
    let digits = SHA1.trim_start_matches("sha1=");
    let digits_256 = SHA256.trim_start_matches("sha256=");
    let (truncated, longer) = (&SHA1[..SHA1.len() - 1], format!("{SHA1}0"));
    let (spaced, not_hex) = (format!("sha1= {digits}"), format!("sha1={}g", &digits[1..]));
    let (upper_scheme, other_scheme) = (format!("SHA1={digits}"), format!("sha256={digits}"));
    let (wrong_length, joined) = (format!("sha1={digits_256}"), format!("{SHA1},{SHA1}"));
    let table: [(&str, &[&str], &[&str]); 14] = [
        ("missing", &[], &[]),
        ("empty", &[""], &[]),
        ("prefix only", &["sha1="], &[]),
        ("no prefix", &[digits], &[]),
        ("upper-case prefix", &[&upper_scheme], &[]),
        ("the other header's prefix", &[&other_scheme], &[]),
        ("the other header's length", &[&wrong_length], &[]),
        ("truncated", &[truncated], &[]),
        ("too long", &[&longer], &[]),
        ("space after the prefix", &[&spaced], &[]),
        ("not hex", &[&not_hex], &[]),
        ("duplicate", &[SHA1, SHA1], &[]),
        ("joined by a gateway", &[&joined], &[]),
        ("one valid, one malformed", &[SHA1], &["sha256="]),
    ];
    for (name, sha1, sha256) in table {
        assert_eq!(signatures(sha1, sha256), Err(InvalidSignature), "{name}");
    }
}

#[test]
fn rejected_body_can_be_verified_again() {
    let signatures = signatures(&[SHA1], &[]).unwrap();
    let body = Unverified::new(BODY.to_vec()).verify(&signatures, &[secret("old")]).unwrap_err();
    let verified = body.verify(&signatures, &[secret("example_secret")]).unwrap();
    assert_eq!(verified.body(), BODY);
    assert_eq!(verified.into_body(), BODY);
}

#[test]
fn debug_prints_only_the_length_of_a_body() {
    let body = Unverified::new(BODY.to_vec());
    assert_eq!(format!("{body:?}"), "Unverified(34 bytes)");
    let verified =
        body.verify(&signatures(&[SHA1], &[]).unwrap(), &[secret("example_secret")]).unwrap();
    assert_eq!(format!("{verified:?}"), "Verified(34 bytes)");
}

proptest! {
    #[test]
    fn accepts_signed_body_and_rejects_any_change(
        body in prop::collection::vec(any::<u8>(), 0..200),
        key in "[ -~]{1,80}",
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
    ) {
        let sha1 = sign::<Hmac<Sha1>>("sha1", key.as_bytes(), &body);
        let sha256 = sign::<Hmac<Sha256>>("sha256", key.as_bytes(), &body);
        prop_assert!(verifies(&body, &[&sha1], &[&sha256], &[&key]));
        let mut changed = body.clone();
        changed.push(flip);
        let at = at.index(changed.len());
        changed[at] ^= flip;
        prop_assert!(!verifies(&changed, &[&sha1], &[], &[&key]));
        prop_assert!(!verifies(&changed, &[], &[&sha256], &[&key]));
        let other_key = format!("{key}x");
        prop_assert!(!verifies(&body, &[&sha1], &[&sha256], &[&other_key]));
    }

    #[test]
    fn never_panics(sha1 in ".*", sha256 in ".*") {
        let _ = signatures(&[&sha1], &[&sha256]);
    }
}
