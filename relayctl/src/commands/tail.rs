//! `relayctl tail`: each request to the relay as the function logs it.

use crate::aws::log;
use crate::aws::stack::Entity;
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::{Moment, Subject};
use crate::sanitize::one_line;
use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};
use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::time::sleep;

const ABOUT: &str = "\
Follows the function's log: each request, accepted or refused and why. It receives no message, so it costs \
consumers nothing. CloudWatch shows a log line some seconds after the response.

A refused request has no queue, topic or project, because the relay reads only what it has authenticated. What API Gateway \
itself refuses is not in this log.

Ctrl-C ends it with status 0; or with 130 if --count or --for was given. The status is 1 if there were fewer requests than --count \
when --for was over.";

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
    /// Only this outcome: queued, unrouted, spilled, refused, failed, answered (list of models), or an HTTP status; may be given more
    /// than once
    #[arg(long, value_name = "STATUS", value_parser = parse_status, help_heading = "Filters")]
    status: Vec<String>,
    /// Start at this time: RFC 3339, or how long ago, such as 10m
    #[arg(long, value_name = "TIME", default_value = "1s")]
    since: Moment,
    /// End after so many requests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time, such as 30s or 5m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    time: Option<Duration>,
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
    let mut count = 0;
    let followed = log::follow(
        &clients,
        &group,
        start_ms,
        true,
        |event| {
            let Some(request) = Request::from_fields(&event.fields, output.width().is_some())
            else {
                return Ok(ControlFlow::Continue(()));
            };
            if !command.matches(&request) {
                return Ok(ControlFlow::Continue(()));
            }
            if output.is_json {
                output.json(request.fields)?
            } else {
                output.line(request)?
            }
            count += 1;
            let is_last = command.count.is_some_and(|most| count >= most);
            Ok(if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        },
        |error| output.warn(format_args!("{}; trying again", one_line(&error.to_string()))),
    );
    tokio::select! {
        followed = followed => followed.map(|()| ExitStatus::Success),
        () = sleep(command.time.unwrap_or(Duration::MAX)) => Ok(match command.count {
            Some(_) => ExitStatus::Incomplete,
            None => ExitStatus::Success,
        }),
        () = context.interrupt.pressed() => Ok(match (command.count, command.time) {
            (None, None) => ExitStatus::Success,
            _ => ExitStatus::Interrupted,
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

/// The log line of a request.
struct Request<'e> {
    fields: &'e Map<String, Value>,
    /// Before the ids: a terminal gets them on a second line, a pipe gets one line for each request.
    separator: &'static str,
}

impl<'e> Request<'e> {
    /// Returns `None` for other lines, and for those that `LogLevel` has reduced to their metrics.
    fn from_fields(fields: &'e Map<String, Value>, is_terminal: bool) -> Option<Self> {
        let is_request = fields.contains_key("route") && fields.contains_key("status");
        let separator = if is_terminal { "\n  " } else { " " };
        is_request.then_some(Self { fields, separator })
    }

    fn text(&self, name: &str) -> Option<&'e str> {
        self.fields.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.fields.get(name)?.as_u64()
    }

    fn outcome(&self) -> &'e str {
        let message = self.text("message").unwrap_or_default();
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
            "{dim}{}{dim:#} {color}{} {outcome:8}{color:#}",
            get("timestamp").unwrap_or_default(),
            self.number("status").unwrap_or_default(),
            outcome = one_line(outcome),
        )?;
        match get("entity") {
            Some(entity) => {
                let topic = get("event").unwrap_or_else(|| "-".to_owned());
                write!(f, " {entity:9} {topic:18} {}", get("entity_id").unwrap_or_default())?;
            }
            None => {
                for value in [get("route"), get("webhook")].into_iter().flatten() {
                    write!(f, " {value}")?;
                }
            }
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
