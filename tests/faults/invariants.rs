//! The invariants: checks a response against what the queues, the bucket and the cache contain at that moment.

use crate::aws::State;
use crate::cache_model::CacheModel;
use crate::delivery::{Delivery, Expected, ExpectedMessage, Signer};
use crate::fault::{Fault, SERVICES, Service};
use crate::fixture::{BUCKET, queue_url};
use crate::sqs::{Attributes, StoredMessage, parse_pointer, parse_spilled};
use serde_json::Value;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::time::Instant;

/// How long a fault can affect requests: a request may wait for a connection that an earlier one started.
const FAULT_EFFECT: Duration = Duration::from_secs(10);

/// What an archive that fails may add to the time of a response.
const MAX_ARCHIVE_DELAY: Duration = Duration::from_secs(1);

/// The result of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Queued,
    Unrouted,
    Spilled,
    /// 503.
    TryAgain,
    /// 401.
    SignatureRejected,
    /// 404.
    UnknownWebhook,
    /// The response to a request without an event.
    NoEvent,
}

impl Outcome {
    /// Whether the response acknowledges a durable copy.
    pub(crate) fn is_acknowledged(self) -> bool {
        matches!(self, Self::Queued | Self::Unrouted | Self::Spilled)
    }
}

/// The state when a delivery arrived.
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    /// Whether Lambda's deadline left the relay enough time for everything.
    pub(crate) has_enough_time: bool,
    pub(crate) is_fifo: bool,
    pub(crate) cache: CacheModel,
}

/// Checks a response. Returns the outcome, or a description of the violation.
pub(crate) fn check(
    state: &State,
    delivery: &Delivery,
    arrival: &Arrival,
    response: &Value,
) -> Result<Outcome, String> {
    if let Some(violation) = state.violations.first() {
        return Err(violation.clone());
    }
    let status = response["statusCode"].as_u64().unwrap_or_default();
    let body = serde_json::from_str(response["body"].as_str().unwrap_or_default());
    let body: Value = body.map_err(|error| format!("the response is not JSON: {error}"))?;
    let error = |code, outcome| check_error(response, &body, code).map(|()| outcome);
    let outcome = match (&delivery.expected, status) {
        (Expected::Status(200), 200) => return Ok(Outcome::NoEvent),
        (Expected::Status(400), 400) => return error("malformed_base64", Outcome::NoEvent),
        (Expected::Status(_), _) => return Err(format!("unexpected status {status}")),
        (Expected::Message(message), 200) => check_durable(state, message, arrival.is_fifo, &body)?,
        (Expected::Models, 200) => Outcome::NoEvent,
        (_, 401) => error("signature_rejected", Outcome::SignatureRejected)?,
        (_, 404) => error("not_found", Outcome::UnknownWebhook)?,
        (_, 503) => error("try_again", Outcome::TryAgain)?,
        _ => return Err(format!("unexpected status {status}")),
    };
    let signature = &delivery.builder.signature;
    let cache = &state.secrets_manager.cache;
    cache.check(&arrival.cache, signature, arrival.at, status)?;
    if !matches!(signature.signer, Signer::Secret(_)) {
        check_not_stored(state, &delivery.builder.trace)?;
    }
    check_availability(state, delivery, arrival, outcome)?;
    Ok(outcome)
}

fn check_error(response: &Value, body: &Value, code: &str) -> Result<(), String> {
    if body["error"] != code {
        return Err(format!("the error is not {code}"));
    }
    if code == "try_again" && response["headers"]["retry-after"].is_null() {
        return Err("a 503 without Retry-After".to_owned());
    }
    Ok(())
}

/// A forged event is stored neither as a message nor as an object.
fn check_not_stored(state: &State, trace: &str) -> Result<(), String> {
    let mut messages = state.sqs.messages.iter();
    let mut objects = state.s3.objects.values();
    let is_stored = messages.any(|message| message.trace.as_deref() == Some(trace))
        || objects.any(|object| String::from_utf8_lossy(object).contains(trace));
    if is_stored {
        return Err("a forged event was stored".to_owned());
    }
    Ok(())
}

/// A service that a delivery does not need must not affect it. Otherwise, a relay that always returns 503 would pass.
fn check_availability(
    state: &State,
    delivery: &Delivery,
    arrival: &Arrival,
    outcome: Outcome,
) -> Result<(), String> {
    if !arrival.has_enough_time {
        return Ok(());
    }
    let since = arrival.at.checked_sub(FAULT_EFFECT);
    let failed = |service| state.requests(service, since).any(|fault| fault.is_some());
    // A FIFO queue treats a later message as a duplicate of a corrupted one, so their checksums differ.
    let is_corruption = |fault| matches!(fault, Some(Fault::CorruptedBody | Fault::LostAttribute));
    let is_corrupted = state.requests(Service::Sqs, None).any(is_corruption);
    let (queue_failed, bucket_failed) = (is_corrupted || failed(Service::Sqs), failed(Service::S3));
    if outcome == Outcome::Spilled && !queue_failed {
        return Err("spilled although the queue worked".to_owned());
    }
    let is_offloaded =
        matches!(&delivery.expected, Expected::Message(message) if message.is_offloaded);
    let needs_bucket = queue_failed || is_offloaded;
    let signature = &delivery.builder.signature;
    let cache = &state.secrets_manager.cache;
    let may_lack_secret = cache.may_lack_secret(&arrival.cache, signature, arrival.at);
    if outcome == Outcome::TryAgain && !may_lack_secret && !(needs_bucket && bucket_failed) {
        return Err("503 although every necessary service worked".to_owned());
    }
    Ok(())
}

/// An event is only not archived because of a fault, or because time is short.
pub(crate) fn check_archive_failure(state: &State, arrival: &Arrival) -> Result<(), String> {
    let since = arrival.at.checked_sub(FAULT_EFFECT);
    let failed = |service| state.requests(service, since).any(|fault| fault.is_some());
    if arrival.has_enough_time && !failed(Service::S3) && !failed(Service::Archive) {
        return Err("not archived although the bucket worked".to_owned());
    }
    Ok(())
}

/// If only the archive failed, the response comes within a second.
pub(crate) fn check_delay_by_archive(state: &State, arrival: &Arrival) -> Result<(), String> {
    let since = arrival.at.checked_sub(FAULT_EFFECT);
    let mut others = SERVICES.into_iter().filter(|service| *service != Service::Archive);
    let is_other_failed =
        others.any(|service| state.requests(service, since).any(|fault| fault.is_some()));
    let elapsed = arrival.at.elapsed();
    if !is_other_failed && elapsed > MAX_ARCHIVE_DELAY {
        return Err(format!("answered after {elapsed:?} although only the archive failed"));
    }
    Ok(())
}

/// No archived pointer lacks its body, whatever became of its event.
pub(crate) fn check_archived_bodies(state: &State) -> Result<(), String> {
    for (key, record) in &state.s3.objects {
        let Some(stem) = key.strip_suffix(".json").filter(|stem| stem.starts_with("archive/"))
        else {
            continue;
        };
        let message = parse_spilled("", record).map_err(|error| error.to_string())?;
        let has_body = state.s3.objects.contains_key(&format!("{stem}.body"));
        if has_body != parse_pointer(&message.body).is_some() {
            return Err(format!("{key} and its body do not match"));
        }
    }
    Ok(())
}

/// An acknowledged event has a durable copy with the same bytes, in the place that the response names.
pub(crate) fn check_durable(
    state: &State,
    expected: &ExpectedMessage,
    is_fifo: bool,
    body: &Value,
) -> Result<Outcome, String> {
    if body["entity"] != expected.entity {
        return Err(format!("the response's entity is {}", body["entity"]));
    }
    let id = body["message_id"].as_str().ok_or("no message id")?;
    let is_unrouted = expected.entity == "unrouted";
    match body["status"].as_str() {
        Some("queued") if !is_unrouted => {
            check_queued(state, expected, is_fifo, id)?;
            Ok(Outcome::Queued)
        }
        Some("unrouted") if is_unrouted => {
            check_queued(state, expected, is_fifo, id)?;
            Ok(Outcome::Unrouted)
        }
        Some("spilled") => {
            check_spilled(state, expected, is_fifo, id)?;
            Ok(Outcome::Spilled)
        }
        status => Err(format!("the response's status is {status:?}")),
    }
}

fn check_queued(
    state: &State,
    expected: &ExpectedMessage,
    is_fifo: bool,
    id: &str,
) -> Result<(), String> {
    let mut messages = state.sqs.messages.iter();
    let message = messages.find(|message| message.id == id);
    let message = message.ok_or(format!("no queue has the message {id}"))?;
    check_message(message, event_bytes(state, message), expected, is_fifo, &expected.dedup_id)
}

fn check_spilled(
    state: &State,
    expected: &ExpectedMessage,
    is_fifo: bool,
    key: &str,
) -> Result<(), String> {
    let record = state.s3.get(BUCKET, key);
    let record = record.ok_or(format!("the bucket has no object {key}"))?;
    let message = parse_spilled(&queue_url(expected.entity, is_fifo), record);
    let message = message.map_err(|error| error.to_string())?;
    let prefix = format!("spill/{}/", expected.entity);
    let suffix = format!("/{}.json", expected.dedup_id);
    if !key.starts_with(&prefix) || !key.ends_with(&suffix) {
        return Err(format!("spilled to {key}"));
    }
    let bytes = event_bytes(state, &message);
    check_message(&message, bytes, expected, is_fifo, &replay_id(expected))
}

/// Whether an accepted event is archived: the key has the time at which it was received, and the record is the one of a
/// spilled message. A pointer's body has a copy of its own.
pub(crate) fn check_archived(
    state: &State,
    expected: &ExpectedMessage,
    is_fifo: bool,
    received_at: &RangeInclusive<SystemTime>,
) -> Result<(), String> {
    let (entity, dedup_id) = (expected.entity, &expected.dedup_id);
    let received_at = format_time(*received_at.start())..=format_time(*received_at.end());
    let suffix = format!("-{dedup_id}.json");
    let record = state.s3.objects.iter().find_map(|(key, record)| {
        let (_, name) = key.strip_prefix("archive/")?.rsplit_once('/')?;
        let time = name.strip_suffix(&suffix)?.to_owned();
        received_at.contains(&time).then_some((key, time, record))
    });
    let (key, time, record) = record.ok_or("accepted, but neither archived nor counted")?;
    let folder = time[..13].replace(['-', 'T'], "/");
    let stem = format!("archive/{entity}/{folder}/{time}-{dedup_id}");
    if *key != format!("{stem}.json") {
        return Err(format!("archived to {key}"));
    }
    let message = parse_spilled(&queue_url(entity, is_fifo), record);
    let message = message.map_err(|error| error.to_string())?;
    // The payload of a pointer is deleted with its message, so that it does not count here.
    let body = state.s3.get(BUCKET, &format!("{stem}.body"));
    let bytes = if expected.is_offloaded { body } else { Some(message.body.as_bytes()) };
    check_message(&message, bytes, expected, is_fifo, &replay_id(expected))?;
    if message.attributes["received_at"].1 != time {
        return Err("the archived record has another time than its key".to_owned());
    }
    Ok(())
}

/// As in attributes and keys.
fn format_time(time: SystemTime) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from(time).format(format).unwrap()
}

/// The deduplication id of a spilled message. The queue may already hold a different message under the event's id.
fn replay_id(expected: &ExpectedMessage) -> String {
    format!("{}-replay", expected.dedup_id)
}

/// Whether the event's queue has exactly the expected message.
pub(crate) fn is_delivered(state: &State, expected: &ExpectedMessage, is_fifo: bool) -> bool {
    let ids = [expected.dedup_id.clone(), replay_id(expected)];
    state.sqs.messages.iter().any(|message| {
        let mut ids = ids.iter();
        let bytes = event_bytes(state, message);
        ids.any(|id| check_message(message, bytes, expected, is_fifo, id).is_ok())
    })
}

/// The bytes of the event: the message's body, or what a pointer points to.
fn event_bytes<'a>(state: &'a State, message: &'a StoredMessage) -> Option<&'a [u8]> {
    match parse_pointer(&message.body) {
        Some((bucket, key)) => state.s3.get(&bucket, &key),
        None => Some(message.body.as_bytes()),
    }
}

/// Compares a message, and the bytes of its event, with those expected.
fn check_message(
    message: &StoredMessage,
    bytes: Option<&[u8]>,
    expected: &ExpectedMessage,
    is_fifo: bool,
    dedup_id: &str,
) -> Result<(), String> {
    if message.queue_url != queue_url(expected.entity, is_fifo) {
        return Err(format!("the message is in {}", message.queue_url));
    }
    if parse_pointer(&message.body).is_some() != expected.is_offloaded {
        return Err(format!("the message's body is {}", message.body));
    }
    if bytes != Some(&expected.body) {
        return Err("the durable copy has other bytes".to_owned());
    }
    let expected_size = ("Number".to_owned(), expected.body.len().to_string());
    let size = message.attributes.get("ExtendedPayloadSize");
    if size != expected.is_offloaded.then_some(&expected_size) {
        return Err(format!("ExtendedPayloadSize is {size:?}"));
    }
    check_attributes(&message.attributes, expected)?;
    let if_fifo = |id| is_fifo.then_some(id);
    let expected_ids = (if_fifo(&*expected.group_id), if_fifo(dedup_id), Some(&*expected.trace));
    let ids = (&message.group_id, &message.dedup_id, &message.trace);
    if (ids.0.as_deref(), ids.1.as_deref(), ids.2.as_deref()) != expected_ids {
        return Err(format!("group, deduplication id and trace are {ids:?}"));
    }
    Ok(())
}

/// Compares the attributes of the event. Those of the delivery may differ: of several deliveries of an event, the queue
/// may hold the first.
fn check_attributes(attributes: &Attributes, expected: &ExpectedMessage) -> Result<(), String> {
    let is_of_event =
        |name: &str| !["delivery_id", "received_at", "ExtendedPayloadSize"].contains(&name);
    let actual: Vec<_> = attributes
        .iter()
        .map(|(name, (data_type, value))| (name.as_str(), (data_type.as_str(), value)))
        .filter(|(name, _)| is_of_event(name))
        .collect();
    let expected: Vec<_> = expected
        .attributes
        .iter()
        .map(|(name, value)| (*name, ("String", value)))
        .filter(|(name, _)| is_of_event(name))
        .collect();
    if actual != expected || !attributes.contains_key("received_at") {
        return Err(format!("the attributes are {attributes:?}"));
    }
    Ok(())
}
