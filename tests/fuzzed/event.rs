//! The oracle of the event reader: looks the event up in the tree of its body.

use super::json::Json;
use super::{signature, time};
use labelbox_relay::event::{Entity, Event, UnroutedReason};
use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{Signatures, Unverified, Verified};

/// A topic of each kind, in different cases. The target `handler` covers all others.
const TOPICS: [Option<&str>; 6] = [
    None,
    Some("LABEL_UPDATED"),
    Some("Workflow_Action"),
    Some("move"),
    Some("REVIEW_CREATED"),
    Some("ISSUE_CREATED"),
];

/// Reads a body with every kind of topic, and compares the event with the expected one.
pub(crate) fn check(body: &[u8]) {
    let verified = verified(body);
    let parsed = ParsedBody::parse(body);
    for topic in TOPICS {
        let expected = parsed.event(Source::Webhook(topic));
        assert_eq!(Event::from_webhook(&verified, topic), expected);
    }
    let expected = parsed.event(Source::Training);
    assert_eq!(Event::from_model_run(&verified), expected);
    assert_eq!(verified.into_body(), body, "not the signed bytes");
}

fn verified(body: &[u8]) -> Verified {
    let signature = format!("sha256={}", hex::encode(signature::hmac_sha256(b"secret", body)));
    let signatures = Signatures::parse([].into_iter(), [signature.as_str()].into_iter()).unwrap();
    let secrets = [Secret::new("secret".to_owned())];
    let verified = Unverified::new(body.to_vec()).verify(&signatures, &secrets);
    verified.unwrap_or_else(|_| panic!("a valid signature was rejected"))
}

/// The route of an event.
#[derive(Clone, Copy)]
pub(crate) enum Source<'h> {
    /// A webhook, with the topic of its header.
    Webhook(Option<&'h str>),
    /// The training route.
    Training,
}

/// A parsed body.
pub(crate) struct ParsedBody {
    /// `None` unless the body is a JSON object in UTF-8 after at most one byte order mark.
    body: Option<Json>,
    occurred_at: Option<String>,
}

impl ParsedBody {
    pub(crate) fn parse(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).ok();
        let json = text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
        let is_object = |body: &Json| matches!(body, Json::Object(_));
        let body = json.and_then(Json::parse).filter(is_object);
        let occurred_at = body.as_ref().and_then(occurred_at);
        Self { body, occurred_at }
    }

    /// The expected event.
    pub(crate) fn event(&self, source: Source<'_>) -> Event {
        let topic = match source {
            Source::Webhook(topic) => topic.map(str::to_ascii_uppercase),
            Source::Training => Some("MODEL_RUN_CREATED".to_owned()),
        };
        let by_topic = match (source, topic.as_deref().map(|topic| topic.split_once('_'))) {
            (Source::Training, _) => Entity::ModelRun,
            (_, None) => Entity::Unrouted(UnroutedReason::NoTopic),
            (_, Some(Some(("LABEL", _)))) => Entity::Label,
            (_, Some(Some(("WORKFLOW", _)))) => Entity::Workflow,
            (_, Some(Some(("REVIEW", _)))) => Entity::Review,
            _ if topic.as_deref() == Some("MOVE") => Entity::Workflow,
            _ => Entity::Unrouted(UnroutedReason::UnknownTopic),
        };
        let is_unrouted = matches!(by_topic, Entity::Unrouted(_));
        let entity = match &self.body {
            None if !is_unrouted => Entity::Unrouted(UnroutedReason::Unreadable),
            _ => by_topic,
        };
        let body = self.body.as_ref();
        Event {
            entity,
            topic,
            entity_id: body.and_then(|body| entity_id(entity, body)),
            project_id: body.and_then(project_id),
            occurred_at: self.occurred_at.clone(),
        }
    }
}

fn entity_id(entity: Entity, body: &Json) -> Option<String> {
    let paths: &[&[&str]] = match entity {
        Entity::Label => &[&["id"], &["data_row", "id"]],
        Entity::Review => &[&["id"], &["label", "id"], &["data_row", "id"]],
        Entity::Workflow => &[&["id"], &["dataRow", "id"], &["data_row", "id"]],
        Entity::ModelRun => &[&["modelRunId"]],
        Entity::Unrouted(_) => &[],
    };
    let id = paths.iter().find_map(|path| string(body, path));
    id.map(str::to_owned)
}

fn project_id(body: &Json) -> Option<String> {
    let v1 = string(body, &["project", "id"]);
    let v2 = || {
        let mut ids: Vec<_> = projects(body).map(|(id, _)| id).collect();
        ids.dedup();
        match ids[..] {
            [id] if !id.is_empty() => Some(id),
            _ => None,
        }
    };
    v1.or_else(v2).map(str::to_owned)
}

fn occurred_at(body: &Json) -> Option<String> {
    let paths: [&[&str]; 3] =
        [&["updatedAt"], &["createdAt"], &["data_row", "details", "last_activity_at"]];
    let time = paths.into_iter().find_map(|path| time_at(body, path));
    time.or_else(|| {
        let projects = projects(body).map(|(_, project)| project);
        projects.flat_map(times_of_project).max()
    })
}

/// The times of a v2 project's labels and workflow steps.
fn times_of_project(project: &Json) -> Vec<String> {
    let mut times = Vec::new();
    for label in items(project, &["labels"]) {
        let names = ["created_at", "updated_at", "content_last_updated_at"];
        times.extend(names.map(|name| time_at(label, &["label_details", name])));
    }
    let steps = items(project, &["project_details", "workflow_history"]);
    times.extend(steps.iter().map(|step| time_at(step, &["created_at"])));
    times.into_iter().flatten().collect()
}

/// The entries of a v2 body's `projects` with valid names, duplicates included.
fn projects(body: &Json) -> impl Iterator<Item = (&str, &Json)> {
    let members = match body.get("projects") {
        Some(Json::Object(members)) => &members[..],
        _ => &[],
    };
    let members = members.iter();
    members.filter_map(|(name, value)| Some((name.as_deref()?, value)))
}

/// The items of the array at a path; none for any other value.
fn items<'j>(value: &'j Json, path: &[&str]) -> &'j [Json] {
    match at(value, path) {
        Some(Json::Array(items)) => items,
        _ => &[],
    }
}

/// The time at a path, in UTC.
fn time_at(value: &Json, path: &[&str]) -> Option<String> {
    string(value, path).and_then(time::in_utc)
}

/// The string at a path, unless it is empty.
fn string<'j>(value: &'j Json, path: &[&str]) -> Option<&'j str> {
    at(value, path)?.as_str().filter(|text| !text.is_empty())
}

fn at<'j>(value: &'j Json, path: &[&str]) -> Option<&'j Json> {
    path.iter().try_fold(value, |value, name| value.get(name))
}
