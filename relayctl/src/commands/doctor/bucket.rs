//! The payload bucket: whether it exists, and whether it was created anew without its settings. CloudFormation compares settings
//! that are there with the template.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use super::template::quote_json;
use crate::aws;
use crate::cli::quote;
use crate::error::AwsError;
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
            "Expiration": {"Days": get("ExpirationInDays")},
        })
    });
    Some(json!({"Rules": rules.collect::<Value>()}))
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
    let properties = scope
        .template()
        .and_then(|template| template.properties(template.logical_id("AWS::S3::Bucket", bucket)?));
    let properties = properties.unwrap_or_default();
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
