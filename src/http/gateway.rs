//! The gateway's event as a request, and an answer as the gateway wants it: HTTP API, REST API and function URL.
//!
//! `lambda_http` reads these events, too, but it copies a body four times, refuses the event for one odd header value,
//! and panics on an odd host, query or base64. Each of those would be an answer that is not ours.

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

/// What a delivery usually has.
const EXPECTED_HEADERS: usize = 16;
/// The gateway's own trace header, for an invocation that Lambda says no trace of.
const TRACE_HEADER: &str = "x-amzn-trace-id";

/// What Lambda was invoked with: a proxy event of format 2.0 (HTTP API, function URL) or 1.0 (REST API), told apart by
/// which fields are there, or anything else.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.
pub struct GatewayEvent(Result<ProxyEvent, EventError>);

/// Why an event is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventError {
    /// It is no HTTP request at all, such as a test event of the console or a scheduled event.
    NotHttp,
    /// It is one, but a field that is needed is of another type.
    Unreadable,
}

impl<'de> Deserialize<'de> for GatewayEvent {
    /// Never fails: the runtime would answer for us, and log what it could not read.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut is_object = false;
        let event = deserializer.deserialize_map(EventVisitor {
            is_object: &mut is_object,
        });
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

/// The event with all but its path and method as they are written, so that these are known before a value of another
/// type makes it unreadable.
///
/// The runtime's deserializer remembers the way to every value, for its error messages; objects that it does not enter
/// cost a third.
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
    /// Whether it has a path or a method. Format 2.0 has its method in the context, but always a path beside it.
    fn is_http(&self) -> bool {
        self.raw_path.is_some() || self.path.is_some() || self.http_method.is_some()
    }
}

/// A JSON object as its pairs, in the order and as often as they are there.
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

struct ProxyEvent {
    raw_path: Option<String>,
    path: Option<String>,
    resource: Option<String>,
    path_parameters: MultiMap<Option<String>>,
    http_method: Option<String>,
    headers: MultiMap<Option<String>>,
    multi_value_headers: MultiMap<Option<Vec<Option<String>>>>,
    request_context: RequestContext,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

impl TryFrom<RawEvent<'_>> for ProxyEvent {
    type Error = serde_json::Error;

    fn try_from(event: RawEvent<'_>) -> serde_json::Result<Self> {
        Ok(Self {
            raw_path: event.raw_path,
            path: event.path,
            resource: read(event.resource)?,
            path_parameters: read(event.path_parameters)?,
            http_method: event.http_method,
            headers: read(event.headers)?,
            multi_value_headers: read(event.multi_value_headers)?,
            request_context: read(event.request_context)?,
            body: read(event.body)?,
            is_base64_encoded: read(event.is_base64_encoded)?,
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
    /// The request in the event. What the event lacks is empty.
    ///
    /// # Errors
    /// If there is none in it.
    pub fn into_request(self, context: &Context) -> Result<Request, EventError> {
        let event = self.0?;
        let RequestContext {
            stage,
            http,
            identity,
        } = event.request_context;
        let HttpContext { method, source_ip } = http.unwrap_or_default();
        let source_ip = source_ip.or(identity.unwrap_or_default().source_ip);
        let resource = event.resource.as_deref();
        let resource = resource.and_then(|it| fill_in(it, &event.path_parameters.0));
        let path = event.raw_path.or(event.path).unwrap_or_default();
        let path = routed_path(resource, path, stage.as_deref());
        let headers = headers(event.headers, event.multi_value_headers);
        let trace = context.xray_trace_id.clone().or_else(|| {
            let traced = headers.iter().find(|(name, _)| name == TRACE_HEADER);
            traced.map(|(_, value)| value.clone())
        });
        Ok(Request {
            method: method.or(event.http_method).unwrap_or_default(),
            path,
            headers,
            source: source_ip.and_then(|address| address.parse().ok()),
            body: RawBody {
                text: event.body.unwrap_or_default(),
                is_base64: event.is_base64_encoded.unwrap_or_default(),
            },
            trace,
            request_id: context.request_id.clone(),
            deadline: Some(SystemTime::UNIX_EPOCH + Duration::from_millis(context.deadline)),
        })
    }
}

/// All values under lower-case names. Format 1.0 says the last value of each header twice, once in each map; a value
/// that only one of them has still counts, so that what is doubled stays doubled.
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
        if !headers
            .iter()
            .take(from_multi)
            .any(|known| *known == header)
        {
            headers.push(header);
        }
    }
    headers
}

/// The path that has a route, where there is one. A REST API behind a base path mapping has the mapping's name in front
/// of the path, but its resource says which route it is. Format 2.0 has a named stage in front, unless it comes by a
/// custom domain.
fn routed_path(resource: Option<String>, path: String, stage: Option<&str>) -> String {
    let has_route = |path: &String| Route::of_path(path).is_some();
    if let Some(resource) = resource.filter(has_route) {
        return resource;
    }
    if has_route(&path) {
        return path;
    }
    let rest = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    rest.map(str::to_owned).filter(has_route).unwrap_or(path)
}

/// `/webhooks/{webhook}` or `/{proxy+}` with its parameters in place; `None` if one is missing.
fn fill_in(resource: &str, parameters: &[(String, Option<String>)]) -> Option<String> {
    let segments = resource.split('/').map(|segment| {
        let name = segment
            .strip_prefix('{')
            .and_then(|it| it.strip_suffix('}'));
        let Some(name) = name else {
            return Some(segment);
        };
        let name = name.strip_suffix('+').unwrap_or(name);
        let parameter = parameters.iter().find(|(known, _)| known == name);
        parameter.and_then(|(_, value)| value.as_deref())
    });
    Some(segments.collect::<Option<Vec<_>>>()?.join("/"))
}

/// An answer in the form that all three gateways take.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayResponse {
    status_code: u16,
    headers: BTreeMap<String, String>,
    body: String,
    is_base64_encoded: bool,
}

impl From<Response<String>> for GatewayResponse {
    fn from(answer: Response<String>) -> Self {
        let (parts, body) = answer.into_parts();
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
