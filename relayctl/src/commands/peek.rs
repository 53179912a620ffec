//! `relayctl peek`: what is at the front of a queue now.

use crate::aws::message::ReceivedMessage;
use crate::aws::payload::{self, Content, S3Location};
use crate::aws::queue::{LOOK_SECONDS, Queue, QueueStats};
use crate::aws::stack::Entity;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::Filter;
use crate::sanitize::{cut, sanitize};
use anstyle::{AnsiColor, Style};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indicatif::HumanBytes;
use labelbox_relay::event::timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Columns of a line that does not go to a terminal.
const DEFAULT_WIDTH: usize = 200;
const INDENT: usize = 2;
/// A character has up to four bytes, and white space in the body is not shown.
const BYTES_PER_CHARACTER: usize = 16;

const ABOUT: &str = "\
Shows up to ten messages from the front of a queue, and releases them before it prints them.

SQS shows messages only to those who receive them. So consumers do not get these for a moment, and each counts one more receive, also \
if a filter leaves it out. A peek never sends a message to the dead-letter queue: one whose last receive this was is sent again as a new \
message, which a FIFO queue puts behind the others of its group.

The front of a FIFO queue is the oldest messages of the groups of which no consumer has one in flight; of a standard queue, what SQS \
picks. `relayctl tail` and `relayctl count` receive nothing.";

const EXAMPLES: &str = "\
Examples:
  relayctl peek label
  relayctl peek workflow --count 1 --full
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
    /// Messages to receive, at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=10))]
    count: i32,
    /// Print bodies whole, not one line of each; --json always does
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    filter: Filter,
}

pub async fn run(command: &Peek, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack().await?;
    let queue = Queue::new(&clients, &stack, command.queue, command.dead_letters)?;
    let stats = queue.stats().await?;
    let messages = queue.receive(command.count, LOOK_SECONDS).await?;
    let output = &context.output;
    match queue.give_back(&messages, stats.max_receive_count).await {
        Ok(0) => {}
        Ok(count) => output.warn(format_args!(
            "messages sent again as new ones, because this was their last receive: {count}"
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
    let wanted = command.filter.at(context.now());
    let (found, mut shown) = (messages.len(), 0);
    let width = match command.full || output.is_json {
        true => None,
        false => Some(output.width().unwrap_or(DEFAULT_WIDTH).saturating_sub(INDENT)),
    };
    for message in messages {
        if !wanted.matches(&message.message) {
            continue;
        }
        shown += 1;
        let min_bytes = width.map(|width| width * BYTES_PER_CHARACTER);
        let content = payload::read(&clients, &message.message, min_bytes).await;
        let view = MessageView::new(message, content, &queue, stats, width);
        if output.is_json { output.json_line(&view)? } else { output.text(view)? }
    }
    if !wanted.is_all() && found > 0 {
        output.warn(format_args!("looked at {found} messages; {shown} match the filter"));
    }
    Ok(ExitStatus::Success)
}

/// A message with its body: an object for scripts, two lines for people.
#[derive(Debug, Serialize)]
struct MessageView {
    message_id: String,
    queue: &'static str,
    dead_letter: bool,
    attributes: BTreeMap<String, String>,
    system: System,
    #[serde(flatten)]
    body: Body,
    /// In bytes.
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<S3Location>,
    #[serde(skip)]
    is_cut: bool,
}

/// What SQS knows of a message.
#[derive(Debug, Serialize)]
struct System {
    sent_at: Option<String>,
    receive_count: u32,
    /// After so many receives it moves to the dead-letter queue.
    max_receive_count: Option<u32>,
    group_id: Option<String>,
    deduplication_id: Option<String>,
    trace: Option<String>,
}

/// Three names, so that a script cannot take base64, or an error, for a body.
#[derive(Debug, Serialize)]
enum Body {
    #[serde(rename = "body")]
    Text(String),
    #[serde(rename = "body_base64")]
    Base64(String),
    #[serde(rename = "body_error")]
    Missing(String),
}

impl MessageView {
    /// With a width, the body is cut to one line of so many characters.
    fn new(
        received: ReceivedMessage,
        content: Content,
        queue: &Queue<'_>,
        stats: QueueStats,
        width: Option<usize>,
    ) -> Self {
        let ReceivedMessage { message, receive_count, sent_at, message_id, .. } = received;
        let body = match (content.bytes, width) {
            (Err(reason), _) => Body::Missing(reason),
            (Ok(bytes), Some(width)) => Body::Text(cut(&String::from_utf8_lossy(&bytes), width)),
            (Ok(bytes), None) => String::from_utf8(bytes)
                .map_or_else(|error| Body::Base64(STANDARD.encode(error.as_bytes())), Body::Text),
        };
        Self {
            message_id,
            queue: queue.entity.name(),
            dead_letter: queue.is_dead_letter_queue,
            attributes: message.attribute_texts(),
            system: System {
                sent_at: sent_at.map(timestamp),
                receive_count,
                max_receive_count: stats.max_receive_count,
                group_id: message.group_id,
                deduplication_id: message.dedup_id,
                trace: message.trace,
            },
            body,
            size: content.size,
            payload: content.location,
            is_cut: width.is_some(),
        }
    }
}

impl fmt::Display for MessageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
        let red = AnsiColor::Red.on_default();
        let get = |name| self.attributes.get(name).map(|text| sanitize(text));
        let get_or_dash = |name| get(name).unwrap_or_else(|| "-".to_owned());
        let time = get("received_at").or_else(|| self.system.sent_at.clone());
        write!(
            f,
            "{dim}{}{dim:#} {bold}{}{:9} {:<18}{bold:#} {} {dim}project{dim:#} {} {dim}{}, receive {}",
            time.unwrap_or_else(|| "-".to_owned()),
            if self.dead_letter { "dead letter " } else { "" },
            self.queue,
            get_or_dash("event"),
            get_or_dash("entity_id"),
            get_or_dash("project_id"),
            HumanBytes(self.size),
            self.system.receive_count,
        )?;
        if let Some(max) = self.system.max_receive_count {
            write!(f, " of {max}")?;
        }
        writeln!(f, "{dim:#}")?;
        if let Some(S3Location { bucket, key, .. }) = &self.payload {
            writeln!(f, "  {dim}s3://{}/{}{dim:#}", sanitize(bucket), sanitize(key))?;
        }
        let indent = if self.is_cut { INDENT } else { 0 };
        match &self.body {
            Body::Text(text) => writeln!(f, "{:indent$}{}", "", sanitize(text)),
            Body::Base64(text) => writeln!(f, "base64: {text}"),
            Body::Missing(reason) => {
                let reason = sanitize(reason);
                writeln!(f, "{:INDENT$}{red}the body cannot be read: {reason}{red:#}", "")
            }
        }
    }
}

#[cfg(test)]
mod tests;
