//! Signature Version 4 for the few calls that the function makes.
//!
//! The SDK's signer takes any request, and a third of the CPU time of a call; ours are `POST /` with JSON, and
//! `PUT` of a plain path. Both make the same signatures: a test compares them.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use hmac::{Hmac, KeyInit, Mac};
use hyper::Uri;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::SystemTime;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// What stands for the hash of a body that is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// Signs the requests to one service.
#[derive(Debug)]
pub(super) struct Signer {
    service: &'static str,
    region: String,
    credentials: Credentials,
    body: Body,
}

/// Whether the body is part of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Signed,
    /// TLS keeps it whole, and S3 compares it with a checksum that is signed.
    Unsigned,
}

impl Signer {
    pub(super) fn new(
        service: &'static str,
        region: &str,
        credentials: &Credentials,
        body: Body,
    ) -> Self {
        Self {
            service,
            region: region.to_owned(),
            credentials: credentials.clone(),
            body,
        }
    }

    /// Signs a request as it is sent `now`.
    pub(super) fn sign(&self, request: &mut HttpRequest, now: SystemTime) -> Result<(), BoxError> {
        let time = OffsetDateTime::from(now).format(TIME)?;
        let day = time.get(..8).unwrap_or_default();
        let body = match self.body {
            Body::Signed => hex::encode(Sha256::digest(request.body().bytes().unwrap_or_default())),
            Body::Unsigned => UNSIGNED.to_owned(),
        };
        let headers = request.headers_mut();
        headers.try_insert("user-agent", USER_AGENT)?;
        headers.try_insert("x-amz-date", time.clone())?;
        if let Some(token) = self.credentials.session_token() {
            headers.try_insert("x-amz-security-token", token.to_owned())?;
        }
        if self.body == Body::Unsigned {
            headers.try_insert("x-amz-content-sha256", UNSIGNED)?;
        }
        let (names, canonical) = canonical_request(request, &body)?;
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let canonical = hex::encode(Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}");
        let signature = hex::encode(hmac(&self.key(day)?, &to_sign)?);
        let key_id = self.credentials.access_key_id();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        request
            .headers_mut()
            .try_insert("authorization", authorization)?;
        Ok(())
    }

    fn key(&self, day: &str) -> Result<[u8; 32], BoxError> {
        let secret = format!("AWS4{}", self.credentials.secret_access_key());
        let mut key = hmac(secret.as_bytes(), day)?;
        for part in [&self.region, self.service, "aws4_request"] {
            key = hmac(&key, part)?;
        }
        Ok(key)
    }
}

/// The names of the signed headers, and the text that is signed. The path has nothing to escape, and there is no query.
fn canonical_request(request: &HttpRequest, body: &str) -> Result<(String, String), BoxError> {
    let address: Uri = request.uri().parse()?;
    let host = host(&address)?;
    let is_signed = |name: &str| name == "content-type" || name.starts_with("x-amz-");
    let mut headers: Vec<_> = request
        .headers()
        .iter()
        .filter(|(name, _)| is_signed(name))
        .collect();
    headers.push(("host", host));
    headers.sort_unstable();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut text = format!("{}\n{}\n\n", request.method(), address.path());
    for (name, value) in headers {
        writeln!(text, "{name}:{}", value.trim())?;
    }
    write!(text, "\n{names}\n{body}")?;
    Ok((names, text))
}

/// The host as a request says it: with its port, where that is not the scheme's own.
pub(super) fn host(address: &Uri) -> Result<&str, BoxError> {
    let authority = address.authority().ok_or("the address names no host")?;
    let default = if address.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    if authority.port_u16().is_none_or(|port| port == default) {
        Ok(authority.host())
    } else {
        Ok(authority.as_str())
    }
}

fn hmac(key: &[u8], text: &str) -> Result<[u8; 32], BoxError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
