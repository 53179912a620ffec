//! The queues: whether each is there, and gives what fails to a dead-letter queue of its own.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::{ask, is_gone};
use crate::stack::Entity;
use crate::trouble::Trouble;
use aws_sdk_sqs::types::QueueAttributeName;
use clap::ValueEnum;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;

/// After so many receives a message is a dead letter, by the template.
const RECEIVES: u32 = 5;

type Attributes = HashMap<QueueAttributeName, String>;

/// Judges every queue with its dead-letter queue.
pub async fn look(visit: &Visit<'_>) -> Vec<Finding> {
    let queues = Entity::value_variants().iter();
    join_all(queues.map(|entity| look_at(visit, *entity))).await
}

async fn look_at(visit: &Visit<'_>, entity: Entity) -> Finding {
    let name = format!("queue {}", entity.name());
    let urls = (
        visit.stack.queue_url(entity),
        visit.stack.dead_letter_queue_url(entity),
    );
    let (Ok(url), Ok(dead_url)) = urls else {
        let says = "the stack does not say where it is";
        return Finding::problem(name, says, mend::deploy(visit.stack));
    };
    let (queue, dead) = tokio::join!(read(visit, url), read(visit, dead_url));
    match (queue, dead) {
        (Ok(queue), Ok(dead)) => judge(
            name,
            url,
            &queue,
            &dead,
            visit.stack.parameter("RetentionDays"),
        ),
        (Err(trouble), _) => of_trouble(name, url, &trouble),
        (_, Err(trouble)) => of_trouble(format!("{name} dead letters"), dead_url, &trouble),
    }
}

async fn read(visit: &Visit<'_>, url: &str) -> Result<Attributes, Trouble> {
    let question = visit.clients.sqs.get_queue_attributes().queue_url(url);
    let question = question.attribute_names(QueueAttributeName::All).send();
    let answer = ask("sqs:GetQueueAttributes", question).await?;
    Ok(answer.attributes.unwrap_or_default())
}

fn of_trouble(name: String, url: &str, trouble: &Trouble) -> Finding {
    if !is_gone(trouble) {
        return Finding::of_trouble(name, trouble);
    }
    let queue = url.rsplit('/').next().unwrap_or(url);
    let attributes = if queue.ends_with(".fifo") {
        json!({"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"})
    } else {
        json!({})
    };
    let says = format!("{queue} is gone");
    let mend = format!(
        "{} makes it anew, or deploy a new stack; SQS takes the name again after a minute",
        mend::make_queue(queue, &attributes)
    );
    Finding::problem(name, says, mend)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redrive {
    dead_letter_target_arn: String,
    max_receive_count: serde_json::Value,
}

fn judge(
    name: String,
    url: &str,
    queue: &Attributes,
    dead: &Attributes,
    retention_days: Option<&str>,
) -> Finding {
    let get = |of: &Attributes, name| of.get(&name).cloned().unwrap_or_default();
    let dead_arn = get(dead, QueueAttributeName::QueueArn);
    let wanted = json!({"deadLetterTargetArn": dead_arn, "maxReceiveCount": RECEIVES}).to_string();
    let policy = get(queue, QueueAttributeName::RedrivePolicy);
    let mend = mend::set_queue(url, &json!({"RedrivePolicy": wanted}));
    let Ok(redrive) = serde_json::from_str::<Redrive>(&policy) else {
        let says = "keeps what fails for ever in front: it has no dead-letter queue";
        return Finding::problem(name, says, mend);
    };
    if redrive.dead_letter_target_arn != dead_arn {
        let says = format!(
            "gives what fails to {}, which is not its own",
            redrive.dead_letter_target_arn
        );
        return Finding::problem(name, says, mend);
    }
    if redrive.max_receive_count.to_string().trim_matches('"') != RECEIVES.to_string() {
        let says = format!(
            "gives up after {} receives, not {RECEIVES}",
            redrive.max_receive_count
        );
        return Finding::warning(name, says, mend);
    }
    let seconds = get(queue, QueueAttributeName::MessageRetentionPeriod);
    let days = seconds.parse::<u64>().unwrap_or_default() / 86_400;
    if retention_days.is_some_and(|wanted| wanted != days.to_string()) {
        let says = format!("keeps messages for {days} days, which is not RetentionDays");
        let wanted = retention_days
            .and_then(|days| days.parse::<u64>().ok())
            .unwrap_or(14)
            * 86_400;
        let mend = mend::set_queue(url, &json!({"MessageRetentionPeriod": wanted.to_string()}));
        return Finding::warning(name, says, mend);
    }
    Finding::ok(
        name,
        format!("keeps messages for {days} days, and its dead letters apart"),
    )
}
