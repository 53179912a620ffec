//! What an event must be, looked up in the tree of its body; and the oracle of the two body targets.

use super::json::Json;
use super::{mac, time};
use labelbox_relay::event::{Entity, Event, Reason};
use labelbox_relay::secret::Secret;
use labelbox_relay::signature::{Signatures, Unverified, Verified};

/// A topic of each kind, in different cases. The target of the door has all others.
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

/// A body that was read, if it can be.
pub(crate) struct Reading {
    body: Option<Json>,
    occurred_at: Option<String>,
}

impl Reading {
    pub(crate) fn of(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).ok();
        let is_readable = |body: &Json| matches!(body, Json::Object(_)) && BODY.takes(body);
        let body = text.and_then(Json::whole).filter(is_readable);
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
    let of_label = || match only_label(body) {
        Some(label) => text(label, &["id"]),
        None => text(body, &["data_row", "id"]),
    };
    let id = match entity {
        Entity::Label => text(body, &["id"]).or_else(of_label),
        Entity::Review => text(body, &["id"])
            .or_else(|| text(reviewed(body)?, &["id"]))
            .or_else(of_label),
        Entity::Workflow => text(body, &["id"])
            .or_else(|| text(body, &["dataRow", "id"]))
            .or_else(|| text(body, &["data_row", "id"])),
        Entity::ModelRun => text(body, &["modelRunId"]),
        Entity::Unrouted(_) => None,
    };
    id.map(str::to_owned)
}

/// The `label` of a review, which is read by itself: what is odd in it spoils nothing else.
fn reviewed(body: &Json) -> Option<&Json> {
    body.get("label").filter(|label| LEAF.takes(label))
}

fn project_id(body: &Json) -> Option<String> {
    let of_v1 = text(body, &["project", "id"]);
    let of_v2 = || match projects(body)[..] {
        [(id, _)] => Some(id),
        _ => None,
    };
    let id = of_v1.or_else(|| of_v2().filter(|id| !id.is_empty()));
    id.map(str::to_owned)
}

fn occurred_at(body: &Json) -> Option<String> {
    let of_label = only_label(body).and_then(|label| text(label, &["label_details", "updated_at"]));
    [
        text(body, &["updatedAt"]),
        text(body, &["createdAt"]),
        of_label,
        text(body, &["data_row", "details", "updated_at"]),
    ]
    .into_iter()
    .flatten()
    .find_map(time::in_utc)
}

/// The label of a v2 body whose projects have one item under `labels` together.
fn only_label(body: &Json) -> Option<&Json> {
    let lists = projects(body)
        .into_iter()
        .filter_map(|(_, project)| match project.get("labels") {
            Some(Json::List(labels)) => Some(labels),
            _ => None,
        });
    let labels: Vec<&Json> = lists.flatten().collect();
    match labels[..] {
        [label @ Json::Object(_)] => Some(label),
        _ => None,
    }
}

/// The projects of a v2 body: of those with one name the last, and none whose name is no text.
fn projects(body: &Json) -> Vec<(&str, &Json)> {
    let Some(projects @ Json::Object(pairs)) = body.get("projects") else {
        return Vec::new();
    };
    let mut names: Vec<_> = pairs.iter().filter_map(|(key, _)| key.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    let named = names.into_iter();
    named
        .filter_map(|name| Some((name, projects.get(name)?)))
        .collect()
}

/// A text that is not empty, at the end of a path.
fn text<'j>(value: &'j Json, path: &[&str]) -> Option<&'j str> {
    let end = path.iter().try_fold(value, |value, name| value.get(name));
    end?.text().filter(|text| !text.is_empty())
}

/// A place in a body where the relay looks into the value. That is where a string that is no text, or a number that no
/// double holds, makes the whole body unreadable; src/event/lenient.rs says why. Elsewhere they do not matter, nor does a
/// name that is no text.
enum Place {
    /// An object with these places in it.
    Object(&'static [(&'static str, Place)]),
    /// An object whose every value is such a place.
    EachOf(&'static Place),
    /// A list of such places.
    Items(&'static Place),
}

const LEAF: Place = Place::Object(&[]);
const LABEL: Place = Place::Object(&[("label_details", LEAF)]);
const PROJECT: Place = Place::Object(&[("labels", Place::Items(&LABEL))]);
const BODY: Place = Place::Object(&[
    ("dataRow", LEAF),
    ("project", LEAF),
    ("data_row", Place::Object(&[("details", LEAF)])),
    ("projects", Place::EachOf(&PROJECT)),
]);

impl Place {
    fn takes(&self, value: &Json) -> bool {
        match (self, value) {
            (_, Json::Number(is_double)) => *is_double,
            (_, Json::Text(text)) => text.is_some(),
            (_, Json::Object(pairs)) => pairs.iter().all(|(key, value)| {
                let place = key.as_deref().and_then(|key| self.under(key));
                place.is_none_or(|place| place.takes(value))
            }),
            (Self::Items(place), Json::List(items)) => items.iter().all(|item| place.takes(item)),
            (_, Json::Null | Json::Bool(_) | Json::List(_)) => true,
        }
    }

    /// The place under a key, if there is one.
    fn under(&self, key: &str) -> Option<&Place> {
        match self {
            Self::Object(places) => Some(&places.iter().find(|(name, _)| *name == key)?.1),
            Self::EachOf(place) => Some(place),
            Self::Items(_) => None,
        }
    }
}
