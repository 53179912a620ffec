//! Queues and dead-letter queues: whether each exists, with the attributes that the template gives it.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use super::stack::quote_json;
use super::template::{Template, text};
use crate::aws;
use crate::aws::stack::Entity;
use crate::cli::quote;
use crate::error::Error;
use aws_sdk_sqs::types::QueueAttributeName;
use clap::ValueEnum;
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::BTreeMap;

const KIND: &str = "AWS::SQS::Queue";
/// Properties that are not attributes of SQS.
const NOT_ATTRIBUTES: [&str; 2] = ["QueueName", "Tags"];

type Attributes = BTreeMap<String, String>;

pub async fn check(scope: &CheckContext<'_>) -> Vec<Check> {
    let queues = Entity::value_variants().iter().flat_map(|entity| {
        let name = format!("queue {}", entity.name());
        let stack = scope.stack;
        // Dead-letter queues come first: a deleted one has to exist before its queue can be created.
        [
            (format!("{name} dead letters"), stack.dead_letter_queue_url(*entity).ok()),
            (name, stack.queue_url(*entity).ok()),
        ]
    });
    let checks = queues.filter_map(|(name, url)| Some(check_queue(name, url?, scope)));
    join_all(checks).await
}

async fn check_queue(name: String, url: &str, scope: &CheckContext<'_>) -> Check {
    let args = &scope.context.args;
    let expected = scope.template().and_then(|template| expected(template, url));
    let actual = match read(scope, url).await {
        Ok(actual) => actual,
        Err(error) if error.is_not_found() => {
            let queue = url.rsplit('/').next().unwrap_or(url);
            let message = format!("{queue} is deleted; SQS accepts its name again 60 s after that");
            let create = |attributes: Attributes| {
                Remediation::command(args.aws(&format!(
                    "sqs create-queue --queue-name {} --attributes {}",
                    quote(queue),
                    quote_json(&attributes.into_iter().collect())
                )))
            };
            let remediation = expected.map_or_else(
                || "create it again with the attributes that the template gives it".into(),
                create,
            );
            return Check::new(Status::Problem, name, message, remediation);
        }
        Err(error) => return Check::failed(name, &error, scope),
    };
    let Some(expected) = expected else {
        return Check::ok(name, "exists");
    };
    let different: Attributes = expected
        .into_iter()
        .filter(|(name, value)| !is_same(name, value, actual.get(name).map(String::as_str)))
        .collect();
    if different.is_empty() {
        return Check::ok(name, "exists, as in the template");
    }
    let describe = |(name, value): (&String, &String)| {
        let actual = actual.get(name).filter(|actual| !actual.is_empty());
        format!("{name} is {}, expected {value}", actual.map_or("missing", String::as_str))
    };
    let list: Vec<_> = different.iter().map(describe).collect();
    let is_serious = |name: &str| different.contains_key(name);
    let is_serious = is_serious("RedrivePolicy") || is_serious("Policy");
    let status = if is_serious { Status::Problem } else { Status::Warning };
    let words = format!(
        "sqs set-queue-attributes --queue-url {} --attributes {}",
        quote(url),
        quote_json(&different.into_iter().collect())
    );
    let message = format!("differs from the template: {}", list.join("; "));
    Check::new(status, name, message, Remediation::command(args.aws(&words)))
}

async fn read(scope: &CheckContext<'_>, url: &str) -> Result<Attributes, Error> {
    let request = scope.clients.sqs.get_queue_attributes().queue_url(url);
    let response = request.attribute_names(QueueAttributeName::All).send().await;
    let response = response.map_err(|it| aws::error("sqs:GetQueueAttributes", &it))?;
    let attributes = response.attributes.unwrap_or_default().into_iter();
    Ok(attributes.map(|(name, value)| (name.as_str().to_owned(), value)).collect())
}

/// The attributes that the template gives a queue, its policy included.
fn expected(template: &Template, url: &str) -> Option<Attributes> {
    let properties = template.properties(template.logical_id(KIND, url)?)?;
    let properties = properties.as_object()?.iter();
    let mut attributes: Attributes = properties
        .filter(|(name, _)| !NOT_ATTRIBUTES.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    let policies = template.all_properties("AWS::SQS::QueuePolicy");
    for policy in policies {
        let is_of = policy.get("Queues").and_then(Value::as_array);
        let is_of = is_of.is_some_and(|queues| queues.iter().any(|it| it == url));
        if let (true, Some(document)) = (is_of, policy.get("PolicyDocument")) {
            attributes.insert("Policy".to_owned(), document.to_string());
        }
    }
    Some(attributes)
}

fn is_same(name: &str, expected: &str, actual: Option<&str>) -> bool {
    match actual.filter(|actual| !actual.is_empty()) {
        None => expected == "false",
        // AWS may write the same policy in another way.
        Some(_) if name == "Policy" => true,
        Some(actual) => {
            let members = with_texts(expected);
            expected == actual || members.is_some() && members == with_texts(actual)
        }
    }
}

/// A JSON object's members as texts: SQS takes numbers as strings, too.
fn with_texts(json: &str) -> Option<Attributes> {
    let object: serde_json::Map<String, Value> = serde_json::from_str(json).ok()?;
    Some(object.iter().map(|(name, value)| (name.clone(), text(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_compared_by_what_they_mean() {
        let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:a:b:c","maxReceiveCount":5}"#;
        let as_text = r#"{"maxReceiveCount":"5","deadLetterTargetArn":"arn:aws:sqs:a:b:c"}"#;
        let other = r#"{"deadLetterTargetArn":"arn:aws:sqs:a:b:d","maxReceiveCount":5}"#;
        for (name, expected, actual, same) in [
            ("RedrivePolicy", policy, Some(as_text), true),
            ("RedrivePolicy", policy, Some(other), false),
            ("RedrivePolicy", policy, Some(""), false),
            ("VisibilityTimeout", "60", Some("60"), true),
            ("VisibilityTimeout", "60", Some("30"), false),
            ("ContentBasedDeduplication", "false", None, true),
            ("SqsManagedSseEnabled", "true", None, false),
            ("Policy", "{}", None, false),
        ] {
            assert_eq!(is_same(name, expected, actual), same, "{name} {actual:?}");
        }
    }
}
