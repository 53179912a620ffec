//! The few fields of a Labelbox body that are read, picked out in one pass: no tree, no copy of anything else.
//!
//! Where a field is there twice, the last one counts. Only a text that is no JSON object is not a body.

use super::lenient::{Lenient, Object, list, object, raw, skip, text};
use serde::de::MapAccess;

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
        self.projects
            .first_label
            .as_ref()
            .filter(|_| self.projects.labels == 1)
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

/// v2's `projects`: how many there are, how many labels they have together, and the first of each.
#[derive(Debug, Default)]
pub(super) struct Projects {
    count: usize,
    first_id: Option<String>,
    labels: usize,
    first_label: Option<Label>,
}

impl Projects {
    /// The id of the project of a v2 body that has exactly one. Like any other text, an empty one is none.
    pub(super) fn only_id(&self) -> Option<&str> {
        let id = self.first_id.as_deref();
        id.filter(|id| self.count == 1 && !id.is_empty())
    }
}

/// One label of a v2 body.
#[derive(Debug, Default)]
pub(super) struct Label {
    pub(super) id: Option<String>,
    pub(super) label_details: Details,
}

/// One project of a v2 body.
#[derive(Default)]
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
        self.count += 1;
        self.labels += project.labels;
        self.first_id.get_or_insert_with(|| key.to_owned());
        self.first_label = self.first_label.take().or(project.first_label);
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
