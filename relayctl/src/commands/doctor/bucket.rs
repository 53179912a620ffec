//! The payload bucket: whether it exists, private, with lifecycle rules and policy as in the template.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use super::stack::quote_json;
use crate::aws;
use crate::cli::quote;
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
    let commands = commands(scope, bucket);
    let lifecycle = lifecycle.map(|it| it.rules.unwrap_or_default());
    let lifecycle = lifecycle.map_err(|it| aws::error("s3:GetLifecycleConfiguration", &it));
    if lifecycle.as_ref().is_err_and(|error| error.code.as_deref() == Some("NoSuchBucket")) {
        let message = format!(
            "{bucket} is deleted, with the events in it; the relay can store no large event, and no event if its \
             queue fails"
        );
        let create = commands.into_iter().map(|(_, command)| command).collect();
        return vec![Check::new(Status::Problem, NAME, message, Remediation::Commands(create))];
    }
    let policy = policy.map(|it| it.policy.is_some());
    let policy = policy.map_err(|it| aws::error("s3:GetBucketPolicy", &it));
    let access = access.map(|it| {
        it.public_access_block_configuration.is_some_and(|it| {
            [
                it.block_public_acls,
                it.block_public_policy,
                it.ignore_public_acls,
                it.restrict_public_buckets,
            ]
            .iter()
            .all(|set| *set == Some(true))
        })
    });
    let access = access.map_err(|it| aws::error("s3:GetBucketPublicAccessBlock", &it));
    let expected = lifecycle_rules(&properties(scope));
    let results = [
        (
            "lifecycle",
            lifecycle.map(|rules| has_rules(&rules, &expected)),
            "payloads and spilled events are never deleted, or too early",
        ),
        ("policy", policy, "requests without TLS are allowed"),
        ("public access", access, "public access is not blocked"),
    ];
    let mut checks = Vec::new();
    for (name, result, message) in results {
        let is_set = match result {
            Ok(is_set) => is_set,
            Err(error) if is_unset(error.code.as_deref()) => false,
            Err(error) => {
                checks.push(Check::failed(format!("{NAME} {name}"), &error.into(), scope));
                continue;
            }
        };
        if is_set {
            continue;
        }
        let command = commands.iter().find(|(of, _)| *of == name);
        let remediation = command.map_or_else(
            || "set it as in the template".into(),
            |(_, command)| Remediation::command(command.clone()),
        );
        let message = format!("differs from the template: {message}");
        checks.push(Check::new(Status::Problem, format!("{NAME} {name}"), message, remediation));
    }
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "is private, with lifecycle rules and policy"));
    }
    checks
}

fn is_unset(code: Option<&str>) -> bool {
    let codes = [
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
    ];
    code.is_some_and(|code| codes.contains(&code))
}

fn properties(scope: &CheckContext<'_>) -> Value {
    let properties = scope.template().and_then(|template| {
        let bucket = scope.stack.payload_bucket().ok()?;
        template.properties(template.logical_id("AWS::S3::Bucket", bucket)?)
    });
    properties.unwrap_or_default()
}

/// The template's rules in the form of S3's API.
fn lifecycle_rules(properties: &Value) -> Vec<Value> {
    let rules = properties.pointer("/LifecycleConfiguration/Rules").and_then(Value::as_array);
    let rule = |rule: &Value| {
        let get = |name| rule.get(name).cloned().unwrap_or_default();
        json!({
            "ID": get("Id"),
            "Status": get("Status"),
            "Filter": {"Prefix": get("Prefix")},
            "Expiration": {"Days": get("ExpirationInDays")},
        })
    };
    rules.into_iter().flatten().map(rule).collect()
}

fn has_rules(actual: &[LifecycleRule], expected: &[Value]) -> bool {
    let is_rule = |expected: &Value, actual: &LifecycleRule| {
        #[expect(deprecated, reason = "S3 answers with the form in which the rule was put")]
        let prefix = actual.filter().and_then(|it| it.prefix()).or(actual.prefix());
        let days = actual.expiration().and_then(|it| it.days());
        *actual.status() == ExpirationStatus::Enabled
            && expected.pointer("/Filter/Prefix").and_then(Value::as_str) == prefix
            && expected.pointer("/Expiration/Days").and_then(Value::as_i64) == days.map(i64::from)
    };
    !actual.is_empty()
        && expected.iter().all(|rule| actual.iter().any(|actual| is_rule(rule, actual)))
}

/// The commands that create the bucket as in the template, each with the name of its check.
fn commands(scope: &CheckContext<'_>, bucket: &str) -> Vec<(&'static str, String)> {
    let region = scope.clients.region.as_str();
    let bucket = quote(bucket);
    let command = |words: &str, argument: &str| {
        scope.context.args.aws(&format!("s3api {words} --bucket {bucket}{argument}"))
    };
    let location = match region {
        "us-east-1" => String::new(),
        region => format!(" --create-bucket-configuration LocationConstraint={}", quote(region)),
    };
    let mut commands = vec![("bucket", command("create-bucket", &location))];
    let properties = properties(scope);
    let mut put = |name, words, option, value: &Value| {
        let argument = format!(" {option} {}", quote_json(value));
        commands.push((name, command(words, &argument)));
    };
    if let Some(access) = properties.get("PublicAccessBlockConfiguration") {
        let option = "--public-access-block-configuration";
        put("public access", "put-public-access-block", option, access);
    }
    let encryption = "/BucketEncryption/ServerSideEncryptionConfiguration/0";
    if let Some(rule) = properties.pointer(encryption) {
        let default = rule.get("ServerSideEncryptionByDefault").cloned().unwrap_or_default();
        let key = rule.get("BucketKeyEnabled").cloned().unwrap_or(json!(false));
        let rule = json!({"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": key});
        let option = "--server-side-encryption-configuration";
        put("encryption", "put-bucket-encryption", option, &json!({"Rules": [rule]}));
    }
    let rules = lifecycle_rules(&properties);
    if !rules.is_empty() {
        let (words, option) = ("put-bucket-lifecycle-configuration", "--lifecycle-configuration");
        put("lifecycle", words, option, &json!({"Rules": rules}));
    }
    let policies = scope.template().map(|it| it.all_properties("AWS::S3::BucketPolicy"));
    if let Some(policy) = policies.and_then(|mut all| all.next()?.get("PolicyDocument").cloned()) {
        put("policy", "put-bucket-policy", "--policy", &policy);
    }
    commands
}
