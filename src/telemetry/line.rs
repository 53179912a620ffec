//! The one log line of a request, which is the document that CloudWatch takes the metrics from, too.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use super::Metric;
use super::measures::{Measures, milliseconds};
use crate::course::Course;
use crate::deliver::Stored;
use crate::error::chain;
use crate::event::{Entity, timestamp};
use crate::http::{Refusal, Request, Route, Served};
use crate::message::{NotCarriable, PAYLOAD_SIZE};
use crate::receive::Receipt;
use metrique_writer_core::value::ForceFlag;
use metrique_writer_core::{Entry, EntryWriter, MetricFlags, Observation, Value, ValueWriter};
use metrique_writer_format_emf::NoMetricCtor;
use std::time::{Duration, SystemTime};
use tracing::Level;

/// A number to read, and no metric.
type Figure<N> = ForceFlag<N, NoMetricCtor>;

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
    /// What happened on the way.
    pub course: &'a Course,
    /// When it arrived.
    pub started: SystemTime,
    /// When it was answered.
    pub ended: SystemTime,
}

impl Line<'_> {
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
            Ok(Served::Received(receipt)) => match (&receipt.stored, receipt.message.entity) {
                (Stored::Spilled { .. }, _) => Level::ERROR,
                (Stored::Queued { .. }, Entity::Unrouted(_)) => Level::WARN,
                (Stored::Queued { .. }, _) => Level::INFO,
            },
            Ok(Served::Healthy | Served::Models(_)) => Level::INFO,
            Err(refusal) if refusal.is_ours() => Level::ERROR,
            Err(_) => Level::WARN,
        };
        let is_sound = self.course.is_source_allowed && self.course.secret_trouble.is_none();
        if is_sound {
            level
        } else {
            level.min(Level::WARN)
        }
    }

    fn message(&self) -> &'static str {
        match self.outcome {
            Ok(Served::Received(receipt)) => match (&receipt.stored, receipt.message.entity) {
                (Stored::Spilled { .. }, _) => "event spilled",
                (Stored::Queued { .. }, Entity::Unrouted(_)) => "event queued as unrouted",
                (Stored::Queued { .. }, _) => "event queued",
            },
            Ok(Served::Healthy | Served::Models(_)) => "request answered",
            Err(refusal) if refusal.is_ours() => "request failed",
            Err(_) => "request refused",
        }
    }

    fn cause(&self) -> Option<String> {
        match self.outcome {
            Ok(Served::Received(receipt)) => match &receipt.stored {
                Stored::Spilled { reason, .. } => Some(chain(reason)),
                Stored::Queued { .. } => None,
            },
            Ok(_) => None,
            Err(refusal) => Some(chain(refusal)),
        }
    }
}

/// The line as it is written: its metrics, and what there is to read, if that is wanted at this level.
pub(super) struct Document<'a> {
    pub(super) line: &'a Line<'a>,
    pub(super) measures: &'a Measures,
    pub(super) is_wanted: bool,
}

impl Entry for Document<'_> {
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

impl Line<'_> {
    fn write<'w>(&'w self, writer: &mut impl EntryWriter<'w>) {
        let (route, webhook) = match self.route {
            Some(Route::Webhook(webhook)) => ("webhook", Some(webhook.as_str())),
            Some(Route::Models) => ("models", None),
            Some(Route::ModelRun) => ("model_run", None),
            Some(Route::Health) => ("health", None),
            None => ("none", None),
        };
        let trouble = self.course.secret_trouble.as_ref();
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
        if let Ok(Served::Received(receipt)) = self.outcome {
            write_receipt(receipt, writer);
        }
    }
}

fn write_receipt<'w>(receipt: &'w Receipt, writer: &mut impl EntryWriter<'w>) {
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
        &receipt.payload_reason.map(NotCarriable::name),
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
