//! What the function's role may do, by IAM's own simulation: all that it needs, on all that it needs.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::{ask, is_gone};
use super::settings::Function;
use crate::aws::stack::{Entity, Stack};
use crate::error::Error;
use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType as Decision,
};
use aws_sdk_lambda::types::TracingMode;
use clap::ValueEnum;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

const NAME: &str = "rights";
/// IAM answers few questions at a time.
const AT_ONCE: usize = 4;
/// What says through which service a key is used.
const THROUGH: &str = "kms:ViaService";

/// Rights that go together, and for what the function needs them.
#[derive(Debug)]
pub struct Need {
    /// What the policy is called that would grant it.
    policy: &'static str,
    actions: Vec<&'static str>,
    resources: Vec<String>,
    purpose: &'static str,
    /// The services of AWS that do it for the function, where it may not do it itself.
    through: Vec<String>,
}

/// What a role may not do of a need.
#[derive(Debug, Default)]
pub struct Lack {
    actions: Vec<String>,
    resources: Vec<String>,
    /// Whether a policy forbids it: then no other policy can allow it.
    is_forbidden: bool,
}

/// Judges the rights of the function's role.
pub async fn look(visit: &Visit<'_>, function: &Function) -> Vec<Finding> {
    let Some(role) = function.role() else {
        let says = "the function has no role";
        return vec![Finding::problem(NAME, says, mend::deploy(visit.stack))];
    };
    let needs = needs(visit.stack, function);
    let lacks = stream::iter(&needs).map(|need| find_lack(visit, role, need));
    let lacks: Vec<_> = lacks.buffered(AT_ONCE).collect().await;
    let lacks: Result<Vec<_>, Error> = lacks.into_iter().collect();
    match lacks {
        Ok(lacks) => judge(role, &needs, &lacks),
        Err(error) if is_gone(&error) => {
            let says = format!("the function's role {role} is gone");
            vec![Finding::problem(NAME, says, mend::deploy(visit.stack))]
        }
        Err(error) => vec![Finding::of_trouble(NAME, &error)],
    }
}

fn judge(role: &str, needs: &[Need], lacks: &[Lack]) -> Vec<Finding> {
    let both = needs.iter().zip(lacks);
    let findings: Vec<_> = both
        .filter(|(_, lack)| !lack.actions.is_empty())
        .map(|(need, lack)| judge_lack(role, need, lack))
        .collect();
    if findings.is_empty() {
        let says = "its role reaches every queue, the bucket, the secret and the log";
        return vec![Finding::ok(NAME, says)];
    }
    findings
}

fn judge_lack(role: &str, need: &Need, lack: &Lack) -> Finding {
    let Lack { actions, resources, .. } = lack;
    let says = format!(
        "its role may not {} on {}, which it needs for {}",
        actions.join(", "),
        resources.join(", "),
        need.purpose
    );
    if lack.is_forbidden {
        let mend = format!("take out of the policies of {role} what denies it");
        return Finding::problem(NAME, says, mend);
    }
    // All of it, since the policy takes the place of one of the same name.
    let document = json!({"Version": "2012-10-17", "Statement": [statement(need)]});
    let name = role.rsplit('/').next().unwrap_or(role);
    Finding::problem(NAME, says, mend::grant(name, need.policy, &document))
}

fn statement(need: &Need) -> Value {
    let (actions, resources) = (&need.actions, &need.resources);
    if need.through.is_empty() {
        return json!({"Effect": "Allow", "Action": actions, "Resource": resources});
    }
    let condition = json!({"StringEquals": {THROUGH: need.through}});
    json!({"Effect": "Allow", "Action": actions, "Resource": resources, "Condition": condition})
}

/// All that the function does.
fn needs(stack: &Stack, function: &Function) -> Vec<Need> {
    // arn:<partition>:lambda:<region>:<account>:function:<name>
    let arn: Vec<_> = function.function_arn().unwrap_or_default().split(':').collect();
    let [_, partition, _, region, summary, ..] = arn[..] else {
        return Vec::new();
    };
    let queues = Entity::value_variants().iter().filter_map(|entity| {
        // The address of a queue ends with account and name.
        let mut address = stack.queue_url(*entity).ok()?.rsplit('/');
        let (name, summary) = (address.next()?, address.next()?);
        Some(format!("arn:{partition}:sqs:{region}:{account}:{name}"))
    });
    let bucket = stack.payload_bucket().unwrap_or_default();
    let objects = ["payloads", "spill"].map(|it| format!("arn:{partition}:s3:::{bucket}/{it}/*"));
    let need = |policy, actions: &[&'static str], resources, purpose| Need {
        policy,
        actions: actions.to_vec(),
        resources,
        purpose,
        through: Vec::new(),
    };
    let mut needs = vec![
        need("queue-events", &["sqs:SendMessage"], queues.collect(), "every event"),
        need(
            "store-what-queues-cannot-take",
            &["s3:PutObject"],
            objects.to_vec(),
            "large events, and those that a queue does not take",
        ),
    ];
    if let Ok(secret) = stack.secret_arn() {
        let actions = &["secretsmanager:GetSecretValue"];
        let secret = vec![secret.to_owned()];
        needs.push(need("read-the-secret", actions, secret, "every signature"));
    }
    if let Some(group) = function.logging_config().and_then(|it| it.log_group()) {
        let actions = &["logs:CreateLogStream", "logs:PutLogEvents"];
        let group = format!("arn:{partition}:logs:{region}:{account}:log-group:{group}:*");
        needs.push(need("write-the-log", actions, vec![group], "its log and metrics"));
    }
    let tracing = function.tracing_config().and_then(|it| it.mode());
    if tracing == Some(&TracingMode::Active) {
        let actions = &["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
        let all = vec!["*".to_owned()];
        needs.push(need("write-the-trace", actions, all, "its traces"));
    }
    if let Some(key) = stack.parameter("KmsKeyArn") {
        needs.extend(needs_of_key(key, region));
    }
    needs
}

/// What the services ask a key of one's own for in the function's name.
fn needs_of_key(key: &str, region: &str) -> [Need; 2] {
    let need = |policy, action, services: &[&str]| Need {
        policy,
        actions: vec![action],
        resources: vec![key.to_owned()],
        purpose: "queues, bucket and secret",
        through: services
            .iter()
            .map(|service| format!("{service}.{region}.amazonaws.com"))
            .collect(),
    };
    [
        need("encrypt-with-the-key", "kms:GenerateDataKey", &["sqs", "s3"]),
        need("decrypt-with-the-key", "kms:Decrypt", &["sqs", "secretsmanager"]),
    ]
}

/// Asks for one resource after the other: an answer for several is one for each only at AWS itself.
async fn find_lack(visit: &Visit<'_>, role: &str, need: &Need) -> Result<Lack, Error> {
    let mut lack = Lack::default();
    let circumstances = circumstances(need);
    let each = need.resources.iter();
    let each = each.flat_map(|resource| circumstances.iter().map(move |it| (resource, it)));
    for (resource, circumstances) in each {
        let question = visit.clients.iam.simulate_principal_policy();
        let question = question
            .policy_source_arn(role)
            .set_action_names(Some(need.actions.iter().map(ToString::to_string).collect()))
            .resource_arns(resource)
            .set_context_entries(circumstances.clone())
            .send();
        let answer = ask("iam:SimulatePrincipalPolicy", question).await?;
        for result in answer.evaluation_results() {
            let decision = result.eval_decision();
            if *decision == Decision::Allowed {
                continue;
            }
            lack.is_forbidden |= *decision == Decision::ExplicitDeny;
            let action = result.eval_action_name().to_owned();
            if !lack.actions.contains(&action) {
                lack.actions.push(action);
            }
            if !lack.resources.contains(resource) {
                lack.resources.push(resource.clone());
            }
        }
    }
    Ok(lack)
}

/// In what circumstances the need is asked for: through one service after the other, or in none that matter.
fn circumstances(need: &Need) -> Vec<Option<Vec<ContextEntry>>> {
    if need.through.is_empty() {
        return vec![None];
    }
    let entry = |service: &String| {
        let entry = ContextEntry::builder().context_key_name(THROUGH);
        let entry = entry.context_key_type(ContextKeyTypeEnum::String);
        Some(vec![entry.context_key_values(service).build()])
    };
    need.through.iter().map(entry).collect()
}

#[cfg(test)]
mod tests;
