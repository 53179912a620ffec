//! `relayctl webhook`: lists, creates and disables webhooks at Labelbox, with the requests of Labelbox's own Python SDK.

mod create;

use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::labelbox::{self, ApiKey, Labelbox, LabelboxError, Scope};
use crate::prompt;
use clap::Subcommand;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::json;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Queries for a scope at once. All users of a workspace share a rate limit.
const CONCURRENCY: usize = 4;

const ABOUT: &str = "\
It uses Labelbox's GraphQL API, with the API key in LABELBOX_API_KEY or in a file (Labelbox makes one under Workspace \
settings, API). The key is never printed, and no option takes it, because others could read it there.";

/// Manage the webhooks at Labelbox
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT)]
pub struct Webhook {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    api: Api,
}

/// How to reach Labelbox's API.
#[derive(Debug, clap::Args)]
pub struct Api {
    /// Read the API key from this file, - is standard input, and not from LABELBOX_API_KEY
    #[arg(long, value_name = "FILE", global = true)]
    pub api_key_file: Option<PathBuf>,
    /// Labelbox's GraphQL API [env: LABELBOX_API_URL] [default: https://api.labelbox.com/graphql]
    #[arg(long, value_name = "URL", global = true, value_parser = api_url)]
    pub api_url: Option<String>,
}

fn api_url(text: &str) -> Result<String, LabelboxError> {
    labelbox::parse_url(text).map(|_| text.to_owned())
}

impl Api {
    pub async fn connect(&self, context: &Context) -> Result<Labelbox, Error> {
        let key = match self.api_key_file.as_deref() {
            None => context.api_key.clone().ok_or(LabelboxError::NoKey)?,
            Some(path) if path == Path::new("-") => ApiKey(prompt::standard_input(context).await?),
            Some(path) => {
                let text = File::open(path).and_then(prompt::read_text);
                let error = |error| LabelboxError::BadKey(format!("{}: {error}", path.display()));
                ApiKey(text.map_err(error)?)
            }
        };
        context.labelbox(&key, self.api_url.as_deref()).await
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(List),
    Create(create::Create),
    Disable(Disable),
}

/// List the webhooks, and mark those that lead to this stack
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_EXAMPLES)]
struct List {
    /// Only those of this project
    #[arg(long, value_name = "ID")]
    project: Option<String>,
}

const LIST_EXAMPLES: &str = "\
Examples:
  relayctl webhook list
  relayctl webhook list --project cl0sjr9nb9tfi0zatagsq5zw1
  relayctl webhook list --json --stack labelbox-relay-staging | jq '.webhooks[].id'";

/// Disable a webhook
#[derive(Debug, clap::Args)]
#[command(long_about = DISABLE_ABOUT, after_help = DISABLE_EXAMPLES)]
struct Disable {
    /// Its id, from relayctl webhook list
    id: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

const DISABLE_ABOUT: &str = "\
Disables a webhook. Events that happen afterwards are never sent by it, so it asks first. Labelbox's API cannot delete \
a webhook: it stays in the list as INACTIVE.";

const DISABLE_EXAMPLES: &str = "\
Examples:
  relayctl webhook disable cm8d4iojw07ap0y6ob7zgj685
  relayctl webhook disable cm8d4iojw07ap0y6ob7zgj685 --yes --json";

pub async fn run(command: &Webhook, context: &Context) -> Result<ExitStatus, Error> {
    let labelbox = command.api.connect(context).await?;
    match &command.verb {
        Verb::List(command) => context.interrupt.cancels(list(command, &labelbox, context)).await,
        Verb::Create(command) => create::run(command, &labelbox, context).await,
        Verb::Disable(command) => disable(command, &labelbox, context).await,
    }
}

async fn list(command: &List, labelbox: &Labelbox, context: &Context) -> Result<ExitStatus, Error> {
    let (_, stack) = context.find_stack().await?;
    let url = stack.webhooks_url()?;
    let project = command.project.as_deref();
    let rows = stream::iter(labelbox.webhooks(project).await?).map(async |webhook| Row {
        this_stack: webhook.url.starts_with(url),
        scope: match project {
            Some(_) => Scope::of(project),
            None => labelbox.scope(&webhook.id).await,
        },
        webhook,
    });
    let rows: Vec<Row> = rows.buffered(CONCURRENCY).collect().await;
    if context.output.is_json {
        context.output.json(&json!({ "webhooks": rows }))?;
    } else if rows.is_empty() {
        let create = context.args.relayctl("webhook create");
        context.output.line(format_args!("There are no webhooks; {create} makes one."))?;
    } else {
        context.output.line(format_args!("{}\n* leads to this stack", table(&rows).trim_fmt()))?;
    }
    Ok(ExitStatus::Success)
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    webhook: labelbox::Webhook,
    #[serde(flatten)]
    scope: Scope,
    this_stack: bool,
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    let header = ["", "ID", "STATUS", "SCOPE", "TOPICS", "CREATED", "URL"];
    table.load_style(NOTHING).set_header(header);
    for Row { webhook, scope, this_stack } in rows {
        let mark = if *this_stack { "*" } else { "" };
        let labelbox::Webhook { id, url, topics, status, created_at } = webhook;
        let (scope, topics) = (scope.to_string(), topics.join("\n"));
        table.add_row([mark, id, status, &scope, &topics, created_at, url]);
    }
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    table
}

async fn disable(
    command: &Disable,
    labelbox: &Labelbox,
    context: &Context,
) -> Result<ExitStatus, Error> {
    let (_, stack) = context.interrupt.cancels(context.find_stack_to_change()).await?;
    let mut webhook = context.interrupt.cancels(labelbox.webhook(&command.id)).await?;
    if webhook.is_active() {
        let elsewhere = match stack.webhooks_url() {
            Ok(url) if webhook.url.starts_with(url) => "",
            _ => ", which is not this stack",
        };
        let about = format!(
            "Labelbox will send no more {} to {}{elsewhere} by this webhook, and will not send them later.",
            webhook.topics.join(", "),
            webhook.url
        );
        prompt::confirm(context, &about, "Disable it?", command.yes).await?;
        webhook = labelbox.disable(&command.id).await?;
    }
    let line = format!("The webhook {} is {}.", webhook.id, webhook.status);
    context.output.show_line(&webhook, line)?;
    Ok(if webhook.is_active() { ExitStatus::Incomplete } else { ExitStatus::Success })
}
