//! Whether there is a durable copy of an event, with the same bytes, where the answer says.

use crate::account::{Outcome, Verdict};
use crate::aws::World;
use crate::delivery::Expected;
use crate::queues::{Attributes, StoredMessage, of_record, pointer};
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
    is_message(world, message, expected, is_fifo, &expected.dedup_id)
}

fn is_spilled(world: &World, expected: &Expected, is_fifo: bool, key: &str) -> Result<(), String> {
    let record = world.objects.get(BUCKET, key);
    let record = record.ok_or(format!("the bucket has no object {key}"))?;
    let message = of_record(&queue_url(expected.entity, is_fifo), record);
    let message = message.map_err(|error| error.to_string())?;
    let place = format!("spill/{}/", expected.entity);
    let is_in_place =
        key.starts_with(&place) && key.ends_with(&format!("/{}.json", expected.dedup_id));
    if !is_in_place {
        return Err(format!("it spilled to {key}"));
    }
    is_message(world, &message, expected, is_fifo, &replay_id(expected))
}

/// The deduplication id of a record: its queue may have stored another message under the event's.
fn replay_id(expected: &Expected) -> String {
    format!("{}-replay", expected.dedup_id)
}

/// Whether the queue of an event has a message that is exactly what was sent.
pub(crate) fn is_delivered(world: &World, expected: &Expected, is_fifo: bool) -> bool {
    let ids = [expected.dedup_id.clone(), replay_id(expected)];
    world.queues.messages.iter().any(|message| {
        let mut ids = ids.iter();
        ids.any(|id| is_message(world, message, expected, is_fifo, id).is_ok())
    })
}

/// Whether a message is exactly what was sent for an event.
fn is_message(
    world: &World,
    message: &StoredMessage,
    expected: &Expected,
    is_fifo: bool,
    dedup_id: &str,
) -> Result<(), String> {
    if message.queue != queue_url(expected.entity, is_fifo) {
        return Err(format!("the message is in {}", message.queue));
    }
    let payload = pointer(&message.body);
    if payload.is_some() != expected.by_pointer {
        return Err(format!("the message's body is {}", message.body));
    }
    let bytes = match &payload {
        Some((bucket, key)) => world.objects.get(bucket, key),
        None => Some(message.body.as_bytes()),
    };
    if bytes != Some(&expected.body) {
        return Err("the durable copy has other bytes".to_owned());
    }
    let size = ("Number".to_owned(), expected.body.len().to_string());
    let said = message.attributes.get("ExtendedPayloadSize");
    if said != expected.by_pointer.then_some(&size) {
        return Err(format!("the payload's size is said to be {said:?}"));
    }
    has_attributes(&message.attributes, expected)?;
    let fifo = |id| is_fifo.then_some(id);
    let due = (
        fifo(&*expected.group_id),
        fifo(dedup_id),
        Some(&*expected.trace),
    );
    let ids = (&message.group_id, &message.dedup_id, &message.trace);
    if (ids.0.as_deref(), ids.1.as_deref(), ids.2.as_deref()) != due {
        return Err(format!("group, deduplication id and trace are {ids:?}"));
    }
    Ok(())
}

/// The first of several deliveries of an event may be the one that was kept.
fn has_attributes(attributes: &Attributes, expected: &Expected) -> Result<(), String> {
    let of_delivery = ["delivery_id", "received_at", "ExtendedPayloadSize"];
    let of_event = |name: &str| !of_delivery.contains(&name);
    let here = attributes.iter();
    let here = here.map(|(name, (data_type, value))| (name.as_str(), (data_type.as_str(), value)));
    let due = expected.attributes.iter();
    let due = due.map(|(name, value)| (*name, ("String", value)));
    let here: Vec<_> = here.filter(|(name, _)| of_event(name)).collect();
    let due: Vec<_> = due.filter(|(name, _)| of_event(name)).collect();
    if here != due || !attributes.contains_key("received_at") {
        return Err(format!("the attributes are {attributes:?}"));
    }
    Ok(())
}
