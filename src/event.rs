//! Reads an event: the entity from its topic, which is not signed, and ids and time from its verified body.

mod body;
mod json;

use crate::signature::Verified;
use body::Body;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// The topic of a model run. Labelbox sends no topic header with it.
pub const MODEL_RUN_CREATED: &str = "MODEL_RUN_CREATED";

/// What an event is about. It decides the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// A label was created, updated or deleted.
    Label,
    /// A data row moved in a workflow.
    Workflow,
    /// A review was created, updated or deleted (legacy webhooks).
    Review,
    /// A model run was requested.
    ModelRun,
    /// An event without a known topic, or with an unreadable body.
    Unrouted(UnroutedReason),
}

/// Why an event is unrouted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnroutedReason {
    /// The topic is not known.
    UnknownTopic,
    /// There is no valid topic.
    NoTopic,
    /// The body is not a JSON object.
    Unreadable,
}

impl Entity {
    /// Its name in messages, responses and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Workflow => "workflow",
            Self::Review => "review",
            Self::ModelRun => "model_run",
            Self::Unrouted(_) => "unrouted",
        }
    }

    /// The entity of a topic in upper case. Source: <https://docs.labelbox.com/reference/webhook>.
    fn from_topic(topic: Option<&str>) -> Self {
        match topic {
            None => Self::Unrouted(UnroutedReason::NoTopic),
            Some("MOVE") => Self::Workflow,
            Some(topic) if topic.starts_with("LABEL_") => Self::Label,
            Some(topic) if topic.starts_with("WORKFLOW_") => Self::Workflow,
            Some(topic) if topic.starts_with("REVIEW_") => Self::Review,
            Some(_) => Self::Unrouted(UnroutedReason::UnknownTopic),
        }
    }
}

impl UnroutedReason {
    /// Its name in messages and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownTopic => "unknown_topic",
            Self::NoTopic => "no_topic",
            Self::Unreadable => "unreadable",
        }
    }
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub entity: Entity,
    /// The topic in upper case.
    pub topic: Option<String>,
    /// The id of the label, review, data row or model run.
    pub entity_id: Option<String>,
    /// The id of its project, if it has exactly one.
    pub project_id: Option<String>,
    /// When it happened, from the body: RFC 3339 in UTC with milliseconds, so that strings sort as times do.
    pub occurred_at: Option<String>,
}

impl Event {
    /// Reads the body of a webhook delivery. Never fails: what the body lacks is `None`, and an event of an unknown kind is
    /// [`Entity::Unrouted`].
    pub fn from_webhook(verified: &Verified, topic: Option<&str>) -> Self {
        let topic = topic.map(str::to_ascii_uppercase);
        Self::read(verified.body(), Entity::from_topic(topic.as_deref()), topic)
    }

    /// Reads a row of a Labelbox export, which has the shape of a v2 body. Labelbox does not sign it: the caller has
    /// authenticated its source in another way.
    pub fn from_export_row(row: &[u8], topic: &str) -> Self {
        Self::read(row, Entity::from_topic(Some(topic)), Some(topic.to_owned()))
    }

    /// Reads the body of a request for a model run. Never fails either.
    pub fn from_model_run(verified: &Verified) -> Self {
        Self::read(verified.body(), Entity::ModelRun, Some(MODEL_RUN_CREATED.to_owned()))
    }

    fn read(body: &[u8], entity: Entity, topic: Option<String>) -> Self {
        let Some(body) = Body::parse(body) else {
            let reason = if let Entity::Unrouted(reason) = entity {
                reason
            } else {
                UnroutedReason::Unreadable
            };
            return Self {
                entity: Entity::Unrouted(reason),
                topic,
                entity_id: None,
                project_id: None,
                occurred_at: None,
            };
        };
        let (project_id, occurred_at) = body.project_id_and_time();
        Self {
            entity,
            topic,
            entity_id: match entity {
                // A v2 body describes its data row. That can have several labels, whose number changes, so their ids cannot
                // identify it.
                Entity::Label => body.id_or_of(&["data_row"]),
                Entity::Review => body.id_or_of(&["label", "data_row"]),
                Entity::Workflow => body.id_or_of(&["dataRow", "data_row"]),
                Entity::ModelRun => body.model_run_id(),
                Entity::Unrouted(_) => None,
            },
            project_id,
            occurred_at,
        }
    }
}

/// Converts an RFC 3339 time to UTC with milliseconds. Labelbox writes `Z` and `+00:00`, with and without milliseconds,
/// which do not sort as strings.
fn normalize_time(time: &str) -> Option<String> {
    // The separators of RFC 3339; the parser accepts any.
    if !matches!(time.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let time = OffsetDateTime::parse(time, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    // RFC 3339 has years of four digits, which the conversion to UTC can leave.
    (0..=9999).contains(&time.year()).then(|| timestamp(time))
}

/// Formats a time as in messages: RFC 3339 in UTC with milliseconds.
pub fn timestamp(time: OffsetDateTime) -> String {
    const FORMAT: &[BorrowedFormatItem<'_>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // A UTC time has every component of the format, so this does not fail.
    time.format(FORMAT).unwrap_or_default()
}

#[cfg(test)]
mod tests;
