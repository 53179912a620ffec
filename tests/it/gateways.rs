//! The gateways that can invoke the function: HTTP API, REST API and function URL.

use crate::fakes::QueueBehavior;
use crate::fixture::{Fixture, TRACE, signature_rejected, try_again};
use crate::requests::{BODY, SECRET, delivery, sha1, with};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use labelbox_relay::http::GatewayEvent;
use lambda_http::Context;
use lambda_http::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The event of a REST API in payload format 1.0. Header names keep their case, and each header is in two maps.
fn rest_api_event() -> Value {
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("X-Hub-Signature", sha1(SECRET, BODY.as_bytes())),
        ("X-Labelbox-Event", "LABEL_UPDATED".to_owned()),
        ("X-Labelbox-Id", "ckmdi74ew57lq063553kuzekq".to_owned()),
    ];
    let single: Value = headers.iter().map(|(name, value)| (*name, json!(value))).collect();
    let multi: Value = headers.iter().map(|(name, value)| (*name, json!([value]))).collect();
    json!({
        "resource": "/webhooks/{webhook}",
        "path": "/webhooks/labelbox",
        "httpMethod": "POST",
        "headers": single,
        "multiValueHeaders": multi,
        "queryStringParameters": null,
        "requestContext": {"stage": "prod", "path": "/prod/webhooks/labelbox", "identity": {"sourceIp": "35.223.142.181"}},
        "body": BODY,
        "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn rest_api_event_gives_the_same_message() {
    let (a, b) = (Fixture::new(), Fixture::new());
    a.send(delivery()).await;
    b.send(rest_api_event()).await;
    let (a, b) = (a.take_queued(), b.take_queued());
    assert_eq!(a.len(), 1);
    assert_eq!(a, b);
}

#[tokio::test]
async fn reads_rest_api_event_with_only_one_of_the_header_maps() {
    for removed in ["/headers", "/multiValueHeaders"] {
        let fixture = Fixture::new();
        assert_eq!(
            fixture.send(with(rest_api_event(), removed, Value::Null)).await.status_code,
            200,
            "without {removed}"
        );
    }
}

#[tokio::test]
async fn rejects_duplicate_signature_header() {
    let valid = sha1(SECRET, BODY.as_bytes());
    let twice = with(rest_api_event(), "/multiValueHeaders/X-Hub-Signature", json!([valid, valid]));
    let two_cases = with(rest_api_event(), "/multiValueHeaders/x-hub-signature", json!([valid]));
    let two_maps = with(rest_api_event(), "/headers/X-Hub-Signature", json!("sha1=0000"));
    let two_cases_v2 = with(delivery(), "/headers/X-Hub-Signature", json!(valid));
    for request in [twice, two_cases, two_maps, two_cases_v2] {
        let fixture = Fixture::new();
        fixture.assert_response(request, 401, signature_rejected()).await;
        assert!(fixture.take_queued().is_empty());
    }
}

#[tokio::test]
async fn decodes_base64_body_before_verification() {
    for request in [delivery(), rest_api_event()] {
        let fixture = Fixture::new();
        let request = with(request, "/body", json!(STANDARD.encode(BODY)));
        fixture.send(with(request, "/isBase64Encoded", json!(true))).await;
        assert_eq!(fixture.take_queued()[0].body, BODY);
    }
}

#[tokio::test]
async fn strips_stage_prefix_from_the_path() {
    let staged = with(delivery(), "/requestContext/stage", json!("prod"));
    for (path, status) in [
        ("/prod/webhooks/labelbox", 200),
        ("/webhooks/labelbox", 200),
        ("/prodwebhooks/labelbox", 404),
        ("/test/webhooks/labelbox", 404),
        ("/prod/prod/webhooks/labelbox", 404),
    ] {
        let request = with(staged.clone(), "/rawPath", json!(path));
        assert_eq!(Fixture::new().send(request).await.status_code, status, "{path}");
    }
    // The path of a REST API has no stage prefix, and a stage can have the name of a route.
    let fixture = Fixture::new();
    assert_eq!(
        fixture
            .send(with(rest_api_event(), "/requestContext/stage", json!("webhooks")))
            .await
            .status_code,
        200
    );
}

#[tokio::test]
async fn stage_can_have_the_name_of_a_route() {
    // The path has the stage prefix at the default endpoint, and has none at a custom domain.
    for (name, path) in [
        ("webhooks", "/webhooks/labelbox"),
        ("webhooks", "/webhooks/webhooks/labelbox"),
        ("training", "/webhooks/labelbox"),
    ] {
        let staged = with(delivery(), "/requestContext/stage", json!(name));
        let request = with(staged, "/rawPath", json!(path));
        let response = Fixture::new().send(request).await;
        assert_eq!(response.status_code, 200, "{name} {path}");
    }
    let staged = with(delivery(), "/requestContext/stage", json!("webhooks"));
    let health = with(staged, "/rawPath", json!("/webhooks/health"));
    assert_eq!(Fixture::new().send(health).await.status_code, 404);
    let training = with(delivery(), "/requestContext/stage", json!("training"));
    let training = with(training, "/rawPath", json!("/training/model_run"));
    assert_eq!(Fixture::new().send(training).await.status_code, 200);
}

#[tokio::test]
async fn resource_of_a_rest_api_determines_the_route_behind_a_base_path() {
    for (resource, parameters, path, status) in [
        ("/webhooks/{webhook}", json!({"webhook": "labelbox"}), "/relay/webhooks/labelbox", 200),
        ("/{proxy+}", json!({"proxy": "webhooks/labelbox"}), "/relay/webhooks/labelbox", 200),
        // The resource takes precedence over a base path with the name of a route.
        ("/health", Value::Null, "/webhooks/health", 405),
        ("/webhooks/{webhook}", json!({"webhook": "unknown"}), "/webhooks/labelbox", 404),
        ("/webhooks/{webhook}", Value::Null, "/relay/webhooks/labelbox", 404),
        ("/{proxy+}", json!({"proxy": "other"}), "/relay/other", 404),
    ] {
        let request = with(rest_api_event(), "/resource", json!(resource));
        let request = with(request, "/pathParameters", parameters);
        let response = Fixture::new().send(with(request, "/path", json!(path))).await;
        assert_eq!(response.status_code, status, "{resource} {path}");
    }
}

#[tokio::test]
async fn function_url_event_gives_the_same_message() {
    let event =
        with(delivery(), "/requestContext/domainName", json!("abc.lambda-url.eu-west-1.on.aws"));
    let event = with(event, "/requestContext/accountId", json!("anonymous"));
    let (a, b) = (Fixture::new(), Fixture::new());
    a.send(delivery()).await;
    b.send(event).await;
    assert_eq!(a.take_queued(), b.take_queued());
}

#[tokio::test]
async fn trace_is_from_lambda_or_else_from_the_gateway() {
    let from_gateway =
        "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678";
    for (header, expected) in [
        (json!(from_gateway), Some(from_gateway)),
        (
            json!("Root=1-5759e988-bd862e3fe1be46a994272793"),
            Some("Root=1-5759e988-bd862e3fe1be46a994272793"),
        ),
        (json!("Root=1-5759e988-bd862e3fe1be46a99427279"), None),
        (json!("Root=2-5759e988-bd862e3fe1be46a994272793"), None),
        (json!("Root=1-5759e988-bd862e3fe1be46a994272793\u{1}"), None),
        (json!("anything"), None),
        (Value::Null, None),
    ] {
        let fixture = Fixture::new();
        let event = with(delivery(), "/headers/x-amzn-trace-id", header.clone());
        fixture.send_with_trace(event, None).await;
        assert_eq!(fixture.take_queued()[0].trace.as_deref(), expected, "{header}");
    }
    let fixture = Fixture::new();
    fixture.send(with(delivery(), "/headers/x-amzn-trace-id", json!(from_gateway))).await;
    assert_eq!(fixture.take_queued()[0].trace.as_deref(), Some(TRACE));
}

/// With active tracing, Lambda passes the trace of each invocation in this header. The relay must forward it unchanged:
/// the spans of a consumer become children of its parent if the trace is sampled.
#[tokio::test]
async fn preserves_parent_sampling_and_lineage_of_the_trace() {
    for trace in [
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:5b9c1f2e:0",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("lambda-runtime-trace-id", trace.parse().unwrap());
        headers.insert("lambda-runtime-deadline-ms", "0".parse().unwrap());
        let invocation = || Context::new("request-1", Arc::default(), &headers).unwrap();
        let fixture = Fixture::new();
        fixture.send_with_context(delivery(), invocation()).await;
        assert_eq!(fixture.take_queued()[0].trace.as_deref(), Some(trace));
        fixture.set_queue(QueueBehavior::Rejects);
        fixture.send_with_context(delivery(), invocation()).await;
        let objects = fixture.take_objects();
        let (_, record) = objects.first_key_value().unwrap();
        let record: Value = serde_json::from_slice(record).unwrap();
        let attributes = &record["MessageSystemAttributes"];
        assert_eq!(attributes["AWSTraceHeader"]["StringValue"], trace);
    }
}

#[tokio::test]
async fn responds_with_503_to_unreadable_event() {
    for (pointer, value) in [
        ("/headers", json!("invalid")),
        ("/headers/x-hub-signature", json!(["invalid"])),
        ("/headers/x-other", json!(5)),
        ("/requestContext", json!("invalid")),
        ("/requestContext/http/sourceIp", json!(5)),
        ("/isBase64Encoded", json!("invalid")),
        ("/body", json!({})),
    ] {
        let fixture = Fixture::new();
        fixture.assert_response(with(delivery(), pointer, value), 503, try_again()).await;
        assert!(fixture.take_queued().is_empty());
    }
}

#[tokio::test]
async fn invocation_that_is_not_http_is_not_counted() {
    for event in [
        json!({}),
        json!({"key1": "value1"}),
        json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events"}),
        json!({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}),
        json!({"resource": ["arn:aws:events:eu-west-1:1:rule/warm"], "isBase64Encoded": "invalid"}),
        Value::Null,
        json!("warm"),
        json!([1]),
        json!(5),
    ] {
        let fixture = Fixture::new();
        fixture.assert_response(event, 404, json!({"error": "not_found"})).await;
        assert!(fixture.take_queued().is_empty() && fixture.take_log_lines().is_empty());
    }
}

#[tokio::test]
async fn one_field_of_a_request_makes_an_event_http() {
    for event in [json!({"rawPath": "/"}), json!({"path": "/"}), json!({"httpMethod": "GET"})] {
        let fixture = Fixture::new();
        fixture.assert_response(event, 404, json!({"error": "not_found"})).await;
        assert_eq!(fixture.take_log_lines().len(), 1);
    }
}

#[test]
fn deserializes_event_with_lone_surrogate() {
    for event in [r#"{"body": "\ud800"}"#, r#"{"headers": {"x": "\ud800"}}"#, r#"{"\ud800": ""}"#] {
        // Like the runtime, without a check for trailing data.
        let mut deserializer = serde_json::Deserializer::from_str(event);
        assert!(GatewayEvent::deserialize(&mut deserializer).is_ok(), "{event}");
    }
}
