//! A request with its outcome, as an entry for the log.

use super::{ApiError, Request, Route, Success};
use crate::deliver::Destination;
use crate::error::error_chain;
use crate::report::Report;
use crate::telemetry::{Outcome, RequestLog};
use lambda_http::http::StatusCode;
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
    /// Its log entry. It contains header values only through a verified message.
    pub(crate) fn request_log(&self, status: StatusCode) -> RequestLog<'a> {
        RequestLog {
            request_id: &self.request.request_id,
            route: self.route.map(Route::name),
            webhook: self.route.and_then(Route::webhook),
            source_ip: self.request.source_ip,
            is_source_allowed: self.is_source_allowed,
            body_bytes: self.body_bytes,
            status: status.as_u16(),
            outcome: outcome(self.outcome),
            report: self.report,
            ended: self.ended,
            duration: self.ended.duration_since(self.started).unwrap_or_default(),
        }
    }
}

fn outcome(outcome: &Result<Success, ApiError>) -> Outcome<'_> {
    match outcome {
        Ok(Success::Healthy) => Outcome::Healthy,
        Ok(Success::Models(_)) => Outcome::Answered,
        Ok(Success::Stored(result)) => Outcome::Stored {
            message: &result.message,
            message_id: result.message_id(),
            offload_reason: result.offload_reason,
            spill_reason: match &result.destination {
                Destination::Queue { .. } => None,
                Destination::Spill { reason, .. } => Some(error_chain(reason)),
            },
        },
        Err(error) if error.is_server_error() => Outcome::Failed(error_chain(error)),
        Err(error) => Outcome::Refused { code: error.code(), error: error_chain(error) },
    }
}
