//! The stack itself: how its last deployment ended, and whether it has all that the tool and its users go by.

use super::finding::Finding;
use super::mend;
use crate::aws::stack::{Entity, Stack};
use crate::error::Error;
use clap::ValueEnum;

const OUTPUTS: [&str; 7] = [
    "WebhookUrl",
    "TrainingUrl",
    "HealthUrl",
    "SecretArn",
    "FunctionName",
    "PayloadBucketName",
    "DashboardUrl",
];

/// Judges the stack.
///
/// # Errors
/// When it has no output of a relay at all: then there is nothing to look at.
pub fn judge(stack: &Stack) -> Result<Vec<Finding>, Error> {
    let missing = missing(stack);
    if OUTPUTS.iter().all(|output| missing.iter().any(|it| it == *output)) {
        stack.output("FunctionName")?;
    }
    let outputs = if missing.is_empty() {
        Finding::ok("outputs", "all there")
    } else {
        let says = format!("missing: {}; is it a relay, and up to date?", missing.join(", "));
        Finding::problem("outputs", says, mend::deploy(stack))
    };
    Ok(vec![judge_status(stack), outputs])
}

fn missing(stack: &Stack) -> Vec<String> {
    let queues = Entity::value_variants()
        .iter()
        .flat_map(|entity| [stack.queue_url(*entity), stack.dead_letter_queue_url(*entity)]);
    let others = OUTPUTS.iter().map(|output| stack.output(*output));
    let missing = others.chain(queues).filter_map(|output| match output {
        Err(Error::NoOutput { output, .. }) => Some(output),
        _ => None,
    });
    missing.collect()
}

fn judge_status(stack: &Stack) -> Finding {
    let status = stack.status.as_str();
    let says = format!("{} is {status}", stack.name);
    let name = &stack.name;
    match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Finding::ok("stack", says),
        _ if status.ends_with("_IN_PROGRESS") => {
            let mend = format!(
                "wait until it is done: aws cloudformation describe-stack-events --stack-name {name}"
            );
            Finding::warning("stack", says, mend)
        }
        "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => {
            let says = format!("{says}: the last update failed, what was before is in place");
            let mend = format!(
                "aws cloudformation describe-stack-events --stack-name {name} says why; then {}",
                mend::deploy(stack)
            );
            Finding::warning("stack", says, mend)
        }
        _ => {
            let mend =
                format!("aws cloudformation describe-stack-events --stack-name {name} says why");
            Finding::problem("stack", says, mend)
        }
    }
}

#[cfg(test)]
mod tests;
