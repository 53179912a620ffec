//! `relayctl count`: how many messages are where, or how many events the archive has.

use crate::aws::Clients;
use crate::aws::archive::{Archive, UnusableObject};
use crate::aws::queue::Queue;
use crate::aws::spilled_message;
use crate::aws::stack::{Entity, Stack};
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::Filter;
use crate::sanitize::sanitize;
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use labelbox_relay::spill::PREFIX;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::pin::pin;

const ABOUT: &str = "\
Counts the messages of each queue: those that wait, those that a consumer has received, dead letters, and those that were \
spilled to the bucket because their queue did not accept them. It receives nothing. SQS's counts are approximate; they are \
right a minute after the last change. A queue or bucket that does not exist is named, and the others are counted.

With --archive, it counts archived events by day, entity and topic instead: it reads each of the window.";

const EXAMPLES: &str = "\
Examples:
  relayctl count
  relayctl count --archive --since 2026-11-20 --until 2026-11-23 --project cm8d4
  relayctl count --json | jq .total.dead_letters";

/// Count the messages in queues, dead-letter queues and the bucket
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Count {
    /// Count archived events; the filters need it
    #[arg(long)]
    archive: bool,
    #[command(flatten)]
    filter: Filter,
}

/// The counts of a queue, in the order of `COLUMNS`; `None` where there is no such queue or bucket.
type Row = (&'static str, [Option<u64>; 4]);

const COLUMNS: [&str; 4] = ["waiting", "in_flight", "dead_letters", "spilled"];

pub async fn run(command: &Count, context: &Context) -> Result<ExitStatus, Error> {
    if !command.archive && !command.filter.at(context.now()).is_all() {
        return Err(Error::Usage("SQS counts all messages; filters need --archive".to_owned()));
    }
    let (clients, stack) = context.find_stack().await?;
    if command.archive {
        return count_archived(&command.filter, context, &clients, &stack).await;
    }
    let entities = Entity::value_variants();
    let queues = entities.iter().map(|entity| count(*entity, &clients, &stack));
    let mut rows = try_join_all(queues).await?;
    let mut missing = Vec::new();
    for (name, [waiting, _, dead_letters, _]) in &rows {
        missing.extend(waiting.is_none().then(|| format!("queue {name}")));
        missing.extend(dead_letters.is_none().then(|| format!("dead-letter queue {name}")));
    }
    let mut foreign_objects = 0;
    match spilled_message::count(&clients, &stack).await {
        Ok(counts) => {
            let get = |entity| counts.get(&entity).copied().unwrap_or_default();
            for ((_, [.., spilled]), entity) in rows.iter_mut().zip(entities) {
                *spilled = Some(get(Some(*entity)));
            }
            foreign_objects = get(None);
        }
        Err(error) if error.is_not_found() => {
            missing.push(format!("bucket {}", stack.payload_bucket()?));
        }
        Err(error) => return Err(error),
    }
    if context.output.is_json {
        let queue = |(name, counts): &Row| {
            let mut object = object(*counts);
            object.insert("queue".to_owned(), json!(name));
            object
        };
        context.output.json(&json!({
            "queues": rows.iter().map(queue).collect::<Vec<_>>(),
            "total": object(total(&rows)),
            // Objects under the prefix that are no spilled messages.
            "foreign_objects": foreign_objects,
            "missing": missing,
        }))?;
    } else {
        context.output.line(table(&rows).trim_fmt())?;
        if foreign_objects > 0 {
            let line = format!("{foreign_objects} objects under {PREFIX} are no spilled messages");
            context.output.line(line)?;
        }
    }
    if missing.is_empty() {
        return Ok(ExitStatus::Success);
    }
    let (missing, doctor) = (missing.join(", "), context.args.relayctl("doctor"));
    context.output.warn(format_args!("does not exist: {missing}; {doctor} says how to repair it"));
    Ok(ExitStatus::Incomplete)
}

async fn count_archived(
    filter: &Filter,
    context: &Context,
    clients: &Clients,
    stack: &Stack,
) -> Result<ExitStatus, Error> {
    let (output, now) = (&context.output, context.now());
    let archive = Archive::new(clients, stack, Entity::value_variants(), &filter.window(now))?;
    let mut events = pin!(archive.events(|id| filter.matches_id(id)));
    let mut counts: BTreeMap<(String, Entity, String), u64> = BTreeMap::new();
    let (mut found, mut unusable) = (0_u64, 0_u64);
    while let Some(event) = context.interrupt.cancels(events.try_next()).await? {
        found += 1;
        match event {
            Err(UnusableObject { key, reason }) => {
                unusable += 1;
                output.warn(format_args!("{}: {}", sanitize(&key), sanitize(&reason)));
            }
            Ok(event) if filter.at(now).matches(&event.message) => {
                let day = event.received_at.date().to_string();
                let topic = event.message.attribute("event").unwrap_or("-").to_owned();
                *counts.entry((day, event.entity, topic)).or_default() += 1;
            }
            Ok(_) => {}
        }
    }
    if found == 0 {
        stack.archive_days()?;
    }
    let total: u64 = counts.values().sum();
    if output.is_json {
        let row = |((day, entity, topic), count): (&(String, Entity, String), &u64)| json!({"day": day, "entity": entity, "topic": topic, "events": count});
        let counts: Vec<_> = counts.iter().map(row).collect();
        output.json(&json!({"archived": counts, "total": total, "foreign_objects": unusable}))?;
    } else {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["day", "entity", "topic", "events"]);
        for ((day, entity, topic), count) in &counts {
            table.add_row([day, entity.name(), &sanitize(topic), &count.to_string()]);
        }
        table.add_row(["total", "", "", &total.to_string()]);
        if let Some(column) = table.column_mut(3) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        output.line(table.trim_fmt())?;
    }
    Ok(if unusable > 0 { ExitStatus::Incomplete } else { ExitStatus::Success })
}

async fn count(entity: Entity, clients: &Clients, stack: &Stack) -> Result<Row, Error> {
    let queue = Queue::new(clients, stack, entity, false)?.stats_if_exists().await?;
    let dead_letters = Queue::new(clients, stack, entity, true)?.stats_if_exists().await?;
    // What a redrive has received is a dead letter still.
    let dead_letters = dead_letters.map(|it| it.waiting + it.in_flight);
    let (waiting, in_flight) = (queue.map(|it| it.waiting), queue.map(|it| it.in_flight));
    Ok((entity.name(), [waiting, in_flight, dead_letters, None]))
}

fn total(rows: &[Row]) -> [Option<u64>; 4] {
    rows.iter().fold([Some(0); 4], |mut sums, (_, counts)| {
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum = sum.map(|sum| sum + count.unwrap_or_default());
        }
        sums
    })
}

fn object(counts: [Option<u64>; 4]) -> Map<String, Value> {
    COLUMNS.into_iter().zip(counts).map(|(name, count)| (name.to_owned(), json!(count))).collect()
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let header = COLUMNS.map(|name| name.replace('_', " "));
    table.set_header(["queue".to_owned()].into_iter().chain(header));
    for (name, counts) in rows.iter().copied().chain([("total", total(rows))]) {
        let cells =
            counts.map(|count| count.map_or("missing".to_owned(), |count| count.to_string()));
        table.add_row([name.to_owned()].into_iter().chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests;
