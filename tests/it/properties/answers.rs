//! No answer has a part of what nobody else may see: any 16 bytes of a body, a header, a secret or a signature, whether
//! right or wrong, whatever becomes of the request. All of it is drawn at random, so that nothing is there by chance.

use super::*;
use crate::outside::{Mood, Shelf, with};
use std::collections::HashSet;

/// A piece of so many bytes is no chance.
const WINDOW: usize = 16;

/// What is drawn at random.
#[derive(Debug, Clone)]
struct Material {
    secret: String,
    body: String,
    topic: String,
    delivery_id: String,
    webhook: String,
}

prop_compose! {
    fn material()(
        secret in "[a-zA-Z0-9]{32,64}",
        (id, project, text) in ("[a-z0-9]{25}", "[a-z0-9]{25}", "[a-zA-Z0-9]{40,2000}"),
        topic in "(LABEL_|)[A-Z]{20,40}",
        delivery_id in "[a-z0-9]{25}",
        webhook in "[a-z0-9]{20,64}",
        is_json in any::<bool>(),
    ) -> Material {
        let json = json!({"id": id, "project": {"id": project}, "label": text}).to_string();
        Material { secret, body: if is_json { json } else { text }, topic, delivery_id, webhook }
    }
}

impl Material {
    fn event(&self, in_base64: bool) -> Value {
        let headers = json!({
            "content-type": "application/json",
            "x-hub-signature": sha1(&self.secret, self.body.as_bytes()),
            "x-hub-signature-256": sha256(&self.secret, self.body.as_bytes()),
            "x-labelbox-event": self.topic,
            "x-labelbox-id": self.delivery_id,
        });
        let path = format!("/webhooks/{}", self.webhook);
        with_body(
            event("POST", &path, headers, None),
            self.body.as_bytes(),
            in_base64,
        )
    }

    /// All that may not be in an answer; in lower case, so that hex in the other one is found, too.
    fn windows(&self, event: &Value) -> HashSet<Vec<u8>> {
        let body = self.body.as_bytes();
        let headers = event["headers"].as_object().unwrap();
        // The right type of content is in every answer.
        let headers = headers
            .values()
            .filter_map(Value::as_str)
            .filter(|it| *it != "application/json");
        let (sha1, sha256) = (sha1(&self.secret, body), sha256(&self.secret, body));
        let right = [&sha1, &sha256].map(|signature| signature.split_once('=').unwrap().1);
        let texts = [
            self.secret.as_str(),
            &self.body,
            &self.webhook,
            event["body"].as_str().unwrap(),
        ];
        let windows = texts.into_iter().chain(headers).chain(right);
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

/// What can become of a request: where it is changed, and what is out of order outside.
const FATES: [&str; 11] = [
    "taken",
    "pointed to",
    "spilled",
    "not durable",
    "no secret",
    "no such webhook",
    "wrong signature",
    "odd signature",
    "no base64",
    "odd type",
    "odd method",
];

fn meets(stage: &Stage, event: Value, fate: &str, odd: &str) -> (Value, u16) {
    match fate {
        "spilled" | "not durable" => stage.queue_is(Mood::Refuses),
        "no secret" => stage.secret_is(Vault::Unreachable),
        "no such webhook" => stage.secret_is(Vault::Holds(json!({"other": "secret"}).to_string())),
        _ => {}
    }
    if fate == "not durable" {
        stage.bucket_is(Shelf::Refuses);
    }
    match fate {
        "not durable" | "no secret" => (event, 503),
        "no such webhook" => (event, 404),
        "wrong signature" => (
            with(event, "/headers/x-hub-signature", json!(sha1(odd, b""))),
            401,
        ),
        "odd signature" => (with(event, "/headers/x-hub-signature", json!(odd)), 401),
        "no base64" => (
            with(
                with(event, "/body", json!(format!("{odd}!"))),
                "/isBase64Encoded",
                json!(true),
            ),
            400,
        ),
        "odd type" => (with(event, "/headers/content-type", json!(odd)), 415),
        "odd method" => (with(event, "/requestContext/http/method", json!(odd)), 405),
        _ => (event, 200),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3 * CASES))]

    #[test]
    fn no_answer_has_a_part_of_body_header_secret_or_signature(
        material in material(),
        in_base64 in any::<bool>(),
        fate in prop::sample::select(&FATES),
        odd in "[a-zA-Z0-9]{20,100}",
    ) {
        let limit = if fate == "pointed to" { "1" } else { "1024" };
        let stage = Stage::with(&[("INLINE_LIMIT_KIB", limit)]);
        stage.secret_is(Vault::Holds(json!({&material.webhook: material.secret}).to_string()));
        let (event, status) = meets(&stage, material.event(in_base64), fate, &odd);
        let mut windows = material.windows(&event);
        windows.extend(odd.to_lowercase().into_bytes().windows(WINDOW).map(<[u8]>::to_vec));
        let answer = send(&stage, event);
        prop_assert_eq!(answer.status_code, status, "{}", fate);
        let text = format!("{} {:?} {}", answer.status_code, answer.headers, answer.body).to_lowercase();
        let found = text.as_bytes().windows(WINDOW).find(|window| windows.contains(*window));
        prop_assert_eq!(found.map(String::from_utf8_lossy), None, "{}", text);
    }
}
