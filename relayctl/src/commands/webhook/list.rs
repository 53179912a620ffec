//! `relayctl webhook list`: the webhooks that Labelbox has, and which of them lead to this stack.

use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::labelbox::{Labelbox, Scope, Webhook};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::fmt;

/// So many questions for a scope at once, of which a workspace has a few and a limit is shared by all its users.
const AT_ONCE: usize = 4;

const EXAMPLES: &str = "\
Examples:
  relayctl webhook list
  relayctl webhook list --project cl0sjr9nb9tfi0zatagsq5zw1
  relayctl webhook list --json --stack labelbox-relay-staging | jq '.webhooks[].id'";

/// List the webhooks, and mark those that lead to this stack
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct List {
    /// Only those of this project
    #[arg(long, value_name = "ID")]
    project: Option<String>,
}

pub async fn run(
    command: &List,
    labelbox: &Labelbox,
    context: &Context,
) -> Result<ExitStatus, Error> {
    tokio::select! {
        exit_status = list(command, labelbox, context) => exit_status,
        () = context.interrupt.pressed() => Ok(ExitStatus::Interrupted),
    }
}

async fn list(command: &List, labelbox: &Labelbox, context: &Context) -> Result<ExitStatus, Error> {
    let (_, stack) = context.find_stack().await?;
    let ours = stack.webhooks_url()?;
    let webhooks = labelbox.webhooks(command.project.as_deref()).await?;
    let rows = stream::iter(webhooks).map(async |webhook| Row {
        this_stack: webhook.url.starts_with(ours),
        scope: match &command.project {
            Some(id) => Scope::Project { project: id.clone() },
            None => labelbox.scope(&webhook.id).await,
        },
        webhook,
    });
    let webhooks = rows.buffered(AT_ONCE).collect().await;
    context.output.show(&Webhooks { webhooks })?;
    Ok(ExitStatus::Success)
}

#[derive(Serialize)]
struct Webhooks {
    webhooks: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    webhook: Webhook,
    #[serde(flatten)]
    scope: Scope,
    this_stack: bool,
}

impl fmt::Display for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.webhooks.is_empty() {
            return writeln!(f, "There is no webhook; make one with relayctl webhook create.");
        }
        let mut table = Table::new();
        let header = ["", "ID", "STATUS", "SCOPE", "TOPICS", "CREATED", "URL"];
        table.load_style(NOTHING).set_header(header);
        for row in &self.webhooks {
            let Webhook { id, url, topics, status, created_at } = &row.webhook;
            let mark = if row.this_stack { "*" } else { "" };
            let (scope, topics) = (row.scope.words(), topics.join("\n"));
            table.add_row([mark, id, status, &scope, &topics, created_at, url]);
        }
        if let Some(first) = table.column_mut(0) {
            first.set_padding((0, 1));
        }
        writeln!(f, "{}", table.trim_fmt())?;
        writeln!(f, "* leads to this stack")
    }
}
