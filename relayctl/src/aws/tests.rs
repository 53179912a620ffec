//! Which trouble a failed call is.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::stack::Stack;

#[track_caller]
fn check(error: &Error, expected: &str) {
    let line = error.line();
    assert!(line.starts_with(expected), "{line}");
    assert!(!line.contains(['\n', '{']), "{line} is a dump");
}

fn refused(code: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>No,\n no.</Message></Error></ErrorResponse>"
    )
}

async fn trouble_after(status: u16, answer: &str) -> Error {
    let (clients, _) = offline(&[(status, answer)]);
    match Stack::find(&clients, "relay").await {
        Ok(stack) => panic!("{stack:?}"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_what_to_do_next() {
    for (code, expected) in [
        (
            "AccessDenied",
            "AWS does not allow cloudformation:DescribeStacks: AccessDenied: No, no.; ask for",
        ),
        ("ExpiredToken", "no usable AWS credentials: ExpiredToken: No, no.; sign in"),
        ("InvalidClientTokenId", "no usable AWS credentials: InvalidClientTokenId"),
        (
            "ValidationError",
            "AWS could not do cloudformation:DescribeStacks: ValidationError: No, no.; try",
        ),
    ] {
        check(&trouble_after(400, &refused(code)).await, expected);
    }
}

#[tokio::test]
async fn a_stack_that_does_not_exist_is_no_refusal() {
    let answer =
        refused("ValidationError").replace("No,\n no.", "Stack with id relay does not exist");
    let expected = "there is no stack relay in us-east-1; name yours";
    check(&trouble_after(400, &answer).await, expected);
    let empty = "<DescribeStacksResponse><DescribeStacksResult><Stacks/></DescribeStacksResult></DescribeStacksResponse>";
    check(&trouble_after(200, empty).await, expected);
}

#[tokio::test]
async fn an_address_of_ones_own_has_no_host_for_each_bucket() {
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
