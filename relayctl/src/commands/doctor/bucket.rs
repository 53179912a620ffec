//! The payload bucket: whether it exists, and whether it was created anew without its settings. CloudFormation compares settings
//! that are there with the template.

use super::CheckContext;
use super::check::{Check, Remediation};
use super::template::{quote_json, text};
use crate::aws;
use crate::cli::quote;
use crate::error::AwsError;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use serde_json::{Value, json};

const NAME: &str = "bucket";
const DELETED: &str = "NoSuchBucket";

pub async fn check(scope: &CheckContext<'_>) -> Vec<Check> {
    let Ok(bucket) = scope.stack.payload_bucket() else { return Vec::new() };
    let s3 = &scope.clients.s3;
    let (lifecycle, policy, access) = tokio::join!(
        s3.get_bucket_lifecycle_configuration().bucket(bucket).send(),
        s3.get_bucket_policy().bucket(bucket).send(),
        s3.get_public_access_block().bucket(bucket).send()
    );
    let properties = properties(scope, bucket);
    let missing = missing_rules(&properties, lifecycle.as_ref().map_or(&[], |it| it.rules()));
    let lifecycle = lifecycle.err().map(|it| aws::error("s3:GetLifecycleConfiguration", &it));
    let policy = policy.err().map(|it| aws::error("s3:GetBucketPolicy", &it));
    let access = access.err().map(|it| aws::error("s3:GetBucketPublicAccessBlock", &it));
    let commands = commands(scope, bucket, &properties);
    let mut checks = Vec::new();
    for (setting, error, is_missing, message) in [
        ("lifecycle", lifecycle, !missing.is_empty(), format!("lacks rules that delete {missing}")),
        ("policy", policy, false, "is missing, so requests without TLS are allowed".to_owned()),
        ("public access", access, false, "is not blocked".to_owned()),
    ] {
        let name = format!("{NAME} {setting}");
        match error {
            Some(error) if error.code.as_deref() == Some(DELETED) => {
                let message = format!(
                    "{bucket} is deleted, with the events in it; the relay can store no large event, and no event if \
                     its queue fails"
                );
                let create: Vec<_> = commands.into_iter().map(|(_, command)| command).collect();
                return vec![Check::problem(NAME, message, create)];
            }
            Some(error) if !is_missing_setting(&error) => {
                checks.push(Check::failed(name, &error.into(), scope));
            }
            None if !is_missing => {}
            _ => {
                let command = commands.iter().find(|(of, _)| *of == setting);
                let remediation = command.map_or_else(
                    || Remediation::from("set it as in the template"),
                    |(_, command)| [command.clone()].into(),
                );
                checks.push(Check::problem(name, message, remediation));
            }
        }
    }
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "is private, with lifecycle rules and policy"));
    }
    checks
}

fn is_missing_setting(error: &AwsError) -> bool {
    error.code.as_deref().is_some_and(|code| code.starts_with("NoSuch"))
}

/// The rules of the template.
fn rules(properties: &Value) -> impl Iterator<Item = &Value> {
    let rules = properties.pointer("/LifecycleConfiguration/Rules").and_then(Value::as_array);
    rules.into_iter().flatten()
}

/// The rules of the template that the bucket does not have, as text.
fn missing_rules(properties: &Value, actual: &[LifecycleRule]) -> String {
    let missing = rules(properties).filter_map(|rule| {
        let (prefix, days) = (rule.get("Prefix")?.as_str()?, text(rule.get("ExpirationInDays")?));
        let is_same = |it: &LifecycleRule| {
            *it.status() == ExpirationStatus::Enabled
                && it.filter().and_then(|it| it.prefix()) == Some(prefix)
                && it.expiration().and_then(|it| it.days()).is_some_and(|it| it.to_string() == days)
        };
        (!actual.iter().any(is_same)).then(|| format!("{prefix} after {days} days"))
    });
    missing.collect::<Vec<_>>().join(", ")
}

/// The template's properties of the bucket.
fn properties(scope: &CheckContext<'_>, bucket: &str) -> Value {
    let properties = scope
        .template()
        .and_then(|template| template.properties(template.logical_id("AWS::S3::Bucket", bucket)?));
    properties.unwrap_or_default()
}

/// The commands that create the bucket as in the template, each with the name of its setting.
fn commands(
    scope: &CheckContext<'_>,
    bucket: &str,
    properties: &Value,
) -> Vec<(&'static str, String)> {
    let command = |words: &str, argument: &str| {
        scope.context.args.aws(&format!("s3api {words} --bucket {}{argument}", quote(bucket)))
    };
    let location = match scope.clients.region.as_str() {
        "us-east-1" => String::new(),
        region => format!(" --create-bucket-configuration LocationConstraint={}", quote(region)),
    };
    let encryption = properties.pointer("/BucketEncryption/ServerSideEncryptionConfiguration/0");
    let encryption = encryption.map(|rule| {
        let default = rule.get("ServerSideEncryptionByDefault");
        let key = rule.get("BucketKeyEnabled").cloned().unwrap_or(json!(false));
        json!({"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": key}]})
    });
    let rule = |rule: &Value| {
        let get = |name| rule.get(name);
        json!({
            "ID": get("Id"),
            "Status": get("Status"),
            "Filter": {"Prefix": get("Prefix")},
            "Expiration": {"Days": get("ExpirationInDays")},
        })
    };
    let rules: Vec<_> = rules(properties).map(rule).collect();
    let policies = scope.template().map(|it| it.all_properties("AWS::S3::BucketPolicy"));
    let policy = policies.and_then(|mut all| all.next()?.get("PolicyDocument").cloned());
    let settings = [
        (
            "public access",
            "put-public-access-block --public-access-block-configuration",
            properties.get("PublicAccessBlockConfiguration").cloned(),
        ),
        ("encryption", "put-bucket-encryption --server-side-encryption-configuration", encryption),
        (
            "lifecycle",
            "put-bucket-lifecycle-configuration --lifecycle-configuration",
            (!rules.is_empty()).then(|| json!({"Rules": rules})),
        ),
        ("policy", "put-bucket-policy --policy", policy),
    ];
    let settings = settings.into_iter().filter_map(|(name, words, value)| {
        Some((name, command(&format!("{words} {}", quote_json(&value?)), "")))
    });
    std::iter::once((NAME, command("create-bucket", &location))).chain(settings).collect()
}
