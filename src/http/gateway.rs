//! Converts the events of HTTP APIs, REST APIs and function URLs to requests, and responses to theirs.
//!
//! `lambda_http` has such a conversion, too, which copies a body four times, fails on a header value with a control
//! character, and panics on malformed hosts, queries and base64.

use super::{Request, Route};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::Context;
use lambda_http::http::{HeaderName, HeaderValue, Response};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

/// The gateway's trace header, which is used if Lambda passes none.
const TRACE_HEADER: &str = "x-amzn-trace-id";

/// The event of an invocation: a proxy event of format 2.0 (HTTP API, function URL) or 1.0 (REST API), or anything else.
/// The fields that are there decide the format.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.
pub struct GatewayEvent(Option<Request>);

impl<'de> Deserialize<'de> for GatewayEvent {
    /// Never fails: for an error, the runtime would send a response of its own and log the event.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut event = Self(None);
        // The visitor sees every error, except that an event is not an object, and so not an HTTP request.
        let _ = deserializer.deserialize_map(EventVisitor(&mut event));
        Ok(event)
    }
}

struct EventVisitor<'a>(&'a mut GatewayEvent);

impl<'de> Visitor<'de> for EventVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let malformed = Request { is_malformed: true, ..Request::default() };
        self.0.0 = match ProxyEvent::deserialize(MapAccessDeserializer::new(map)) {
            Ok(event) => event.is_http().then(|| event.try_into().unwrap_or(malformed)),
            // A field occurs twice, a name has a lone surrogate, or the body is not a text. The event is taken for a request:
            // the sender gets a 503.
            Err(_) => Some(malformed),
        };
        Ok(())
    }
}

/// The fields of both formats.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProxyEvent {
    raw_path: Field<String>,
    path: Field<String>,
    http_method: Field<String>,
    resource: Field<String>,
    path_parameters: Field<BTreeMap<String, Option<String>>>,
    headers: Field<BTreeMap<String, Option<String>>>,
    multi_value_headers: Field<BTreeMap<String, Option<Vec<Option<String>>>>>,
    request_context: Field<RequestContext>,
    /// Not a [`Field`], since it can be long: this reads it once.
    body: Option<String>,
    is_base64_encoded: Field<bool>,
}

/// A field that an event lacks, or whose value is `null`, is `Ok(None)`.
struct Field<T>(Result<Option<T>, Malformed>);

/// The value of a field has the wrong type.
struct Malformed;

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self(Ok(None))
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    /// The runtime's deserializer tracks the path to every value for its error messages. Parsing the values without it
    /// takes a third of the time.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(json.get()).map_err(|_| Malformed)))
    }
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

impl ProxyEvent {
    /// Whether it is an HTTP request. Format 2.0 always has a path; its method is in the request context.
    fn is_http(&self) -> bool {
        [&self.raw_path, &self.path, &self.http_method]
            .iter()
            .any(|field| !matches!(field, Field(Ok(None))))
    }
}

impl TryFrom<ProxyEvent> for Request {
    type Error = Malformed;

    fn try_from(event: ProxyEvent) -> Result<Self, Malformed> {
        let RequestContext { stage, http, identity } = event.request_context.0?.unwrap_or_default();
        let HttpContext { method, source_ip } = http.unwrap_or_default();
        let source_ip = source_ip.or(identity.unwrap_or_default().source_ip);
        let parameters = event.path_parameters.0?.unwrap_or_default();
        let resource = event.resource.0?.and_then(|resource| fill_in(&resource, &parameters));
        let (raw_path, path) = (event.raw_path.0?, event.path.0?);
        let path = raw_path.or(path).unwrap_or_default();
        let body = event.body.unwrap_or_default();
        let http_method = event.http_method.0?;
        Ok(Self {
            method: method.or(http_method).unwrap_or_default(),
            path: routed_path(resource, path, stage.as_deref()),
            headers: headers(
                event.headers.0?.unwrap_or_default(),
                event.multi_value_headers.0?.unwrap_or_default(),
            ),
            source_ip: source_ip.and_then(|address| address.parse().ok()),
            body: match event.is_base64_encoded.0? {
                Some(true) => STANDARD.decode(body).ok(),
                _ => Some(body.into_bytes()),
            },
            ..Self::default()
        })
    }
}

impl GatewayEvent {
    /// Returns the request of the event, with the trace, id and deadline of its invocation. `None` if the event is not an HTTP
    /// request, for example a test event of the console.
    pub fn into_request(self, context: &Context) -> Option<Request> {
        let request = self.0?;
        let trace_header = || request.values(TRACE_HEADER).next().map(str::to_owned);
        Some(Request {
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
    single: BTreeMap<String, Option<String>>,
    multi: BTreeMap<String, Option<Vec<Option<String>>>>,
) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(single.len() + multi.len());
    for (mut name, values) in multi {
        name.make_ascii_lowercase();
        let values = values.unwrap_or_default().into_iter().flatten();
        headers.extend(values.map(|value| (name.clone(), value)));
    }
    let from_multi = headers.len();
    for (mut name, value) in single {
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
fn fill_in(resource: &str, parameters: &BTreeMap<String, Option<String>>) -> Option<String> {
    let segments = resource.split('/').map(|segment| {
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => parameters.get(name.strip_suffix('+').unwrap_or(name))?.as_deref(),
            None => Some(segment),
        }
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
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.to_string(), value.to_str().ok()?.to_owned()))
        };
        Self {
            status_code: parts.status.as_u16(),
            headers: parts.headers.iter().filter_map(header).collect(),
            body,
            is_base64_encoded: false,
        }
    }
}
