//! The newest event and the newest failure, by the last lines of the function's log.

use super::Visit;
use super::age;
use super::finding::Finding;
use super::mend;
use super::probe::TOPIC;
use super::question::ask;
use super::settings::{Function, variable};
use crate::aws::stack::Stack;
use crate::error::Error;
use aws_sdk_cloudwatchlogs::types::OrderBy;
use futures_util::future::try_join_all;
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// Each instance of the function writes a stream of its own; the newest have the newest events.
const STREAMS: i32 = 5;
const LINES: i32 = 500;
/// Levels at which the function says nothing of an event that was queued.
const QUIET: [&str; 2] = ["error", "warn"];
/// An older failure is over.
const RECENT: Duration = Duration::from_secs(60 * 60);

/// What is read of a log line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    message: String,
    event: Option<String>,
    entity: Option<String>,
    error: Option<String>,
}

impl Line {
    fn is_ours(&self) -> bool {
        self.event.as_deref() == Some(TOPIC)
    }

    fn is_event(&self) -> bool {
        self.message.starts_with("event ") && !self.is_ours()
    }

    fn is_failure(&self) -> bool {
        let failures = ["event spilled", "request failed", "start failed"];
        failures.contains(&self.message.as_str()) && !self.is_ours()
    }
}

/// Where the lines are from.
struct Place<'p> {
    stack: &'p Stack,
    group: &'p str,
    /// Whether the function writes a line for each event.
    logs_events: bool,
}

/// A line with its time, in milliseconds since 1970.
type Timed = (i64, Line);

pub async fn look(visit: &Visit<'_>, function: Option<&Function>) -> Vec<Finding> {
    let group = function.and_then(|function| function.logging_config()?.log_group());
    let Some(group) = group else {
        let says = "the function's log is not known";
        return vec![Finding::not_checked("newest event", says, mend::deploy(visit.stack))];
    };
    match read(visit, group).await {
        Ok(lines) => {
            let level = function.and_then(|function| variable(function, "LOG_LEVEL"));
            let is_quiet = |level: &str| QUIET.iter().any(|it| level.eq_ignore_ascii_case(it));
            let place =
                Place { stack: visit.stack, group, logs_events: !level.is_some_and(is_quiet) };
            judge(&lines, &place, (visit.context.clock)())
        }
        Err(error) => vec![Finding::of_trouble("newest event", &error)],
    }
}

async fn read(visit: &Visit<'_>, group: &str) -> Result<Vec<Timed>, Error> {
    let question = visit.clients.logs.describe_log_streams();
    let question = question
        .log_group_name(group)
        .order_by(OrderBy::LastEventTime)
        .descending(true)
        .limit(STREAMS);
    let streams = ask("logs:DescribeLogStreams", question.send()).await?;
    let streams = streams.log_streams().iter();
    let streams = streams.filter_map(|stream| stream.log_stream_name());
    let lines = try_join_all(streams.map(|stream| read_stream(visit, group, stream))).await?;
    Ok(lines.into_iter().flatten().collect())
}

async fn read_stream(visit: &Visit<'_>, group: &str, stream: &str) -> Result<Vec<Timed>, Error> {
    let question = visit.clients.logs.get_log_events();
    let question = question.log_group_name(group).log_stream_name(stream);
    let question = question.start_from_head(false).limit(LINES);
    let answer = ask("logs:GetLogEvents", question.send()).await?;
    let lines = answer.events().iter().filter_map(|event| {
        let line = serde_json::from_str(event.message()?).ok()?;
        Some((event.timestamp()?, line))
    });
    Ok(lines.collect())
}

fn judge(lines: &[Timed], place: &Place<'_>, now: SystemTime) -> Vec<Finding> {
    let of = |is_such: fn(&Line) -> bool| {
        let such = lines.iter().filter(|(_, line)| is_such(line));
        such.max_by_key(|(time, _)| *time)
    };
    let newest = match of(Line::is_event) {
        Some((time, line)) => {
            let age = age::say(age::since(*time, now));
            let event = line.event.as_deref().or(line.entity.as_deref());
            let says = format!("{} {age} ago", event.unwrap_or("came"));
            Finding::ok("newest event", says)
        }
        None => judge_silence(place),
    };
    let failure = of(Line::is_failure).map(|(time, line)| {
        let passed = age::since(*time, now);
        let error = line.error.as_deref().unwrap_or("unknown error");
        let says = format!("{} {} ago: {error}", line.message, age::say(passed));
        if passed > RECENT {
            return Finding::ok("newest failure", says);
        }
        let mend = format!("aws logs tail {} --since 1h", place.group);
        Finding::warning("newest failure", says, mend)
    });
    std::iter::once(newest).chain(failure).collect()
}

fn judge_silence(place: &Place<'_>) -> Finding {
    let name = "newest event";
    if !place.logs_events {
        let says = "not known: the function logs only what is refused or fails";
        let mend = format!("deploy {} with LogLevel info", place.stack.name);
        return Finding::not_checked(name, says, mend);
    }
    let says = "none in the last lines of the log";
    let list = mend::relayctl(place.stack, "webhook list");
    Finding::warning(name, says, format!("{list} says whether Labelbox sends"))
}

#[cfg(test)]
mod tests;
