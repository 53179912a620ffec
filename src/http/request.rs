//! An HTTP request, independent of the kind of gateway.

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
    /// Header names in lower case with their values. A repeated header occurs several times.
    pub headers: Vec<(String, String)>,
    /// The client's address, as the gateway reports it.
    pub source_ip: Option<IpAddr>,
    /// The body, still encoded.
    pub body: RawBody,
    /// The X-Ray trace header of this invocation.
    pub trace: Option<String>,
    /// Lambda's request id.
    pub request_id: String,
    /// When Lambda ends this invocation, if it is known.
    pub deadline: Option<SystemTime>,
}

/// A body as gateways pass it on: as text, or in base64.
#[derive(Default)]
pub struct RawBody {
    /// The body, or its base64.
    pub text: String,
    /// Whether `text` is base64.
    pub is_base64: bool,
}

/// The gateway says that the body is base64, and it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("body is not valid base64")]
pub struct MalformedBase64;

impl Request {
    /// Returns all values of a header; `name` is in lower case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the value of a header that occurs exactly once.
    pub fn single_value(&self, name: &str) -> Option<&str> {
        let mut values = self.values(name);
        values.next().filter(|_| values.next().is_none())
    }
}

impl RawBody {
    /// The size of the body in bytes.
    pub fn byte_count(&self) -> usize {
        if !self.is_base64 {
            return self.text.len();
        }
        let padding = self.text.bytes().rev().take_while(|byte| *byte == b'=').count();
        (self.text.len() / 4 * 3).saturating_sub(padding)
    }

    /// Decodes the body.
    ///
    /// # Errors
    /// If it is not valid base64, and the gateway says it is base64.
    pub fn decode(self) -> Result<Vec<u8>, MalformedBase64> {
        if self.is_base64 {
            return STANDARD.decode(self.text).map_err(|_| MalformedBase64);
        }
        Ok(self.text.into_bytes())
    }
}

/// Prints no method, path or header: they are from an unauthenticated client.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("headers", &self.headers.len())
            .field("source_ip", &self.source_ip)
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
