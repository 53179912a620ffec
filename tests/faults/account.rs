//! The law, held against each answer: what was promised, and what is there.

use crate::aws::World;
use crate::delivery::{Delivery, Due};
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
    Refused,
    Other,
}

/// What else decides about an answer.
pub(crate) struct Circumstances {
    /// Whether there was time enough to do all that has to be done.
    pub(crate) has_time: bool,
    pub(crate) came_in: Instant,
    pub(crate) is_fifo: bool,
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
    let outcome = match (status, &delivery.due) {
        (200, Due::Durable(expected)) => is_durable(world, expected, circumstances.is_fifo, &body)?,
        (200, Due::Answered(200) | Due::AnsweredAlways(200)) => Outcome::Other,
        (503, Due::Durable(_) | Due::Refused(_) | Due::Answered(_)) => {
            is_error(answer, &body, "try_again")?;
            Outcome::TryAgain
        }
        (401, Due::Refused(_)) => is_error(answer, &body, "signature_rejected")?,
        // Without the right secret, nobody can tell a right signature, or the name of a webhook.
        (401, Due::Durable(_) | Due::Answered(_)) if world.vault.has_misled => {
            is_error(answer, &body, "signature_rejected")?
        }
        (404, Due::Answered(404)) => is_error(answer, &body, "not_found")?,
        (400, Due::AnsweredAlways(400)) => is_error(answer, &body, "malformed_base64")?,
        _ => return Err(format!("this must not be answered {status}")),
    };
    if let Due::Refused(delivery_id) = &delivery.due {
        is_nowhere(world, delivery_id)?;
    }
    is_alive(world, delivery, circumstances, outcome)
}

/// A forgery leaves no trace, neither as a message nor as a record of one.
fn is_nowhere(world: &World, delivery_id: &str) -> Result<(), String> {
    let is_its = |(_, value): &(String, String)| value == delivery_id;
    let mut messages = world.queues.messages.iter();
    let quoted = format!("\"{delivery_id}\"");
    let mut objects = world.objects.objects.values();
    let is_here = messages.any(|message| message.attributes.values().any(is_its))
        || objects.any(|object| String::from_utf8_lossy(object).contains(&quoted));
    if is_here {
        return Err("a forgery was stored".to_owned());
    }
    Ok(())
}

/// An error answer that the contract knows.
fn is_error(answer: &Value, body: &Value, code: &str) -> Verdict {
    if body["error"] != code {
        return Err(format!("the answer is not {code}"));
    }
    if code == "try_again" && answer["headers"]["retry-after"].is_null() {
        return Err("a 503 without Retry-After".to_owned());
    }
    Ok(Outcome::Refused)
}

/// What must not fail for want of what is not needed; else answering 503 to everything would do.
fn is_alive(
    world: &World,
    delivery: &Delivery,
    circumstances: &Circumstances,
    outcome: Outcome,
) -> Verdict {
    let since = circumstances.came_in.checked_sub(FELT);
    let failed = |service| world.has_failed(service, since);
    // A spoilt message of a FIFO queue stands for its repetitions, and its digests are not theirs.
    let is_spoilt = world.faults().any(|(service, fault)| {
        let is_change = matches!(fault, Fault::ChangedContent | Fault::ChangedAttribute);
        service == Service::Sqs && is_change
    });
    let (queues, bucket) = (is_spoilt || failed(Service::Sqs), failed(Service::S3));
    // What went wrong with the secret is felt as long as it is kept.
    let secret = world.has_failed(Service::SecretsManager, None);
    let by_pointer = matches!(&delivery.due, Due::Durable(expected) if expected.by_pointer);
    if outcome == Outcome::Spilled && !queues && circumstances.has_time {
        return Err("it spilled, and nothing was wrong with the queues".to_owned());
    }
    let needs_bucket = queues || by_pointer;
    let is_excused = secret || (needs_bucket && bucket) || !circumstances.has_time;
    if outcome == Outcome::TryAgain && !is_excused {
        return Err("it was not made durable, and could have been".to_owned());
    }
    Ok(outcome)
}
