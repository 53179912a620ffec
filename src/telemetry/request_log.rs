//! The one log line of a request, which is the document that CloudWatch takes the metrics from, too.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use super::Metric;
use super::request_metrics::{RequestMetrics, milliseconds};
use crate::deliver::Destination;
use crate::error::error_chain;
use crate::event::{Entity, timestamp};
use crate::http::{ApiError, Request, Route, Success};
use crate::message::{OffloadReason, PAYLOAD_SIZE};
use crate::receive::DeliveryResult;
use crate::request_context::RequestContext;
use metrique_writer_core::value::ForceFlag;
use metrique_writer_core::{Entry, EntryWriter, MetricFlags, Observation, Value, ValueWriter};
use metrique_writer_format_emf::NoMetricCtor;
use std::time::{Duration, SystemTime};
use tracing::Level;

/// A number to read, and no metric.
type Figure<N> = ForceFlag<N, NoMetricCtor>;

/// What the one log line of a request is made of.
pub struct RequestLog<'a> {
    /// The request; of its headers, none is logged before its signature was verified.
    pub request: &'a Request,
    /// Where it went.
    pub route: Option<&'a Route>,
    /// Size of its body.
    pub body_bytes: usize,
    /// What became of it.
    pub outcome: &'a Result<Success, ApiError>,
    /// What happened on the way.
    pub course: &'a RequestContext,
    /// When it arrived.
    pub started: SystemTime,
    /// When it was answered.
    pub ended: SystemTime,
}

impl RequestLog<'_> {
    /// The status that it was answered with.
    pub(super) fn status(&self) -> u16 {
        self.outcome
            .as_ref()
            .map_or_else(|refusal| refusal.status().as_u16(), |_| 200)
    }

    /// From its arrival to its answer.
    pub(super) fn duration(&self) -> Duration {
        self.ended.duration_since(self.started).unwrap_or_default()
    }

    /// An error when the fault is ours, a warning when the sender was turned away or something is to be looked at.
    pub(super) fn level(&self) -> Level {
        let level = match self.outcome {
            Ok(Success::Received(receipt)) => match (&receipt.stored, receipt.message.entity) {
                (Destination::Spilled { .. }, _) => Level::ERROR,
                (Destination::Queued { .. }, Entity::Unrouted(_)) => Level::WARN,
                (Destination::Queued { .. }, _) => Level::INFO,
            },
            Ok(Success::Healthy | Success::Models(_)) => Level::INFO,
            Err(refusal) if refusal.is_server_error() => Level::ERROR,
            Err(_) => Level::WARN,
        };
        let is_sound = self.course.is_source_allowed && self.course.refresh_error.is_none();
        if is_sound {
            level
        } else {
            level.min(Level::WARN)
        }
    }

    fn message(&self) -> &'static str {
        match self.outcome {
            Ok(Success::Received(receipt)) => match (&receipt.stored, receipt.message.entity) {
                (Destination::Spilled { .. }, _) => "event spilled",
                (Destination::Queued { .. }, Entity::Unrouted(_)) => "event queued as unrouted",
                (Destination::Queued { .. }, _) => "event queued",
            },
            Ok(Success::Healthy | Success::Models(_)) => "request answered",
            Err(refusal) if refusal.is_server_error() => "request failed",
            Err(_) => "request refused",
        }
    }

    fn cause(&self) -> Option<String> {
        match self.outcome {
            Ok(Success::Received(receipt)) => match &receipt.stored {
                Destination::Spilled { reason, .. } => Some(error_chain(reason)),
                Destination::Queued { .. } => None,
            },
            Ok(_) => None,
            Err(refusal) => Some(error_chain(refusal)),
        }
    }
}

/// The line as it is written: its metrics, and what there is to read, if that is wanted at this level.
pub(super) struct EmfEntry<'a> {
    pub(super) line: &'a RequestLog<'a>,
    pub(super) measures: &'a RequestMetrics,
    pub(super) is_wanted: bool,
}

impl Entry for EmfEntry<'_> {
    fn write<'w>(&'w self, writer: &mut impl EntryWriter<'w>) {
        writer.timestamp(self.line.ended);
        for (metric, amount) in &self.measures.amounts {
            writer.value(metric.name(), &Measure(*metric, *amount));
        }
        if let Some((dimension, value)) = self.measures.dimension {
            writer.value(dimension.name(), value);
        }
        if self.is_wanted {
            self.line.write(writer);
        }
    }
}

impl RequestLog<'_> {
    fn write<'w>(&'w self, writer: &mut impl EntryWriter<'w>) {
        let (route, webhook) = match self.route {
            Some(Route::Webhook(webhook)) => ("webhook", Some(webhook.as_str())),
            Some(Route::Models) => ("models", None),
            Some(Route::ModelRun) => ("model_run", None),
            Some(Route::Health) => ("health", None),
            None => ("none", None),
        };
        let trouble = self.course.refresh_error.as_ref();
        writer.value("timestamp", &timestamp(self.ended.into()));
        writer.value("level", self.level().as_str());
        writer.value("message", self.message());
        writer.value("request_id", &self.request.request_id);
        writer.value("route", route);
        writer.value("webhook", &webhook);
        writer.value("status", &Figure::from(self.status()));
        writer.value(
            "valid_signature",
            &self.course.is_signed_but_refused.then_some("true"),
        );
        writer.value("cause", &self.cause());
        writer.value("secret_cause", &trouble.map(|trouble| &trouble.cause));
        writer.value(
            "source_ip",
            &self.request.source.map(|source| source.to_string()),
        );
        writer.value("body_bytes", &Figure::from(self.body_bytes));
        writer.value("duration_ms", &Figure::from(milliseconds(self.duration())));
        if let Ok(Success::Received(receipt)) = self.outcome {
            write_receipt(receipt, writer);
        }
    }
}

fn write_receipt<'w>(receipt: &'w DeliveryResult, writer: &mut impl EntryWriter<'w>) {
    let attribute = |name| receipt.message.attribute(name);
    let payload_bytes = attribute(PAYLOAD_SIZE).and_then(|size| size.parse::<u64>().ok());
    writer.value("entity", receipt.message.entity.name());
    for name in [
        "event",
        "reason",
        "entity_id",
        "project_id",
        "delivery_id",
        "dedup_id",
    ] {
        writer.value(name, &attribute(name));
    }
    writer.value("payload_bytes", &payload_bytes.map(Figure::from));
    writer.value(
        "payload_reason",
        &receipt.payload_reason.map(OffloadReason::name),
    );
    writer.value("message_id", receipt.message_id());
}

/// How much of a metric, in its unit.
struct Measure(Metric, Observation);

impl Value for Measure {
    fn write(&self, writer: impl ValueWriter) {
        writer.metric([self.1], self.0.unit(), [], MetricFlags::empty());
    }
}
