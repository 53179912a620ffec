//! Samples of each topic, made unique, and fields that are set.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

const NOW: &str = "2026-11-24T03:00:00.000Z";

#[test]
fn each_topic_has_a_sample_of_its_kind() {
    for (topic, has) in [
        ("LABEL_CREATED", "/label"),
        ("label_updated", "/label"),
        ("MOVE", "/nextTask"),
        ("WORKFLOW_ACTION", "/nextTask"),
        ("REVIEW_CREATED", "/score"),
        ("MODEL_RUN_CREATED", "/modelRunId"),
        ("ISSUE_CREATED", "/category"),
    ] {
        let body = of_topic(topic);
        assert!(body.pointer(has).is_some(), "{topic}: {body}");
    }
}

#[test]
fn what_is_renewed_is_another_event_of_now() {
    for (topic, id, time) in
        [("LABEL_CREATED", "/id", "/updatedAt"), ("MOVE", "/dataRow/id", "/createdAt")]
    {
        let before = of_topic(topic);
        let mut body = before.clone();
        renew(&mut body, NOW, &mut Rng::with_seed(1));
        assert_ne!(body.pointer(id), before.pointer(id), "{topic}");
        let id = body.pointer(id).unwrap().as_str().unwrap();
        assert!(id.len() == 25 && id.starts_with("cm"), "{id}");
        assert_eq!(body.pointer(time).unwrap(), NOW);
    }
    let mut run = of_topic("MODEL_RUN_CREATED");
    renew(&mut run, NOW, &mut Rng::with_seed(1));
    assert_ne!(run, of_topic("MODEL_RUN_CREATED"));
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
