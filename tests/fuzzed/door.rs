//! The oracle of the whole relay: a gateway's event goes in, and what comes of it is what the contract says.
//!
//! An input is an event as JSON. In it, `@sha1` and `@sha256` stand for the right digits over its body, by the first secret
//! of its webhook or by the text under `signer`; so a body may change and is still signed. `world` says which services do
//! not work, how the relay is configured, and whether it has the secrets from before a rotation in memory. No gateway
//! writes these two fields, and the relay ignores them.

use super::gateway::{Odd, Request};
use super::json::Json;
use super::mac;
use super::sent::{Sent, check_sent};
use super::verdict::{self, Expected, LogLine, Verdict, answer};
use super::world::{self, Answer, Outcome, SECRETS, World};
use labelbox_relay::event::Entity;

/// Sends an event through the relay, and compares what comes of it with what must.
pub(crate) fn check(input: &[u8]) {
    // The runtime's API hands over JSON, which is UTF-8. What is not must still get an answer.
    let text = std::str::from_utf8(input).map(signed);
    let event = text.as_deref().ok().and_then(Json::first);
    let (Ok(text), Some(event)) = (text, event) else {
        return check_answer_only(&world::play(input, World::read(&Json::Null)));
    };
    let world = World::read(&event);
    let outcome = world::play(text.as_bytes(), world);
    let (verdict, line) = match Request::read(&event) {
        Ok(request) => verdict::on(&request, world),
        Err(Odd::NotHttp) => (verdict::refusal(404, "not_found"), LogLine::None),
        Err(Odd::Unreadable) => (verdict::refusal(503, "try_again"), LogLine::Plain),
        Err(Odd::Unspecified) => return check_answer_only(&outcome),
    };
    assert_eq!(line_of(&outcome), line, "the line of the request");
    match verdict {
        Verdict::Answered(expected) => {
            assert_eq!(outcome.answer, expected);
            // A payload may be there whose message could not be sent; nothing else may.
            assert!(outcome.queued.is_empty(), "no 200, but a message");
            let is_payload =
                |key: &String| expected.status_code == 503 && key.starts_with("payloads/");
            assert!(outcome.objects.keys().all(is_payload), "an object too many");
        }
        Verdict::Queued(expected) => {
            let [message] = &outcome.queued[..] else {
                panic!("{} messages", outcome.queued.len())
            };
            assert_eq!(message.entity, expected.entity);
            let status = match expected.entity {
                Entity::Unrouted(_) => "unrouted",
                _ => "queued",
            };
            check_receipt(&outcome.answer, status, &expected, "message-1");
            check_sent(Sent::of(message), &outcome.objects, expected);
        }
        Verdict::Spilled(expected) => {
            assert!(outcome.queued.is_empty(), "spilled, and queued as well");
            let (entity, dedup_id) = (expected.entity.name(), &expected.dedup_id);
            let key = format!("spill/{entity}/2023/11/14/{dedup_id}.json");
            check_receipt(&outcome.answer, "spilled", &expected, &key);
            let mut objects = outcome.objects;
            let record = objects.remove(&key).unwrap();
            check_sent(serde_json::from_slice(&record).unwrap(), &objects, expected);
        }
    }
}

/// The line of a request, and what it says of the signature as a field and as a metric.
fn line_of(outcome: &Outcome) -> LogLine {
    let line = match &outcome.lines[..] {
        [] => return LogLine::None,
        [line] => serde_json::from_slice::<serde_json::Value>(line).unwrap(),
        lines => panic!("{} lines", lines.len()),
    };
    let (field, metric) = (&line["valid_signature"], &line["RefusedWithValidSignature"]);
    match (field.as_str(), metric.as_u64()) {
        _ if field.is_null() && metric.is_null() => LogLine::Plain,
        (Some("true"), Some(1)) => LogLine::ValidSignature,
        _ => panic!("the field is {field}, the metric {metric}"),
    }
}

/// The input with its signatures.
fn signed(text: &str) -> String {
    let Some(event) = Json::first(text) else {
        return text.to_owned();
    };
    let Ok(request) = Request::read(&event) else {
        return text.to_owned();
    };
    let secrets = request
        .secret_name()
        .and_then(|name| verdict::secrets_of(name, &SECRETS));
    let first = secrets.and_then(|secrets| secrets.first());
    let signer = event.get("signer").and_then(Json::text);
    let signer = signer.or(first.copied()).unwrap_or_default().as_bytes();
    let body = request.signed_bytes().unwrap_or_default();
    text.replace("@sha256", &hex::encode(mac::sha256(signer, body)))
        .replace("@sha1", &hex::encode(mac::sha1(signer, body)))
}

/// What holds for any input: the answer is one of the contract's, and is no 200 for an event without a message.
fn check_answer_only(outcome: &Outcome) {
    let Answer {
        status_code, body, ..
    } = &outcome.answer;
    let code = match status_code {
        200 => {
            let is_of_event = body.contains("message_id");
            let stored = outcome.queued.len() + outcome.objects.len();
            return assert_eq!(is_of_event, stored > 0, "{body}");
        }
        400 => "malformed_base64",
        401 => "signature_rejected",
        403 => "source_not_allowed",
        404 => "not_found",
        405 => "method_not_allowed",
        415 => "unsupported_media_type",
        503 => "try_again",
        _ => panic!("not an answer of the contract: {status_code}"),
    };
    // An answer to HEAD has no body.
    let is_right = body.is_empty() || *body == format!(r#"{{"error":"{code}"}}"#);
    assert!(is_right, "{body}");
    assert!(outcome.queued.is_empty(), "no 200, but a message");
}

fn check_receipt(given: &Answer, status: &str, expected: &Expected, id: &str) {
    let entity = expected.entity.name();
    let body = format!(r#"{{"status":"{status}","entity":"{entity}","message_id":"{id}"}}"#);
    assert_eq!(*given, answer(200, body));
}
