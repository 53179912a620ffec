//! The newest event and the newest failure, by the last lines of the function's log.

use super::Visit;
use super::age;
use super::finding::Finding;
use super::mend;
use super::probe::TOPIC;
use super::question::ask;
use super::settings::Function;
use crate::trouble::Trouble;
use aws_sdk_cloudwatchlogs::types::OrderBy;
use serde::Deserialize;

/// Each instance of the function writes a stream of its own; the newest have the newest events.
const STREAMS: i32 = 5;
const LINES: i32 = 500;

/// What is read of a log line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    message: String,
    event: Option<String>,
    entity: Option<String>,
    cause: Option<String>,
}

/// A line with its time, in milliseconds since 1970.
type Timed = (i64, Line);

pub async fn look(visit: &Visit<'_>, function: Option<&Function>) -> Vec<Finding> {
    let group = function.and_then(|function| function.logging_config()?.log_group());
    let Some(group) = group else {
        let says = "the function's log is not known";
        return vec![Finding::not_checked(
            "newest event",
            says,
            mend::deploy(visit.stack),
        )];
    };
    match read(visit, group).await {
        Ok(lines) => judge(&lines, visit, group),
        Err(trouble) => vec![Finding::of_trouble("newest event", &trouble)],
    }
}

async fn read(visit: &Visit<'_>, group: &str) -> Result<Vec<Timed>, Trouble> {
    let question = visit.clients.logs.describe_log_streams();
    let question = question
        .log_group_name(group)
        .order_by(OrderBy::LastEventTime)
        .descending(true)
        .limit(STREAMS);
    let streams = ask("logs:DescribeLogStreams", question.send()).await?;
    let mut lines = Vec::new();
    for stream in streams
        .log_streams()
        .iter()
        .filter_map(|stream| stream.log_stream_name())
    {
        let question = visit.clients.logs.get_log_events();
        let question = question.log_group_name(group).log_stream_name(stream);
        let question = question.start_from_head(false).limit(LINES);
        let answer = ask("logs:GetLogEvents", question.send()).await?;
        lines.extend(answer.events().iter().filter_map(|event| {
            let line = serde_json::from_str(event.message()?).ok()?;
            Some((event.timestamp()?, line))
        }));
    }
    Ok(lines)
}

fn judge(lines: &[Timed], visit: &Visit<'_>, group: &str) -> Vec<Finding> {
    let now = (visit.session.clock)();
    let of = |is_such: fn(&Line) -> bool| {
        let such = lines.iter().filter(|(_, line)| is_such(line));
        such.max_by_key(|(time, _)| *time)
    };
    let is_event =
        |line: &Line| line.message.starts_with("event ") && line.event.as_deref() != Some(TOPIC);
    let mut findings = vec![match of(is_event) {
        Some((time, line)) => {
            let age = age::say(age::since(*time, now));
            let event = line.event.as_deref().or(line.entity.as_deref());
            Finding::ok(
                "newest event",
                format!("{} {age} ago", event.unwrap_or("came")),
            )
        }
        None => Finding::warning(
            "newest event",
            "none in the last lines of the log",
            format!(
                "{} says whether Labelbox sends",
                mend::relayctl(visit.stack, "webhook list")
            ),
        ),
    }];
    let is_failure =
        |line: &Line| matches!(line.message.as_str(), "event spilled" | "request failed");
    if let Some((time, line)) = of(is_failure) {
        let age = age::say(age::since(*time, now));
        let says = format!(
            "{} {age} ago: {}",
            line.message,
            line.cause.as_deref().unwrap_or("no cause")
        );
        let mend = format!("aws logs tail {group} --since 1h");
        findings.push(Finding::warning("newest failure", says, mend));
    }
    findings
}
