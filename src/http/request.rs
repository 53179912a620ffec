//! A request as the door sees it, whichever gateway or listener brought it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

/// One HTTP request.
#[derive(Default)]
pub struct Request {
    /// The method, upper case.
    pub method: String,
    /// The path, without stage and query.
    pub path: String,
    /// Header names in lower case, each with its values, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The address that the gateway saw.
    pub source: Option<IpAddr>,
    /// The body, not yet decoded.
    pub body: RawBody,
    /// The X-Ray trace header of this invocation.
    pub trace: Option<String>,
    /// The id of this invocation, for the log.
    pub request_id: String,
    /// When Lambda ends this invocation, if it says so.
    pub deadline: Option<SystemTime>,
}

/// A body as gateways hand it over: as text, or in base64 where they are told so or it is no text.
#[derive(Default)]
pub struct RawBody {
    /// The body, or its base64.
    pub text: String,
    /// Whether `text` is base64.
    pub is_base64: bool,
}

/// The gateway said that the body is base64, and it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("body is not valid base64")]
pub struct MalformedBase64;

impl Request {
    /// Every value of a header; `name` in lower case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a header that is there exactly once.
    pub fn single_value(&self, name: &str) -> Option<&str> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }
}

impl RawBody {
    /// How many bytes the body has.
    pub fn byte_count(&self) -> usize {
        if !self.is_base64 {
            return self.text.len();
        }
        let padding = self
            .text
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'=')
            .count();
        (self.text.len() / 4 * 3).saturating_sub(padding)
    }

    /// The bytes of the body.
    ///
    /// # Errors
    /// When it is said to be base64 and is not.
    pub fn decode(self) -> Result<Vec<u8>, MalformedBase64> {
        if self.is_base64 {
            return STANDARD.decode(self.text).map_err(|_| MalformedBase64);
        }
        Ok(self.text.into_bytes())
    }
}

/// What a stranger sent is not for a log: of the headers, only their number.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("headers", &self.headers.len())
            .field("source", &self.source)
            .field("body", &self.body)
            .field("request_id", &self.request_id)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (length, is_base64) = (self.text.len(), self.is_base64);
        write!(f, "RawBody({length} bytes, base64: {is_base64})")
    }
}
