//! The oracle of the whole relay: a gateway's event goes through the door, and what comes of it is what the contract says.
//!
//! An input is an event as JSON. In it, `@sha1` and `@sha256` stand for the right digits over its body, by the first secret
//! of its webhook or by the text under `signer`; so a body may change and is still signed. `world` says which of the
//! places outside do not work. No gateway writes these two fields, and the relay ignores them.

use super::gateway::{Odd, Request};
use super::json::Json;
use super::mac;
use super::sent::{Sent, check_sent};
use super::verdict::{self, Expected, Verdict, answer};
use super::world::{self, Answer, Outcome, World};
use labelbox_relay::event::Entity;

/// Sends an event through the door, and compares what comes of it with what must.
pub(crate) fn check(input: &[u8]) {
    // The runtime's API hands over JSON, which is UTF-8. What is not must still get an answer.
    let Ok(text) = std::str::from_utf8(input) else {
        return check_answer_only(&world::play(input, World::read(None)));
    };
    let text = signed(text);
    let event = Json::first(&text);
    let world = World::read(event.as_ref());
    let outcome = world::play(text.as_bytes(), world);
    let verdict = match Request::read(event.as_ref()) {
        Ok(request) => verdict::on(&request, world),
        Err(Odd::Unreadable) => verdict::refusal(503, "try_again"),
        Err(Odd::List) => return check_answer_only(&outcome),
    };
    let is_uptime_check = outcome.answer.body == r#"{"status":"ok"}"#;
    let lines = outcome.lines.len();
    assert_eq!(lines, usize::from(!is_uptime_check), "lines of a request");
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

/// The input with its signatures.
fn signed(text: &str) -> String {
    let event = Json::first(text);
    let Ok(request) = Request::read(event.as_ref()) else {
        return text.to_owned();
    };
    let route = request
        .path
        .strip_prefix("/webhooks/")
        .unwrap_or("training");
    let first = verdict::secrets_of(route).and_then(|secrets| secrets.first());
    let signer = event.as_ref().and_then(|event| event.get("signer")?.text());
    let signer = signer.or(first.copied()).unwrap_or_default().as_bytes();
    let body = request.body.unwrap_or_default();
    let body = if request.method == "GET" {
        b""
    } else {
        &body[..]
    };
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
    assert_eq!(*body, format!(r#"{{"error":"{code}"}}"#));
    assert!(outcome.queued.is_empty(), "no 200, but a message");
}

fn check_receipt(given: &Answer, status: &str, expected: &Expected, id: &str) {
    let entity = expected.entity.name();
    let body = format!(r#"{{"status":"{status}","entity":"{entity}","message_id":"{id}"}}"#);
    assert_eq!(*given, answer(200, body));
}
