//! Which messages a command is about: by topic, project, entity and event, and by the time at which the relay received them.

use crate::aws::message::OutgoingMessage;
use crate::aws::stack::Entity;
use crate::error::Error;
use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;
use labelbox_relay::event::timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// The entities that an option names, or all if it names none.
pub fn or_all(chosen: &[Entity]) -> Vec<Entity> {
    let all = Entity::value_variants().iter().copied();
    all.filter(|entity| chosen.is_empty() || chosen.contains(entity)).collect()
}

/// Only events of these topics and projects.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[command(next_help_heading = "Filters")]
pub struct Subject {
    /// Only this topic, in any case; `LABEL_*` stands for all that begin so; may be given more than once
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    topic: Vec<Topic>,
    /// Only this project, by its id; may be given more than once
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    project: Vec<String>,
}

impl Subject {
    pub fn matches(&self, topic: &str, project: &str) -> bool {
        (self.topic.is_empty() || self.topic.iter().any(|it| matches_topic(it, topic)))
            && (self.project.is_empty() || self.project.iter().any(|it| it == project))
    }
}

/// Only messages of these topics, projects, entities and events, received in this time.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[command(next_help_heading = "Filters")]
pub struct Filter {
    #[command(flatten)]
    #[serde(flatten)]
    subject: Subject,
    /// Only events of this label, data row or model run (attribute entity_id); may be given more than once
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    entity_id: Vec<String>,
    /// Only this event (attribute dedup_id); may be given more than once
    #[arg(long = "id", value_name = "DEDUP_ID")]
    dedup_id: Vec<String>,
    /// Only what the relay received (attribute received_at) since then: a day in UTC (2026-11-23), RFC 3339, or how long ago (2h, 3 days ago)
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only what the relay received before then
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
}

impl Filter {
    /// The time in which matching messages were received: to this moment, if the filter does not say to when.
    ///
    /// # Errors
    /// If there is no such time.
    pub fn window(&self, now: OffsetDateTime) -> Result<Range<OffsetDateTime>, Error> {
        let since = self.since.map_or(OffsetDateTime::UNIX_EPOCH, |since| since.from(now));
        let window = since..self.until.map_or(now, |until| until.from(now));
        let error = || Error::Usage("--since must be before --until, and before now".to_owned());
        if window.is_empty() { Err(error()) } else { Ok(window) }
    }

    /// Whether it names events by their ids.
    pub fn has_ids(&self) -> bool {
        !self.dedup_id.is_empty()
    }

    /// Whether an event with this id may match.
    pub fn matches_id(&self, dedup_id: &str) -> bool {
        self.dedup_id.is_empty() || self.dedup_id.iter().any(|it| it == dedup_id)
    }

    /// Whether there is no filter at all.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the same filter is another one later.
    pub fn is_relative(&self) -> bool {
        [self.since, self.until].iter().any(|it| matches!(it, Some(Moment::Ago(_))))
    }

    /// Whether a message matches for a command that was started at this time. One without an attribute that the filter needs does
    /// not.
    pub fn matches(&self, message: &OutgoingMessage, now: OffsetDateTime) -> bool {
        let get = |name| message.attribute(name).unwrap_or_default();
        let is_time = |time: OffsetDateTime| {
            self.since.is_none_or(|since| since.from(now) <= time)
                && self.until.is_none_or(|until| time < until.from(now))
        };
        let is_timed = self.since.is_some() || self.until.is_some();
        self.subject.matches(get("event"), get("project_id"))
            && (self.entity_id.is_empty() || self.entity_id.iter().any(|it| it == get("entity_id")))
            && self.matches_id(get("dedup_id"))
            && (!is_timed || received_at(message).is_some_and(is_time))
    }
}

fn received_at(message: &OutgoingMessage) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(message.attribute("received_at")?, &Rfc3339).ok()
}

/// A topic in upper case. With a `*` at its end, it is what topics begin with.
type Topic = String;

fn matches_topic(topic: &Topic, event: &str) -> bool {
    let event = event.to_ascii_uppercase();
    topic.strip_suffix('*').map_or_else(|| event == *topic, |begin| event.starts_with(begin))
}

fn parse_topic(text: &str) -> Result<Topic, &'static str> {
    if text.trim_end_matches('*').contains('*') || text.ends_with("**") {
        return Err("a * can only stand at the end");
    }
    if text.is_empty() {
        return Err("a topic has a name");
    }
    Ok(text.to_ascii_uppercase())
}

/// A time, as it is or by how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Moment {
    At(OffsetDateTime),
    Ago(time::Duration),
}

impl Moment {
    /// The time in UTC.
    pub fn from(self, now: OffsetDateTime) -> OffsetDateTime {
        let time = match self {
            Self::At(time) => time,
            // Before all times that can be represented, there is no message.
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        };
        // Only the first and the last day of all times that can be represented have none.
        time.checked_to_offset(UtcOffset::UTC).unwrap_or(time)
    }

    /// In milliseconds since 1970.
    pub fn unix_ms(self, now: OffsetDateTime) -> i64 {
        let ms = self.from(now).unix_timestamp_nanos() / 1_000_000;
        i64::try_from(ms).unwrap_or_default().max(0)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(_) => write!(f, "{}", timestamp(self.from(OffsetDateTime::UNIX_EPOCH))),
            Self::Ago(ago) => write!(f, "{ago} ago"),
        }
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl TryFrom<String> for Moment {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
        if let Some(time) = parse(text).or_else(|| parse(&format!("{text}T00:00:00Z"))) {
            return Ok(Self::At(time));
        }
        if parse(&format!("{text}Z")).is_some() {
            return Err("give its time zone, such as Z for UTC");
        }
        let ago = humantime::parse_duration(text.trim_end_matches(" ago")).ok();
        let ago = ago.and_then(|ago| time::Duration::try_from(ago).ok());
        ago.map(Self::Ago).ok_or(
            "give a day (2026-11-23, in UTC), a time (2026-11-23T13:00:00Z), or how long ago (90m, 2h)",
        )
    }
}

#[cfg(test)]
mod tests;
