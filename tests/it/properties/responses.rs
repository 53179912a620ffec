//! No response contains 16 consecutive bytes of the body, a header, the secret or a valid or invalid signature. All of
//! them are random, so that a match is a leak.

use super::*;
use crate::fakes::{BucketBehavior, QueueBehavior};
use crate::requests::with;
use std::collections::HashSet;

/// The number of consecutive bytes that count as a leak.
const WINDOW: usize = 16;

#[derive(Debug, Clone)]
struct RandomRequest {
    secret: String,
    body: String,
    topic: String,
    delivery_id: String,
    webhook: String,
}

prop_compose! {
    fn random_requests()(
        secret in "[a-zA-Z0-9]{32,64}",
        (id, project, text) in ("[a-z0-9]{25}", "[a-z0-9]{25}", "[a-zA-Z0-9]{40,2000}"),
        topic in "(LABEL_|)[A-Z]{20,40}",
        delivery_id in "[a-z0-9]{25}",
        webhook in "[a-z0-9]{20,64}",
        is_json in any::<bool>(),
      ) -> RandomRequest {
        let json = json!({"id": id, "project": {"id": project}, "label": text}).to_string();
        RandomRequest { secret, body: if is_json { json } else { text }, topic, delivery_id, webhook }
    }
}

impl RandomRequest {
    fn event(&self, in_base64: bool) -> Value {
        let headers = json!({
            "content-type": "application/json",
            "x-hub-signature": sha1(&self.secret, self.body.as_bytes()),
            "x-hub-signature-256": sha256(&self.secret, self.body.as_bytes()),
            "x-labelbox-event": self.topic,
            "x-labelbox-id": self.delivery_id,
        });
        let path = format!("/webhooks/{}", self.webhook);
        with_body(gateway_event("POST", &path, headers, None), self.body.as_bytes(), in_base64)
    }

    /// The confidential byte sequences in lower case, so that hex in upper case is found too.
    fn windows(&self, event: &Value) -> HashSet<Vec<u8>> {
        let body = self.body.as_bytes();
        let headers = event["headers"].as_object().unwrap();
        // Every response contains this content type.
        let headers =
            headers.values().filter_map(Value::as_str).filter(|it| *it != "application/json");
        let (sha1, sha256) = (sha1(&self.secret, body), sha256(&self.secret, body));
        let valid = [&sha1, &sha256].map(|signature| signature.split_once('=').unwrap().1);
        let texts =
            [self.secret.as_str(), &self.body, &self.webhook, event["body"].as_str().unwrap()];
        let windows = texts.into_iter().chain(headers).chain(valid);
        windows
            .flat_map(|text| {
                text.to_lowercase()
                    .into_bytes()
                    .windows(WINDOW)
                    .map(<[u8]>::to_vec)
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// How a request is changed, or which service fails.
const SCENARIOS: [&str; 11] = [
    "accepted",
    "offloaded",
    "spilled",
    "not durable",
    "no secret",
    "unknown webhook",
    "wrong signature",
    "malformed signature",
    "malformed base64",
    "content type",
    "method",
];

/// Sets up a scenario, and returns the changed event and the expected status.
fn set_up(fixture: &Fixture, event: Value, scenario: &str, random: &str) -> (Value, u16) {
    match scenario {
        "spilled" | "not durable" => fixture.set_queue(QueueBehavior::Rejects),
        "no secret" => fixture.set_store(StoreBehavior::Unreachable),
        "unknown webhook" => {
            fixture.set_store(StoreBehavior::Returns(json!({"other": "secret"}).to_string()))
        }
        _ => {}
    }
    if scenario == "not durable" {
        fixture.set_bucket(BucketBehavior::Rejects);
    }
    match scenario {
        "not durable" | "no secret" => (event, 503),
        "unknown webhook" => (event, 404),
        "wrong signature" => {
            (with(event, "/headers/x-hub-signature", json!(sha1(random, b""))), 401)
        }
        "malformed signature" => (with(event, "/headers/x-hub-signature", json!(random)), 401),
        "malformed base64" => (
            with(
                with(event, "/body", json!(format!("{random}!"))),
                "/isBase64Encoded",
                json!(true),
            ),
            400,
        ),
        "content type" => (with(event, "/headers/content-type", json!(random)), 415),
        "method" => (with(event, "/requestContext/http/method", json!(random)), 405),
        _ => (event, 200),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3 * CASES))]

    #[test]
    fn response_contains_no_part_of_body_header_secret_or_signature(
        request in random_requests(),
        in_base64 in any::<bool>(),
        scenario in prop::sample::select(&SCENARIOS),
        random in "[a-zA-Z0-9]{20,100}",
    ) {
        let limit = if scenario == "offloaded" { "1" } else { "1024" };
        let fixture = Fixture::with_settings(&[("INLINE_LIMIT_KIB", limit)]);
        fixture.set_store(StoreBehavior::Returns(json!({&request.webhook: request.secret}).to_string()));
        let (event, status) = set_up(&fixture, request.event(in_base64), scenario, &random);
        let mut windows = request.windows(&event);
        windows.extend(random.to_lowercase().into_bytes().windows(WINDOW).map(<[u8]>::to_vec));
        let response = send(&fixture, event);
        prop_assert_eq!(response.status_code, status, "{}", scenario);
        let text = format!("{} {:?} {}", response.status_code, response.headers, response.body).to_lowercase();
        let found = text.as_bytes().windows(WINDOW).find(|window| windows.contains(*window));
        prop_assert_eq!(found.map(String::from_utf8_lossy), None, "{}", text);
    }
}
