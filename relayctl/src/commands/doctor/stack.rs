//! The stack: its status, its outputs, and what differs from its template.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use super::template::Template;
use crate::aws;
use crate::aws::stack::Entity;
use crate::cli::quote;
use crate::error::Error;
use crate::sanitize::cut;
use aws_sdk_cloudformation::types::{
    PropertyDifference, StackDriftDetectionStatus as DetectionStatus, StackResourceDrift,
    StackResourceDriftStatus as DriftStatus,
};
use clap::ValueEnum;
use std::time::Duration;

const OUTPUTS: [&str; 7] = [
    "WebhookUrl",
    "TrainingUrl",
    "HealthUrl",
    "SecretArn",
    "FunctionName",
    "PayloadBucketName",
    "DashboardUrl",
];
const DRIFT_TIMEOUT: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Resources whose deletion other checks name, with commands.
const CHECKED_KINDS: [&str; 4] =
    ["AWS::Lambda::Function", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SecretsManager::Secret"];
/// Properties that other checks compare with the template.
const CHECKED_PROPERTIES: [(&str, &str); 4] = [
    ("AWS::Lambda::Function", "/Environment"),
    ("AWS::S3::Bucket", "/LifecycleConfiguration"),
    ("AWS::S3::Bucket", "/PublicAccessBlockConfiguration"),
    ("AWS::SQS::Queue", ""),
];

/// # Errors
/// If the stack has no output of a relay at all.
pub fn check_outputs(scope: &CheckContext<'_>) -> Result<Vec<Check>, Error> {
    let stack = scope.stack;
    let queues = Entity::value_variants()
        .iter()
        .flat_map(|entity| [stack.queue_url(*entity), stack.dead_letter_queue_url(*entity)]);
    let outputs = OUTPUTS.iter().map(|output| stack.output(*output));
    if OUTPUTS.iter().all(|output| stack.output(*output).is_err()) {
        stack.output("FunctionName")?;
    }
    let missing: Vec<_> = outputs
        .chain(queues)
        .filter_map(|output| match output {
            Err(Error::NoOutput { output, .. }) => Some(output),
            _ => None,
        })
        .collect();
    let outputs = if missing.is_empty() {
        Check::ok("outputs", "complete")
    } else {
        let message = format!("missing: {}", missing.join(", "));
        Check::new(Status::Problem, "outputs", message, "deploy the current version of the relay")
    };
    Ok(vec![check_status(scope), outputs])
}

fn check_status(scope: &CheckContext<'_>) -> Check {
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
    let events = Remediation::command(scope.context.args.aws(&events));
    Check::new(status, "stack", message, events)
}

/// Lets CloudFormation compare all resources with the template.
pub async fn check_drift(scope: &CheckContext<'_>) -> Vec<Check> {
    let found = match tokio::time::timeout(DRIFT_TIMEOUT, detect_drift(scope)).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            let check = Check::failed("drift", &error, scope);
            return vec![Check { status: Status::NotChecked, ..check }];
        }
        Err(_) => {
            let message = "CloudFormation has not finished detecting drift within two minutes";
            let again = Remediation::command(scope.context.args.relayctl("doctor"));
            return vec![Check::new(Status::NotChecked, "drift", message, again)];
        }
    };
    let (drifts, failure) = found;
    let mut checks: Vec<_> =
        drifts.iter().filter_map(|drift| check_resource(drift, scope)).collect();
    if let Some(reason) = failure {
        let message = format!("some resources cannot be compared with the template: {reason}");
        checks.push(Check::new(Status::NotChecked, "drift", message, "ask for the permissions"));
    }
    if checks.is_empty() {
        checks.push(Check::ok("drift", "no other resource differs from the template"));
    }
    checks
}

/// The drifted resources, and why others cannot be compared.
async fn detect_drift(
    scope: &CheckContext<'_>,
) -> Result<(Vec<StackResourceDrift>, Option<String>), Error> {
    let (client, name) = (&scope.clients.cloudformation, &scope.stack.name);
    let started = client.detect_stack_drift().stack_name(name).send().await;
    let started = started.map_err(|it| aws::error("cloudformation:DetectStackDrift", &it))?;
    let id = started.stack_drift_detection_id.unwrap_or_default();
    let failure = loop {
        let request = client.describe_stack_drift_detection_status();
        let status = request.stack_drift_detection_id(&id).send().await;
        let status = status
            .map_err(|it| aws::error("cloudformation:DescribeStackDriftDetectionStatus", &it))?;
        match status.detection_status() {
            Some(DetectionStatus::DetectionInProgress) => tokio::time::sleep(POLL_INTERVAL).await,
            Some(DetectionStatus::DetectionFailed) => {
                break Some(status.detection_status_reason.unwrap_or_default());
            }
            _ => break None,
        }
    };
    let mut drifts = Vec::new();
    let mut next = None;
    loop {
        let request = client.describe_stack_resource_drifts().stack_name(name);
        let request = request
            .stack_resource_drift_status_filters(DriftStatus::Modified)
            .stack_resource_drift_status_filters(DriftStatus::Deleted);
        let page = request.set_next_token(next).send().await;
        let page =
            page.map_err(|it| aws::error("cloudformation:DescribeStackResourceDrifts", &it))?;
        drifts.extend(page.stack_resource_drifts.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            return Ok((drifts, failure));
        }
    }
}

fn check_resource(drift: &StackResourceDrift, scope: &CheckContext<'_>) -> Option<Check> {
    let kind = drift.resource_type().unwrap_or_default();
    let name = drift.logical_resource_id().unwrap_or_default();
    if drift.stack_resource_drift_status() == Some(&DriftStatus::Deleted) {
        if CHECKED_KINDS.contains(&kind) {
            return None;
        }
        let message =
            format!("{} {} is deleted", kind, drift.physical_resource_id().unwrap_or_default());
        let role = scope.template().and_then(|template| create_role(name, template, scope));
        let remediation = role.unwrap_or_else(|| {
            "create it again with this name and the template's properties; a deployment of the same template does not".into()
        });
        return Some(Check::new(Status::Problem, name, message, remediation));
    }
    let is_checked = |path: &str| {
        CHECKED_PROPERTIES.iter().any(|(of, checked)| *of == kind && path.starts_with(checked))
    };
    let path = |it: &PropertyDifference| it.property_path().unwrap_or_default().to_owned();
    let differences = drift.property_differences().iter();
    let differences: Vec<_> = differences
        .filter(|it| !is_checked(&path(it)))
        .map(|it| {
            let value = |value: Option<&str>| cut(value.unwrap_or("missing"), 100);
            let (expected, actual) = (value(it.expected_value()), value(it.actual_value()));
            format!("{} is {actual}, expected {expected}", path(it))
        })
        .collect();
    let message = format!("{kind} differs from the template: {}", differences.join("; "));
    let remediation = "set it to the expected value; a deployment of the same template does not";
    (!differences.is_empty()).then(|| Check::new(Status::Warning, name, message, remediation))
}

/// The commands that create a deleted role.
fn create_role(
    logical_id: &str,
    template: &Template,
    scope: &CheckContext<'_>,
) -> Option<Remediation> {
    let properties = template.properties(logical_id)?;
    let trust = quote_json(properties.get("AssumeRolePolicyDocument")?);
    let role = quote(template.physical_id(logical_id)?).into_owned();
    let words = format!("iam create-role --role-name {role} --assume-role-policy-document {trust}");
    let mut commands = vec![scope.context.args.aws(&words)];
    commands.extend(put_role_policies(logical_id, template, scope)?);
    Some(Remediation::Commands(commands))
}

/// The commands that give a role its inline policies.
pub fn put_role_policies(
    logical_id: &str,
    template: &Template,
    scope: &CheckContext<'_>,
) -> Option<Vec<String>> {
    let role = quote(template.physical_id(logical_id)?).into_owned();
    let properties = template.properties(logical_id)?;
    let policies = properties.get("Policies")?.as_array()?.iter();
    let command = |policy: &serde_json::Value| {
        let (name, document) = (policy.get("PolicyName")?.as_str()?, policy.get("PolicyDocument")?);
        Some(scope.context.args.aws(&format!(
            "iam put-role-policy --role-name {role} --policy-name {} --policy-document {}",
            quote(name),
            quote_json(document)
        )))
    };
    policies.map(command).collect()
}

pub fn quote_json(value: &serde_json::Value) -> String {
    quote(&value.to_string()).into_owned()
}
