//! The user's API key, and the addresses that it may go to.

use super::error::LabelboxError;
use crate::sanitize::one_line;
use reqwest::Url;
use reqwest::header::HeaderValue;
use std::fmt;
use zeroize::Zeroizing;

/// Authenticates the user to Labelbox. It is never printed.
#[derive(Clone)]
pub struct ApiKey(pub Zeroizing<String>);

impl ApiKey {
    /// The environment variable that has it, as for Labelbox's SDK.
    pub const VARIABLE: &str = "LABELBOX_API_KEY";

    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The value of the header `Authorization`.
    pub fn authorization(&self) -> Result<HeaderValue, LabelboxError> {
        let key = self.0.trim();
        if key.is_empty() {
            return Err(LabelboxError::NoKey);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            let why = "it is not one word of plain letters, digits and signs";
            return Err(LabelboxError::BadKey(why.to_owned()));
        }
        let header = Zeroizing::new(format!("Bearer {key}"));
        let header = HeaderValue::from_str(&header);
        let mut header = header.map_err(|error| LabelboxError::BadKey(error.to_string()))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The key goes to this address: over TLS, or not further than this machine.
pub fn parse_url(text: &str) -> Result<Url, LabelboxError> {
    let url = Url::parse(text).map_err(|_| LabelboxError::BadAddress(one_line(text)))?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_local(&url));
    let is_plain = url.username().is_empty() && url.password().is_none();
    if is_safe && is_plain {
        return Ok(url);
    }
    Err(LabelboxError::BadAddress(one_line(text)))
}

/// Whether an address leads to the machine that it is used on.
pub fn is_local(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let host = host.trim_matches(['[', ']', '.']);
    let is_loopback = (host.parse::<std::net::IpAddr>()).is_ok_and(|address| address.is_loopback());
    is_loopback || host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests;
