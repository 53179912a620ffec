//! `relayctl webhook create`: creates a webhook that sends to the stack.

use super::Row;
use crate::aws::secret_store::Store;
use crate::context::Context;
use crate::error::{Error, ExitStatus, INCOMPLETE};
use crate::labelbox::{self, Labelbox, Scope, TOPICS, is_local};
use crate::prompt;
use crate::secret::{DEFAULT_NAME, Text, bare, check_webhook_name, no_usable_secret};
use clap::ArgGroup;
use clap::builder::PossibleValuesParser;
use reqwest::Url;

const ABOUT: &str = "\
Creates a webhook that sends to this stack. The name is the last part of its URL, and the newest secret of that name \
signs its events. Labelbox can change neither scope nor secret later: one creates another webhook and disables this \
one. So it asks first.";

const EXAMPLES: &str = "\
Examples:
  relayctl webhook create --all-topics --global
  relayctl webhook create --topic LABEL_CREATED --topic LABEL_DELETED --global --yes
  relayctl webhook create --name project-x --all-topics --project cl0sjr9nb9tfi0zatagsq5zw1";

/// Create a webhook that sends to this stack
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
#[command(group(ArgGroup::new("topics").required(true).multiple(false)))]
#[command(group(ArgGroup::new("scope").required(true).multiple(false)))]
pub struct Create {
    /// A topic that it sends; may be given more than once
    #[arg(long, ignore_case = true, group = "topics", value_parser = PossibleValuesParser::new(TOPICS))]
    topic: Vec<String>,
    /// Send all topics
    #[arg(long, group = "topics")]
    all_topics: bool,
    /// For all projects of the workspace; cannot be changed
    #[arg(long, group = "scope")]
    global: bool,
    /// For this project only; cannot be changed
    #[arg(long, value_name = "ID", group = "scope")]
    project: Option<String>,
    /// The webhook's name: the last part of its URL, and the name of its secret
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
    /// Create it even if an active webhook sends the same, as a rotation needs it; every event then comes twice
    #[arg(long)]
    again: bool,
    /// Create it even if Labelbox cannot reach its URL, which is not public HTTPS
    #[arg(long)]
    allow_local: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// What is to be created.
struct Plan {
    url: String,
    topics: Vec<String>,
    secret: Text,
    scope: Scope,
}

pub async fn run(
    command: &Create,
    labelbox: &Labelbox,
    context: &Context,
) -> Result<ExitStatus, Error> {
    check_webhook_name(&command.name)?;
    let plan = context.interrupt.cancels(plan(command, labelbox, context)).await?;
    prompt::confirm(context, &plan.describe(&command.name), "Create it?", command.yes).await?;
    let project = command.project.as_deref();
    let webhook = labelbox.create(&plan.topics, &plan.url, &plan.secret, project).await?;
    let labelbox::Webhook { id, status, .. } = &webhook;
    let line = format!("Created the webhook {id}, {}, {status}.", plan.scope);
    let note = format!("the webhook {id} is created all the same");
    let created = Row { webhook, scope: plan.scope, this_stack: true };
    let printed = context.output.show_line(&created, line);
    if printed.is_err() {
        context.output.warn(note);
    }
    printed.map(|()| ExitStatus::Success)
}

async fn plan(command: &Create, labelbox: &Labelbox, context: &Context) -> Result<Plan, Error> {
    let name = &command.name;
    let (clients, stack) = context.find_stack_to_change().await?;
    let url = format!("{}{name}", stack.webhooks_url()?);
    if !is_public(&url) && !command.allow_local {
        return Err(Error::Usage(format!(
            "Labelbox cannot reach {url}: it needs HTTPS and a public address; --allow-local creates the webhook all the same"
        )));
    }
    let value = Store::of(clients.secrets_manager, &stack)?.read().await?.value?;
    let secret = value.newest(name).ok_or_else(|| no_usable_secret(name, INCOMPLETE))?;
    let is_wanted = |topic: &&str| {
        command.all_topics || command.topic.iter().any(|it| it.eq_ignore_ascii_case(topic))
    };
    let topics = TOPICS.into_iter().filter(is_wanted).map(str::to_owned).collect();
    let scope = Scope::of(command.project.as_deref());
    let plan = Plan { url, topics, secret: bare(secret), scope };
    match find_same(command, labelbox, &plan).await? {
        Some(id) if !command.again => Err(Error::Refused(format!(
            "the active webhook {id} sends the same, and every event would come twice; --again creates it all the same, as \
             a rotation needs it"
        ))),
        _ => Ok(plan),
    }
}

/// An active webhook that sends the same. The query fails if the project does not exist.
async fn find_same(
    command: &Create,
    labelbox: &Labelbox,
    plan: &Plan,
) -> Result<Option<String>, Error> {
    for webhook in labelbox.webhooks(command.project.as_deref()).await? {
        let is_same = webhook.is_active() && webhook.sends(&plan.topics, &plan.url);
        let is_of_project =
            async || matches!(labelbox.scope(&webhook.id).await, Scope::Project { .. });
        if is_same && !(command.global && is_of_project().await) {
            return Ok(Some(webhook.id));
        }
    }
    Ok(None)
}

fn is_public(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.scheme() == "https" && !is_local(&url))
}

impl Plan {
    fn describe(&self, name: &str) -> String {
        let all = if self.scope == Scope::Global { ": every project of the workspace" } else { "" };
        let warning =
            if is_public(&self.url) { "" } else { "\nLabelbox cannot reach this address." };
        format!(
            "A webhook at Labelbox:\n  url     {}\n  topics  {}\n  scope   {}{all}\n  secret  the newest of {name}\n\
             Scope and secret are permanent: Labelbox cannot change them, and its API cannot delete the webhook.{warning}",
            self.url,
            self.topics.join(", "),
            self.scope
        )
    }
}
