//! Clients for tests, with canned responses instead of a network; and which error a failed call becomes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::stack::Stack;
use crate::cli::GlobalArgs;
use aws_credential_types::Credentials;
use aws_sdk_sqs::config::http::{HttpRequest, HttpResponse};
use aws_smithy_http_client::test_util::{ReplayEvent, StaticReplayClient};

/// The `ETag` of every response.
pub const ETAG: &str = "\"etag\"";

/// Clients that get these responses in turn, and the requests that they have sent.
pub fn offline(answers: &[(u16, &str)]) -> (Clients, StaticReplayClient) {
    offline_at(None, answers)
}

/// The same with a custom endpoint.
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
    (Clients::new(&shared.build(), crate::http::client(None).unwrap(), false).unwrap(), asked)
}

#[track_caller]
fn check(error: &Error, expected: &str) {
    let line = error.line(&GlobalArgs::default());
    assert!(line.starts_with(expected), "{line}");
    assert!(!line.contains(['\n', '{']), "{line} is a dump");
}

fn refused(code: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>No,\n no.</Message></Error></ErrorResponse>"
    )
}

async fn error_after(status: u16, answer: &str) -> Error {
    let (clients, _) = offline(&[(status, answer)]);
    match Stack::find(&clients, "relay").await {
        Ok(stack) => panic!("{stack:?}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn names_an_error_and_what_to_do() {
    for (code, expected) in [
        (
            "AccessDenied",
            "AWS does not allow cloudformation:DescribeStacks: AccessDenied: No, no.; ask for",
        ),
        ("ExpiredToken", "no usable AWS credentials: ExpiredToken: No, no.; sign in"),
        ("InvalidClientTokenId", "no usable AWS credentials: InvalidClientTokenId"),
        (
            "ValidationError",
            "cloudformation:DescribeStacks failed: ValidationError: No, no.; relayctl doctor checks the stack",
        ),
    ] {
        check(&error_after(400, &refused(code)).await, expected);
    }
}

#[tokio::test]
async fn a_missing_stack_is_named() {
    let answer =
        refused("ValidationError").replace("No,\n no.", "Stack with id relay does not exist");
    let expected = "there is no stack relay in us-east-1; name yours";
    check(&error_after(400, &answer).await, expected);
    let empty = "<DescribeStacksResponse><DescribeStacksResult><Stacks/></DescribeStacksResult></DescribeStacksResponse>";
    check(&error_after(200, empty).await, expected);
}

#[tokio::test]
async fn a_custom_endpoint_gets_path_style_requests() {
    for (endpoint, uri) in [
        (None, "https://bucket.s3.us-east-1.amazonaws.com/key"),
        (Some("http://emulator:4566"), "http://emulator:4566/bucket/key"),
    ] {
        let (clients, asked) = offline_at(endpoint, &[(200, "")]);
        let request = clients.s3.head_object().bucket("bucket").key("key");
        request.send().await.unwrap();
        let asked: Vec<_> = asked.actual_requests().map(|it| it.uri()).collect();
        assert_eq!(asked, [uri]);
    }
}
