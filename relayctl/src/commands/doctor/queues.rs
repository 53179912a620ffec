//! Queues and dead-letter queues: whether each exists, with its policy. CloudFormation compares the other attributes.

use super::CheckContext;
use super::check::Check;
use super::template::{Template, quote_json, text};
use crate::aws::queue::Queue;
use crate::aws::stack::Entity;
use crate::cli::{GlobalArgs, quote};
use crate::error::{AwsErrorKind, Error};
use aws_sdk_sqs::types::QueueAttributeName;
use clap::ValueEnum;
use futures_util::future::join_all;
use serde_json::{Map, Value};

/// Properties that are not attributes of SQS.
const NOT_ATTRIBUTES: [&str; 2] = ["QueueName", "Tags"];
const POLICY: &str = "Policy";

pub async fn check(scope: &CheckContext<'_>) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::new();
    for entity in Entity::value_variants() {
        // A deleted dead-letter queue has to exist before its queue can be created.
        for is_dead_letter_queue in [true, false] {
            let queue = Queue::new(scope.clients, scope.stack, *entity, is_dead_letter_queue)?;
            checks.push(check_queue(queue, scope));
        }
    }
    Ok(join_all(checks).await)
}

async fn check_queue(queue: Queue<'_>, scope: &CheckContext<'_>) -> Check {
    let (name, url) = (format!("queue {}", queue.name()), queue.url);
    let expected = scope.template().and_then(|template| expected(template, url));
    match queue.attributes().await {
        Ok(actual) => {
            let policy = actual.get(&QueueAttributeName::Policy);
            match expected.and_then(|mut expected| expected.remove_entry(POLICY)) {
                Some(expected) if policy.is_none_or(String::is_empty) => {
                    let message = "has no policy, so requests without TLS are allowed";
                    let set = set_queue_attributes(url, [expected], scope.args);
                    Check::problem(name, message).run([set])
                }
                _ => Check::ok(name, "exists"),
            }
        }
        Err(error) if error.kind == AwsErrorKind::NotFound => {
            let queue = url.rsplit('/').next().unwrap_or(url);
            let message = format!("{queue} is deleted; SQS accepts its name again 60 s after that");
            let create = expected.map(|attributes| {
                let (queue, attributes) = (quote(queue), quote_json(&attributes));
                format!("sqs create-queue --queue-name {queue} --attributes {attributes}")
            });
            Check::problem(name, message).run(create.map(|create| scope.args.aws(&create)))
        }
        Err(error) => Check::failed(name, &error.into(), scope.args),
    }
}

/// The command that sets attributes of a queue. SQS takes all values as texts.
pub fn set_queue_attributes(
    url: &str,
    attributes: impl IntoIterator<Item = (String, Value)>,
    args: &GlobalArgs,
) -> String {
    let attributes: Map<_, _> =
        attributes.into_iter().map(|(name, value)| (name, text(&value).into())).collect();
    let (url, attributes) = (quote(url), quote_json(&attributes));
    args.aws(&format!("sqs set-queue-attributes --queue-url {url} --attributes {attributes}"))
}

/// The attributes that the template gives a queue, its policy included.
fn expected(template: &Template<'_>, url: &str) -> Option<Map<String, Value>> {
    let properties = template.properties_of("AWS::SQS::Queue", url)?;
    let mut attributes: Map<_, _> = properties
        .as_object()?
        .iter()
        .filter(|(name, _)| !NOT_ATTRIBUTES.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), text(value).into()))
        .collect();
    let policy = template.all_properties("AWS::SQS::QueuePolicy").find(|policy| {
        let queues = policy.get("Queues").and_then(Value::as_array);
        queues.is_some_and(|queues| queues.iter().any(|it| it == url))
    });
    if let Some(document) = policy.as_ref().and_then(|policy| policy.get("PolicyDocument")) {
        attributes.insert(POLICY.to_owned(), document.to_string().into());
    }
    Some(attributes)
}
