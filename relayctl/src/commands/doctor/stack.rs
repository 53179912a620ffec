//! The stack: its status, and what differs from its template.

use super::CheckContext;
use super::check::{Check, Status};
use super::queues::set_queue_attributes;
use super::template::{quote_json, text, with_numbers};
use crate::aws::CallResult;
use crate::cli::{GlobalArgs, quote};
use crate::error::Error;
use crate::sanitize::cut;
use aws_sdk_cloudformation::types::{
    DifferenceType, PropertyDifference, StackDriftDetectionStatus as DetectionStatus,
    StackResourceDrift, StackResourceDriftStatus as DriftStatus,
};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const DRIFT_TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_secs(2);

const ALIAS: &str = "AWS::Lambda::Alias";
const FUNCTION: &str = "AWS::Lambda::Function";
const QUEUE: &str = "AWS::SQS::Queue";
const ROLE: &str = "AWS::IAM::Role";
const BUCKET: &str = "AWS::S3::Bucket";
/// Resources whose deletion other checks name, with commands.
const CHECKED_KINDS: [&str; 5] = [
    BUCKET,
    QUEUE,
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::Secret",
];
/// Properties of the bucket that its check names if they are missing as a whole.
const CHECKED_SETTINGS: [&str; 2] = ["/LifecycleConfiguration", "/PublicAccessBlockConfiguration"];
/// Properties without which events are refused or lost. The function's are not among them: requests go to a published version,
/// which nobody can change.
const SERIOUS: [(&str, &str); 6] = [
    (ALIAS, "/FunctionVersion"),
    (BUCKET, "/LifecycleConfiguration"),
    (BUCKET, "/PublicAccessBlockConfiguration"),
    ("AWS::S3::BucketPolicy", "/PolicyDocument"),
    (QUEUE, "/RedrivePolicy"),
    ("AWS::IAM::RolePolicy", "/PolicyDocument"),
];
/// Properties of a function that `UpdateFunctionConfiguration` takes as CloudFormation has them.
const FUNCTION_CONFIGURATION: [&str; 9] = [
    "Description",
    "Environment",
    "Handler",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
];
/// The property with the name of a resource that can be created again under that name.
const NAMES: [(&str, &str); 3] = [
    ("AWS::CloudWatch::Alarm", "AlarmName"),
    ("AWS::Logs::LogGroup", "LogGroupName"),
    (ROLE, "RoleName"),
];

pub fn check_status(scope: &CheckContext<'_>) -> Check {
    let (name, status) = (scope.stack.name.as_str(), scope.stack.status.as_str());
    let message = format!("{name} is {status}");
    let status = match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => {
            return Check::ok("stack", message);
        }
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => Status::Warning,
        _ if status.ends_with("_IN_PROGRESS") => Status::Warning,
        _ => Status::Problem,
    };
    let events = format!("cloudformation describe-stack-events --stack-name {}", quote(name));
    Check::new(status, "stack", message).run([scope.args.aws(&events)])
}

/// Lets CloudFormation compare all resources with the template.
pub async fn check_drift(scope: &CheckContext<'_>) -> Vec<Check> {
    let (drifts, failure) = match timeout(DRIFT_TIMEOUT, detect_drift(scope)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return vec![Check::failed_at_most_warning("drift", &error, scope.args)],
        Err(_) => {
            let message = "CloudFormation has not finished detecting drift within two minutes";
            let check = Check::new(Status::NotChecked, "drift", message);
            return vec![check.run([scope.args.relayctl("doctor")])];
        }
    };
    let mut checks: Vec<_> =
        drifts.iter().filter_map(|drift| check_resource(drift, scope)).collect();
    if let Some(reason) = failure {
        let message = format!("some resources cannot be compared with the template: {reason}");
        checks.push(
            Check::new(Status::NotChecked, "drift", message)
                .advise("if permissions are missing, ask for them"),
        );
    } else if drifts.is_empty() {
        checks.push(Check::ok(
            "drift",
            "everything that CloudFormation compares is as in the template",
        ));
    }
    checks
}

/// The drifted resources, and why others cannot be compared.
async fn detect_drift(
    scope: &CheckContext<'_>,
) -> Result<(Vec<StackResourceDrift>, Option<String>), Error> {
    let (client, name) = (&scope.clients.cloudformation, &scope.stack.name);
    let started = client.detect_stack_drift().stack_name(name).send().await;
    let started = started.action("cloudformation:DetectStackDrift")?;
    let id = started.stack_drift_detection_id.unwrap_or_default();
    let failure = loop {
        let request = client.describe_stack_drift_detection_status();
        let status = request.stack_drift_detection_id(&id).send().await;
        let status = status.action("cloudformation:DescribeStackDriftDetectionStatus")?;
        match status.detection_status() {
            Some(DetectionStatus::DetectionInProgress) => sleep(POLL_INTERVAL).await,
            Some(DetectionStatus::DetectionFailed) => {
                break Some(status.detection_status_reason.unwrap_or_default());
            }
            _ => break None,
        }
    };
    let request = client.describe_stack_resource_drifts().stack_name(name);
    let drifts = request
        .stack_resource_drift_status_filters(DriftStatus::Modified)
        .stack_resource_drift_status_filters(DriftStatus::Deleted)
        .into_paginator()
        .send()
        .try_collect()
        .await
        .action("cloudformation:DescribeStackResourceDrifts")?;
    let drifts = drifts.into_iter().filter_map(|page| page.stack_resource_drifts).flatten();
    Ok((drifts.collect(), failure))
}

fn check_resource(drift: &StackResourceDrift, scope: &CheckContext<'_>) -> Option<Check> {
    let kind = drift.resource_type().unwrap_or_default();
    let name = drift.logical_resource_id().unwrap_or_default();
    if drift.stack_resource_drift_status() == Some(&DriftStatus::Deleted) {
        if CHECKED_KINDS.contains(&kind) {
            return None;
        }
        let id = drift.physical_resource_id().unwrap_or_default();
        let message = format!("{kind} {id} is deleted; CloudFormation does not create it again");
        let check = Check::problem(name, message);
        return Some(if kind == FUNCTION {
            check.advise(
                "deploy another stack, point Labelbox's webhooks to it, and move the events over",
            )
        } else {
            check.run(create(kind, name, id, scope))
        });
    }
    let is_checked = |it: &&PropertyDifference| {
        let is_missing = it.difference_type() == Some(&DifferenceType::Remove);
        let is_setting = it.property_path().is_some_and(|path| CHECKED_SETTINGS.contains(&path));
        kind == BUCKET && is_missing && is_setting
    };
    let differences = drift.property_differences().iter().filter(|it| !is_checked(it));
    let differences: Vec<_> = differences.collect();
    let paths: Vec<_> = differences.iter().filter_map(|it| it.property_path()).collect();
    let is_serious =
        |path: &str| SERIOUS.iter().any(|(of, prefix)| *of == kind && path.starts_with(prefix));
    let is_serious = paths.iter().any(|path| is_serious(path));
    let status = if is_serious { Status::Problem } else { Status::Warning };
    let template = scope.template().and_then(|it| it.properties(name)).unwrap_or_default();
    let command = restore(drift, &paths, &template, scope.args);
    let list: Vec<_> = differences.iter().map(|it| describe(it)).collect();
    let message = format!("differs from the template: {}", list.join("; "));
    (!list.is_empty()).then(|| Check::new(status, name, message).run(command))
}

/// What was added is not printed: a variable that somebody has added may hold a credential.
fn describe(difference: &PropertyDifference) -> String {
    let path = difference.property_path().unwrap_or_default();
    let value = |value: Option<&str>| cut(value.unwrap_or_default(), 100);
    let (expected, actual) = (value(difference.expected_value()), value(difference.actual_value()));
    match difference.difference_type() {
        Some(DifferenceType::Add) => format!("{path} is not in the template"),
        Some(DifferenceType::Remove) => format!("{path} is missing, expected {expected}"),
        _ => format!("{path} is {actual}, expected {expected}"),
    }
}

/// The command that gives the properties at these paths their values of the template. A deployment does not: to CloudFormation,
/// nothing has changed.
fn restore(
    drift: &StackResourceDrift,
    paths: &[&str],
    template: &Value,
    args: &GlobalArgs,
) -> Option<String> {
    let (kind, id) = (drift.resource_type()?, drift.physical_resource_id()?);
    let is_changed = |name: &str| paths.iter().any(|path| path.split('/').nth(1) == Some(name));
    let mut values: Map<String, Value> =
        serde_json::from_str(drift.expected_properties()?).unwrap_or_default();
    values.retain(|name, _| is_changed(name));
    if values.is_empty() {
        return None;
    }
    let command = match kind {
        FUNCTION => {
            let mut names = values.keys();
            if !names.all(|name| FUNCTION_CONFIGURATION.contains(&name.as_str())) {
                return None;
            }
            values.insert("FunctionName".to_owned(), id.into());
            let input = quote_json(&values);
            format!("lambda update-function-configuration --cli-input-json {input}")
        }
        ALIAS => {
            let (function, name) = id.rsplit_once(':')?;
            let version = text(values.get("FunctionVersion")?);
            let [function, name, version] = [function, name, &version].map(quote);
            format!(
                "lambda update-alias --function-name {function} --name {name} --function-version {version}"
            )
        }
        QUEUE => return Some(set_queue_attributes(id, values, args)),
        // It takes another id for these.
        _ if !drift.physical_resource_id_context().is_empty() => return None,
        _ => {
            let set =
                |(name, value)| json!({"op": "add", "path": format!("/{name}"), "value": value});
            // The Cloud Control API takes no text for a number.
            let values = with_numbers(values.into(), template);
            let patch: Vec<_> = values.as_object()?.iter().map(set).collect();
            let (id, patch) = (quote(id), quote_json(&patch));
            format!(
                "cloudcontrol update-resource --type-name {kind} --identifier {id} --patch-document {patch}"
            )
        }
    };
    Some(args.aws(&command))
}

/// The command that creates a deleted resource again.
fn create(kind: &str, logical_id: &str, id: &str, scope: &CheckContext<'_>) -> Option<String> {
    let (_, name) = NAMES.iter().find(|(of, _)| *of == kind)?;
    let mut properties = scope.template()?.properties(logical_id)?;
    properties.as_object_mut()?.insert((*name).to_owned(), id.into());
    let state = quote_json(&properties);
    let command =
        format!("cloudcontrol create-resource --type-name {kind} --desired-state {state}");
    Some(scope.args.aws(&command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(kind: &str, id: &str, expected: Value) -> StackResourceDrift {
        let drift = StackResourceDrift::builder().resource_type(kind).physical_resource_id(id);
        drift.expected_properties(expected.to_string()).build()
    }

    #[test]
    fn the_properties_that_differ_get_their_expected_values() {
        let policies = json!([{"PolicyName": "relay", "PolicyDocument": {"Statement": []}}]);
        let role = json!({"Path": "/", "Policies": policies});
        let patch = json!([{"op": "add", "path": "/Policies", "value": policies}]);
        let function = json!({"Timeout": 15, "MemorySize": 128, "ReservedConcurrentExecutions": 2});
        let queue = json!({"VisibilityTimeout": 60, "FifoQueue": true});
        let stage = json!({"DefaultRouteSettings": {"ThrottlingBurstLimit": "20"}, "Name": "7"});
        let template = json!({"DefaultRouteSettings": {"ThrottlingBurstLimit": 20}, "Name": "7"});
        let stage_patch = json!([
            {"op": "add", "path": "/DefaultRouteSettings", "value": {"ThrottlingBurstLimit": 20}},
            {"op": "add", "path": "/Name", "value": "7"},
        ]);
        for (kind, expected, paths, command) in [
            (
                ROLE,
                &role,
                vec!["/Policies/0/PolicyDocument/Statement/0", "/Policies/1"],
                Some(format!(
                    "cloudcontrol update-resource --type-name AWS::IAM::Role --identifier x --patch-document '{patch}'"
                )),
            ),
            (
                FUNCTION,
                &function,
                vec!["/Timeout"],
                Some(
                    r#"lambda update-function-configuration --cli-input-json '{"Timeout":15,"FunctionName":"x"}'"#
                        .to_owned(),
                ),
            ),
            (FUNCTION, &function, vec!["/Timeout", "/ReservedConcurrentExecutions"], None),
            (
                "AWS::ApiGatewayV2::Stage",
                &stage,
                vec!["/DefaultRouteSettings/ThrottlingBurstLimit", "/Name"],
                Some(format!(
                    "cloudcontrol update-resource --type-name AWS::ApiGatewayV2::Stage --identifier x --patch-document '{stage_patch}'"
                )),
            ),
            (
                QUEUE,
                &queue,
                vec!["/VisibilityTimeout"],
                Some(
                    r#"sqs set-queue-attributes --queue-url x --attributes '{"VisibilityTimeout":"60"}'"#
                        .to_owned(),
                ),
            ),
        ] {
            let drift = drift(kind, "x", expected.clone());
            let restored = restore(&drift, &paths, &template, &GlobalArgs::default());
            assert_eq!(restored, command.map(|command| format!("aws {command}")), "{kind} {paths:?}");
        }
    }
}
