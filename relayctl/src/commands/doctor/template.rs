//! What the stack's template gives each resource, with its parameters and conditions resolved.

use crate::aws::stack::Stack;
use crate::aws::{CallResult, Clients};
use crate::cli::quote;
use crate::error::Error;
use aws_sdk_cloudformation::types::{StackResourceSummary, TemplateStage};
use serde::Serialize;
use serde_json::{Number, Value, json};

/// The template as it was deployed.
pub struct Template<'s> {
    body: Value,
    resources: Vec<StackResourceSummary>,
    stack: &'s Stack,
    region: &'s str,
}

impl<'s> Template<'s> {
    pub async fn read(clients: &'s Clients, stack: &'s Stack) -> Result<Self, Error> {
        let request = clients.cloudformation.get_template().stack_name(&stack.name);
        // After SAM's transform it is JSON.
        let response = request.template_stage(TemplateStage::Processed).send().await;
        let response = response.action("cloudformation:GetTemplate")?;
        let body = serde_json::from_str(response.template_body().unwrap_or_default());
        let body = body.map_err(|error| {
            Error::Refused(format!("the stack's processed template is not JSON: {error}"))
        })?;
        let request = clients.cloudformation.list_stack_resources().stack_name(&stack.name);
        let pages = request.into_paginator().send().try_collect().await;
        let pages = pages.action("cloudformation:ListStackResources")?;
        let resources = pages.into_iter().filter_map(|page| page.stack_resource_summaries);
        let resources = resources.flatten().collect();
        Ok(Self { body, resources, stack, region: &clients.region })
    }

    /// The properties of a resource. Those that cannot be resolved are left out.
    pub fn properties(&self, logical_id: &str) -> Option<Value> {
        Some(self.resolve(self.body.pointer(&format!("/Resources/{logical_id}/Properties"))?))
    }

    /// The properties of the resource of this type with this physical id.
    pub fn properties_of(&self, kind: &str, physical_id: &str) -> Option<Value> {
        let is_it = |it: &&StackResourceSummary| {
            it.resource_type() == Some(kind) && it.physical_resource_id() == Some(physical_id)
        };
        self.properties(self.resources.iter().find(is_it)?.logical_resource_id()?)
    }

    /// The properties of all resources of a type.
    pub fn all_properties(&self, kind: &str) -> impl Iterator<Item = Value> {
        let resources = self.resources.iter().filter(move |it| it.resource_type() == Some(kind));
        resources.filter_map(|it| self.properties(it.logical_resource_id()?))
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
        let is_true = |condition: &Value| match condition.as_str() {
            Some(name) => {
                let condition = self.body.pointer(&format!("/Conditions/{name}"));
                condition.is_some_and(|condition| self.resolve(condition) == true)
            }
            None => self.resolve(condition) == true,
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
            ("Fn::GetAtt", [Value::String(resource), Value::String(attribute)]) => {
                self.attribute(resource, attribute)
            }
            ("Fn::FindInMap", [map, key, name]) => {
                let [map, key, name] = [map, key, name].map(|it| text(&self.resolve(it)));
                self.body.pointer(&format!("/Mappings/{map}/{key}/{name}")).cloned()
            }
            ("Fn::Sub", _) => argument.as_str().and_then(|pattern| self.substitute(pattern)),
            _ => None,
        };
        result.unwrap_or(Value::Null)
    }

    fn reference(&self, name: &str) -> Option<Value> {
        Some(match name {
            "AWS::AccountId" => self.stack.account().into(),
            "AWS::Partition" => self.stack.partition().into(),
            "AWS::Region" => self.region.into(),
            "AWS::StackName" => self.stack.name.as_str().into(),
            name => match self.body.pointer(&format!("/Parameters/{name}/Type")) {
                Some(kind) => {
                    let value = self.stack.parameter(name).unwrap_or_default();
                    let number = serde_json::from_str::<Number>(value).ok();
                    number.filter(|_| kind == "Number").map_or_else(|| value.into(), Value::from)
                }
                None => self.resource(name)?.physical_resource_id()?.into(),
            },
        })
    }

    fn resource(&self, logical_id: &str) -> Option<&StackResourceSummary> {
        self.resources.iter().find(|it| it.logical_resource_id() == Some(logical_id))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        let (partition, region) = (self.stack.partition(), self.region);
        let account = self.stack.account();
        let resource = self.resource(logical_id)?;
        let id = resource.physical_resource_id()?;
        let name = id.rsplit('/').next()?;
        Some(json!(match (resource.resource_type()?, attribute) {
            ("AWS::SQS::Queue", "Arn") => format!("arn:{partition}:sqs:{region}:{account}:{name}"),
            ("AWS::S3::Bucket", "Arn") => format!("arn:{partition}:s3:::{name}"),
            ("AWS::Logs::LogGroup", "Arn") => {
                format!("arn:{partition}:logs:{region}:{account}:log-group:{id}:*")
            }
            ("AWS::IAM::Role", "Arn") => format!("arn:{partition}:iam::{account}:role/{name}"),
            ("AWS::SecretsManager::Secret", "Id") => {
                self.stack.output("SecretArn").ok()?.to_owned()
            }
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

    fn template<'s>(properties: &Value, stack: &'s Stack) -> Template<'s> {
        let resource = |id: &str, kind: &str, physical_id: &str| {
            let resource = StackResourceSummary::builder().logical_resource_id(id);
            resource.resource_type(kind).physical_resource_id(physical_id).build()
        };
        Template {
            body: json!({
                "Conditions": {"Fifo": {"Fn::Equals": [{"Ref": "QueueType"}, "fifo"]}},
                "Parameters": {"QueueType": {"Type": "String"}, "RetentionDays": {"Type": "Number"}},
                "Mappings": {"Retention": {"14": {"Seconds": 1_209_600}}},
                "Resources": {"Queue": {"Properties": properties}},
            }),
            resources: vec![
                resource("Dead", "AWS::SQS::Queue", "https://sqs.x/111/dead.fifo"),
                resource("Bucket", "AWS::S3::Bucket", "bucket"),
            ],
            stack,
            region: "cn-north-1",
        }
    }

    fn stack(queue_type: &str) -> Stack {
        let parameters = [("QueueType", queue_type), ("RetentionDays", "14")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut stack = Stack::new("relay", [].into());
        stack.id = "arn:aws-cn:cloudformation:cn-north-1:111:stack/relay/uuid".to_owned();
        stack.parameters = parameters.into();
        stack
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
        let resolve = |queue_type| template(&properties, &stack(queue_type)).properties("Queue");
        assert_eq!(resolve("fifo").unwrap(), expected);
        expected.as_object_mut().unwrap().remove("FifoQueue");
        expected.as_object_mut().unwrap().insert("List".to_owned(), json!([]));
        assert_eq!(resolve("standard").unwrap(), expected);
    }
}
