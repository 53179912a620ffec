//! `relayctl tail`: each request to the relay as the function logs it, and what ended the function.

use crate::aws::log::{self, LogEvent};
use crate::aws::stack::Entity;
use crate::cli::End;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::{Moment, Subject};
use crate::sanitize::{excerpt, one_line};
use crate::summary::counted;
use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::ops::ControlFlow;

const ABOUT: &str = "\
Follows the function's log: each request, accepted or refused and why, and each crash and timeout of the function. It \
receives no message. CloudWatch shows a log line some seconds after the response.

A refused request has no queue, topic or project, because the relay reads only what it has authenticated. What API Gateway \
itself refuses is not in this log.

Ctrl-C ends it with status 0, or 130 if --count or --for was given. The status is 1 if there were fewer requests than --count.";

const EXAMPLES: &str = "\
Examples:
  relayctl tail
  relayctl tail label workflow --topic LABEL_CREATED --topic MOVE
  relayctl tail --status refused --status failed --since 1h
  relayctl tail review --count 1 --for 30s --json | jq -r .entity_id";

/// Show each request as it comes, accepted or refused and why
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Tail {
    /// Only events for these queues
    queue: Vec<Entity>,
    #[command(flatten)]
    subject: Subject,
    /// Only this outcome: queued, unrouted, spilled, refused, failed (also a crash), answered (list of models), or an HTTP status; may
    /// be given more than once
    #[arg(long, value_name = "STATUS", value_parser = parse_status, help_heading = "Filters")]
    status: Vec<String>,
    /// Start then: a day in UTC (2026-11-23), RFC 3339, or how long ago (10m)
    #[arg(long, value_name = "TIME", default_value = "1s")]
    since: Moment,
    #[command(flatten)]
    end: End,
}

pub async fn run(command: &Tail, context: &Context) -> Result<ExitStatus, Error> {
    let output = &context.output;
    let (clients, stack) = context.find_stack().await?;
    let group = stack.log_group(&clients).await?;
    if let Some(level @ ("warn" | "error")) = stack.parameter("LogLevel") {
        output.warn(format_args!(
            "the stack's LogLevel is {level}: events that are queued are not in the log"
        ));
    }
    output.warn("waiting for events; Ctrl-C ends");
    let start_ms = command.since.unix_ms(context.now());
    let (count, failure) = (Cell::new(0), Cell::new(None));
    let print = |event: &LogEvent| {
        let request = Request::from_event(event).filter(|request| command.matches(request));
        let Some(request) = request else { return Ok(ControlFlow::Continue(())) };
        match output.is_json {
            true => output.json_line(&request.0)?,
            false => output.line(request.line(output.width().is_some()))?,
        }
        count.update(|count| count + 1);
        let is_last = command.end.count.is_some_and(|most| count.get() >= most);
        Ok(if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    tokio::select! {
        followed = log::follow(&clients, &group, start_ms, true, print, output, &failure) => {
            followed.map(|()| ExitStatus::Success)
        }
        () = command.end.time_over() => match (failure.take(), command.end.count) {
            (Some(error), _) => Err(error),
            (None, Some(most)) => {
                let time = command.end.time.unwrap_or_default();
                let time = humantime::format_duration(time);
                output.warn(format_args!("{} of {} in {time}", count.get(), counted(most, "request")));
                Ok(ExitStatus::Incomplete)
            }
            (None, None) => Ok(ExitStatus::Success),
        },
        () = context.interrupt.pressed() => Ok(match command.end.is_given() {
            false => ExitStatus::Success,
            true => ExitStatus::Interrupted,
        }),
    }
}

impl Tail {
    fn matches(&self, request: &Request) -> bool {
        let get = |name| request.text(name).unwrap_or_default();
        let status = request.status();
        let is_status = |it: &String| it == request.outcome() || status == it.parse::<u64>().ok();
        (self.queue.is_empty() || self.queue.iter().any(|it| it.name() == get("entity")))
            && self.subject.matches(get("event"), get("project_id"))
            && (self.status.is_empty() || self.status.iter().any(is_status))
    }
}

const OUTCOMES: [(&str, &str, AnsiColor); 6] = [
    ("event queued", "queued", AnsiColor::Green),
    ("event queued as unrouted", "unrouted", AnsiColor::Yellow),
    ("event spilled", "spilled", AnsiColor::Red),
    ("request refused", "refused", AnsiColor::Yellow),
    ("request failed", "failed", AnsiColor::Red),
    ("request answered", "answered", AnsiColor::Green),
];

fn parse_status(text: &str) -> Result<String, &'static str> {
    let is_code = text.parse::<u16>().is_ok_and(|code| (100..600).contains(&code));
    if is_code || OUTCOMES.iter().any(|(_, word, _)| *word == text) {
        return Ok(text.to_owned());
    }
    Err("it is queued, unrouted, spilled, refused, failed, answered, or an HTTP status such as 401")
}

/// What Lambda writes of a function that did not end by itself, in lines of text. Source:
/// <https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html>.
const CRASHES: [&str; 3] = ["Task timed out after", "Runtime exited", " panicked at "];

/// The fields of the log line of a request, or of what ended the function.
struct Request(Map<String, Value>);

impl Request {
    /// Returns `None` for other lines, and for those that `LogLevel` has reduced to their metrics.
    fn from_event(event: &LogEvent) -> Option<Self> {
        let LogEvent { fields, text, timestamp_ms, .. } = event;
        let is_request = fields.contains_key("route") && fields.contains_key("status");
        if is_request || fields.get("level").is_some_and(|level| level == "ERROR") {
            return Some(Self(fields.clone()));
        }
        CRASHES.iter().find(|crash| text.contains(**crash))?;
        let crash = json!({
            "timestamp": log::timestamp(*timestamp_ms),
            "level": "ERROR",
            "message": "function crashed",
            "error": excerpt(text),
        });
        serde_json::from_value(crash).ok().map(Self)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn status(&self) -> Option<u64> {
        self.0.get("status")?.as_u64()
    }

    /// An error that is not of one request has failed all that the instance had in flight.
    fn outcome(&self) -> &str {
        let message = self.text("message").unwrap_or_default();
        let message = if self.status().is_none() { "request failed" } else { message };
        OUTCOMES.iter().find(|(it, ..)| *it == message).map_or(message, |(_, word, _)| word)
    }

    /// For people: a terminal gets the ids on a second line, a pipe gets one line for each request.
    fn line(&self, is_terminal: bool) -> String {
        let (outcome, dim) = (self.outcome(), Style::new().dimmed());
        let color = OUTCOMES.iter().find(|(_, word, _)| *word == outcome);
        let color = color.map_or(Style::new(), |(.., color)| color.on_default());
        let get = |name| self.text(name).map(one_line);
        let get_or_empty = |name| get(name).unwrap_or_default();
        let about = match (get("entity"), get("route"), get("webhook")) {
            (Some(entity), ..) => {
                let get_or_dash = |name| get(name).unwrap_or_else(|| "-".to_owned());
                format!("{entity:9} {:18} {}", get_or_dash("event"), get_or_dash("entity_id"))
            }
            (None, Some(route), Some(webhook)) => format!("{route} {webhook}"),
            (None, route, _) => route.unwrap_or_else(|| get_or_empty("message")),
        };
        let mut line = format!(
            "{dim}{}{dim:#} {color}{:3} {:8}{color:#} {about}",
            get_or_empty("timestamp"),
            self.status().map_or_else(|| "-".to_owned(), |status| status.to_string()),
            one_line(outcome),
        );
        if let Some(duration) = self.0.get("duration_ms").and_then(Value::as_f64) {
            line += &format!(" {dim}{duration:.0} ms{dim:#}");
        }
        for error in ["error", "secret_error", "archive_error"].into_iter().filter_map(get) {
            line += &format!(": {color}{error}{color:#}");
        }
        let address = if self.text("entity").is_none() { "source_ip" } else { "" };
        let mut separator = if is_terminal { "\n  " } else { " " };
        for (label, name) in [
            ("project", "project_id"),
            ("message", "message_id"),
            ("delivery", "delivery_id"),
            ("reason", "reason"),
            ("from", address),
        ] {
            if let Some(value) = get(name) {
                line += &format!("{separator}{dim}{label}{dim:#} {value}");
                separator = " ";
            }
        }
        line
    }
}

#[cfg(test)]
mod tests;
