//! What an event must be, looked up in the tree of its body; and the oracle of the two body targets.

use super::json::Json;
use super::{mac, time};
use labelbox_relay::event::{Entity, Event, Reason};
use labelbox_relay::secrets::Secret;
use labelbox_relay::signature::{Signatures, Unverified, Verified};

/// A topic of each kind, in different cases. The target `door` has all others.
const TOPICS: [Option<&str>; 6] = [
    None,
    Some("LABEL_UPDATED"),
    Some("Workflow_Action"),
    Some("move"),
    Some("REVIEW_CREATED"),
    Some("ISSUE_CREATED"),
];

/// Reads a body under every kind of topic, and compares what is read with what is in its tree.
pub(crate) fn check(body: &[u8]) {
    let verified = verified(body);
    let reading = Reading::of(body);
    for topic in TOPICS {
        let expected = reading.event(Call::Webhook(topic));
        assert_eq!(Event::of_webhook(&verified, topic), expected);
    }
    let expected = reading.event(Call::Training);
    assert_eq!(Event::of_model_run(&verified), expected);
    assert_eq!(verified.into_body(), body, "not the signed bytes");
}

fn verified(body: &[u8]) -> Verified {
    let signature = format!("sha256={}", hex::encode(mac::sha256(b"secret", body)));
    let signatures = Signatures::read([].into_iter(), [signature.as_str()].into_iter()).unwrap();
    let secrets = [Secret::new("secret".to_owned())];
    let verified = Unverified::new(body.to_vec()).verify(&signatures, &secrets);
    verified.unwrap_or_else(|_| panic!("a right signature was refused"))
}

/// How an event came in.
#[derive(Clone, Copy)]
pub(crate) enum Call<'h> {
    /// By a webhook, with the topic of its header.
    Webhook(Option<&'h str>),
    /// By the training route.
    Training,
}

/// The tree of a body, if it is readable: UTF-8 and a JSON object, after one byte order mark at most.
pub(crate) struct Reading {
    body: Option<Json>,
    occurred_at: Option<String>,
}

impl Reading {
    pub(crate) fn of(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).ok();
        let json = text.map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
        let is_object = |body: &Json| matches!(body, Json::Object(_));
        let body = json.and_then(Json::whole).filter(is_object);
        let occurred_at = body.as_ref().and_then(occurred_at);
        Self { body, occurred_at }
    }

    /// What the relay must make of it.
    pub(crate) fn event(&self, call: Call<'_>) -> Event {
        let topic = match call {
            Call::Webhook(topic) => topic.map(str::to_ascii_uppercase),
            Call::Training => Some("MODEL_RUN_CREATED".to_owned()),
        };
        let by_topic = match (call, topic.as_deref().map(|topic| topic.split_once('_'))) {
            (Call::Training, _) => Entity::ModelRun,
            (_, None) => Entity::Unrouted(Reason::NoTopic),
            (_, Some(Some(("LABEL", _)))) => Entity::Label,
            (_, Some(Some(("WORKFLOW", _)))) => Entity::Workflow,
            (_, Some(Some(("REVIEW", _)))) => Entity::Review,
            _ if topic.as_deref() == Some("MOVE") => Entity::Workflow,
            _ => Entity::Unrouted(Reason::UnknownTopic),
        };
        let is_unrouted = matches!(by_topic, Entity::Unrouted(_));
        let entity = match &self.body {
            None if !is_unrouted => Entity::Unrouted(Reason::Unreadable),
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
    let id = paths.iter().find_map(|path| text(body, path));
    id.map(str::to_owned)
}

fn project_id(body: &Json) -> Option<String> {
    let of_v1 = text(body, &["project", "id"]);
    let of_v2 = || {
        let mut ids: Vec<_> = projects(body).map(|(id, _)| id).collect();
        ids.dedup();
        match ids[..] {
            [id] if !id.is_empty() => Some(id),
            _ => None,
        }
    };
    of_v1.or_else(of_v2).map(str::to_owned)
}

fn occurred_at(body: &Json) -> Option<String> {
    let paths: [&[&str]; 3] = [
        &["updatedAt"],
        &["createdAt"],
        &["data_row", "details", "last_activity_at"],
    ];
    let time = paths.into_iter().find_map(|path| time_at(body, path));
    time.or_else(|| {
        let projects = projects(body).map(|(_, project)| project);
        projects.flat_map(times_of_project).max()
    })
}

/// The times of a v2 project's labels and of its steps in the workflow.
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

/// The entries of a v2 body's `projects` that have a text as their key, each as often as it is there.
fn projects(body: &Json) -> impl Iterator<Item = (&str, &Json)> {
    let pairs = match body.get("projects") {
        Some(Json::Object(pairs)) => &pairs[..],
        _ => &[],
    };
    let pairs = pairs.iter();
    pairs.filter_map(|(key, value)| Some((key.as_deref()?, value)))
}

/// The items of a list at the end of a path. Anything else has none.
fn items<'j>(value: &'j Json, path: &[&str]) -> &'j [Json] {
    match at(value, path) {
        Some(Json::List(items)) => items,
        _ => &[],
    }
}

/// A time at the end of a path.
fn time_at(value: &Json, path: &[&str]) -> Option<String> {
    text(value, path).and_then(time::in_utc)
}

/// A text that is not empty, at the end of a path.
fn text<'j>(value: &'j Json, path: &[&str]) -> Option<&'j str> {
    at(value, path)?.text().filter(|text| !text.is_empty())
}

fn at<'j>(value: &'j Json, path: &[&str]) -> Option<&'j Json> {
    path.iter().try_fold(value, |value, name| value.get(name))
}
