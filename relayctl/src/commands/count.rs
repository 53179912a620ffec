//! `relayctl count`: how many messages are where, or how many events the archive has.

use super::look::look_into_archive;
use crate::aws::Clients;
use crate::aws::archive::ArchivedEvent;
use crate::aws::queue::Queue;
use crate::aws::spilled_message;
use crate::aws::stack::{Entity, Stack};
use crate::context::Context;
use crate::error::{Error, ExitStatus};
use crate::filter::{Filter, or_all};
use crate::sanitize::sanitize;
use crate::summary::counted;
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use futures_util::future::try_join_all;
use labelbox_relay::spill::PREFIX;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

const ABOUT: &str = "\
Counts the messages of each queue: those that wait, those that a consumer has received, dead letters, and those that were \
spilled to the bucket because their queue did not accept them. It receives nothing. SQS's counts are approximate; they are \
right a minute after the last change. A queue or bucket that does not exist is named, and the others are counted.

With --archive, it counts archived events by day, entity and topic instead: it reads every event of the window.";

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
    /// Only events of this entity; may be given more than once
    #[arg(long, value_name = "ENTITY", help_heading = "Filters")]
    entity: Vec<Entity>,
    #[command(flatten)]
    filter: Filter,
}

/// What there is of a queue; `None` where there is no such queue or bucket.
#[derive(Debug, Clone, Copy, Serialize)]
struct Counts {
    waiting: Option<u64>,
    in_flight: Option<u64>,
    dead_letters: Option<u64>,
    spilled: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Row {
    queue: &'static str,
    #[serde(flatten)]
    counts: Counts,
}

pub async fn run(command: &Count, context: &Context) -> Result<ExitStatus, Error> {
    let has_filter = !command.entity.is_empty() || !command.filter.is_all();
    if has_filter && !command.archive {
        return Err(Error::Usage("SQS counts all messages; filters need --archive".to_owned()));
    }
    command.filter.window(context.now())?;
    let (clients, stack) = context.find_stack().await?;
    if command.archive {
        return count_archived(command, context, (&clients, &stack)).await;
    }
    let entities = Entity::value_variants();
    let queues = entities.iter().map(|entity| count(*entity, &clients, &stack));
    let mut rows = try_join_all(queues).await?;
    let mut missing = Vec::new();
    for Row { queue, counts } in &rows {
        missing.extend(counts.waiting.is_none().then(|| format!("queue {queue}")));
        missing.extend(counts.dead_letters.is_none().then(|| format!("dead-letter queue {queue}")));
    }
    let mut foreign_objects = 0;
    match spilled_message::count(&clients, &stack).await {
        Ok(spilled) => {
            let get = |entity| spilled.get(&entity).copied().unwrap_or_default();
            for (row, entity) in rows.iter_mut().zip(entities) {
                row.counts.spilled = Some(get(Some(*entity)));
            }
            foreign_objects = get(None);
        }
        Err(error) if error.is_not_found() => {
            missing.push(format!("bucket {}", stack.payload_bucket()?));
        }
        Err(error) => return Err(error),
    }
    let sum = |get: fn(&Counts) -> Option<u64>| {
        Some(rows.iter().filter_map(|row| get(&row.counts)).sum())
    };
    let total = Counts {
        waiting: sum(|it| it.waiting),
        in_flight: sum(|it| it.in_flight),
        dead_letters: sum(|it| it.dead_letters),
        spilled: sum(|it| it.spilled),
    };
    if context.output.is_json {
        context.output.json(&json!({
            "queues": rows,
            "total": total,
            // Objects under the prefix that are no spilled messages.
            "foreign_objects": foreign_objects,
            "missing": missing,
        }))?;
    } else {
        let mut lines =
            vec![["queue", "waiting", "in flight", "dead letters", "spilled"].map(str::to_owned)];
        for Row { queue, counts } in rows.iter().chain([&Row { queue: "total", counts: total }]) {
            let Counts { waiting, in_flight, dead_letters, spilled } = *counts;
            let [waiting, in_flight, dead_letters, spilled] =
                [waiting, in_flight, dead_letters, spilled]
                    .map(|count| count.map_or("missing".to_owned(), |count| count.to_string()));
            lines.push([(*queue).to_owned(), waiting, in_flight, dead_letters, spilled]);
        }
        context.output.line(table(lines, 1).trim_fmt())?;
        if foreign_objects > 0 {
            let objects = counted(foreign_objects, "object");
            context
                .output
                .line(format!("not spilled messages, though under {PREFIX}: {objects}"))?;
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
    let counts = Counts {
        waiting: queue.map(|it| it.waiting),
        in_flight: queue.map(|it| it.in_flight),
        // What a redrive has received is a dead letter still.
        dead_letters: dead_letters.map(|it| it.waiting + it.in_flight),
        spilled: None,
    };
    Ok(Row { queue: entity.name(), counts })
}

async fn count_archived(
    command: &Count,
    context: &Context,
    found: (&Clients, &Stack),
) -> Result<ExitStatus, Error> {
    let entities = or_all(&command.entity);
    let mut counts: BTreeMap<(String, Entity, String), u64> = BTreeMap::new();
    let count = async |event: ArchivedEvent| {
        let day = event.received_at.date().to_string();
        let topic = event.message.attribute("event").unwrap_or("-").to_owned();
        *counts.entry((day, event.entity, topic)).or_default() += 1;
        Ok(ControlFlow::Continue(()))
    };
    let (_, status) = look_into_archive(context, found, &entities, &command.filter, count).await?;
    let total: u64 = counts.values().sum();
    if context.output.is_json {
        let rows = counts.iter().map(|((day, entity, topic), count)| {
            json!({"day": day, "entity": entity, "topic": topic, "events": count})
        });
        let rows: Vec<_> = rows.collect();
        context.output.json(&json!({"archived": rows, "total": total}))?;
    } else {
        let mut lines = vec![["day", "entity", "topic", "events"].map(str::to_owned)];
        for ((day, entity, topic), count) in counts {
            lines.push([day, entity.name().to_owned(), sanitize(&topic), count.to_string()]);
        }
        lines.push(["total".to_owned(), String::new(), String::new(), total.to_string()]);
        context.output.line(table(lines, 3).trim_fmt())?;
    }
    Ok(status)
}

/// A table whose columns are numbers from this one on.
fn table<const COLUMNS: usize>(lines: Vec<[String; COLUMNS]>, numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).add_rows(lines);
    for column in table.column_iter_mut().skip(numbers) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
