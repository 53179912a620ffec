//! The secret as the function reads it: whether each name has something to sign with. Never says a value.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::{ask, is_gone};
use crate::secret::{Invisible, can_be_called, is_invisible};
use crate::aws::stack::Stack;
use crate::error::Error;
use labelbox_relay::secrets::{Secret, Secrets};

/// The webhook that the stack's `WebhookUrl` is for.
pub const USUAL_WEBHOOK: &str = "labelbox";
const TRAINING: &str = "training";
/// Shorter ones can be guessed, given a signed body.
const SHORTEST: usize = 16;

/// Reads the secret, and judges it. Gives what can be signed with, if there is anything.
pub async fn look(visit: &Visit<'_>) -> (Vec<Finding>, Option<Secrets>) {
    let stack = visit.stack;
    match read(visit).await {
        Ok(Some(text)) => judge(text, stack),
        Ok(None) => {
            let finding = judge_unusable("the secret's value is binary, not a string", stack);
            (vec![finding], None)
        }
        Err(error) => (vec![judge_trouble(&error, stack)], None),
    }
}

async fn read(visit: &Visit<'_>) -> Result<Option<String>, Error> {
    let secret_id = visit.stack.output("SecretArn")?;
    let question = visit.clients.secrets_manager.get_secret_value();
    let question = question.secret_id(secret_id).send();
    let answer = ask("secretsmanager:GetSecretValue", question).await?;
    Ok(answer.secret_string)
}

fn judge_trouble(error: &Error, stack: &Stack) -> Finding {
    let secret_id = stack.output("SecretArn").unwrap_or_default();
    match error {
        Error::Failed { said, .. } if said.starts_with("InvalidRequestException") => {
            let says = format!("cannot be read: {said}");
            let mend = format!("aws secretsmanager restore-secret --secret-id {secret_id}");
            Finding::problem("secret", says, mend)
        }
        _ if is_gone(error) => {
            let says = format!("is gone, or has no value yet: {}", error.line());
            Finding::problem("secret", says, mend_value(stack))
        }
        _ => Finding::of_trouble("secret", error),
    }
}

fn mend_value(stack: &Stack) -> String {
    mend::replace_secret(stack.output("SecretArn").unwrap_or_default())
}

/// What is said of a value that the function cannot use.
fn judge_unusable(error: &str, stack: &Stack) -> Finding {
    let says = format!(
        "{error}; the last usable value stays in use, but new instances of the function have none"
    );
    Finding::problem("secret", says, mend_value(stack))
}

/// Judges the secret's string.
pub fn judge(text: String, stack: &Stack) -> (Vec<Finding>, Option<Secrets>) {
    let is_blank = |it: char| it.is_whitespace() || is_invisible(it);
    let begins_with = text.trim_start_matches(is_blank).chars().next();
    let before_object = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let before_object = before_object.split('{').next().unwrap_or_default();
    let hidden = Invisible::find(before_object.trim()).filter(|_| begins_with == Some('{'));
    let secrets = match Secrets::parse(text) {
        Ok(secrets) => secrets,
        Err(error) => {
            let before = hidden.map(|hidden| format!("; before its {{ it has {hidden}"));
            let says = format!("{error}{}", before.unwrap_or_default());
            return (vec![judge_unusable(&says, stack)], None);
        }
    };
    let mut findings = match &secrets {
        Secrets::Shared(secret) => vec![judge_one("secret", std::slice::from_ref(secret), stack)],
        Secrets::ByWebhook(by_webhook) if by_webhook.is_empty() => {
            let says = "is an object without a name: it lets nobody in";
            vec![Finding::problem("secret", says, mend_value(stack))]
        }
        Secrets::ByWebhook(by_webhook) => {
            let mut names: Vec<_> = by_webhook.iter().collect();
            names.sort_unstable_by_key(|(name, _)| *name);
            let one = |(name, all): (&String, &Vec<Secret>)| {
                if can_be_called(name) {
                    judge_one(&format!("secret {name}"), all, stack)
                } else {
                    judge_impossible(name, stack)
                }
            };
            names.into_iter().map(one).collect()
        }
    };
    if matches!(begins_with, Some('"' | '[')) {
        let says = "begins with a quote or a bracket, which is taken for a part of it";
        findings.push(Finding::warning("secret", says, mend_value(stack)));
    }
    findings.extend(judge_names(&secrets, stack));
    (findings, Some(secrets))
}

/// What is wrong with which names there are.
fn judge_names(secrets: &Secrets, stack: &Stack) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Secrets::ByWebhook(by_webhook) = secrets else {
        return findings;
    };
    if !by_webhook.contains_key(USUAL_WEBHOOK) && !by_webhook.is_empty() {
        let name = format!("secret {USUAL_WEBHOOK}");
        let says = "is not there: WebhookUrl, which ends in this name, is answered 404";
        findings.push(Finding::warning(name, says, add(USUAL_WEBHOOK, stack)));
    }
    let has_models = stack.parameter("TrainingModels").is_some();
    if has_models && !by_webhook.contains_key(TRAINING) {
        let name = format!("secret {TRAINING}");
        let says =
            "is not there, but TrainingModels are set: Labelbox's model training is turned away";
        findings.push(Finding::problem(name, says, add(TRAINING, stack)));
    }
    findings
}

fn add(name: &str, stack: &Stack) -> String {
    mend::relayctl(stack, &format!("secret add {name}"))
}

/// The unsound one stays in use until Labelbox signs with the new one.
fn renew(name: &str, stack: &Stack) -> String {
    let rotate = mend::relayctl(stack, &format!("secret rotate {name}"));
    let remove = remove_old(name, stack);
    format!("{rotate}; and when Labelbox signs with the new one: {remove}")
}

/// Leaves the newest that can be used.
fn remove_old(name: &str, stack: &Stack) -> String {
    mend::relayctl(stack, &format!("secret remove {name} --old"))
}

/// A name that no URL of the relay can have, such as a reserved one.
fn judge_impossible(name: &str, stack: &Stack) -> Finding {
    let says = "cannot be the name of a webhook: what is sent to it is answered 404";
    let (says, mend) = match Invisible::find(name) {
        Some(found) => (format!("{says}; it has {found}"), mend_value(stack)),
        None => {
            let remove = format!("secret remove {}", mend::quote(name));
            let (add, remove) = (add("NAME", stack), mend::relayctl(stack, &remove));
            let mend = format!("give its webhook another name with {add}, and then {remove}");
            (says.to_owned(), mend)
        }
    };
    Finding::problem(format!("secret {}", name.escape_debug()), says, mend)
}

fn judge_one(name: &str, secrets: &[Secret], stack: &Stack) -> Finding {
    let webhook = name.strip_prefix("secret ").unwrap_or(USUAL_WEBHOOK);
    let renew = || renew(webhook, stack);
    let usable: Vec<_> = secrets.iter().filter(|secret| !secret.is_empty()).collect();
    if usable.is_empty() {
        let says = "is empty: nothing is let in by it";
        return Finding::problem(name, says, add(webhook, stack));
    }
    let texts = || {
        let bytes = usable.iter().map(|secret| secret.as_bytes());
        bytes.map(String::from_utf8_lossy)
    };
    if let Some(found) = texts().find_map(|text| Invisible::find(&text)) {
        let says = format!("has {found}, as a part of it; most likely, Labelbox signs without it");
        return Finding::problem(name, says, renew());
    }
    if usable.len() < secrets.len() {
        let says = "has an empty one among others, which lets nobody in";
        return Finding::warning(name, says, remove_old(webhook, stack));
    }
    if texts().any(|text| text.contains(' ')) {
        let says = "has white space in it; is it the secret alone?";
        return Finding::warning(name, says, renew());
    }
    if texts().any(|text| text.chars().count() < SHORTEST) {
        let says = format!("is weak: it has fewer than {SHORTEST} characters");
        return Finding::warning(name, says, renew());
    }
    match usable.len() {
        1 => Finding::ok(name, "can be read, and is sound"),
        count => Finding::ok(name, format!("{count} are in use, and are sound")),
    }
}

#[cfg(test)]
mod tests;
