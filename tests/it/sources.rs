//! Which addresses may send.

use crate::outside::{Stage, delivery, event, with};
use serde_json::{Value, json};

async fn status(settings: &[(&str, &str)], address: Value) -> u16 {
    let stage = Stage::with(settings);
    let status = stage
        .send(with(delivery(), "/requestContext/http/sourceIp", address))
        .await
        .status_code;
    assert_eq!(stage.queued().len(), usize::from(status == 200));
    status
}

#[tokio::test]
async fn only_listed_networks_may_send() {
    let listed = [(
        "ALLOWED_SOURCE_CIDRS",
        "35.223.142.181/32, 192.0.2.0/24, 2001:db8::/32, 198.51.100.7",
    )];
    for allowed in [
        "35.223.142.181",
        "192.0.2.255",
        "2001:db8::1",
        "198.51.100.7",
        "::ffff:192.0.2.1",
    ] {
        assert_eq!(status(&listed, json!(allowed)).await, 200, "{allowed}");
    }
    for refused in [
        "35.223.142.182",
        "192.0.3.0",
        "2001:db9::1",
        "198.51.100.8",
        "::ffff:192.0.3.1",
    ] {
        assert_eq!(status(&listed, json!(refused)).await, 403, "{refused}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_not_listed() {
    for none in [
        Value::Null,
        json!(""),
        json!("unknown"),
        json!("35.223.142.181, 10.0.0.1"),
    ] {
        assert_eq!(
            status(&[("ALLOWED_SOURCE_CIDRS", "0.0.0.0/0")], none.clone()).await,
            403,
            "{none}"
        );
        assert_eq!(status(&[], none).await, 200);
    }
}

#[tokio::test]
async fn observing_lets_everybody_in() {
    let settings = [
        ("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24"),
        ("SOURCE_CHECK", "observe"),
    ];
    assert_eq!(status(&settings, json!("203.0.113.1")).await, 200);
}

#[tokio::test]
async fn the_training_routes_are_guarded_too() {
    let stage = Stage::with(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
    for (method, path) in [("GET", "/training/models"), ("POST", "/training/model_run")] {
        stage
            .check(
                event(method, path, json!({}), None),
                403,
                json!({"error": "source_not_allowed"}),
            )
            .await;
    }
}
