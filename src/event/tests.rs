//! Tests of routing by topic, of v1 and v2 bodies, and of malformed bodies.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use super::*;
use crate::signature::tests::verified;
use proptest::prelude::*;
use serde_json::json;

fn read(topic: &str, body: impl ToString) -> Event {
    Event::from_webhook(&verified(body.to_string().as_bytes()), Some(topic))
}

/// (entity_id, project_id, occurred_at)
#[track_caller]
fn check(topic: &str, body: impl ToString, expected: (Option<&str>, Option<&str>, Option<&str>)) {
    let event = read(topic, body);
    let actual =
        (event.entity_id.as_deref(), event.project_id.as_deref(), event.occurred_at.as_deref());
    assert_eq!(actual, expected);
}

#[test]
fn topic_determines_the_entity() {
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
        // This topic is only for requests to the training route.
        ("MODEL_RUN_CREATED", "unrouted", Some("unknown_topic")),
    ];
    for (topic, entity, reason) in table {
        let event = read(topic, "{}");
        assert_eq!(event.entity.name(), entity, "{topic}");
        let actual =
            if let Entity::Unrouted(reason) = event.entity { Some(reason.name()) } else { None };
        assert_eq!(actual, reason, "{topic}");
        assert_eq!(event.topic, Some(topic.to_ascii_uppercase()));
    }
}

#[test]
fn event_without_topic_is_unrouted() {
    let event = Event::from_webhook(&verified(b"{}"), None);
    assert_eq!((event.entity, event.topic), (Entity::Unrouted(UnroutedReason::NoTopic), None));
}

#[test]
fn body_that_is_not_a_json_object_is_unreadable() {
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
        assert_eq!(event.entity, Entity::Unrouted(UnroutedReason::Unreadable), "{body}");
        assert_eq!(event.entity_id, None);
        let training = Event::from_model_run(&verified(body.as_bytes()));
        assert_eq!(training.entity, Entity::Unrouted(UnroutedReason::Unreadable), "{body}");
        assert_eq!(training.topic.as_deref(), Some("MODEL_RUN_CREATED"));
    }
    let event = Event::from_webhook(&verified(b"{\"id\":\"\xff\"}"), Some("MOVE"));
    assert_eq!(event.entity, Entity::Unrouted(UnroutedReason::Unreadable));
}

#[test]
fn reason_of_the_topic_takes_precedence_over_an_unreadable_body() {
    assert_eq!(read("UNKNOWN", "[]").entity, Entity::Unrouted(UnroutedReason::UnknownTopic));
    assert_eq!(
        Event::from_webhook(&verified(b"[]"), None).entity,
        Entity::Unrouted(UnroutedReason::NoTopic)
    );
}

#[test]
fn reads_v1_label() {
    let body = json!({
        "id": "label1", "createdAt": "2021-03-17T13:51:59Z", "updatedAt": "2021-03-17T14:00:00.123Z",
        "label": "{\"id\":\"other\"}", "project": {"id": "project1", "name": "x"},
        "dataRow": {"id": "row1"}, "dataset": {"id": "set1"}, "user": {"id": "user1"},
    });
    check(
        "LABEL_CREATED",
        body,
        (Some("label1"), Some("project1"), Some("2021-03-17T14:00:00.123Z")),
    );
}

#[test]
fn reads_body_after_a_byte_order_mark() {
    check("LABEL_CREATED", "\u{feff}{\"id\":\"label1\"}", (Some("label1"), None, None));
}

/// A v2 body with times as in Labelbox's export reference: `created_at` and `updated_at` of a data row are those of its
/// import.
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
fn v2_event_is_about_its_data_row_for_any_number_of_labels() {
    let expected = (Some("row1"), Some("project1"), Some("2023-03-15T14:47:02.125Z"));
    for topic in ["LABEL_UPDATED", "LABEL_DELETED", "REVIEW_UPDATED", "MOVE"] {
        for labels in 0..=3 {
            check(topic, v2(labels), expected);
        }
    }
}

#[test]
fn v2_event_without_last_activity_has_the_newest_time_of_its_projects() {
    let check_time = |body: &serde_json::Value, expected| {
        let event = read("LABEL_UPDATED", body);
        assert_eq!(event.occurred_at.as_deref(), expected);
    };
    let mut body = v2(2);
    for invalid in [json!(null), json!("soon"), json!(5)] {
        *body.pointer_mut("/data_row/details/last_activity_at").unwrap() = invalid;
        check_time(&body, Some("2023-03-15T14:47:01.007Z"));
    }
    let project = body.pointer_mut("/projects/project1").unwrap();
    project["project_details"] = json!({});
    check_time(&body, Some("2023-03-15T14:46:58.000Z"));
    // All times of a label count, and those of the labels of all projects.
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
fn own_id_and_times_of_a_body_take_precedence() {
    let mut body = v2(1);
    body["id"] = json!("own");
    body["createdAt"] = json!("2020-01-01T00:00:00Z");
    let created = Some("2020-01-01T00:00:00.000Z");
    check("LABEL_UPDATED", &body, (Some("own"), Some("project1"), created));
    body["updatedAt"] = json!("2021-01-01T00:00:00Z");
    body["project"] = json!({"id": "project2"});
    let updated = Some("2021-01-01T00:00:00.000Z");
    check("LABEL_UPDATED", &body, (Some("own"), Some("project2"), updated));
}

#[test]
fn event_of_several_projects_has_no_project_id() {
    let mut body = v2(1);
    let projects = body["projects"].as_object_mut().unwrap();
    projects.insert("project2".to_owned(), json!(5));
    let time = Some("2023-03-15T14:47:02.125Z");
    check("LABEL_UPDATED", body, (Some("row1"), None, time));
}

#[test]
fn reviews_and_workflow_events_have_fallback_ids() {
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
    check("REVIEW_CREATED", json!({"label": "{\"id\":\"label1\"}"}), (None, None, None));
    check(
        "WORKFLOW_ACTION",
        json!({"id": "move1", "dataRow": {"id": "row1"}}),
        (Some("move1"), None, None),
    );
    check("WORKFLOW_ACTION", json!({"dataRow": {"id": "row1"}}), (Some("row1"), None, None));
    check("MOVE", json!({"data_row": {"id": "row1"}}), (Some("row1"), None, None));
    // In a v1 body, the data row is not a fallback for the id of a label.
    check("LABEL_CREATED", json!({"dataRow": {"id": "row1"}}), (None, None, None));
    check(
        "UNKNOWN",
        json!({"id": "x", "project": {"id": "p"}, "updatedAt": "2021-03-17T13:51:59Z"}),
        (None, Some("p"), Some("2021-03-17T13:51:59.000Z")),
    );
}

#[test]
fn reads_model_run() {
    let body =
        json!({"id": "other", "modelId": "model1", "modelRunId": "not-a-uuid", "modelType": "ner"});
    let event = Event::from_model_run(&verified(body.to_string().as_bytes()));
    assert_eq!(event.entity, Entity::ModelRun);
    assert_eq!(event.entity_id.as_deref(), Some("not-a-uuid"));
    assert_eq!((event.project_id, event.occurred_at), (None, None));
}

#[test]
fn converts_times_to_utc_with_milliseconds() {
    let table = [
        ("2021-03-17T13:51:59Z", Some("2021-03-17T13:51:59.000Z")),
        ("2021-03-17T13:51:59.1Z", Some("2021-03-17T13:51:59.100Z")),
        ("2021-03-17T13:51:59.123456789Z", Some("2021-03-17T13:51:59.123Z")),
        ("2023-03-15T14:46:58.000+00:00", Some("2023-03-15T14:46:58.000Z")),
        ("2023-01-01T00:30:00+02:00", Some("2022-12-31T22:30:00.000Z")),
        ("2021-03-17t13:51:59z", Some("2021-03-17T13:51:59.000Z")),
        ("2021-03-17 13:51:59Z", Some("2021-03-17T13:51:59.000Z")),
        ("2017-01-01T05:29:60.5+05:30", Some("2016-12-31T23:59:59.999Z")),
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
    for (time, expected) in table {
        assert_eq!(
            read("LABEL_CREATED", json!({"updatedAt": time})).occurred_at.as_deref(),
            expected,
            "{time}"
        );
    }
}

#[test]
fn ignores_invalid_time_if_there_is_another() {
    let created = "2021-03-17T13:51:59Z";
    for updated in [json!(null), json!(5), json!({}), json!(""), json!("yesterday")] {
        let body = json!({"id": "x", "updatedAt": updated, "createdAt": created});
        check("LABEL_CREATED", body, (Some("x"), None, Some("2021-03-17T13:51:59.000Z")));
    }
}

/// Fields that must be strings.
const STRINGS: [&str; 4] = ["id", "label", "updatedAt", "createdAt"];
/// Fields that must be objects.
const OBJECTS: [&str; 4] = ["dataRow", "project", "data_row", "projects"];
/// Values that are neither a string with content nor an object with an id.
const INVALID: [&str; 10] =
    ["null", "true", "5", "-5", "1.5", "[]", "[[1]]", "{}", r#""""#, r#"[{"id":"x"}]"#];

#[test]
fn ignores_fields_of_the_wrong_type() {
    let check_field = |field: &str, value: &str| {
        let body = format!(r#"{{"{field}":{value},"modelRunId":"x"}}"#);
        check("REVIEW_CREATED", &body, (None, None, None));
    };
    for invalid in INVALID {
        STRINGS.iter().chain(&OBJECTS).for_each(|field| check_field(field, invalid));
    }
    STRINGS.iter().for_each(|field| check_field(field, r#""\ud800""#));
    for invalid in INVALID {
        check(
            "LABEL_CREATED",
            format!(r#"{{"projects":{{"p":{invalid}}}}}"#),
            (None, Some("p"), None),
        );
        check(
            "LABEL_CREATED",
            format!(r#"{{"data_row":{{"id":{invalid},"details":{invalid}}}}}"#),
            (None, None, None),
        );
    }
}

#[test]
fn ignores_labels_that_are_not_a_list() {
    let label = r#"{"label_details":{"updated_at":"2023-03-15T14:46:58Z"}}"#;
    for invalid in ["null", "5", r#""x""#, "{}", &format!(r#"{{"0":{label}}}"#)] {
        let projects = format!(
            r#"{{"a":{{"labels":{invalid}}},"b":{{"labels":[{label}]}},"c":{{"labels":{invalid}}}}}"#
        );
        check(
            "LABEL_CREATED",
            format!(r#"{{"projects":{projects}}}"#),
            (None, None, Some("2023-03-15T14:46:58.000Z")),
        );
        check(
            "LABEL_CREATED",
            format!(r#"{{"projects":{{"a":{{"labels":{invalid}}}}}}}"#),
            (None, Some("a"), None),
        );
    }
}

#[test]
fn ignores_lone_surrogates_and_huge_numbers() {
    for invalid in [r#""\ud800""#, "1e999"] {
        for field in ["label", "other", "project", "data_row", "dataRow", "projects"] {
            let body = format!(r#"{{"id":"x","{field}":{invalid}}}"#);
            check("LABEL_CREATED", body, (Some("x"), None, None));
        }
        check("LABEL_CREATED", format!(r#"{{"id":{invalid}}}"#), (None, None, None));
    }
}

#[test]
fn last_of_duplicate_fields_counts() {
    check("LABEL_CREATED", r#"{"id":"first","id":"last"}"#, (Some("last"), None, None));
    check("LABEL_CREATED", r#"{"project":{"id":"first"},"project":{}}"#, (None, None, None));
}

#[test]
fn merges_duplicate_project_keys() {
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
fn ignores_keys_with_lone_surrogates() {
    let invalid = r#""\ud800":"#;
    for body in [
        format!(r#"{{{invalid}1,"id":"x"}}"#),
        format!(r#"{{"id":"x","project":{{{invalid}[]}}}}"#),
        format!(r#"{{"projects":{{{invalid}{{"labels":[{{"id":"y"}}]}}}},"id":"x"}}"#),
        format!(r#"{{"id":"x","data_row":{{"details":{{{invalid}{{}}}}}}}}"#),
    ] {
        check("LABEL_CREATED", body, (Some("x"), None, None));
    }
    check(
        "LABEL_CREATED",
        format!(r#"{{"projects":{{"p":{{"labels":{{{invalid}1}}}}}},"id":"x"}}"#),
        (Some("x"), Some("p"), None),
    );
}

#[test]
fn ignores_empty_project_key() {
    check("LABEL_CREATED", r#"{"projects":{"":{}}}"#, (None, None, None));
}

#[test]
fn decodes_escapes_in_keys_and_values() {
    check("LABEL_CREATED", r#"{"\u0069d":"caf\u00e9"}"#, (Some("café"), None, None));
    check("LABEL_CREATED", r#"{"projects":{"p\u0031":{}}}"#, (None, Some("p1"), None));
}

#[test]
fn reads_deeply_nested_body() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    check("LABEL_CREATED", format!(r#"{{"x":{deep},"id":"here"}}"#), (Some("here"), None, None));
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
    fn never_panics(body in prop::collection::vec(any::<u8>(), 0..300), topic in prop::option::of(".*")) {
        Event::from_webhook(&verified(&body), topic.as_deref());
        Event::from_model_run(&verified(&body));
    }

    #[test]
    fn finds_id_among_any_other_fields(
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
