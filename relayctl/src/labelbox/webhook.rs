//! A webhook as Labelbox has it: where it sends what, and for whom.

use crate::sanitize::excerpt;
use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize};

/// What Labelbox tells a webhook about.
///
/// Source: `Webhook.Topic` in `labelbox/schema/webhook.py` of <https://pypi.org/project/labelbox/> 7.17.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Topic {
    LabelCreated,
    LabelUpdated,
    LabelDeleted,
    WorkflowAction,
}

impl Topic {
    pub fn name(self) -> &'static str {
        match self {
            Self::LabelCreated => "LABEL_CREATED",
            Self::LabelUpdated => "LABEL_UPDATED",
            Self::LabelDeleted => "LABEL_DELETED",
            Self::WorkflowAction => "WORKFLOW_ACTION",
        }
    }
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Webhook {
    #[serde(deserialize_with = "read_text")]
    pub id: String,
    #[serde(default, deserialize_with = "read_text")]
    pub url: String,
    #[serde(default, deserialize_with = "read_topics")]
    pub topics: Vec<String>,
    #[serde(default, deserialize_with = "read_text")]
    pub status: String,
    #[serde(default, deserialize_with = "read_text")]
    pub created_at: String,
}

impl Webhook {
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }

    /// Whether it sends just these topics there.
    pub fn does(&self, url: &str, topics: &[Topic]) -> bool {
        let mut own: Vec<_> = self.topics.iter().map(String::as_str).collect();
        let mut other: Vec<_> = topics.iter().map(|topic| topic.name()).collect();
        own.sort_unstable();
        other.sort_unstable();
        self.url == url && own == other
    }
}

/// Which events a webhook gets. Nobody can change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "scope", rename_all = "lowercase")]
pub enum Scope {
    /// Those of the whole workspace.
    Global,
    /// Those of one project.
    Project { project: String },
    /// Labelbox did not say.
    Unknown,
}

impl Scope {
    pub fn words(&self) -> String {
        match self {
            Self::Global => "global".to_owned(),
            Self::Project { project } => format!("project {project}"),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

/// A text from elsewhere, which may be shown on a terminal.
fn read_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(excerpt(&text.unwrap_or_default()))
}

/// The SDK calls them a text and treats them as a list.
fn read_topics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Topics {
        More(Vec<String>),
        One(String),
        None(()),
    }
    let topics = match Topics::deserialize(deserializer)? {
        Topics::More(topics) => topics,
        Topics::One(topic) => vec![topic],
        Topics::None(()) => Vec::new(),
    };
    Ok(topics.iter().map(|topic| excerpt(topic)).collect())
}
