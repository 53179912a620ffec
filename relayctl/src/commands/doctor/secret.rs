//! The secret as the function reads it. No check contains a value.

use super::CheckContext;
use super::check::{Check, Status};
use super::template::{quote_json, text};
use crate::aws::CallResult;
use crate::aws::secret_store::{SecretVersion, Store};
use crate::cli::{GlobalArgs, quote};
use crate::error::{AwsError, AwsErrorKind, Error};
use crate::secret::{DEFAULT_NAME, Edit, Fault, TRAINING, Text, Value};
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;

const NAME: &str = "secret";
/// Secrets Manager adds a hyphen and six characters to a secret's name in its ARN.
const SUFFIX_LENGTH: usize = 7;

/// Checks the secret, and returns it if the function could use it.
pub async fn check(scope: &CheckContext<'_>) -> Result<(Vec<Check>, Option<Value>), Error> {
    let client = &scope.clients.secrets_manager;
    let (arn, store) = (scope.stack.output("SecretArn")?, Store::of(client.clone(), scope.stack)?);
    let describe = client.describe_secret().secret_id(arn).send();
    let (description, current) = tokio::join!(describe, store.read());
    let description = description.action("secretsmanager:DescribeSecret");
    let (mut checks, value) = match current {
        Ok(SecretVersion { value: Ok(value), .. }) => {
            let has_models = scope.stack.parameter("TrainingModels").is_some();
            (check_value(&value, has_models, scope.args), Some(value))
        }
        Ok(SecretVersion { value: Err(error), id }) => {
            let previous = store.read_stage("AWSPREVIOUS").await.ok();
            (vec![unusable(&error, arn, &id, previous, scope.args)], None)
        }
        Err(error) => (vec![check_missing(arn, &description, &error, scope).await], None),
    };
    checks.extend(description.ok().and_then(|it| check_arn(arn, &it)));
    Ok((checks, value))
}

fn check_arn(arn: &str, description: &DescribeSecretOutput) -> Option<Check> {
    let actual = description.arn().filter(|actual| *actual != arn)?;
    let message = format!(
        "SecretArn {arn} is not the whole ARN of the secret, so the function's role does not reach it"
    );
    let advice = format!("deploy again with SecretArn={actual}");
    Some(Check::problem("secret ARN", message).advise(advice))
}

/// A secret whose value cannot be read.
async fn check_missing(
    arn: &str,
    description: &Result<DescribeSecretOutput, AwsError>,
    error: &Error,
    scope: &CheckContext<'_>,
) -> Check {
    let command = |words: &str| scope.args.aws(&format!("secretsmanager {words} {}", quote(arn)));
    let new_value = "Labelbox needs the new value, which secret show-names --values prints";
    let (message, commands) = match description {
        Ok(it) if it.deleted_date.is_some() => (
            "is scheduled for deletion; the function cannot read it".to_owned(),
            vec![command("restore-secret --secret-id")],
        ),
        Ok(_) if error.is_not_found() => {
            let put = "put-secret-value --secret-string \"$(openssl rand -hex 32)\" --secret-id";
            (format!("has no value yet; {new_value}"), vec![command(put)])
        }
        Err(it) if it.kind == AwsErrorKind::NotFound => {
            let client = &scope.clients.secrets_manager;
            let same_name = client.describe_secret().secret_id(name_of(arn)).send().await;
            if let Some(new) = same_name.ok().and_then(|it| it.arn) {
                return Check::problem(NAME, "is deleted, and another one has its name")
                    .advise(format!("deploy again with SecretArn={new}"));
            }
            let message = format!(
                "is deleted. Create a new one, then deploy again with SecretArn set to its ARN, which is another one; {new_value}"
            );
            (message, create(arn, scope))
        }
        _ => return Check::failed(NAME, error, scope.args),
    };
    Check::problem(NAME, message).run(commands)
}

fn name_of(arn: &str) -> &str {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    let end = name.len().saturating_sub(SUFFIX_LENGTH);
    let is_whole = name.get(end..).is_some_and(|suffix| suffix.starts_with('-'));
    name.get(..end).filter(|_| is_whole).unwrap_or(name)
}

/// The commands that create a secret with the name that an ARN has.
fn create(arn: &str, scope: &CheckContext<'_>) -> Vec<String> {
    let name = quote(name_of(arn));
    let property = |kind, name| scope.template()?.all_properties(kind).next()?.get(name).cloned();
    let key = property("AWS::SecretsManager::Secret", "KmsKeyId");
    let key = key.map(|key| format!(" --kms-key-id {}", quote(&text(&key)))).unwrap_or_default();
    let policy = property("AWS::SecretsManager::ResourcePolicy", "ResourcePolicy");
    let create =
        format!("create-secret --name {name}{key} --secret-string \"$(openssl rand -hex 32)\"");
    let put_policy = policy.map(|policy| {
        let policy = quote_json(&policy);
        format!("put-resource-policy --secret-id {name} --resource-policy {policy}")
    });
    let commands = std::iter::once(create).chain(put_policy);
    commands.map(|it| scope.args.aws(&format!("secretsmanager {it}"))).collect()
}

fn check_value(value: &Value, has_models: bool, args: &GlobalArgs) -> Vec<Check> {
    if let Value::Plain(text) = value {
        return vec![check_secrets(None, std::slice::from_ref(text), args)];
    }
    // Before a name that no webhook can have is removed, another has to be there.
    let mut checks = Vec::new();
    let mut require = |name, message| {
        if value.entry(name).is_none() {
            let add = args.relayctl(&format!("secret add {name}"));
            checks.push(Check::problem(format!("{NAME} {name}"), message).run([add]));
        }
    };
    require(DEFAULT_NAME, "is missing: WebhookUrl ends with this name, and is answered 404");
    if has_models {
        require(TRAINING, "is missing, but TrainingModels is set: model training is answered 404");
    }
    let names = value.entries();
    checks.extend(names.map(|(name, entry)| check_secrets(Some(name), entry.texts(), args)));
    checks
}

/// A value that the function cannot use. It comes from a mistake of whoever wrote it, so the one before may be usable.
fn unusable(
    error: &Error,
    arn: &str,
    id: &str,
    previous: Option<SecretVersion>,
    args: &GlobalArgs,
) -> Check {
    let replace = args.relayctl(&format!("secret add {DEFAULT_NAME} --replace-broken"));
    let previous = previous.filter(|it| it.value.as_ref().is_ok_and(Value::has_usable));
    let (then, commands) = match previous {
        Some(previous) => {
            let [arn, id, previous] = [arn, id, &previous.id].map(quote);
            let restore = format!(
                "secretsmanager update-secret-version-stage --secret-id {arn} --version-stage AWSCURRENT \
                 --move-to-version-id {previous} --remove-from-version-id {id}"
            );
            let replace = format!("# or replace it, and give Labelbox the new value: {replace}");
            (
                "The previous value is usable, and the command restores it",
                vec![args.aws(&restore), replace],
            )
        }
        None => ("The command replaces it; Labelbox then needs the new value", vec![replace]),
    };
    let message = format!(
        "{error}. Running instances of the function keep the last usable value, new ones have none. {then}"
    );
    Check::problem(NAME, message).run(commands)
}

/// The secrets of a name, the newest first; of all names if they share one.
fn check_secrets(name: Option<&str>, texts: &[Text], args: &GlobalArgs) -> Check {
    let title = name.map_or_else(|| NAME.to_owned(), |it| format!("{NAME} {}", it.escape_debug()));
    let Some(Fault { message, is_serious, edit }) = Fault::find(name, texts) else {
        let count = texts.len();
        let message = if count == 1 { "is valid".to_owned() } else { format!("{count} are valid") };
        return Check::ok(title, message);
    };
    let of_name = name.map(|name| format!(" {}", quote_visibly(name))).unwrap_or_default();
    let command =
        |verb: &str, options: &str| args.relayctl(&format!("secret {verb}{of_name}{options}"));
    let remove_old = command("remove", " --old");
    let (advice, command) = match edit {
        Edit::Rename => (
            "Add another name, give Labelbox its URL and secret, and remove this one".to_owned(),
            command("remove", ""),
        ),
        Edit::Add => ("Add a secret, and give it to Labelbox".to_owned(), command("add", "")),
        Edit::Rotate => {
            let of_each = || "secret remove --old of each name".to_owned();
            let then = name.map_or_else(of_each, |_| remove_old);
            (format!("Rotate it, give Labelbox the new one, then: {then}"), command("rotate", ""))
        }
        Edit::RemoveOld => {
            ("If Labelbox signs with the newest, remove the others".to_owned(), remove_old)
        }
    };
    let status = if is_serious { Status::Problem } else { Status::Warning };
    Check::new(status, title, format!("{message}. {advice}")).run([command])
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

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "a-secret-of-enough-letters";

    #[track_caller]
    fn check(value: &str, has_models: bool, name: &str, status: Status, expected: &str) {
        let checks = match Value::read(value.to_owned().into()) {
            Ok(value) => check_value(&value, has_models, &GlobalArgs::default()),
            Err(error) => vec![unusable(&error, "arn", "id", None, &GlobalArgs::default())],
        };
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
