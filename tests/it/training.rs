//! The training routes: the model list, and training runs.

use crate::outside::{BODY, SECRET, Stage, Vault, event, refused, sha1, webhook};
use serde_json::{Value, json};

const RUN: &str = r#"{"modelId":"model1","modelRunId":"3f5c-not-a-uuid","modelType":"ner"}"#;

fn call(method: &str, path: &str, secret: &str, body: &str) -> Value {
    let headers = json!({"x-hub-signature": sha1(secret, body.as_bytes())});
    event(
        method,
        path,
        headers,
        Some(body).filter(|body| !body.is_empty()),
    )
}

#[tokio::test]
async fn the_model_list_has_the_names_as_keys() {
    let stage = Stage::with(&[("TRAINING_MODELS", "bounding_box, ner,with \"quotes\"")]);
    let models = json!({"bounding_box": {}, "ner": {}, "with \"quotes\"": {}});
    stage
        .check(call("GET", "/training/models", SECRET, ""), 200, models)
        .await;
    Stage::usual()
        .check(call("GET", "/training/models", SECRET, ""), 200, json!({}))
        .await;
}

#[tokio::test]
async fn the_model_list_is_signed_over_the_empty_body_whatever_comes_with_it() {
    let stage = Stage::usual();
    let headers = json!({"x-hub-signature": "sha1=b108cfc4cd679878f8095d3ffecdc302357420a0"});
    stage
        .check(
            event("GET", "/training/models", headers, Some("ignored")),
            200,
            json!({}),
        )
        .await;
    stage
        .check(call("GET", "/training/models", SECRET, "x"), 401, refused())
        .await;
    stage
        .check(call("GET", "/training/models", "other", ""), 401, refused())
        .await;
    stage
        .check(
            event("GET", "/training/models", json!({}), None),
            401,
            refused(),
        )
        .await;
}

#[tokio::test]
async fn a_training_run_is_queued_without_a_content_type() {
    let stage = Stage::usual();
    let answer = json!({"status": "queued", "entity": "model_run", "message_id": "message-1"});
    stage
        .check(
            call("POST", "/training/model_run", SECRET, RUN),
            200,
            answer,
        )
        .await;
    let queued = stage.queued();
    assert_eq!(queued[0].body, RUN);
    assert_eq!(queued[0].attribute("event"), Some("MODEL_RUN_CREATED"));
    assert_eq!(queued[0].attribute("entity"), Some("model_run"));
    assert_eq!(queued[0].attribute("entity_id"), Some("3f5c-not-a-uuid"));
    assert_eq!(queued[0].attribute("webhook"), None);
    assert_eq!(queued[0].group_id.as_deref(), Some("3f5c-not-a-uuid"));
}

#[tokio::test]
async fn training_has_a_secret_of_its_own() {
    let stage = Stage::usual();
    stage.secret_is(Vault::Holds(
        json!({"labelbox": "one", "training": "another"}).to_string(),
    ));
    for (method, path, body) in [
        ("GET", "/training/models", ""),
        ("POST", "/training/model_run", RUN),
    ] {
        stage
            .check(call(method, path, "one", body), 401, refused())
            .await;
        assert_eq!(
            stage
                .send(call(method, path, "another", body))
                .await
                .status_code,
            200,
            "{path}"
        );
    }
    // Whoever runs the training service cannot send label events with its secret.
    let request = webhook("training", "another", BODY);
    stage
        .check(request, 404, json!({"error": "not_found"}))
        .await;
    stage.secret_is(Vault::Holds(json!({"labelbox": "one"}).to_string()));
    stage.seconds_pass(300);
    stage
        .check(
            call("GET", "/training/models", "one", ""),
            404,
            json!({"error": "not_found"}),
        )
        .await;
    assert_eq!(stage.queued().len(), 1);
}
