//! What the stack's template gives each resource, with its parameters and conditions resolved.

use crate::aws::stack::Stack;
use crate::aws::{self, Clients};
use crate::cli::quote;
use crate::error::Error;
use aws_sdk_cloudformation::types::TemplateStage;
use serde::Serialize;
use serde_json::{Map, Number, Value, json};
use std::collections::HashMap;

struct Resource {
    kind: String,
    physical_id: String,
}

/// The template as it was deployed.
#[derive(Default)]
pub struct Template {
    body: Value,
    parameters: HashMap<String, String>,
    /// By logical id.
    resources: HashMap<String, Resource>,
    stack: String,
    secret_arn: Option<String>,
    partition: String,
    region: String,
    account: String,
}

impl Template {
    pub async fn read(clients: &Clients, stack: &Stack) -> Result<Self, Error> {
        let request = clients.cloudformation.get_template().stack_name(&stack.name);
        // After SAM's transform it is JSON.
        let response = request.template_stage(TemplateStage::Processed).send().await;
        let response = response.map_err(|it| aws::error("cloudformation:GetTemplate", &it))?;
        let body = serde_json::from_str(response.template_body().unwrap_or_default());
        let body: Value = body.map_err(|error| {
            Error::Refused(format!("the stack's processed template is not JSON: {error}"))
        })?;
        let names = body.get("Parameters").and_then(Value::as_object).into_iter();
        let names = names
            .flat_map(Map::keys)
            .map(|name| (name.clone(), stack.parameter(name).unwrap_or_default().to_owned()));
        let parameters = names.collect();
        let request = clients.cloudformation.list_stack_resources().stack_name(&stack.name);
        let pages = request.into_paginator().send().try_collect().await;
        let pages = pages.map_err(|it| aws::error("cloudformation:ListStackResources", &it))?;
        let resources = pages.into_iter().filter_map(|page| page.stack_resource_summaries);
        let resources = resources.flatten().filter_map(|it| {
            let (kind, physical_id) = (it.resource_type?, it.physical_resource_id?);
            Some((it.logical_resource_id?, Resource { kind, physical_id }))
        });
        Ok(Self {
            body,
            parameters,
            resources: resources.collect(),
            stack: stack.name.clone(),
            secret_arn: stack.secret_arn().ok().map(str::to_owned),
            partition: stack.partition().to_owned(),
            region: clients.region.clone(),
            account: stack.account().to_owned(),
        })
    }

    /// The logical id of the resource of this type with this physical id.
    pub fn logical_id(&self, kind: &str, physical_id: &str) -> Option<&str> {
        let mut resources = self.resources.iter();
        let (logical_id, _) =
            resources.find(|(_, it)| it.kind == kind && it.physical_id == physical_id)?;
        Some(logical_id)
    }

    /// The properties of a resource. Those that cannot be resolved are left out.
    pub fn properties(&self, logical_id: &str) -> Option<Value> {
        let resource = self.body.get("Resources")?.get(logical_id)?;
        Some(self.resolve(resource.get("Properties")?))
    }

    /// The properties of all resources of a type.
    pub fn all_properties(&self, kind: &str) -> impl Iterator<Item = Value> {
        let resources = self.resources.iter().filter(move |(_, it)| it.kind == kind);
        resources.filter_map(|(logical_id, _)| self.properties(logical_id))
    }

    /// `null` for what is not known, and for `AWS::NoValue`.
    fn resolve(&self, value: &Value) -> Value {
        match value {
            Value::Object(object) => match object.iter().next() {
                Some((name, argument)) if object.len() == 1 && is_function(name) => {
                    self.call(name, argument)
                }
                _ => {
                    let members = object.iter().map(|(name, it)| (name.clone(), self.resolve(it)));
                    members.filter(|(_, it)| !it.is_null()).collect()
                }
            },
            Value::Array(items) => {
                let items = items.iter().map(|it| self.resolve(it));
                items.filter(|it| !it.is_null()).collect()
            }
            other => other.clone(),
        }
    }

    fn call(&self, name: &str, argument: &Value) -> Value {
        let items = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_true = |value: &Value| match value {
            Value::String(name) => self.condition(name),
            value => self.resolve(value) == true,
        };
        let result = match (name, items) {
            ("Ref", _) => argument.as_str().and_then(|name| self.reference(name)),
            ("Fn::If", [condition, yes, no]) => {
                Some(self.resolve(if is_true(condition) { yes } else { no }))
            }
            ("Fn::Equals", [one, other]) => {
                Some((text(&self.resolve(one)) == text(&self.resolve(other))).into())
            }
            ("Fn::Not", [condition]) => Some((!is_true(condition)).into()),
            ("Fn::GetAtt", [resource, attribute]) => resource
                .as_str()
                .zip(attribute.as_str())
                .and_then(|(resource, attribute)| self.attribute(resource, attribute)),
            ("Fn::FindInMap", [map, key, name]) => {
                let get = |value: &Value, key: &Value| value.get(text(&self.resolve(key))).cloned();
                let maps = self.body.get("Mappings");
                maps.and_then(|maps| get(&get(&get(maps, map)?, key)?, name))
            }
            ("Fn::Sub", _) => argument.as_str().and_then(|pattern| self.substitute(pattern)),
            _ => None,
        };
        result.unwrap_or(Value::Null)
    }

    fn condition(&self, name: &str) -> bool {
        let condition = self.body.get("Conditions").and_then(|all| all.get(name));
        condition.is_some_and(|condition| self.resolve(condition) == true)
    }

    fn reference(&self, name: &str) -> Option<Value> {
        let text = match name {
            "AWS::AccountId" => &self.account,
            "AWS::Partition" => &self.partition,
            "AWS::Region" => &self.region,
            "AWS::StackName" => &self.stack,
            name => match self.parameters.get(name) {
                Some(value) => {
                    let declaration = self.body.get("Parameters")?.get(name)?;
                    let is_number = declaration.get("Type").is_some_and(|it| it == "Number");
                    let number = || serde_json::from_str::<Number>(value).ok().map(Value::from);
                    return is_number.then(number).flatten().or_else(|| Some(json!(value)));
                }
                None => &self.resources.get(name)?.physical_id,
            },
        };
        Some(json!(text))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        let Self { partition, region, account, .. } = self;
        let Resource { kind, physical_id } = self.resources.get(logical_id)?;
        let name = physical_id.rsplit('/').next()?;
        Some(json!(match (kind.as_str(), attribute) {
            ("AWS::SQS::Queue", "Arn") => format!("arn:{partition}:sqs:{region}:{account}:{name}"),
            ("AWS::S3::Bucket", "Arn") => format!("arn:{partition}:s3:::{name}"),
            ("AWS::Logs::LogGroup", "Arn") => {
                format!("arn:{partition}:logs:{region}:{account}:log-group:{physical_id}:*")
            }
            ("AWS::IAM::Role", "Arn") => format!("arn:{partition}:iam::{account}:role/{name}"),
            ("AWS::SecretsManager::Secret", "Id") => self.secret_arn.clone()?,
            _ => return None,
        }))
    }

    /// Replaces each `${Name}` and `${Resource.Attribute}`.
    fn substitute(&self, pattern: &str) -> Option<Value> {
        let mut parts = pattern.split("${");
        let mut result = parts.next()?.to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}')?;
            let value = match name.split_once('.') {
                Some((resource, attribute)) => self.attribute(resource, attribute)?,
                None => self.reference(name)?,
            };
            result += &text(&value);
            result += rest;
        }
        Some(result.into())
    }
}

fn is_function(name: &str) -> bool {
    name.starts_with("Fn::") || name == "Ref"
}

/// A value with numbers where the template has them: CloudFormation may give what comes from a parameter as a text.
pub fn with_numbers(value: Value, template: &Value) -> Value {
    match (value, template) {
        (Value::Object(object), template) => {
            let typed = |(name, value)| {
                let value = match template.get(&name) {
                    Some(template) => with_numbers(value, template),
                    None => value,
                };
                (name, value)
            };
            object.into_iter().map(typed).collect()
        }
        (Value::String(digits), Value::Number(number)) if digits == number.to_string() => {
            number.clone().into()
        }
        (value, _) => value,
    }
}

/// A value as services take it: strings as they are, others as JSON.
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// JSON as a word for a shell.
pub fn quote_json(value: &impl Serialize) -> String {
    quote(&json!(value).to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn template(properties: Value, queue_type: &str) -> Template {
        let resource = |kind: &str, physical_id: &str| Resource {
            kind: kind.to_owned(),
            physical_id: physical_id.to_owned(),
        };
        Template {
            body: json!({
                "Conditions": {"Fifo": {"Fn::Equals": [{"Ref": "QueueType"}, "fifo"]}},
                "Parameters": {"QueueType": {"Type": "String"}, "RetentionDays": {"Type": "Number"}},
                "Mappings": {"Retention": {"14": {"Seconds": 1_209_600}}},
                "Resources": {"Queue": {"Properties": properties}},
            }),
            parameters: [("QueueType", queue_type), ("RetentionDays", "14")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            resources: [
                ("Dead".to_owned(), resource("AWS::SQS::Queue", "https://sqs.x/111/dead.fifo")),
                ("Bucket".to_owned(), resource("AWS::S3::Bucket", "bucket")),
            ]
            .into(),
            stack: "relay".to_owned(),
            secret_arn: None,
            partition: "aws-cn".to_owned(),
            region: "cn-north-1".to_owned(),
            account: "111".to_owned(),
        }
    }

    #[test]
    fn resolves_the_functions_of_the_template() {
        let properties = json!({
            "FifoQueue": {"Fn::If": ["Fifo", true, {"Ref": "AWS::NoValue"}]},
            "Retention": {"Fn::FindInMap": ["Retention", {"Ref": "RetentionDays"}, "Seconds"]},
            "Redrive": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 5},
            "Objects": {"Fn::Sub": "${Bucket.Arn}/spill/*"},
            "Days": {"Ref": "RetentionDays"},
            "Account": {"Ref": "AWS::AccountId"},
            "Name": {"Fn::Sub": "${AWS::StackName}-a-${RetentionDays}"},
            "Unknown": {"Fn::ImportValue": "x"},
            "List": [{"Fn::If": ["Fifo", {"Ref": "Bucket"}, {"Ref": "AWS::NoValue"}]}],
        });
        let mut expected = json!({
            "FifoQueue": true,
            "Retention": 1_209_600,
            "Redrive": {"deadLetterTargetArn": "arn:aws-cn:sqs:cn-north-1:111:dead.fifo", "maxReceiveCount": 5},
            "Objects": "arn:aws-cn:s3:::bucket/spill/*",
            "Days": 14,
            "Account": "111",
            "Name": "relay-a-14",
            "List": ["bucket"],
        });
        assert_eq!(template(properties.clone(), "fifo").properties("Queue").unwrap(), expected);
        expected.as_object_mut().unwrap().remove("FifoQueue");
        expected.as_object_mut().unwrap().insert("List".to_owned(), json!([]));
        assert_eq!(template(properties, "standard").properties("Queue").unwrap(), expected);
    }
}
