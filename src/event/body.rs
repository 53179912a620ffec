//! The values that are read from a Labelbox body.
//!
//! If a field occurs twice, the last one counts. Under `projects`, the times of all entries count, also of repeated keys. A
//! value of another type than the expected one counts as missing.

use super::json::Json;
use super::normalize_time;

/// JSON texts do not begin with one, and a reader may ignore it (RFC 8259, section 8.1).
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// The top-level fields that are read: v1 has `id`, `dataRow` and `project`, v2 has `data_row` and `projects`.
const FIELDS: [&str; 9] = [
    "id",
    "label",
    "dataRow",
    "data_row",
    "project",
    "projects",
    "updatedAt",
    "createdAt",
    "modelRunId",
];

/// A body with the values of its top-level [`FIELDS`].
pub(super) struct Body<'a>([Json<'a>; FIELDS.len()]);

impl<'a> Body<'a> {
    /// Parses a body. Returns `None` if it is not a JSON object.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let json = Json::new(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text));
        json.get_all(FIELDS).map(Self)
    }

    fn get(&self, name: &str) -> Json<'a> {
        let mut fields = FIELDS.iter().zip(self.0);
        fields.find(|(field, _)| **field == name).map_or(Json::NULL, |(_, value)| value)
    }

    fn id_of(&self, name: &str) -> Option<String> {
        self.get(name).get("id").string()
    }

    /// The body's own id, or else the id of the first of these objects that has one.
    pub(super) fn id_or_of(&self, objects: &[&str]) -> Option<String> {
        let id = self.get("id").string();
        id.or_else(|| objects.iter().find_map(|name| self.id_of(name)))
    }

    pub(super) fn model_run_id(&self) -> Option<String> {
        self.get("modelRunId").string()
    }

    /// The id of the project, and when the event happened: RFC 3339 in UTC with milliseconds.
    ///
    /// v1 names its project. v2 has the ids of its projects as keys; if it has more than one, there is no project id.
    /// `data_row.details.updated_at` is not read: it stays at the time of the import while labels change. Source:
    /// <https://docs.labelbox.com/reference/export-quick-reference>.
    pub(super) fn project_id_and_time(&self) -> (Option<String>, Option<String>) {
        let last_activity = || self.get("data_row").get("details").get("last_activity_at");
        let time = parse_time(self.get("updatedAt"))
            .or_else(|| parse_time(self.get("createdAt")))
            .or_else(|| parse_time(last_activity()));
        let (mut only_project, mut is_only, mut newest) = (None, true, None);
        self.get("projects").for_each_field(|key, project| {
            is_only &= only_project.get_or_insert_with(|| key.to_owned()) == key;
            if time.is_none() {
                newest = newest.take().max(newest_time(project));
            }
        });
        let only_project = only_project.filter(|key| is_only && !key.is_empty());
        (self.id_of("project").or(only_project), time.or(newest))
    }
}

/// The newest time of the labels and the workflow history of a v2 project.
fn newest_time(project: Json<'_>) -> Option<String> {
    let [labels, details] = project.get_all(["labels", "project_details"])?;
    let mut newest = None;
    let mut add = |value| newest = newest.take().max(parse_time(value));
    labels.for_each_item(|label| {
        let times = ["created_at", "updated_at", "content_last_updated_at"];
        let times = label.get("label_details").get_all(times);
        times.into_iter().flatten().for_each(&mut add);
    });
    let history = details.get("workflow_history");
    history.for_each_item(|step| add(step.get("created_at")));
    newest
}

fn parse_time(value: Json<'_>) -> Option<String> {
    normalize_time(&value.string()?)
}
