//! What is logged and counted, under which names. Never a body, a secret or a signature; a header's value only after
//! the request was verified.

mod json_subscriber;
mod metrics;
mod request_log;
mod request_metrics;

pub use metrics::{Dimension, Metric};
pub use request_log::RequestLog;

use crate::config::Config;
use crate::error::error_chain;
use crate::http::Success;
use json_subscriber::JsonSubscriber;
use metrique_writer_core::format::Format;
use metrique_writer_format_emf::{Emf, EmfBuilder, MetricDefinition, MetricDirective};
use request_log::EmfEntry;
use request_metrics::{RequestMetrics, milliseconds};
use std::error::Error;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use tracing::{Level, Metadata, error, info, warn};

/// What the targets of our rooms begin with.
const OURS: &str = env!("CARGO_CRATE_NAME");
/// About what the line of a request takes, in bytes.
const USUAL_LINE: usize = 1536;

/// Starts logging what is no request: JSON lines on standard output, from `level` up.
pub fn init(level: Level, clock: fn() -> SystemTime) {
    // A second start finds the first one's logging: there is none in this process.
    let _ = tracing::subscriber::set_global_default(lines(level, clock, std::io::stdout));
}

fn lines<W>(level: Level, clock: fn() -> SystemTime, output: W) -> JsonSubscriber<W> {
    JsonSubscriber {
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
    let least = if is_ours { level } else { Level::ERROR };
    *metadata.level() <= least
}

/// Takes a line, with the end of it.
type Output = dyn Fn(&[u8]) + Send + Sync;

/// Where the lines of requests are written.
pub struct Log {
    /// The least important level that is logged. Metrics do not depend on it.
    level: Level,
    formats: Mutex<Formats>,
    output: Box<Output>,
}

impl Log {
    /// A log that gives each line to `output`.
    pub fn new(config: &Config, output: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self {
            level: config.log_level,
            formats: Mutex::new(Formats::new(&config.metrics_namespace)),
            output: Box::new(output),
        }
    }

    /// A log on standard output, where Lambda takes it from.
    pub fn to_standard_output(config: &Config) -> Self {
        // Where a log cannot be written, there is nowhere to say so.
        Self::new(config, |line| drop(std::io::stdout().write_all(line)))
    }

    /// Writes the line of a request, or as much of it as is wanted.
    pub fn write(&self, line: &RequestLog<'_>) {
        if matches!(line.outcome, Ok(Success::Healthy)) {
            return answered_uptime_check(line);
        }
        let measures = RequestMetrics::of(line);
        let document = EmfEntry {
            line,
            measures: &measures,
            is_wanted: line.level() <= self.level,
        };
        let mut text = Vec::with_capacity(USUAL_LINE);
        let mut formats = self.formats.lock().unwrap_or_else(PoisonError::into_inner);
        let format = formats.of(measures.dimension.map(|(dimension, _)| dimension));
        // Names and values that are known here can always be written to memory.
        if format.format(&document, &mut text).is_ok() {
            (self.output)(&text);
        }
    }
}

/// The three shapes of a document: which of its metrics has a dimension has to be said beforehand.
struct Formats {
    plain: Emf,
    by_entity: Emf,
    by_reason: Emf,
}

impl Formats {
    fn new(namespace: &str) -> Self {
        let by = |dimension: Dimension| {
            let divided = Metric::ALL
                .into_iter()
                .filter(|metric| metric.dimension() == Some(dimension));
            let definition = |metric: Metric| MetricDefinition {
                name: metric.name(),
                unit: metric.unit(),
                storage_resolution: None,
            };
            format_of(namespace)
                .directive(MetricDirective {
                    dimensions: vec![vec![dimension.name()]],
                    metrics: divided.map(definition).collect(),
                    namespace,
                })
                .build()
        };
        Self {
            plain: format_of(namespace).build(),
            by_entity: by(Dimension::Entity),
            by_reason: by(Dimension::Reason),
        }
    }

    fn of(&mut self, dimension: Option<Dimension>) -> &mut Emf {
        match dimension {
            None => &mut self.plain,
            Some(Dimension::Entity) => &mut self.by_entity,
            Some(Dimension::Reason) => &mut self.by_reason,
        }
    }
}

/// Every metric as a whole. What could be wrong with a document is for the tests to find, not for each event.
fn format_of(namespace: &str) -> EmfBuilder {
    Emf::builder(namespace.to_owned(), vec![vec![]]).skip_all_validations(true)
}

/// Writes the line of an uptime check, which has no metrics: they would hide how the rest is doing.
fn answered_uptime_check(line: &RequestLog<'_>) {
    info!(
        request_id = line.request.request_id,
        route = "health",
        status = line.status(),
        source_ip = line.request.source.map(tracing::field::display),
        duration_ms = milliseconds(line.duration()),
        "request answered"
    );
}

/// Says that Lambda was invoked with something else than a gateway's event. It counts in no metric.
pub fn not_an_http_request(request_id: &str) {
    info!(request_id, "invocation is not an HTTP request");
}

/// Says that the secret could not be fetched when the function started; the first event tries again.
pub fn secret_not_fetched(error: &dyn Error) {
    warn!(cause = error_chain(error), "secret could not be fetched");
}

/// Says that the function could not start.
pub fn start_failed(error: &dyn Error) {
    error!(cause = error_chain(error), "start failed");
}

#[cfg(test)]
mod tests;
