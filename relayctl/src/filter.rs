//! Which messages a command is about: by topic, by project, and by the time at which the relay received them.

use crate::aws::message::OutgoingMessage;
use std::str::FromStr;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Only events of these topics and projects.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct Subject {
    /// Only this topic, in any case; `LABEL_*` stands for all that begin so; may be given more than once
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<Topic>,
    /// Only this project, by its id; may be given more than once
    #[arg(long, value_name = "ID")]
    project: Vec<String>,
}

impl Subject {
    pub fn is_all(&self) -> bool {
        self.topic.is_empty() && self.project.is_empty()
    }

    pub fn matches(&self, topic: &str, project: &str) -> bool {
        (self.topic.is_empty() || self.topic.iter().any(|it| it.matches(topic)))
            && (self.project.is_empty() || self.project.iter().any(|it| it == project))
    }
}

/// Only messages of these topics and projects, received in this time.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Filters")]
pub struct Filter {
    #[command(flatten)]
    subject: Subject,
    /// Only what the relay received (attribute received_at) at this time or later: RFC 3339, or how long ago, such as 2h
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only what the relay received before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
}

impl Filter {
    #[cfg(test)]
    pub fn since(time: Option<&str>) -> Self {
        Self { since: time.and_then(|time| time.parse().ok()), ..Self::default() }
    }

    /// The filter for a command that was started at this time.
    pub fn at(&self, now: OffsetDateTime) -> Wanted<'_> {
        Wanted {
            filter: self,
            since: self.since.map(|moment| moment.from(now)),
            until: self.until.map(|moment| moment.from(now)),
        }
    }
}

/// A filter at the time of its command.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'f> {
    filter: &'f Filter,
    since: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
}

impl Wanted<'_> {
    /// Whether there is no filter at all.
    pub fn is_all(&self) -> bool {
        self.filter.subject.is_all() && !self.is_timed()
    }

    /// A message without an attribute that the filter needs does not match.
    pub fn matches(&self, message: &OutgoingMessage) -> bool {
        let topic = message.attribute("event").unwrap_or_default();
        let project = message.attribute("project_id").unwrap_or_default();
        self.filter.subject.matches(topic, project)
            && (!self.is_timed() || received_at(message).is_some_and(|time| self.is_time(time)))
    }

    /// Whether the same filter is another one later.
    pub fn is_relative(&self) -> bool {
        let is_ago = |it: &Option<Moment>| matches!(it, Some(Moment::Ago(_)));
        is_ago(&self.filter.since) || is_ago(&self.filter.until)
    }

    fn is_timed(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    fn is_time(&self, time: OffsetDateTime) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}

fn received_at(message: &OutgoingMessage) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(message.attribute("received_at")?, &Rfc3339).ok()
}

/// A topic, or what some topics begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Topic {
    Exact(String),
    BeginsWith(String),
}

impl Topic {
    fn matches(&self, topic: &str) -> bool {
        match self {
            Self::Exact(name) => name.eq_ignore_ascii_case(topic),
            Self::BeginsWith(name) => {
                topic.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name))
            }
        }
    }
}

impl FromStr for Topic {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, is_begin) = match text.strip_suffix('*') {
            Some(begin) => (begin, true),
            None => (text, false),
        };
        if name.contains('*') {
            return Err("a * can only stand at the end");
        }
        if text.is_empty() {
            return Err("a topic has a name");
        }
        let name = name.to_owned();
        Ok(if is_begin { Self::BeginsWith(name) } else { Self::Exact(name) })
    }
}

/// A time, as it is or by how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(OffsetDateTime),
    Ago(time::Duration),
}

impl Moment {
    pub fn from(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::At(time) => time,
            // Before all times that can be represented, there is no message.
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        }
    }

    /// In milliseconds since 1970.
    pub fn unix_ms(self, now: OffsetDateTime) -> i64 {
        let ms = self.from(now).unix_timestamp_nanos() / 1_000_000;
        i64::try_from(ms).unwrap_or_default().max(0)
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::At(time));
        }
        let ago = humantime::parse_duration(text).ok();
        let ago = ago.and_then(|ago| time::Duration::try_from(ago).ok());
        ago.map(Self::Ago)
            .ok_or("write a time such as 2026-11-23T13:00:00Z, or how long ago, such as 90m or 2h")
    }
}

#[cfg(test)]
mod tests;
