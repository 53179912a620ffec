//! The few values of a Labelbox body that are read.
//!
//! Where a field occurs twice, the last one counts. A value of another type than the expected one counts as missing.

use super::json::Json;
use super::normalize;

/// JSON texts do not begin with one, and a reader may ignore it (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// A body with the values of its top-level fields: v1 has `id`, `dataRow` and `project`, v2 has `data_row` and
/// `projects`.
pub(super) struct Body<'a> {
    id: Json<'a>,
    label: Json<'a>,
    data_row_v1: Json<'a>,
    data_row_v2: Json<'a>,
    project: Json<'a>,
    projects: Json<'a>,
    updated_at: Json<'a>,
    created_at: Json<'a>,
    model_run_id: Json<'a>,
}

impl<'a> Body<'a> {
    /// Reads a body. Returns `None` if it is not a JSON object.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let json = Json::new(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text));
        let mut body = Self {
            id: Json::NULL,
            label: Json::NULL,
            data_row_v1: Json::NULL,
            data_row_v2: Json::NULL,
            project: Json::NULL,
            projects: Json::NULL,
            updated_at: Json::NULL,
            created_at: Json::NULL,
            model_run_id: Json::NULL,
        };
        let is_object = json.for_each_field(|key, value| match key {
            "id" => body.id = value,
            "label" => body.label = value,
            "dataRow" => body.data_row_v1 = value,
            "data_row" => body.data_row_v2 = value,
            "project" => body.project = value,
            "projects" => body.projects = value,
            "updatedAt" => body.updated_at = value,
            "createdAt" => body.created_at = value,
            "modelRunId" => body.model_run_id = value,
            _ => {}
        });
        is_object.then_some(body)
    }

    /// A v2 body is about its data row, however many labels that has: the number changes, and an id must not.
    pub(super) fn label_event_id(&self) -> Option<String> {
        self.id
            .string()
            .or_else(|| self.data_row_v2.get("id").string())
    }

    pub(super) fn review_id(&self) -> Option<String> {
        let label = || self.label.get("id").string();
        let data_row = || self.data_row_v2.get("id").string();
        self.id.string().or_else(label).or_else(data_row)
    }

    pub(super) fn workflow_event_id(&self) -> Option<String> {
        let data_row_v1 = || self.data_row_v1.get("id").string();
        let data_row_v2 = || self.data_row_v2.get("id").string();
        self.id.string().or_else(data_row_v1).or_else(data_row_v2)
    }

    pub(super) fn model_run_id(&self) -> Option<String> {
        self.model_run_id.string()
    }

    /// v1 names its project, v2 has its projects' ids as keys: the only one, if there is one.
    pub(super) fn project_id(&self) -> Option<String> {
        self.project.get("id").string().or_else(|| {
            let mut only: Option<String> = None;
            let mut is_only = true;
            self.projects.for_each_field(|key, _| match &only {
                None => only = Some(key.to_owned()),
                Some(first) => is_only &= first == key,
            });
            only.filter(|key| is_only && !key.is_empty())
        })
    }

    /// When the event happened: RFC 3339, UTC, milliseconds.
    ///
    /// `data_row.details.updated_at` stays at the time of the import while labels change. Source:
    /// <https://docs.labelbox.com/reference/label-export>.
    pub(super) fn occurred_at(&self) -> Option<String> {
        let last_activity = || self.data_row_v2.get("details").get("last_activity_at");
        time(self.updated_at)
            .or_else(|| time(self.created_at))
            .or_else(|| time(last_activity()))
            .or_else(|| self.newest_time_of_projects())
    }

    /// The newest time of any label and of any step in a workflow.
    fn newest_time_of_projects(&self) -> Option<String> {
        let mut newest = None;
        let mut add = |value| newest = newest.take().max(time(value));
        self.projects.for_each_field(|_, project| {
            project.get("labels").for_each_item(|label| {
                let details = label.get("label_details");
                add(details.get("created_at"));
                add(details.get("updated_at"));
                add(details.get("content_last_updated_at"));
            });
            let history = project.get("project_details").get("workflow_history");
            history.for_each_item(|step| add(step.get("created_at")));
        });
        newest
    }
}

fn time(value: Json<'_>) -> Option<String> {
    normalize(&value.string()?)
}
