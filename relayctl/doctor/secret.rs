//! The secret as the function reads it: whether each name has something to sign with. Never says a value.

use super::Visit;
use super::finding::Finding;
use super::mend;
use super::question::{ask, is_gone};
use crate::stack::Stack;
use crate::trouble::Trouble;
use labelbox_relay::secret::{Secret, Secrets};

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
            let says = "is binary; the function reads a string";
            (
                vec![Finding::problem("secret", says, mend_value(stack))],
                None,
            )
        }
        Err(trouble) => (vec![judge_trouble(&trouble, stack)], None),
    }
}

async fn read(visit: &Visit<'_>) -> Result<Option<String>, Trouble> {
    let secret_id = visit.stack.output("SecretArn")?;
    let question = visit.clients.secrets_manager.get_secret_value();
    let question = question.secret_id(secret_id).send();
    let answer = ask("secretsmanager:GetSecretValue", question).await?;
    Ok(answer.secret_string)
}

fn judge_trouble(trouble: &Trouble, stack: &Stack) -> Finding {
    let secret_id = stack.output("SecretArn").unwrap_or_default();
    match trouble {
        Trouble::Failed { said, .. } if said.starts_with("InvalidRequestException") => {
            let says = format!("cannot be read: {said}");
            let mend = format!("aws secretsmanager restore-secret --secret-id {secret_id}");
            Finding::problem("secret", says, mend)
        }
        _ if is_gone(trouble) => {
            let says = format!("is gone, or has no value yet: {}", trouble.line());
            Finding::problem("secret", says, mend_value(stack))
        }
        _ => Finding::of_trouble("secret", trouble),
    }
}

fn mend_value(stack: &Stack) -> String {
    mend::replace_secret(stack.output("SecretArn").unwrap_or_default())
}

/// Judges the secret's string.
pub fn judge(text: String, stack: &Stack) -> (Vec<Finding>, Option<Secrets>) {
    let looks_quoted = text.trim_start().starts_with(['"', '[']);
    let secrets = match Secrets::parse(text) {
        Ok(secrets) => secrets,
        Err(error) => {
            let finding = Finding::problem("secret", error.to_string(), mend_value(stack));
            return (vec![finding], None);
        }
    };
    let mut findings = match &secrets {
        Secrets::ForAll(all) => vec![judge_one("secret", all, stack)],
        Secrets::ByWebhook(by_webhook) if by_webhook.is_empty() => {
            let says = "is an object without a name: it lets nobody in";
            vec![Finding::problem("secret", says, mend_value(stack))]
        }
        Secrets::ByWebhook(by_webhook) => {
            let mut names: Vec<_> = by_webhook.iter().collect();
            names.sort_unstable_by_key(|(name, _)| *name);
            let one = |(name, all): (&String, &Vec<Secret>)| {
                judge_one(&format!("secret {name}"), all, stack)
            };
            names.into_iter().map(one).collect()
        }
    };
    if looks_quoted {
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

fn judge_one(name: &str, secrets: &[Secret], stack: &Stack) -> Finding {
    let webhook = name.strip_prefix("secret ").unwrap_or(USUAL_WEBHOOK);
    let renew = || renew(webhook, stack);
    let usable: Vec<_> = secrets.iter().filter(|secret| !secret.is_empty()).collect();
    if usable.is_empty() {
        let says = "is empty: nothing is let in by it";
        return Finding::problem(name, says, add(webhook, stack));
    }
    let any = |is_such: fn(&str) -> bool| {
        let mut texts = usable
            .iter()
            .map(|secret| String::from_utf8_lossy(secret.as_bytes()));
        texts.any(|text| is_such(&text))
    };
    if any(|text| text.trim() != text) {
        let says = "has white space at its beginning or end, which is a part of it: Labelbox signs without";
        return Finding::problem(name, says, renew());
    }
    if usable.len() < secrets.len() {
        let says = "has an empty one among others, which lets nobody in";
        return Finding::warning(name, says, remove_old(webhook, stack));
    }
    if any(|text| text.contains(char::is_whitespace)) {
        let says = "has white space in it; is it the secret alone?";
        return Finding::warning(name, says, renew());
    }
    if any(|text| text.chars().count() < SHORTEST) {
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
