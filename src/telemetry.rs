//! What is logged and counted, under which names. Never a body, a secret or a signature; a header's value only after
//! the request was verified.

mod lines;

use crate::deliver::Stored;
use crate::error::chain;
use crate::event::Entity;
use crate::http::{Refusal, Request, Route, Served};
use crate::message::{NotCarriable, PAYLOAD_SIZE};
use lines::Lines;
use std::error::Error;
use std::time::{Duration, SystemTime};
use tracing::{Level, Metadata, error, info, warn};

/// Target of the lines that template.yaml makes metrics of: they are written at every level.
const COUNTED: &str = concat!(env!("CARGO_CRATE_NAME"), "::counted");
/// Target of our own lines, and what the targets of our rooms begin with.
const OURS: &str = env!("CARGO_CRATE_NAME");

/// Starts logging: JSON lines on standard output, from `level` up.
pub fn init(level: Level, clock: fn() -> SystemTime) {
    // A second start finds the first one's logging: there is none in this process.
    let _ = tracing::subscriber::set_global_default(lines(level, clock, std::io::stdout));
}

fn lines<W>(level: Level, clock: fn() -> SystemTime, output: W) -> Lines<W> {
    Lines {
        is_wanted,
        level,
        clock,
        output,
    }
}

/// Only our own lines, and errors of others: at their talkative levels, the runtime writes whole events and the SDK
/// writes secrets.
fn is_wanted(metadata: &Metadata<'_>, level: Level) -> bool {
    let is_ours = metadata
        .target()
        .strip_prefix(OURS)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let least = match metadata.target() {
        COUNTED => level.max(Level::WARN),
        _ if is_ours => level,
        _ => Level::ERROR,
    };
    *metadata.level() <= least
}

/// What the one log line of a request is made of.
pub struct Line<'a> {
    /// The request; of its headers, none is logged before its signature was verified.
    pub request: &'a Request,
    /// Where it went.
    pub route: Option<&'a Route>,
    /// Size of its body.
    pub body_bytes: usize,
    /// What became of it.
    pub outcome: &'a Result<Served, Refusal>,
    /// The status that it was answered with.
    pub status: u16,
    /// From its arrival to its answer.
    pub duration: Duration,
}

/// Writes the log line of a request: an error when the fault is ours, a warning when the sender was turned away.
pub fn answered(line: &Line<'_>) {
    let (route, webhook) = match line.route {
        Some(Route::Webhook(webhook)) => ("webhook", Some(webhook.as_str())),
        Some(Route::Models) => ("models", None),
        Some(Route::ModelRun) => ("model_run", None),
        Some(Route::Health) => ("health", None),
        None => ("none", None),
    };
    let receipt = match line.outcome {
        Ok(Served::Received(receipt)) => Some(receipt),
        _ => None,
    };
    let attribute = |name| receipt.and_then(|receipt| receipt.message.attribute(name));
    let payload_reason = receipt.and_then(|receipt| receipt.payload_reason);
    let cause = match line.outcome {
        Ok(Served::Received(receipt)) => match &receipt.stored {
            Stored::Spilled { reason, .. } => Some(chain(reason)),
            Stored::Queued { .. } => None,
        },
        Ok(_) => None,
        Err(refusal) => Some(chain(refusal)),
    };
    macro_rules! write_line {
        ($write:ident, $message:literal) => {
            $write!(
                request_id = line.request.request_id,
                route,
                webhook,
                status = line.status,
                cause,
                source_ip = line.request.source.map(tracing::field::display),
                body_bytes = line.body_bytes,
                duration_ms = line.duration.as_micros() as f64 / 1000.0,
                entity = receipt.map(|receipt| receipt.message.entity.name()),
                event = attribute("event"),
                reason = attribute("reason"),
                entity_id = attribute("entity_id"),
                project_id = attribute("project_id"),
                delivery_id = attribute("delivery_id"),
                dedup_id = attribute("dedup_id"),
                payload_bytes = attribute(PAYLOAD_SIZE).and_then(|size| size.parse::<u64>().ok()),
                payload_reason = payload_reason.map(NotCarriable::name),
                message_id = receipt.map(|receipt| receipt.message_id()),
                $message
            )
        };
    }
    match line.outcome {
        Ok(Served::Received(receipt)) => match (&receipt.stored, receipt.message.entity) {
            (Stored::Spilled { .. }, _) => write_line!(error, "event spilled"),
            (Stored::Queued { .. }, Entity::Unrouted(_)) => {
                write_line!(warn, "event queued as unrouted");
            }
            (Stored::Queued { .. }, _) => write_line!(info, "event queued"),
        },
        Ok(Served::Healthy | Served::Models(_)) => write_line!(info, "request answered"),
        Err(_) if line.status < 500 => write_line!(warn, "request refused"),
        Err(_) => write_line!(error, "request failed"),
    }
}

/// Says that the secret could not be fetched, and whether an old one stays in use, which the metric `SecretStale` counts.
pub fn secret_not_fetched(error: &dyn Error, is_stale: bool) {
    if is_stale {
        warn!(target: COUNTED, cause = chain(error), "secret is stale");
    } else {
        warn!(cause = chain(error), "secret could not be fetched");
    }
}

/// Says that a request came from an address that may not send, which the metric `SourceNotAllowed` counts.
pub fn source_not_allowed(request: &Request, is_refused: bool) {
    warn!(
        target: COUNTED,
        request_id = request.request_id,
        source_ip = request.source.map(tracing::field::display),
        is_refused,
        "source is not allowed"
    );
}

/// Says that the function could not start.
pub fn start_failed(error: &dyn Error) {
    error!(cause = chain(error), "start failed");
}

#[cfg(test)]
mod tests;
