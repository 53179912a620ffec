//! The few fields of a Labelbox body that are read, picked out in one pass: no tree, no copy of anything else.
//!
//! Where a field is there twice, the last one counts. Only a text that is no JSON object is not a body.

use super::lenient::{Lenient, Object, list, object, raw, skip, text};
use serde::de::MapAccess;
use std::collections::BTreeMap;

/// So many projects are told apart, which bounds what a body can make us hold; Labelbox has a data row in a few.
const MAX_PROJECTS: usize = 1000;

/// Both body shapes at once: v1 has `id`, `dataRow` and `project`, v2 has `data_row` and `projects`.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) id: Option<String>,
    pub(super) label_id: Option<String>,
    pub(super) data_row: Identified,
    pub(super) project: Identified,
    pub(super) updated_at: Option<String>,
    pub(super) created_at: Option<String>,
    pub(super) model_run_id: Option<String>,
    pub(super) data_row_v2: DataRow,
    pub(super) projects: Projects,
}

impl Body {
    /// Reads a body; `None` when it is not a JSON object.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        Lenient::read(text)
    }

    /// The label of a v2 body that has exactly one.
    pub(super) fn only_label(&self) -> Option<&Label> {
        let projects = self.projects.by_id.values();
        let labels: usize = projects.clone().map(|project| project.labels).sum();
        let is_only = labels + self.projects.labels_of_others == 1;
        let mut first_labels = projects.flat_map(|project| &project.first_label);
        first_labels.next().filter(|_| is_only)
    }
}

/// `{"id": …}`: v1's project and data row, and the label of a review.
#[derive(Debug, Default)]
pub(super) struct Identified {
    pub(super) id: Option<String>,
}

/// v2's `data_row`.
#[derive(Debug, Default)]
pub(super) struct DataRow {
    pub(super) id: Option<String>,
    pub(super) details: Details,
}

/// v2's `data_row.details` and `label_details`.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) updated_at: Option<String>,
}

/// v2's `projects`, where one that is there twice is one; of each, how many labels it has, and the first one.
#[derive(Debug, Default)]
pub(super) struct Projects {
    by_id: BTreeMap<String, Project>,
    labels_of_others: usize,
}

impl Projects {
    /// The id of the project of a v2 body that has exactly one. Like any other text, an empty one is none.
    pub(super) fn only_id(&self) -> Option<&str> {
        let (id, _) = self.by_id.first_key_value()?;
        Some(id.as_str()).filter(|id| self.by_id.len() == 1 && !id.is_empty())
    }
}

/// One label of a v2 body.
#[derive(Debug, Default)]
pub(super) struct Label {
    pub(super) id: Option<String>,
    pub(super) label_details: Details,
}

/// One project of a v2 body.
#[derive(Debug, Default)]
struct Project {
    labels: usize,
    first_label: Option<Label>,
}

impl Object for Body {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, fields: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = text(fields)?,
            "updatedAt" => self.updated_at = text(fields)?,
            "createdAt" => self.created_at = text(fields)?,
            "modelRunId" => self.model_run_id = text(fields)?,
            "dataRow" => self.data_row = object(fields)?,
            "project" => self.project = object(fields)?,
            "data_row" => self.data_row_v2 = object(fields)?,
            "projects" => self.projects = object(fields)?,
            // An object in a review; in a v1 label a string of megabytes, which must not even be unescaped.
            "label" => {
                let label = raw(fields)?;
                let label = Some(label).filter(|label| label.starts_with('{'));
                self.label_id = label
                    .and_then(Lenient::<Identified>::read)
                    .and_then(|label| label.id);
            }
            _ => skip(fields)?,
        }
        Ok(())
    }
}

impl Object for Identified {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, fields: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = text(fields)?,
            _ => skip(fields)?,
        }
        Ok(())
    }
}

impl Object for DataRow {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, fields: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = text(fields)?,
            "details" => self.details = object(fields)?,
            _ => skip(fields)?,
        }
        Ok(())
    }
}

impl Object for Details {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, fields: &mut A) -> Result<(), A::Error> {
        match key {
            "updated_at" => self.updated_at = text(fields)?,
            _ => skip(fields)?,
        }
        Ok(())
    }
}

impl Object for Projects {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, fields: &mut A) -> Result<(), A::Error> {
        let project: Project = object(fields)?;
        if self.by_id.len() < MAX_PROJECTS || self.by_id.contains_key(key) {
            self.by_id.insert(key.to_owned(), project);
        } else {
            self.labels_of_others += project.labels;
        }
        Ok(())
    }
}

impl Object for Project {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, fields: &mut A) -> Result<(), A::Error> {
        match key {
            "labels" => (self.labels, self.first_label) = list(fields)?,
            _ => skip(fields)?,
        }
        Ok(())
    }
}

impl Object for Label {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, fields: &mut A) -> Result<(), A::Error> {
        match key {
            "id" => self.id = text(fields)?,
            "label_details" => self.label_details = object(fields)?,
            _ => skip(fields)?,
        }
        Ok(())
    }
}
