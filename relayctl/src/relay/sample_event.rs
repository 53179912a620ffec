//! The topics that the relay knows, and a sample event for each, made unique, with fields that the user sets.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use fastrand::Rng;
use labelbox_relay::event::MODEL_RUN_CREATED;
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
const LABEL_V1: &str = include_str!("../../../events/label-updated-v1.payload.json");
const LABEL_V2: &str = include_str!("../../../events/label-updated-v2.payload.json");
const WORKFLOW_V1: &str = include_str!("../../../events/workflow-move-v1.payload.json");
const WORKFLOW_V2: &str = include_str!("../../../events/workflow-move-v2.payload.json");
const REVIEW_V1: &str = include_str!("../../../events/review-created-v1.payload.json");
const REVIEW_V2: &str = include_str!("../../../events/review-updated-v2.payload.json");
const MODEL_RUN: &str = include_str!("../../../events/model-run-created.payload.json");
const OTHER: &str = include_str!("../../../events/unrouted-unknown-topic.payload.json");

/// The ids that make an event unique.
const IDS: [&str; 3] = ["/id", "/dataRow/id", "/data_row/id"];
/// The fields from which the relay reads a body's time.
const TIMES: [&str; 3] = ["/updatedAt", "/createdAt", "/data_row/details/last_activity_at"];

/// Accepts the topics of Labelbox's webhooks; suggests one for a misspelt one.
pub fn topic_parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(TOPICS)
}

/// The same, and a model run.
pub fn any_topic_parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(TOPICS.into_iter().chain([MODEL_RUN_CREATED]))
}

/// Labelbox's two shapes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    V1,
    V2,
}

/// The sample for a topic.
///
/// # Errors
/// None that is known: the samples are tested.
pub fn of_topic(topic: &str, shape: Shape) -> serde_json::Result<Value> {
    let topic = topic.to_ascii_uppercase();
    let (v1, v2) = match topic.as_str() {
        MODEL_RUN_CREATED => (MODEL_RUN, MODEL_RUN),
        "MOVE" => (WORKFLOW_V1, WORKFLOW_V2),
        topic if topic.starts_with("WORKFLOW_") => (WORKFLOW_V1, WORKFLOW_V2),
        topic if topic.starts_with("REVIEW_") => (REVIEW_V1, REVIEW_V2),
        topic if topic.starts_with("LABEL_") => (LABEL_V1, LABEL_V2),
        _ => (OTHER, OTHER),
    };
    serde_json::from_str(if shape == Shape::V1 { v1 } else { v2 })
}

/// Makes a sample unique: with new ids, and with `now`, in RFC 3339, as its time. The times of labels and of the import stay: a
/// data row's last activity may be later than both.
pub fn renew(body: &mut Value, now: &str, random: &mut Rng) {
    set_all(body, &IDS, || json!(id(random)));
    set_all(body, &["/modelRunId"], || json!(uuid(random)));
    set_all(body, &TIMES, || json!(now));
    let projects = body.get_mut("projects").and_then(Value::as_object_mut);
    for project in projects.into_iter().flat_map(|projects| projects.values_mut()) {
        let labels = project.get_mut("labels").and_then(Value::as_array_mut);
        for label in labels.into_iter().flatten() {
            set_all(label, &["/id"], || json!(id(random)));
        }
    }
}

fn set_all(body: &mut Value, paths: &[&str], mut value: impl FnMut() -> Value) {
    for path in paths {
        if let Some(place) = body.pointer_mut(path) {
            *place = value();
        }
    }
}

/// An id that looks like Labelbox's.
fn id(random: &mut Rng) -> String {
    format!("cm{}", std::iter::repeat_with(|| random.lowercase()).take(23).collect::<String>())
}

fn uuid(random: &mut Rng) -> String {
    uuid::Builder::from_random_bytes(random.u128(..).to_be_bytes()).into_uuid().to_string()
}

/// A field that the user sets: `project.id=…`, with indexes for items of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    path: Vec<String>,
    value: Value,
}

impl std::str::FromStr for Setting {
    type Err = String;

    /// A value that is not JSON is a string.
    fn from_str(text: &str) -> Result<Self, String> {
        let (path, value) = text.split_once('=').ok_or("it has no =; write field=value")?;
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err("a part of the field's name is empty".to_owned());
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
                        .ok_or_else(|| format!("there is no {part} in the list"))?
                }
                _ => return Err(format!("{part} is in nothing that has fields")),
            };
        }
        *place = self.value.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
