//! The payload bucket: whether it exists, and whether it was created anew without its settings. CloudFormation compares settings
//! that are there with the template.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use super::template::quote_json;
use crate::aws;
use crate::cli::quote;
use crate::error::AwsError;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use serde_json::{Value, json};

const NAME: &str = "bucket";

pub async fn check(scope: &CheckContext<'_>) -> Vec<Check> {
    let Ok(bucket) = scope.stack.payload_bucket() else { return Vec::new() };
    let s3 = &scope.clients.s3;
    let (lifecycle, policy, access) = tokio::join!(
        s3.get_bucket_lifecycle_configuration().bucket(bucket).send(),
        s3.get_bucket_policy().bucket(bucket).send(),
        s3.get_public_access_block().bucket(bucket).send()
    );
    let rules = lifecycle.as_ref().map(|it| it.rules().to_vec()).unwrap_or_default();
    let errors = [
        (
            "lifecycle",
            lifecycle.err().map(|it| aws::error("s3:GetLifecycleConfiguration", &it)),
            "has no rules, so payloads and spilled events are never deleted",
        ),
        (
            "policy",
            policy.err().map(|it| aws::error("s3:GetBucketPolicy", &it)),
            "is missing, so requests without TLS are allowed",
        ),
        (
            "public access",
            access.err().map(|it| aws::error("s3:GetBucketPublicAccessBlock", &it)),
            "is not blocked",
        ),
    ];
    let code = |error: &Option<AwsError>| error.as_ref()?.code.clone();
    let commands = commands(scope, bucket);
    if errors.iter().any(|(_, error, _)| code(error).as_deref() == Some("NoSuchBucket")) {
        let message = format!(
            "{bucket} is deleted, with the events in it; the relay can store no large event, and no event if its \
             queue fails"
        );
        let create = commands.into_iter().map(|(_, command)| command).collect();
        return vec![Check::new(Status::Problem, NAME, message, Remediation::Commands(create))];
    }
    let mut checks = Vec::new();
    for (setting, error, message) in errors {
        let Some(error) = error else { continue };
        let name = format!("{NAME} {setting}");
        if !error.code.as_deref().is_some_and(|code| code.starts_with("NoSuch")) {
            checks.push(Check::failed(name, &error.into(), scope));
            continue;
        }
        let command = commands.iter().find(|(of, _)| *of == setting);
        let remediation = command.map_or_else(
            || "set it as in the template".into(),
            |(_, command)| Remediation::command(command.clone()),
        );
        checks.push(Check::new(Status::Problem, name, message, remediation));
    }
    let has_rules = !checks.iter().any(|check| check.name == "bucket lifecycle");
    let missing =
        if has_rules { missing_rules(&properties(scope, bucket), &rules) } else { Vec::new() };
    if !missing.is_empty() {
        let message = format!("does not keep {}, as the template does", missing.join(", "));
        let command = commands.iter().find(|(of, _)| *of == "lifecycle");
        let command = command.map(|(_, command)| command.clone()).unwrap_or_default();
        let check =
            Check::new(Status::Problem, "bucket lifecycle", message, Remediation::command(command));
        checks.push(check);
    }
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "is private, with lifecycle rules and policy"));
    }
    checks
}

/// The template's rules in the form of S3's API.
fn lifecycle_rules(properties: &Value) -> Option<Value> {
    let rules = properties.pointer("/LifecycleConfiguration/Rules")?.as_array()?.iter();
    let rules = rules.map(|rule| {
        let get = |name| rule.get(name).cloned().unwrap_or_default();
        json!({
            "ID": get("Id"),
            "Status": get("Status"),
            "Filter": {"Prefix": get("Prefix")},
            "Expiration": {"Days": days(rule)},
        })
    });
    Some(json!({"Rules": rules.collect::<Value>()}))
}

/// After how many days a rule of the template deletes objects. The value of a parameter is a text.
fn days(rule: &Value) -> Option<i64> {
    let days = rule.get("ExpirationInDays")?;
    days.as_i64().or_else(|| days.as_str()?.parse().ok())
}

/// The rules of the template that the bucket does not have, as text.
fn missing_rules(properties: &Value, actual: &[LifecycleRule]) -> Vec<String> {
    let expected = properties.pointer("/LifecycleConfiguration/Rules").and_then(Value::as_array);
    let expected = expected.into_iter().flatten().filter_map(|rule| {
        Some((rule.get("Prefix")?.as_str()?.to_owned(), i32::try_from(days(rule)?).ok()?))
    });
    let is_missing = |(prefix, days): &(String, i32)| {
        !actual.iter().any(|rule| {
            *rule.status() == ExpirationStatus::Enabled
                && rule.filter().and_then(|it| it.prefix()) == Some(prefix)
                && rule.expiration().and_then(|it| it.days()) == Some(*days)
        })
    };
    let missing = expected.filter(is_missing);
    missing.map(|(prefix, days)| format!("{prefix} for {days} days")).collect()
}

/// The template's encryption in the form of S3's API.
fn encryption(properties: &Value) -> Option<Value> {
    let rule = properties.pointer("/BucketEncryption/ServerSideEncryptionConfiguration/0")?;
    let default = rule.get("ServerSideEncryptionByDefault")?;
    let key = rule.get("BucketKeyEnabled").cloned().unwrap_or(json!(false));
    Some(
        json!({"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": key}]}),
    )
}

/// The template's properties of the bucket.
fn properties(scope: &CheckContext<'_>, bucket: &str) -> Value {
    let template = scope.template();
    let properties = template
        .and_then(|template| template.properties(template.logical_id("AWS::S3::Bucket", bucket)?));
    properties.unwrap_or_default()
}

/// The commands that create the bucket as in the template, each with the name of its setting.
fn commands(scope: &CheckContext<'_>, bucket: &str) -> Vec<(&'static str, String)> {
    let bucket_option = quote(bucket);
    let command = |words: &str, argument: &str| {
        scope.context.args.aws(&format!("s3api {words} --bucket {bucket_option}{argument}"))
    };
    let location = match scope.clients.region.as_str() {
        "us-east-1" => String::new(),
        region => format!(" --create-bucket-configuration LocationConstraint={}", quote(region)),
    };
    let create = (NAME, command("create-bucket", &location));
    let properties = properties(scope, bucket);
    let policies = scope.template().map(|it| it.all_properties("AWS::S3::BucketPolicy"));
    let policy = policies.and_then(|mut all| all.next()?.get("PolicyDocument").cloned());
    let settings = [
        (
            "public access",
            "put-public-access-block --public-access-block-configuration",
            properties.get("PublicAccessBlockConfiguration").cloned(),
        ),
        (
            "encryption",
            "put-bucket-encryption --server-side-encryption-configuration",
            encryption(&properties),
        ),
        (
            "lifecycle",
            "put-bucket-lifecycle-configuration --lifecycle-configuration",
            lifecycle_rules(&properties),
        ),
        ("policy", "put-bucket-policy --policy", policy),
    ];
    let settings = settings.into_iter().filter_map(|(name, words, value)| {
        Some((name, command(&format!("{words} {}", quote_json(&value?)), "")))
    });
    std::iter::once(create).chain(settings).collect()
}
