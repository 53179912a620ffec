//! A webhook at Labelbox.

use crate::sanitize::excerpt;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// The topics that a webhook can have.
///
/// Source: `Webhook.Topic` in `labelbox/schema/webhook.py` of <https://pypi.org/project/labelbox/> 7.17.0.
pub const TOPICS: [&str; 4] =
    ["LABEL_CREATED", "LABEL_UPDATED", "LABEL_DELETED", "WORKFLOW_ACTION"];

/// A webhook. Its texts are safe for a terminal.
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

    /// Whether it sends just these topics to this URL.
    pub fn sends(&self, topics: &[String], url: &str) -> bool {
        let set = |topics: &[String]| topics.iter().cloned().collect::<BTreeSet<_>>();
        self.url == url && set(&self.topics) == set(topics)
    }
}

/// Which projects a webhook is for. It cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "scope", rename_all = "lowercase")]
pub enum Scope {
    /// All projects of the workspace.
    Global,
    Project {
        project: String,
    },
    /// Labelbox did not say.
    Unknown,
}

impl Scope {
    /// The scope of a project's webhook, or of the workspace's.
    pub fn of(project: Option<&str>) -> Self {
        project.map_or(Self::Global, |id| Self::Project { project: excerpt(id) })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("global"),
            Self::Project { project } => write!(f, "project {project}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

fn read_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(excerpt(&text.unwrap_or_default()))
}

fn read_topics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let topics = Option::<Vec<String>>::deserialize(deserializer)?;
    Ok(topics.unwrap_or_default().iter().map(|topic| excerpt(topic)).collect())
}
