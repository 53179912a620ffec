//! The tables of the contract, both body shapes, and bodies that are odd in every way.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use super::*;
use crate::secrets::Secret;
use crate::signature::{Signatures, Unverified};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::json;

fn verified(body: &[u8]) -> Verified {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(b"key").unwrap();
    mac.update(body);
    let signature = format!("sha1={}", hex::encode(mac.finalize().into_bytes()));
    let signatures = Signatures::read([signature.as_str()].into_iter(), [].into_iter()).unwrap();
    Unverified::new(body.to_vec())
        .verify(&signatures, &[Secret::new("key".to_owned())])
        .unwrap()
}

fn read(topic: &str, body: impl ToString) -> Event {
    Event::of_webhook(&verified(body.to_string().as_bytes()), Some(topic))
}

/// (entity_id, project_id, occurred_at)
#[track_caller]
fn check(topic: &str, body: impl ToString, expected: (Option<&str>, Option<&str>, Option<&str>)) {
    let event = read(topic, body);
    let found = (
        event.entity_id.as_deref(),
        event.project_id.as_deref(),
        event.occurred_at.as_deref(),
    );
    assert_eq!(found, expected);
}

#[test]
fn the_topic_decides_the_entity() {
    let table = [
        ("LABEL_CREATED", "label", None),
        ("LABEL_UPDATED", "label", None),
        ("LABEL_DELETED", "label", None),
        ("label_anything_new", "label", None),
        ("WORKFLOW_ACTION", "workflow", None),
        ("workflow_step", "workflow", None),
        ("MOVE", "workflow", None),
        ("Move", "workflow", None),
        ("REVIEW_CREATED", "review", None),
        ("REVIEW_UPDATED", "review", None),
        ("REVIEW_DELETED", "review", None),
        ("LABEL", "unrouted", Some("unknown_topic")),
        ("MOVED", "unrouted", Some("unknown_topic")),
        ("REMOVE", "unrouted", Some("unknown_topic")),
        ("ISSUE_CREATED", "unrouted", Some("unknown_topic")),
        // Only Labelbox's call for a training run is one; a header can claim anything.
        ("MODEL_RUN_CREATED", "unrouted", Some("unknown_topic")),
    ];
    for (topic, entity, reason) in table {
        let event = read(topic, "{}");
        assert_eq!(event.entity.name(), entity, "{topic}");
        let found = if let Entity::Unrouted(reason) = event.entity {
            Some(reason.name())
        } else {
            None
        };
        assert_eq!(found, reason, "{topic}");
        assert_eq!(event.topic, Some(topic.to_ascii_uppercase()));
    }
}

#[test]
fn no_topic_is_a_reason_of_its_own() {
    let event = Event::of_webhook(&verified(b"{}"), None);
    assert_eq!(
        (event.entity, event.topic),
        (Entity::Unrouted(Reason::NoTopic), None)
    );
}

#[test]
fn a_body_that_is_no_json_object_is_unreadable() {
    for body in [
        "",
        " ",
        "[]",
        "[{}]",
        "5",
        "null",
        "\"text\"",
        "{",
        "{} {}",
        "{\"id\":}",
        "id=5",
        "\u{feff}\u{feff}{}",
        " \u{feff}{}",
    ] {
        let event = read("LABEL_CREATED", body);
        assert_eq!(event.entity, Entity::Unrouted(Reason::Unreadable), "{body}");
        assert_eq!(event.entity_id, None);
        let training = Event::of_model_run(&verified(body.as_bytes()));
        assert_eq!(
            training.entity,
            Entity::Unrouted(Reason::Unreadable),
            "{body}"
        );
        assert_eq!(training.topic.as_deref(), Some("MODEL_RUN_CREATED"));
    }
    let event = Event::of_webhook(&verified(b"{\"id\":\"\xff\"}"), Some("MOVE"));
    assert_eq!(event.entity, Entity::Unrouted(Reason::Unreadable));
}

#[test]
fn an_unusable_topic_is_the_reason_even_when_the_body_is_unreadable_too() {
    assert_eq!(
        read("NEW_THING", "[]").entity,
        Entity::Unrouted(Reason::UnknownTopic)
    );
    assert_eq!(
        Event::of_webhook(&verified(b"[]"), None).entity,
        Entity::Unrouted(Reason::NoTopic)
    );
}

#[test]
fn a_v1_label_is_read() {
    let body = json!({
        "id": "label1", "createdAt": "2021-03-17T13:51:59Z", "updatedAt": "2021-03-17T14:00:00.123Z",
        "label": "{\"id\":\"not this\"}", "project": {"id": "project1", "name": "x"},
        "dataRow": {"id": "row1"}, "dataset": {"id": "set1"}, "user": {"id": "user1"},
    });
    check(
        "LABEL_CREATED",
        body,
        (
            Some("label1"),
            Some("project1"),
            Some("2021-03-17T14:00:00.123Z"),
        ),
    );
}

#[test]
fn reads_a_body_after_its_byte_order_mark() {
    check(
        "LABEL_CREATED",
        "\u{feff}{\"id\":\"label1\"}",
        (Some("label1"), None, None),
    );
}

/// Times as Labelbox's export reference has them: `created_at` and `updated_at` of a data row are those of its import.
fn v2(labels: usize) -> serde_json::Value {
    let label = |number| {
        json!({"label_kind": "Default", "id": format!("label{number}"), "label_details": {
            "created_at": "2023-03-15T14:40:00.000+00:00",
            "updated_at": "2023-03-15T14:46:58.000+00:00",
            "content_last_updated_at": "2023-03-15T14:46:57.703+00:00",
        }})
    };
    json!({
        "data_row": {"id": "row1", "details": {
            "created_at": "2023-01-01T00:00:00.000+00:00",
            "updated_at": "2023-01-01T00:00:00.000+00:00",
            "last_activity_at": "2023-03-15T14:47:02.125+00:00",
        }},
        "projects": {"project1": {
            "name": "x",
            "labels": (1..=labels).map(label).collect::<Vec<_>>(),
            "project_details": {"workflow_history": [
                {"action": "Move", "created_at": "2023-03-15T14:47:01.007+00:00"},
                {"action": "Move", "created_at": "2023-03-15T14:47:01.000+00:00"},
            ]},
        }},
    })
}

#[test]
fn a_v2_body_is_about_its_data_row_however_many_labels_it_has() {
    let expected = (
        Some("row1"),
        Some("project1"),
        Some("2023-03-15T14:47:02.125Z"),
    );
    for topic in ["LABEL_UPDATED", "LABEL_DELETED", "REVIEW_UPDATED", "MOVE"] {
        for labels in 0..=3 {
            check(topic, v2(labels), expected);
        }
    }
}

#[test]
fn a_v2_body_without_last_activity_has_the_newest_time_under_projects() {
    let check_time = |body: &serde_json::Value, expected| {
        let event = read("LABEL_UPDATED", body);
        assert_eq!(event.occurred_at.as_deref(), expected);
    };
    let mut body = v2(2);
    for odd in [json!(null), json!("soon"), json!(5)] {
        *body
            .pointer_mut("/data_row/details/last_activity_at")
            .unwrap() = odd;
        check_time(&body, Some("2023-03-15T14:47:01.007Z"));
    }
    let project = body.pointer_mut("/projects/project1").unwrap();
    project["project_details"] = json!({});
    check_time(&body, Some("2023-03-15T14:46:58.000Z"));
    // Each of a label's times counts, and those of the labels of every project.
    for name in ["created_at", "updated_at", "content_last_updated_at"] {
        let mut body = body.clone();
        let projects = body["projects"].as_object_mut().unwrap();
        let labels = json!([5, null, {"label_details": {name: "2023-03-15T15:00:00.001Z"}}, {}]);
        projects.insert("a".to_owned(), json!({"labels": labels}));
        check_time(&body, Some("2023-03-15T15:00:00.001Z"));
    }
    body["projects"] = json!({});
    check_time(&body, None);
}

#[test]
fn a_body_s_own_id_and_times_come_first() {
    let mut body = v2(1);
    body["id"] = json!("own");
    body["createdAt"] = json!("2020-01-01T00:00:00Z");
    let created = Some("2020-01-01T00:00:00.000Z");
    check(
        "LABEL_UPDATED",
        &body,
        (Some("own"), Some("project1"), created),
    );
    body["updatedAt"] = json!("2021-01-01T00:00:00Z");
    body["project"] = json!({"id": "project2"});
    let updated = Some("2021-01-01T00:00:00.000Z");
    check(
        "LABEL_UPDATED",
        &body,
        (Some("own"), Some("project2"), updated),
    );
}

#[test]
fn several_projects_are_no_project() {
    let mut body = v2(1);
    let projects = body["projects"].as_object_mut().unwrap();
    projects.insert("project2".to_owned(), json!(5));
    let time = Some("2023-03-15T14:47:02.125Z");
    check("LABEL_UPDATED", body, (Some("row1"), None, time));
}

#[test]
fn reviews_and_workflow_events_have_second_choices() {
    check(
        "REVIEW_CREATED",
        json!({"id": "review1", "label": {"id": "label1"}}),
        (Some("review1"), None, None),
    );
    check(
        "REVIEW_CREATED",
        json!({"label": {"x": [], "id": "label1"}}),
        (Some("label1"), None, None),
    );
    check(
        "REVIEW_CREATED",
        json!({"label": "{\"id\":\"label1\"}"}),
        (None, None, None),
    );
    check(
        "WORKFLOW_ACTION",
        json!({"id": "move1", "dataRow": {"id": "row1"}}),
        (Some("move1"), None, None),
    );
    check(
        "WORKFLOW_ACTION",
        json!({"dataRow": {"id": "row1"}}),
        (Some("row1"), None, None),
    );
    check(
        "MOVE",
        json!({"data_row": {"id": "row1"}}),
        (Some("row1"), None, None),
    );
    // A label is never known by its data row in a v1 body.
    check(
        "LABEL_CREATED",
        json!({"dataRow": {"id": "row1"}}),
        (None, None, None),
    );
    check(
        "NEW_THING",
        json!({"id": "x", "project": {"id": "p"}, "updatedAt": "2021-03-17T13:51:59Z"}),
        (None, Some("p"), Some("2021-03-17T13:51:59.000Z")),
    );
}

#[test]
fn a_model_run_is_read() {
    let body = json!({"id": "not this", "modelId": "model1", "modelRunId": "not-a-uuid", "modelType": "ner"});
    let event = Event::of_model_run(&verified(body.to_string().as_bytes()));
    assert_eq!(event.entity, Entity::ModelRun);
    assert_eq!(event.entity_id.as_deref(), Some("not-a-uuid"));
    assert_eq!((event.project_id, event.occurred_at), (None, None));
}

#[test]
fn times_become_utc_with_milliseconds() {
    let table = [
        ("2021-03-17T13:51:59Z", Some("2021-03-17T13:51:59.000Z")),
        ("2021-03-17T13:51:59.1Z", Some("2021-03-17T13:51:59.100Z")),
        (
            "2021-03-17T13:51:59.123456789Z",
            Some("2021-03-17T13:51:59.123Z"),
        ),
        (
            "2023-03-15T14:46:58.000+00:00",
            Some("2023-03-15T14:46:58.000Z"),
        ),
        (
            "2023-01-01T00:30:00+02:00",
            Some("2022-12-31T22:30:00.000Z"),
        ),
        ("2021-03-17t13:51:59z", Some("2021-03-17T13:51:59.000Z")),
        ("2021-03-17 13:51:59Z", Some("2021-03-17T13:51:59.000Z")),
        (
            "2017-01-01T05:29:60.5+05:30",
            Some("2016-12-31T23:59:59.999Z"),
        ),
        ("2021-03-17x13:51:59Z", None),
        ("2016-12-30T23:59:60Z", None),
        ("yesterday", None),
        ("2021-03-17", None),
        ("2021-02-30T00:00:00Z", None),
        ("0000-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2021-03-17/13:51:59Z", None),
        ("2021-03-17T13:51:59", None),
    ];
    for (written, expected) in table {
        assert_eq!(
            read("LABEL_CREATED", json!({"updatedAt": written}))
                .occurred_at
                .as_deref(),
            expected,
            "{written}"
        );
    }
}

#[test]
fn the_next_time_counts_where_one_is_none() {
    let created = "2021-03-17T13:51:59Z";
    for updated in [
        json!(null),
        json!(5),
        json!({}),
        json!(""),
        json!("yesterday"),
    ] {
        let body = json!({"id": "x", "updatedAt": updated, "createdAt": created});
        check(
            "LABEL_CREATED",
            body,
            (Some("x"), None, Some("2021-03-17T13:51:59.000Z")),
        );
    }
}

/// Fields whose value belongs to be a text.
const TEXTS: [&str; 4] = ["id", "label", "updatedAt", "createdAt"];
/// Fields whose value belongs to be an object.
const OBJECTS: [&str; 4] = ["dataRow", "project", "data_row", "projects"];
/// Values that are neither a text nor an object with an id.
const ODD: [&str; 10] = [
    "null",
    "true",
    "5",
    "-5",
    "1.5",
    "[]",
    "[[1]]",
    "{}",
    r#""""#,
    r#"[{"id":"x"}]"#,
];

#[test]
fn fields_of_other_types_count_as_not_there() {
    let check_field = |field: &str, odd: &str| {
        let body = format!(r#"{{"{field}":{odd},"modelRunId":"x"}}"#);
        check("REVIEW_CREATED", &body, (None, None, None));
    };
    for odd in ODD {
        TEXTS
            .iter()
            .chain(&OBJECTS)
            .for_each(|field| check_field(field, odd));
    }
    TEXTS
        .iter()
        .for_each(|field| check_field(field, r#""\ud800""#));
    for odd in ODD {
        check(
            "LABEL_CREATED",
            format!(r#"{{"projects":{{"p":{odd}}}}}"#),
            (None, Some("p"), None),
        );
        check(
            "LABEL_CREATED",
            format!(r#"{{"data_row":{{"id":{odd},"details":{odd}}}}}"#),
            (None, None, None),
        );
    }
}

#[test]
fn labels_that_are_no_list_have_no_times_and_hide_no_others() {
    let label = r#"{"label_details":{"updated_at":"2023-03-15T14:46:58Z"}}"#;
    for odd in ["null", "5", r#""x""#, "{}", &format!(r#"{{"0":{label}}}"#)] {
        let projects = format!(
            r#"{{"a":{{"labels":{odd}}},"b":{{"labels":[{label}]}},"c":{{"labels":{odd}}}}}"#
        );
        check(
            "LABEL_CREATED",
            format!(r#"{{"projects":{projects}}}"#),
            (None, None, Some("2023-03-15T14:46:58.000Z")),
        );
        check(
            "LABEL_CREATED",
            format!(r#"{{"projects":{{"a":{{"labels":{odd}}}}}}}"#),
            (None, Some("a"), None),
        );
    }
}

#[test]
fn lone_surrogates_and_huge_numbers_do_not_matter() {
    for odd in [r#""\ud800""#, "1e999"] {
        for field in [
            "label", "other", "project", "data_row", "dataRow", "projects",
        ] {
            let body = format!(r#"{{"id":"x","{field}":{odd}}}"#);
            check("LABEL_CREATED", body, (Some("x"), None, None));
        }
        check(
            "LABEL_CREATED",
            format!(r#"{{"id":{odd}}}"#),
            (None, None, None),
        );
    }
}

#[test]
fn the_last_of_two_fields_counts() {
    check(
        "LABEL_CREATED",
        r#"{"id":"first","id":"last"}"#,
        (Some("last"), None, None),
    );
    check(
        "LABEL_CREATED",
        r#"{"project":{"id":"first"},"project":{}}"#,
        (None, None, None),
    );
}

#[test]
fn a_project_that_occurs_twice_is_one_project_with_the_times_of_both() {
    let project = |key, second| {
        format!(
            r#""{key}":{{"labels":[{{"label_details":{{"updated_at":"2023-03-15T14:46:{second}Z"}}}}]}}"#
        )
    };
    let (first, last) = (project("p", 58), project(r"\u0070", 57));
    check(
        "LABEL_CREATED",
        format!(r#"{{"projects":{{{first},{last}}}}}"#),
        (None, Some("p"), Some("2023-03-15T14:46:58.000Z")),
    );
}

#[test]
fn a_key_that_is_no_text_counts_as_not_there() {
    let odd = r#""\ud800":"#;
    for body in [
        format!(r#"{{{odd}1,"id":"x"}}"#),
        format!(r#"{{"id":"x","project":{{{odd}[]}}}}"#),
        format!(r#"{{"projects":{{{odd}{{"labels":[{{"id":"y"}}]}}}},"id":"x"}}"#),
        format!(r#"{{"id":"x","data_row":{{"details":{{{odd}{{}}}}}}}}"#),
    ] {
        check("LABEL_CREATED", body, (Some("x"), None, None));
    }
    check(
        "LABEL_CREATED",
        format!(r#"{{"projects":{{"p":{{"labels":{{{odd}1}}}}}},"id":"x"}}"#),
        (Some("x"), Some("p"), None),
    );
}

#[test]
fn an_empty_name_is_no_project_s_id() {
    check(
        "LABEL_CREATED",
        r#"{"projects":{"":{}}}"#,
        (None, None, None),
    );
}

#[test]
fn escapes_in_names_and_values_are_read() {
    check(
        "LABEL_CREATED",
        r#"{"\u0069d":"caf\u00e9"}"#,
        (Some("café"), None, None),
    );
    check(
        "LABEL_CREATED",
        r#"{"projects":{"p\u0031":{}}}"#,
        (None, Some("p1"), None),
    );
}

#[test]
fn depth_does_not_matter() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    check(
        "LABEL_CREATED",
        format!(r#"{{"x":{deep},"id":"here"}}"#),
        (Some("here"), None, None),
    );
    check(
        "LABEL_CREATED",
        format!(r#"{{"projects":{deep},"id":"here"}}"#),
        (Some("here"), None, None),
    );
    check(
        "LABEL_CREATED",
        format!(r#"{{"label":{deep},"id":"here"}}"#),
        (Some("here"), None, None),
    );
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..300), topic in prop::option::of(".*")) {
        Event::of_webhook(&verified(&body), topic.as_deref());
        Event::of_model_run(&verified(&body));
    }

    #[test]
    fn a_known_id_is_found_among_any_fields(
        before in ".*",
        after in prop::collection::vec(any::<(String, f64)>(), 0..5),
        id in "[a-z0-9]{25}",
    ) {
        let after: serde_json::Map<_, _> = after
            .into_iter()
            .filter(|(name, _)| name != "id")
            .map(|(name, number)| (name, json!(number)))
            .collect();
        let body = json!({"a": before, "id": id, "z": after});
        let event = read("LABEL_CREATED", body);
        prop_assert_eq!(event.entity_id, Some(id));
    }
}
