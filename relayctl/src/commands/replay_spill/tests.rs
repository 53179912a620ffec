//! Replaying at the wire: when an object is deleted, and when it stays.

use super::*;
use crate::aws::{ETAG, offline};
use std::collections::HashMap;
use time::OffsetDateTime;

const KEY: &str = "spill/unrouted/2026/11/23/d.json";
const RECORD: &str = r#"{"MessageBody": "body", "MessageAttributes": {
    "entity": {"DataType": "String", "StringValue": "unrouted"}, "dedup_id": {"DataType": "String", "StringValue": "d"}}}"#;
/// The checksums are those of `hashlib.md5`, in Python.
const CONFIRMED: &str = r#"{"Successful": [{"Id": "0", "MessageId": "3", "MD5OfMessageBody": "841a2d689ad86bd1611447453c22c6fc",
    "MD5OfMessageAttributes": "e80e66cab965c752a57c7d51302e1a49"}], "Failed": []}"#;

/// Replays one object with these answers: how often AWS was asked, and what became of it. Only what was read is deleted.
async fn replay(answers: &[(u16, &str)]) -> (usize, Result<Outcome, String>) {
    let (clients, asked) = offline(answers);
    let url = ("UnroutedQueueUrl".to_owned(), "https://sqs/queue".to_owned());
    let stack = Stack::new("relay", HashMap::from([url]));
    let filter = Filter::default();
    let replay = Replay {
        clients: &clients,
        stack: &stack,
        bucket: "bucket",
        filter: &filter,
        now: OffsetDateTime::UNIX_EPOCH,
        dry_run: false,
    };
    let outcome = replay.one(KEY).await;
    let deletes = asked.actual_requests().filter(|it| it.method() == "DELETE");
    for delete in deletes {
        assert_eq!(delete.headers().get("if-match"), Some(ETAG));
    }
    (asked.actual_requests().count(), outcome)
}

fn refused(code: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>No.</Message></Error>")
}

#[tokio::test]
async fn a_confirmed_message_leaves_the_bucket() {
    let replayed = replay(&[(200, RECORD), (200, CONFIRMED), (204, "")]).await;
    assert_eq!(replayed, (3, Ok(Outcome::Moved)));
}

#[tokio::test]
async fn without_a_right_confirmation_nothing_is_deleted() {
    let wrong =
        CONFIRMED.replace("e80e66cab965c752a57c7d51302e1a49", "d41d8cd98f00b204e9800998ecf8427e");
    let (asked, outcome) = replay(&[(200, RECORD), (200, &wrong)]).await;
    assert_eq!(asked, 2);
    assert!(outcome.is_err_and(|reason| reason.contains("does not confirm the message")));
}

#[tokio::test]
async fn what_somebody_else_has_done_is_done() {
    let gone = refused("NoSuchKey");
    assert_eq!(replay(&[(404, &gone)]).await, (1, Ok(Outcome::Gone)));
    let replayed = replay(&[(200, RECORD), (200, CONFIRMED), (404, &gone)]).await;
    assert_eq!(replayed, (3, Ok(Outcome::SentAndGone)));
}

#[tokio::test]
async fn what_was_spilled_again_meanwhile_stays() {
    let changed = refused("PreconditionFailed");
    let (_, outcome) = replay(&[(200, RECORD), (200, CONFIRMED), (412, &changed)]).await;
    assert!(
        matches!(&outcome, Ok(Outcome::SentAndKept(reason)) if reason.contains("spilled again")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_object_that_cannot_be_read_stays_with_the_reason() {
    let (asked, outcome) = replay(&[(403, &refused("AccessDenied"))]).await;
    let expected = "cannot be read: AccessDenied: No.";
    assert_eq!((asked, outcome), (1, Err(expected.to_owned())));
}
