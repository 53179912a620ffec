//! The function's configuration: whether it runs, with the variables that the stack gave it, and how it is limited.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::{ask, is_gone};
use crate::aws::stack::Stack;
use crate::error::Error;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{LastUpdateStatus, State};
use labelbox_relay::config::Config;
use serde_json::{Map, Value};

pub type Function = GetFunctionConfigurationOutput;

/// What the template gives the function.
const MEMORY_MB: i32 = 128;
/// Its slowest own answer takes 10 s; an event that is cut off may be lost.
const LEAST_TIMEOUT_SECONDS: i32 = 15;

/// Variables that repeat a parameter of the stack.
const FROM_PARAMETERS: [(&str, &str); 7] = [
    ("SECRET_TTL_SECONDS", "SecretTtlSeconds"),
    ("QUEUE_TYPE", "QueueType"),
    ("ALLOWED_SOURCE_CIDRS", "AllowedSourceCidrs"),
    ("SOURCE_CHECK", "SourceCheck"),
    ("TRAINING_MODELS", "TrainingModels"),
    ("INLINE_LIMIT_KIB", "InlineLimitKiB"),
    ("LOG_LEVEL", "LogLevel"),
];

/// Variables that repeat an output of the stack.
const FROM_OUTPUTS: [(&str, &str); 7] = [
    ("SECRET_ARN", "SecretArn"),
    ("PAYLOAD_BUCKET", "PayloadBucketName"),
    ("LABEL_QUEUE_URL", "LabelQueueUrl"),
    ("WORKFLOW_QUEUE_URL", "WorkflowQueueUrl"),
    ("REVIEW_QUEUE_URL", "ReviewQueueUrl"),
    ("MODEL_RUN_QUEUE_URL", "ModelRunQueueUrl"),
    ("UNROUTED_QUEUE_URL", "UnroutedQueueUrl"),
];

/// Reads the function's configuration, and judges it. Gives it to those who look further.
pub async fn look(visit: &Visit<'_>) -> (Vec<Finding>, Option<Function>) {
    let stack = visit.stack;
    let (function, reserved) = tokio::join!(read(visit), read_reserved(visit));
    match function {
        Ok(function) => {
            let mut findings = judge(&function, stack);
            findings.push(judge_reserved(&reserved, stack));
            (findings, Some(function))
        }
        Err(error) if is_gone(&error) => {
            let finding = Finding::problem("function", "is gone", mend::deploy(stack));
            (vec![finding], None)
        }
        Err(error) => (vec![Finding::of_trouble("function", &error)], None),
    }
}

async fn read(visit: &Visit<'_>) -> Result<Function, Error> {
    let name = visit.stack.output("FunctionName")?;
    let question = visit.clients.lambda.get_function_configuration();
    let question = question.function_name(name).send();
    ask("lambda:GetFunctionConfiguration", question).await
}

async fn read_reserved(visit: &Visit<'_>) -> Result<Option<i32>, Error> {
    let name = visit.stack.output("FunctionName")?;
    let question = visit.clients.lambda.get_function_concurrency();
    let question = question.function_name(name).send();
    let answer = ask("lambda:GetFunctionConcurrency", question).await?;
    Ok(answer.reserved_concurrent_executions)
}

/// The value of one of the function's variables, if it is set and not empty.
pub fn variable<'f>(function: &'f Function, name: &str) -> Option<&'f str> {
    let value = function.environment()?.variables()?.get(name)?;
    Some(value.as_str()).filter(|value| !value.is_empty())
}

pub fn judge(function: &Function, stack: &Stack) -> Vec<Finding> {
    vec![
        judge_state(function, stack),
        judge_variables(function, stack),
        judge_limits(function),
        judge_sources(function),
        judge_level(function),
    ]
}

fn judge_state(function: &Function, stack: &Stack) -> Finding {
    let reason = |reason: Option<&str>| reason.unwrap_or("AWS does not say why").to_owned();
    match (function.state(), function.last_update_status()) {
        (Some(State::Failed), _) => {
            let says = format!("has failed: {}", reason(function.state_reason()));
            Finding::problem("function", says, mend::deploy(stack))
        }
        (_, Some(LastUpdateStatus::Failed)) => {
            let says = reason(function.last_update_status_reason());
            let says = format!("its last update has failed: {says}");
            Finding::problem("function", says, mend::deploy(stack))
        }
        (Some(State::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => {
            let mend = mend::relayctl(stack, "doctor");
            Finding::warning("function", "is being updated", format!("in a minute: {mend}"))
        }
        (Some(State::Inactive), _) => {
            let says =
                "sleeps, because it was idle for weeks; the first event is answered late, or 503";
            Finding::warning("function", says, mend::relayctl(stack, "doctor"))
        }
        _ => Finding::ok("function", "is active"),
    }
}

fn judge_variables(function: &Function, stack: &Stack) -> Finding {
    let name = "variables";
    if let Some(error) = function.environment().and_then(|it| it.error()) {
        let says = error.message().unwrap_or("AWS does not say why");
        let says = format!("cannot be read, nor by the function: {says}");
        return Finding::problem(name, says, "allow the function's role to use their KMS key");
    }
    let drifted = drifted(function, stack);
    let mend = if drifted.is_empty() {
        mend::deploy(stack)
    } else {
        let function = stack.output("FunctionName").unwrap_or_default();
        mend::set_variables(function, &Value::Object(drifted.clone()))
    };
    if let Err(error) = Config::load(|name| lookup(function, name)) {
        return Finding::problem(name, format!("the function cannot start: {error}"), mend);
    }
    if drifted.is_empty() {
        return Finding::ok(name, "are sound, and those that the stack gave");
    }
    let names: Vec<_> = drifted.keys().map(String::as_str).collect();
    let says = format!("differ from what the stack gave: {}", names.join(", "));
    Finding::problem(name, says, mend)
}

/// What the function finds where it runs: Lambda adds the region and credentials.
fn lookup(function: &Function, name: &str) -> Option<String> {
    let set = variable(function, name).map(str::to_owned);
    let added = || {
        let of_lambda = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
        of_lambda.contains(&name).then(|| "of Lambda".to_owned())
    };
    set.or_else(added)
}

/// The variables that are not as the stack gave them, each with what it gave.
fn drifted(function: &Function, stack: &Stack) -> Map<String, Value> {
    // A stack that cannot be asked for its parameters has not given empty ones.
    let knows_parameters = stack.parameter("QueueType").is_some();
    let parameters = FROM_PARAMETERS
        .iter()
        .filter(|_| knows_parameters)
        .map(|(variable, parameter)| (*variable, stack.parameter(parameter)));
    let outputs =
        FROM_OUTPUTS.iter().map(|(variable, output)| (*variable, stack.output(*output).ok()));
    let is_drifted = |(name, given): &(&str, Option<&str>)| variable(function, name) != *given;
    parameters
        .chain(outputs.filter(|(_, given)| given.is_some()))
        .filter(is_drifted)
        .map(|(name, given)| (name.to_owned(), given.unwrap_or_default().into()))
        .collect()
}

fn judge_limits(function: &Function) -> Finding {
    let (memory, timeout) = (
        function.memory_size().unwrap_or(MEMORY_MB),
        function.timeout().unwrap_or(LEAST_TIMEOUT_SECONDS),
    );
    let says = format!("{memory} MB, {timeout} s");
    if timeout < LEAST_TIMEOUT_SECONDS {
        let says = format!("{says}: it may be cut off before its slowest answer");
        let name = function.function_name().unwrap_or_default();
        let mend = format!(
            "aws lambda update-function-configuration --function-name {name} --timeout {LEAST_TIMEOUT_SECONDS}"
        );
        return Finding::warning("limits", says, mend);
    }
    Finding::ok("limits", says)
}

fn judge_sources(function: &Function) -> Finding {
    let is_observed =
        variable(function, "SOURCE_CHECK").is_some_and(|it| it.eq_ignore_ascii_case("observe"));
    let says = match variable(function, "ALLOWED_SOURCE_CIDRS") {
        None => "every address may send (AllowedSourceCidrs is empty)".to_owned(),
        Some(networks) if is_observed => format!("others than {networks} are counted, not refused"),
        Some(networks) => format!("only {networks} may send"),
    };
    Finding::ok("sources", says)
}

fn judge_level(function: &Function) -> Finding {
    let level = variable(function, "LOG_LEVEL").unwrap_or("info");
    Finding::ok("log level", level)
}

fn judge_reserved(reserved: &Result<Option<i32>, Error>, stack: &Stack) -> Finding {
    let name = "concurrency";
    match reserved {
        Err(error) => Finding::of_trouble(name, error),
        Ok(None) => Finding::ok(name, "shares the account's; none is reserved"),
        Ok(Some(0)) => {
            let function = stack.output("FunctionName").unwrap_or_default();
            let mend = format!("aws lambda delete-function-concurrency --function-name {function}");
            Finding::problem(name, "is 0: the function is switched off", mend)
        }
        Ok(Some(count)) => Finding::ok(name, format!("{count} at once, reserved and at most")),
    }
}

#[cfg(test)]
mod tests;
