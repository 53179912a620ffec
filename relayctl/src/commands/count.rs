//! `relayctl count`: how many messages are where.

use crate::aws::Clients;
use crate::aws::queue::Queue;
use crate::aws::spilled_message;
use crate::aws::stack::{Entity, Stack};
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use futures_util::future::try_join_all;
use labelbox_relay::spill::PREFIX;
use serde_json::{Map, Value, json};

const ABOUT: &str = "\
Counts the messages of each queue: those that wait, those that a consumer has received, dead letters, and those that were \
spilled to the bucket because their queue did not accept them. It receives nothing. SQS's counts are approximate; they are \
right a minute after the last change. A queue or bucket that does not exist is named, and the others are counted.";

const EXAMPLES: &str = "\
Examples:
  relayctl count
  relayctl count --json | jq .total.dead_letters";

/// Count the messages in queues, dead-letter queues and the bucket
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Count {}

/// The counts of a queue, in the order of `COLUMNS`; `None` where there is no such queue or bucket.
type Row = (&'static str, [Option<u64>; 4]);

const COLUMNS: [&str; 4] = ["waiting", "in_flight", "dead_letters", "spilled"];

pub async fn run(_: &Count, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack().await?;
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
