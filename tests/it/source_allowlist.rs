//! The source allowlist.

use crate::fixture::Fixture;
use crate::requests::{delivery, gateway_event, with};
use serde_json::{Value, json};

async fn status(settings: &[(&str, &str)], address: Value) -> u16 {
    let fixture = Fixture::with_settings(settings);
    let status =
        fixture.send(with(delivery(), "/requestContext/http/sourceIp", address)).await.status_code;
    assert_eq!(fixture.take_queued().len(), usize::from(status == 200));
    status
}

#[tokio::test]
async fn only_allowed_networks_can_send() {
    let allowlist =
        [("ALLOWED_SOURCE_CIDRS", "35.223.142.181/32, 192.0.2.0/24, 2001:db8::/32, 198.51.100.7")];
    for allowed in
        ["35.223.142.181", "192.0.2.255", "2001:db8::1", "198.51.100.7", "::ffff:192.0.2.1"]
    {
        assert_eq!(status(&allowlist, json!(allowed)).await, 200, "{allowed}");
    }
    for rejected in
        ["35.223.142.182", "192.0.3.0", "2001:db9::1", "198.51.100.8", "::ffff:192.0.3.1"]
    {
        assert_eq!(status(&allowlist, json!(rejected)).await, 403, "{rejected}");
    }
}

#[tokio::test]
async fn rejects_invalid_address_if_there_is_an_allowlist() {
    for invalid in [Value::Null, json!(""), json!("unknown"), json!("35.223.142.181, 10.0.0.1")] {
        assert_eq!(
            status(&[("ALLOWED_SOURCE_CIDRS", "0.0.0.0/0")], invalid.clone()).await,
            403,
            "{invalid}"
        );
        assert_eq!(status(&[], invalid).await, 200);
    }
}

#[tokio::test]
async fn observe_mode_accepts_any_address() {
    let settings = [("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24"), ("SOURCE_CHECK", "observe")];
    assert_eq!(status(&settings, json!("203.0.113.1")).await, 200);
}

#[tokio::test]
async fn allowlist_applies_to_training_routes() {
    let fixture = Fixture::with_settings(&[("ALLOWED_SOURCE_CIDRS", "192.0.2.0/24")]);
    for (method, path) in [("GET", "/training/models"), ("POST", "/training/model_run")] {
        fixture
            .assert_response(
                gateway_event(method, path, json!({}), None),
                403,
                json!({"error": "source_not_allowed"}),
            )
            .await;
    }
}
