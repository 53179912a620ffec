//! The user's API key, and the addresses that it may go to.

use crate::error::LabelboxError;
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
    let is_allowed = |url: &Url| {
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_local(url));
        is_safe && url.username().is_empty() && url.password().is_none()
    };
    let url = Url::parse(text).ok().filter(is_allowed);
    url.ok_or_else(|| LabelboxError::BadAddress(one_line(text)))
}

/// Whether Labelbox could reach this address.
pub fn is_public(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "https" && !is_local(&url))
}

/// Whether an address leads to the machine that it is used on.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
