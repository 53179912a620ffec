//! Clients for tests that get their answers without a network.

use super::Clients;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::config::http::{HttpRequest, HttpResponse};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};

/// What every answer says of the object, if it is about one.
pub const ETAG: &str = "\"etag\"";

/// Clients that get these answers, one after the other, and what they have asked.
pub fn offline(answers: &[(u16, &str)]) -> (Clients, StaticReplayClient) {
    let event = |(status, body): &(u16, &str)| {
        let mut answer = HttpResponse::new((*status).try_into().ok()?, (*body).into());
        answer.headers_mut().insert("etag", ETAG);
        Some(ReplayEvent::new(HttpRequest::empty(), answer))
    };
    let asked = StaticReplayClient::new(answers.iter().filter_map(event).collect());
    let key = Credentials::new("key", "secret", None, None, "test");
    let shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(key))
        .http_client(asked.clone())
        .build();
    let clients = Clients {
        cloudformation: aws_sdk_cloudformation::Client::new(&shared),
        sqs: aws_sdk_sqs::Client::new(&shared),
        s3: aws_sdk_s3::Client::new(&shared),
        region: "us-east-1".to_owned(),
    };
    (clients, asked)
}
