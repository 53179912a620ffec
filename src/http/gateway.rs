//! Converts the events of HTTP APIs, REST APIs and function URLs to requests, and responses to theirs.
//!
//! `lambda_http` has such a conversion, too, which copies a body four times, fails on a header value with a control
//! character, and panics on malformed hosts, queries and base64.

use super::{RawBody, Request, Route};
use lambda_http::Context;
use lambda_http::http::Response;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

/// The usual number of headers of a delivery.
const EXPECTED_HEADERS: usize = 16;
/// The gateway's trace header, which is used if Lambda passes none.
const TRACE_HEADER: &str = "x-amzn-trace-id";

/// The event of an invocation: a proxy event of format 2.0 (HTTP API, function URL) or 1.0 (REST API), or anything else.
/// The fields that are there decide the format.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.
pub struct GatewayEvent(Result<Request, EventError>);

/// An event is not converted to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventError {
    /// It is not an HTTP request, for example a test event of the console.
    NotHttp,
    /// It is an HTTP request, but a required field has another type.
    Unreadable,
}

impl<'de> Deserialize<'de> for GatewayEvent {
    /// Never fails: otherwise the runtime would respond, and log the event.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut is_object = false;
        let event = deserializer.deserialize_map(EventVisitor { is_object: &mut is_object });
        Ok(Self(match event {
            Ok(event) if !event.is_http() => Err(EventError::NotHttp),
            Ok(event) => event.try_into().map_err(|_| EventError::Unreadable),
            Err(_) if is_object => Err(EventError::Unreadable),
            Err(_) => Err(EventError::NotHttp),
        }))
    }
}

struct EventVisitor<'a> {
    is_object: &'a mut bool,
}

impl<'de> Visitor<'de> for EventVisitor<'_> {
    type Value = RawEvent<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a gateway's event")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        *self.is_object = true;
        RawEvent::deserialize(MapAccessDeserializer::new(map))
    }
}

/// An event of which only paths and method are deserialized, so that an HTTP request is recognised even if another value
/// has the wrong type.
///
/// The runtime's deserializer tracks the path to every value for its error messages. Skipping a value and parsing it later takes a third of that time.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawEvent<'a> {
    raw_path: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    path_parameters: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: Option<&'a RawValue>,
    #[serde(borrow)]
    multi_value_headers: Option<&'a RawValue>,
    #[serde(borrow)]
    request_context: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    is_base64_encoded: Option<&'a RawValue>,
}

impl RawEvent<'_> {
    /// Whether it has a path or a method. Format 2.0 always has a path; its method is in the request context.
    fn is_http(&self) -> bool {
        self.raw_path.is_some() || self.path.is_some() || self.http_method.is_some()
    }
}

/// A JSON object as a list of its members, with repeated names.
struct MultiMap<V>(Vec<(String, V)>);

impl<V> Default for MultiMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for MultiMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MultiMapVisitor<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for MultiMapVisitor<V> {
            type Value = MultiMap<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(EXPECTED_HEADERS);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(MultiMap(pairs))
            }
        }
        deserializer.deserialize_map(MultiMapVisitor(PhantomData))
    }
}

impl TryFrom<RawEvent<'_>> for Request {
    type Error = serde_json::Error;

    /// What the event lacks is empty.
    fn try_from(event: RawEvent<'_>) -> serde_json::Result<Self> {
        let RequestContext { stage, http, identity } = read(event.request_context)?;
        let HttpContext { method, source_ip } = http.unwrap_or_default();
        let source_ip = source_ip.or(identity.unwrap_or_default().source_ip);
        let resource: Option<String> = read(event.resource)?;
        let parameters: MultiMap<Option<String>> = read(event.path_parameters)?;
        let resource = resource.and_then(|it| fill_in(&it, &parameters.0));
        let path = event.raw_path.or(event.path).unwrap_or_default();
        let body: Option<String> = read(event.body)?;
        let is_base64: Option<bool> = read(event.is_base64_encoded)?;
        Ok(Self {
            method: method.or(event.http_method).unwrap_or_default(),
            path: routed_path(resource, path, stage.as_deref()),
            headers: headers(read(event.headers)?, read(event.multi_value_headers)?),
            source_ip: source_ip.and_then(|address| address.parse().ok()),
            body: RawBody {
                text: body.unwrap_or_default(),
                is_base64: is_base64.unwrap_or_default(),
            },
            ..Self::default()
        })
    }
}

fn read<'a, T: Default + Deserialize<'a>>(written: Option<&'a RawValue>) -> serde_json::Result<T> {
    written.map_or(Ok(T::default()), |value| serde_json::from_str(value.get()))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    stage: Option<String>,
    http: Option<HttpContext>,
    identity: Option<Identity>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HttpContext {
    method: Option<String>,
    source_ip: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity {
    source_ip: Option<String>,
}

impl GatewayEvent {
    /// Returns the request of the event, with the trace, id and deadline of its invocation.
    ///
    /// # Errors
    /// If the event is not a readable HTTP request.
    pub fn into_request(self, context: &Context) -> Result<Request, EventError> {
        let request = self.0?;
        let trace_header = || request.values(TRACE_HEADER).next().map(str::to_owned);
        Ok(Request {
            trace: context.xray_trace_id.clone().or_else(trace_header),
            request_id: context.request_id.clone(),
            deadline: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(context.deadline)),
            ..request
        })
    }
}

/// Merges both maps of headers, with names in lower case. Format 1.0 repeats the last value of each header in the map of
/// single values; such a duplicate is dropped.
fn headers(
    single: MultiMap<Option<String>>,
    multi: MultiMap<Option<Vec<Option<String>>>>,
) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(single.0.len() + multi.0.len());
    for (mut name, values) in multi.0 {
        name.make_ascii_lowercase();
        let values = values.unwrap_or_default().into_iter().flatten();
        headers.extend(values.map(|value| (name.clone(), value)));
    }
    let from_multi = headers.len();
    for (mut name, value) in single.0 {
        let Some(value) = value else { continue };
        name.make_ascii_lowercase();
        let header = (name, value);
        if !headers.iter().take(from_multi).any(|known| *known == header) {
            headers.push(header);
        }
    }
    headers
}

/// Returns a path that has a route, if there is one. Behind a base path mapping of a REST API, the path begins with the
/// mapping, and `resource` has the route. In format 2.0, the path begins with a named stage, except on a custom domain.
fn routed_path(resource: Option<String>, path: String, stage: Option<&str>) -> String {
    let has_route = |path: &String| Route::from_path(path).is_some();
    if let Some(resource) = resource.filter(has_route) {
        return resource;
    }
    if has_route(&path) {
        return path;
    }
    let rest = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    rest.map(str::to_owned).filter(has_route).unwrap_or(path)
}

/// Replaces the parameters in a resource such as `/webhooks/{webhook}` or `/{proxy+}`. `None` if one is missing.
fn fill_in(resource: &str, parameters: &[(String, Option<String>)]) -> Option<String> {
    let segments = resource.split('/').map(|segment| {
        let name = segment.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        let Some(name) = name else {
            return Some(segment);
        };
        let name = name.strip_suffix('+').unwrap_or(name);
        let parameter = parameters.iter().find(|(known, _)| known == name);
        parameter.and_then(|(_, value)| value.as_deref())
    });
    Some(segments.collect::<Option<Vec<_>>>()?.join("/"))
}

/// A response in the form that all three gateways accept.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayResponse {
    status_code: u16,
    headers: BTreeMap<String, String>,
    body: String,
    is_base64_encoded: bool,
}

impl From<Response<String>> for GatewayResponse {
    fn from(response: Response<String>) -> Self {
        let (parts, body) = response.into_parts();
        let header = |(name, value): (&_, &lambda_http::http::HeaderValue)| {
            let name: &lambda_http::http::HeaderName = name;
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        Self {
            status_code: parts.status.as_u16(),
            headers: parts.headers.iter().filter_map(header).collect(),
            body,
            is_base64_encoded: false,
        }
    }
}
