//! The log line of a request. CloudWatch takes the metrics from the same line.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use super::metrics::{Dimension, Metric};
use crate::deliver::{DeliveryResult, Destination};
use crate::error::error_chain;
use crate::event::{Entity, timestamp};
use crate::message::{OffloadReason, PAYLOAD_SIZE};
use crate::outcome::{Outcome, Success, status};
use crate::report::Report;
use metrique_writer_core::value::ForceFlag;
use metrique_writer_core::{Entry, EntryWriter, MetricFlags, Observation, Value, ValueWriter};
use metrique_writer_format_emf::NoMetricCtor;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use tracing::Level;

/// A numeric field that is not published as a metric.
type Number<N> = ForceFlag<N, NoMetricCtor>;

/// What is known of a request when its outcome is decided.
pub struct RequestLog<'a> {
    /// The id of the invocation.
    pub request_id: &'a str,
    /// The name of its route, if it has one.
    pub route: Option<&'static str>,
    /// The webhook's name, if the route has one.
    pub webhook: Option<&'a str>,
    /// The source address, if the gateway knows it.
    pub source_ip: Option<IpAddr>,
    /// Whether the allowlist has the source address. With `observe`, other addresses are accepted, too.
    pub is_source_allowed: bool,
    /// The size of the body in bytes.
    pub body_bytes: usize,
    /// What became of the request.
    pub outcome: &'a Outcome,
    /// Facts beside the outcome.
    pub report: &'a Report,
    /// When the outcome was decided.
    pub ended: SystemTime,
    /// The time from its arrival until then.
    pub duration: Duration,
}

impl RequestLog<'_> {
    /// The level of the line: an error if the relay failed or spilled, a warning if a request was refused, an event is
    /// unrouted, or something else needs attention.
    pub(super) fn level(&self) -> Level {
        let (level, _) = self.level_and_message();
        let is_archive_failed =
            matches!(self.outcome, Ok(Success::Stored(result)) if result.archive_error.is_some());
        if !self.is_source_allowed || self.report.stale_reason.is_some() || is_archive_failed {
            level.min(Level::WARN)
        } else {
            level
        }
    }

    fn level_and_message(&self) -> (Level, &'static str) {
        match self.outcome {
            Ok(Success::Healthy | Success::Models(_)) => (Level::INFO, "request answered"),
            Ok(Success::Stored(result)) => match (&result.destination, result.message.entity) {
                (Destination::Spill { .. }, _) => (Level::ERROR, "event spilled"),
                (_, Entity::Unrouted(_)) => (Level::WARN, "event queued as unrouted"),
                _ => (Level::INFO, "event queued"),
            },
            Err(error) if error.is_server_error() => (Level::ERROR, "request failed"),
            Err(_) => (Level::WARN, "request refused"),
        }
    }

    /// The error with its causes: why the request was refused or failed, or why the event was spilled.
    fn error(&self) -> Option<String> {
        match self.outcome {
            Ok(Success::Stored(result)) => match &result.destination {
                Destination::Spill { reason, .. } => Some(error_chain(reason)),
                Destination::Queue { .. } => None,
            },
            Ok(_) => None,
            Err(error) => Some(error_chain(error)),
        }
    }

    fn write<'w>(&'w self, writer: &mut impl EntryWriter<'w>) {
        writer.value("timestamp", &timestamp(self.ended.into()));
        writer.value("level", self.level().as_str());
        writer.value("message", self.level_and_message().1);
        writer.value("request_id", self.request_id);
        writer.value("route", self.route.unwrap_or("none"));
        writer.value("webhook", &self.webhook);
        writer.value("status", &Number::from(status(self.outcome).as_u16()));
        writer
            .value("valid_signature", &self.report.refused_with_valid_signature.then_some("true"));
        writer.value("error", &self.error());
        writer.value("secret_error", &self.report.stale_reason);
        writer.value("source_ip", &self.source_ip.map(|ip| ip.to_string()));
        writer.value("body_bytes", &Number::from(self.body_bytes));
        writer.value("duration_ms", &Number::from(milliseconds(self.duration)));
        if let Ok(Success::Stored(result)) = self.outcome {
            write_event(result, writer);
        }
    }
}

fn write_event<'w>(result: &'w DeliveryResult, writer: &mut impl EntryWriter<'w>) {
    let message = &result.message;
    writer.value("entity", message.entity.name());
    for name in ["event", "reason", "entity_id", "project_id", "delivery_id", "dedup_id"] {
        writer.value(name, &message.attribute(name));
    }
    let payload_bytes = message.attribute(PAYLOAD_SIZE);
    let payload_bytes = payload_bytes.and_then(|size| size.parse::<u64>().ok());
    writer.value("payload_bytes", &payload_bytes.map(Number::from));
    writer.value("payload_reason", &result.offload_reason.map(OffloadReason::name));
    writer.value("message_id", result.message_id());
    let archive_error = result.archive_error.as_ref().map(|error| error_chain(error));
    writer.value("archive_error", &archive_error);
}

/// The metrics of one request.
pub(super) struct RequestMetrics {
    /// Each metric that is not zero.
    values: Vec<(Metric, Observation)>,
    /// The dimension that one of them has, and its value.
    pub(super) dimension: Option<(Dimension, &'static str)>,
}

impl RequestMetrics {
    pub(super) fn new(request: &RequestLog<'_>) -> Self {
        let mut metrics = Self { values: Vec::with_capacity(Metric::ALL.len()), dimension: None };
        metrics.count(Metric::RECEIVED);
        match request.outcome {
            Ok(Success::Healthy | Success::Models(_)) => {}
            Ok(Success::Stored(result)) => {
                let entity = result.message.entity;
                match result.destination {
                    Destination::Spill { .. } => metrics.count(Metric::SPILLED),
                    Destination::Queue { .. } => metrics.count_by(Metric::QUEUED, entity.name()),
                }
                metrics.count_if(matches!(entity, Entity::Unrouted(_)), Metric::UNROUTED);
                metrics.count_if(result.offload_reason.is_some(), Metric::POINTER);
                metrics.count_if(result.archive_error.is_some(), Metric::ARCHIVE_FAILED);
            }
            Err(error) if error.is_server_error() => metrics.count(Metric::FAILED),
            Err(error) => metrics.count_by(Metric::REFUSED, error.code()),
        }
        metrics.count_if(
            request.report.refused_with_valid_signature,
            Metric::REFUSED_WITH_VALID_SIGNATURE,
        );
        metrics.count_if(!request.is_source_allowed, Metric::SOURCE_NOT_ALLOWED);
        metrics.count_if(request.report.stale_reason.is_some(), Metric::SECRET_STALE);
        // Without a route, or for a health check, the size of a body says nothing about events.
        let takes_body = !matches!(request.route, None | Some("health"));
        if takes_body && request.body_bytes > 0 {
            let bytes = Observation::Unsigned(request.body_bytes as u64);
            metrics.values.push((Metric::BODY_BYTES, bytes));
        }
        metrics.measure(Metric::TOTAL_TIME, Some(request.duration));
        metrics.measure(Metric::SECRET_TIME, request.report.durations.secret);
        metrics.measure(Metric::PAYLOAD_TIME, request.report.durations.payload);
        metrics.measure(Metric::QUEUE_TIME, request.report.durations.queue);
        metrics.measure(Metric::SPILL_TIME, request.report.durations.spill);
        metrics
    }

    fn count(&mut self, metric: Metric) {
        self.values.push((metric, Observation::Unsigned(1)));
    }

    fn count_if(&mut self, condition: bool, metric: Metric) {
        if condition {
            self.count(metric);
        }
    }

    fn count_by(&mut self, metric: Metric, value: &'static str) {
        self.count(metric);
        self.dimension = metric.dimension.map(|dimension| (dimension, value));
    }

    fn measure(&mut self, metric: Metric, duration: Option<Duration>) {
        let value = duration.map(|time| (metric, Observation::Floating(milliseconds(time))));
        self.values.extend(value);
    }
}

/// The line of a request with its metrics, for the EMF formatter.
pub(super) struct EmfEntry<'a> {
    pub(super) request: &'a RequestLog<'a>,
    pub(super) metrics: &'a RequestMetrics,
    /// Whether the line's own fields are written, too, or only its metrics.
    pub(super) is_logged: bool,
}

impl Entry for EmfEntry<'_> {
    fn write<'w>(&'w self, writer: &mut impl EntryWriter<'w>) {
        writer.timestamp(self.request.ended);
        for (metric, value) in &self.metrics.values {
            writer.value(metric.name, &MetricValue(*metric, *value));
        }
        if let Some((dimension, value)) = self.metrics.dimension {
            writer.value(dimension.name(), value);
        }
        if self.is_logged {
            self.request.write(writer);
        }
    }
}

struct MetricValue(Metric, Observation);

impl Value for MetricValue {
    fn write(&self, writer: impl ValueWriter) {
        writer.metric([self.1], self.0.unit, [], MetricFlags::empty());
    }
}

/// In milliseconds, to the microsecond.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
