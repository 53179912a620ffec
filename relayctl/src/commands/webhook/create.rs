//! `relayctl webhook create`: creates a webhook that sends to the stack.

use super::Row;
use crate::aws::secret_store::Store;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::labelbox::{self, Labelbox, Scope, TOPICS, is_public};
use crate::prompt;
use crate::secret::{DEFAULT_NAME, Text, bare, check_webhook_name, no_usable_secret};
use clap::ArgGroup;
use clap::builder::PossibleValuesParser;

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
    /// The active webhooks that send some of the same events to this stack, a line each.
    duplicates: String,
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
    let secret = value.newest(name).ok_or_else(|| no_usable_secret(name))?;
    let is_wanted = |topic: &&str| {
        command.all_topics || command.topic.iter().any(|it| it.eq_ignore_ascii_case(topic))
    };
    let topics = TOPICS.into_iter().filter(is_wanted).map(str::to_owned).collect();
    let scope = Scope::of(command.project.as_deref());
    let mut plan = Plan { url, topics, secret: bare(secret), scope, duplicates: String::new() };
    plan.duplicates = find_duplicates(command, labelbox, &plan, stack.webhooks_url()?).await?;
    Ok(plan)
}

/// Describes the active webhooks that send some of the same events to this stack.
///
/// # Errors
/// If one of them sends all of them, unless that is meant; or if the project does not exist.
async fn find_duplicates(
    command: &Create,
    labelbox: &Labelbox,
    plan: &Plan,
    stack_url: &str,
) -> Result<String, Error> {
    if command.project.is_some() {
        labelbox.webhooks(command.project.as_deref()).await?;
    }
    let mut found = String::new();
    for webhook in labelbox.webhooks(None).await? {
        let labelbox::Webhook { id, url, topics, .. } = &webhook;
        let has_topic = topics.iter().any(|topic| plan.topics.contains(topic));
        if !(webhook.is_active() && url.starts_with(stack_url) && has_topic) {
            continue;
        }
        let scope = labelbox.scope(id).await;
        let is_same_scope = scope == plan.scope || scope == Scope::Unknown;
        if is_same_scope && webhook.sends(&plan.topics, &plan.url) && !command.again {
            return Err(Error::Refused(format!(
                "the active webhook {id} sends the same, and every event would come twice; --again creates it all the \
                 same, as a rotation needs it"
            )));
        }
        if is_same_scope || scope == Scope::Global || command.global {
            found += &format!("  {id}  {scope}  {}  {url}\n", topics.join(", "));
        }
    }
    Ok(found)
}

impl Plan {
    fn describe(&self, name: &str) -> String {
        let all = if self.scope == Scope::Global { ": every project of the workspace" } else { "" };
        let mut warning = String::new();
        if !is_public(&self.url) {
            warning += "\nLabelbox cannot reach this address.";
        }
        if !self.duplicates.is_empty() {
            warning += &format!(
                "\nActive webhooks send some of these events to this stack already, so that they will come twice:\n{}\
                 Consumers process both, unless it is an event of a label and the URL is the same: only then the dedup_id is, too.",
                self.duplicates
            );
        }
        format!(
            "A webhook at Labelbox:\n  url     {}\n  topics  {}\n  scope   {}{all}\n  secret  the newest of {name}\n\
             Scope and secret are permanent: Labelbox cannot change them, and its API cannot delete the webhook.{warning}",
            self.url,
            self.topics.join(", "),
            self.scope
        )
    }
}
