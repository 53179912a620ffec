//! `relayctl webhook create`: Labelbox gets the stack's address and the secret that it will sign with.

use crate::aws::secret_store::Store;
use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::labelbox::{Labelbox, Scope, Topic, Webhook, is_local};
use crate::prompt::{self, Answer};
use crate::secret::{DEFAULT_NAME, Text, Value, bare, check_webhook_name};
use clap::{ArgGroup, ValueEnum};
use reqwest::Url;
use serde::Serialize;
use std::fmt;

const ABOUT: &str = "\
The webhook's URL is the stack's, with the webhook's name as its last part; its secret is the newest of that name in \
the stack's secret. Nobody can change its scope or its secret later: for another, one makes another webhook and \
switches this one off. So it asks first.

Two webhooks that send the same to the same place make every event come twice. It refuses to make the second, unless \
--again says that this is meant, as while one rotates a secret.";

const EXAMPLES: &str = "\
Examples:
  relayctl webhook create --all-topics --global
  relayctl webhook create --topic LABEL_CREATED --topic LABEL_DELETED --global --yes
  relayctl webhook create --name project-x --all-topics --project cl0sjr9nb9tfi0zatagsq5zw1";

/// Make a webhook that sends to this stack
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
#[command(group(ArgGroup::new("topics").required(true).multiple(false)))]
#[command(group(ArgGroup::new("scope").required(true).multiple(false)))]
pub struct Create {
    /// What to be told about; may be given more than once
    #[arg(long, value_name = "TOPIC", ignore_case = true, group = "topics")]
    topic: Vec<Topic>,
    /// All that Labelbox tells about
    #[arg(long, group = "topics")]
    all_topics: bool,
    /// Of all projects of the workspace, for ever
    #[arg(long, group = "scope")]
    global: bool,
    /// Of this project only, for ever
    #[arg(long, value_name = "ID", group = "scope")]
    project: Option<String>,
    /// The webhook's name: the last part of its URL, and the name of its secret
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// Make it even if an active one does the same
    #[arg(long)]
    again: bool,
    /// Make it even if Labelbox cannot reach its address, which is not public HTTPS
    #[arg(long)]
    allow_local: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What is to be made.
struct Plan {
    url: String,
    topics: Vec<Topic>,
    secret: Text,
    scope: Scope,
}

pub async fn run(
    command: &Create,
    labelbox: &Labelbox,
    context: &Context,
) -> Result<ExitStatus, Error> {
    let planning = async {
        let plan = plan(command, context).await?;
        let same = find_same(command, labelbox, &plan).await?;
        Ok::<_, Error>((plan, same))
    };
    let (plan, same) = tokio::select! {
        planned = planning => planned?,
        () = context.interrupt.pressed() => return Ok(ExitStatus::Interrupted),
    };
    if let Some(same) = same.filter(|_| !command.again) {
        return Err(Error::Refused(format!(
            "the active webhook {same} does the same, and every event would come twice; give --again if it has to be, \
             as while you rotate a secret"
        )));
    }
    let about = plan.words(&command.name);
    if let Answer::Withheld(exit_status) =
        prompt::confirm(context, &about, "Make it?", command.yes).await?
    {
        return Ok(exit_status);
    }
    let project = command.project.as_deref();
    let created = labelbox.create(&plan.topics, &plan.url, &plan.secret, project);
    let created = Created { webhook: created.await?, scope: plan.scope };
    let printed = context.output.show(&created);
    if printed.is_err() {
        let id = &created.webhook.id;
        context.output.warn(format!("the webhook {id} is made all the same"));
    }
    printed.map(|()| ExitStatus::Success)
}

async fn plan(command: &Create, context: &Context) -> Result<Plan, Error> {
    let name = &command.name;
    check_webhook_name(name)?;
    let (clients, stack) = context.find_stack().await?;
    let url = format!("{}{name}", stack.webhooks_url()?);
    if !is_public(&url) && !command.allow_local {
        return Err(Error::Usage(format!(
            "Labelbox cannot reach {url}: it needs HTTPS and a public address; --allow-local makes the webhook all the same"
        )));
    }
    let current = Store::of(clients.secrets_manager, &stack)?.read().await?;
    let value = Value::read(current.text)?;
    let secret = value.newest(name).ok_or_else(|| {
        Error::Refused(format!(
            "the stack has no usable secret for a webhook of the name {name}; give it one with relayctl secret add {name}"
        ))
    })?;
    Ok(Plan {
        url,
        topics: command.topics(),
        secret: bare(secret),
        scope: match &command.project {
            Some(id) => Scope::Project { project: id.clone() },
            None => Scope::Global,
        },
    })
}

impl Create {
    fn topics(&self) -> Vec<Topic> {
        if self.all_topics {
            return Topic::value_variants().to_vec();
        }
        let mut topics = self.topic.clone();
        topics.sort_unstable();
        topics.dedup();
        topics
    }
}

/// An active webhook that does the same. It shows, too, whether there is such a project.
async fn find_same(
    command: &Create,
    labelbox: &Labelbox,
    plan: &Plan,
) -> Result<Option<String>, Error> {
    let there = labelbox.webhooks(command.project.as_deref()).await?;
    let is_same = |webhook: &&Webhook| webhook.is_active() && webhook.does(&plan.url, &plan.topics);
    for webhook in there.iter().filter(is_same) {
        let is_elsewhere =
            command.global && matches!(labelbox.scope(&webhook.id).await, Scope::Project { .. });
        if !is_elsewhere {
            return Ok(Some(webhook.id.clone()));
        }
    }
    Ok(None)
}

fn is_public(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "https" && !is_local(&url))
}

impl Plan {
    fn words(&self, name: &str) -> String {
        let topics: Vec<_> = self.topics.iter().map(|topic| topic.name()).collect();
        let warning =
            if is_public(&self.url) { "" } else { "\nLabelbox cannot reach this address." };
        format!(
            "A webhook at Labelbox:\n  url     {}\n  topics  {}\n  scope   {}\n  secret  the newest of {name}\n\
             Its scope and its secret are permanent: Labelbox cannot change them, and its API cannot delete it.{warning}",
            self.url,
            topics.join(", "),
            match &self.scope {
                Scope::Global => "global: every project of the workspace".to_owned(),
                scope => scope.words(),
            },
        )
    }
}

#[derive(Serialize)]
struct Created {
    #[serde(flatten)]
    webhook: Webhook,
    #[serde(flatten)]
    scope: Scope,
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { webhook, scope } = self;
        writeln!(f, "Made the webhook {}, {}, {}.", webhook.id, scope.words(), webhook.status)
    }
}
