//! The few values of a Labelbox body that are read.
//!
//! Where a field occurs twice, the last one counts, except that the times of all entries under `projects` do. A value of another type than the expected one counts as missing.

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
        let [
            id,
            label,
            data_row_v1,
            data_row_v2,
            project,
            projects,
            updated_at,
            created_at,
            model_run_id,
        ] = json.get_all([
            "id",
            "label",
            "dataRow",
            "data_row",
            "project",
            "projects",
            "updatedAt",
            "createdAt",
            "modelRunId",
        ])?;
        Some(Self {
            id,
            label,
            data_row_v1,
            data_row_v2,
            project,
            projects,
            updated_at,
            created_at,
            model_run_id,
        })
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

    /// The id of the project, and when the event happened: RFC 3339, UTC, milliseconds.
    ///
    /// v1 names its project, v2 has its projects' ids as keys: the only one counts. `data_row.details.updated_at` stays
    /// at the time of the import while labels change. Source: <https://docs.labelbox.com/reference/export-quick-reference>.
    pub(super) fn project_id_and_time(&self) -> (Option<String>, Option<String>) {
        let last_activity = || self.data_row_v2.get("details").get("last_activity_at");
        let time = time(self.updated_at)
            .or_else(|| time(self.created_at))
            .or_else(|| time(last_activity()));
        let (mut only_project, mut is_only, mut newest) = (None, true, None);
        self.projects.for_each_field(|key, project| {
            is_only &= only_project.get_or_insert_with(|| key.to_owned()) == key;
            if time.is_none() {
                newest = newest.take().max(newest_time(project));
            }
        });
        let only_project = only_project.filter(|key| is_only && !key.is_empty());
        (
            self.project.get("id").string().or(only_project),
            time.or(newest),
        )
    }
}

/// The newest time of any label of a v2 project, and of any step in its workflow.
fn newest_time(project: Json<'_>) -> Option<String> {
    let [labels, details] = project.get_all(["labels", "project_details"])?;
    let mut newest = None;
    let mut add = |value| newest = newest.take().max(time(value));
    labels.for_each_item(|label| {
        let times = ["created_at", "updated_at", "content_last_updated_at"];
        let times = label.get("label_details").get_all(times);
        times.into_iter().flatten().for_each(&mut add);
    });
    let history = details.get("workflow_history");
    history.for_each_item(|step| add(step.get("created_at")));
    newest
}

fn time(value: Json<'_>) -> Option<String> {
    normalize(&value.string()?)
}
