//! `relayctl secret add` and `relayctl secret rotate`: a name gets a new secret.

use super::{Change, Session};
use crate::aws::log;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::labelbox::is_public;
use crate::prompt;
use crate::secret::{TRAINING, Text, Value, bare, give, kept_names, weakness};
use std::collections::BTreeSet;
use tokio_rustls::rustls::crypto::ring;
use zeroize::Zeroizing;

/// As strong as the HMAC-SHA256 that it is for.
const BYTES: usize = 32;
/// How far back the log is read for the names in use.
const DAYS: i64 = 7;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

const ADD_ABOUT: &str = "\
A plain-text secret, which every name shares, becomes an object of names. Every name in use, and the new one, keeps the shared secret: \
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
struct Options {
    /// Read the secret from standard input; without this, a new one of 64 hexadecimal digits is made
    #[arg(long)]
    stdin: bool,
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
    let (session, value) = Session::open(context).await?;
    let options = &command.options;
    let value = match value {
        Err(_) if command.replace_broken => {
            let about = "The function cannot use the secret. It is replaced as a whole; Secrets Manager keeps it as the \
                         version AWSPREVIOUS.";
            prompt::confirm(context, about, "Replace it?", options.yes).await?;
            Value::Named(Default::default())
        }
        value => value?,
    };
    change(&session, options, value, Some(&command.name), false).await
}

pub async fn rotate(command: &Rotate, context: &Context) -> Result<ExitStatus, Error> {
    let (session, value) = Session::open(context).await?;
    change(&session, &command.options, value?, command.name.as_deref(), true).await
}

async fn change(
    session: &Session<'_>,
    options: &Options,
    value: Value,
    name: Option<&str>,
    is_rotation: bool,
) -> Result<ExitStatus, Error> {
    let context = session.context;
    let fresh = options.secret(context).await?;
    let is_plain = matches!(value, Value::Plain(_));
    let mut keep = options.keep.clone();
    if is_plain {
        keep.extend(find_names_in_use(session, options).await?);
    }
    let edited = give(value, name, is_rotation, fresh.clone(), &keep)?;
    if is_plain {
        // Every name that is not in the object is unknown to the relay from then on.
        let about = format!(
            "The secret is plain text, which every webhook name shares. It becomes an object of names, and these keep \
             today's secret: {}. Events for any other name will be refused with 404; --keep names more.",
            edited.list()
        );
        let question = "Make it an object of just these names?";
        prompt::confirm(context, &about, question, options.yes).await?;
    }
    let names: Vec<_> =
        name.map_or_else(|| kept_names(&keep).into_iter().collect(), |name| vec![name]);
    let change = Change {
        done: format!("New secret for {}.", names.join(", ")),
        in_effect_within: &session.store.ttl,
        next: next_steps(session, &edited, &names, is_rotation),
        value: options.values.then_some(fresh.as_str()),
    };
    session.write(&edited, change).await
}

/// The webhook names that the function has accepted lately, and those of the active webhooks at Labelbox. Those to keep need not be
/// among them. On a terminal, the user decides if it is not known which they are.
async fn find_names_in_use(
    session: &Session<'_>,
    options: &Options,
) -> Result<BTreeSet<String>, Error> {
    let context = session.context;
    let find = async {
        let logged = logged_names(session, &options.keep).await;
        let Some(key) = &context.api_key else { return logged };
        let url = session.stack.webhooks_url()?;
        let webhooks = context.labelbox(key, None).await?.webhooks(None).await?;
        let mut names = logged.unwrap_or_else(|error| {
            context.output.warn(error.line(&context.args));
            BTreeSet::new()
        });
        let active = webhooks.iter().filter(|webhook| webhook.is_active());
        names.extend(active.filter_map(|it| it.url.strip_prefix(url)).map(str::to_owned));
        Ok(names)
    };
    let error = match context.interrupt.cancels(find).await {
        Err(error) if !matches!(error, Error::Cancelled(_)) => error.line(&context.args),
        found => return found,
    };
    let message = format!(
        "the secret is plain text, which every name shares, and it is not known which names are in use: {error}"
    );
    if options.yes {
        return Err(Error::Refused(format!(
            "{message}; set LABELBOX_API_KEY, or run it on a terminal without --yes"
        )));
    }
    context.output.warn(message);
    Ok(BTreeSet::new())
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
    let relayctl = |words: &str| session.context.args.relayctl(words);
    let mut steps = vec![format!(
        "the relay fetches the new secret when an event is signed with it, at most once in 30 s, and after {} in any case",
        session.store.ttl
    )];
    let again = if is_rotation { " --again" } else { "" };
    let is_public = session.stack.webhooks_url().is_ok_and(is_public);
    let local = if is_public { "" } else { " --allow-local" };
    for name in names {
        steps.push(if *name == TRAINING {
            let show = relayctl("secret show-names --values");
            format!("enter the new secret at Labelbox, in the settings of its model training; this shows it: {show}")
        } else {
            let create = format!("webhook create --name {name}{again}{local} --global --all-topics");
            let create = relayctl(&create);
            format!("create a webhook, with the scope and topics that you want: {create}")
        });
    }
    if is_rotation && names != [TRAINING] {
        let (list, disable) = (relayctl("webhook list"), relayctl("webhook disable ID"));
        steps.push(format!(
            "every event comes twice now; find the id of the first webhook: {list}; and disable it: {disable}"
        ));
    }
    let has_old = |name: &&&str| edited.entry(name).is_some_and(|it| it.texts().len() > 1);
    let remove = |name: &&str| relayctl(&format!("secret remove {name} --old"));
    let old: Vec<_> = names.iter().filter(has_old).map(remove).collect();
    if !old.is_empty() {
        steps.push(format!("when nothing signs with an old secret: {}", old.join("; ")));
    }
    steps
}

impl Options {
    async fn secret(&self, context: &Context) -> Result<Text, Error> {
        if !self.stdin {
            return generate();
        }
        let secret = bare(&prompt::standard_input(context).await?);
        // What the doctor would complain about is refused.
        let reason = match weakness(&secret) {
            _ if secret.is_empty() => "is empty".to_owned(),
            Some((weakness, _)) => weakness,
            None => return Ok(secret),
        };
        Err(Error::Usage(format!(
            "this cannot be the secret: it {reason}; give another, or leave out --stdin to have one made; nothing was changed"
        )))
    }
}

/// Makes a secret that can be pasted into any form.
fn generate() -> Result<Text, Error> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    let filled = ring::default_provider().secure_random.fill(&mut *bytes);
    filled.map_err(|_| Error::Refused("this machine gives no random numbers".to_owned()))?;
    Ok(Zeroizing::new(hex::encode(*bytes)))
}
