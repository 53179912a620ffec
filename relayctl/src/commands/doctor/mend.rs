//! What one types to mend something, as it can be pasted into a shell.

use crate::aws::stack::Stack;
use serde_json::Value;

/// The name that `relayctl` takes where it is told none.
const USUAL_STACK: &str = "labelbox-relay";

/// A command of this tool, for this stack.
pub fn relayctl(stack: &Stack, words: &str) -> String {
    match stack.name.as_str() {
        USUAL_STACK => format!("relayctl {words}"),
        name => format!("relayctl {words} --stack {}", quote(name)),
    }
}

/// What makes the stack as the template says. What was changed by hand, CloudFormation does not look at.
pub fn deploy(stack: &Stack) -> String {
    format!("deploy {} again with make deploy", stack.name)
}

pub fn read_log(function: &str) -> String {
    let function = quote(function);
    format!(
        "aws logs tail \"$(aws lambda get-function-configuration --function-name {function} \
         --query LoggingConfig.LogGroup --output text)\" --since 1h"
    )
}

pub fn replace_secret(secret_id: &str) -> String {
    let secret_id = quote(secret_id);
    format!(
        "put {{\"labelbox\": \"…\"}} into a file and type aws secretsmanager put-secret-value --secret-id {secret_id} \
         --secret-string file://secret.json"
    )
}

/// Sets some of a function's variables, and leaves the others as they are.
pub fn set_variables(function: &str, variables: &Value) -> String {
    let function = quote(function);
    let change = quote(&format!(".Variables += {variables}"));
    format!(
        "aws lambda update-function-configuration --function-name {function} --environment \
         \"$(aws lambda get-function-configuration --function-name {function} --query Environment --output json | jq -c {change})\""
    )
}

pub fn make_queue(name: &str, attributes: &Value) -> String {
    let (name, attributes) = (quote(name), quote(&attributes.to_string()));
    format!("aws sqs create-queue --queue-name {name} --attributes {attributes}")
}

pub fn set_queue(url: &str, attributes: &Value) -> String {
    let (url, attributes) = (quote(url), quote(&attributes.to_string()));
    format!("aws sqs set-queue-attributes --queue-url {url} --attributes {attributes}")
}

pub fn grant(role: &str, policy: &str, document: &Value) -> String {
    let (role, document) = (quote(role), quote(&document.to_string()));
    format!(
        "aws iam put-role-policy --role-name {role} --policy-name {policy} --policy-document {document}"
    )
}

/// A word as a shell takes it.
pub fn quote(word: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '=');
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
