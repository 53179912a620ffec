//! `relayctl backfill`: asks Labelbox what changed, and queues it.

mod lines;
mod row;

use crate::aws::Clients;
use crate::aws::message::OutgoingMessage;
use crate::aws::queue::Queue;
use crate::aws::upload::upload;
use crate::cli::quote;
use crate::commands::webhook::Api;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::Moment;
use crate::labelbox::{ExportStream, Labelbox, LabelboxError};
use crate::sanitize::{excerpt, one_line};
use crate::summary::counted;
use futures_util::{StreamExt, TryStreamExt, future};
use indexmap::IndexSet;
use labelbox_relay::config::{MessageConfig, QueueType};
use labelbox_relay::event::{Event, timestamp};
use labelbox_relay::message::{DedupId, DeliveryMetadata, Message, payload_key};
use lines::{Line, lines};
use row::{Change, Row, Window};
use serde::Serialize;
use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// The name of the webhook in the messages. No webhook can have it.
const WEBHOOK: &str = "backfill";
const CONCURRENT_ROWS: usize = 8;
/// After so many events that could not be sent it stops: what keeps them from their queue will keep the others, too.
const MAX_REFUSED: u64 = 10;
/// Of more failures, the text output names these only.
const MAX_NAMES: usize = 20;
/// What the function has if the stack says nothing else.
const DEFAULT_INLINE_KIB: usize = 1024;

const ABOUT: &str = "\
Asks Labelbox which data rows of a project changed since a time, and sends an event for each to the queues of this stack: after an \
outage, after events that were too large for API Gateway, or to fill a new consumer. It uses Labelbox's export, with the API key in \
LABELBOX_API_KEY or in a file.

Events look like those of webhooks with the export format. Their body is the row as Labelbox exports it: its present state, not the steps \
to it. A row whose labels changed gives one LABEL_CREATED, or LABEL_UPDATED if none of them is new; a row that moved gives one \
WORKFLOW_ACTION. Attribute webhook is backfill, entity_id is the data row's id. An event of the same state has the same dedup_id \
whenever it is sent, so consumers ignore what they have, and the command can be repeated at any time.

An export does not show labels that were deleted, rows that were taken out of the project, or states between two changes.";

const EXAMPLES: &str = "\
Examples:
  relayctl backfill --project cl0sjr9nb9tfi0zatagsq5zw1 --since 2h --dry-run
  relayctl backfill --project cl0sjr9nb9tfi0zatagsq5zw1 --since 2026-11-27 --until 2026-11-28
  relayctl backfill --project cl0sjr9nb9tfi0zatagsq5zw1 --since 3d --only created,updated --json";

const NOT_SHOWN: &str = "an export does not show deleted labels, rows that were taken out of the project, or states between two changes";

/// Queue what changed at Labelbox
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Backfill {
    /// The project, by its id; may be given more than once
    #[arg(long, value_name = "ID", required = true)]
    project: Vec<String>,
    /// What changed at this time or later: a day, RFC 3339, or how long ago, such as 2h
    #[arg(long, value_name = "TIME")]
    since: Moment,
    /// What changed before this time. A label that was edited again since is left out: its present state is newer
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only these changes
    #[arg(long, value_name = "CHANGE", value_enum, value_delimiter = ',')]
    only: Vec<Change>,
    /// Send nothing, say what would be sent
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    api: Api,
}

pub async fn run(command: &Backfill, context: &Context) -> Result<ExitStatus, Error> {
    let now = context.now();
    let (since, until) = (command.since.from(now), command.until.map(|until| until.from(now)));
    if until.unwrap_or(now) <= since {
        return Err(Error::Usage(
            "nothing can have changed: --since is not before --until, or now".to_owned(),
        ));
    }
    let labelbox = command.api.connect(context).await?;
    let (clients, stack) = context.find_stack_for(command.dry_run).await?;
    let label = Queue::new(&clients, &stack, Change::Created.entity(), false)?;
    let workflow = Queue::new(&clients, &stack, Change::Moved.entity(), false)?;
    for queue in [label, workflow] {
        // A queue that is not there is found before Labelbox is asked for anything.
        queue.stats().await?;
    }
    let window = Window::new(since, until);
    let inline_kib = stack.parameter("InlineLimitKiB").and_then(|kib| kib.parse().ok());
    let backfill = Run {
        command,
        context,
        clients: &clients,
        label,
        workflow,
        message_config: MessageConfig {
            queue_type: if label.is_fifo() { QueueType::Fifo } else { QueueType::Standard },
            inline_limit: inline_kib.unwrap_or(DEFAULT_INLINE_KIB) * 1024,
            bucket: stack.payload_bucket()?.to_owned(),
        },
        uploads: Semaphore::new(1),
        summary: RefCell::new(Summary {
            dry_run: command.dry_run,
            since: timestamp(window.since),
            until: window.until.map(timestamp),
            ..Summary::default()
        }),
        window,
    };
    let result = backfill.projects(&labelbox).await;
    backfill.close(result)
}

struct Run<'r> {
    command: &'r Backfill,
    context: &'r Context,
    clients: &'r Clients,
    label: Queue<'r>,
    workflow: Queue<'r>,
    message_config: MessageConfig,
    window: Window,
    /// One upload at a time, since each has a part in memory.
    uploads: Semaphore,
    summary: RefCell<Summary>,
}

impl Run<'_> {
    /// Backfills one project after the other. A project that cannot be exported does not keep the others from it.
    async fn projects(&self, labelbox: &Labelbox) -> Result<(), Error> {
        let projects: IndexSet<_> = self.command.project.iter().collect();
        for project in &projects {
            match self.project(project, labelbox).await {
                Err(Error::Labelbox(error)) if projects.len() > 1 && is_of_project(&error) => {
                    self.fail(format!("project {}", one_line(project)), error.to_string());
                }
                outcome => outcome?,
            }
            if self.is_over() {
                break;
            }
        }
        Ok(())
    }

    async fn project(&self, project: &str, labelbox: &Labelbox) -> Result<(), Error> {
        let interrupt = &self.context.interrupt;
        let opened = async {
            let task = labelbox.export(project, self.window.since_of_export()).await?;
            let rows = labelbox.open_export(&task, ExportStream::Rows).await?;
            Ok::<_, LabelboxError>((rows, labelbox.open_export(&task, ExportStream::Errors).await?))
        };
        let (rows, errors) = tokio::select! {
            opened = opened => opened?,
            () = interrupt.pressed() => {
                self.summary.borrow_mut().interrupted = true;
                return Ok(());
            }
        };
        let name = one_line(project);
        let count = rows.total_lines;
        self.context.output.warn(match count {
            0 => format!("project {name}: no data row had any activity since then"),
            _ => format!("project {name}: {} with any activity", counted(count, "data row")),
        });
        let bar = self.context.output.progress("backfill", count);
        let outcomes = lines(rows)
            .take_until(interrupt.pressed())
            .take_while(|_| future::ready(!self.is_over()))
            .map(async |line: Result<Line, Error>| {
                self.process(line?, &name).await;
                Ok::<_, Error>(())
            })
            .buffer_unordered(CONCURRENT_ROWS);
        tokio::pin!(outcomes);
        let mut result = Ok(());
        while let Some(outcome) = outcomes.next().await {
            bar.inc(1);
            // Rows that were begun are finished.
            result = result.and(outcome);
        }
        bar.finish_and_clear();
        result?;
        self.summary.borrow_mut().interrupted |= interrupt.is_pressed();
        let errors = lines(errors).take_while(|_| future::ready(!self.is_over()));
        tokio::pin!(errors);
        while let Some(mut line) = errors.try_next().await? {
            let text = line.in_memory().ok().flatten().unwrap_or_default();
            let text = excerpt(&String::from_utf8_lossy(&text));
            self.fail(format!("project {name}"), format!("not exported by Labelbox: {text}"));
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let summary = self.summary.borrow();
        summary.interrupted || summary.refused >= MAX_REFUSED
    }

    fn fail(&self, what: String, reason: String) {
        self.summary.borrow_mut().failed.push(Failed { what, reason });
    }

    /// Sends the events of a row.
    async fn process(&self, mut line: Line, project: &str) {
        self.summary.borrow_mut().rows += 1;
        let name = format!("project {project}, line {}", line.number);
        let row = match line.row() {
            Ok(row) => row,
            Err(error) => return self.fail(name, format!("it is not a row of an export: {error}")),
        };
        let only = &self.command.only;
        let changes = row.changes(&self.window, |it| only.is_empty() || only.contains(&it));
        if changes.is_empty() {
            self.summary.borrow_mut().not_sent += 1;
        }
        for change in changes {
            let sent = match self.command.dry_run {
                true => Ok(()),
                false => self.send(change, &row, &mut line).await,
            };
            match sent {
                Ok(()) => self.summary.borrow_mut().add(change),
                Err(reason) => {
                    self.summary.borrow_mut().refused += 1;
                    let row = one_line(row.data_row_id());
                    self.fail(format!("{name}, data row {row}, {}", change.topic()), reason);
                }
            }
        }
    }

    async fn send(&self, change: Change, row: &Row, line: &mut Line) -> Result<(), String> {
        let topic = change.topic();
        let unreadable = |error: std::io::Error| error.to_string();
        // The function's reader, of the fields that it would read in the row.
        let fields = serde_json::to_vec(row).map_err(|error| error.to_string())?;
        let event = Event::from_export_row(&fields, topic);
        // Without a discriminator: the same state of the row is the same event.
        let dedup_id =
            line.hash(DedupId::new(Some(WEBHOOK), Some(topic), None)).map_err(unreadable)?;
        let metadata =
            DeliveryMetadata { webhook: Some(WEBHOOK.to_owned()), ..DeliveryMetadata::default() };
        let config = &self.message_config;
        let now = self.context.now();
        let mut message = Message::without_body(event, metadata, dedup_id, config.queue_type, now);
        match line.in_memory().map_err(unreadable)? {
            Some(body) => {
                if let Some(payload) = message.set_body(body, config, Uuid::new_v4) {
                    self.upload(&payload.key, &mut &payload.bytes[..]).await?;
                }
            }
            None => {
                let key = payload_key(&message.dedup_id, Uuid::new_v4());
                self.upload(&key, line.reader().map_err(unreadable)?).await?;
                message.set_pointer(&config.bucket, &key, line.size);
            }
        }
        let message = OutgoingMessage::from_library(message).map_err(|error| error.to_string())?;
        let queue = match change {
            Change::Created | Change::Updated => self.label,
            Change::Moved => self.workflow,
        };
        queue.send(message).await.map(|_| ())
    }

    async fn upload(&self, key: &str, content: &mut impl std::io::Read) -> Result<(), String> {
        let _permit = self.uploads.acquire().await;
        upload(self.clients, &self.message_config.bucket, key, content).await
    }

    /// Prints what was done, and how to resume if that is not all.
    fn close(self, result: Result<(), Error>) -> Result<ExitStatus, Error> {
        let rest = self.same_command();
        let mut summary = self.summary.into_inner();
        let status = match &summary {
            Summary { interrupted: true, .. } => ExitStatus::Interrupted,
            Summary { failed, .. } if !failed.is_empty() => ExitStatus::Incomplete,
            _ => ExitStatus::Success,
        };
        if result.is_ok() || summary.rows > 0 || !summary.failed.is_empty() {
            let is_complete = result.is_ok() && status == ExitStatus::Success;
            summary.rest = (!is_complete).then_some(rest);
            self.context.output.show(&summary)?;
            self.context.output.warn(NOT_SHOWN);
        }
        result.map(|()| status)
    }

    /// The same command with absolute times.
    fn same_command(&self) -> String {
        let summary = self.summary.borrow();
        let mut words = "backfill".to_owned();
        for project in &self.command.project {
            words += &format!(" --project {}", quote(project));
        }
        words += &format!(" --since {}", summary.since);
        if let Some(until) = &summary.until {
            words += &format!(" --until {until}");
        }
        for only in self.command.only.iter().filter_map(clap::ValueEnum::to_possible_value) {
            words += &format!(" --only {}", only.get_name());
        }
        let Api { api_key_file, api_url } = &self.command.api;
        if let Some(file) = api_key_file.as_deref().and_then(Path::to_str) {
            words += &format!(" --api-key-file {}", quote(file));
        }
        if let Some(url) = api_url {
            words += &format!(" --api-url {}", quote(url));
        }
        self.context.args.relayctl(&words)
    }
}

/// Whether another project may be exported all the same.
fn is_of_project(error: &LabelboxError) -> bool {
    use LabelboxError::{ExportFailed, Invalid, NotAllowed, NotFound};
    matches!(error, ExportFailed(_) | Invalid(_) | NotAllowed(_) | NotFound(_))
}

/// Something that was not sent.
#[derive(Debug, Serialize)]
struct Failed {
    what: String,
    reason: String,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    dry_run: bool,
    interrupted: bool,
    since: String,
    until: Option<String>,
    /// Rows with any activity since then.
    rows: u64,
    created: u64,
    updated: u64,
    moved: u64,
    /// Rows without a change in this time, or without one that is wanted.
    not_sent: u64,
    failed: Vec<Failed>,
    /// How many of them are events that were to be sent.
    #[serde(skip)]
    refused: u64,
    /// The command that does the rest.
    rest: Option<String>,
}

impl Summary {
    fn add(&mut self, change: Change) {
        match change {
            Change::Created => self.created += 1,
            Change::Updated => self.updated += 1,
            Change::Moved => self.moved += 1,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.dry_run { "would send" } else { "sent" };
        writeln!(f, "{:32}{:>9}", "rows with any activity", self.rows)?;
        for (change, count) in [
            (Change::Created, self.created),
            (Change::Updated, self.updated),
            (Change::Moved, self.moved),
        ] {
            writeln!(f, "{:32}{count:>9}", format!("{verb} {}", change.topic()))?;
        }
        writeln!(f, "{:32}{:>9}", "rows without such a change", self.not_sent)?;
        writeln!(f, "{:32}{:>9}", "failed", self.failed.len())?;
        for Failed { what, reason } in self.failed.iter().take(MAX_NAMES) {
            writeln!(f, "  {what}: {}", one_line(reason))?;
        }
        if let Some(more) = self.failed.len().checked_sub(MAX_NAMES).filter(|more| *more > 0) {
            writeln!(f, "  and {more} more, which --json names")?;
        }
        if self.refused >= MAX_REFUSED {
            writeln!(f, "stopped after {} events that could not be sent", self.refused)?;
        }
        match &self.rest {
            Some(rest) => writeln!(f, "not complete; resume with: {rest}"),
            None => Ok(()),
        }
    }
}
