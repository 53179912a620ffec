//! Following a queue at the wire, in a time of its own: what is asked when, and what messages go through.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::aws::offline;
use crate::stack::{Entity, Stack};
use serde_json::{Value, json};
use tokio::sync::mpsc::channel;

const NOTHING: &str = "{}";
const CHANGED: &str = r#"{"Successful": [], "Failed": []}"#;

fn standing(waiting: u32) -> String {
    let policy = r#"{"maxReceiveCount":5}"#;
    json!({"Attributes": {"ApproximateNumberOfMessages": waiting.to_string(), "RedrivePolicy": policy}})
        .to_string()
}

fn messages(of: &[(&str, u32)]) -> String {
    let message = |(id, receives): &(&str, u32)| {
        let system = json!({"ApproximateReceiveCount": receives.to_string()});
        json!({"MessageId": id, "ReceiptHandle": format!("{id}/{receives}"), "Body": "body", "Attributes": system})
    };
    json!({"Messages": of.iter().map(message).collect::<Vec<_>>()}).to_string()
}

fn care(receives: u32) -> Care {
    Care { hold: Duration::from_secs(5), receives, keep: Duration::from_secs(600) }
}

struct Followed {
    shown: Vec<String>,
    trouble: Option<String>,
    farewell: Farewell,
    asked: Vec<(String, Value)>,
}

impl Followed {
    fn calls(&self, of: &str) -> usize {
        self.asked.iter().filter(|(call, _)| call == of).count()
    }

    /// The handles of what was made visible again, in each call.
    fn released(&self) -> Vec<Vec<String>> {
        let calls = self.asked.iter().map(|(_, request)| &request["Entries"]);
        let entries = calls.filter_map(Value::as_array);
        let released = entries.filter(|them| them[0]["VisibilityTimeout"] == 0);
        let handle = |entry: &Value| entry["ReceiptHandle"].as_str().unwrap().to_owned();
        let handles = released.map(|them| {
            let mut handles: Vec<_> = them.iter().map(handle).collect();
            handles.sort();
            handles
        });
        handles.collect()
    }
}

/// Follows a queue that answers so; then it is no queue any more, which ends it.
async fn followed(care: Care, answers: &[String]) -> Followed {
    let answers: Vec<_> = answers.iter().map(|answer| (200, answer.as_str())).collect();
    let gone = r#"{"__type": "QueueDoesNotExist", "message": "Gone."}"#;
    let answers = [&answers[..], &[(400, gone), (200, CHANGED), (200, CHANGED)]].concat();
    let (clients, client) = offline(&answers);
    let url = ("LabelQueueUrl".to_owned(), "https://sqs/queue".to_owned());
    let stack = Stack::new("relay", [url].into());
    let queue = LiveQueue::new(&clients, &stack, Entity::Label, false).unwrap();
    let (line, mut found) = channel(100);
    let farewell = follow(queue, care, line).await;
    let (mut shown, mut trouble) = (Vec::new(), None);
    while let Some(next) = found.recv().await {
        match next {
            Ok((_, _, received)) => shown.push(received.message_id),
            Err(error) => trouble = Some(error.line()),
        }
    }
    let asked = client.actual_requests().map(|request| {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap();
        (target.replace("AmazonSQS.", ""), body)
    });
    Followed { shown, trouble, farewell, asked: asked.collect() }
}

fn texts(answers: &[&str]) -> Vec<String> {
    answers.iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_look_has_seen_is_given_back_and_then_only_counted() {
    let two = messages(&[("a", 1), ("b", 1)]);
    let waiting = standing(2);
    let answers = [&standing(0), &two, NOTHING, CHANGED, &waiting, &waiting, &waiting];
    let followed = followed(care(2), &texts(&answers)).await;
    assert_eq!(followed.shown, ["a", "b"]);
    assert_eq!(followed.released(), [["a/1", "b/1"]]);
    assert_eq!(followed.calls("ReceiveMessage"), 2);
    assert!(followed.trouble.unwrap().contains("sqs:GetQueueAttributes"));
}

#[tokio::test(start_paused = true)]
async fn when_more_waits_it_looks_again_and_keeps_what_has_cost_enough_until_the_end() {
    let again = messages(&[("a", 2), ("b", 1)]);
    let answers = [
        &standing(0),
        &messages(&[("a", 1)]),
        NOTHING,
        CHANGED,
        &standing(2),
        &again,
        NOTHING,
        CHANGED,
    ];
    let followed = followed(care(2), &texts(&answers)).await;
    assert_eq!(followed.shown, ["a", "b"]);
    assert_eq!(followed.released(), [["a/1"], ["b/1"], ["a/2"]]);
}

#[tokio::test(start_paused = true)]
async fn less_is_believed_after_a_while_and_then_a_receive_waits_for_more() {
    let none = standing(0);
    let answers = [
        &none,
        &messages(&[("a", 1)]),
        NOTHING,
        CHANGED,
        &none,
        &none,
        &none,
        &none,
        &none,
        &messages(&[("b", 1)]),
        NOTHING,
        CHANGED,
    ];
    let followed = followed(care(2), &texts(&answers)).await;
    assert_eq!(followed.shown, ["a", "b"]);
    assert_eq!(followed.calls("ReceiveMessage"), 4);
}

#[tokio::test(start_paused = true)]
async fn messages_without_a_receive_left_are_counted() {
    let answers = [&standing(0), &messages(&[("a", 5), ("b", 4), ("c", 6)]), NOTHING, CHANGED];
    let followed = followed(care(2), &texts(&answers)).await;
    assert_eq!(followed.farewell.spent, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_too_long_is_given_back_and_the_queue_left_alone() {
    let care = Care { keep: Duration::ZERO, ..care(1) };
    let answers = [&standing(0), &messages(&[("a", 1)]), NOTHING, CHANGED];
    let followed = followed(care, &texts(&answers)).await;
    assert_eq!(followed.released(), [["a/1"]]);
    assert!(followed.farewell.was_cut_short);
    assert_eq!(followed.trouble, None);
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_something_kept_is_counted_once() {
    let behind = standing(1);
    let answers = [
        &standing(0),
        &messages(&[("a", 1)]),
        NOTHING,
        &behind,
        NOTHING,
        &behind,
        &behind,
        &standing(2),
        NOTHING,
    ];
    let followed = followed(care(1), &texts(&answers)).await;
    assert_eq!(followed.farewell.unseen, 2);
    assert_eq!(followed.calls("ReceiveMessage"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_takes_too_long_gives_back_and_lets_others_go_first() {
    let care = Care { hold: Duration::ZERO, ..care(2) };
    let answers = [&standing(0), &messages(&[("a", 1)]), CHANGED, &standing(1), &standing(2)];
    let followed = followed(care, &texts(&answers)).await;
    assert_eq!(followed.released(), [["a/1"]]);
    assert_eq!(followed.calls("ReceiveMessage"), 2);
}

#[tokio::test(start_paused = true)]
async fn nobody_who_listens_ends_it_with_everything_given_back() {
    let (standing, two) = (standing(0), messages(&[("a", 1), ("b", 1)]));
    let answers = [&*standing, &*two, CHANGED].map(|it| (200, it));
    let (clients, client) = offline(&answers);
    let url = ("LabelQueueUrl".to_owned(), "https://sqs/queue".to_owned());
    let stack = Stack::new("relay", [url].into());
    let queue = LiveQueue::new(&clients, &stack, Entity::Label, false).unwrap();
    let (line, mut found) = channel(1);
    let listen = async {
        let first = found.recv().await;
        found.close();
        first
    };
    let (farewell, first) = tokio::join!(follow(queue, care(1), line), listen);
    assert!(matches!(first, Some(Ok(_))));
    assert_eq!(farewell, Farewell { queue: "label".to_owned(), ..Farewell::default() });
    assert_eq!(client.actual_requests().count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_given_back_is_told() {
    let answers = texts(&[&standing(0), &messages(&[("a", 1)]), NOTHING]);
    let answers: Vec<_> = answers.iter().map(|it| (200, it.as_str())).collect();
    let denied = r#"{"__type": "AccessDenied", "message": "No."}"#;
    let answers = [&answers[..], &[(403, denied), (403, denied)]].concat();
    let (clients, _) = offline(&answers);
    let url = ("LabelQueueUrl".to_owned(), "https://sqs/queue".to_owned());
    let stack = Stack::new("relay", [url].into());
    let queue = LiveQueue::new(&clients, &stack, Entity::Label, false).unwrap();
    let (line, _found) = channel(100);
    let farewell = follow(queue, care(2), line).await;
    assert_eq!(farewell.not_given_back.as_deref(), Some("AccessDenied: No."));
}
