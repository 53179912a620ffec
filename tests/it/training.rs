//! The training routes.

use crate::fakes::StoreBehavior;
use crate::fixture::{Fixture, signature_rejected};
use crate::requests::{BODY, SECRET, gateway_event, sha1, webhook_request};
use serde_json::{Value, json};

const RUN: &str = r#"{"modelId":"model1","modelRunId":"3f5c-not-a-uuid","modelType":"ner"}"#;

fn training_request(method: &str, path: &str, secret: &str, body: &str) -> Value {
    let headers = json!({"x-hub-signature": sha1(secret, body.as_bytes())});
    gateway_event(method, path, headers, Some(body).filter(|body| !body.is_empty()))
}

#[tokio::test]
async fn model_list_has_model_names_as_keys() {
    let fixture =
        Fixture::with_settings(&[("TRAINING_MODELS", "bounding_box, ner,with \"quotes\"")]);
    let models = json!({"bounding_box": {}, "ner": {}, "with \"quotes\"": {}});
    fixture
        .assert_response(training_request("GET", "/training/models", SECRET, ""), 200, models)
        .await;
    Fixture::new()
        .assert_response(training_request("GET", "/training/models", SECRET, ""), 200, json!({}))
        .await;
}

#[tokio::test]
async fn model_list_signature_covers_empty_body_even_if_there_is_a_body() {
    let fixture = Fixture::new();
    let headers = json!({"x-hub-signature": "sha1=b108cfc4cd679878f8095d3ffecdc302357420a0"});
    fixture
        .assert_response(
            gateway_event("GET", "/training/models", headers, Some("ignored")),
            200,
            json!({}),
        )
        .await;
    fixture
        .assert_response(
            training_request("GET", "/training/models", SECRET, "x"),
            401,
            signature_rejected(),
        )
        .await;
    fixture
        .assert_response(
            training_request("GET", "/training/models", "other", ""),
            401,
            signature_rejected(),
        )
        .await;
    fixture
        .assert_response(
            gateway_event("GET", "/training/models", json!({}), None),
            401,
            signature_rejected(),
        )
        .await;
}

#[tokio::test]
async fn queues_training_run_without_content_type() {
    let fixture = Fixture::new();
    let response = json!({"status": "queued", "entity": "model_run", "message_id": "message-1"});
    fixture
        .assert_response(
            training_request("POST", "/training/model_run", SECRET, RUN),
            200,
            response,
        )
        .await;
    let queued = fixture.take_queued();
    assert_eq!(queued[0].body, RUN);
    assert_eq!(queued[0].attribute("event"), Some("MODEL_RUN_CREATED"));
    assert_eq!(queued[0].attribute("entity"), Some("model_run"));
    assert_eq!(queued[0].attribute("entity_id"), Some("3f5c-not-a-uuid"));
    assert_eq!(queued[0].attribute("webhook"), None);
    assert_eq!(queued[0].group_id.as_deref(), Some("3f5c-not-a-uuid"));
}

#[tokio::test]
async fn training_routes_have_their_own_secret() {
    let fixture = Fixture::new();
    fixture.set_store(StoreBehavior::Returns(
        json!({"labelbox": "one", "training": "another"}).to_string(),
    ));
    for (method, path, body) in
        [("GET", "/training/models", ""), ("POST", "/training/model_run", RUN)]
    {
        fixture
            .assert_response(training_request(method, path, "one", body), 401, signature_rejected())
            .await;
        assert_eq!(
            fixture.send(training_request(method, path, "another", body)).await.status_code,
            200,
            "{path}"
        );
    }
    // The training service cannot send label events with its secret.
    let request = webhook_request("training", "another", BODY);
    fixture.assert_response(request, 404, json!({"error": "not_found"})).await;
    fixture.set_store(StoreBehavior::Returns(json!({"labelbox": "one"}).to_string()));
    fixture.advance_secs(300);
    fixture
        .assert_response(
            training_request("GET", "/training/models", "one", ""),
            404,
            json!({"error": "not_found"}),
        )
        .await;
    assert_eq!(fixture.take_queued().len(), 1);
}
