//! What Secrets Manager is asked when the secret is replaced, and what becomes of its refusals.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use aws_smithy_http_client::test_util::StaticReplayClient;
use std::collections::HashMap;

const PUT: (u16, &str) = (200, "{}");
const MOVED: (u16, &str) = (200, "{}");
const NOT_THERE: (u16, &str) = (
    400,
    r#"{"__type":"InvalidParameterException","Message":"AWSCURRENT is not attached to version held"}"#,
);
const DENIED: (u16, &str) = (400, r#"{"__type":"AccessDeniedException","Message":"no"}"#);
const THEIRS: (u16, &str) = (200, r#"{"SecretString":"theirs","VersionId":"theirs"}"#);
const HELD: (u16, &str) = (200, r#"{"SecretString":"held","VersionId":"held"}"#);

async fn replace(answers: &[(u16, &str)]) -> (Result<(), Error>, StaticReplayClient) {
    let (clients, asked) = offline(answers);
    let outputs = HashMap::from([("SecretArn".to_owned(), "arn".to_owned())]);
    let store = Store::of(clients.secrets_manager, &Stack::new("relay", outputs)).unwrap();
    let outcome = store.replace("held", &"new".to_owned().into()).await;
    (outcome, asked)
}

/// Each call, and what it said.
fn said(asked: &StaticReplayClient) -> Vec<(String, serde_json::Value)> {
    let read = |request: &aws_sdk_sqs::config::http::HttpRequest| {
        let target = request.headers().get("x-amz-target").unwrap();
        let body = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        (target.rsplit('.').next().unwrap().to_owned(), body)
    };
    asked.actual_requests().map(read).collect()
}

#[tokio::test]
async fn the_label_moves_from_what_was_held_or_not_at_all() {
    let (outcome, asked) = replace(&[PUT, MOVED, MOVED]).await;
    assert!(outcome.is_ok());
    let [(put, stored), (update, moved), (again, tidied)] = &said(&asked)[..] else {
        panic!("{asked:?}");
    };
    assert_eq!((put.as_str(), update.as_str()), ("PutSecretValue", "UpdateSecretVersionStage"));
    let version = &stored["ClientRequestToken"];
    let label = format!("relayctl-{}", version.as_str().unwrap());
    assert_eq!(stored["VersionStages"], serde_json::json!([label]), "and not AWSCURRENT");
    assert_eq!(stored["SecretString"], "new");
    assert_eq!(moved["VersionStage"], "AWSCURRENT");
    assert_eq!(
        (&moved["MoveToVersionId"], &moved["RemoveFromVersionId"]),
        (version, &"held".into())
    );
    assert_eq!(again, update);
    assert_eq!((&tidied["VersionStage"], &tidied["RemoveFromVersionId"]), (&label.into(), version));
}

#[tokio::test]
async fn somebody_elses_change_stays_and_is_told() {
    let (outcome, asked) = replace(&[PUT, NOT_THERE, THEIRS, MOVED]).await;
    let error = outcome.unwrap_err();
    assert!(
        matches!(&error, Error::Refused(said) if said.contains("run the command again")),
        "{error}"
    );
    let (last, tidied) = said(&asked).pop().unwrap();
    assert_eq!(last, "UpdateSecretVersionStage");
    assert!(tidied["VersionStage"].as_str().unwrap().starts_with("relayctl-"));
}

#[tokio::test]
async fn a_refusal_for_another_reason_is_told_as_what_it_is() {
    let (outcome, _) = replace(&[PUT, DENIED, HELD, MOVED]).await;
    let line = outcome.unwrap_err().to_string();
    assert!(
        line.starts_with("AWS does not allow secretsmanager:UpdateSecretVersionStage"),
        "{line}"
    );
    let (outcome, asked) = replace(&[DENIED]).await;
    let line = outcome.unwrap_err().to_string();
    assert!(line.starts_with("AWS does not allow secretsmanager:PutSecretValue"), "{line}");
    assert_eq!(said(&asked).len(), 1);
}

#[tokio::test]
async fn a_secret_of_bytes_is_no_text_to_edit() {
    let (clients, _) = offline(&[(200, r#"{"SecretBinary":"AAAA","VersionId":"current"}"#)]);
    let outputs = HashMap::from([("SecretArn".to_owned(), "arn".to_owned())]);
    let store = Store::of(clients.secrets_manager, &Stack::new("relay", outputs)).unwrap();
    let error = store.read().await.unwrap().value.err().unwrap();
    assert!(error.to_string().starts_with("the secret's value is binary"), "{error}");
}
