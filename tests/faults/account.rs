//! The law, held against each answer: what was promised, and what is there.

use crate::aws::World;
use crate::cache::PossibleCache;
use crate::delivery::{Delivery, Due, Signer};
use crate::durable::is_durable;
use crate::fault::{Fault, Service};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How long a fault is felt: a request may wait for a connection that an earlier one has begun to make.
const FELT: Duration = Duration::from_secs(10);

/// What a delivery came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Queued,
    Unrouted,
    Spilled,
    TryAgain,
    /// 401.
    Unauthorized,
    /// 404.
    Unknown,
    Other,
}

/// What else decides about an answer.
pub(crate) struct Circumstances {
    /// Whether there was time enough to do all that has to be done.
    pub(crate) has_time: bool,
    pub(crate) came_in: Instant,
    pub(crate) is_fifo: bool,
    /// The secret cache when the delivery came in.
    pub(crate) cache: PossibleCache,
}

impl Outcome {
    /// Whether it says that there is a durable copy.
    pub(crate) fn is_promise(self) -> bool {
        matches!(self, Self::Queued | Self::Unrouted | Self::Spilled)
    }
}

/// What it came to, or the law that was broken.
pub(crate) type Verdict = Result<Outcome, String>;

/// Judges the answer to a delivery by what is in the queues and the bucket at that moment.
pub(crate) fn judge(
    world: &World,
    delivery: &Delivery,
    circumstances: &Circumstances,
    answer: &Value,
) -> Verdict {
    if let Some(sin) = world.sins.first() {
        return Err(sin.clone());
    }
    let status = answer["statusCode"].as_u64().unwrap_or_default();
    let body = serde_json::from_str(answer["body"].as_str().unwrap_or_default());
    let body: Value = body.map_err(|error| format!("the answer is no JSON: {error}"))?;
    let is_fifo = circumstances.is_fifo;
    let error = |code, outcome| is_error(answer, &body, code).map(|()| outcome);
    let outcome = match (&delivery.due, status) {
        (Due::Always(200), 200) => return Ok(Outcome::Other),
        (Due::Always(400), 400) => return error("malformed_base64", Outcome::Other),
        (Due::Always(_), _) => return Err(format!("this must not be answered {status}")),
        (Due::Durable(expected), 200) => is_durable(world, expected, is_fifo, &body)?,
        (Due::Models, 200) => Outcome::Other,
        (_, 401) => error("signature_rejected", Outcome::Unauthorized)?,
        (_, 404) => error("not_found", Outcome::Unknown)?,
        (_, 503) => error("try_again", Outcome::TryAgain)?,
        _ => return Err(format!("this must not be answered {status}")),
    };
    let (signed, came_in) = (&delivery.draft.signed, circumstances.came_in);
    let cache = &world.vault.cache;
    cache.check(&circumstances.cache, signed, came_in, status)?;
    if !matches!(signed.by, Signer::Holder(_)) {
        is_nowhere(world, &delivery.draft.trace)?;
    }
    is_alive(world, delivery, circumstances, outcome)?;
    Ok(outcome)
}

/// A forgery leaves no trace, neither as a message nor as a record of one.
fn is_nowhere(world: &World, trace: &str) -> Result<(), String> {
    let mut messages = world.queues.messages.iter();
    let mut objects = world.objects.objects.values();
    let is_here = messages.any(|message| message.trace.as_deref() == Some(trace))
        || objects.any(|object| String::from_utf8_lossy(object).contains(trace));
    if is_here {
        return Err("a forgery was stored".to_owned());
    }
    Ok(())
}

/// An error answer that the contract knows.
fn is_error(answer: &Value, body: &Value, code: &str) -> Result<(), String> {
    if body["error"] != code {
        return Err(format!("the answer is not {code}"));
    }
    if code == "try_again" && answer["headers"]["retry-after"].is_null() {
        return Err("a 503 without Retry-After".to_owned());
    }
    Ok(())
}

/// What must not fail for want of what is not needed; else answering 503 to everything would do.
fn is_alive(
    world: &World,
    delivery: &Delivery,
    circumstances: &Circumstances,
    outcome: Outcome,
) -> Result<(), String> {
    if !circumstances.has_time {
        return Ok(());
    }
    let since = circumstances.came_in.checked_sub(FELT);
    let failed = |service| world.calls(service, since).any(|fault| fault.is_some());
    // A spoilt message of a FIFO queue stands for its repetitions, and its digests are not theirs.
    let is_change = |fault| matches!(fault, Some(Fault::ChangedContent | Fault::ChangedAttribute));
    let is_spoilt = world.calls(Service::Sqs, None).any(is_change);
    let (queues, bucket) = (is_spoilt || failed(Service::Sqs), failed(Service::S3));
    if outcome == Outcome::Spilled && !queues {
        return Err("it spilled, and nothing was wrong with the queues".to_owned());
    }
    let by_pointer = matches!(&delivery.due, Due::Durable(expected) if expected.by_pointer);
    let needs_bucket = queues || by_pointer;
    let signed = &delivery.draft.signed;
    let cache = &world.vault.cache;
    let secret = cache.may_be_missing(&circumstances.cache, signed, circumstances.came_in);
    if outcome == Outcome::TryAgain && !secret && !(needs_bucket && bucket) {
        return Err("it was answered 503, and nothing it needs was down".to_owned());
    }
    Ok(())
}
