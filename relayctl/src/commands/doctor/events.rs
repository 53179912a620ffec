//! Events that need attention: dead letters, spilled events, and the newest entries of the function's log.

use super::CheckContext;
use super::check::{Check, Remediation, Status};
use super::function::{Configuration, variable};
use super::probe::TOPIC;
use crate::aws::log::{self, LogEvent};
use crate::aws::queue::{Queue, QueueStats};
use crate::aws::spilled_message;
use crate::aws::stack::Entity;
use crate::error::Error;
use clap::ValueEnum;
use futures_util::future::join_all;
use labelbox_relay::spill::PREFIX;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// On a busy stack, the last minutes have an event, and the whole day has too many to read.
const EVENT_PERIODS: [Duration; 2] = [Duration::from_secs(10 * 60), DAY];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// An older failure is no warning.
const RECENT: Duration = Duration::from_secs(60 * 60);
const FAILURES: [&str; 3] = ["event spilled", "request failed", "start failed"];
const EVENTS: [&str; 3] = ["event queued", "event queued as unrouted", "event spilled"];
/// Levels at which the function does not log queued events.
const QUIET_LEVELS: [&str; 2] = ["error", "warn"];

/// Counts messages, dead letters and spilled events.
pub async fn check_counts(scope: &CheckContext<'_>) -> Vec<Check> {
    let (counts, spilled) = tokio::join!(
        join_all(Entity::value_variants().iter().map(|entity| count(*entity, scope))),
        spilled_message::count(scope.clients, scope.stack)
    );
    let mut checks = Vec::new();
    let spilled = match spilled {
        Ok(spilled) => Some(spilled),
        Err(error) => {
            // The check of the bucket names a deleted one.
            if !error.is_not_found() {
                checks.push(Check::failed("spilled events", &error, scope));
            }
            None
        }
    };
    for (entity, count) in Entity::value_variants().iter().zip(counts) {
        let spilled = spilled.as_ref();
        let spilled = spilled.map(|it| it.get(&Some(*entity)).copied().unwrap_or_default());
        checks.extend(check_entity(*entity, count, spilled, scope));
    }
    if let Some(count) = spilled.as_ref().and_then(|it| it.get(&None)) {
        let message = format!("{count} objects under {PREFIX} are not spilled events");
        let list = scope.context.args.relayctl("replay-spill --dry-run");
        let list = Remediation::command(list);
        checks.push(Check::new(Status::Warning, "other objects", message, list));
    }
    checks
}

/// Of a queue and of its dead-letter queue; `None` if that is deleted, which the check of the queues names.
type Counts = (Option<QueueStats>, Option<QueueStats>);

async fn count(entity: Entity, scope: &CheckContext<'_>) -> Result<Counts, Error> {
    let queue = Queue::new(scope.clients, scope.stack, entity, false)?;
    let dead_letters = Queue::new(scope.clients, scope.stack, entity, true)?;
    let stats = tokio::join!(queue.stats_if_exists(), dead_letters.stats_if_exists());
    Ok((stats.0?, stats.1?))
}

fn check_entity(
    entity: Entity,
    counts: Result<Counts, Error>,
    spilled: Option<u64>,
    scope: &CheckContext<'_>,
) -> Vec<Check> {
    let (args, name) = (&scope.context.args, entity.name());
    let mut checks = Vec::new();
    if let Some(spilled) = spilled.filter(|count| *count > 0) {
        let message = format!("{spilled} in the bucket, because the queue did not accept them");
        let replay = args.relayctl(&format!("replay-spill --entity {name}"));
        let replay = Remediation::command(replay);
        checks.push(Check::new(Status::Problem, format!("{name} spilled"), message, replay));
    }
    match counts {
        Ok((queue, dead)) => {
            // Those in flight are being redriven.
            let count = dead.map_or(0, |dead| dead.waiting + dead.in_flight);
            if count > 0 {
                let unit = if count == 1 { "dead letter" } else { "dead letters" };
                let message = format!(
                    "{count} {unit}: consumers received each several times and did not delete it. Correct the consumer, \
                     then redrive"
                );
                let words = [format!("peek {name} --dead-letters"), format!("redrive {name}")];
                let commands = words.map(|words| args.relayctl(&words)).to_vec();
                let commands = Remediation::Commands(commands);
                let name = format!("{name} dead letters");
                checks.push(Check::new(Status::Problem, name, message, commands));
            }
            // What cannot be counted is not called none.
            if let (true, Some(queue), Some(_), Some(_)) = (checks.is_empty(), queue, dead, spilled)
            {
                let QueueStats { waiting, in_flight, .. } = queue;
                let message =
                    format!("{waiting} waiting, {in_flight} in flight, none dead or spilled");
                checks.push(Check::ok(format!("{name} events"), message));
            }
        }
        Err(error) => checks.push(Check::failed(format!("{name} events"), &error, scope)),
    }
    checks
}

/// The newest event and the newest failure of the last day, the doctor's own events left out.
pub async fn check_log(scope: &CheckContext<'_>, function: Option<&Configuration>) -> Vec<Check> {
    let name = "newest event";
    let Some(group) = scope.log_group.as_deref() else {
        let message = "the function's log group is not known";
        return vec![Check::new(Status::NotChecked, name, message, "see the checks above")];
    };
    let now = (scope.context.clock)();
    let (event, failure) =
        tokio::join!(newest_event(scope, group, now), newest(scope, group, now, DAY, &FAILURES));
    let (event, failure) = match (event, failure) {
        (Ok(event), Ok(failure)) => (event, failure),
        (Err(error), _) | (_, Err(error)) => return vec![Check::failed(name, &error, scope)],
    };
    let level = function.and_then(|function| variable(function, "LOG_LEVEL"));
    let is_quiet =
        level.is_some_and(|level| QUIET_LEVELS.iter().any(|it| level.eq_ignore_ascii_case(it)));
    let newest = match event {
        Some(event) => {
            let topic = field(&event, "event").or(field(&event, "entity")).unwrap_or("event");
            let (_, age) = age(event.timestamp_ms, now);
            Check::ok(name, format!("{topic} {age} ago"))
        }
        None if is_quiet => {
            let message = "not known: the function logs only what is refused or fails";
            Check::new(Status::NotChecked, name, message, "deploy again with LogLevel=info")
        }
        None => {
            let list = Remediation::command(scope.context.args.relayctl("webhook list"));
            Check::new(Status::Warning, name, "none within the last 24 hours", list)
        }
    };
    let failure = failure.map(|event| {
        let name = "newest failure";
        let (passed, age) = age(event.timestamp_ms, now);
        let (message, error) = (field(&event, "message"), field(&event, "error"));
        let (message, error) = (message.unwrap_or_default(), error.unwrap_or("unknown error"));
        let message = format!("{message} {age} ago: {error}");
        if passed > RECENT {
            return Check::ok(name, message);
        }
        Check::new(Status::Warning, name, message, scope.log_command())
    });
    std::iter::once(newest).chain(failure).collect()
}

async fn newest_event(
    scope: &CheckContext<'_>,
    group: &str,
    now: SystemTime,
) -> Result<Option<LogEvent>, Error> {
    for period in EVENT_PERIODS {
        if let Some(event) = newest(scope, group, now, period, &EVENTS).await? {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

async fn newest(
    scope: &CheckContext<'_>,
    group: &str,
    now: SystemTime,
    period: Duration,
    messages: &[&str],
) -> Result<Option<LogEvent>, Error> {
    let start = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(period);
    let start_ms = i64::try_from(start.as_millis()).unwrap_or_default();
    let terms: Vec<_> =
        messages.iter().map(|message| format!("($.message = \"{message}\")")).collect();
    let pattern = format!("{{ {} }}", terms.join(" || "));
    let events = log::read(scope.clients, group, start_ms, Some(&pattern)).await?;
    // The pattern only saves time: not every endpoint applies it.
    let is_wanted = |event: &LogEvent| {
        field(event, "message").is_some_and(|message| messages.contains(&message))
            && field(event, "event") != Some(TOPIC)
    };
    Ok(events.into_iter().rfind(is_wanted))
}

fn field<'e>(event: &'e LogEvent, name: &str) -> Option<&'e str> {
    event.fields.get(name).and_then(Value::as_str)
}

/// How long ago it was, and its two largest units. A time in the future, of another clock, is now.
fn age(timestamp_ms: i64, now: SystemTime) -> (Duration, String) {
    let time = Duration::from_millis(u64::try_from(timestamp_ms).unwrap_or_default());
    let passed = now.duration_since(UNIX_EPOCH + time).unwrap_or_default();
    let text = humantime::format_duration(Duration::from_secs(passed.as_secs())).to_string();
    (passed, text.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        let now = UNIX_EPOCH + Duration::from_secs(300_000);
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (3_725, "1h 2m"), (200_000, "2days 7h"), (-5, "0s")]
        {
            assert_eq!(age((300_000 - seconds) * 1_000, now).1, expected);
        }
    }
}
