//! What a request counts for: which metrics, and how much of each.

use super::RequestLog;
use super::metrics::{Dimension, Metric};
use crate::deliver::Destination;
use crate::event::Entity;
use crate::http::{Route, Success};
use metrique_writer_core::Observation;
use std::time::Duration;

/// What a request counts for.
pub(super) struct RequestMetrics {
    /// Each metric that is not zero.
    pub(super) amounts: Vec<(Metric, Observation)>,
    /// The dimension that one of them has, and its value.
    pub(super) dimension: Option<(Dimension, &'static str)>,
}

impl RequestMetrics {
    /// What the request of this line counts for.
    pub(super) fn of(line: &RequestLog<'_>) -> Self {
        let mut measures = Self {
            amounts: Vec::with_capacity(Metric::ALL.len()),
            dimension: None,
        };
        let has_body = matches!(
            line.route,
            Some(Route::Webhook(_) | Route::Models | Route::ModelRun)
        );
        measures.count(Metric::Received);
        measures.outcome(line);
        if line.course.is_signed_but_refused {
            measures.count(Metric::RefusedWithValidSignature);
        }
        if !line.course.is_source_allowed {
            measures.count(Metric::SourceNotAllowed);
        }
        if let Some(trouble) = &line.course.refresh_error
            && trouble.is_stale
        {
            measures.count(Metric::SecretStale);
        }
        if has_body && line.body_bytes > 0 {
            let size = Observation::Unsigned(line.body_bytes as u64);
            measures.amounts.push((Metric::BodyBytes, size));
        }
        let times = &line.course.times;
        measures.time(Metric::TotalTime, Some(line.duration()));
        measures.time(Metric::SecretTime, times.secret);
        measures.time(Metric::PayloadTime, times.payload);
        measures.time(Metric::QueueTime, times.queue);
        measures.time(Metric::SpillTime, times.spill);
        measures
    }

    fn outcome(&mut self, line: &RequestLog<'_>) {
        match line.outcome {
            Ok(Success::Healthy | Success::Models(_)) => {}
            Ok(Success::Received(receipt)) => {
                let entity = receipt.message.entity;
                match receipt.stored {
                    Destination::Queued { .. } => {
                        self.count_by(Metric::Queued, entity.name());
                    }
                    Destination::Spilled { .. } => self.count(Metric::Spilled),
                }
                if matches!(entity, Entity::Unrouted(_)) {
                    self.count(Metric::Unrouted);
                }
                if receipt.payload_reason.is_some() {
                    self.count(Metric::Pointer);
                }
            }
            Err(refusal) if refusal.is_server_error() => self.count(Metric::Failed),
            Err(refusal) => self.count_by(Metric::Refused, refusal.code()),
        }
    }

    fn count(&mut self, metric: Metric) {
        self.amounts.push((metric, Observation::Unsigned(1)));
    }

    fn count_by(&mut self, metric: Metric, value: &'static str) {
        self.count(metric);
        self.dimension = metric.dimension().map(|dimension| (dimension, value));
    }

    fn time(&mut self, metric: Metric, time: Option<Duration>) {
        let amount = time.map(|time| (metric, Observation::Floating(milliseconds(time))));
        self.amounts.extend(amount);
    }
}

/// To the microsecond.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
