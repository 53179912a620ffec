//! An HTTP request, independent of the kind of gateway.

use std::net::IpAddr;
use std::time::SystemTime;

/// One HTTP request.
#[derive(Default)]
pub struct Request {
    /// Whether the gateway's event has a value of the wrong type. Method, path, headers, address and body are empty then.
    pub is_malformed: bool,
    /// The method, upper case.
    pub method: String,
    /// The path, without stage and query.
    pub path: String,
    /// Header names in lower case with their values. A repeated header occurs several times.
    pub headers: Vec<(String, String)>,
    /// The client's address, as the gateway reports it.
    pub source_ip: Option<IpAddr>,
    /// The body. `None` if the gateway says that it is base64, and it is not.
    pub body: Option<Vec<u8>>,
    /// The X-Ray trace header of this invocation.
    pub trace: Option<String>,
    /// Lambda's request id.
    pub request_id: String,
    /// When Lambda ends this invocation, if it is known.
    pub deadline: Option<SystemTime>,
}

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
