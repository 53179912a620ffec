//! `relayctl send`: payload files to the relay, signed as Labelbox would.

use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use crate::relay::client::{Answer, Delivery, Route, Sender};
use crate::relay::delivery_summary::{Deliveries, name, next};
use crate::relay::event_file::{self, Content};
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

const ABOUT: &str = "\
A file is a body, sent byte for byte, or a gateway's event such as those of the project's events/: then its body, \
topic, delivery id and route are taken from it. It is signed with the stack's secret, whatever its own signatures \
are.

Each is posted once and never again, so that nothing comes twice. Of what is sent again within five minutes, a FIFO \
queue takes each state of a label once, and any other event once for each delivery id; the answer is 200 every time.";

const EXAMPLES: &str = "\
Examples:
  relayctl send events/label-created-v1.json events/workflow-move-v2.json
  relayctl send --topic LABEL_UPDATED label.json
  relayctl send --training --json - < run.json";

/// Send payload files to the relay, signed with the stack's secret
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Send {
    /// Files to send; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    address: Address,
}

/// How what is no gateway's event is addressed.
#[derive(Debug, clap::Args)]
pub struct Address {
    /// Topic, as Labelbox's header names it; without it the event is unrouted
    #[arg(long, conflicts_with = "training")]
    topic: Option<String>,
    /// Delivery id, as Labelbox's header has it [default: a new one for each]
    #[arg(long, conflicts_with = "training")]
    delivery_id: Option<String>,
    /// Name of the webhook, which picks its secret
    #[arg(long, default_value = "labelbox", conflicts_with = "training")]
    webhook: String,
    /// Send it as a call for a training run
    #[arg(long)]
    training: bool,
}

impl Address {
    /// What a file comes to.
    pub fn deliver(&self, content: Content) -> Delivery {
        match content {
            Content::Delivery(delivery) => delivery,
            Content::Body(body) if self.training => {
                Delivery { route: Route::ModelRun, topic: None, delivery_id: None, body }
            }
            Content::Body(body) => Delivery {
                route: Route::Webhook(self.webhook.clone()),
                topic: self.topic.clone(),
                delivery_id: Some(self.delivery_id.clone().unwrap_or_else(new_id)),
                body,
            },
        }
    }
}

/// A delivery id that no other delivery has.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What came of one file.
#[derive(Serialize)]
struct Line<'a> {
    file: String,
    bytes: usize,
    #[serde(flatten)]
    answer: &'a Answer,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, answer, .. } = self;
        let entity = answer.said.entity.as_deref().unwrap_or("-");
        let id = answer.said.message_id.as_deref().unwrap_or("-");
        writeln!(f, "{file}  {}  {entity}  {id}", name(answer))?;
        if !answer.is_success() {
            writeln!(f, "  {}", next(answer))?;
        }
        Ok(())
    }
}

/// Sends the files, one after the other. All are read before the first is sent.
pub async fn run(command: &Send, context: &Context) -> Result<ExitStatus, Error> {
    let mut deliveries = Vec::new();
    for file in &command.files {
        let content = event_file::read(file)?;
        deliveries.push((file.display().to_string(), command.address.deliver(content)));
    }
    let (clients, stack) = context.find_stack().await?;
    let sender = Sender::find(&clients, &stack, context.clock).await?;
    for (_, delivery) in &deliveries {
        sender.secret(&delivery.route)?;
    }
    let mut summary = Deliveries::default();
    for (file, delivery) in deliveries {
        if context.interrupt.is_pressed() {
            break;
        }
        let answer = sender.post(&delivery).await?;
        summary.enter(&answer);
        context.output.show(&Line { file, bytes: delivery.body.len(), answer: &answer })?;
    }
    summary.close(Duration::ZERO, context.interrupt.is_pressed());
    Ok(summary.exit_status())
}
