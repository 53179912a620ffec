//! What a request must come to, by the contract: its answer, and the message that must be stored for a 200.

use super::event::{Call, Reading};
use super::gateway::{Request, Route, is_visible};
use super::signature::Claims;
use super::world::{
    Answer, INLINE_LIMIT, INVOCATION_ID, MODELS, NOW, OLD_SECRETS, Place, SECRETS, World,
};
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

/// The log line of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LogLine {
    /// There is none.
    None,
    Plain,
    /// It says that one of our secrets signed the request, which is refused.
    ValidSignature,
}

/// A message.
pub(crate) struct Expected {
    pub(crate) entity: Entity,
    pub(crate) bytes: Vec<u8>,
    /// All but the size of a payload.
    pub(crate) attributes: BTreeMap<&'static str, String>,
    pub(crate) dedup_id: String,
    /// These two are for a FIFO queue only.
    pub(crate) deduplication_id: Option<String>,
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

/// What a request must come to, and its log line.
pub(crate) fn on(request: &Request, world: World) -> (Verdict, LogLine) {
    let mut verdict = checked(request, world);
    let status = match &mut verdict {
        Verdict::Answered(answer) => {
            if request.method == "HEAD" {
                answer.body.clear();
            }
            answer.status_code
        }
        Verdict::Queued(_) | Verdict::Spilled(_) => 200,
    };
    // The secrets that are in memory when the answer is known. An unknown name has made the relay fetch them.
    let all: &[(&str, &[&str])] = match (status, &request.route) {
        (200, Some(Route::Health)) => return (verdict, LogLine::None),
        (404, Some(_)) => &SECRETS,
        (403 | 404 | 405 | 415, _) if world.has_old_secrets => &OLD_SECRETS,
        _ => &[],
    };
    // Where it is not known whose secrets must have signed the request, any may have.
    let is_signed = match request.secret_name().and_then(|name| secrets_of(name, all)) {
        Some(own) => own.iter().any(|secret| is_signed_with(request, secret)),
        None => all
            .iter()
            .flat_map(|(_, secrets)| *secrets)
            .any(|secret| is_signed_with(request, secret)),
    };
    let line = if is_signed {
        LogLine::ValidSignature
    } else {
        LogLine::Plain
    };
    (verdict, line)
}

/// The checks in the order of the contract.
fn checked(request: &Request, world: World) -> Verdict {
    let Some(route) = &request.route else {
        return refusal(404, "not_found");
    };
    let allow = match route {
        Route::Webhook(_) | Route::ModelRun => "POST",
        Route::Models => "GET",
        Route::Health => "GET, HEAD",
    };
    if !allow.split(", ").any(|method| method == request.method) {
        let mut refused = answer(405, r#"{"error":"method_not_allowed"}"#.to_owned());
        let allow = ("allow".to_owned(), allow.to_owned());
        refused.headers.extend([allow]);
        return Verdict::Answered(refused);
    }
    let webhook = match route {
        Route::Health => return Verdict::Answered(answer(200, r#"{"status":"ok"}"#.to_owned())),
        Route::Models | Route::ModelRun => None,
        Route::Webhook(webhook) => Some(webhook.as_str()),
    };
    if world.checks_sources && !request.is_from_allowed {
        return refusal(403, "source_not_allowed");
    }
    if webhook.is_some() && !is_json(request) {
        return refusal(415, "unsupported_media_type");
    }
    let Some(body) = &request.body else {
        return refusal(400, "malformed_base64");
    };
    if let Some(refusal) = unauthenticated(request, webhook.unwrap_or("training"), world) {
        return refusal;
    }
    if *route == Route::Models {
        return Verdict::Answered(answer(200, MODELS.to_owned()));
    }
    let mut message = Expected::of(request, webhook, body, world);
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
        } => {
            // Whatever its queue has stored under the event's id must not displace the message that is sent later.
            if let Some(id) = &mut message.deduplication_id {
                id.push_str("-replay");
            }
            Verdict::Spilled(message)
        }
        _ => refusal(503, "try_again"),
    }
}

/// The refusal of a request that no secret of this name signed: none of the old ones in memory, if there are any, and none
/// that the store gives.
fn unauthenticated(request: &Request, name: &str, world: World) -> Option<Verdict> {
    let is_signed = |secrets: &[&str]| {
        let mut secrets = secrets.iter();
        secrets.any(|secret| is_signed_with(request, secret))
    };
    if let Some(old) = secrets_of(name, &OLD_SECRETS).filter(|_| world.has_old_secrets) {
        if is_signed(old) {
            return None;
        }
        if claims(request).is_none() {
            return Some(refusal(401, "signature_rejected"));
        }
    }
    if world.store != Place::Works {
        return Some(refusal(503, "try_again"));
    }
    match secrets_of(name, &SECRETS) {
        None => Some(refusal(404, "not_found")),
        Some(secrets) if is_signed(secrets) => None,
        Some(_) => Some(refusal(401, "signature_rejected")),
    }
}

fn claims(request: &Request) -> Option<Claims> {
    let sha1 = request.values("x-hub-signature");
    let sha256 = request.values("x-hub-signature-256");
    Claims::of(&sha1, &sha256)
}

fn is_signed_with(request: &Request, secret: &str) -> bool {
    let Some(signed) = request.signed_bytes() else {
        return false;
    };
    !secret.is_empty() && claims(request).is_some_and(|claims| claims.are_by(secret, signed))
}

/// The secrets of a name, if it is known.
pub(crate) fn secrets_of<'s>(name: &str, all: &[(&str, &'s [&'s str])]) -> Option<&'s [&'s str]> {
    Some(all.iter().find(|(known, _)| *known == name)?.1)
}

/// Whether each value of the content type is JSON. A header that was repeated may come as one, with commas.
fn is_json(request: &Request) -> bool {
    let headers = request.values("content-type").into_iter();
    let values: Vec<&str> = headers.flat_map(split_at_commas).collect();
    let is_json = |value: &&str| {
        let kind = value.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    };
    !values.is_empty() && values.iter().all(is_json)
}

/// The values of a header. A comma in a quoted string is no end of a value, and in that string `\"` is not its end. Source:
/// RFC 9110, sections 5.6.1 and 5.6.4.
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

impl Expected {
    fn of(request: &Request, webhook: Option<&str>, body: &[u8], world: World) -> Self {
        let call = match webhook {
            Some(_) => Call::Webhook(request.usable("x-labelbox-event")),
            None => Call::Training,
        };
        let event = Reading::of(body).event(call);
        let delivery_id = request.usable("x-labelbox-id");
        let dedup_id = dedup_id(&event, webhook, delivery_id, body);
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
            deduplication_id: world.is_fifo.then(|| dedup_id.clone()),
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
        _ => delivery_id.unwrap_or(INVOCATION_ID),
    };
    let topic = event.topic.as_deref().unwrap_or_default();
    let head = format!(
        "{}\0{topic}\0{discriminator}\0",
        webhook.unwrap_or_default()
    );
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
