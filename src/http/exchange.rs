//! A request with its outcome, as an entry for the log.

use super::{ApiError, Request, Route, Success};
use crate::deliver::Destination;
use crate::error::error_chain;
use crate::report::Report;
use crate::telemetry::{Outcome, RequestLog};
use std::time::SystemTime;

/// A request, its outcome, and what was learned on the way.
pub(crate) struct Exchange<'a> {
    pub(crate) request: &'a Request,
    pub(crate) route: Option<&'a Route>,
    pub(crate) body_bytes: usize,
    pub(crate) outcome: &'a Result<Success, ApiError>,
    pub(crate) report: &'a Report,
    pub(crate) is_source_allowed: bool,
    pub(crate) started: SystemTime,
    pub(crate) ended: SystemTime,
}

impl<'a> Exchange<'a> {
    /// The log entry of the exchange. Of the headers, it has only what a verified message took over.
    pub(crate) fn request_log(&self) -> RequestLog<'a> {
        let (route, webhook) = match self.route {
            Some(Route::Webhook(webhook)) => ("webhook", Some(webhook.as_str())),
            Some(Route::Models) => ("models", None),
            Some(Route::ModelRun) => ("model_run", None),
            Some(Route::Health) => ("health", None),
            None => ("none", None),
        };
        let status = match self.outcome {
            Ok(_) => 200,
            Err(error) => error.status().as_u16(),
        };
        RequestLog {
            request_id: &self.request.request_id,
            route,
            webhook,
            source: self.request.source,
            is_source_allowed: self.is_source_allowed,
            body_bytes: self.body_bytes,
            status,
            outcome: outcome(self.outcome),
            has_valid_signature: self.report.has_valid_signature,
            refresh_error: self.report.refresh_error.as_ref(),
            durations: self.report.durations,
            ended: self.ended,
            duration: self.ended.duration_since(self.started).unwrap_or_default(),
        }
    }
}

fn outcome(outcome: &Result<Success, ApiError>) -> Outcome<'_> {
    match outcome {
        Ok(Success::Healthy) => Outcome::Healthy,
        Ok(Success::Models(_)) => Outcome::Answered,
        Ok(Success::Received(result)) => Outcome::Received {
            message: &result.message,
            message_id: result.message_id(),
            offload_reason: result.offload_reason,
            spill_reason: match &result.destination {
                Destination::Queue { .. } => None,
                Destination::Spill { reason, .. } => Some(error_chain(reason)),
            },
        },
        Err(error) if error.is_server_error() => Outcome::Failed(error_chain(error)),
        Err(error) => Outcome::Refused {
            code: error.code(),
            error: error_chain(error),
        },
    }
}
