//! A row of an export: what changed in it, and when.

use crate::aws::stack::Entity;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// What can have happened to a data row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Change {
    /// A label was created
    Created,
    /// A label that is older was edited
    Updated,
    /// The row moved in the workflow
    Moved,
}

impl Change {
    pub fn topic(self) -> &'static str {
        match self {
            Self::Created => "LABEL_CREATED",
            Self::Updated => "LABEL_UPDATED",
            Self::Moved => "WORKFLOW_ACTION",
        }
    }

    /// Whose queue its events go to.
    pub fn entity(self) -> Entity {
        match self {
            Self::Created | Self::Updated => Entity::Label,
            Self::Moved => Entity::Workflow,
        }
    }
}

/// From when, until when, in UTC.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub since: OffsetDateTime,
    pub until: Option<OffsetDateTime>,
}

impl Window {
    /// `since` in whole seconds: Labelbox cuts off the fraction of when a label was created.
    pub fn new(since: OffsetDateTime, until: Option<OffsetDateTime>) -> Self {
        Self { since: since.truncate_to_second(), until }
    }

    /// From when to ask Labelbox: a label's `content_last_updated_at` can be a second before its `created_at`, so no time is exact.
    pub fn since_of_export(&self) -> OffsetDateTime {
        self.since.checked_sub(Duration::SECOND).unwrap_or(self.since)
    }

    fn contains(&self, time: &Option<String>) -> bool {
        let time = time.as_deref().and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok());
        time.is_some_and(|time| time >= self.since && self.until.is_none_or(|until| time < until))
    }
}

/// What is read of a row, as the function reads it of a v2 body: a row of hundreds of megabytes is small without the rest.
///
/// `updated_at` of a label says nothing: all labels of a row get a new one when another label of the row is created.
#[derive(Debug, Deserialize, Serialize)]
pub struct Row {
    data_row: DataRow,
    projects: Option<BTreeMap<String, Project>>,
}

#[derive(Debug, Deserialize, Serialize)]
struct DataRow {
    id: String,
    details: Option<Details>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Details {
    last_activity_at: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Project {
    labels: Option<Vec<Label>>,
    project_details: Option<ProjectDetails>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Label {
    label_details: Option<LabelDetails>,
}

#[derive(Debug, Deserialize, Serialize)]
struct LabelDetails {
    created_at: Option<String>,
    updated_at: Option<String>,
    content_last_updated_at: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct ProjectDetails {
    workflow_history: Option<Vec<Step>>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Step {
    created_at: Option<String>,
}

impl Row {
    pub fn data_row_id(&self) -> &str {
        &self.data_row.id
    }

    /// What happened in this time, of what is wanted. A row has one event for all its labels, whose body is the same: a label that
    /// was created comes before one that was edited.
    pub fn changes(&self, window: &Window, is_wanted: impl Fn(Change) -> bool) -> Vec<Change> {
        let projects = || self.projects.iter().flat_map(BTreeMap::values);
        let labels = projects().filter_map(|it| it.labels.as_ref()).flatten();
        let (mut created, mut updated) = (false, false);
        for label in labels.filter_map(|label| label.label_details.as_ref()) {
            let is_new = window.contains(&label.created_at);
            created |= is_new;
            updated |= !is_new && window.contains(&label.content_last_updated_at);
        }
        let details = projects().filter_map(|it| it.project_details.as_ref());
        let mut steps = details.filter_map(|it| it.workflow_history.as_ref()).flatten();
        let moved = steps.any(|step| window.contains(&step.created_at));
        // Where both are wanted, a new label stands for the edits, too.
        let updated = updated && !(created && is_wanted(Change::Created));
        let all = [(created, Change::Created), (updated, Change::Updated), (moved, Change::Moved)];
        let happened = all.into_iter().filter(|(happened, _)| *happened);
        happened.map(|(_, change)| change).filter(|change| is_wanted(*change)).collect()
    }
}

#[cfg(test)]
mod tests;
