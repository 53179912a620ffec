//! `relayctl tail`: each request to the relay as the function logs it, and what ended the function.

use crate::aws::log::{self, LogEvent};
use crate::aws::stack::Entity;
use crate::cli::End;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::{Moment, Subject};
use crate::sanitize::{excerpt, one_line};
use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
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
    let count = Cell::new(0);
    let print = |event: &LogEvent| {
        let request = Request::from_event(event, output.width().is_some());
        let Some(request) = request.filter(|request| command.matches(request)) else {
            return Ok(ControlFlow::Continue(()));
        };
        if output.is_json {
            output.json_line(&request.fields)?
        } else {
            output.line(request)?
        }
        count.update(|count| count + 1);
        let is_last = command.end.count.is_some_and(|most| count.get() >= most);
        Ok(if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    tokio::select! {
        followed = log::follow(&clients, &group, start_ms, true, print, output) => {
            followed.map(|()| ExitStatus::Success)
        }
        () = command.end.time_over() => Ok(match command.end.count {
            Some(most) => {
                let time = command.end.time.unwrap_or_default();
                let time = humantime::format_duration(time);
                output.warn(format_args!("{} of {most} requests in {time}", count.get()));
                ExitStatus::Incomplete
            }
            None => ExitStatus::Success,
        }),
        () = context.interrupt.pressed() => Ok(match command.end.is_given() {
            false => ExitStatus::Success,
            true => ExitStatus::Interrupted,
        }),
    }
}

impl Tail {
    fn matches(&self, request: &Request<'_>) -> bool {
        let get = |name| request.text(name).unwrap_or_default();
        let status = request.number("status");
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

/// The log line of a request, or of what ended the function.
struct Request<'e> {
    fields: Cow<'e, Map<String, Value>>,
    /// Before the ids: a terminal gets them on a second line, a pipe gets one line for each request.
    separator: &'static str,
}

impl<'e> Request<'e> {
    /// Returns `None` for other lines, and for those that `LogLevel` has reduced to their metrics.
    fn from_event(event: &'e LogEvent, is_terminal: bool) -> Option<Self> {
        let LogEvent { fields, text, timestamp_ms, .. } = event;
        let is_request = fields.contains_key("route") && fields.contains_key("status");
        let is_error = fields.get("level").is_some_and(|level| level == "ERROR");
        let fields = if is_request || is_error {
            Cow::Borrowed(fields)
        } else if CRASHES.iter().any(|crash| text.contains(crash)) {
            let crash = json!({
                "timestamp": log::timestamp(*timestamp_ms),
                "level": "ERROR",
                "message": "function crashed",
                "error": excerpt(text),
            });
            Cow::Owned(serde_json::from_value(crash).unwrap_or_default())
        } else {
            return None;
        };
        let separator = if is_terminal { "\n  " } else { " " };
        Some(Self { fields, separator })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.fields.get(name)?.as_u64()
    }

    /// An error that is not of one request has failed all that the instance had in flight.
    fn outcome(&self) -> &str {
        let message = self.text("message").unwrap_or_default();
        let message = if self.number("status").is_none() { "request failed" } else { message };
        OUTCOMES.iter().find(|(it, ..)| *it == message).map_or(message, |(_, word, _)| word)
    }
}

impl fmt::Display for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dim = Style::new().dimmed();
        let outcome = self.outcome();
        let color = OUTCOMES.iter().find(|(_, word, _)| *word == outcome);
        let color = color.map_or(Style::new(), |(.., color)| color.on_default());
        let get = |name| self.text(name).map(one_line);
        write!(
            f,
            "{dim}{}{dim:#} {color}{:3} {outcome:8}{color:#}",
            get("timestamp").unwrap_or_default(),
            self.number("status").map_or_else(|| "-".to_owned(), |status| status.to_string()),
            outcome = one_line(outcome),
        )?;
        if let Some(entity) = get("entity") {
            let topic = get("event").unwrap_or_else(|| "-".to_owned());
            write!(f, " {entity:9} {topic:18} {}", get("entity_id").unwrap_or_default())?;
        } else if let Some(route) = get("route") {
            write!(f, " {route}")?;
            get("webhook").map_or(Ok(()), |webhook| write!(f, " {webhook}"))?;
        } else {
            write!(f, " {}", get("message").unwrap_or_default())?;
        }
        if let Some(duration) = self.fields.get("duration_ms").and_then(Value::as_f64) {
            write!(f, " {dim}{duration:.0} ms{dim:#}")?;
        }
        for name in ["error", "secret_error"] {
            if let Some(error) = get(name) {
                write!(f, ": {color}{error}{color:#}")?;
            }
        }
        let details = [
            ("project", "project_id"),
            ("message", "message_id"),
            ("delivery", "delivery_id"),
            ("reason", "reason"),
            ("from", "source_ip"),
        ];
        let details = details.iter().filter_map(|(label, name)| {
            let is_shown = *name != "source_ip" || get("entity").is_none();
            let value = get(name).filter(|_| is_shown)?;
            Some(format!("{dim}{label}{dim:#} {value}"))
        });
        let details: Vec<_> = details.collect();
        if !details.is_empty() {
            write!(f, "{}{}", self.separator, details.join(" "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
