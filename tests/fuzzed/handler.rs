//! The oracle of the whole relay: handles a gateway event, and compares the response, the log line and what was stored
//! with the expectation.
//!
//! An input is a gateway event in JSON with two additional fields, which the relay ignores:
//!
//! - `fixture` configures the relay and makes services fail, see [`Fixture`].
//! - `signer` is the secret to sign with. The default is the first secret of the webhook.
//!
//! `@sha1` and `@sha256` in the input are replaced by the hex digits of the signature of its body, so the signature stays
//! valid when the fuzzer changes the body.

use super::expected::{self, Expected, ExpectedMessage, LogLine, is_sqs_character, response};
use super::fixture::{self, BUCKET, Fixture, INLINE_LIMIT, Outcome, Response, SECRETS};
use super::gateway::{InvalidEvent, Request, is_visible_ascii};
use super::json::Json;
use super::signature;
use labelbox_relay::event::Entity;
use labelbox_relay::message::Message;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Handles an event, and checks the outcome.
pub(crate) fn check(input: &[u8]) {
    // The runtime API delivers JSON in UTF-8. Other input must still get a response.
    let text = std::str::from_utf8(input).map(sign);
    let event = text.as_deref().ok().and_then(Json::parse_prefix);
    let (Ok(text), Some(event)) = (text, event) else {
        return check_any_outcome(&fixture::handle(input, Fixture::read(&Json::Null)));
    };
    let fixture = Fixture::read(&event);
    let outcome = fixture::handle(text.as_bytes(), fixture);
    let (expected, log_line) = match Request::read(&event) {
        Ok(request) => expected::for_request(&request, fixture),
        Err(InvalidEvent::NotHttp) => (expected::error(404, "not_found"), LogLine::None),
        Err(InvalidEvent::Malformed) => (expected::error(503, "try_again"), LogLine::Plain),
        Err(InvalidEvent::Unspecified) => return check_any_outcome(&outcome),
    };
    assert_eq!(log_line_of(&outcome), log_line, "the log line");
    match expected {
        Expected::Response(expected) => {
            assert_eq!(outcome.response, expected);
            // If the message could not be sent after its payload was stored, the payload remains.
            assert!(outcome.queued.is_empty(), "no 200, but a message");
            let is_payload =
                |key: &String| expected.status_code == 503 && key.starts_with("payloads/");
            assert!(outcome.objects.keys().all(is_payload), "unexpected object");
        }
        Expected::Queued(expected) => {
            let [message] = &outcome.queued[..] else {
                panic!("{} messages", outcome.queued.len())
            };
            assert_eq!(message.entity, expected.entity);
            let status = match expected.entity {
                Entity::Unrouted(_) => "unrouted",
                _ => "queued",
            };
            check_success(&outcome.response, status, &expected, "message-1");
            check_message(SendMessageInput::of(message), &outcome.objects, expected);
        }
        Expected::Spilled(expected) => {
            assert!(outcome.queued.is_empty(), "spilled and queued");
            let (entity, dedup_id) = (expected.entity.name(), &expected.dedup_id);
            let key = format!("spill/{entity}/2023/11/14/{dedup_id}.json");
            check_success(&outcome.response, "spilled", &expected, &key);
            let mut objects = outcome.objects;
            let record = objects.remove(&key).unwrap();
            check_message(serde_json::from_slice(&record).unwrap(), &objects, expected);
        }
    }
}

/// Reads from the request's log line whether a rejected request has a valid signature. The field and the metric must
/// agree.
fn log_line_of(outcome: &Outcome) -> LogLine {
    let line = match &outcome.log_lines[..] {
        [] => return LogLine::None,
        [line] => serde_json::from_slice::<serde_json::Value>(line).unwrap(),
        lines => panic!("{} log lines", lines.len()),
    };
    let (field, metric) = (&line["valid_signature"], &line["RefusedWithValidSignature"]);
    match (field.as_str(), metric.as_u64()) {
        _ if field.is_null() && metric.is_null() => LogLine::Plain,
        (Some("true"), Some(1)) => LogLine::ValidSignature,
        _ => panic!("the field is {field}, the metric {metric}"),
    }
}

/// Replaces `@sha1` and `@sha256`.
fn sign(text: &str) -> String {
    let Some(event) = Json::parse_prefix(text) else {
        return text.to_owned();
    };
    let Ok(request) = Request::read(&event) else {
        return text.to_owned();
    };
    let secrets = request.secret_name().and_then(|name| expected::secrets_of(name, &SECRETS));
    let first = secrets.and_then(|secrets| secrets.first());
    let signer = event.get("signer").and_then(Json::as_str);
    let signer = signer.or(first.copied()).unwrap_or_default().as_bytes();
    let body = request.signed_bytes().unwrap_or_default();
    text.replace("@sha256", &hex::encode(signature::hmac_sha256(signer, body)))
        .replace("@sha1", &hex::encode(signature::hmac_sha1(signer, body)))
}

/// Checks what holds for every input: a documented response, and 200 for an event only if something was stored.
fn check_any_outcome(outcome: &Outcome) {
    let Response { status_code, body, .. } = &outcome.response;
    let code = match status_code {
        200 => {
            let is_for_event = body.contains("message_id");
            let stored = outcome.queued.len() + outcome.objects.len();
            return assert_eq!(is_for_event, stored > 0, "{body}");
        }
        400 => "malformed_base64",
        401 => "signature_rejected",
        403 => "source_not_allowed",
        404 => "not_found",
        405 => "method_not_allowed",
        415 => "unsupported_media_type",
        503 => "try_again",
        _ => panic!("undocumented status {status_code}"),
    };
    // The response to HEAD has no body.
    let is_documented = body.is_empty() || *body == format!(r#"{{"error":"{code}"}}"#);
    assert!(is_documented, "{body}");
    assert!(outcome.queued.is_empty(), "no 200, but a message");
}

fn check_success(actual: &Response, status: &str, expected: &ExpectedMessage, id: &str) {
    let entity = expected.entity.name();
    let body = format!(r#"{{"status":"{status}","entity":"{entity}","message_id":"{id}"}}"#);
    assert_eq!(*actual, response(200, body));
}

/// The input of `SendMessage` without the queue, as the queue receives it and as a spilled record holds it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendMessageInput {
    message_body: String,
    message_attributes: BTreeMap<String, AttributeValue>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, AttributeValue>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AttributeValue {
    data_type: String,
    string_value: String,
}

impl AttributeValue {
    fn new(data_type: &str, string_value: String) -> Self {
        Self { data_type: data_type.to_owned(), string_value }
    }
}

impl SendMessageInput {
    fn of(message: &Message) -> Self {
        let attributes = message.attributes.iter().map(|attribute| {
            let value = AttributeValue::new(attribute.data_type, attribute.value.clone());
            (attribute.name.to_owned(), value)
        });
        Self {
            message_body: message.body.clone(),
            message_attributes: attributes.collect(),
            message_system_attributes: system_attributes(message.trace.clone()),
            message_deduplication_id: message.group_id.is_some().then(|| message.dedup_id.clone()),
            message_group_id: message.group_id.clone(),
        }
    }
}

fn system_attributes(trace: Option<String>) -> BTreeMap<String, AttributeValue> {
    let trace = trace.map(|trace| {
        let value = AttributeValue::new("String", trace);
        ("AWSTraceHeader".to_owned(), value)
    });
    trace.into_iter().collect()
}

/// Compares a message and its payload with the expectation and with the rules of SQS.
fn check_message(
    actual: SendMessageInput,
    objects: &BTreeMap<String, Vec<u8>>,
    expected: ExpectedMessage,
) {
    check_sqs_rules(&actual);
    let dedup_id = &expected.dedup_id;
    let attributes = expected.attributes.into_iter();
    let mut attributes: BTreeMap<String, AttributeValue> = attributes
        .map(|(name, value)| (name.to_owned(), AttributeValue::new("String", value)))
        .collect();
    let body = if expected.is_inline {
        assert!(objects.is_empty(), "a payload for an inline message");
        String::from_utf8(expected.bytes).unwrap()
    } else {
        let size = AttributeValue::new("Number", expected.bytes.len().to_string());
        attributes.insert("ExtendedPayloadSize".to_owned(), size);
        let (key, payload) = objects.first_key_value().unwrap();
        assert!(objects.len() == 1 && *payload == expected.bytes, "not the signed bytes");
        let suffix =
            key.strip_prefix("payloads/").and_then(|key| key.strip_prefix(dedup_id.as_str()));
        assert!(suffix.is_some_and(is_slash_and_uuid), "{key}");
        let location = json!({"s3BucketName": BUCKET, "s3Key": key});
        json!(["software.amazon.payloadoffloading.PayloadS3Pointer", location]).to_string()
    };
    let expected = SendMessageInput {
        message_body: body,
        message_attributes: attributes,
        message_system_attributes: system_attributes(expected.trace),
        message_group_id: expected.group_id,
        message_deduplication_id: expected.deduplication_id,
    };
    assert_eq!(actual, expected);
}

/// Whether a text is `/` and a version 4 UUID.
fn is_slash_and_uuid(text: &str) -> bool {
    let is_hex = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [9, 4, 4, 4, 12]
        && text[1..].replace('-', "").chars().all(is_hex)
        && parts[2].starts_with('4')
}

/// Checks the limits of
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
fn check_sqs_rules(input: &SendMessageInput) {
    let SendMessageInput { message_body, message_attributes, .. } = input;
    assert!(!message_body.is_empty() && message_body.chars().all(is_sqs_character));
    assert!(message_attributes.len() <= 10, "more than ten attributes");
    let attribute_bytes = message_attributes.iter().map(|(name, value)| {
        assert!(
            !value.string_value.is_empty() && value.string_value.chars().all(is_sqs_character),
            "{name}"
        );
        name.len() + value.data_type.len() + value.string_value.len()
    });
    // The attributes of a pointer may exceed this fixture's limit of 1 KiB, which is far below that of SQS.
    let attribute_bytes: usize = attribute_bytes.sum();
    let is_pointer = message_attributes.contains_key("ExtendedPayloadSize");
    assert!(is_pointer || message_body.len() + attribute_bytes <= INLINE_LIMIT);
    for id in [&input.message_group_id, &input.message_deduplication_id] {
        let is_valid = |id: &String| is_visible_ascii(id, 128);
        assert!(id.as_ref().is_none_or(is_valid), "invalid id {id:?}");
    }
}
