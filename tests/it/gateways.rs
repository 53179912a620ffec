//! The same delivery through each gateway that the function may stand behind.

use crate::outside::{BODY, SECRET, Stage, delivery, refused, sha1, with};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use labelbox_relay::http::GatewayEvent;
use serde_json::{Value, json};

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
    for path in ["/prod/webhooks/labelbox", "/webhooks/labelbox"] {
        let stage = Stage::usual();
        assert_eq!(
            stage
                .send(with(staged.clone(), "/rawPath", json!(path)))
                .await
                .status_code,
            200,
            "{path}"
        );
    }
    for path in [
        "/prodwebhooks/labelbox",
        "/test/webhooks/labelbox",
        "/prod/prod/webhooks/labelbox",
    ] {
        let stage = Stage::usual();
        assert_eq!(
            stage
                .send(with(staged.clone(), "/rawPath", json!(path)))
                .await
                .status_code,
            404,
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

#[test]
fn an_event_that_no_gateway_sends_is_an_error_that_quotes_nothing() {
    for (place, value) in [
        ("/headers", json!("hunter2")),
        ("/headers/x-hub-signature", json!(["hunter2"])),
        ("/requestContext", json!("hunter2")),
        ("/isBase64Encoded", json!("hunter2")),
    ] {
        let odd = with(delivery(), place, value);
        let error = serde_json::from_value::<GatewayEvent>(odd).err().unwrap();
        assert_eq!(
            error.to_string(),
            "not the proxy event of a gateway",
            "{place}"
        );
    }
}
