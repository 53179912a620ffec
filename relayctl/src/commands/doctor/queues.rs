//! Queues and dead-letter queues: whether each exists, with its policy. CloudFormation compares the other attributes.

use super::CheckContext;
use super::check::Check;
use super::template::{Template, quote_json, text};
use crate::aws;
use crate::aws::stack::Entity;
use crate::cli::{GlobalArgs, quote};
use crate::error::AwsErrorKind;
use aws_sdk_sqs::types::QueueAttributeName;
use clap::ValueEnum;
use futures_util::future::join_all;
use serde_json::{Map, Value};

/// Properties that are not attributes of SQS.
const NOT_ATTRIBUTES: [&str; 2] = ["QueueName", "Tags"];
const POLICY: &str = "Policy";

pub async fn check(scope: &CheckContext<'_>) -> Vec<Check> {
    let queues = Entity::value_variants().iter().flat_map(|entity| {
        let name = format!("queue {}", entity.name());
        // Dead-letter queues come first: a deleted one has to exist before its queue can be created.
        [
            (format!("{name} dead letters"), scope.stack.dead_letter_queue_url(*entity).ok()),
            (name, scope.stack.queue_url(*entity).ok()),
        ]
    });
    let checks = queues.filter_map(|(name, url)| Some(check_queue(name, url?, scope)));
    join_all(checks).await
}

async fn check_queue(name: String, url: &str, scope: &CheckContext<'_>) -> Check {
    let expected = scope.template().and_then(|template| attributes(template, url));
    let request = scope.clients.sqs.get_queue_attributes().queue_url(url);
    let response = request.attribute_names(QueueAttributeName::Policy).send().await;
    match response.map_err(|it| aws::error("sqs:GetQueueAttributes", &it)) {
        Ok(response) => {
            let policy = response.attributes().and_then(|it| it.get(&QueueAttributeName::Policy));
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
            Check::problem(name, message).run(expected.map(|attributes| {
                scope.args.aws(&format!(
                    "sqs create-queue --queue-name {} --attributes {}",
                    quote(queue),
                    quote_json(&attributes)
                ))
            }))
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
    args.aws(&format!(
        "sqs set-queue-attributes --queue-url {} --attributes {}",
        quote(url),
        quote_json(&attributes)
    ))
}

/// The attributes that the template gives a queue, its policy included.
fn attributes(template: &Template<'_>, url: &str) -> Option<Map<String, Value>> {
    let properties = template.properties(template.logical_id("AWS::SQS::Queue", url)?)?;
    let properties = properties.as_object()?.iter();
    let mut attributes: Map<_, _> = properties
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
