//! The function: its state, its variables, its concurrency, its role's permissions, and whether it responds.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use super::stack::put_role_policies;
use super::template::{Template, text};
use crate::aws;
use crate::cli::quote;
use crate::error::Error;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{LastUpdateStatus, State};
use futures_util::{StreamExt, TryStreamExt, stream};
use labelbox_relay::config::Config;
use labelbox_relay::error::error_chain;
use serde_json::{Map, Value, json};

const FUNCTION: &str = "Function";
const ROLE: &str = "FunctionRole";
/// IAM limits the rate of simulations.
const CONCURRENT_SIMULATIONS: usize = 4;

pub type Configuration = GetFunctionConfigurationOutput;

/// Checks the function, and returns its configuration.
pub async fn check(scope: &CheckContext<'_>) -> (Vec<Check>, Option<Configuration>) {
    let Ok(name) = scope.stack.output("FunctionName") else { return (Vec::new(), None) };
    let lambda = &scope.clients.lambda;
    let (function, concurrency) = tokio::join!(
        lambda.get_function_configuration().function_name(name).send(),
        lambda.get_function_concurrency().function_name(name).send()
    );
    let function = match function {
        Ok(function) => function,
        Err(error) => {
            let error = Error::from(aws::error("lambda:GetFunctionConfiguration", &error));
            if !error.is_not_found() {
                return (vec![Check::failed("function", &error, scope)], None);
            }
            let remediation = "deploy another stack, point Labelbox's webhooks to it, and move the events over; \
                               CloudFormation does not create a deleted function again";
            let message = format!("{name} is deleted");
            return (vec![Check::new(Status::Problem, "function", message, remediation)], None);
        }
    };
    let concurrency = concurrency.map(|it| it.reserved_concurrent_executions);
    let concurrency = match concurrency {
        Err(error) => {
            let error = aws::error("lambda:GetFunctionConcurrency", &error);
            Some(Check::failed("concurrency", &error.into(), scope))
        }
        Ok(Some(0)) => {
            let words =
                format!("lambda delete-function-concurrency --function-name {}", quote(name));
            let command = Remediation::command(scope.context.args.aws(&words));
            let message = "is 0, so the function cannot run";
            Some(Check::new(Status::Problem, "concurrency", message, command))
        }
        Ok(_) => None,
    };
    let mut checks = vec![check_state(&function, scope), check_variables(&function, scope)];
    checks.extend(concurrency);
    checks.extend(check_permissions(&function, scope).await);
    (checks, Some(function))
}

/// The value of a variable of the function, if it is not empty.
pub fn variable<'f>(function: &'f Configuration, name: &str) -> Option<&'f str> {
    let value = function.environment()?.variables()?.get(name)?;
    Some(value.as_str()).filter(|value| !value.is_empty())
}

fn check_state(function: &Configuration, scope: &CheckContext<'_>) -> Check {
    let name = "function";
    let deploy = "deploy again, with make deploy";
    let reason = |reason: Option<&str>| reason.unwrap_or("AWS gives no reason").to_owned();
    let again = || Remediation::command(scope.context.args.relayctl("doctor"));
    match (function.state(), function.last_update_status()) {
        (Some(State::Failed), _) => {
            let message = format!("has failed: {}", reason(function.state_reason()));
            Check::new(Status::Problem, name, message, deploy)
        }
        (_, Some(LastUpdateStatus::Failed)) => {
            let reason = reason(function.last_update_status_reason());
            let message = format!("its last update has failed: {reason}");
            Check::new(Status::Problem, name, message, deploy)
        }
        (Some(State::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => {
            Check::new(Status::Warning, name, "is being updated", again())
        }
        (Some(State::Inactive), _) => {
            let message = "is inactive after weeks without requests; the next request may be answered late, or 503";
            Check::new(Status::Warning, name, message, again())
        }
        _ => Check::ok(name, "is active"),
    }
}

fn check_variables(function: &Configuration, scope: &CheckContext<'_>) -> Check {
    let name = "variables";
    if let Some(error) = function.environment().and_then(|it| it.error()) {
        let message = error.message().unwrap_or("AWS gives no reason");
        let message = format!("cannot be decrypted, nor by the function: {message}");
        let remediation = "allow the function's role to use the KMS key that encrypts them";
        return Check::new(Status::Problem, name, message, remediation);
    }
    let different = scope.template().map(|template| different_variables(function, template));
    let remediation = match (&different, scope.stack.output("FunctionName")) {
        (Some(different), Ok(function)) if !different.is_empty() => {
            Remediation::command(set_variables(function, different, scope))
        }
        _ => "deploy again, with make deploy".into(),
    };
    let names = different.iter().flat_map(Map::keys).cloned().collect::<Vec<_>>().join(", ");
    if let Err(error) = Config::load(|name| lookup(function, name)) {
        let message = format!("the function cannot start: {error}");
        return Check::new(Status::Problem, name, message, remediation);
    }
    if !names.is_empty() {
        let message = format!("differ from the template: {names}");
        return Check::new(Status::Problem, name, message, remediation);
    }
    Check::ok(name, if different.is_some() { "as in the template" } else { "are valid" })
}

/// A variable as the function finds it; Lambda sets the region and the credentials.
fn lookup(function: &Configuration, name: &str) -> Option<String> {
    let set = variable(function, name).map(str::to_owned);
    let reserved = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    set.or_else(|| reserved.contains(&name).then(|| "set by Lambda".to_owned()))
}

/// The variables that are not as in the template, with the template's values.
fn different_variables(function: &Configuration, template: &Template) -> Map<String, Value> {
    let properties = template.properties(FUNCTION).unwrap_or_default();
    let expected = properties.pointer("/Environment/Variables").and_then(Value::as_object);
    let expected = expected.into_iter().flatten().map(|(name, value)| (name, text(value)));
    expected
        .filter(|(name, value)| variable(function, name).unwrap_or_default() != value.as_str())
        .map(|(name, value)| (name.clone(), value.into()))
        .collect()
}

/// Sets some variables; Lambda's API replaces all of them.
fn set_variables(
    function: &str,
    variables: &Map<String, Value>,
    scope: &CheckContext<'_>,
) -> String {
    let (args, function) = (&scope.context.args, quote(function));
    let current = args.aws(&format!(
        "lambda get-function-configuration --function-name {function} --query Environment --output json"
    ));
    let change = quote(&format!(".Variables += {}", json!(variables))).into_owned();
    args.aws(&format!(
        "lambda update-function-configuration --function-name {function} --environment \"$({current} | jq -c {change})\""
    ))
}

/// A call that the template allows the function's role.
struct Permission {
    actions: Vec<String>,
    resource: String,
    /// Condition key and value.
    context: Option<(String, String)>,
}

/// Asks IAM whether the role may do all that the template allows it.
async fn check_permissions(function: &Configuration, scope: &CheckContext<'_>) -> Vec<Check> {
    let name = "permissions";
    let Some(template) = scope.template() else {
        let message = "cannot be checked without the template";
        return vec![Check::new(
            Status::NotChecked,
            name,
            message,
            "ask for cloudformation:GetTemplate",
        )];
    };
    let role = function.role().unwrap_or_default();
    let results = stream::iter(permissions(template))
        .map(|permission| simulate(scope, role, permission))
        .buffered(CONCURRENT_SIMULATIONS);
    let missing: Vec<_> = match results.try_collect::<Vec<_>>().await {
        Ok(missing) => missing.into_iter().flatten().collect(),
        // CloudFormation names the deleted role.
        Err(error) if error.is_not_found() => return Vec::new(),
        Err(error) => return vec![Check::failed(name, &error, scope)],
    };
    if missing.is_empty() {
        return vec![Check::ok(name, "the role has all permissions of the template")];
    }
    let is_denied = missing.iter().any(|(_, is_denied)| *is_denied);
    let mut list: Vec<_> = missing.into_iter().map(|(text, _)| text).collect();
    list.dedup();
    let message = format!("the function's role may not {}", list.join("; "));
    let remediation = match put_role_policies(ROLE, template, scope) {
        _ if is_denied => "remove the statement that denies it, in the role's policies, its \
                           permissions boundary or the organization's"
            .into(),
        Some(commands) => Remediation::Commands(commands),
        None => "give the role the policies of the template".into(),
    };
    vec![Check::new(Status::Problem, name, message, remediation)]
}

fn permissions(template: &Template) -> Vec<Permission> {
    let properties = template.properties(ROLE).unwrap_or_default();
    let policies = properties.get("Policies").and_then(Value::as_array);
    let statements = policies
        .into_iter()
        .flatten()
        .filter_map(|policy| policy.pointer("/PolicyDocument/Statement").and_then(Value::as_array));
    let mut permissions = Vec::new();
    for statement in statements.flatten() {
        let list = |name| texts(statement.get(name));
        let conditions = statement.pointer("/Condition/StringEquals").and_then(Value::as_object);
        let contexts = conditions.into_iter().flatten().flat_map(|(key, values)| {
            texts(Some(values)).into_iter().map(|value| Some((key.clone(), value)))
        });
        let mut contexts: Vec<_> = contexts.collect();
        if contexts.is_empty() {
            contexts.push(None);
        }
        for resource in list("Resource") {
            permissions.extend(contexts.iter().map(|context| Permission {
                actions: list("Action"),
                resource: resource.clone(),
                context: context.clone(),
            }));
        }
    }
    permissions
}

/// One text or several.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(values)) => values.iter().map(text).collect(),
        value => value.map(text).into_iter().collect(),
    }
}

/// What of a permission is missing, and whether a policy denies it.
async fn simulate(
    scope: &CheckContext<'_>,
    role: &str,
    permission: Permission,
) -> Result<Vec<(String, bool)>, Error> {
    let Permission { actions, resource, context } = permission;
    let context = context.map(|(key, value)| {
        let entry = ContextEntry::builder().context_key_name(key).context_key_values(value);
        vec![entry.context_key_type(ContextKeyTypeEnum::String).build()]
    });
    let request = scope.clients.iam.simulate_principal_policy().policy_source_arn(role);
    // One resource per call: only AWS itself answers for each of several.
    let request = request.set_action_names(Some(actions)).resource_arns(&resource);
    let response = request.set_context_entries(context).send().await;
    let response = response.map_err(|it| aws::error("iam:SimulatePrincipalPolicy", &it))?;
    let results = response.evaluation_results().iter();
    let missing = results
        .filter(|it| *it.eval_decision() != PolicyEvaluationDecisionType::Allowed)
        .map(|it| {
            let is_denied = *it.eval_decision() == PolicyEvaluationDecisionType::ExplicitDeny;
            (format!("{} on {resource}", it.eval_action_name()), is_denied)
        });
    Ok(missing.collect())
}

/// Requests the health route, as an uptime check does.
pub async fn check_health(scope: &CheckContext<'_>) -> Check {
    let name = "health";
    let Ok(url) = scope.stack.output("HealthUrl") else {
        return Check::new(
            Status::NotChecked,
            name,
            "its URL is not known",
            "see the outputs above",
        );
    };
    let started = (scope.context.clock)();
    let response = async {
        let response = scope.clients.http.get(url).send().await?;
        let status = response.status().as_u16();
        Ok::<_, reqwest::Error>((status, response.bytes().await?))
    };
    let (status, body) = match response.await {
        Ok(response) => response,
        Err(error) => {
            let reason = error_chain(&error.without_url());
            let error = Error::NoResponse { url: url.to_owned(), reason };
            return Check::new(Status::Problem, name, error.to_string(), "check the network");
        }
    };
    let duration = (scope.context.clock)().duration_since(started).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == 200 && body == json!({"status": "ok"}) {
        return Check::ok(name, format!("answers 200 in {} ms", duration.as_millis()));
    }
    let message = match status {
        200 => format!("{url} answers 200, but it is not the relay that answers"),
        status => format!("{url} answers {status}"),
    };
    let remediation = match status {
        200 => "check where the name of this URL leads".into(),
        _ => scope.log_command(),
    };
    Check::new(Status::Problem, name, message, remediation)
}
