//! What must not show, planted in all that can hold it, and the search for it in a printed text.

use crate::outside::{sha1, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(crate) const SECRET: &str = "canary-of-the-secret";
pub(crate) const HEADER: &str = "canary-of-a-header";
pub(crate) const ACCESS_KEY: &str = "canary/of+the/secret/access/key";
pub(crate) const TOKEN: &str = "a/session+token/to/look/for==";
pub(crate) const BODY: &str = r#"{"id":"label1","updatedAt":"2022-01-01T00:30:00+01:00","user":{"email":"private.person@example.com"},
 "dataRow":{"rowData":"https://assets.example.com/cat.jpg?Expires=1&Signature=Qx7"}}"#;

/// So many bytes in a row are a leak. Ids and times, which may show, are shorter, or not in these words in the body.
const PIECE: usize = 12;

/// Which canary a text shows, in whatever form Rust or we might print it.
pub(crate) fn shown_in(printed: &str) -> Option<String> {
    let printed = compact(printed);
    canaries().into_iter().find_map(|(name, canary)| {
        let is_shown = canary
            .windows(PIECE)
            .any(|piece| forms(piece).iter().any(|form| printed.contains(form)));
        is_shown.then_some(name)
    })
}

fn canaries() -> Vec<(String, Vec<u8>)> {
    let digits = |signature: String| {
        let (_, digits) = signature.split_once('=').unwrap();
        hex::decode(digits).unwrap()
    };
    let of = |name: &str, bytes: &[u8]| (name.to_owned(), bytes.to_vec());
    vec![
        of("the secret", SECRET.as_bytes()),
        of("a header", HEADER.as_bytes()),
        of("the secret access key", ACCESS_KEY.as_bytes()),
        of("the session token", TOKEN.as_bytes()),
        of("the body", BODY.as_bytes()),
        of("the SHA-1", &digits(sha1(SECRET, BODY.as_bytes()))),
        of("the SHA-256", &digits(sha256(SECRET, BODY.as_bytes()))),
    ]
}

/// A piece as text, as the text of a text, as hex, as base64, and as the list of numbers that `{:?}` makes of bytes.
fn forms(piece: &[u8]) -> Vec<String> {
    let numbers: Vec<_> = piece.iter().map(u8::to_string).collect();
    let mut forms = vec![
        hex::encode(piece),
        STANDARD.encode(piece),
        numbers.join(","),
    ];
    if let Ok(text) = str::from_utf8(piece) {
        let escaped = text.escape_debug().to_string();
        let twice = escaped.escape_debug().to_string();
        forms.extend([text.to_owned(), escaped, twice]);
    }
    forms.iter().map(|form| compact(form)).collect()
}

/// Without what `{:#?}` puts between, and in one case.
fn compact(text: &str) -> String {
    let kept = text.chars().filter(|it| !it.is_whitespace());
    kept.flat_map(char::to_lowercase).collect()
}

#[test]
fn each_canary_is_found_in_each_form() {
    for (name, canary) in canaries() {
        let text = String::from_utf8_lossy(&canary);
        for printed in [
            format!("{canary:?}"),
            format!("{canary:#?}"),
            format!("{text:?}"),
            format!("{:?}", format!("{text:?}")),
            hex::encode(&canary),
            hex::encode_upper(&canary),
            STANDARD.encode(&canary),
        ] {
            let is_text = str::from_utf8(&canary).is_ok();
            if is_text || !printed.contains('\u{FFFD}') {
                assert_eq!(
                    shown_in(&format!("before {printed} after")),
                    Some(name.clone()),
                    "{printed}"
                );
            }
        }
    }
    assert_eq!(shown_in("the queue did not accept the message"), None);
    assert_eq!(shown_in(&SECRET[1..PIECE]), None);
}
