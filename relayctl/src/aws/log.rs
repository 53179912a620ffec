//! The function's log.

use super::{Clients, error};
use crate::error::Error;
use serde_json::{Map, Value};

/// A line that the function has written as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEvent {
    /// CloudWatch's id of the event.
    pub id: String,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    pub fields: Map<String, Value>,
}

/// Reads the events of all streams since a time, oldest first. A filter pattern leaves out others, where CloudWatch applies it.
pub async fn read(
    clients: &Clients,
    group: &str,
    start_ms: i64,
    pattern: Option<&str>,
) -> Result<Vec<LogEvent>, Error> {
    let request = clients.logs.filter_log_events().log_group_name(group).start_time(start_ms);
    let request = request.set_filter_pattern(pattern.map(str::to_owned));
    let mut pages = request.into_paginator().send();
    let mut events = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|it| error("logs:FilterLogEvents", &it))?;
        events.extend(page.events.unwrap_or_default().into_iter().filter_map(|event| {
            Some(LogEvent {
                id: event.event_id?,
                timestamp_ms: event.timestamp?,
                // Lambda's own lines are no JSON objects.
                fields: serde_json::from_str(&event.message?).ok()?,
            })
        }));
    }
    events.sort_by_key(|event| event.timestamp_ms);
    Ok(events)
}
