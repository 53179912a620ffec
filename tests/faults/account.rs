//! The law, held against each answer: what was promised, and what is there.

use crate::aws::World;
use crate::delivery::{Delivery, Due, Expected};
use crate::fault::Service;
use crate::queues::{Attributes, pointer};
use serde_json::Value;

pub(crate) const BUCKET: &str = "payloads";

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

/// What was asked of the relay, beyond the event itself.
pub(crate) struct Circumstances {
    /// Whether there was time enough to do all that has to be done.
    pub(crate) has_time: bool,
    pub(crate) is_fifo: bool,
}

type Verdict = Result<Outcome, String>;

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
        (200, Due::Durable(expected)) => is_durable(world, expected, circumstances, &body)?,
        (200, Due::Answered(200) | Due::AnsweredAlways(200)) => Outcome::Other,
        (503, Due::Durable(_) | Due::Refused | Due::Answered(_)) => {
            is_error(answer, &body, "try_again")?;
            Outcome::TryAgain
        }
        (401, Due::Refused) => is_error(answer, &body, "signature_rejected")?,
        // Without the right secret, nobody can tell a right signature, or the name of a webhook.
        (401, Due::Durable(_) | Due::Answered(_)) if world.vault.has_misled => {
            is_error(answer, &body, "signature_rejected")?
        }
        (404, Due::Answered(404)) => is_error(answer, &body, "not_found")?,
        (400, Due::AnsweredAlways(400)) => is_error(answer, &body, "malformed_base64")?,
        _ => return Err(format!("this must not be answered {status}")),
    };
    is_alive(world, delivery, circumstances, outcome)
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

/// A 2xx has a durable copy with the same bytes, and it is where the answer says.
pub(crate) fn is_durable(
    world: &World,
    expected: &Expected,
    circumstances: &Circumstances,
    body: &Value,
) -> Verdict {
    if body["entity"] != expected.entity {
        return Err(format!("the answer's entity is {}", body["entity"]));
    }
    let id = body["message_id"].as_str().ok_or("no message id")?;
    let is_unrouted = expected.entity == "unrouted";
    match body["status"].as_str() {
        Some("queued") if !is_unrouted => {
            is_queued(world, expected, circumstances, id)?;
            Ok(Outcome::Queued)
        }
        Some("unrouted") if is_unrouted => {
            is_queued(world, expected, circumstances, id)?;
            Ok(Outcome::Unrouted)
        }
        Some("spilled") => {
            is_spilled(world, expected, circumstances, id)?;
            Ok(Outcome::Spilled)
        }
        status => Err(format!("the answer's status is {status:?}")),
    }
}

fn is_queued(
    world: &World,
    expected: &Expected,
    circumstances: &Circumstances,
    id: &str,
) -> Result<(), String> {
    let mut messages = world.queues.messages.iter();
    let message = messages.find(|message| message.id == id);
    let message = message.ok_or(format!("no queue has the message {id}"))?;
    if message.queue != queue_url(expected.entity, circumstances.is_fifo) {
        return Err(format!("the message is in {}", message.queue));
    }
    let copy = Copy {
        body: &message.body,
        attributes: &message.attributes,
        trace: message.trace.as_deref(),
        group_id: message.group_id.as_deref(),
        dedup_id: message.dedup_id.as_deref(),
    };
    copy.is_of(world, expected, circumstances)
}

fn is_spilled(
    world: &World,
    expected: &Expected,
    circumstances: &Circumstances,
    key: &str,
) -> Result<(), String> {
    let record = world.objects.get(BUCKET, key);
    let record = record.ok_or(format!("the bucket has no object {key}"))?;
    let record: Value = serde_json::from_slice(record).map_err(|error| error.to_string())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attribute = |(name, value): (&String, &Value)| {
        (
            name.clone(),
            (text(&value["DataType"]), text(&value["StringValue"])),
        )
    };
    let attributes = record["MessageAttributes"]
        .as_object()
        .into_iter()
        .flatten();
    let copy = Copy {
        body: record["MessageBody"].as_str().unwrap_or_default(),
        attributes: &attributes.map(attribute).collect(),
        trace: record["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"].as_str(),
        group_id: record["MessageGroupId"].as_str(),
        dedup_id: record["MessageDeduplicationId"].as_str(),
    };
    let place = format!("spill/{}/", expected.entity);
    let is_in_place =
        key.starts_with(&place) && key.ends_with(&format!("/{}.json", expected.dedup_id));
    if !is_in_place {
        return Err(format!("it spilled to {key}"));
    }
    copy.is_of(world, expected, circumstances)
}

/// A durable copy of a message, wherever it is.
struct Copy<'a> {
    body: &'a str,
    attributes: &'a Attributes,
    trace: Option<&'a str>,
    group_id: Option<&'a str>,
    dedup_id: Option<&'a str>,
}

impl Copy<'_> {
    fn is_of(
        &self,
        world: &World,
        expected: &Expected,
        circumstances: &Circumstances,
    ) -> Result<(), String> {
        let place = pointer(self.body);
        if place.is_some() != expected.by_pointer {
            return Err(format!("the message's body is {}", self.body));
        }
        let bytes = match &place {
            Some((bucket, key)) => world.objects.get(bucket, key),
            None => Some(self.body.as_bytes()),
        };
        if bytes != Some(&expected.body) {
            return Err("the durable copy has other bytes".to_owned());
        }
        let size = ("Number".to_owned(), expected.body.len().to_string());
        let said = self.attributes.get("ExtendedPayloadSize");
        if said != expected.by_pointer.then_some(&size) {
            return Err(format!("the payload's size is said to be {said:?}"));
        }
        self.has_attributes(expected)?;
        let fifo = |id| circumstances.is_fifo.then_some(id);
        let ids = (fifo(&*expected.group_id), fifo(&*expected.dedup_id));
        if (self.group_id, self.dedup_id) != ids || self.trace != Some(&*expected.trace) {
            return Err("group, deduplication id or trace are wrong".to_owned());
        }
        Ok(())
    }

    /// The first of several deliveries of an event may be the one that was kept.
    fn has_attributes(&self, expected: &Expected) -> Result<(), String> {
        let of_delivery = ["delivery_id", "received_at", "ExtendedPayloadSize"];
        let of_event = |name: &&str| !of_delivery.contains(name);
        let here = self.attributes.iter();
        let here = here.filter(|(name, _)| of_event(&name.as_str()));
        let here: Vec<_> = here
            .map(|(name, (_, value))| (name.as_str(), value))
            .collect();
        let due = expected
            .attributes
            .iter()
            .filter(|(name, _)| of_event(name));
        let due: Vec<_> = due.map(|(name, value)| (*name, value)).collect();
        if here != due || !self.attributes.contains_key("received_at") {
            return Err(format!("the attributes are {:?}", self.attributes));
        }
        Ok(())
    }
}

/// What must not fail for want of what is not needed; else answering 503 to everything would do.
fn is_alive(
    world: &World,
    delivery: &Delivery,
    circumstances: &Circumstances,
    outcome: Outcome,
) -> Verdict {
    let failed = |service| world.has_failed(service);
    let (queues, secret, bucket) = (
        failed(Service::Sqs),
        failed(Service::SecretsManager),
        failed(Service::S3),
    );
    let by_pointer = match &delivery.due {
        Due::Durable(expected) => expected.by_pointer,
        Due::Refused | Due::Answered(_) | Due::AnsweredAlways(_) => false,
    };
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

/// Where an entity's messages go.
pub(crate) fn queue_url(entity: &str, is_fifo: bool) -> String {
    let suffix = if is_fifo { ".fifo" } else { "" };
    format!("https://sqs.eu-west-1.amazonaws.com/123456789012/{entity}{suffix}")
}
