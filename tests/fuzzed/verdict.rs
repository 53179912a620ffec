//! What a request must come to, by the contract: its answer, and the message that must be stored for a 200.

use super::event::{Call, Reading};
use super::gateway::{Request, is_visible};
use super::signature::Claims;
use super::world::{Answer, INLINE_LIMIT, MODELS, NOW, Place, SECRETS, World};
use labelbox_relay::event::{Entity, Event};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What a request must come to.
pub(crate) enum Verdict {
    /// An answer, with nothing stored.
    Answered(Answer),
    /// A message in the queue.
    Queued(Expected),
    /// A message in the bucket.
    Spilled(Expected),
}

/// A message.
pub(crate) struct Expected {
    pub(crate) entity: Entity,
    pub(crate) bytes: Vec<u8>,
    /// All but the size of a payload.
    pub(crate) attributes: BTreeMap<&'static str, String>,
    pub(crate) dedup_id: String,
    pub(crate) group_id: Option<String>,
    pub(crate) trace: Option<String>,
    /// Whether its body is itself, and not a pointer.
    pub(crate) is_inline: bool,
}

/// An answer with nothing but a code.
pub(crate) fn refusal(status: u16, code: &str) -> Verdict {
    Verdict::Answered(answer(status, format!(r#"{{"error":"{code}"}}"#)))
}

/// An answer with the headers that its status has.
pub(crate) fn answer(status_code: u16, body: String) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
    ];
    let retry = (status_code == 503).then_some(("retry-after", "5"));
    let headers = headers.into_iter().chain(retry);
    Answer {
        status_code,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body,
        is_base64_encoded: false,
    }
}

/// The checks in the order of the contract.
pub(crate) fn on(request: &Request, world: World) -> Verdict {
    let (method, webhook) = match request.path.as_str() {
        "/health" => ("GET", None),
        "/training/models" => ("GET", None),
        "/training/model_run" => ("POST", None),
        path => match path.strip_prefix("/webhooks/") {
            Some(name) if is_webhook(name) => ("POST", Some(name)),
            _ => return refusal(404, "not_found"),
        },
    };
    if request.method != method {
        let mut refused = answer(405, r#"{"error":"method_not_allowed"}"#.to_owned());
        refused
            .headers
            .insert("allow".to_owned(), method.to_owned());
        return Verdict::Answered(refused);
    }
    if request.path == "/health" {
        return Verdict::Answered(answer(200, r#"{"status":"ok"}"#.to_owned()));
    }
    if world.checks_sources && !request.is_from_allowed {
        return refusal(403, "source_not_allowed");
    }
    if webhook.is_some() && !is_json(request) {
        return refusal(415, "unsupported_media_type");
    }
    let Some(body) = &request.body else {
        return refusal(400, "malformed_base64");
    };
    let signed: &[u8] = if method == "GET" { b"" } else { body };
    let keys = match secrets_of(webhook.unwrap_or("training")) {
        _ if world.store != Place::Works => return refusal(503, "try_again"),
        Some(keys) if webhook != Some("training") => keys,
        _ => return refusal(404, "not_found"),
    };
    let (sha1, sha256) = (
        request.values("x-hub-signature"),
        request.values("x-hub-signature-256"),
    );
    let claims = Claims::of(&sha1, &sha256);
    let is_by =
        |key: &&str| !key.is_empty() && claims.as_ref().is_some_and(|all| all.are_by(key, signed));
    if !keys.iter().any(is_by) {
        return refusal(401, "signature_rejected");
    }
    if method == "GET" {
        return Verdict::Answered(answer(200, MODELS.to_owned()));
    }
    let message = Expected::of(request, webhook, body, world);
    let is_stored = message.is_inline || matches!(world.bucket, Place::Works | Place::IsOdd);
    match world {
        _ if !is_stored => refusal(503, "try_again"),
        World {
            queue: Place::Works,
            ..
        } => Verdict::Queued(message),
        World {
            bucket: Place::Works,
            ..
        } => Verdict::Spilled(message),
        _ => refusal(503, "try_again"),
    }
}

/// The secrets of a name, if it is known.
pub(crate) fn secrets_of(name: &str) -> Option<&'static [&'static str]> {
    Some(SECRETS.iter().find(|(known, _)| *known == name)?.1)
}

fn is_webhook(name: &str) -> bool {
    let is_allowed = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    (1..=64).contains(&name.len()) && name.chars().all(is_allowed)
}

fn is_json(request: &Request) -> bool {
    let [value] = request.values("content-type")[..] else {
        return false;
    };
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

impl Expected {
    fn of(request: &Request, webhook: Option<&str>, body: &[u8], world: World) -> Self {
        let call = match webhook {
            Some(_) => Call::Webhook(request.usable("x-labelbox-event")),
            None => Call::Training,
        };
        let event = Reading::of(body).event(call);
        let delivery_id = request.usable("x-labelbox-id");
        let dedup_id = dedup_id(&event, delivery_id, body);
        let attributes = attributes(&event, delivery_id, webhook, &dedup_id);
        let group_id = match &event.entity_id {
            Some(id) if is_visible(id, 128) => id.clone(),
            Some(id) => hex::encode(Sha256::digest(id)),
            None => dedup_id.clone(),
        };
        // SQS counts the name of the type, too: String.
        let size: usize = attributes
            .iter()
            .map(|(name, value)| name.len() + value.len() + 6)
            .sum();
        let is_text = std::str::from_utf8(body).is_ok_and(|text| text.chars().all(is_sqs));
        Self {
            entity: event.entity,
            is_inline: is_text && !body.is_empty() && size + body.len() <= INLINE_LIMIT,
            bytes: body.to_vec(),
            attributes,
            group_id: world.is_fifo.then_some(group_id),
            dedup_id,
            trace: trace(request).map(str::to_owned),
        }
    }
}

fn dedup_id(event: &Event, delivery_id: Option<&str>, body: &[u8]) -> String {
    let mut text = event.topic.clone().unwrap_or_default().into_bytes();
    text.push(b'\n');
    if event.occurred_at.is_none() {
        text.extend(delivery_id.unwrap_or_default().bytes());
        text.push(b'\n');
    }
    text.extend(body);
    hex::encode(Sha256::digest(text))
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
    let all = [
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
    let fits = |value: &&str| (1..=1024).contains(&value.len()) && value.chars().all(is_sqs);
    let there = all
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(fits)?.to_owned())));
    there.collect()
}

/// SQS's set of characters.
pub(crate) fn is_sqs(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..
    )
}

/// The gateway's trace header, if it has a root that X-Ray would take.
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
    (is_visible(trace, 256) && has_root).then_some(trace)
}
