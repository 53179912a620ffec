//! The topics that the relay knows, and a sample event for each, made unique, with fields that the user sets.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use fastrand::Rng;
use labelbox_relay::event::MODEL_RUN_CREATED;
use labelbox_relay::http::is_valid_header;
use serde_json::{Value, json};

/// Sources: <https://docs.labelbox.com/reference/webhook> and the SDK's `labelbox/schema/webhook.py`.
const TOPICS: [&str; 8] = [
    "LABEL_CREATED",
    "LABEL_UPDATED",
    "LABEL_DELETED",
    "WORKFLOW_ACTION",
    "MOVE",
    "REVIEW_CREATED",
    "REVIEW_UPDATED",
    "REVIEW_DELETED",
];

/// The samples of `events/`.
const LABEL: &str = include_str!("../../../events/label-updated-v1.payload.json");
const WORKFLOW: &str = include_str!("../../../events/workflow-move-v1.payload.json");
const REVIEW: &str = include_str!("../../../events/review-created-v1.payload.json");
const MODEL_RUN: &str = include_str!("../../../events/model-run-created.payload.json");
const OTHER: &str = include_str!("../../../events/unrouted-unknown-topic.payload.json");

/// Accepts the topics of Labelbox's webhooks; suggests one for a misspelt one.
pub fn topic_parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(TOPICS)
}

/// The same, and a model run.
pub fn any_topic_parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(TOPICS.into_iter().chain([MODEL_RUN_CREATED]))
}

/// Accepts a topic that is not a known one.
pub fn other_topic(text: &str) -> Result<String, &'static str> {
    if MODEL_RUN_CREATED.eq_ignore_ascii_case(text) {
        return Err(
            "this is a training run: relayctl trigger MODEL_RUN_CREATED, or send --training",
        );
    }
    if TOPICS.into_iter().any(|topic| topic.eq_ignore_ascii_case(text)) {
        return Err("the relay knows this topic; give it without --any-topic");
    }
    header_value(text)
}

/// Accepts what the relay takes from a header.
pub fn header_value(text: &str) -> Result<String, &'static str> {
    if is_valid_header(text) {
        Ok(text.to_owned())
    } else {
        Err("give 1 to 256 visible ASCII characters")
    }
}

/// The sample for a topic.
pub fn of_topic(topic: &str) -> Value {
    let topic = topic.to_ascii_uppercase();
    let sample = match topic.as_str() {
        MODEL_RUN_CREATED => MODEL_RUN,
        "MOVE" => WORKFLOW,
        topic if topic.starts_with("WORKFLOW_") => WORKFLOW,
        topic if topic.starts_with("REVIEW_") => REVIEW,
        topic if topic.starts_with("LABEL_") => LABEL,
        _ => OTHER,
    };
    // The samples are valid JSON, as tests show.
    serde_json::from_str(sample).unwrap_or_default()
}

/// Makes a sample unique: with new ids, and with `now`, in RFC 3339, as its time.
pub fn renew(body: &mut Value, now: &str, random: &mut Rng) {
    let mut id = || {
        format!("cm{}", std::iter::repeat_with(|| random.lowercase()).take(23).collect::<String>())
    };
    for (path, value) in [
        ("/id", id()),
        ("/dataRow/id", id()),
        ("/modelRunId", uuid::Uuid::new_v4().to_string()),
        ("/updatedAt", now.to_owned()),
        ("/createdAt", now.to_owned()),
    ] {
        if let Some(place) = body.pointer_mut(path) {
            *place = json!(value);
        }
    }
}

/// A field that the user sets: `project.id=…`, with indexes for items of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    path: Vec<String>,
    value: Value,
}

impl std::str::FromStr for Setting {
    type Err = &'static str;

    /// A value that is not JSON is a string.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, value) = text.split_once('=').ok_or("it has no =; write field=value")?;
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err("a part of the field's name is empty");
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        Ok(Self { path, value })
    }
}

impl Setting {
    /// Sets the field, and adds missing objects on the path to it.
    ///
    /// # Errors
    /// If something on the path is a list without that index, or neither list nor object.
    pub fn apply(&self, body: &mut Value) -> Result<(), String> {
        let mut place = body;
        for part in &self.path {
            place = match place {
                Value::Object(fields) => fields.entry(part).or_insert_with(|| json!({})),
                Value::Array(items) => {
                    let at = part.parse::<usize>().ok();
                    at.and_then(|at| items.get_mut(at))
                        .ok_or_else(|| format!("--set: there is no {part} in the list"))?
                }
                _ => return Err(format!("--set: {part} is in nothing that has fields")),
            };
        }
        *place = self.value.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
