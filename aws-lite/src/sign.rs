//! AWS Signature Version 4 for requests without a query, and with a path that is escaped once, as S3's are.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use crate::endpoint::host;
use crate::error::BoxError;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::fmt::{self, Debug, Write};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use zeroize::Zeroizing;

const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

const DATE_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// An access key. Its secrets are zeroed on drop, and `Debug` shows no part of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
}

impl Credentials {
    /// A temporary access key, or, without a session token, a permanent one.
    pub fn new(
        access_key_id: String,
        secret_access_key: String,
        session_token: Option<String>,
    ) -> Self {
        Self {
            access_key_id,
            secret_access_key: secret_access_key.into(),
            session_token: session_token.map(Zeroizing::new),
        }
    }
}

impl Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Whether the signature covers the body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadSigning {
    Signed,
    /// TLS protects the body, and S3 compares it with a checksum that is signed.
    Unsigned,
}

/// Adds the headers that authenticate a request to a service, with the time `now`.
pub(crate) fn sign(
    request: &mut Request<Bytes>,
    payload: PayloadSigning,
    credentials: &Credentials,
    region: &str,
    service: &str,
    now: OffsetDateTime,
) -> Result<(), BoxError> {
    let date = now.format(DATE_FORMAT)?;
    let body_hash = match payload {
        PayloadSigning::Signed => hex::encode(Sha256::digest(request.body())),
        PayloadSigning::Unsigned => UNSIGNED_PAYLOAD.to_owned(),
    };
    let headers = request.headers_mut();
    headers.insert(DATE, HeaderValue::try_from(&date)?);
    if let Some(token) = &credentials.session_token {
        headers.insert(SECURITY_TOKEN, sensitive(token)?);
    }
    if payload == PayloadSigning::Unsigned {
        headers.insert(CONTENT_SHA256, HeaderValue::from_static(UNSIGNED_PAYLOAD));
    }
    let (names, canonical) = canonical_request(request, &body_hash)?;
    let day = date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let canonical = hex::encode(Sha256::digest(canonical));
    let string_to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{canonical}");
    let secret = Zeroizing::new(format!("AWS4{}", *credentials.secret_access_key));
    let mut key = hmac(secret.as_bytes(), day)?;
    for part in [region, service, "aws4_request"] {
        key = hmac(&key, part)?;
    }
    let signature = hex::encode(hmac(&key, &string_to_sign)?);
    let key_id = &credentials.access_key_id;
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    );
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, sensitive(&authorization)?);
    Ok(())
}

/// A header value that `Debug` does not show.
fn sensitive(text: &str) -> Result<HeaderValue, BoxError> {
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The names of the signed headers, and the canonical request.
fn canonical_request(
    request: &Request<Bytes>,
    body_hash: &str,
) -> Result<(String, String), BoxError> {
    let mut headers = vec![("host", host(request.uri())?)];
    for (name, value) in request.headers() {
        if name == CONTENT_TYPE || name.as_str().starts_with("x-amz-") {
            headers.push((name.as_str(), value.to_str()?));
        }
    }
    headers.sort_unstable();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut text = format!("{}\n{}\n\n", request.method(), request.uri().path());
    for (name, value) in headers {
        writeln!(text, "{name}:{}", value.trim())?;
    }
    write!(text, "\n{names}\n{body_hash}")?;
    Ok((names, text))
}

fn hmac(key: &[u8], text: &str) -> Result<[u8; 32], BoxError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
