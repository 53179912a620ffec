//! Clients for tests, with canned responses instead of a network.

use super::Clients;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::config::http::{HttpRequest, HttpResponse};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};

/// The `ETag` of every response.
pub const ETAG: &str = "\"etag\"";

/// Clients that get these responses in turn, and the requests that they have sent.
pub fn offline(answers: &[(u16, &str)]) -> (Clients, StaticReplayClient) {
    offline_at(None, answers)
}

/// The same with a custom endpoint.
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub fn offline_at(
    endpoint: Option<&str>,
    answers: &[(u16, &str)],
) -> (Clients, StaticReplayClient) {
    let event = |(status, body): &(u16, &str)| {
        let mut answer = HttpResponse::new((*status).try_into().unwrap(), (*body).into());
        answer.headers_mut().insert("etag", ETAG);
        ReplayEvent::new(HttpRequest::empty(), answer)
    };
    let asked = StaticReplayClient::new(answers.iter().map(event).collect());
    let key = Credentials::new("key", "secret", None, None, "test");
    let mut shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(key))
        .http_client(asked.clone());
    shared.set_endpoint_url(endpoint.map(str::to_owned));
    (
        Clients::new(&shared.build(), crate::http::client(&Default::default()).unwrap(), false)
            .unwrap(),
        asked,
    )
}
