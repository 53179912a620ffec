//! Whether there is a durable copy of an event, with the same bytes, where the answer says.

use crate::account::{Outcome, Verdict};
use crate::aws::World;
use crate::delivery::Expected;
use crate::queues::{Attributes, pointer};
use crate::stack::{BUCKET, queue_url};
use serde_json::Value;

/// A 2xx has a durable copy with the same bytes, and it is where the answer says.
pub(crate) fn is_durable(
    world: &World,
    expected: &Expected,
    is_fifo: bool,
    body: &Value,
) -> Verdict {
    if body["entity"] != expected.entity {
        return Err(format!("the answer's entity is {}", body["entity"]));
    }
    let id = body["message_id"].as_str().ok_or("no message id")?;
    let is_unrouted = expected.entity == "unrouted";
    match body["status"].as_str() {
        Some("queued") if !is_unrouted => {
            is_queued(world, expected, is_fifo, id)?;
            Ok(Outcome::Queued)
        }
        Some("unrouted") if is_unrouted => {
            is_queued(world, expected, is_fifo, id)?;
            Ok(Outcome::Unrouted)
        }
        Some("spilled") => {
            is_spilled(world, expected, is_fifo, id)?;
            Ok(Outcome::Spilled)
        }
        status => Err(format!("the answer's status is {status:?}")),
    }
}

fn is_queued(world: &World, expected: &Expected, is_fifo: bool, id: &str) -> Result<(), String> {
    let mut messages = world.queues.messages.iter();
    let message = messages.find(|message| message.id == id);
    let message = message.ok_or(format!("no queue has the message {id}"))?;
    if message.queue != queue_url(expected.entity, is_fifo) {
        return Err(format!("the message is in {}", message.queue));
    }
    let found = Found {
        body: &message.body,
        attributes: &message.attributes,
        trace: message.trace.as_deref(),
        group_id: message.group_id.as_deref(),
        dedup_id: message.dedup_id.as_deref(),
    };
    found.is_of(world, expected, is_fifo)
}

fn is_spilled(world: &World, expected: &Expected, is_fifo: bool, key: &str) -> Result<(), String> {
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
    let found = Found {
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
    found.is_of(world, expected, is_fifo)
}

/// A durable copy of a message, wherever it is.
struct Found<'a> {
    body: &'a str,
    attributes: &'a Attributes,
    trace: Option<&'a str>,
    group_id: Option<&'a str>,
    dedup_id: Option<&'a str>,
}

impl Found<'_> {
    fn is_of(&self, world: &World, expected: &Expected, is_fifo: bool) -> Result<(), String> {
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
        let fifo = |id| is_fifo.then_some(id);
        let ids = (fifo(&*expected.group_id), fifo(&*expected.dedup_id));
        if (self.group_id, self.dedup_id) != ids || self.trace != Some(&*expected.trace) {
            return Err("group, deduplication id or trace are wrong".to_owned());
        }
        Ok(())
    }

    /// The first of several deliveries of an event may be the one that was kept.
    fn has_attributes(&self, expected: &Expected) -> Result<(), String> {
        let of_delivery = ["delivery_id", "received_at", "ExtendedPayloadSize"];
        let of_event = |name: &str| !of_delivery.contains(&name);
        let here = self.attributes.iter();
        let here =
            here.map(|(name, (data_type, value))| (name.as_str(), (data_type.as_str(), value)));
        let due = expected
            .attributes
            .iter()
            .map(|(name, value)| (*name, ("String", value)));
        let here: Vec<_> = here.filter(|(name, _)| of_event(name)).collect();
        let due: Vec<_> = due.filter(|(name, _)| of_event(name)).collect();
        if here != due || !self.attributes.contains_key("received_at") {
            return Err(format!("the attributes are {:?}", self.attributes));
        }
        Ok(())
    }
}
