//! The requests that go out, and how responses are read.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::sign::Credentials;
use crate::test_util::{Replay, response};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

fn client(service: JsonService, replay: &Replay) -> JsonClient {
    let config = AwsConfig {
        region: "eu-central-1".to_owned(),
        credentials: Credentials::new("AKID".to_owned(), "key".to_owned(), None),
        user_agent: "test/1",
        http: Arc::new(replay.clone()),
        clock: || UNIX_EPOCH,
    };
    JsonClient::new(service, &config, None)
}

async fn call(response: Response<Bytes>) -> Result<Value, AwsError> {
    let client = client(JsonService::SQS, &Replay::new([response]));
    client.call("AmazonSQS.SendMessage", b"{}".to_vec()).await
}

/// Code and message of the error that a response is.
async fn service_error(response: Response<Bytes>) -> (Option<String>, Option<String>) {
    match call(response).await {
        Err(AwsError::Service(error)) => (error.code, error.message),
        result => panic!("{result:?}"),
    }
}

#[tokio::test]
async fn a_call_is_a_signed_post() {
    for (service, host, content_type, query_mode, name) in [
        (JsonService::SQS, "sqs", "application/x-amz-json-1.0", Some("true"), "SQS"),
        (
            JsonService::SECRETS_MANAGER,
            "secretsmanager",
            "application/x-amz-json-1.1",
            None,
            "Secrets Manager",
        ),
    ] {
        let replay = Replay::new([response(200, "{}"), response(400, "")]);
        let client = client(service, &replay);
        let endpoint = format!("https://{host}.eu-central-1.amazonaws.com");
        assert_eq!(client.endpoint(), endpoint);
        let _: Value = client.call("A.Call", b"{\"In\":1}".to_vec()).await.unwrap();
        let [request] = replay.requests().try_into().unwrap();
        let header = |name| Some(request.headers().get(name)?.to_str().unwrap());
        assert_eq!(request.method(), "POST");
        assert_eq!(*request.uri(), *format!("{endpoint}/"));
        assert_eq!(header("content-type"), Some(content_type));
        assert_eq!(header("x-amz-target"), Some("A.Call"));
        assert_eq!(header("x-amzn-query-mode"), query_mode);
        let scope = format!("Credential=AKID/19700101/eu-central-1/{host}/aws4_request");
        assert!(header("authorization").unwrap().contains(&scope));
        assert_eq!(request.body(), "{\"In\":1}");
        let error = client.call::<Value>("A.Call", Vec::new()).await.unwrap_err();
        let expected = format!("{name} responded 400 without a code: no message");
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn returns_the_output() {
    let output = call(response(200, r#"{"MessageId":"1"}"#)).await.unwrap();
    assert_eq!(output.get("MessageId").unwrap(), "1");
}

#[tokio::test]
async fn an_error_code_loses_its_namespace_and_url() {
    for code in [
        "FooError",
        "aws.protocoltests.restjson#FooError",
        "FooError:http://internal.amazon.com/coral/com.amazon.coral.validate/",
        "com.amazon#FooError:http://internal.amazon.com/coral/com.amazon.coral.validate/",
    ] {
        for name in ["__type", "code"] {
            let body = format!(r#"{{"{name}":"{code}"}}"#);
            let (found, _) = service_error(response(400, body)).await;
            assert_eq!(found.as_deref(), Some("FooError"), "{name} {code}");
        }
        let mut rejection = response(400, r#"{"__type":"BarError"}"#);
        let headers = rejection.headers_mut();
        headers.insert("x-amzn-errortype", code.try_into().unwrap());
        let (found, _) = service_error(rejection).await;
        assert_eq!(found.as_deref(), Some("FooError"), "{code}");
    }
}

#[tokio::test]
async fn the_query_protocols_code_has_priority() {
    let mut rejection = response(400, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#);
    let code = "AWS.SimpleQueueService.NonExistentQueue;Sender";
    let headers = rejection.headers_mut();
    headers.insert("x-amzn-query-error", code.try_into().unwrap());
    let (found, _) = service_error(rejection).await;
    let expected = "AWS.SimpleQueueService.NonExistentQueue";
    assert_eq!(found.as_deref(), Some(expected));
}

#[tokio::test]
async fn finds_the_message_under_each_of_its_names() {
    for name in ["message", "Message", "errorMessage"] {
        let body = format!(r#"{{"__type":"FooError","{name}":"why"}}"#);
        let (_, message) = service_error(response(400, body)).await;
        assert_eq!(message.as_deref(), Some("why"), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_response_of_a_proxy_has_no_code() {
    for (status, body) in [
        (302, ""),
        (403, "<html>no</html>"),
        (502, "<html>bad gateway</html>"),
        (503, "{\"__type\":"),
        (400, "[]"),
        (400, r#"{"__type":5,"message":{}}"#),
    ] {
        assert_eq!(service_error(response(status, body)).await, (None, None));
    }
}

#[tokio::test]
async fn an_error_does_not_quote_the_response() {
    for body in ["sensitive", r#"{"SecretString":"sensitive"#, r#"["sensitive"]"#, r#""sensitive""#]
    {
        let client = client(JsonService::SECRETS_MANAGER, &Replay::new([response(200, body)]));
        let result = client.call::<std::net::Ipv4Addr>("A.Call", Vec::new());
        let error = result.await.unwrap_err();
        assert!(matches!(error, AwsError::Invalid(_)), "{error:?}");
        assert!(!format!("{error:?}").contains("sensitive"), "{error:?}");
    }
}
