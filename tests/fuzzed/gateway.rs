//! Reads the HTTP request of a gateway event from the tree of its JSON.

use super::json::Json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The only allowed source address, if the fixture checks sources.
pub(crate) const ALLOWED_SOURCE: Ipv4Addr = Ipv4Addr::new(35, 223, 142, 181);

/// A request. What the event lacks is empty.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) route: Option<Route>,
    headers: Vec<(String, String)>,
    pub(crate) is_source_allowed: bool,
    /// `None` for malformed base64.
    pub(crate) body: Option<Vec<u8>>,
}

#[derive(PartialEq, Eq)]
pub(crate) enum Route {
    Webhook(String),
    Models,
    ModelRun,
    Health,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/training/models" => Some(Self::Models),
            "/training/model_run" => Some(Self::ModelRun),
            "/health" => Some(Self::Health),
            _ => {
                let name = path.strip_prefix("/webhooks/")?;
                is_webhook_name(name).then(|| Self::Webhook(name.to_owned()))
            }
        }
    }
}

fn is_webhook_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_reserved = matches!(name, "training" | "backfill");
    (1..=64).contains(&name.len()) && name.chars().all(is_allowed) && !is_reserved
}

/// Why an event has no expected request.
pub(crate) enum InvalidEvent {
    /// It is not an HTTP event.
    NotHttp,
    /// It is an HTTP event that no gateway sends. The relay must respond with 503.
    Malformed,
    /// No gateway sends it, and how the relay reads it is unspecified: an array instead of an object, or a duplicate field.
    Unspecified,
}

impl Request {
    /// Reads the request of an event.
    pub(crate) fn read(event: &Json) -> Result<Self, InvalidEvent> {
        if !matches!(event, Json::Object(_)) {
            return Err(InvalidEvent::NotHttp);
        }
        let names = [
            "rawPath",
            "path",
            "httpMethod",
            "resource",
            "pathParameters",
            "headers",
            "multiValueHeaders",
            "requestContext",
            "body",
            "isBase64Encoded",
        ];
        let fields_of_event = fields(event, names)?;
        // A body that is not a text is malformed, whatever the event is.
        string(fields_of_event[8])?;
        if matches!(fields_of_event[..3], [Json::Null, Json::Null, Json::Null]) {
            return Err(InvalidEvent::NotHttp);
        }
        let [
            raw_path,
            path,
            method,
            resource,
            parameters,
            headers,
            multi,
            context,
            body,
            is_base64,
        ] = fields_of_event;
        let [stage, http, identity] = fields(context, ["stage", "http", "identity"])?;
        let [http_method, http_source] = fields(http, ["method", "sourceIp"])?;
        let [identity_source] = fields(identity, ["sourceIp"])?;
        let (raw_path, path, stage) = (string(raw_path)?, string(path)?, string(stage)?);
        let path = raw_path.or(path).unwrap_or_default();
        let prefix = stage.map(|stage| format!("/{stage}"));
        let in_stage = prefix.and_then(|prefix| path.strip_prefix(&prefix));
        let resource_path = resource_path(string(resource)?, parameters)?;
        let paths = [resource_path.as_deref(), Some(path), in_stage];
        let (method, http_method) = (string(method)?, string(http_method)?);
        let (http_source, identity_source) = (string(http_source)?, string(identity_source)?);
        let source: Option<IpAddr> = http_source.or(identity_source).and_then(|ip| ip.parse().ok());
        let body = string(body)?.unwrap_or_default();
        let body = match is_base64 {
            Json::Bool(true) => decode_base64(body),
            Json::Bool(false) | Json::Null => Some(body.as_bytes().to_vec()),
            _ => return Err(InvalidEvent::Malformed),
        };
        Ok(Self {
            method: http_method.or(method).unwrap_or_default().to_owned(),
            route: paths.into_iter().flatten().find_map(Route::of),
            headers: all_headers(headers, multi)?,
            is_source_allowed: source.is_some_and(|ip| ip.to_canonical() == ALLOWED_SOURCE),
            body,
        })
    }

    /// The signed bytes: the body, or nothing for the list of models.
    pub(crate) fn signed_bytes(&self) -> Option<&[u8]> {
        match self.route {
            Some(Route::Models) => Some(b""),
            _ => self.body.as_deref(),
        }
    }

    /// The name of the webhook or of the training routes in the secret.
    pub(crate) fn secret_name(&self) -> Option<&str> {
        match self.route.as_ref()? {
            Route::Webhook(webhook) => Some(webhook),
            Route::Models | Route::ModelRun => Some("training"),
            Route::Health => None,
        }
    }

    /// All values of a header.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let values = self.headers.iter().filter(|(known, _)| known == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that occurs once, if it is 1 to 256 visible ASCII characters.
    pub(crate) fn valid_value(&self, name: &str) -> Option<&str> {
        match self.values(name)[..] {
            [value] => Some(value).filter(|value| is_visible_ascii(value, 256)),
            _ => None,
        }
    }
}

/// Whether a text is 1 to `max` visible ASCII characters.
pub(crate) fn is_visible_ascii(text: &str, max: usize) -> bool {
    !text.is_empty() && text.len() <= max && text.chars().all(|c| ('!'..='~').contains(&c))
}

/// The values of an object under these names, `null` for an absent one. `null` counts as an empty object; duplicates and
/// invalid names are errors.
fn fields<'j, const N: usize>(
    value: &'j Json,
    names: [&str; N],
) -> Result<[&'j Json; N], InvalidEvent> {
    let members = match value {
        Json::Object(members) => members,
        Json::Null => return Ok([&Json::Null; N]),
        Json::Array(_) => return Err(InvalidEvent::Unspecified),
        _ => return Err(InvalidEvent::Malformed),
    };
    let mut found = [None; N];
    for (name, value) in members {
        let name = name.as_deref().ok_or(InvalidEvent::Malformed)?;
        let Some(at) = names.iter().position(|wanted| *wanted == name) else {
            continue;
        };
        if found[at].replace(value).is_some() {
            return Err(InvalidEvent::Unspecified);
        }
    }
    Ok(found.map(|value| value.unwrap_or(&Json::Null)))
}

/// A string, or `None` for `null`.
fn string(value: &Json) -> Result<Option<&str>, InvalidEvent> {
    match value {
        Json::Null => Ok(None),
        value => value.as_str().map(Some).ok_or(InvalidEvent::Malformed),
    }
}

/// The path of a REST API's resource, such as `/webhooks/{webhook}` or `/{proxy+}`, with its parameters replaced by their
/// values; `None` if a value is absent.
fn resource_path(
    resource: Option<&str>,
    parameters: &Json,
) -> Result<Option<String>, InvalidEvent> {
    let members = members(parameters)?.into_iter();
    let values: BTreeMap<_, _> =
        members.map(|(name, value)| Ok((name, string(value)?))).collect::<Result<_, _>>()?;
    let segments = resource.map(|resource| {
        resource.split('/').map(|segment| {
            let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            match name {
                Some(name) => *values.get(name.strip_suffix('+').unwrap_or(name))?,
                None => Some(segment),
            }
        })
    });
    let path = segments.and_then(|segments| segments.collect::<Option<Vec<_>>>());
    Ok(path.map(|path| path.join("/")))
}

/// The headers of both maps. A value that is in both counts once.
fn all_headers(single: &Json, multi: &Json) -> Result<Vec<(String, String)>, InvalidEvent> {
    let mut headers = Vec::new();
    for (name, values) in members(multi)? {
        let name = name.to_ascii_lowercase();
        let values = match values {
            Json::Null => &[][..],
            Json::Array(values) => values,
            _ => return Err(InvalidEvent::Malformed),
        };
        for value in values {
            headers.extend(string(value)?.map(|value| (name.clone(), value.to_owned())));
        }
    }
    let of_multi = headers.clone();
    for (name, value) in members(single)? {
        let header = string(value)?.map(|value| (name.to_ascii_lowercase(), value.to_owned()));
        headers.extend(header.filter(|header| !of_multi.contains(header)));
    }
    Ok(headers)
}

/// The members of an object. `null` counts as an empty object; duplicate and invalid names are errors.
fn members(value: &Json) -> Result<Vec<(&str, &Json)>, InvalidEvent> {
    let members = match value {
        Json::Object(members) => &members[..],
        Json::Null => &[],
        _ => return Err(InvalidEvent::Malformed),
    };
    let named = members.iter().map(|(name, value)| Some((name.as_deref()?, value)));
    let named: Vec<_> = named.collect::<Option<_>>().ok_or(InvalidEvent::Malformed)?;
    let names: BTreeSet<_> = named.iter().map(|(name, _)| *name).collect();
    if names.len() < named.len() {
        return Err(InvalidEvent::Unspecified);
    }
    Ok(named)
}

/// Decodes base64 by hand from RFC 4648: with padding, and with unused bits of zero.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let is_padded = text.len().is_multiple_of(4) && padding <= 2;
    is_padded.then_some(())?;
    let (mut bits, mut count, mut bytes) = (0, 0, Vec::new());
    for digit in digits.chars() {
        bits = bits << 6 | ALPHABET.find(digit)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (bits == 0).then_some(bytes)
}
