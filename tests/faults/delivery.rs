//! A delivery as a gateway passes it on, drawn at random, and what has to become of it.

use crate::draft::Draft;
use crate::vault::Vault;
use fastrand::Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes that make a body larger than messages may be in these tests.
const LARGE: Range<usize> = 1100..3000;

/// What is sent, and what has to become of it.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) draft: Draft,
    /// The gateway's event.
    pub(crate) event: Value,
    pub(crate) due: Due,
}

impl Delivery {
    /// What to call it.
    pub(crate) fn name(&self) -> String {
        let Signed { webhook, by } = &self.draft.signed;
        format!("{} {} by {by:?}", self.event["rawPath"], webhook)
    }
}

/// What a delivery must come to, unless its secret is not the relay's or something needed is down.
#[derive(Clone)]
pub(crate) enum Due {
    /// An event to make durable.
    Durable(Expected),
    /// The list of models.
    Models,
    /// Another answer, whatever is down.
    Always(u16),
}

/// The signature of a request, and the name under which the value has the secrets that it must match.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) webhook: &'static str,
    pub(crate) by: Signer,
}

/// Who made a signature.
#[derive(Debug, Clone)]
pub(crate) enum Signer {
    /// A sender with this secret, current or not.
    Holder(String),
    /// A sender without a secret: this signature is well-formed and wrong.
    Forger(String),
    /// Nobody: there is no signature.
    Nobody,
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

pub(crate) fn random(rng: &mut Rng, vault: &Vault) -> Delivery {
    let draft = Draft::of_label(rng);
    let draft = match rng.u8(..20) {
        0 => draft.about("workflow", "MOVE"),
        1 => draft.about("workflow", "WORKFLOW_ACTION"),
        2 => draft.about("review", "REVIEW_CREATED"),
        3..6 => draft.with_label("x".repeat(rng.usize(LARGE))),
        6 => draft.with_label("\u{ffff}".to_owned()),
        7 => draft.unrouted(Some("ISSUE_CREATED"), "unknown_topic"),
        8 => draft.unrouted(None, "no_topic"),
        9 => draft.unreadable(Vec::new()),
        10 => draft.unreadable(vec![0xff, 0xfe, rng.u8(..)]),
        11 => draft.of_model_run(),
        _ => draft,
    };
    let draft = draft.signed(rng, vault);
    match rng.u8(..20) {
        0 => draft.into_other(rng, vault),
        1..4 => draft.forged(rng).into_event(),
        _ => draft.into_event(),
    }
}

/// The same delivery once more; or the same event by another webhook of the sender's, which gives it an id of its own.
pub(crate) fn again(delivery: &Delivery, rng: &mut Rng) -> Delivery {
    match delivery.due {
        Due::Durable(_) => delivery.draft.clone().again(rng).into_event(),
        Due::Models | Due::Always(_) => delivery.clone(),
    }
}
