//! `relayctl peek`: what is at the front of a queue now, or what the archive has.

use super::look::look_into_archive;
use crate::aws::Clients;
use crate::aws::archive::ArchivedEvent;
use crate::aws::message::{OutgoingMessage, ReceivedMessage};
use crate::aws::payload::{self, Content};
use crate::aws::queue::{LOOK_SECONDS, Queue};
use crate::aws::spilled_message::Payload;
use crate::aws::stack::Entity;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::Filter;
use crate::sanitize::{cut, sanitize};
use crate::summary::counted;
use anstyle::{AnsiColor, Style};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indicatif::HumanBytes;
use labelbox_relay::event::timestamp;
use serde_json::{Value, json};
use std::cell::Cell;
use std::ops::ControlFlow;

/// Columns of a line that does not go to a terminal.
const DEFAULT_WIDTH: usize = 200;
const INDENT: usize = 2;
/// A character has up to four bytes, and white space in the body is not shown.
const BYTES_PER_CHARACTER: usize = 16;

const ABOUT: &str = "\
Shows up to ten messages from the front of a queue, and releases them before it prints them: of a FIFO queue, the oldest of the \
groups of which no consumer has one in flight; of a standard queue, what SQS picks.

Consumers do not get these messages for a moment, and each counts one more receive, also if a filter leaves it out. A peek sends \
none to the dead-letter queue: one whose last receive this was is sent again as a new message, which a FIFO queue puts behind the \
others of its group. `relayctl tail` and `relayctl count` receive nothing.

With --archive, it shows archived events of the entity, from --since on, and reads only the bucket.

The status is 1 if a body cannot be read.";

const EXAMPLES: &str = "\
Examples:
  relayctl peek label
  relayctl peek workflow --count 1 --full
  relayctl peek label --archive --since '3 days ago' --entity-id cm8d4iojw07ap0y6ob7zgj685
  relayctl peek model_run --dead-letters --json | jq .attributes";

/// Show the messages at the front of a queue, and leave them there
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Peek {
    /// Whose queue
    queue: Entity,
    /// Show its dead-letter queue
    #[arg(long)]
    dead_letters: bool,
    /// Show archived events, oldest first
    #[arg(long, conflicts_with = "dead_letters")]
    archive: bool,
    /// Messages to receive, at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=10))]
    count: u8,
    /// Print bodies whole, not one line of each; --json always does
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    filter: Filter,
}

pub async fn run(command: &Peek, context: &Context) -> Result<ExitStatus, Error> {
    command.filter.window(context.now())?;
    let (clients, stack) = context.find_stack().await?;
    let queue = Queue::new(&clients, &stack, command.queue, command.dead_letters)?;
    let (output, filter) = (&context.output, &command.filter);
    let is_cut = !command.full && !output.is_json;
    let width = || output.width().unwrap_or(DEFAULT_WIDTH).saturating_sub(INDENT);
    let mut view = View {
        queue,
        max_receive_count: None,
        width: is_cut.then(width),
        has_unreadable: Cell::new(false),
    };
    if command.archive {
        let mut shown = 0;
        let show = async |event: ArchivedEvent| {
            view.show(&clients, &event.message, None, context).await?;
            shown += 1;
            Ok(if shown < command.count {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        };
        let found = (&clients, &stack);
        let (found, status) =
            look_into_archive(context, found, &[command.queue], filter, show).await?;
        if shown < command.count {
            let name = queue.name();
            output.warn(match found {
                0 => format!("{name}: the archive has no events of this time"),
                _ => format!("looked at {}; {shown} shown", counted(found, "archived event")),
            });
        }
        return Ok(if view.has_unreadable.get() { ExitStatus::Incomplete } else { status });
    }
    let stats = queue.stats().await?;
    view.max_receive_count = stats.max_receive_count;
    let messages = queue.receive(command.count.into(), LOOK_SECONDS).await?;
    match queue.give_back(&messages, stats.max_receive_count).await {
        Ok(0) => {}
        Ok(count) => output.warn(format_args!(
            "sent again as new, because this was the last receive: {}",
            counted(count, "message")
        )),
        Err(reason) => output.warn(format_args!(
            "not all messages were released ({}); they are visible again within {LOOK_SECONDS} s",
            sanitize(&reason)
        )),
    }
    if messages.is_empty() {
        output.warn(match stats.in_flight {
            0 => format!("{}: there are no messages", queue.name()),
            count => format!("{}: no message is visible; {count} in flight", queue.name()),
        });
    }
    let (now, found, mut shown) = (context.now(), messages.len() as u64, 0);
    for message in messages.iter().filter(|it| filter.matches(&it.message, now)) {
        shown += 1;
        view.show(&clients, &message.message, Some(message), context).await?;
    }
    if !filter.is_all() && found > 0 {
        output.warn(format_args!("looked at {}; {shown} shown", counted(found, "message")));
    }
    Ok(if view.has_unreadable.get() { ExitStatus::Incomplete } else { ExitStatus::Success })
}

/// How messages are printed.
struct View<'r> {
    queue: Queue<'r>,
    max_receive_count: Option<u32>,
    /// The body is cut to one line of so many characters.
    width: Option<usize>,
    /// Whether the body of a message could not be read.
    has_unreadable: Cell<bool>,
}

impl View<'_> {
    /// Prints a message. SQS knows more of one that was received.
    async fn show(
        &self,
        clients: &Clients,
        message: &OutgoingMessage,
        received: Option<&ReceivedMessage>,
        context: &Context,
    ) -> Result<(), Error> {
        let min_bytes = self.width.map(|width| width * BYTES_PER_CHARACTER);
        let content = payload::read(clients, message, min_bytes).await;
        if content.bytes.is_err() {
            self.has_unreadable.set(true);
        }
        match context.output.is_json {
            true => context.output.json_line(&self.json(message, received, &content)),
            false => context.output.line(self.text(message, received, &content)),
        }
    }

    fn json(
        &self,
        message: &OutgoingMessage,
        received: Option<&ReceivedMessage>,
        content: &Content,
    ) -> Value {
        // Three names, so that a script cannot take base64, or an error, for a body.
        let (name, body) = match &content.bytes {
            Ok(bytes) => match str::from_utf8(bytes) {
                Ok(text) => ("body", text.to_owned()),
                Err(_) => ("body_base64", STANDARD.encode(bytes)),
            },
            Err(reason) => ("body_error", reason.clone()),
        };
        json!({
            "message_id": received.map(|it| &it.message_id),
            "queue": self.queue.label,
            "dead_letter": self.queue.is_dead_letter_queue,
            "attributes": message.attribute_texts(),
            "system": {
                "sent_at": received.and_then(|it| it.sent_at).map(timestamp),
                "receive_count": received.map(|it| it.receive_count),
                "max_receive_count": self.max_receive_count,
                "group_id": message.group_id,
                "deduplication_id": message.dedup_id,
                "trace": message.trace,
            },
            name: body,
            "size": content.size,
            "payload": content.payload,
        })
    }

    /// A line about the message, and its body.
    fn text(
        &self,
        message: &OutgoingMessage,
        received: Option<&ReceivedMessage>,
        content: &Content,
    ) -> String {
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        let red = AnsiColor::Red.on_default();
        let get = |name| message.attribute(name).map(sanitize);
        let get_or_dash = |name| get(name).unwrap_or_else(|| "-".to_owned());
        let sent_at = || received?.sent_at.map(timestamp);
        let time = get("received_at").or_else(sent_at);
        let receives = received.map_or_else(String::new, |received| {
            let max = self.max_receive_count.map_or_else(String::new, |max| format!(" of {max}"));
            format!(", receive {}{max}", received.receive_count)
        });
        let mut text = format!(
            "{dim}{}{dim:#} {bold}{}{:9} {:<18}{bold:#} {} {dim}project{dim:#} {} {dim}{}{receives}{dim:#}\n",
            time.unwrap_or_else(|| "-".to_owned()),
            if self.queue.is_dead_letter_queue { "dead letter " } else { "" },
            self.queue.label,
            get_or_dash("event"),
            get_or_dash("entity_id"),
            get_or_dash("project_id"),
            HumanBytes(content.size),
        );
        if let Some(Payload { bucket, key }) = &content.payload {
            text += &format!("  {dim}s3://{}/{}{dim:#}\n", sanitize(bucket), sanitize(key));
        }
        text += &match (&content.bytes, self.width) {
            (Err(reason), _) => {
                format!("  {red}the body cannot be read: {}{red:#}", sanitize(reason))
            }
            (Ok(bytes), Some(width)) => {
                format!("{:INDENT$}{}", "", cut(&String::from_utf8_lossy(bytes), width))
            }
            (Ok(bytes), None) => match str::from_utf8(bytes) {
                Ok(body) => sanitize(body),
                Err(_) => format!("base64: {}", STANDARD.encode(bytes)),
            },
        };
        text
    }
}

#[cfg(test)]
mod tests;
