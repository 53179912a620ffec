//! Redriving at the wire: which calls are made, and in which order.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::{Environment, offline};
use crate::cli::GlobalArgs;
use crate::interrupt::Interrupt;
use crate::output::Output;
use std::time::SystemTime;

const RECEIVED: &str = r#"{"Messages": [
    {"MessageId": "1", "ReceiptHandle": "h1", "Body": "body", "MD5OfBody": "841a2d689ad86bd1611447453c22c6fc",
     "Attributes": {"MessageGroupId": "group"}},
    {"MessageId": "2", "ReceiptHandle": "h2", "Body": "body", "MD5OfBody": "841a2d689ad86bd1611447453c22c6fc",
     "Attributes": {"MessageGroupId": "group"}}
]}"#;
const NOTHING: &str = "{}";
const CONFIRMED: &str = r#"{"Successful": [{"Id": "0", "MessageId": "3", "MD5OfMessageBody": "841a2d689ad86bd1611447453c22c6fc"}],
    "Failed": []}"#;
const WRONG: &str = r#"{"Successful": [{"Id": "0", "MessageId": "3", "MD5OfMessageBody": "d41d8cd98f00b204e9800998ecf8427e"}],
    "Failed": []}"#;

fn context() -> Context {
    Context {
        args: GlobalArgs::default(),
        environment: Environment::default(),
        api_key: None,
        api_url: None,
        output: Output::new(false),
        interrupt: Interrupt::listen(),
        clock: || SystemTime::UNIX_EPOCH,
    }
}

/// Redrives labels with these answers: what was asked, and what the account says.
async fn redrive(received: &str, answers: &[&str]) -> (Vec<String>, Summary) {
    let answers: Vec<_> = [r#"{"Attributes": {"ApproximateNumberOfMessages": "2"}}"#, received]
        .iter()
        .chain(answers)
        .map(|answer| (200, *answer))
        .collect();
    let (clients, asked) = offline(&answers);
    let output = |name: &str| (name.to_owned(), "https://sqs/queue.fifo".to_owned());
    let outputs = HashMap::from(["LabelQueueUrl", "LabelDeadLetterQueueUrl"].map(output));
    let stack = Stack::new("relay", outputs);
    let context = context();
    let command =
        Redrive { queue: Queues(vec![Entity::Label]), dry_run: false, filter: Filter::default() };
    let mut summary = Summary::new(false);
    super::redrive(&command, &context, &clients, &stack, &mut summary).await.unwrap();
    let target = |request: &aws_sdk_sqs::config::http::HttpRequest| {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        target.replace("AmazonSQS.", "")
    };
    let asked = asked.actual_requests().skip(1).map(target).collect();
    (asked, summary)
}

fn count(asked: &[String], target: &str) -> usize {
    asked.iter().filter(|asked| *asked == target).count()
}

#[tokio::test]
async fn a_dead_letter_is_deleted_when_its_copy_is_confirmed() {
    let (asked, summary) =
        redrive(RECEIVED, &[CONFIRMED, NOTHING, CONFIRMED, NOTHING, NOTHING]).await;
    let one = ["SendMessageBatch", "DeleteMessage"];
    assert_eq!(asked, [&["ReceiveMessage"][..], &one, &one, &["ReceiveMessage"]].concat());
    assert_eq!(summary.exit_status().code(), 0);
}

#[tokio::test]
async fn without_a_right_confirmation_nothing_is_deleted_and_all_of_the_group_stays() {
    let (asked, summary) = redrive(RECEIVED, &[WRONG, NOTHING, NOTHING, NOTHING]).await;
    let released = "ChangeMessageVisibilityBatch";
    assert_eq!(asked, ["ReceiveMessage", "SendMessageBatch", "ReceiveMessage", released]);
    assert_eq!(summary.exit_status().code(), 1);
    let text = summary.to_string();
    assert!(text.contains("label 1: the response does not confirm the message"), "{text}");
    assert!(text.contains("label 2: held back by 1"), "{text}");
}

#[tokio::test]
async fn what_was_damaged_on_its_way_is_not_sent() {
    let damaged = RECEIVED.replace("\"body\"", "\"bodY\"");
    let (asked, summary) = redrive(&damaged, &[NOTHING, NOTHING, NOTHING]).await;
    assert_eq!(count(&asked, "SendMessageBatch"), 0, "{asked:?}");
    assert_eq!(summary.exit_status().code(), 1);
}

#[tokio::test]
async fn what_comes_again_is_not_tried_again() {
    let (asked, summary) =
        redrive(RECEIVED, &[WRONG, RECEIVED, NOTHING, NOTHING, NOTHING, NOTHING]).await;
    assert_eq!(count(&asked, "SendMessageBatch"), 1, "{asked:?}");
    let text = summary.to_string();
    assert!(text.starts_with("found               2\n"), "{text}");
}

#[tokio::test]
async fn a_group_is_held_back_in_later_batches_too() {
    let later = RECEIVED.replace("\"MessageId\": \"2\"", "\"MessageId\": \"4\"");
    let (asked, summary) = redrive(RECEIVED, &[WRONG, &later, NOTHING]).await;
    assert_eq!(count(&asked, "SendMessageBatch"), 1, "{asked:?}");
    let text = summary.to_string();
    let held_back = "2 messages: held back by 1, which comes before it in its group\n    label 2\n    label 4\n";
    assert!(text.contains(held_back), "{text}");
}

#[tokio::test]
async fn what_is_handed_out_after_its_deletion_is_deleted_again_and_ends_nothing() {
    let later = RECEIVED.replace("\"MessageId\": \"2\"", "\"MessageId\": \"4\"");
    let answers = [
        CONFIRMED, NOTHING, CONFIRMED, NOTHING, RECEIVED, NOTHING, NOTHING, &later, NOTHING,
        CONFIRMED, NOTHING, NOTHING,
    ];
    let (asked, summary) = redrive(RECEIVED, &answers).await;
    assert_eq!(count(&asked, "DeleteMessage"), 6, "{asked:?}");
    let text = summary.to_string();
    assert!(text.contains("sent                3\n"), "{text}");
    assert_eq!(summary.exit_status().code(), 0);
}

#[tokio::test]
async fn what_dies_again_meanwhile_does_not_go_round_for_ever() {
    let died_again = RECEIVED.replace("\"MessageId\": \"1\"", "\"MessageId\": \"3\"");
    let (asked, summary) =
        redrive(RECEIVED, &[CONFIRMED, NOTHING, CONFIRMED, NOTHING, &died_again, NOTHING, NOTHING])
            .await;
    assert_eq!(count(&asked, "SendMessageBatch"), 2, "{asked:?}");
    let text = summary.to_string();
    assert!(text.contains("label 3: it went back and died again"), "{text}");
}
