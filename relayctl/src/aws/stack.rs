//! The deployed relay: where its queues and its bucket are, found by the name of its stack.

use crate::aws::{self, CallResult, Clients};
use crate::error::Error;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// What a queue is for, by the name that messages and keys have for it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    Label,
    Workflow,
    Review,
    #[value(name = "model_run", alias = "model-run")]
    ModelRun,
    Unrouted,
}

impl Entity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Workflow => "workflow",
            Self::Review => "review",
            Self::ModelRun => "model_run",
            Self::Unrouted => "unrouted",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        let mut all = Self::value_variants().iter();
        all.find(|entity| entity.name() == name).copied()
    }

    /// What the names of its outputs begin with.
    fn output(self) -> &'static str {
        match self {
            Self::Label => "Label",
            Self::Workflow => "Workflow",
            Self::Review => "Review",
            Self::ModelRun => "ModelRun",
            Self::Unrouted => "Unrouted",
        }
    }
}

/// A stack as CloudFormation describes it.
#[derive(Debug, Default)]
pub struct Stack {
    pub name: String,
    /// The ARN.
    pub id: String,
    /// What CloudFormation did last, and how that went.
    pub status: String,
    outputs: HashMap<String, String>,
    pub parameters: HashMap<String, String>,
}

impl Stack {
    pub async fn find(clients: &Clients, name: &str) -> Result<Self, Error> {
        let request = clients.cloudformation.describe_stacks().stack_name(name);
        let answer = request.send().await.map_err(|error| {
            // CloudFormation has no error code of its own for this.
            let is_missing = error.code() == Some("ValidationError")
                && (error.message()).is_some_and(|message| message.contains("does not exist"));
            if is_missing {
                no_stack(name, clients)
            } else {
                aws::error("cloudformation:DescribeStacks", &error).into()
            }
        })?;
        let [stack] = answer.stacks() else {
            return Err(no_stack(name, clients));
        };
        let outputs = stack.outputs().iter();
        let outputs =
            outputs.filter_map(|it| Some((it.output_key.clone()?, it.output_value.clone()?)));
        let parameters = stack.parameters().iter();
        let parameters = parameters
            .filter_map(|it| Some((it.parameter_key.clone()?, it.parameter_value.clone()?)));
        Ok(Self {
            id: stack.stack_id().unwrap_or_default().to_owned(),
            status: stack.stack_status().map(ToString::to_string).unwrap_or_default(),
            parameters: parameters.collect(),
            ..Self::new(name, outputs.collect())
        })
    }

    /// The stack of this name with these outputs.
    pub fn new(name: &str, outputs: HashMap<String, String>) -> Self {
        Self { name: name.to_owned(), outputs, ..Self::default() }
    }

    /// The account's number, of `arn:<partition>:cloudformation:<region>:<account>:stack/<name>/<uuid>`.
    pub fn account(&self) -> &str {
        self.id.split(':').nth(4).unwrap_or_default()
    }

    pub fn partition(&self) -> &str {
        self.id.split(':').nth(1).unwrap_or_default()
    }

    /// What the stack was told, if that is known and not empty.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let value = self.parameters.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    pub fn queue_url(&self, entity: Entity) -> Result<&str, Error> {
        self.output(format!("{}QueueUrl", entity.output()))
    }

    pub fn dead_letter_queue_url(&self, entity: Entity) -> Result<&str, Error> {
        self.output(format!("{}DeadLetterQueueUrl", entity.output()))
    }

    pub fn payload_bucket(&self) -> Result<&str, Error> {
        self.output("PayloadBucketName")
    }

    /// For how many days events are archived; an error if they are not. There may be some of an earlier time.
    pub fn archive_days(&self) -> Result<&str, Error> {
        let days = self.parameter("ArchiveDays").filter(|days| *days != "0");
        days.ok_or_else(|| {
            Error::Setup(format!(
                "the stack {} has no archived events of this time, and archives none now: its ArchiveDays is 0; deploy it with \
                 ArchiveDays=90 to have them from now on",
                self.name
            ))
        })
    }

    /// Where Labelbox sends to, up to the webhook's name.
    pub fn webhooks_url(&self) -> Result<&str, Error> {
        let url = self.output("WebhookUrl")?;
        Ok(url.trim_end_matches(|message| message != '/'))
    }

    /// For how many seconds the function believes a secret, in words.
    pub fn secret_ttl(&self) -> String {
        match self.parameter("SecretTtlSeconds") {
            Some(seconds) => format!("{seconds} s"),
            None => "the stack's SecretTtlSeconds".to_owned(),
        }
    }

    pub async fn log_group(&self, clients: &Clients) -> Result<String, Error> {
        let request = clients.cloudformation.describe_stack_resource();
        let request = request.stack_name(&self.name).logical_resource_id("FunctionLogGroup");
        let response = request.send().await.action("cloudformation:DescribeStackResource")?;
        let group = response.stack_resource_detail.and_then(|it| it.physical_resource_id);
        group.ok_or_else(|| Error::Refused("the stack has no log group of its function".to_owned()))
    }

    pub fn outputs(&self) -> BTreeMap<&str, &str> {
        self.outputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub fn output(&self, output: impl Into<String>) -> Result<&str, Error> {
        let output = output.into();
        let value = self.outputs.get(&output).map(String::as_str);
        value.ok_or_else(|| Error::NoOutput { stack: self.name.clone(), output })
    }
}

fn no_stack(name: &str, clients: &Clients) -> Error {
    let region = &clients.region;
    Error::Setup(format!(
        "there is no stack {name} in {region}; name yours with --stack or RELAY_STACK, its region with --region"
    ))
}
