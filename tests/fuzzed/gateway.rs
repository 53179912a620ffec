//! A gateway's event as a request, looked up in the tree of its JSON.

use super::json::Json;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// The only address that may send where addresses are checked.
pub(crate) const ALLOWED: Ipv4Addr = Ipv4Addr::new(35, 223, 142, 181);

/// What a request says. What the event lacks is empty.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) route: Option<Route>,
    headers: Vec<(String, String)>,
    pub(crate) is_from_allowed: bool,
    /// The signed bytes; nothing, when they are said to be base64 and are not.
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
                is_webhook(name).then(|| Self::Webhook(name.to_owned()))
            }
        }
    }
}

fn is_webhook(name: &str) -> bool {
    let is_allowed = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    let is_reserved = matches!(name, "training" | "backfill");
    (1..=64).contains(&name.len()) && name.chars().all(is_allowed) && !is_reserved
}

/// Why an event is no request.
pub(crate) enum Odd {
    /// It is no HTTP request at all.
    NotHttp,
    /// It is one, but no gateway writes it so: to be tried again.
    Unreadable,
    /// No gateway writes it so, and the contract does not say what it means: a list in the place of an object, or a path
    /// parameter that is there twice.
    Unspecified,
}

impl Request {
    /// The request in an event.
    pub(crate) fn read(event: &Json) -> Result<Self, Odd> {
        if !matches!(event, Json::Object(_)) {
            return Err(Odd::NotHttp);
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
        if matches!(fields_of_event[..3], [Json::Null, Json::Null, Json::Null]) {
            return Err(Odd::NotHttp);
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
        let (raw_path, path, stage) = (text(raw_path)?, text(path)?, text(stage)?);
        let path = raw_path.or(path).unwrap_or_default();
        let prefix = stage.map(|stage| format!("/{stage}"));
        let in_stage = prefix.and_then(|prefix| path.strip_prefix(&prefix));
        let filled_in = filled_in(text(resource)?, parameters)?;
        let paths = [filled_in.as_deref(), Some(path), in_stage];
        let (method, http_method) = (text(method)?, text(http_method)?);
        let (http_source, identity_source) = (text(http_source)?, text(identity_source)?);
        let source: Option<IpAddr> = http_source
            .or(identity_source)
            .and_then(|ip| ip.parse().ok());
        let body = text(body)?.unwrap_or_default();
        let body = match is_base64 {
            Json::Bool(true) => bytes_of_base64(body),
            Json::Bool(false) | Json::Null => Some(body.as_bytes().to_vec()),
            _ => return Err(Odd::Unreadable),
        };
        Ok(Self {
            method: http_method.or(method).unwrap_or_default().to_owned(),
            route: paths.into_iter().flatten().find_map(Route::of),
            headers: all_headers(headers, multi)?,
            is_from_allowed: source.is_some_and(|ip| ip.to_canonical() == ALLOWED),
            body,
        })
    }

    /// What must be signed: the body; nothing where Labelbox asks for the models.
    pub(crate) fn signed_bytes(&self) -> Option<&[u8]> {
        match self.route {
            Some(Route::Models) => Some(b""),
            _ => self.body.as_deref(),
        }
    }

    /// The name under which its secrets are.
    pub(crate) fn secret_name(&self) -> Option<&str> {
        match self.route.as_ref()? {
            Route::Webhook(webhook) => Some(webhook),
            Route::Models | Route::ModelRun => Some("training"),
            Route::Health => None,
        }
    }

    /// Every value of a header.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let values = self.headers.iter().filter(|(known, _)| known == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that is there once, if it is 1 to 256 visible ASCII characters.
    pub(crate) fn usable(&self, name: &str) -> Option<&str> {
        match self.values(name)[..] {
            [value] => Some(value).filter(|value| is_visible(value, 256)),
            _ => None,
        }
    }
}

/// Whether a text has 1 to `most` characters, all of them visible ASCII.
pub(crate) fn is_visible(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.chars().all(|one| ('!'..='~').contains(&one))
}

/// The values of an object under these names, `null` for one that is not there. Each may be there once, and all keys are
/// texts; `null` has no fields.
fn fields<'j, const N: usize>(value: &'j Json, names: [&str; N]) -> Result<[&'j Json; N], Odd> {
    let pairs = match value {
        Json::Object(pairs) => pairs,
        Json::Null => return Ok([&Json::Null; N]),
        Json::List(_) => return Err(Odd::Unspecified),
        _ => return Err(Odd::Unreadable),
    };
    let mut found = [None; N];
    for (key, value) in pairs {
        let key = key.as_deref().ok_or(Odd::Unreadable)?;
        let Some(at) = names.iter().position(|name| *name == key) else {
            continue;
        };
        if found[at].replace(value).is_some() {
            return Err(Odd::Unreadable);
        }
    }
    Ok(found.map(|value| value.unwrap_or(&Json::Null)))
}

/// A text, or nothing at all.
fn text(value: &Json) -> Result<Option<&str>, Odd> {
    match value {
        Json::Null => Ok(None),
        value => value.text().map(Some).ok_or(Odd::Unreadable),
    }
}

/// A resource of a REST API, such as `/webhooks/{webhook}` or `/{proxy+}`, with the values of its parameters; nothing
/// without one of them.
fn filled_in(resource: Option<&str>, parameters: &Json) -> Result<Option<String>, Odd> {
    let mut values = BTreeMap::new();
    for (name, value) in pairs(parameters)? {
        if values.insert(name, text(value)?).is_some() {
            return Err(Odd::Unspecified);
        }
    }
    let segments = resource.map(|resource| {
        resource.split('/').map(|segment| {
            let name = segment
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'));
            match name {
                Some(name) => *values.get(name.strip_suffix('+').unwrap_or(name))?,
                None => Some(segment),
            }
        })
    });
    let path = segments.and_then(|segments| segments.collect::<Option<Vec<_>>>());
    Ok(path.map(|path| path.join("/")))
}

/// Both maps of headers. A value that both have is there once.
fn all_headers(single: &Json, multi: &Json) -> Result<Vec<(String, String)>, Odd> {
    let mut headers = Vec::new();
    for (name, values) in pairs(multi)? {
        let name = name.to_ascii_lowercase();
        let values = match values {
            Json::Null => &[][..],
            Json::List(values) => values,
            _ => return Err(Odd::Unreadable),
        };
        for value in values {
            headers.extend(text(value)?.map(|value| (name.clone(), value.to_owned())));
        }
    }
    let of_multi = headers.clone();
    for (name, value) in pairs(single)? {
        let header = text(value)?.map(|value| (name.to_ascii_lowercase(), value.to_owned()));
        headers.extend(header.filter(|header| !of_multi.contains(header)));
    }
    Ok(headers)
}

/// The pairs of an object whose keys are all texts; `null` has none.
fn pairs(value: &Json) -> Result<Vec<(&str, &Json)>, Odd> {
    let pairs = match value {
        Json::Object(pairs) => &pairs[..],
        Json::Null => &[],
        _ => return Err(Odd::Unreadable),
    };
    let named = pairs
        .iter()
        .map(|(name, value)| Some((name.as_deref()?, value)));
    named.collect::<Option<_>>().ok_or(Odd::Unreadable)
}

/// RFC 4648 by hand: with padding, and nothing in the bits that are left over.
fn bytes_of_base64(text: &str) -> Option<Vec<u8>> {
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
