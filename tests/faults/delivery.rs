//! A delivery as a gateway passes it on, drawn at random, and what has to become of it.

use crate::draft::Draft;
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes that make a body larger than messages may be in these tests.
const LARGE: Range<usize> = 1100..3000;

/// What is sent, and what has to become of it.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) name: &'static str,
    /// The gateway's event.
    pub(crate) event: Value,
    pub(crate) due: Due,
}

/// What a delivery must come to, unless something needed is down.
#[derive(Clone)]
pub(crate) enum Due {
    /// An event to make durable.
    Durable(Expected),
    /// A forgery with this delivery id, which no other delivery has.
    Refused(String),
    /// Another answer.
    Answered(u16),
    /// Another answer, whatever is down.
    AnsweredAlways(u16),
}

/// A message as the contract wants it, computed here and not by the relay.
#[derive(Clone)]
pub(crate) struct Expected {
    pub(crate) body: Vec<u8>,
    pub(crate) entity: &'static str,
    /// All but `received_at` and `ExtendedPayloadSize`.
    pub(crate) attributes: BTreeMap<&'static str, String>,
    pub(crate) group_id: String,
    pub(crate) dedup_id: String,
    pub(crate) trace: String,
    /// Whether a queue cannot carry it as it is.
    pub(crate) by_pointer: bool,
}

pub(crate) fn random(rng: &mut Rng) -> Delivery {
    let draft = Draft::of_label(rng);
    match rng.u8(..20) {
        0 => draft.about("workflow", "MOVE").into_event(),
        1 => draft.about("workflow", "WORKFLOW_ACTION").into_event(),
        2 => draft.about("review", "REVIEW_CREATED").into_event(),
        3..6 => draft.with_label("x".repeat(rng.usize(LARGE))).into_event(),
        6 => draft.with_label("\u{ffff}".to_owned()).into_event(),
        7 => draft
            .unrouted(Some("ISSUE_CREATED"), "unknown_topic")
            .into_event(),
        8 => draft.unrouted(None, "no_topic").into_event(),
        9 => draft.unreadable(Vec::new()).into_event(),
        10 => draft.unreadable(vec![0xff, 0xfe, rng.u8(..)]).into_event(),
        11 => draft.into_model_run(),
        12..15 => draft.into_forgery(rng),
        15 => draft.into_other(rng),
        _ => draft.into_event(),
    }
}

/// The same delivery once more; or the same event by another webhook of the sender's, which gives it an id of its own.
pub(crate) fn again(delivery: &Delivery, rng: &mut Rng) -> Delivery {
    let mut again = delivery.clone();
    if let Due::Durable(expected) = &mut again.due {
        let is_one_event = expected.attributes.contains_key("occurred_at");
        if is_one_event && rng.bool() {
            let id = format!("delivery{}", rng.u32(..));
            again.event["headers"]["x-labelbox-id"] = json!(id);
            expected.attributes.insert("delivery_id", id);
        }
    }
    again
}
