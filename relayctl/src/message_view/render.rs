//! A message as `tail` and `peek` print it: two lines for people, an object for scripts.

use crate::aws::message::OutgoingMessage;
use crate::aws::message::ReceivedMessage;
use crate::aws::payload::{Content, Place};
use crate::aws::queue::{Queue, QueueStats};
use crate::aws::stack::Entity;
use crate::sanitize::{cut, sanitize};
use anstyle::{AnsiColor, Style};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use indicatif::HumanBytes;
use labelbox_relay::event::timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What of a body is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// One line, cut to so many characters.
    Line(usize),
    Full,
}

/// A message with its body. It serializes as scripts get it, and displays as people do.
#[derive(Debug, Serialize)]
pub struct MessageView {
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
    payload: Option<Place>,
    #[serde(skip)]
    entity: Entity,
    #[serde(skip)]
    extent: Extent,
}

/// What SQS says of a message.
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

/// Three names, so that a script cannot take base64, or a reason, for a body.
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
    pub fn new(
        received: ReceivedMessage,
        content: Content,
        queue: &Queue<'_>,
        stats: QueueStats,
        extent: Extent,
    ) -> Self {
        let ReceivedMessage { message, receive_count, sent_at, message_id, .. } = received;
        let body = match (content.bytes, extent) {
            (Err(reason), _) => Body::Missing(reason),
            (Ok(bytes), Extent::Line(width)) => {
                Body::Text(cut(&String::from_utf8_lossy(&bytes), width))
            }
            (Ok(bytes), Extent::Full) => String::from_utf8(bytes)
                .map_or_else(|error| Body::Base64(STANDARD.encode(error.as_bytes())), Body::Text),
        };
        Self {
            message_id,
            queue: queue.entity.name(),
            dead_letter: queue.is_dead_letter_queue,
            attributes: attributes(&message),
            system: System {
                sent_at: sent_at.map(timestamp),
                receive_count: receive_count,
                max_receive_count: stats.max_receive_count,
                group_id: message.group_id,
                deduplication_id: message.dedup_id,
                trace: message.trace,
            },
            body,
            size: content.size,
            payload: content.place,
            entity: queue.entity,
            extent,
        }
    }

    fn attribute(&self, name: &str) -> String {
        let text = self.attributes.get(name).map_or("-", String::as_str);
        sanitize(text)
    }
}

fn attributes(message: &OutgoingMessage) -> BTreeMap<String, String> {
    let attributes = message.attributes.iter().map(|(name, value)| {
        let text = match (value.string_value(), value.binary_value()) {
            (None, Some(bytes)) => STANDARD.encode(bytes.as_ref()),
            (text, _) => text.unwrap_or_default().to_owned(),
        };
        (name.clone(), text)
    });
    attributes.collect()
}

fn style(entity: Entity) -> Style {
    let color = match entity {
        Entity::Label => AnsiColor::Green,
        Entity::Workflow => AnsiColor::Blue,
        Entity::Review => AnsiColor::Magenta,
        Entity::ModelRun => AnsiColor::Cyan,
        Entity::Unrouted => AnsiColor::Yellow,
    };
    color.on_default()
}

impl fmt::Display for MessageView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (color, dim) = (style(self.entity), Style::new().dimmed());
        let alarm = AnsiColor::Red.on_default().bold();
        let received_at = self.attributes.get("received_at").cloned();
        let time = received_at.or_else(|| self.system.sent_at.clone());
        let time = time.unwrap_or_else(|| "-".to_owned());
        let entity =
            if self.dead_letter { format!("{} (dead)", self.queue) } else { self.queue.to_owned() };
        write!(
            f,
            "{dim}{}{dim:#} {color}{entity:9} {:<18}{color:#} {} {dim}project{dim:#} {} {dim}{},{dim:#} ",
            sanitize(&time),
            self.attribute("event"),
            self.attribute("entity_id"),
            self.attribute("project_id"),
            HumanBytes(self.size),
        )?;
        match (self.system.receive_count, self.system.max_receive_count) {
            (count, Some(most)) if count >= most => {
                writeln!(f, "{alarm}receive {count} of {most}, its last{alarm:#}")?;
            }
            (count, Some(most)) => writeln!(f, "{dim}receive {count} of {most}{dim:#}")?,
            (count, None) => writeln!(f, "{dim}receive {count}{dim:#}")?,
        }
        if let Some(Place { bucket, key, .. }) = &self.payload {
            writeln!(f, "  {dim}s3://{}/{}{dim:#}", sanitize(bucket), sanitize(key))?;
        }
        let margin = match self.extent {
            Extent::Line(_) => "  ",
            Extent::Full => "",
        };
        match &self.body {
            Body::Text(text) => writeln!(f, "{margin}{}", sanitize(text)),
            Body::Base64(text) => writeln!(f, "{margin}base64: {text}"),
            Body::Missing(reason) => {
                let reason = sanitize(reason);
                writeln!(f, "  {alarm}its body is missing: {reason}{alarm:#}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
