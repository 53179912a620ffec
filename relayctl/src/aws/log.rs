//! The function's log.

use super::{CallResult, Clients};
use crate::error::{AwsErrorKind, Error};
use crate::output::Output;
use crate::sanitize::one_line;
use serde_json::{Map, Value};
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::sleep;

const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Streams are ingested one by one, so an event can appear after others that are newer by so much.
const LATE_MS: i64 = 20_000;

/// A line of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEvent {
    /// CloudWatch's id of the event.
    pub id: String,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    pub text: String,
    /// The line's JSON object. Lambda's own lines have none.
    pub fields: Map<String, Value>,
}

/// A time of CloudWatch in RFC 3339.
pub fn timestamp(unix_ms: i64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    time.ok().map(labelbox_relay::event::timestamp)
}

/// Reads the events of all streams since a time, oldest first. A filter pattern leaves out others, where CloudWatch applies it.
pub async fn read(
    clients: &Clients,
    group: &str,
    start_ms: i64,
    pattern: Option<&str>,
) -> Result<Vec<LogEvent>, Error> {
    let mut events = Vec::new();
    let each = |event| {
        events.push(event);
        Ok(ControlFlow::Continue(()))
    };
    let _ = read_each(clients, group, start_ms, pattern, each).await?;
    events.sort_by_key(|event| event.timestamp_ms);
    Ok(events)
}

async fn read_each(
    clients: &Clients,
    group: &str,
    start_ms: i64,
    pattern: Option<&str>,
    mut each: impl FnMut(LogEvent) -> Result<ControlFlow<()>, Error>,
) -> Result<ControlFlow<()>, Error> {
    let request = clients.logs.filter_log_events().log_group_name(group).start_time(start_ms);
    let request = request.set_filter_pattern(pattern.map(str::to_owned));
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.action("logs:FilterLogEvents")?;
        for event in page.events.unwrap_or_default() {
            let (Some(id), Some(timestamp_ms), Some(text)) =
                (event.event_id, event.timestamp, event.message)
            else {
                continue;
            };
            let fields = serde_json::from_str(&text).unwrap_or_default();
            if each(LogEvent { id, timestamp_ms, text, fields })?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Passes on each event once, until one breaks off; with `is_endless`, also those that are yet to come. After the first
/// response, a failure of the network is a warning, and the read is repeated; it is in `failure` until one succeeds.
pub async fn follow(
    clients: &Clients,
    group: &str,
    mut start_ms: i64,
    is_endless: bool,
    mut each: impl FnMut(&LogEvent) -> Result<ControlFlow<()>, Error>,
    output: &Output,
    failure: &Cell<Option<Error>>,
) -> Result<(), Error> {
    let mut seen: HashMap<String, i64> = HashMap::new();
    let mut has_responded = false;
    loop {
        let mut newest_ms = start_ms;
        let read = read_each(clients, group, start_ms, None, |event| {
            newest_ms = newest_ms.max(event.timestamp_ms);
            match seen.insert(event.id.clone(), event.timestamp_ms) {
                Some(_) => Ok(ControlFlow::Continue(())),
                None => each(&event),
            }
        });
        match read.await {
            Ok(ControlFlow::Break(())) => return Ok(()),
            Ok(ControlFlow::Continue(())) if !is_endless => return Ok(()),
            Ok(ControlFlow::Continue(())) => {
                has_responded = true;
                failure.set(None);
                start_ms = start_ms.max(newest_ms - LATE_MS);
                seen.retain(|_, timestamp_ms| *timestamp_ms >= start_ms);
            }
            Err(error) if has_responded && error.aws_kind() == Some(AwsErrorKind::NoResponse) => {
                let line = one_line(&error.to_string());
                if failure.replace(Some(error)).is_none() {
                    output.warn(format_args!("{line}; trying again"));
                }
            }
            Err(error) => return Err(error),
        }
        sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests;
