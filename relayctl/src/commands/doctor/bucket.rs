//! The payload bucket: whether it exists, and whether it was created anew without its settings. CloudFormation compares settings
//! that are there with the template.

use super::CheckContext;
use super::check::Check;
use super::template::quote_json;
use crate::aws::CallResult;
use crate::cli::quote;
use crate::error::Error;
use serde_json::{Value, json};

const NAME: &str = "bucket";

pub async fn check(scope: &CheckContext<'_>) -> Result<Vec<Check>, Error> {
    let bucket = scope.stack.payload_bucket()?;
    let s3 = &scope.clients.s3;
    let (lifecycle, policy, access) = tokio::join!(
        s3.get_bucket_lifecycle_configuration().bucket(bucket).send(),
        s3.get_bucket_policy().bucket(bucket).send(),
        s3.get_public_access_block().bucket(bucket).send()
    );
    let lifecycle = lifecycle.action("s3:GetLifecycleConfiguration").err();
    let policy = policy.action("s3:GetBucketPolicy").err();
    let access = access.action("s3:GetBucketPublicAccessBlock").err();
    let commands = commands(scope, bucket);
    let mut checks = Vec::new();
    for (setting, error, message) in [
        ("lifecycle", lifecycle, "is missing, so payloads and spilled events are never deleted"),
        ("policy", policy, "is missing, so requests without TLS are allowed"),
        ("public access", access, "is not blocked"),
    ] {
        let Some(error) = error else { continue };
        let name = format!("{NAME} {setting}");
        checks.push(match error.code.as_deref() {
            Some("NoSuchBucket") => {
                let message = format!(
                    "{bucket} is deleted, with the events in it; the relay can store no large event, and no event if \
                     its queue fails"
                );
                let create = commands.into_iter().map(|(_, command)| command);
                return Ok(vec![Check::problem(NAME, message).run(create)]);
            }
            Some(code) if code.starts_with("NoSuch") => {
                let command = commands.iter().find(|(of, _)| *of == setting);
                Check::problem(name, message).run(command.map(|(_, command)| command.clone()))
            }
            _ => Check::failed(name, &error.into(), scope.args),
        });
    }
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "is private, with lifecycle rules and policy"));
    }
    Ok(checks)
}

/// The commands that create the bucket as in the template, each with the name of its setting.
fn commands(scope: &CheckContext<'_>, bucket: &str) -> Vec<(&'static str, String)> {
    let template = scope.template();
    let properties = template.and_then(|it| it.properties_of("AWS::S3::Bucket", bucket));
    let properties = properties.unwrap_or_default();
    let command = |words: &str, argument: &str| {
        scope.args.aws(&format!("s3api {words} --bucket {}{argument}", quote(bucket)))
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
        let mut converted = json!({
            "ID": rule.get("Id"),
            "Status": rule.get("Status"),
            "Filter": {"Prefix": rule.get("Prefix")},
            "Expiration": {"Days": rule.get("ExpirationInDays")},
        });
        let abort = "AbortIncompleteMultipartUpload";
        if let Some((after, rule)) = rule.get(abort).zip(converted.as_object_mut()) {
            rule.insert(abort.to_owned(), after.clone());
        }
        converted
    };
    let rules = properties.pointer("/LifecycleConfiguration/Rules").and_then(Value::as_array);
    let rules = rules.map(|rules| json!({"Rules": rules.iter().map(rule).collect::<Vec<_>>()}));
    let policy = template.and_then(|it| it.all_properties("AWS::S3::BucketPolicy").next());
    let policy = policy.and_then(|policy| policy.get("PolicyDocument").cloned());
    let settings = [
        (
            "public access",
            "put-public-access-block --public-access-block-configuration",
            properties.get("PublicAccessBlockConfiguration").cloned(),
        ),
        ("encryption", "put-bucket-encryption --server-side-encryption-configuration", encryption),
        ("lifecycle", "put-bucket-lifecycle-configuration --lifecycle-configuration", rules),
        ("policy", "put-bucket-policy --policy", policy),
    ];
    let settings = settings.into_iter().filter_map(|(name, words, value)| {
        Some((name, command(&format!("{words} {}", quote_json(&value?)), "")))
    });
    std::iter::once((NAME, command("create-bucket", &location))).chain(settings).collect()
}
