//! `relayctl count`: how many messages are where.

use crate::aws::queue::Queue;
use crate::aws::spilled_message::Key;
use crate::aws::stack::{Entity, Stack};
use crate::aws::{self, Clients};
use crate::context::Context;
use crate::error::Error;
use crate::error::ExitStatus;
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use futures_util::future::try_join_all;
use labelbox_relay::spill::PREFIX;
use serde::Serialize;
use std::fmt;

const ABOUT: &str = "\
Counts the messages of each queue: those that wait, those that a consumer has in hand, dead letters, and those that wait in \
the bucket because their queue did not take them. It changes nothing and costs the messages nothing. SQS's counts are \
approximate; they are right a minute after the last change.";

const EXAMPLES: &str = "\
Examples:
  relayctl count
  relayctl count --json | jq .total.dead_letters";

/// Count what waits in queues, dead-letter queues and the bucket
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_help = EXAMPLES)]
pub struct Count {}

pub async fn run(_: &Count, context: &Context) -> Result<ExitStatus, Error> {
    let (clients, stack) = context.find_stack().await?;
    let queues = Entity::value_variants().iter();
    let queues = queues.map(|entity| count_queue(*entity, &clients, &stack));
    let mut queues = try_join_all(queues).await?;
    let foreign = count_spilled(&mut queues, &clients, &stack).await?;
    context.output.show(&Counts::new(queues, foreign))?;
    Ok(ExitStatus::Success)
}

/// Of one queue, or of all.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<&'static str>,
    pub waiting: u64,
    pub in_flight: u64,
    pub dead_letters: u64,
    pub spilled: u64,
}

pub async fn count_queue(
    entity: Entity,
    clients: &Clients,
    stack: &Stack,
) -> Result<Counted, Error> {
    let queue = Queue::new(clients, stack, entity, false)?.stats().await?;
    let dead = Queue::new(clients, stack, entity, true)?.stats().await?;
    Ok(Counted {
        queue: Some(entity.name()),
        waiting: queue.waiting,
        in_flight: queue.in_flight,
        // What a redrive has in hand is a dead letter still.
        dead_letters: dead.waiting + dead.in_flight,
        spilled: 0,
    })
}

/// Enters what waits in the bucket. Returns how many objects there are of no queue.
pub async fn count_spilled(
    queues: &mut [Counted],
    clients: &Clients,
    stack: &Stack,
) -> Result<u64, Error> {
    let request = clients.s3.list_objects_v2();
    let request = request.bucket(stack.payload_bucket()?).prefix(PREFIX);
    let mut pages = request.into_paginator().send();
    let mut foreign = 0;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| aws::error("s3:ListBucket", &error))?;
        for key in page.contents().iter().filter_map(|object| object.key()) {
            let of_queue = Key::read(key).ok().map(|key| key.entity.name());
            match queues.iter_mut().find(|queue| queue.queue == of_queue) {
                Some(queue) => queue.spilled += 1,
                // S3's console makes empty objects that it shows as folders.
                None if key.ends_with('/') => {}
                None => foreign += 1,
            }
        }
    }
    Ok(foreign)
}

#[derive(Debug, Serialize)]
struct Counts {
    queues: Vec<Counted>,
    total: Counted,
    /// Objects among the spilled messages that are none.
    foreign_objects: u64,
}

impl Counts {
    fn new(queues: Vec<Counted>, foreign_objects: u64) -> Self {
        let sum = |of: fn(&Counted) -> u64| queues.iter().map(of).sum();
        let total = Counted {
            queue: None,
            waiting: sum(|it| it.waiting),
            in_flight: sum(|it| it.in_flight),
            dead_letters: sum(|it| it.dead_letters),
            spilled: sum(|it| it.spilled),
        };
        Self { queues, total, foreign_objects }
    }
}

impl Counted {
    fn row(&self) -> [String; 5] {
        let count = |count: u64| count.to_string();
        [
            self.queue.unwrap_or("total").to_owned(),
            count(self.waiting),
            count(self.in_flight),
            count(self.dead_letters),
            count(self.spilled),
        ]
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["queue", "waiting", "in flight", "dead letters", "spilled"]);
        for queue in &self.queues {
            table.add_row(queue.row());
        }
        table.add_row(self.total.row());
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{}", table.trim_fmt())?;
        if self.foreign_objects > 0 {
            let count = self.foreign_objects;
            writeln!(
                f,
                "{count} objects under {PREFIX} are no spilled messages; relayctl replay-spill --dry-run names them"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
