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
use serde::Serialize;
use std::fmt;

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

pub async fn run(_: &Count, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack().await?;
    let queues = Entity::value_variants().iter();
    let queues = queues.map(|entity| count_queue(*entity, &clients, &stack));
    let mut counts = Counts { queues: try_join_all(queues).await?, ..Counts::default() };
    for queue in &counts.queues {
        let name = queue.queue;
        counts.missing.extend(queue.waiting.is_none().then(|| format!("queue {name}")));
        let is_missing = queue.dead_letters.is_none();
        counts.missing.extend(is_missing.then(|| format!("dead-letter queue {name}")));
    }
    match spilled_message::count(&clients, &stack).await {
        Ok(spilled) => {
            let count = |entity| spilled.get(&entity).copied().unwrap_or_default();
            for (queue, entity) in counts.queues.iter_mut().zip(Entity::value_variants()) {
                queue.spilled = Some(count(Some(*entity)));
            }
            counts.foreign_objects = count(None);
        }
        Err(error) if error.is_not_found() => {
            counts.missing.push(format!("bucket {}", stack.payload_bucket()?));
        }
        Err(error) => return Err(error),
    }
    counts.total = Total {
        waiting: counts.sum(|queue| queue.waiting),
        in_flight: counts.sum(|queue| queue.in_flight),
        dead_letters: counts.sum(|queue| queue.dead_letters),
        spilled: counts.sum(|queue| queue.spilled),
    };
    context.output.show(&counts)?;
    if counts.missing.is_empty() {
        return Ok(ExitStatus::Success);
    }
    let (missing, doctor) = (counts.missing.join(", "), context.args.relayctl("doctor"));
    context.output.warn(format_args!("does not exist: {missing}; {doctor} says how to repair it"));
    Ok(ExitStatus::Incomplete)
}

/// The counts of a queue; `None` where there is no such queue or bucket.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct QueueCounts {
    queue: &'static str,
    waiting: Option<u64>,
    in_flight: Option<u64>,
    dead_letters: Option<u64>,
    spilled: Option<u64>,
}

async fn count_queue(
    entity: Entity,
    clients: &Clients,
    stack: &Stack,
) -> Result<QueueCounts, Error> {
    let stats = async |is_dead_letter_queue| {
        let queue = Queue::new(clients, stack, entity, is_dead_letter_queue)?;
        queue.stats_if_exists().await.map_err(Error::from)
    };
    let (queue, dead_letters) = (stats(false).await?, stats(true).await?);
    Ok(QueueCounts {
        queue: entity.name(),
        waiting: queue.map(|it| it.waiting),
        in_flight: queue.map(|it| it.in_flight),
        // What a redrive has received is a dead letter still.
        dead_letters: dead_letters.map(|it| it.waiting + it.in_flight),
        spilled: None,
    })
}

#[derive(Debug, Default, Serialize)]
struct Counts {
    queues: Vec<QueueCounts>,
    total: Total,
    /// Objects under the prefix that are no spilled messages.
    foreign_objects: u64,
    /// Queues and buckets that do not exist.
    missing: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Total {
    waiting: u64,
    in_flight: u64,
    dead_letters: u64,
    spilled: u64,
}

impl Counts {
    fn sum(&self, count: fn(&QueueCounts) -> Option<u64>) -> u64 {
        self.queues.iter().filter_map(count).sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["queue", "waiting", "in flight", "dead letters", "spilled"]);
        let mut add_row = |name: &str, counts: [Option<u64>; 4]| {
            let cell = |count: Option<u64>| count.map_or("missing".to_owned(), |it| it.to_string());
            table.add_row([name.to_owned()].into_iter().chain(counts.map(cell)));
        };
        for QueueCounts { queue, waiting, in_flight, dead_letters, spilled } in &self.queues {
            add_row(queue, [*waiting, *in_flight, *dead_letters, *spilled]);
        }
        let Total { waiting, in_flight, dead_letters, spilled } = self.total;
        add_row("total", [waiting, in_flight, dead_letters, spilled].map(Some));
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{}", table.trim_fmt())?;
        match self.foreign_objects {
            0 => Ok(()),
            count => writeln!(f, "{count} objects under {PREFIX} are no spilled messages"),
        }
    }
}

#[cfg(test)]
mod tests;
