//! Samples of each topic, made unique, and fields that are set.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use super::*;

const NOW: &str = "2026-11-24T03:00:00.000Z";

fn renewed(topic: &str, shape: Shape) -> Value {
    let mut body = of_topic(topic, shape).unwrap();
    renew(&mut body, NOW, &mut Rng::with_seed(1));
    body
}

#[test]
fn each_topic_has_a_sample_of_its_kind() {
    for (topic, shape, has) in [
        ("LABEL_CREATED", Shape::V1, "/label"),
        ("label_updated", Shape::V2, "/projects"),
        ("MOVE", Shape::V1, "/nextTask"),
        ("WORKFLOW_ACTION", Shape::V2, "/data_row"),
        ("REVIEW_CREATED", Shape::V1, "/score"),
        ("MODEL_RUN_CREATED", Shape::V1, "/modelRunId"),
        ("ISSUE_CREATED", Shape::V2, "/category"),
    ] {
        let body = of_topic(topic, shape).unwrap();
        assert!(body.pointer(has).is_some(), "{topic} {shape:?}: {body}");
    }
}

#[test]
fn what_is_renewed_is_another_event_of_now() {
    for (topic, shape, id, time) in [
        ("LABEL_CREATED", Shape::V1, "/id", "/updatedAt"),
        ("LABEL_CREATED", Shape::V2, "/data_row/id", "/data_row/details/last_activity_at"),
        ("MOVE", Shape::V1, "/id", "/createdAt"),
    ] {
        let before = of_topic(topic, shape).unwrap();
        let body = renewed(topic, shape);
        assert_ne!(body.pointer(id), before.pointer(id), "{topic} {shape:?}");
        let id = body.pointer(id).unwrap().as_str().unwrap();
        assert!(id.len() == 25 && id.starts_with("cm"), "{id}");
        assert_eq!(body.pointer(time).unwrap(), NOW);
    }
    let labels = renewed("LABEL_CREATED", Shape::V2);
    let before = of_topic("LABEL_CREATED", Shape::V2).unwrap();
    let first = |body: &Value| {
        let project = body["projects"].as_object().unwrap().values().next().unwrap();
        project["labels"][0].clone()
    };
    assert_ne!(first(&labels)["id"], first(&before)["id"]);
    let details = |body: &Value| first(body)["label_details"].clone();
    assert_eq!(details(&labels), details(&before));
    let imported = "/data_row/details/updated_at";
    assert_eq!(labels.pointer(imported), before.pointer(imported));
    assert_ne!(
        renewed("MODEL_RUN_CREATED", Shape::V1),
        of_topic("MODEL_RUN_CREATED", Shape::V1).unwrap()
    );
}

#[track_caller]
fn check_set(setting: &str, expected: Result<Value, &str>) {
    let mut body = json!({"project": {"id": "p"}, "list": [1, {"a": 2}], "text": "x"});
    let applied = setting.parse::<Setting>().unwrap().apply(&mut body);
    match expected {
        Ok(changes) => {
            applied.unwrap();
            for (path, value) in changes.as_object().unwrap() {
                assert_eq!(body.pointer(path), Some(value), "{setting}: {body}");
            }
        }
        Err(says) => assert!(applied.unwrap_err().contains(says), "{setting}"),
    }
}

#[test]
fn a_field_is_set_wherever_it_is() {
    check_set("project.id=mine", Ok(json!({"/project/id": "mine"})));
    check_set("project.id=7", Ok(json!({"/project/id": 7})));
    check_set("project.id=\"7\"", Ok(json!({"/project/id": "7"})));
    check_set("list.1.a=null", Ok(json!({"/list/1/a": null, "/list/0": 1})));
    check_set("new.inner={\"b\": []}", Ok(json!({"/new/inner/b": []})));
    check_set("text=a=b", Ok(json!({"/text": "a=b"})));
}

#[test]
fn a_field_that_cannot_be_there_is_named() {
    check_set("list.2=x", Err("no 2 in the list"));
    check_set("list.first=x", Err("no first in the list"));
    check_set("text.inner=x", Err("inner is in nothing"));
    for wrong in ["", "project", "=x", "project..id=x", ".id=x"] {
        assert!(wrong.parse::<Setting>().is_err(), "{wrong}");
    }
}
