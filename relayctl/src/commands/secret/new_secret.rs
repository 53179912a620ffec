//! `relayctl secret add` and `relayctl secret rotate`: a name gets a new secret.

use super::{Change, Session};
use crate::aws::log;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::prompt;
use crate::secret::{self, EditError, TRAINING, Text, Value, bare, kept_names, weakness};
use clap::ArgGroup;
use std::collections::BTreeSet;
use tokio_rustls::rustls::crypto::ring;
use zeroize::Zeroizing;

/// As strong as the HMAC-SHA256 that it is for.
const BYTES: usize = 32;
/// How far back the log is read for the names in use.
const DAYS: i64 = 7;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

const ADD_ABOUT: &str = "\
A plain-text secret, which every name shares, becomes an object of names. Every name in use keeps the shared secret: \
labelbox, training, those of --keep, those whose events the function has accepted within the last 7 days, and, with \
LABELBOX_API_KEY, those of active webhooks at Labelbox. Other names are refused from then on, so it asks first.";

const ADD_EXAMPLES: &str = "\
Examples:
  relayctl secret add project-x
  relayctl secret add project-x --keep project-y --yes
  relayctl secret add project-x --stdin < project-x.secret";

/// Give a new webhook name its secret
#[derive(Debug, clap::Args)]
#[command(long_about = ADD_ABOUT, after_help = ADD_EXAMPLES)]
pub struct Add {
    /// The webhook's name: the last part of its URL; or training
    name: String,
    /// Replace a secret that the function cannot use
    #[arg(long)]
    replace_broken: bool,
    #[command(flatten)]
    options: Options,
}

const ROTATE_ABOUT: &str = "\
The others of the name stay, so that no event is refused while Labelbox signs with one or the other. It prints what \
to do next.

A plain-text secret, which every name shares, becomes an object of names; secret add --help tells which names keep \
the shared secret. Without NAME, all of them get the new secret, too.";

const ROTATE_EXAMPLES: &str = "\
Examples:
  relayctl secret rotate labelbox
  relayctl secret rotate training --values
  relayctl secret rotate --keep project-y --yes";

/// Put a new secret before the ones that a name has
#[derive(Debug, clap::Args)]
#[command(long_about = ROTATE_ABOUT, after_help = ROTATE_EXAMPLES)]
pub struct Rotate {
    /// The webhook's name, or training; may be left out if the secret is plain text
    name: Option<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("origin").multiple(false)))]
struct Options {
    /// Make a new secret of 64 hexadecimal digits; this is the default
    #[arg(long, group = "origin")]
    generate: bool,
    /// Read the secret from standard input
    #[arg(long, group = "origin")]
    stdin: bool,
    /// Ask for the secret on the terminal, without showing it
    #[arg(long, group = "origin")]
    prompt: bool,
    /// Another name that keeps a plain-text secret; may be given more than once
    #[arg(long, value_name = "NAME")]
    keep: Vec<String>,
    /// Print the new secret
    #[arg(long)]
    values: bool,
    /// Do not ask before a plain text becomes an object of names; a change of an object asks nothing
    #[arg(long, short)]
    yes: bool,
}

pub async fn add(command: &Add, context: &Context) -> Result<ExitStatus, Error> {
    let session = Session::open(context).await?;
    let options = &command.options;
    let value = match session.current.value.clone() {
        Err(EditError::Unusable(_)) if command.replace_broken => {
            let about = "The function cannot use the secret. It is replaced as a whole; Secrets Manager keeps it as the \
                         version AWSPREVIOUS.";
            prompt::confirm(context, about, "Replace it?", options.yes).await?;
            Value::Named(Default::default())
        }
        value => value?,
    };
    let name = command.name.as_str();
    let edit = |fresh: Text, keep: &[String]| secret::add(value.clone(), name, fresh, keep);
    change(&session, options, &value, Some(name), false, edit).await
}

pub async fn rotate(command: &Rotate, context: &Context) -> Result<ExitStatus, Error> {
    let session = Session::open(context).await?;
    let value = session.current.value.clone()?;
    let name = command.name.as_deref();
    let edit = |fresh: Text, keep: &[String]| secret::rotate(value.clone(), name, fresh, keep);
    change(&session, &command.options, &value, name, true, edit).await
}

async fn change(
    session: &Session<'_>,
    options: &Options,
    value: &Value,
    name: Option<&str>,
    is_rotation: bool,
    edit: impl Fn(Text, &[String]) -> Result<Value, EditError>,
) -> Result<ExitStatus, Error> {
    // With any secret first, so that nobody is asked for anything in vain.
    edit(generate()?, &options.keep)?;
    let mut keep = options.keep.clone();
    if let Value::Plain(_) = value {
        keep.extend(find_names_in_use(session, options).await?);
        // Every name that is not in the object is unknown to the relay from then on.
        let mut names = kept_names(&keep);
        names.extend(name.filter(|name| !kept_names(&keep).contains(name)));
        let about = format!(
            "The secret is plain text, which every webhook name shares. It becomes an object of names, and these keep \
             today's secret: {}. Events for any other name will be refused with 404; --keep names more.",
            names.join(", ")
        );
        let question = "Make it an object of just these names?";
        prompt::confirm(session.context, &about, question, options.yes).await?;
    }
    let fresh = options.secret(session.context).await?;
    let edited = edit(fresh.clone(), &keep)?;
    let names = name.map_or_else(|| kept_names(&keep), |name| vec![name]);
    let change = Change {
        done: format!("New secret for {}.", names.join(", ")),
        in_effect_within: &session.store.ttl,
        next: next_steps(session, &edited, &names, is_rotation),
        value: options.values.then_some(fresh.as_str()),
    };
    session.write(&edited, change).await
}

async fn find_names_in_use(
    session: &Session<'_>,
    options: &Options,
) -> Result<BTreeSet<String>, Error> {
    let context = session.context;
    let error = match context.interrupt.cancels(names_in_use(session, &options.keep)).await {
        Err(error) if !matches!(error, Error::Cancelled(_)) => error,
        found => return found,
    };
    let message = format!(
        "the secret is plain text, which every name shares, and it is not known which names are in use: {}",
        error.line(&context.args)
    );
    if options.yes {
        return Err(Error::Refused(format!(
            "{message}; set LABELBOX_API_KEY, or run it on a terminal without --yes"
        )));
    }
    context.output.warn(message);
    Ok(BTreeSet::new())
}

/// The webhook names that the function has accepted lately, and those of the active webhooks at Labelbox. Those to keep need
/// not be among them.
///
/// # Errors
/// If Labelbox cannot be asked although there is an API key, or without a key, if the log does not tell.
async fn names_in_use(session: &Session<'_>, keep: &[String]) -> Result<BTreeSet<String>, Error> {
    let context = session.context;
    let logged = logged_names(session, keep).await;
    let Some(key) = &context.api_key else { return logged };
    let url = session.stack.webhooks_url()?;
    let webhooks = context.labelbox(key, None).await?.webhooks(None).await?;
    let active = webhooks.iter().filter(|webhook| webhook.is_active());
    let names = active.filter_map(|webhook| webhook.url.strip_prefix(url)).map(str::to_owned);
    let mut names: BTreeSet<_> = names.collect();
    match logged {
        Ok(logged) => names.extend(logged),
        Err(error) => context.output.warn(error.line(&context.args)),
    }
    Ok(names)
}

async fn logged_names(session: &Session<'_>, keep: &[String]) -> Result<BTreeSet<String>, Error> {
    let Session { context, clients, stack, .. } = session;
    if let Some(level @ ("warn" | "error")) = stack.parameter("LogLevel") {
        return Err(Error::Refused(format!(
            "the function's log does not name accepted webhooks at LogLevel {level}"
        )));
    }
    let group = stack.log_group(clients).await?;
    let mut pattern = r#"($.status = 200) && ($.route = "webhook")"#.to_owned();
    for name in kept_names(keep) {
        pattern += &format!(r#" && ($.webhook != "{name}")"#);
    }
    let start_ms = context.now().unix_timestamp() * 1000 - DAYS * DAY_MS;
    let events = log::read(clients, &group, start_ms, Some(&format!("{{ {pattern} }}"))).await?;
    let accepted = events.iter().filter(|it| it.fields.get("status") == Some(&200.into()));
    let names = accepted.filter_map(|it| it.fields.get("webhook")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

/// The steps that Labelbox needs: it cannot change a webhook's secret.
fn next_steps(
    session: &Session<'_>,
    edited: &Value,
    names: &[&str],
    is_rotation: bool,
) -> Vec<String> {
    let args = &session.context.args;
    let mut steps = vec![format!(
        "the relay fetches the secret when something is signed with the new one, but at most once in 30 s: to be sure, \
         wait {}",
        session.store.ttl
    )];
    for name in names {
        let again = if is_rotation { " --again" } else { "" };
        steps.push(if *name == TRAINING {
            let show = args.relayctl("secret show-names --values");
            format!("enter the new secret at Labelbox, in the settings of its model training: {show} shows it")
        } else {
            let create = format!("webhook create --name {name}{again} --global --all-topics");
            format!("{}, with the scope and the topics that it should have", args.relayctl(&create))
        });
    }
    if is_rotation && names.iter().any(|name| *name != TRAINING) {
        steps.push(format!(
            "every event comes twice now: find the first webhook with {}, and disable it with {}",
            args.relayctl("webhook list"),
            args.relayctl("webhook disable ID")
        ));
    }
    let old = names.iter().filter(|name| edited.count(name) > 1);
    let removals: Vec<_> =
        old.map(|name| args.relayctl(&format!("secret remove {name} --old"))).collect();
    if !removals.is_empty() {
        steps.push(format!("when nothing signs with an old secret: {}", removals.join("; ")));
    }
    steps
}

impl Options {
    async fn secret(&self, context: &Context) -> Result<Text, Error> {
        if self.stdin {
            check(&prompt::standard_input(context).await?)
        } else if self.prompt {
            let secret = prompt::hidden("The secret: ".to_owned()).await?;
            if secret != prompt::hidden("Once more: ".to_owned()).await? {
                return Err(refuse("the two are not the same"));
            }
            check(&secret)
        } else {
            generate()
        }
    }
}

/// Makes a secret that can be pasted into any form.
fn generate() -> Result<Text, Error> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    let filled = ring::default_provider().secure_random.fill(&mut *bytes);
    filled.map_err(|_| Error::Refused("this machine gives no random numbers".to_owned()))?;
    Ok(Zeroizing::new(hex::encode(*bytes)))
}

/// Refuses what the doctor would complain about.
fn check(text: &Text) -> Result<Text, Error> {
    let text = bare(text);
    if text.is_empty() {
        return Err(refuse("it is empty"));
    }
    let reason = |it| format!("it {it}; give another, or let --generate make one");
    weakness(&text).map_or(Ok(text), |weakness| Err(refuse(&reason(weakness))))
}

fn refuse(reason: &str) -> Error {
    Error::Usage(format!("this cannot be the secret: {reason}; nothing was changed"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn generates_different_secrets_that_can_be_pasted() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 2 * BYTES);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(check(&one).is_ok());
    }

    #[test]
    fn one_newline_at_the_end_and_one_byte_order_mark_are_not_part_of_it() {
        for (text, taken) in [
            ("a-secret-of-letters", "a-secret-of-letters"),
            ("a-secret-of-letters\n", "a-secret-of-letters"),
            ("\u{feff}a-secret-of-letters\r\n", "a-secret-of-letters"),
            ("a-secret-\"of\"-letters-\\", "a-secret-\"of\"-letters-\\"),
        ] {
            assert_eq!(*check(&text.to_owned().into()).unwrap(), taken);
        }
    }

    #[test]
    fn refuses_what_the_doctor_complains_about_and_does_not_repeat_it() {
        for (text, reason) in [
            ("", "it is empty"),
            ("\u{feff}\n", "it is empty"),
            (" hush-of-enough-letters", "has U+0020 (white space) at position 1;"),
            ("hush-of-enough-letters \n", "has U+0020 (white space) at position 23;"),
            ("hush-of-enough-letters\n\n", "has U+000A (control character) at position 23;"),
            ("\u{feff}\u{feff}hush-of-letters", "has U+FEFF (invisible) at position 1;"),
            ("hush of enough letters", "has white space in it;"),
            ("hush-of-letters", "has fewer than 16 characters;"),
        ] {
            let error = check(&text.to_owned().into()).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("hush"), "{error}");
        }
    }
}
