//! Log lines and metrics. No line has a body, a secret or a signature, and none has a header value unless the request was
//! verified.

mod json_subscriber;
mod metrics;
mod request_log;

pub use metrics::{Dimension, Metric};
pub use request_log::RequestLog;

use crate::config::Config;
use crate::error::error_chain;
use crate::outcome::{Success, status};
use json_subscriber::JsonSubscriber;
use metrique_writer_core::format::Format;
use metrique_writer_format_emf::{Emf, EmfBuilder, MetricDefinition, MetricDirective};
use request_log::{EmfEntry, RequestMetrics, milliseconds};
use std::error::Error;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use tracing::{Level, error, info, warn};

/// The usual size of a request's line in bytes.
const LINE_CAPACITY: usize = 1536;

/// Starts logging: JSON lines on standard output, from `level` up. [`Log`] writes the lines of requests.
pub fn init(level: Level, clock: fn() -> SystemTime) {
    let subscriber = JsonSubscriber { level, clock, output: std::io::stdout };
    // Fails only if the process has called it before.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Receives each line, with its newline.
type Output = dyn Fn(&[u8]) + Send + Sync;

/// Writes the log lines of requests, with their metrics in CloudWatch's embedded metric format (EMF).
pub struct Log {
    /// Below this level, a line has only metrics.
    level: Level,
    formatters: Mutex<Formatters>,
    output: Box<Output>,
}

impl Log {
    /// A log that passes each line to `output`.
    pub fn new(config: &Config, output: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self {
            level: config.log_level,
            formatters: Mutex::new(Formatters::new(&config.metrics_namespace)),
            output: Box::new(output),
        }
    }

    /// A log on standard output, which Lambda sends to CloudWatch Logs.
    pub fn to_standard_output(config: &Config) -> Self {
        // There is no other place to report that the log cannot be written.
        Self::new(config, |line| drop(std::io::stdout().write_all(line)))
    }

    /// Writes the line of a request.
    pub fn write(&self, request: &RequestLog<'_>) {
        if matches!(request.outcome, Ok(Success::Healthy)) {
            return log_health_check(request);
        }
        let metrics = RequestMetrics::new(request);
        let entry =
            EmfEntry { request, metrics: &metrics, is_logged: request.level() <= self.level };
        let dimension = metrics.dimension.map(|(dimension, _)| dimension);
        let mut line = Vec::with_capacity(LINE_CAPACITY);
        let mut formatters = self.formatters.lock().unwrap_or_else(PoisonError::into_inner);
        // Formatting into memory does not fail.
        if formatters.for_dimension(dimension).format(&entry, &mut line).is_ok() {
            (self.output)(&line);
        }
    }
}

/// One EMF formatter per dimension, because EMF declares dimensions before values.
struct Formatters {
    plain: Emf,
    by_entity: Emf,
    by_reason: Emf,
}

impl Formatters {
    fn new(namespace: &str) -> Self {
        let by = |dimension: Dimension| {
            let metrics = Metric::ALL.into_iter();
            let metrics = metrics.filter(|metric| metric.dimension == Some(dimension));
            let directive = MetricDirective {
                dimensions: vec![vec![dimension.name()]],
                metrics: metrics.map(definition).collect(),
                namespace,
            };
            emf(namespace).directive(directive).build()
        };
        Self {
            plain: emf(namespace).build(),
            by_entity: by(Dimension::Entity),
            by_reason: by(Dimension::Reason),
        }
    }

    fn for_dimension(&mut self, dimension: Option<Dimension>) -> &mut Emf {
        match dimension {
            None => &mut self.plain,
            Some(Dimension::Entity) => &mut self.by_entity,
            Some(Dimension::Reason) => &mut self.by_reason,
        }
    }
}

fn definition(metric: Metric) -> MetricDefinition<'static> {
    MetricDefinition { name: metric.name, unit: metric.unit, storage_resolution: None }
}

/// A formatter that publishes every metric without dimensions. Tests validate its output, so it need not at run time.
fn emf(namespace: &str) -> EmfBuilder {
    Emf::builder(namespace.to_owned(), vec![vec![]]).skip_all_validations(true)
}

/// Writes the line of a health check. It has no metrics, since frequent checks would distort the durations of events.
fn log_health_check(request: &RequestLog<'_>) {
    info!(
        request_id = request.request_id,
        route = request.route,
        status = status(request.outcome).as_u16(),
        source_ip = request.source_ip.map(tracing::field::display),
        duration_ms = milliseconds(request.duration),
        "request answered"
    );
}

/// Logs that the function was invoked with something other than an HTTP request. It counts in no metric.
pub fn not_an_http_request(request_id: &str) {
    info!(request_id, "invocation is not an HTTP request");
}

/// Logs that the secret could not be fetched when the function started.
pub fn secret_not_fetched(error: &dyn Error) {
    warn!(error = error_chain(error), "secret could not be fetched");
}

/// Logs that the function could not start.
pub fn start_failed(error: &dyn Error) {
    error!(error = error_chain(error), "start failed");
}

#[cfg(test)]
mod tests;
