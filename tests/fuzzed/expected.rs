//! Computes the expected outcome of a request: the response, and the message that must be stored for a 200.

use super::event::{ParsedBody, Source};
use super::fixture::{
    Behavior, Fixture, INLINE_LIMIT, MODELS, NOW, OLD_SECRETS, REQUEST_ID, Response, SECRETS,
};
use super::gateway::{Request, Route, is_visible_ascii};
use super::signature::Claims;
use labelbox_relay::event::{Entity, Event};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The expected outcome of a request.
pub(crate) enum Expected {
    /// A response without a message.
    Response(Response),
    /// A 200 with a message in the queue.
    Queued(ExpectedMessage),
    /// A 200 with a spilled message in the bucket.
    Spilled(ExpectedMessage),
}

/// The log line of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LogLine {
    /// The request is not logged.
    None,
    Plain,
    /// The line reports a rejected request with a valid signature.
    ValidSignature,
}

/// The message that must be stored.
pub(crate) struct ExpectedMessage {
    pub(crate) entity: Entity,
    pub(crate) bytes: Vec<u8>,
    /// All except `ExtendedPayloadSize`.
    pub(crate) attributes: BTreeMap<&'static str, String>,
    pub(crate) dedup_id: String,
    /// `None` for a standard queue.
    pub(crate) deduplication_id: Option<String>,
    /// `None` for a standard queue.
    pub(crate) group_id: Option<String>,
    pub(crate) trace: Option<String>,
    /// Whether the message body is the signed bytes, and not a pointer.
    pub(crate) is_inline: bool,
}

/// An error response.
pub(crate) fn error(status: u16, code: &str) -> Expected {
    Expected::Response(response(status, format!(r#"{{"error":"{code}"}}"#)))
}

/// A response with the headers of its status.
pub(crate) fn response(status_code: u16, body: String) -> Response {
    let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
    let retry = (status_code == 503).then_some(("retry-after", "5"));
    let headers = headers.into_iter().chain(retry);
    Response {
        status_code,
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body,
        is_base64_encoded: false,
    }
}

/// The expected outcome of a request, and its log line.
pub(crate) fn for_request(request: &Request, fixture: Fixture) -> (Expected, LogLine) {
    let mut expected = outcome(request, fixture);
    let status = match &mut expected {
        Expected::Response(response) => {
            if request.method == "HEAD" {
                response.body.clear();
            }
            response.status_code
        }
        Expected::Queued(_) | Expected::Spilled(_) => 200,
    };
    // The secrets in the cache when the relay responds. An unknown name causes a refresh.
    let all: &[(&str, &[&str])] = match (status, &request.route) {
        (200, Some(Route::Health)) => return (expected, LogLine::None),
        (404, Some(_)) => &SECRETS,
        (403 | 404 | 405 | 415, _) if fixture.has_old_secrets => &OLD_SECRETS,
        _ => &[],
    };
    // If the webhook is unknown, a signature by any secret counts.
    let is_signed = match request.secret_name().and_then(|name| secrets_of(name, all)) {
        Some(secrets) => secrets.iter().any(|secret| is_signed_with(request, secret)),
        None => all
            .iter()
            .flat_map(|(_, secrets)| *secrets)
            .any(|secret| is_signed_with(request, secret)),
    };
    let line = if is_signed { LogLine::ValidSignature } else { LogLine::Plain };
    (expected, line)
}

/// Checks a request in the documented order.
fn outcome(request: &Request, fixture: Fixture) -> Expected {
    let Some(route) = &request.route else {
        return error(404, "not_found");
    };
    let allow = match route {
        Route::Webhook(_) | Route::ModelRun => "POST",
        Route::Models => "GET",
        Route::Health => "GET, HEAD",
    };
    if !allow.split(", ").any(|method| method == request.method) {
        let mut response = response(405, r#"{"error":"method_not_allowed"}"#.to_owned());
        let allow = ("allow".to_owned(), allow.to_owned());
        response.headers.extend([allow]);
        return Expected::Response(response);
    }
    let webhook = match route {
        Route::Health => return Expected::Response(response(200, r#"{"status":"ok"}"#.to_owned())),
        Route::Models | Route::ModelRun => None,
        Route::Webhook(webhook) => Some(webhook.as_str()),
    };
    if fixture.checks_sources && !request.is_source_allowed {
        return error(403, "source_not_allowed");
    }
    if webhook.is_some() && !is_json(request) {
        return error(415, "unsupported_media_type");
    }
    let Some(body) = &request.body else {
        return error(400, "malformed_base64");
    };
    if let Some(error) = authentication_error(request, webhook.unwrap_or("training"), fixture) {
        return error;
    }
    if *route == Route::Models {
        return Expected::Response(response(200, MODELS.to_owned()));
    }
    let mut message = ExpectedMessage::of(request, webhook, body, fixture);
    let is_stored =
        message.is_inline || matches!(fixture.bucket, Behavior::Works | Behavior::Corrupt);
    match fixture {
        _ if !is_stored => error(503, "try_again"),
        Fixture { queue: Behavior::Works, .. } => Expected::Queued(message),
        Fixture { bucket: Behavior::Works, .. } => {
            // The queue may hold another message under the event's id; a replay must not be dropped as its duplicate.
            if let Some(id) = &mut message.deduplication_id {
                id.push_str("-replay");
            }
            Expected::Spilled(message)
        }
        _ => error(503, "try_again"),
    }
}

/// The error for a request that is signed neither by a cached secret of this name nor, after a refresh, by a stored one.
fn authentication_error(request: &Request, name: &str, fixture: Fixture) -> Option<Expected> {
    let is_signed = |secrets: &[&str]| {
        let mut secrets = secrets.iter();
        secrets.any(|secret| is_signed_with(request, secret))
    };
    if let Some(old) = secrets_of(name, &OLD_SECRETS).filter(|_| fixture.has_old_secrets) {
        if is_signed(old) {
            return None;
        }
        if claims(request).is_none() {
            return Some(error(401, "signature_rejected"));
        }
    }
    if fixture.store != Behavior::Works {
        return Some(error(503, "try_again"));
    }
    match secrets_of(name, &SECRETS) {
        None => Some(error(404, "not_found")),
        Some(secrets) if is_signed(secrets) => None,
        Some(_) => Some(error(401, "signature_rejected")),
    }
}

fn claims(request: &Request) -> Option<Claims> {
    let sha1 = request.values("x-hub-signature");
    let sha256 = request.values("x-hub-signature-256");
    Claims::read(&sha1, &sha256)
}

fn is_signed_with(request: &Request, secret: &str) -> bool {
    let Some(signed) = request.signed_bytes() else {
        return false;
    };
    !secret.is_empty() && claims(request).is_some_and(|claims| claims.are_by(secret, signed))
}

/// The secrets of a name; `None` if it is unknown.
pub(crate) fn secrets_of<'s>(name: &str, all: &[(&str, &'s [&'s str])]) -> Option<&'s [&'s str]> {
    Some(all.iter().find(|(known, _)| *known == name)?.1)
}

/// Whether every value of `Content-Type` is JSON. A gateway may join repeated headers with commas.
fn is_json(request: &Request) -> bool {
    let headers = request.values("content-type").into_iter();
    let values: Vec<&str> = headers.flat_map(split_at_commas).collect();
    let is_json = |value: &&str| {
        let media_type = value.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case("application/json")
    };
    !values.is_empty() && values.iter().all(is_json)
}

/// Splits a header at the commas outside of quoted strings (RFC 9110, sections 5.6.1 and 5.6.4).
fn split_at_commas(header: &str) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let values = header.split(|character| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            '"' if !was_escaped => is_quoted = !is_quoted,
            '\\' => is_escaped = is_quoted && !was_escaped,
            _ => {}
        }
        character == ',' && !is_quoted
    });
    values.collect()
}

impl ExpectedMessage {
    fn of(request: &Request, webhook: Option<&str>, body: &[u8], fixture: Fixture) -> Self {
        let source = match webhook {
            Some(_) => Source::Webhook(request.valid_value("x-labelbox-event")),
            None => Source::Training,
        };
        let event = ParsedBody::parse(body).event(source);
        let delivery_id = request.valid_value("x-labelbox-id");
        let dedup_id = dedup_id(&event, webhook, delivery_id, body);
        let attributes = attributes(&event, delivery_id, webhook, &dedup_id);
        let group_id = match &event.entity_id {
            Some(id) if is_visible_ascii(id, 128) => id.clone(),
            Some(id) => hex::encode(Sha256::digest(id)),
            None => dedup_id.clone(),
        };
        // SQS also counts the six bytes of the data type `String`.
        let size: usize = attributes.iter().map(|(name, value)| name.len() + value.len() + 6).sum();
        let is_text =
            std::str::from_utf8(body).is_ok_and(|text| text.chars().all(is_sqs_character));
        Self {
            entity: event.entity,
            is_inline: is_text && !body.is_empty() && size + body.len() <= INLINE_LIMIT,
            bytes: body.to_vec(),
            attributes,
            group_id: fixture.is_fifo.then_some(group_id),
            deduplication_id: fixture.is_fifo.then(|| dedup_id.clone()),
            dedup_id,
            trace: trace(request).map(str::to_owned),
        }
    }
}

fn dedup_id(
    event: &Event,
    webhook: Option<&str>,
    delivery_id: Option<&str>,
    body: &[u8],
) -> String {
    let discriminator = match event.entity {
        Entity::Label if event.occurred_at.is_some() => "",
        _ => delivery_id.unwrap_or(REQUEST_ID),
    };
    let topic = event.topic.as_deref().unwrap_or_default();
    let head = format!("{}\0{topic}\0{discriminator}\0", webhook.unwrap_or_default());
    hex::encode(Sha256::digest([head.as_bytes(), body].concat()))
}

fn attributes(
    event: &Event,
    delivery_id: Option<&str>,
    webhook: Option<&str>,
    dedup_id: &str,
) -> BTreeMap<&'static str, String> {
    let reason = match event.entity {
        Entity::Unrouted(reason) => Some(reason.name()),
        _ => None,
    };
    let attributes = [
        ("event", event.topic.as_deref()),
        ("entity", Some(event.entity.name())),
        ("entity_id", event.entity_id.as_deref()),
        ("project_id", event.project_id.as_deref()),
        ("delivery_id", delivery_id),
        ("webhook", webhook),
        ("occurred_at", event.occurred_at.as_deref()),
        ("received_at", Some(NOW.1)),
        ("dedup_id", Some(dedup_id)),
        ("reason", reason),
    ];
    let is_valid =
        |value: &&str| (1..=1024).contains(&value.len()) && value.chars().all(is_sqs_character);
    let present = attributes
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(is_valid)?.to_owned())));
    present.collect()
}

/// Whether SQS accepts a character in message bodies and attributes.
pub(crate) fn is_sqs_character(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..
    )
}

/// The gateway's trace header, if it has a valid X-Ray root.
fn trace(request: &Request) -> Option<&str> {
    let trace = *request.values("x-amzn-trace-id").first()?;
    let is_hex = |text: &str, length| {
        text.len() == length && text.chars().all(|digit| digit.is_ascii_hexdigit())
    };
    let is_root = |part: &str| match part.split('-').collect::<Vec<_>>()[..] {
        ["Root=1", time, unique] => is_hex(time, 8) && is_hex(unique, 24),
        _ => false,
    };
    let has_root = trace.split(';').any(is_root);
    (is_visible_ascii(trace, 256) && has_root).then_some(trace)
}
