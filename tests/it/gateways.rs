//! The same delivery through each gateway that the function may stand behind.

use crate::outside::{BODY, Mood, SECRET, Stage, delivery, refused, sha1, try_again, with};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use labelbox_relay::http::GatewayEvent;
use lambda_http::Context;
use lambda_http::http::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;

/// A REST API's event, payload format 1.0: headers as they were written, each in two maps.
fn rest() -> Value {
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("X-Hub-Signature", sha1(SECRET, BODY.as_bytes())),
        ("X-Labelbox-Event", "LABEL_UPDATED".to_owned()),
        ("X-Labelbox-Id", "ckmdi74ew57lq063553kuzekq".to_owned()),
    ];
    let single: Value = headers
        .iter()
        .map(|(name, value)| (*name, json!(value)))
        .collect();
    let multi: Value = headers
        .iter()
        .map(|(name, value)| (*name, json!([value])))
        .collect();
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
async fn a_rest_api_delivers_the_same_message() {
    let (a, b) = (Stage::usual(), Stage::usual());
    a.send(delivery()).await;
    b.send(rest()).await;
    let (a, b) = (a.queued(), b.queued());
    assert_eq!(a.len(), 1);
    assert_eq!(a, b);
}

#[tokio::test]
async fn a_rest_api_that_fills_only_one_of_the_maps_is_read_too() {
    for gone in ["/headers", "/multiValueHeaders"] {
        let stage = Stage::usual();
        assert_eq!(
            stage
                .send(with(rest(), gone, Value::Null))
                .await
                .status_code,
            200,
            "without {gone}"
        );
    }
}

#[tokio::test]
async fn a_signature_that_came_twice_is_refused() {
    let right = sha1(SECRET, BODY.as_bytes());
    let twice = with(
        rest(),
        "/multiValueHeaders/X-Hub-Signature",
        json!([right, right]),
    );
    let two_cases = with(rest(), "/multiValueHeaders/x-hub-signature", json!([right]));
    let two_maps = with(rest(), "/headers/X-Hub-Signature", json!("sha1=0000"));
    let two_cases_v2 = with(delivery(), "/headers/X-Hub-Signature", json!(right));
    for request in [twice, two_cases, two_maps, two_cases_v2] {
        let stage = Stage::usual();
        stage.check(request, 401, refused()).await;
        assert!(stage.queued().is_empty());
    }
}

#[tokio::test]
async fn a_base64_body_is_decoded_before_it_is_verified() {
    for request in [delivery(), rest()] {
        let stage = Stage::usual();
        let request = with(request, "/body", json!(STANDARD.encode(BODY)));
        stage
            .send(with(request, "/isBase64Encoded", json!(true)))
            .await;
        assert_eq!(stage.queued()[0].body, BODY);
    }
}

#[tokio::test]
async fn a_named_stage_in_front_of_the_path_is_not_part_of_it() {
    let staged = with(delivery(), "/requestContext/stage", json!("prod"));
    for (path, status) in [
        ("/prod/webhooks/labelbox", 200),
        ("/webhooks/labelbox", 200),
        ("/prodwebhooks/labelbox", 404),
        ("/test/webhooks/labelbox", 404),
        ("/prod/prod/webhooks/labelbox", 404),
    ] {
        let request = with(staged.clone(), "/rawPath", json!(path));
        assert_eq!(
            Stage::usual().send(request).await.status_code,
            status,
            "{path}"
        );
    }
    // A REST API does not put its stage there, and one may be called like a route.
    let stage = Stage::usual();
    assert_eq!(
        stage
            .send(with(rest(), "/requestContext/stage", json!("webhooks")))
            .await
            .status_code,
        200
    );
}

#[tokio::test]
async fn a_stage_that_is_named_like_a_route_is_not_taken_for_it() {
    // By a custom domain the path comes without the stage, by the default endpoint with it.
    for (name, path) in [
        ("webhooks", "/webhooks/labelbox"),
        ("webhooks", "/webhooks/webhooks/labelbox"),
        ("training", "/webhooks/labelbox"),
    ] {
        let staged = with(delivery(), "/requestContext/stage", json!(name));
        let request = with(staged, "/rawPath", json!(path));
        let answer = Stage::usual().send(request).await;
        assert_eq!(answer.status_code, 200, "{name} {path}");
    }
    let staged = with(delivery(), "/requestContext/stage", json!("webhooks"));
    let of_health = with(staged, "/rawPath", json!("/webhooks/health"));
    assert_eq!(Stage::usual().send(of_health).await.status_code, 404);
    let training = with(delivery(), "/requestContext/stage", json!("training"));
    let training = with(training, "/rawPath", json!("/training/model_run"));
    assert_eq!(Stage::usual().send(training).await.status_code, 200);
}

#[tokio::test]
async fn behind_a_base_path_the_resource_of_a_rest_api_says_the_route() {
    for (resource, parameters, path, status) in [
        (
            "/webhooks/{webhook}",
            json!({"webhook": "labelbox"}),
            "/relay/webhooks/labelbox",
            200,
        ),
        (
            "/{proxy+}",
            json!({"proxy": "webhooks/labelbox"}),
            "/relay/webhooks/labelbox",
            200,
        ),
        // The mapping's own name is a route's: the resource has the last word.
        ("/health", Value::Null, "/webhooks/health", 405),
        (
            "/webhooks/{webhook}",
            json!({"webhook": "stranger"}),
            "/webhooks/labelbox",
            404,
        ),
        (
            "/webhooks/{webhook}",
            Value::Null,
            "/relay/webhooks/labelbox",
            404,
        ),
        ("/{proxy+}", json!({"proxy": "else"}), "/relay/else", 404),
    ] {
        let request = with(rest(), "/resource", json!(resource));
        let request = with(request, "/pathParameters", parameters);
        let answer = Stage::usual()
            .send(with(request, "/path", json!(path)))
            .await;
        assert_eq!(answer.status_code, status, "{resource} {path}");
    }
}

#[tokio::test]
async fn a_function_url_delivers_the_same_message() {
    let event = with(
        delivery(),
        "/requestContext/domainName",
        json!("abc.lambda-url.eu-west-1.on.aws"),
    );
    let event = with(event, "/requestContext/accountId", json!("anonymous"));
    let (a, b) = (Stage::usual(), Stage::usual());
    a.send(delivery()).await;
    b.send(event).await;
    assert_eq!(a.queued(), b.queued());
}

#[tokio::test]
async fn the_trace_is_lambdas_and_else_the_gateways() {
    let gateways =
        "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678";
    for (header, expected) in [
        (json!(gateways), Some(gateways)),
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
        let stage = Stage::usual();
        let event = with(delivery(), "/headers/x-amzn-trace-id", header.clone());
        stage.send_traced(event, None).await;
        assert_eq!(stage.queued()[0].trace.as_deref(), expected, "{header}");
    }
    let stage = Stage::usual();
    stage
        .send(with(
            delivery(),
            "/headers/x-amzn-trace-id",
            json!(gateways),
        ))
        .await;
    assert_eq!(
        stage.queued()[0].trace.as_deref(),
        Some(crate::outside::TRACE)
    );
}

/// Where the function is traced, Lambda gives each invocation its trace in this header, which has to go on as it is: a
/// consumer's spans join the parent that it names, if it is sampled.
#[tokio::test]
async fn lambdas_trace_goes_on_with_parent_sampling_and_lineage() {
    for trace in [
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:5b9c1f2e:0",
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0",
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("lambda-runtime-trace-id", trace.parse().unwrap());
        headers.insert("lambda-runtime-deadline-ms", "0".parse().unwrap());
        let invocation = || Context::new("request-1", Arc::default(), &headers).unwrap();
        let stage = Stage::usual();
        stage.send_in(delivery(), invocation()).await;
        assert_eq!(stage.queued()[0].trace.as_deref(), Some(trace));
        stage.queue_is(Mood::Refuses);
        stage.send_in(delivery(), invocation()).await;
        let objects = stage.objects();
        let (_, record) = objects.first_key_value().unwrap();
        let record: Value = serde_json::from_slice(record).unwrap();
        let attributes = &record["MessageSystemAttributes"];
        assert_eq!(attributes["AWSTraceHeader"]["StringValue"], trace);
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_to_be_tried_again() {
    for (place, value) in [
        ("/headers", json!("odd")),
        ("/headers/x-hub-signature", json!(["odd"])),
        ("/headers/x-odd", json!(5)),
        ("/requestContext", json!("odd")),
        ("/requestContext/http/sourceIp", json!(5)),
        ("/isBase64Encoded", json!("odd")),
        ("/body", json!({})),
    ] {
        let stage = Stage::usual();
        stage
            .check(with(delivery(), place, value), 503, try_again())
            .await;
        assert!(stage.queued().is_empty());
    }
}

#[tokio::test]
async fn an_invocation_that_is_no_http_request_counts_nowhere() {
    for event in [
        json!({}),
        json!({"key1": "value1"}),
        json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events"}),
        json!({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}),
        json!({"body": {"warm": true}}),
        json!({"resource": ["arn:aws:events:eu-west-1:1:rule/warm"], "isBase64Encoded": "odd"}),
        Value::Null,
        json!("warm"),
        json!([1]),
        json!(5),
    ] {
        let stage = Stage::usual();
        stage.check(event, 404, json!({"error": "not_found"})).await;
        assert!(stage.queued().is_empty() && stage.lines().is_empty());
    }
}

#[test]
fn a_text_that_is_no_text_is_an_event_that_cannot_be_read() {
    for event in [r#"{"body": "\ud800"}"#, r#"{"headers": {"x": "\ud800"}}"#] {
        assert!(
            serde_json::from_str::<GatewayEvent>(event).is_ok(),
            "{event}"
        );
    }
}
