//! Which rights the function needs, and what is said of those that its role lacks.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::super::finding::Status;
use super::*;
use aws_sdk_lambda::types::{LoggingConfig, TracingConfigResponse};
use std::collections::HashMap;

const ROLE: &str = "arn:aws-cn:iam::1:role/path/relay";

fn stack() -> Stack {
    let entities = Entity::value_variants().iter();
    let url = |entity: &Entity| format!("https://sqs/2/{}.fifo", entity.name());
    let names = ["Label", "Workflow", "Review", "ModelRun", "Unrouted"];
    let queues = names.iter().zip(entities);
    let queues = queues.map(|(name, entity)| (format!("{name}QueueUrl"), url(entity)));
    let others = [("PayloadBucketName", "bucket"), ("SecretArn", "arn:secret")];
    let others = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Stack::new("relay", queues.chain(others).collect::<HashMap<_, _>>())
}

fn function() -> Function {
    let tracing = TracingConfigResponse::builder().mode(TracingMode::Active);
    Function::builder()
        .function_arn("arn:aws-cn:lambda:cn-north-1:1:function:relay")
        .logging_config(LoggingConfig::builder().log_group("group").build())
        .tracing_config(tracing.build())
        .build()
}

#[test]
fn what_is_needed_is_named_as_iam_names_it() {
    let needs = needs(&stack(), &function());
    let resources: Vec<_> = needs.iter().flat_map(|need| &need.resources).collect();
    assert_eq!(
        resources,
        [
            "arn:aws-cn:sqs:cn-north-1:2:label.fifo",
            "arn:aws-cn:sqs:cn-north-1:2:workflow.fifo",
            "arn:aws-cn:sqs:cn-north-1:2:review.fifo",
            "arn:aws-cn:sqs:cn-north-1:2:model_run.fifo",
            "arn:aws-cn:sqs:cn-north-1:2:unrouted.fifo",
            "arn:aws-cn:s3:::bucket/payloads/*",
            "arn:aws-cn:s3:::bucket/spill/*",
            "arn:secret",
            "arn:aws-cn:logs:cn-north-1:1:log-group:group:*",
            "*",
        ]
    );
}

#[test]
fn no_two_grants_take_each_others_place() {
    let needs = needs(&stack(), &function());
    let lack = |need: &Need| Lack {
        actions: need.actions.iter().map(ToString::to_string).collect(),
        resources: need.resources.clone(),
        is_forbidden: false,
    };
    let lacks: Vec<_> = needs.iter().map(lack).collect();
    let findings = judge(ROLE, &needs, &lacks);
    assert_eq!(findings.len(), needs.len());
    let policies = findings.iter().map(|finding| {
        let mend = finding.mend.as_deref().unwrap();
        let rest = mend.split_once("--role-name relay --policy-name ").unwrap();
        rest.1.split(' ').next().unwrap()
    });
    let mut policies: Vec<_> = policies.collect();
    policies.sort_unstable();
    policies.dedup();
    assert_eq!(policies.len(), needs.len());
}

#[test]
fn one_queue_less_is_granted_with_all_of_them() {
    let needs = needs(&stack(), &function());
    let mut lacks: Vec<_> = needs.iter().map(|_| Lack::default()).collect();
    let lack = lacks.first_mut().unwrap();
    lack.actions.push("sqs:SendMessage".to_owned());
    lack.resources.push("arn:of-review".to_owned());
    let findings = judge(ROLE, &needs, &lacks);
    let [finding] = &findings[..] else {
        panic!("{findings:?}");
    };
    assert!(finding.says.contains("may not sqs:SendMessage on arn:of-review, which"));
    let mend = finding.mend.as_deref().unwrap();
    assert!(mend.contains("label.fifo") && mend.contains("unrouted.fifo"), "{mend}");
}

#[test]
fn a_key_is_asked_for_and_granted_through_the_services_that_use_it() {
    let needs = needs_of_key("arn:key", "eu-west-1");
    let asked = needs.iter().flat_map(circumstances).flatten().flatten();
    let asked: Vec<_> = asked
        .map(|entry| {
            format!("{}={:?}", entry.context_key_name.unwrap(), entry.context_key_values.unwrap())
        })
        .collect();
    assert_eq!(
        asked,
        [
            r#"kms:ViaService=["sqs.eu-west-1.amazonaws.com"]"#,
            r#"kms:ViaService=["s3.eu-west-1.amazonaws.com"]"#,
            r#"kms:ViaService=["sqs.eu-west-1.amazonaws.com"]"#,
            r#"kms:ViaService=["secretsmanager.eu-west-1.amazonaws.com"]"#,
        ]
    );
    let [_, decrypt] = needs;
    assert_eq!(
        statement(&decrypt),
        json!({
            "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": ["arn:key"],
            "Condition": {"StringEquals": {"kms:ViaService":
                ["sqs.eu-west-1.amazonaws.com", "secretsmanager.eu-west-1.amazonaws.com"]}},
        })
    );
}

#[test]
fn what_is_forbidden_is_not_mended_by_a_grant() {
    let needs = needs(&stack(), &function());
    let mut lacks: Vec<_> = needs.iter().map(|_| Lack::default()).collect();
    let lack = lacks.last_mut().unwrap();
    lack.actions.push("xray:PutTraceSegments".to_owned());
    lack.is_forbidden = true;
    let findings = judge(ROLE, &needs, &lacks);
    let mend = findings.first().and_then(|finding| finding.mend.clone());
    assert!(mend.unwrap().contains("what denies it"));
}

#[test]
fn a_role_that_may_all_is_fine() {
    let needs = needs(&stack(), &function());
    let lacks: Vec<_> = needs.iter().map(|_| Lack::default()).collect();
    let findings = judge(ROLE, &needs, &lacks);
    assert_eq!(findings.first().map(|it| it.status), Some(Status::Ok));
}
