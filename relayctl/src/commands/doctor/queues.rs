//! The queues: whether each is there, and gives what fails to a dead-letter queue of its own.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::{ask, is_gone};
use crate::aws::stack::{Entity, Stack};
use crate::error::Error;
use aws_sdk_sqs::types::QueueAttributeName;
use clap::ValueEnum;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// After so many receives a message is a dead letter, by the template.
const RECEIVES: u32 = 5;
const USUAL_DAYS: u64 = 14;
const SECONDS_OF_DAY: u64 = 86_400;

type Attributes = HashMap<QueueAttributeName, String>;

/// Judges every queue with its dead-letter queue.
pub async fn look(visit: &Visit<'_>) -> Vec<Finding> {
    let queues = Entity::value_variants().iter();
    join_all(queues.map(|entity| look_at(visit, *entity))).await
}

async fn look_at(visit: &Visit<'_>, entity: Entity) -> Finding {
    let name = format!("queue {}", entity.name());
    let stack = visit.stack;
    let urls = (stack.queue_url(entity), stack.dead_letter_queue_url(entity));
    let (Ok(url), Ok(dead_url)) = urls else {
        let says = "the stack does not say where it is";
        return Finding::problem(name, says, mend::deploy(stack));
    };
    let (queue, dead) = tokio::join!(read(visit, url), read(visit, dead_url));
    match (queue, dead) {
        (_, Err(error)) if is_gone(&error) => {
            let name = format!("{name} dead letters");
            gone(name, dead_url, given(dead_url, stack))
        }
        (Err(error), Ok(dead)) if is_gone(&error) => gone(name, url, living(url, &dead, stack)),
        (Err(error), _) => Finding::of_trouble(name, &error),
        (_, Err(error)) => Finding::of_trouble(format!("{name} dead letters"), &error),
        (Ok(queue), Ok(dead)) => {
            let wrong_kind = judge_kind(&name, stack, [url, dead_url]);
            let wrong = wrong_kind.or_else(|| judge_redrive(&name, url, &queue, &dead));
            let wrong = wrong.or_else(|| judge_retention(&name, url, &queue, stack));
            let wrong = wrong.or_else(|| judge_retention(&name, dead_url, &dead, stack));
            let says = "is there, and has a dead-letter queue of its own";
            wrong.unwrap_or_else(|| Finding::ok(name, says))
        }
    }
}

async fn read(visit: &Visit<'_>, url: &str) -> Result<Attributes, Error> {
    let question = visit.clients.sqs.get_queue_attributes().queue_url(url);
    let question = question.attribute_names(QueueAttributeName::All).send();
    let answer = ask("sqs:GetQueueAttributes", question).await?;
    Ok(answer.attributes.unwrap_or_default())
}

fn gone(name: String, url: &str, attributes: Value) -> Finding {
    let queue = url.rsplit('/').next().unwrap_or(url);
    let mend = mend::make_queue(queue, &attributes);
    let mend = format!("a minute after it was deleted, which SQS wants: {mend}");
    Finding::problem(name, format!("{queue} is gone"), mend)
}

/// What the template gives a queue.
fn given(url: &str, stack: &Stack) -> Value {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "DenyPlainHttp", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*",
         "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    ]});
    let mut given = json!({
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": retention(stack),
        "Policy": policy.to_string(),
    });
    let more = match stack.parameter("KmsKeyArn") {
        Some(key) => json!({"KmsMasterKeyId": key}),
        None => json!({"SqsManagedSseEnabled": "true"}),
    };
    let fifo = json!({
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    });
    extend(&mut given, more);
    if url.ends_with(".fifo") {
        extend(&mut given, fifo);
    }
    given
}

/// What the template gives a queue that consumers read.
fn living(url: &str, dead: &Attributes, stack: &Stack) -> Value {
    let redrive = redrive_policy(dead);
    let mut living = given(url, stack);
    extend(&mut living, json!({"VisibilityTimeout": "60", "RedrivePolicy": redrive}));
    living
}

fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// In seconds.
fn retention(stack: &Stack) -> String {
    let days = stack.parameter("RetentionDays").and_then(|it| it.parse().ok());
    (days.unwrap_or(USUAL_DAYS) * SECONDS_OF_DAY).to_string()
}

fn redrive_policy(dead: &Attributes) -> String {
    let arn = get(dead, QueueAttributeName::QueueArn);
    json!({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES}).to_string()
}

fn get(of: &Attributes, name: QueueAttributeName) -> &str {
    of.get(&name).map(String::as_str).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redrive {
    dead_letter_target_arn: String,
    max_receive_count: Value,
}

/// A FIFO queue's name says that it is one.
fn judge_kind(name: &str, stack: &Stack, urls: [&str; 2]) -> Option<Finding> {
    let wanted = stack.parameter("QueueType")?;
    let is_fifo = wanted == "fifo";
    let other = urls.iter().find(|url| url.ends_with(".fifo") != is_fifo)?;
    let says = format!("{other} is no {wanted} queue, which QueueType says");
    Some(Finding::problem(name, says, mend::deploy(stack)))
}

fn judge_redrive(name: &str, url: &str, queue: &Attributes, dead: &Attributes) -> Option<Finding> {
    let mend = mend::set_queue(url, &json!({"RedrivePolicy": redrive_policy(dead)}));
    let policy = get(queue, QueueAttributeName::RedrivePolicy);
    let Ok(redrive) = serde_json::from_str::<Redrive>(policy) else {
        let says = "keeps what fails for ever in front: it has no dead-letter queue";
        return Some(Finding::problem(name, says, mend));
    };
    let target = redrive.dead_letter_target_arn;
    if target != get(dead, QueueAttributeName::QueueArn) {
        let says = format!("gives what fails to {target}, which is not its own");
        return Some(Finding::problem(name, says, mend));
    }
    let receives = redrive.max_receive_count.to_string();
    if receives.trim_matches('"') != RECEIVES.to_string() {
        let says = format!("gives up after {receives} receives, not {RECEIVES}");
        return Some(Finding::warning(name, says, mend));
    }
    None
}

fn judge_retention(name: &str, url: &str, queue: &Attributes, stack: &Stack) -> Option<Finding> {
    let days = stack.parameter("RetentionDays")?;
    let seconds = get(queue, QueueAttributeName::MessageRetentionPeriod);
    let wanted = retention(stack);
    if seconds == wanted {
        return None;
    }
    let queue = url.rsplit('/').next().unwrap_or(url);
    let says =
        format!("{queue} keeps messages for {seconds} s, not the {days} days of RetentionDays");
    let mend = mend::set_queue(url, &json!({"MessageRetentionPeriod": wanted}));
    Some(Finding::warning(name, says, mend))
}

#[cfg(test)]
mod tests;
