//! Events that need attention: dead letters, spilled events, and the newest entries of the function's log.

use super::CheckContext;
use super::check::{Check, Status};
use super::endpoint::probe_body;
use crate::aws::log::{self, LogEvent};
use crate::aws::queue::{Queue, QueueStats};
use crate::aws::spilled_message;
use crate::aws::stack::Entity;
use crate::error::Error;
use crate::relay::PROBE_TOPIC;
use crate::summary::counted;
use clap::ValueEnum;
use futures_util::future::join_all;
use labelbox_relay::spill::PREFIX;
use serde_json::Value;
use std::time::Duration;

const EVENT: &str = "newest event";
const MINUTES_MS: i64 = 10 * 60 * 1000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const FAILURES: [&str; 3] = ["event spilled", "request failed", "start failed"];
const EVENTS: [&str; 3] = ["event queued", "event queued as unrouted", "event spilled"];

/// Counts messages, dead letters and spilled events.
pub async fn check_counts(scope: &CheckContext<'_>) -> Vec<Check> {
    let (spilled, mut checks) = match spilled_message::count(scope.clients, scope.stack).await {
        Ok(spilled) => (Some(spilled), Vec::new()),
        // The check of the bucket names a deleted one.
        Err(error) if error.is_not_found() => (None, Vec::new()),
        Err(error) => (None, vec![Check::failed("spilled events", &error, scope.args)]),
    };
    let count = |entity| spilled.as_ref().map(|it| it.get(&entity).copied().unwrap_or_default());
    let entities = Entity::value_variants().iter();
    let entities = entities.map(|entity| check_entity(*entity, count(Some(*entity)), scope));
    checks.extend(join_all(entities).await.into_iter().flatten());
    if let Some(count) = count(None).filter(|count| *count > 0) {
        let message = format!("{} under {PREFIX}, not of spilled events", counted(count, "object"));
        let list = scope.args.relayctl("replay-spill --dry-run");
        checks.push(Check::new(Status::Warning, "other objects", message).run([list]));
    }
    checks
}

async fn check_entity(
    entity: Entity,
    spilled: Option<u64>,
    scope: &CheckContext<'_>,
) -> Vec<Check> {
    let (args, name) = (scope.args, entity.name());
    let mut checks = Vec::new();
    if let Some(spilled) = spilled.filter(|count| *count > 0) {
        let message = format!("{spilled} in the bucket, not accepted by the queue");
        let replay = args.relayctl(&format!("replay-spill --entity {name}"));
        checks.push(Check::problem(format!("{name} spilled"), message).run([replay]));
    }
    // `None` of a deleted queue, which the check of the queues names.
    let stats = async |is_dead_letter_queue| {
        let queue = Queue::new(scope.clients, scope.stack, entity, is_dead_letter_queue)?;
        queue.stats_if_exists().await.map_err(Error::from)
    };
    let (queue, dead) = match tokio::try_join!(stats(false), stats(true)) {
        Ok(stats) => stats,
        Err(error) => {
            checks.push(Check::failed(format!("{name} events"), &error, args));
            return checks;
        }
    };
    // Those in flight are being redriven.
    let count = dead.map_or(0, |dead| dead.waiting + dead.in_flight);
    if count > 0 {
        let letters = counted(count, "dead letter");
        let message = format!(
            "{letters}: consumers received each several times and did not delete it. Correct the consumer, then \
             redrive"
        );
        let commands = [format!("peek {name} --dead-letters"), format!("redrive {name}")];
        let check = Check::problem(format!("{name} dead letters"), message);
        checks.push(check.run(commands.map(|words| args.relayctl(&words))));
    }
    // "none" is only said if every count succeeded.
    if let (true, Some(queue), Some(_), Some(_)) = (checks.is_empty(), queue, dead, spilled) {
        let QueueStats { waiting, in_flight, .. } = queue;
        let message = format!("{waiting} waiting, {in_flight} in flight, none dead or spilled");
        checks.push(Check::ok(format!("{name} events"), message));
    }
    checks
}

/// The newest event and the newest failure of the last day, the doctor's own events left out.
pub async fn check_log(scope: &CheckContext<'_>) -> Vec<Check> {
    let newest = async {
        let group = scope.stack.log_group(scope.clients).await?;
        let failure = read(scope, &group, DAY_MS, &FAILURES).await?;
        // On a busy stack, the last minutes have an event, and the whole day has too many to read.
        let accepted = match read(scope, &group, MINUTES_MS, &EVENTS).await? {
            None => read(scope, &group, DAY_MS, &EVENTS).await?,
            accepted => accepted,
        };
        Ok::<_, Error>((accepted, failure))
    };
    match newest.await {
        Ok((accepted, failure)) => {
            let failure = failure.map(|failure| check_failure(&failure, accepted.as_ref(), scope));
            std::iter::once(check_event(accepted.as_ref(), scope)).chain(failure).collect()
        }
        Err(error) => vec![Check::failed(EVENT, &error, scope.args)],
    }
}

fn check_event(newest: Option<&LogEvent>, scope: &CheckContext<'_>) -> Check {
    if let Some(event) = newest {
        let topic = field(event, "event").or(field(event, "entity")).unwrap_or("event");
        return Check::ok(EVENT, format!("{topic} {} ago", age(event, scope)));
    }
    if matches!(scope.stack.parameter("LogLevel"), Some("error" | "warn")) {
        let message = "not known: the function logs only what is refused or fails";
        return Check::new(Status::NotChecked, EVENT, message)
            .advise("deploy again with LogLevel=info");
    }
    let list = scope.args.relayctl("webhook list");
    Check::new(Status::Warning, EVENT, "none within the last 24 hours").run([list])
}

fn check_failure(
    failure: &LogEvent,
    accepted: Option<&LogEvent>,
    scope: &CheckContext<'_>,
) -> Check {
    let name = "newest failure";
    let text = field(failure, "message").unwrap_or_default();
    let error = field(failure, "error").unwrap_or("unknown error");
    let message =
        format!("{text} {} ago: {}; since then,", age(failure, scope), error.trim_end_matches('.'));
    if accepted.is_some_and(|event| event.timestamp_ms > failure.timestamp_ms) {
        return Check::ok(name, format!("{message} events were accepted"));
    }
    Check::new(Status::Warning, name, format!("{message} no event was accepted"))
        .run([scope.args.relayctl("tail --since 1d --status spilled --status failed --for 5s")])
}

/// The newest entry of the log with one of these messages.
async fn read(
    scope: &CheckContext<'_>,
    group: &str,
    age_ms: i64,
    messages: &[&str],
) -> Result<Option<LogEvent>, Error> {
    let terms: Vec<_> =
        messages.iter().map(|message| format!("($.message = \"{message}\")")).collect();
    let pattern = format!("{{ {} }}", terms.join(" || "));
    let start_ms = now_ms(scope) - age_ms;
    let mut events = log::read(scope.clients, group, start_ms, Some(&pattern)).await?;
    // The pattern only saves time: not every endpoint applies it.
    events.retain(|event| {
        field(event, "message").is_some_and(|message| messages.contains(&message))
            && field(event, "event") != Some(PROBE_TOPIC)
            && !is_failed_probe(event)
    });
    Ok(events.pop())
}

/// The line of a failed request has no topic, but no event of Labelbox's is as short as a probe.
fn is_failed_probe(event: &LogEvent) -> bool {
    let bytes = event.fields.get("body_bytes").and_then(Value::as_u64);
    field(event, "event").is_none() && bytes == Some(probe_body().len() as u64)
}

fn field<'e>(event: &'e LogEvent, name: &str) -> Option<&'e str> {
    event.fields.get(name).and_then(Value::as_str)
}

/// Milliseconds since 1970.
fn now_ms(scope: &CheckContext<'_>) -> i64 {
    scope.context.now().unix_timestamp() * 1000
}

/// How long ago it was, in its two largest units.
fn age(event: &LogEvent, scope: &CheckContext<'_>) -> String {
    format_age(now_ms(scope) - event.timestamp_ms)
}

/// A time in the future, of another clock, is now.
fn format_age(age_ms: i64) -> String {
    let seconds = u64::try_from(age_ms / 1000).unwrap_or_default();
    let text = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (3_725, "1h 2m"), (200_000, "2days 7h"), (-5, "0s")]
        {
            assert_eq!(format_age(seconds * 1_000), expected);
        }
    }
}
