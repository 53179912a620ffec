//! The secret as the function reads it. No check contains a value.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use super::stack::quote_json;
use crate::aws;
use crate::cli::{GlobalArgs, quote};
use crate::error::Error;
use crate::secret::{DEFAULT_NAME, Invisible, TRAINING, can_be_called, is_invisible};
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use labelbox_relay::secrets::{Secret, Secrets};

const NAME: &str = "secret";
const KIND: &str = "AWS::SecretsManager::Secret";
/// A shorter one can be found by trial from one signed body.
const MIN_CHARACTERS: usize = 16;
/// Secrets Manager adds a hyphen and six characters to a secret's name in its ARN.
const SUFFIX_LENGTH: usize = 7;

/// Checks the secret, and returns it if the function could use it.
pub async fn check(scope: &CheckContext<'_>) -> (Vec<Check>, Option<Secrets>) {
    let Ok(arn) = scope.stack.secret_arn() else { return (Vec::new(), None) };
    let client = &scope.clients.secrets_manager;
    let (description, value) = tokio::join!(
        client.describe_secret().secret_id(arn).send(),
        client.get_secret_value().secret_id(arn).send()
    );
    let description =
        description.map_err(|it| Error::from(aws::error("secretsmanager:DescribeSecret", &it)));
    let value = value.map_err(|it| Error::from(aws::error("secretsmanager:GetSecretValue", &it)));
    let mut checks: Vec<_> =
        description.as_ref().ok().and_then(|it| check_arn(arn, it)).into_iter().collect();
    let (others, secrets) = match value {
        Ok(value) => match value.secret_string {
            Some(text) => check_value(
                text,
                scope.stack.parameter("TrainingModels").is_some(),
                &scope.context.args,
            ),
            None => (vec![unusable("is binary", &scope.context.args)], None),
        },
        Err(error) => (vec![check_missing(arn, description, &error, scope)], None),
    };
    checks.extend(others);
    (checks, secrets)
}

fn check_arn(arn: &str, description: &DescribeSecretOutput) -> Option<Check> {
    let actual = description.arn().filter(|actual| *actual != arn)?;
    let message = format!(
        "SecretArn {arn} is not the whole ARN of the secret, so the function's role does not reach it"
    );
    let remediation = Remediation::Text(format!("deploy again with SecretArn={actual}"));
    Some(Check::new(Status::Problem, "secret ARN", message, remediation))
}

/// A secret whose value cannot be read.
fn check_missing(
    arn: &str,
    description: Result<DescribeSecretOutput, Error>,
    error: &Error,
    scope: &CheckContext<'_>,
) -> Check {
    let args = &scope.context.args;
    let command = |words: String| args.aws(&format!("secretsmanager {words}"));
    let (message, commands) = match description {
        Ok(it) if it.deleted_date.is_some() => (
            "is scheduled for deletion; the function cannot read it".to_owned(),
            vec![command(format!("restore-secret --secret-id {}", quote(arn)))],
        ),
        Ok(_) if error.is_not_found() => (
            "has no value yet; Labelbox needs the new one, which secret show-names --values prints"
                .to_owned(),
            vec![command(format!(
                "put-secret-value --secret-id {} --secret-string \"$(openssl rand -hex 32)\"",
                quote(arn)
            ))],
        ),
        Err(it) if it.is_not_found() => {
            let message = "is deleted. Create a new one, then deploy again with SecretArn set to its ARN, which is \
                           another one, and give Labelbox the new value (secret show-names --values)";
            (message.to_owned(), create(arn, scope))
        }
        _ => return Check::failed(NAME, error, scope),
    };
    Check::new(Status::Problem, NAME, message, Remediation::Commands(commands))
}

/// The commands that create a secret with the name that an ARN has.
fn create(arn: &str, scope: &CheckContext<'_>) -> Vec<String> {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    let end = name.len().saturating_sub(SUFFIX_LENGTH);
    let is_whole = name.get(end..).is_some_and(|suffix| suffix.starts_with('-'));
    let name = quote(name.get(..end).filter(|_| is_whole).unwrap_or(name));
    let args = &scope.context.args;
    let properties = scope.template().and_then(|it| it.all_properties(KIND).next());
    let key = properties.as_ref().and_then(|it| it.get("KmsKeyId")?.as_str());
    let key = key.map(|key| format!(" --kms-key-id {}", quote(key))).unwrap_or_default();
    let mut commands = vec![args.aws(&format!(
        "secretsmanager create-secret --name {name}{key} --secret-string \"$(openssl rand -hex 32)\""
    ))];
    let policies =
        scope.template().map(|it| it.all_properties("AWS::SecretsManager::ResourcePolicy"));
    let policy = policies.and_then(|mut all| all.next()?.get("ResourcePolicy").cloned());
    commands.extend(policy.map(|policy| {
        args.aws(&format!(
            "secretsmanager put-resource-policy --secret-id {name} --resource-policy {}",
            quote_json(&policy)
        ))
    }));
    commands
}

/// A value that the function cannot use.
fn unusable(reason: &str, args: &GlobalArgs) -> Check {
    let message = format!(
        "{reason}; running instances of the function keep the last usable value, new ones have none. \
         The command replaces it; Labelbox then needs the new value"
    );
    let command = format!("secret add {DEFAULT_NAME} --replace-broken");
    Check::new(Status::Problem, NAME, message, Remediation::command(args.relayctl(&command)))
}

fn check_value(text: String, has_models: bool, args: &GlobalArgs) -> (Vec<Check>, Option<Secrets>) {
    let is_blank = |it: char| it.is_whitespace() || is_invisible(it);
    let first = text.trim_start_matches(is_blank).chars().next();
    let before_object = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let before_object = before_object.split('{').next().unwrap_or_default();
    let hidden = Invisible::find(before_object.trim()).filter(|_| first == Some('{'));
    let secrets = match Secrets::parse(text) {
        Ok(secrets) => secrets,
        Err(error) => {
            let hidden = hidden.map(|it| format!("; it has {it} before the brace"));
            let reason = format!("{error}{}", hidden.unwrap_or_default());
            return (vec![unusable(&reason, args)], None);
        }
    };
    let mut checks = match &secrets {
        Secrets::Shared(secret) => vec![check_secrets(None, std::slice::from_ref(secret), args)],
        Secrets::ByWebhook(by_webhook) => {
            let mut names: Vec<_> = by_webhook.iter().collect();
            names.sort_unstable_by_key(|(name, _)| *name);
            let check = |(name, secrets): (&String, &Vec<Secret>)| {
                if can_be_called(name) {
                    check_secrets(Some(name), secrets, args)
                } else {
                    impossible_name(name, args)
                }
            };
            names.into_iter().map(check).collect()
        }
    };
    if matches!(first, Some('"' | '[')) {
        let message = "begins with a quote or a bracket, which is a part of the secret";
        let rotate = Remediation::command(args.relayctl("secret rotate"));
        checks.push(Check::new(Status::Warning, NAME, message, rotate));
    }
    if let Secrets::ByWebhook(by_webhook) = &secrets {
        let required = [
            (DEFAULT_NAME, true, "is missing: WebhookUrl ends with this name, and is answered 404"),
            (
                TRAINING,
                has_models,
                "is missing, but TrainingModels is set: model training is answered 404",
            ),
        ];
        for (name, is_required, message) in required {
            if is_required && !by_webhook.contains_key(name) {
                let add = Remediation::command(args.relayctl(&format!("secret add {name}")));
                checks.push(Check::new(Status::Problem, format!("{NAME} {name}"), message, add));
            }
        }
    }
    (checks, Some(secrets))
}

/// A name that no URL of the relay has.
fn impossible_name(name: &str, args: &GlobalArgs) -> Check {
    let hidden = Invisible::find(name).map(|it| format!("; it has {it}")).unwrap_or_default();
    let message = format!(
        "cannot be the name of a webhook, so its requests are answered 404{hidden}. Add the name in its \
         place with secret add, then remove this one"
    );
    let remove = args.relayctl(&format!("secret remove {}", quote_visibly(name)));
    let name = format!("{NAME} {}", name.escape_debug());
    Check::new(Status::Problem, name, message, Remediation::command(remove))
}

/// A word for bash and zsh in which every character can be seen.
fn quote_visibly(word: &str) -> String {
    if word.chars().all(|it| it == ' ' || it.is_ascii_graphic()) {
        return quote(word).into_owned();
    }
    let escape = |it: char| match it {
        '\\' | '\'' => format!("\\{it}"),
        it if it == ' ' || it.is_ascii_graphic() => it.to_string(),
        it => format!("\\U{:08x}", u32::from(it)),
    };
    format!("$'{}'", word.chars().map(escape).collect::<String>())
}

/// The secrets of a name, the newest first; of all names if they share one.
fn check_secrets(name: Option<&str>, secrets: &[Secret], args: &GlobalArgs) -> Check {
    let title = name.map_or_else(|| NAME.to_owned(), |name| format!("{NAME} {name}"));
    let of_name = name.map(|name| format!(" {name}")).unwrap_or_default();
    let command = |words: &str| {
        let (verb, options) = words.split_once(' ').unwrap_or((words, ""));
        let words = format!("secret {verb}{of_name} {options}");
        Remediation::command(args.relayctl(words.trim_end()))
    };
    let remove_old = || command("remove --old");
    let fault = |secret: &Secret| {
        let text = String::from_utf8_lossy(secret.as_bytes());
        if let Some(found) = Invisible::find(&text) {
            let message = format!("has {found}, with which Labelbox hardly signs");
            Some((Status::Problem, message))
        } else if text.contains(' ') {
            Some((Status::Warning, "has a space in it".to_owned()))
        } else if text.chars().count() < MIN_CHARACTERS {
            Some((
                Status::Warning,
                format!("is weak: it has fewer than {MIN_CHARACTERS} characters"),
            ))
        } else {
            None
        }
    };
    let mut usable = secrets.iter().filter(|secret| !secret.is_empty());
    let Some(newest) = usable.next() else {
        let message = "is empty, so every request is refused";
        return Check::new(Status::Problem, title, message, command("add"));
    };
    if let Some((status, message)) = fault(newest) {
        let then = name.map(|name| args.relayctl(&format!("secret remove {name} --old")));
        let then = then.unwrap_or_else(|| "secret remove --old of each name".to_owned());
        let message = format!("{message}. Rotate it, give Labelbox the new one, then: {then}");
        return Check::new(status, title, message, command("rotate"));
    }
    if let Some((status, message)) = usable.find_map(fault) {
        let message = format!("an old one {message}. If Labelbox signs with the newest, remove it");
        return Check::new(status, title, message, remove_old());
    }
    match (secrets.len(), secrets.iter().filter(|secret| !secret.is_empty()).count()) {
        (1, _) => Check::ok(title, "is valid"),
        (all, usable) if all == usable => Check::ok(title, format!("{all} are valid")),
        _ => Check::new(Status::Warning, title, "one of them is empty", remove_old()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "a-secret-of-enough-letters";

    #[track_caller]
    fn check(value: &str, has_models: bool, name: &str, status: Status, expected: &str) {
        let (checks, _) = check_value(value.to_owned(), has_models, &GlobalArgs::default());
        let Some(check) = checks.iter().filter(|it| it.name == name).max_by_key(|it| it.status)
        else {
            panic!("{name:?} is not in {checks:?}");
        };
        let shown = serde_json::to_string(check).unwrap_or_default();
        assert!(check.status == status && shown.contains(expected), "{check:?}");
        assert!(!shown.contains(VALID), "{shown}");
    }

    #[test]
    fn each_fault_has_a_command() {
        let object = |rest: &str| format!(r#"{{"labelbox":"{VALID}"{rest}}}"#);
        for (value, name, status, expected) in [
            (VALID.to_owned(), "secret", Status::Ok, "is valid"),
            (object(""), "secret labelbox", Status::Ok, "is valid"),
            ("short".to_owned(), "secret", Status::Warning, "\"relayctl secret rotate\""),
            (
                object(r#","x":"short""#),
                "secret x",
                Status::Warning,
                "\"relayctl secret rotate x\"",
            ),
            (
                object(&format!(r#","x":["{VALID}","short"]"#)),
                "secret x",
                Status::Warning,
                "\"relayctl secret remove x --old\"",
            ),
            (object(r#","x":[]"#), "secret x", Status::Problem, "\"relayctl secret add x\""),
            (
                object(r#","X Y":"x""#),
                "secret X Y",
                Status::Problem,
                "\"relayctl secret remove 'X Y'\"",
            ),
            (
                object(",\"a\u{200b}'b\":\"x\""),
                "secret a\\u{200b}\\'b",
                Status::Problem,
                r"relayctl secret remove $'a\\U0000200b\\'b'",
            ),
            (
                "{}".to_owned(),
                "secret labelbox",
                Status::Problem,
                "\"relayctl secret add labelbox\"",
            ),
            ("{".to_owned(), "secret", Status::Problem, "secret add labelbox --replace-broken\""),
        ] {
            check(&value, false, name, status, expected);
        }
        check(&object(""), true, "secret training", Status::Problem, "secret add training");
    }
}
