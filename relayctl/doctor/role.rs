//! What the function's role may do, by IAM's own simulation: all that it needs, on all that it needs.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::ask;
use super::settings::Function;
use crate::stack::{Entity, Stack};
use crate::trouble::Trouble;
use aws_sdk_iam::types::PolicyEvaluationDecisionType;
use clap::ValueEnum;
use futures_util::future::join_all;
use serde_json::json;

/// A right, and for what the function needs it.
struct Need {
    action: &'static str,
    resource: String,
    purpose: String,
}

/// Judges the rights of the function's role.
pub async fn look(visit: &Visit<'_>, function: &Function) -> Vec<Finding> {
    let Some(role) = function.role() else {
        let says = "the function has no role";
        return vec![Finding::problem("rights", says, mend::deploy(visit.stack))];
    };
    let needs = needs(visit.stack, role);
    let answers = join_all(needs.iter().map(|need| is_allowed(visit, role, need))).await;
    let mut lacking = Vec::new();
    for (need, answer) in needs.iter().zip(answers) {
        match answer {
            Ok(true) => {}
            Ok(false) => lacking.push(need),
            Err(trouble) => return vec![Finding::of_trouble("rights", &trouble)],
        }
    }
    if lacking.is_empty() {
        let says = "its role reaches every queue, the bucket and the secret";
        return vec![Finding::ok("rights", says)];
    }
    let name = role.rsplit('/').next().unwrap_or(role);
    lacking.into_iter().map(|need| lacks(name, need)).collect()
}

fn lacks(role: &str, need: &Need) -> Finding {
    let Need {
        action,
        resource,
        purpose,
    } = need;
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": action, "Resource": resource}
    ]});
    let says = format!("its role may not {action} on {resource}, which it needs for {purpose}");
    let policy = format!("mended-{}", action.replace(':', "-"));
    Finding::problem("rights", says, mend::grant(role, &policy, &document))
}

/// All that the function does. The names of queues are in their addresses.
fn needs(stack: &Stack, role: &str) -> Vec<Need> {
    let queues = Entity::value_variants().iter().filter_map(|entity| {
        Some(Need {
            action: "sqs:SendMessage",
            resource: queue_arn(stack.queue_url(*entity).ok()?, role)?,
            purpose: format!("{} events", entity.name()),
        })
    });
    let bucket = stack.payload_bucket().ok();
    let partition = role.split(':').nth(1).unwrap_or("aws");
    let objects = [
        ("payloads", "large bodies"),
        ("spill", "events that a queue does not take"),
    ];
    let objects = objects.into_iter().filter_map(|(prefix, purpose)| {
        Some(Need {
            action: "s3:PutObject",
            resource: format!("arn:{partition}:s3:::{}/{prefix}/probe", bucket?),
            purpose: purpose.to_owned(),
        })
    });
    let secret = stack.secret_arn().ok().map(|arn| Need {
        action: "secretsmanager:GetSecretValue",
        resource: arn.to_owned(),
        purpose: "every signature".to_owned(),
    });
    queues.chain(objects).chain(secret).collect()
}

/// The ARN of a queue, whose address ends with account and name; the role is in the same partition, the address says the
/// region.
pub fn queue_arn(url: &str, role: &str) -> Option<String> {
    let mut parts = url.rsplit('/');
    let (name, account) = (parts.next()?, parts.next()?);
    let partition = role.split(':').nth(1)?;
    let host = url.split('/').nth(2)?;
    let region = host
        .strip_prefix("sqs.")
        .and_then(|rest| rest.split('.').next());
    // Elsewhere than at AWS, the address says no region, and the simulation compares by pattern.
    Some(format!(
        "arn:{partition}:sqs:{}:{account}:{name}",
        region.unwrap_or("us-east-1")
    ))
}

async fn is_allowed(visit: &Visit<'_>, role: &str, need: &Need) -> Result<bool, Trouble> {
    let question = visit.clients.iam.simulate_principal_policy();
    let question = question
        .policy_source_arn(role)
        .action_names(need.action)
        .resource_arns(&need.resource)
        .send();
    let answer = ask("iam:SimulatePrincipalPolicy", question).await?;
    let results = answer.evaluation_results();
    Ok(!results.is_empty()
        && results
            .iter()
            .all(|result| *result.eval_decision() == PolicyEvaluationDecisionType::Allowed))
}
